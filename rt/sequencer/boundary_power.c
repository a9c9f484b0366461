/* Power of lenders: the shares by which the owner's current falls on their modules, and what each state asks of them. */
#include <string.h>

#include "rt/sequencer/boundary_private.h"
#include "rt/sequencer/joining.h"

#define WEIGH_DT_MAX_US 100000

/* Where the weight of one module is going. */
static int32_t aim_ma(const struct boundary *b, const struct boundary_inputs *in, uint32_t slot,
                      uint32_t module) {
    if (b->state != BOUNDARY_STATE_JOINED || (b->mn_mask & (1u << module)) == 0) {
        return 0;
    }
    const struct proposal_slot *plan = &in->proposal->slot[slot];
    const struct proposal_module *p = &plan->module[module];
    return plan->owner == b->owner && p->run && p->set_ma > 0 ? p->set_ma : 0;
}

/* While the plan is late the shares stay: the owner's current falls as a whole (S8). */
static bool holds_weights(const struct boundary *b, const struct boundary_inputs *in) {
    return b->state == BOUNDARY_STATE_JOINED && !boundary_is_fresh(in);
}

static int64_t weight_of(const struct boundary *b) {
    int64_t sum_ma = 0;
    for (uint32_t j = 0; j < RM_MODULES_PER_SLOT_MAX; j++) {
        sum_ma += b->weight_ma[j];
    }
    return sum_ma;
}

/* What all lenders of one owner would gain and lose together, which the ramps bound. */
struct change {
    int64_t up_ma, down_ma;
};

static void add_change(const struct boundary *b, const struct boundary_inputs *in, uint32_t slot,
                       struct change *sum) {
    for (uint32_t j = 0; j < in->config->slot[slot].module_count; j++) {
        const int32_t gap_ma = aim_ma(b, in, slot, j) - b->weight_ma[j];
        sum->up_ma += gap_ma > 0 ? gap_ma : 0;
        sum->down_ma += gap_ma < 0 ? -gap_ma : 0;
    }
}

/* Each module takes its part of what the island's ramp allows in this step; at least 1 mA, so that it arrives. */
static int32_t part_of(int32_t gap_ma, int64_t step_ma, int64_t sum_ma) {
    if (sum_ma <= step_ma) {
        return gap_ma;
    }
    const int64_t part_ma = (int64_t)gap_ma * step_ma / sum_ma;
    return part_ma != 0 ? (int32_t)part_ma : gap_ma > 0 ? 1 : -1;
}

static void follow_weights(struct boundary *b, const struct boundary_inputs *in, uint32_t slot,
                           const struct change *sum, int64_t up_ma, int64_t down_ma) {
    for (uint32_t j = 0; j < in->config->slot[slot].module_count; j++) {
        const int32_t gap_ma = aim_ma(b, in, slot, j) - b->weight_ma[j];
        if (gap_ma > 0) {
            b->weight_ma[j] += part_of(gap_ma, up_ma, sum->up_ma);
        } else if (gap_ma < 0) {
            b->weight_ma[j] += part_of(gap_ma, down_ma, sum->down_ma);
        }
    }
}

static bool shares(const struct boundary *b) {
    return boundary_rows[b->state].power == BOUNDARY_POWER_SHARE;
}

void boundary_weigh(struct boundary_ring *ring, const struct boundary_inputs *in,
                    struct boundary_lent *lent) {
    const struct config_interlock *k = &in->config->interlock;
    const uint32_t slots = in->config->slots;
    struct change change[RM_SLOTS_MAX];
    int64_t dt_us = in->now_us - ring->weighed_us;
    dt_us = dt_us > WEIGH_DT_MAX_US ? WEIGH_DT_MAX_US : dt_us;
    ring->weighed_us = in->now_us;
    memset(lent, 0, slots * sizeof lent[0]);
    memset(change, 0, slots * sizeof change[0]);
    for (uint32_t i = 0; i < slots; i++) {
        const struct boundary *b = &ring->slot[i];
        if (!boundary_is_away(b)) {
            continue;
        }
        lent[b->owner].urgent |= b->urgent && b->state == BOUNDARY_STATE_UNLOADING;
        lent[b->owner].slots = (uint8_t)(lent[b->owner].slots + boundary_is_coupled(b));
        if (shares(b) && !holds_weights(b, in)) {
            add_change(b, in, i, &change[b->owner]);
        }
    }
    for (uint32_t i = 0; i < slots; i++) {
        struct boundary *b = &ring->slot[i];
        if (!boundary_is_away(b)) {
            continue;
        }
        const struct gun *owner = in->gun[b->owner];
        const bool fast = lent[b->owner].urgent || owner->stop >= STOP_CLASS_ERROR;
        const int64_t down_ma_s = fast ? k->ramp_error_ma_s : k->ramp_down_ma_s;
        if (!shares(b)) {
            memset(b->weight_ma, 0, sizeof b->weight_ma);
        } else if (!holds_weights(b, in)) {
            follow_weights(b, in, i, &change[b->owner], k->ramp_up_ma_s * dt_us / 1000000,
                           down_ma_s * dt_us / 1000000);
        }
        lent[b->owner].weight_ma += weight_of(b);
    }
}

bool boundary_is_unloaded(const struct boundary *b) {
    return weight_of(b) == 0;
}

/* ---- the request ------------------------------------------------------------------------------------------- */

static bool bus_is_live(const struct boundary_inputs *in, uint32_t slot) {
    const struct sample *bus = &in->image->slot[slot].bus_mv;
    return sample_fresh(bus, in->now_us, boundary_sense_ms(in)) &&
           bus->value >= in->config->interlock.v_safe_mv;
}

