/* Contactors: coil, main contacts and auxiliary contact, with the times and the ways to fail of real ones. */
#include "tests/plant/plant_private.h"

#define OPERATE_MIN_MS 12.0
#define OPERATE_MAX_MS 25.0
#define RELEASE_MIN_MS 5.0
#define RELEASE_MAX_MS 12.0
#define AUX_LAG_US     2000
#define BOUNCES        4

static int64_t later_us(int64_t now_us, double ms) {
    return now_us + (int64_t)(ms * 1000.0);
}

void contactor_set(struct plant *p, struct contactor *c, bool close, int64_t now_us) {
    if (!c->fitted || c->coil == close) {
        return;
    }
    c->coil = close;
    c->bounces = 0;
    double ms = close ? random_range(&p->random, OPERATE_MIN_MS, OPERATE_MAX_MS)
                      : random_range(&p->random, RELEASE_MIN_MS, RELEASE_MAX_MS);
    c->move_us = later_us(now_us, ms + c->slow_ms);
}

/* Bounces still to come after the first contact; the next position. Even: open, odd: closed. */
static bool bounce(struct contactor *c, int64_t now_us) {
    bool closed = true;
    if (c->bounces == 0) {
        if (c->bounce_ms > 0 && !c->closed) {
            c->bounces = 2 * BOUNCES;
            c->move_us = later_us(now_us, c->bounce_ms);
        }
        return true;
    }
    closed = c->bounces % 2 == 1;
    if (--c->bounces > 0) {
        c->move_us = later_us(now_us, c->bounce_ms);
    }
    return closed;
}

/* The contacts reach the position of the coil, if nothing holds them. */
static void arrive(struct plant *p, uint32_t slot, unsigned kind, int64_t now_us) {
    struct contactor *c = &p->slot[slot].contactor[kind];
    bool target = c->coil;
    c->move_us = NEVER;
    if (target && c->stuck_open) {
        target = false;
    } else if (!target && c->welded && c->closed) {
        target = true;
    } else if (target) {
        target = bounce(c, now_us) || (c->welded && c->closed);
    }
    if (target == c->closed) {
        return;
    }
    judge_switched(p, slot, kind, target, now_us);
    c->closed = target;
    if (!target && kind == CONTACTOR_GC) {
        p->slot[slot].gc_opened_us = now_us;
    }
    c->operations += target;
    c->aux_us = now_us + AUX_LAG_US;
    p->slot[slot].quiet = false;
    plant_event(p, PLANT_EVENT_CONTACTOR, slot, "%s %s", contactor_kind_name(kind),
                target ? "closed" : "open");
}

void contactors_step(struct plant *p, uint32_t slot, int64_t now_us) {
    struct slot *s = &p->slot[slot];
    int64_t next = NEVER;
    for (unsigned kind = 0; kind < CONTACTOR_MN0 + s->modules; kind++) {
        struct contactor *c = &s->contactor[kind];
        if (c->move_us <= now_us) {
            arrive(p, slot, kind, now_us);
        }
        if (c->aux_us <= now_us) {
            c->aux_us = NEVER;
            if (c->feedback_fault != 1 && c->aux != c->closed) {
                c->aux = c->closed;
                s->node.changed |= 1u << NODE_GCMC_STATUS | 1u << NODE_RELAY_STATUS;
            }
        }
        if (c->move_us < next) {
            next = c->move_us;
        }
        if (c->aux_us < next) {
            next = c->aux_us;
        }
    }
    s->next_contactor_us = next;
}

bool boundary_conducts(const struct plant *p, uint32_t slot) {
    const struct slot *s = &p->slot[slot];
    const struct contactor *mc = &s->contactor[CONTACTOR_MC], *bc = &s->contactor[CONTACTOR_BC];
    return mc->fitted && mc->closed && (!bc->fitted || bc->closed);
}
