#include "rt/sequencer/joining.h"

#include "rt/sequencer/sequencer_private.h"

static bool holds_bus_voltage(const struct joining *x, const struct image_module *m,
                              int64_t since_us) {
    const int32_t gap_mv = m->voltage_mv.value - x->bus_mv;
    const int32_t dv_mv = x->config->interlock.dv_mn_mv;
    return sample_fresh(&m->voltage_mv, x->now_us, GUN_METER_MS) &&
           m->voltage_mv.at_us > since_us + GUN_JOIN_US && gap_mv <= dv_mv && gap_mv >= -dv_mv;
}

/* A module that the proposal wants and that is not on the bus yet is brought to the bus voltage behind its open MN, then
 * the MN closes (M1). It goes on converting until the planner has seen it there and gives it its share. */
static void join(const struct joining *x, uint32_t j, struct request_module *request) {
    const uint8_t bit = (uint8_t)(1u << j);
    const bool closing = (*x->mn_mask & bit) != 0;
    if ((x->joined & bit) != 0) {
        if (x->join_us[j] == 0 || request->run || x->now_us - x->join_us[j] > GUN_JOINED_US) {
            x->join_us[j] = 0;
            return;
        }
        *request = (struct request_module){.run = true, .mn = true, .set_mv = x->set_mv};
        return;
    }
    x->join_us[j] = x->join_us[j] != 0 ? x->join_us[j] : x->now_us;
    request->run = true;
    request->set_mv = x->bus_mv;
    /* enough to charge its own output; none once its MN may conduct */
    request->set_ma = closing ? 0 : x->config->interlock.i_cc_ma;
    if (!closing && holds_bus_voltage(x, &x->image->module[j], x->join_us[j])) {
        *x->mn_mask |= bit;
        x->join_us[j] = x->now_us;
    }
}

/* One that the proposal no longer wants is switched off first, then its MN opens (M2). */
static void leave(const struct joining *x, uint32_t j, const struct request_module *request) {
    const uint8_t bit = (uint8_t)(1u << j);
    const struct sample *current = &x->image->module[j].current_ma;
    const bool last = (*x->mn_mask & ~bit & x->joined) == 0;
    x->join_us[j] = 0;
    if ((*x->mn_mask & bit) != 0 && !(last && x->keep_last) && !request->run &&
        sample_fresh(current, x->now_us, GUN_METER_MS) &&
        current->value <= x->config->interlock.i_off_ma) {
        *x->mn_mask &= (uint8_t)~bit;
    }
}

void joining_follow(const struct joining *x, struct request_module *request) {
    for (uint32_t j = 0; j < x->config->slot[x->slot].module_count; j++) {
        const bool usable = (x->usable & (1u << j)) != 0;
        if (x->wish[j].mn && usable && x->bus_known) {
            join(x, j, &request[j]);
        } else if (!x->wish[j].mn) {
            leave(x, j, &request[j]);
        } else {
            x->join_us[j] = 0;
        }
    }
}
