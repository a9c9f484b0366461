#include "tests/fuzz/warm_hub.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "rt/control_private.h"
#include "tests/plant/plant_private.h"

#define MODULES   2
#define WARM_UP_S 40
#define STEP_MS   5

/* Blocks of memory that make up the hub's state, and their copies of the warm moment. */
struct block {
    void *live, *kept;
    size_t size;
};

static struct virtual_hub *hub;
static struct block block[8];
static size_t blocks;

static void keep(void *live, size_t size) {
    struct block *b = &block[blocks++];
    *b = (struct block){.live = live, .kept = malloc(size), .size = size};
    DEMAND(blocks <= sizeof block / sizeof block[0] && b->kept != NULL, "no memory");
    memcpy(b->kept, live, size);
}

static bool all_charge(struct virtual_hub *h) {
    control_status(h->control, h->now_us, &h->status);
    for (uint32_t i = 0; i < h->config.slots; i++) {
        const struct status_slot *s = &h->status.slot[i];
        if (s->gun_state != GUN_STATE_CHARGING || s->gun_ma < 10000) {
            return false;
        }
    }
    return true;
}

static void warm_up(uint32_t slots) {
    struct config config;
    const struct plant_options options = {.seed = 7, .handshake = PLANT_HANDSHAKE_FAST};
    const struct plant_vehicle_wish wish = {.soc_pct = 30, .target_soc_pct = 80, .stay_s = -1};
    config_ring(&config, slots, MODULES);
    hub = virtual_hub_create(&config, &options, false);
    DEMAND(hub != NULL, "no memory");
    hub->coarse = true;
    virtual_hub_run(hub, 2.0);
    for (uint32_t i = 0; i < slots; i++) {
        DEMAND(plant_plug(hub->plant, (int)i + 1, &wish) == PLANT_OK, "gun %u: no plug", i + 1);
    }
    for (int second = 0; second < WARM_UP_S && !all_charge(hub); second++) {
        virtual_hub_run(hub, 1.0);
    }
    DEMAND(all_charge(hub), "the hub of %u did not come up", slots);
    hub->logged = VIRTUAL_HUB_LOG;
    struct plant *p = hub->plant;
    keep(hub, offsetof(struct virtual_hub, log));
    keep((char *)hub + offsetof(struct virtual_hub, logged),
         sizeof *hub - offsetof(struct virtual_hub, logged));
    keep(hub->control, offsetof(struct control, slot) + slots * sizeof(struct control_slot));
    keep(p, sizeof *p);
    keep(p->slot, slots * sizeof *p->slot);
    keep(p->pending, sizeof *p->pending);
    keep(p->delayed, DELAYED_MAX * sizeof *p->delayed);
}

struct virtual_hub *warm_hub(uint32_t slots) {
    if (hub == NULL) {
        warm_up(slots);
    }
    DEMAND(hub->config.slots == slots, "one hub per process");
    for (size_t i = 0; i < blocks; i++) {
        memcpy(block[i].live, block[i].kept, block[i].size);
    }
    return hub;
}

/* M3, M4, M6: what one slot may be told. */
static int64_t check_slot(const struct virtual_hub *h, uint32_t i) {
    const struct control *c = h->control;
    const struct output_slot *out = &c->output.slot[i];
    const struct image_slot *image = &c->image.slot[i];
    const struct config_connector *connector = &h->config.connector[h->config.slot[i].gun];
    int64_t sum_ma = 0, sum_uw = 0;
    for (uint32_t j = 0; j < h->config.slot[i].module_count; j++) {
        const struct request_module *m = &out->module[j];
        const struct config_module *rated = &h->config.slot[i].module[j];
        DEMAND(m->set_ma >= 0 && m->set_ma <= rated->max_current_ma, "slot %u: %d mA", i,
               m->set_ma);
        DEMAND(m->set_mv >= 0 && m->set_mv <= rated->max_voltage_mv, "slot %u: %d mV", i,
               m->set_mv);
        DEMAND(m->run || m->set_ma == 0, "slot %u: current of a module that is off", i);
        DEMAND(!out->gc || m->set_ma == 0 || !image->ev_max_mv.valid ||
                   m->set_mv <= image->ev_max_mv.value,
               "slot %u: %d mV above the vehicle's %d", i, m->set_mv, image->ev_max_mv.value);
        sum_ma += m->set_ma;
        sum_uw += (int64_t)m->set_ma * m->set_mv;
    }
    DEMAND(!out->gc || sum_ma <= connector->max_current_ma, "slot %u: %lld mA", i,
           (long long)sum_ma);
    DEMAND(!out->gc || !image->ev_max_ma.valid || sum_ma <= image->ev_max_ma.value,
           "slot %u: %lld mA above the vehicle's %d", i, (long long)sum_ma, image->ev_max_ma.value);
    return sum_uw;
}

/* S12: limits at the modules' input. */
static void check(const struct virtual_hub *h) {
    const struct control *c = h->control;
    int64_t sum_uw = 0;
    for (uint32_t i = 0; i < h->config.slots; i++) {
        sum_uw += check_slot(h, i);
    }
    DEMAND(sum_uw <= c->site_limit_w * 1000 * h->config.modules.efficiency_permille,
           "%lld W commanded of %lld at the input", (long long)(sum_uw / 1000000),
           (long long)c->site_limit_w);
    DEMAND(c->site_limit_w <= h->config.grid_limit_w, "site limit above the grid's");
    DEMAND(h->frames_dropped == 0 && h->events_dropped == 0, "frames or events dropped");
}

void warm_hub_run(struct virtual_hub *h, uint32_t ms) {
    for (uint32_t i = 0; i < ms; i += STEP_MS) {
        virtual_hub_run(h, STEP_MS / 1000.0);
        check(h);
    }
    DEMAND(virtual_hub_hazards(h) == 0, "the judge saw a hazard");
}