static void contactors(struct boundary *b, const struct boundary_inputs *in, uint32_t slot,
                       const struct boundary_view *v, struct request *request) {
    const struct boundary_row *row = &boundary_rows[b->state];
    struct request_slot *own = &request->slot[slot];
    struct request_slot *edge = &request->slot[v->edge];
    const bool down = row->mn == BOUNDARY_MN_WHILE_LIVE && !bus_is_live(in, slot);
    b->mn_mask &= v->usable;
    if (row->mn == BOUNDARY_MN_OPEN || b->emergency || (down && v->edge_open)) {
        b->mn_mask = 0;
    }
    for (uint32_t j = 0; j < RM_MODULES_PER_SLOT_MAX; j++) {
        own->module[j].mn = (b->mn_mask & (1u << j)) != 0;
    }
    edge->mc = row->edge >= BOUNDARY_EDGE_MC;
    edge->bc = row->edge == BOUNDARY_EDGE_BOTH &&
               in->interlock->slot[v->edge].contactor[CONTACTOR_BC].fitted;
    if (b->urgent && b->state >= BOUNDARY_STATE_UNLOADING) {
        edge->reclaim = true;
        own->reclaim = true;
    }
}

/* Told to conduct whole: from then on it is one bus with the owner's, whose modules set the voltage. */
static bool edge_is_commanded(const struct boundary_inputs *in, uint32_t edge) {
    const struct contactor_book *book = in->interlock->slot[edge].contactor;
    return book[CONTACTOR_MC].command && (!book[CONTACTOR_BC].fitted || book[CONTACTOR_BC].command);
}

/* The own bus to the voltage of the neighbour's, at I_cc in sum. Once the boundary has been told to close the modules
 * hold still: the owner's voltage (M5), no current. */
static void match(const struct boundary *b, const struct boundary_inputs *in,
                  const struct boundary_view *v, struct request_slot *own) {
    const uint8_t able = b->mn_mask & v->joined & v->usable;
    const bool one_bus = edge_is_commanded(in, v->edge);
    const struct gun *owner = in->gun[b->owner];
    own->purpose = one_bus ? POWER_PURPOSE_SERVE : POWER_PURPOSE_MERGE;
    if (able == 0 || !v->voltages_known) {
        return;
    }
    for (uint32_t j = 0; j < RM_MODULES_PER_SLOT_MAX; j++) {
        if ((able & (1u << j)) != 0) {
            own->module[j].run = true;
            own->module[j].set_mv = one_bus ? owner->set_mv : v->inner_mv;
            own->module[j].set_ma =
                one_bus ? 0 : in->config->interlock.i_cc_ma / __builtin_popcount(able);
        }
    }
}

/* Just joined: the planner has not seen the modules there yet and has neither shares nor wishes for them. On the way out
 * they hold the bus until the boundary opens, or it would discharge under the owner's feet. */
static void keep_converting(const struct boundary *b, uint8_t able, int32_t set_mv,
                            struct request_slot *own) {
    for (uint32_t j = 0; j < RM_MODULES_PER_SLOT_MAX; j++) {
        if ((able & (1u << j)) != 0 && b->weight_ma[j] == 0) {
            own->module[j].run = true;
            own->module[j].set_mv = set_mv;
        }
    }
}

static void share(struct boundary *b, const struct boundary_inputs *in, uint32_t slot,
                  const struct boundary_view *v, struct request_slot *own) {
    const struct gun *owner = in->gun[b->owner];
    const uint8_t able = b->mn_mask & v->joined & v->usable;
    own->purpose = POWER_PURPOSE_SERVE;
    for (uint32_t j = 0; j < in->config->slot[slot].module_count; j++) {
        if ((able & (1u << j)) != 0 && b->weight_ma[j] > 0 && owner->whole_ma > 0) {
            own->module[j].run = true;
            own->module[j].set_mv = owner->set_mv;
            own->module[j].set_ma =
                (int32_t)((int64_t)owner->set_ma * b->weight_ma[j] / owner->whole_ma);
        }
    }
    if (b->state == BOUNDARY_STATE_UNLOADING || in->now_us - b->since_us <= GUN_JOINED_US) {
        keep_converting(b, able, owner->set_mv, own);
    } else if (boundary_is_fresh(in)) {
        const struct joining x = {.config = in->config,
                                  .slot = slot,
                                  .image = &in->image->slot[slot],
                                  .wish = in->proposal->slot[slot].module,
                                  .now_us = in->now_us,
                                  .set_mv = owner->set_mv,
                                  .bus_known = v->voltages_known,
                                  .bus_mv = v->bus_mv,
                                  .usable = v->usable,
                                  .joined = v->joined,
                                  .keep_last = false,
                                  .mn_mask = &b->mn_mask,
                                  .join_us = b->join_us};
        joining_follow(&x, own->module);
    }
}

void boundary_write(struct boundary *b, const struct boundary_inputs *in, uint32_t slot,
                    const struct boundary_view *view, struct request *request) {
    const struct boundary_row *row = &boundary_rows[b->state];
    struct request_slot *own = &request->slot[slot];
    memset(own->module, 0, sizeof own->module);
    own->purpose = POWER_PURPOSE_NONE;
    contactors(b, in, slot, view, request);
    own->imd_enable = own->imd_enable || row->imd != 0;
    switch ((enum boundary_power)row->power) {
    case BOUNDARY_POWER_OFF: break;
    case BOUNDARY_POWER_MATCH: match(b, in, view, own); break;
    case BOUNDARY_POWER_SHARE: share(b, in, slot, view, own); break;
    }
}
