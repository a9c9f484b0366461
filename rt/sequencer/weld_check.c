#include "rt/sequencer/sequencer_private.h"

static void advance(struct gun *g, const struct gun_inputs *in, enum weld_check_step step) {
    g->step = (uint8_t)step;
    g->progress_us = in->now_us;
}

/* G7. The bus is held up at <= I_cc while the gun must fall. After an error or emergency stop nothing may be held up:
 * there the gun's fall with GC confirmed open has to do, as after a session that never raised the bus. */
bool gun_weld_check_step(struct gun *g, const struct gun_inputs *in, const struct gun_view *v) {
    const struct config_interlock *k = &in->config->interlock;
    const int64_t in_step_us = in->now_us - g->progress_us;
    const bool powered = g->stop == STOP_CLASS_NORMAL && g->set_mv >= k->v_safe_mv;
    const bool settled = in_step_us >= (int64_t)k->t_weld_ms * 1000;
    const bool gun_fresh = v->gun_known && in->image->gun_mv.at_us > g->progress_us;
    const bool fallen = gun_fresh && v->gun_mv < k->v_safe_mv;
    const bool bus_up = v->bus_known && v->bus_mv >= k->v_safe_mv;
    switch ((enum weld_check_step)g->step) {
    case WELD_CHECK_FALL:
        if (fallen && (bus_up || !powered || settled)) {
            return true;
        }
        if (settled) {
            advance(g, in, WELD_CHECK_DROP);
        }
        break;
    case WELD_CHECK_DROP: /* gun still up: does it follow the bus down? */
        if (fallen && v->bus_known && !bus_up) {
            if (!powered) {
                return true;
            }
            advance(g, in, WELD_CHECK_AGAIN);
        }
        break;
    case WELD_CHECK_AGAIN:
        if (bus_up && in_step_us >= GUN_WELD_SETTLE_US && gun_fresh) {
            if (fallen) {
                return true; /* the vehicle had opened late */
            }
            g->own_latched |= UINT64_C(1) << FAULT_CONTACTOR_WELDED;
            advance(g, in, WELD_CHECK_DROP);
        }
        break;
    }
    return false;
}
