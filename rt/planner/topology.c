#include "rt/planner/topology.h"

/* Labels the arcs between open edges by the slot they begin at; a ring without an open edge is one component. */
static void label(const bool *conducts, uint32_t n, uint16_t *component) {
    uint32_t first = 0;
    for (uint32_t i = 0; i < n; i++) {
        if (!conducts[topology_previous(i, n)]) {
            first = i;
            break;
        }
    }
    uint32_t begin = first;
    for (uint32_t k = 0, i = first; k < n; k++, i = topology_next(i, n)) {
        if (k > 0 && !conducts[topology_previous(i, n)]) {
            begin = i;
        }
        component[i] = (uint16_t)begin;
    }
}

static bool has_gun_on_bus(const struct plan_slot *s) {
    return s->has_gun && (s->demands || s->served || s->ramping_down || s->arriving);
}

static bool is_joined(const struct plan_input *in, uint32_t edge) {
    return in->slot[edge].edge.fitted && in->slot[edge].edge.sure;
}

/* From the gun outward over edges that surely conduct; another gun's slot ends it. */
static void feed(const struct plan_input *in, struct topology *t, uint32_t home) {
    const uint32_t n = t->slots;
    t->feeds[home] = (int16_t)home;
    for (uint32_t k = 1, i = home; k < TOPOLOGY_ARC_MAX && k < n; k++) {
        if (!is_joined(in, i)) {
            break;
        }
        i = topology_next(i, n);
        if (t->gun[i] || t->feeds[i] >= 0) {
            break;
        }
        t->feeds[i] = (int16_t)home;
    }
    for (uint32_t k = 1, i = home; k < TOPOLOGY_ARC_MAX && k < n; k++) {
        i = topology_previous(i, n);
        if (!is_joined(in, i) || t->gun[i] || t->feeds[i] >= 0) {
            break;
        }
        t->feeds[i] = (int16_t)home;
    }
}

void topology_look(const struct plan_input *in, uint32_t slots, struct topology *out) {
    bool may[RM_SLOTS_MAX] = {false}, sure[RM_SLOTS_MAX] = {false};
    assert(slots <= RM_SLOTS_MAX);
    out->slots = slots;
    for (uint32_t i = 0; i < slots; i++) {
        const struct plan_edge *e = &in->slot[i].edge;
        sure[i] = e->fitted && e->sure;
        may[i] = e->fitted && (e->may || e->sure);
        out->gun[i] = has_gun_on_bus(&in->slot[i]);
        out->feeds[i] = -1;
    }
    label(may, slots, out->may);
    label(sure, slots, out->sure);
    for (uint32_t i = 0; i < slots; i++) {
        if (out->gun[i] && !in->slot[i].arriving) {
            feed(in, out, i);
        }
    }
}
