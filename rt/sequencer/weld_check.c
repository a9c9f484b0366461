#include "rt/sequencer/sequencer_private.h"

/* G7. The bus is held up at <= I_cc, well away from the voltage the vehicle had, while the gun must fall: a gun that
 * follows the bus hangs on a welded GC (the interlocks' verdict), one that stays where it was hangs on the vehicle. After
 * an error or emergency stop nothing may be held up: there the gun's fall with GC confirmed open has to do, as after a
 * session that never raised the bus. */
bool gun_weld_check_passed(const struct gun *g, const struct gun_inputs *in,
                           const struct gun_view *v) {
    const struct config_interlock *k = &in->config->interlock;
    const bool powered = gun_weld_test_powered(g, in);
    const bool settled = in->now_us - g->since_us >= (int64_t)k->t_weld_ms * 1000;
    const bool fallen =
        v->gun_known && in->image->gun_mv.at_us > g->since_us && v->gun_mv < k->v_safe_mv;
    const bool bus_up = v->bus_known && v->bus_mv >= k->v_safe_mv;
    return fallen && (bus_up || !powered || settled);
}

bool gun_weld_test_powered(const struct gun *g, const struct gun_inputs *in) {
    return g->stop == STOP_CLASS_NORMAL && g->set_mv >= in->config->interlock.v_safe_mv;
}

/* More than dV_gc below what the gun shows, so that a follower cannot be mistaken. */
int32_t gun_weld_test_mv(const struct gun *g, const struct gun_inputs *in,
                         const struct gun_view *v) {
    const struct config_interlock *k = &in->config->interlock;
    if (g->set_mv < k->v_safe_mv) {
        return 0; /* the bus was never raised */
    }
    const int32_t below_mv = v->gun_known ? v->gun_mv - 2 * k->dv_gc_mv : 0;
    const int32_t least_mv = 2 * k->v_safe_mv;
    return below_mv > least_mv ? below_mv : least_mv;
}
