/* The rules hold for every request and every image: random steps, each checked by a second reading of the rules that
 * shares nothing with the code (it looks at image, request and output, and walks the ring by hand). Two ways of being
 * random: a living hub with single values bent, and plain chaos. And S16: what happens in one slot changes nothing in
 * the others. Seeds are fixed, so that a failure repeats. */
#include <stdio.h>
#include <string.h>

#include "tests/unit/rt/interlock/bend.h"

/* --- the second reading */

static bool fresh(const struct hub *hub, const struct sample *sample, int64_t ms) {
    return sample->valid && hub->now_us - sample->at_us <= ms * 1000;
}

static bool reads(const struct hub *hub, uint32_t slot, unsigned kind, enum feedback value) {
    const struct image_contactor *c = &hub->image.slot[slot].contactor[kind];
    return c->p == value && c->n == value && c->at_us != 0 && hub->now_us - c->at_us <= 250000;
}

static bool some_pole_closed(const struct hub *hub, uint32_t slot, unsigned kind) {
    const struct image_contactor *c = &hub->image.slot[slot].contactor[kind];
    return c->p == FEEDBACK_CLOSED || c->n == FEEDBACK_CLOSED;
}

/* By a pole that reads closed or by this step's command. */
static bool edge_conducts(const struct hub *hub, uint32_t slot) {
    const struct output_slot *out = &hub->out.slot[slot];
    return hub->config.slots > 1 && (out->mc || some_pole_closed(hub, slot, CONTACTOR_MC)) &&
           (!hub->config.slot[slot].has_bc || out->bc || some_pole_closed(hub, slot, CONTACTOR_BC));
}

static bool connected(const struct hub *hub, uint32_t from, uint32_t to) {
    const uint32_t n = hub->config.slots;
    bool clockwise = true;
    bool counter = true;
    for (uint32_t at = from; at != to; at = (at + 1) % n) {
        clockwise = clockwise && edge_conducts(hub, at);
    }
    for (uint32_t at = to; at != from; at = (at + 1) % n) {
        counter = counter && edge_conducts(hub, at);
    }
    return clockwise || counter;
}

static int64_t power_uw(const struct request_module *m) {
    return (int64_t)m->set_mv * m->set_ma;
}

#define REQUIRE(condition)                                                                         \
    do {                                                                                           \
        if (!(condition)) {                                                                        \
            print_message("slot %u at %lld us: ", (unsigned)slot, (long long)hub->now_us);         \
            assert_true(condition);                                                                \
        }                                                                                          \
    } while (0)

static bool is_emergency(const struct hub *hub, uint32_t slot) {
    const struct image_slot *image = &hub->image.slot[slot];
    const bool cp = fresh(hub, &image->cp_state, 300);
    const bool ready = image->cp_state.value == CP_STATE_C || image->cp_state.value == CP_STATE_D;
    return !cp || !ready || !fresh(hub, &image->contactor_status, 300) ||
           !fresh(hub, &image->safety_ok, 500) || image->safety_ok.value != 1 ||
           image->interface_down || image->plc_ack_fault || image->plc_crc_mode_fault ||
           (fresh(hub, &image->earth_fault, 500) && image->earth_fault.value == 1) ||
           (fresh(hub, &image->estop, 500) && image->estop.value == 1) ||
           (fresh(hub, &image->estop_input, 500) && image->estop_input.value == 1);
}

static bool is_emergency_by_plc(const struct hub *hub, uint32_t slot) {
    const struct image_slot *image = &hub->image.slot[slot];
    return !fresh(hub, &image->contactor_status, 300) || !fresh(hub, &image->safety_ok, 500) ||
           image->safety_ok.value != 1 || image->interface_down || image->plc_ack_fault ||
           image->plc_crc_mode_fault ||
           (fresh(hub, &image->earth_fault, 500) && image->earth_fault.value == 1) ||
           (fresh(hub, &image->estop, 500) && image->estop.value == 1) ||
           (fresh(hub, &image->estop_input, 500) && image->estop_input.value == 1);
}

/* The gun that is closed on the slot's island; the slot itself when there is none. */
static uint32_t owner_of(const struct hub *hub, uint32_t slot) {
    for (uint32_t other = 0; other < hub->config.slots; ++other) {
        if (hub->out.slot[other].gc && connected(hub, slot, other)) {
            return other;
        }
    }
    return slot;
}

/* S1, S2, S4, S9, S14, S15: nothing at all */
static void check_off(const struct hub *hub, uint32_t slot) {
    const struct output_slot *out = &hub->out.slot[slot];
    const struct interlock_slot *own = &hub->state.slot[slot];
    const bool off = is_emergency(hub, slot) || !own->released || hub->state.estop_latched ||
                     own->contactor[CONTACTOR_GC].welded;
    if (!off) {
        return;
    }
    REQUIRE(!out->gc);
    for (uint32_t m = 0; m < hub->config.slot[slot].module_count; ++m) {
        /* an idle gun (control pilot A) may test itself at I_cc */
        const bool idle = own->released && own->stop != STOP_CLASS_EMERGENCY;
        REQUIRE(idle || (!out->module[m].run && out->module[m].set_ma == 0));
        REQUIRE(idle || !out->module[m].mn);
        REQUIRE(out->module[m].set_ma <= 2000 || (idle && owner_of(hub, slot) != slot));
    }
}

/* --- boundaries */

/* What the test itself remembers of each boundary: its two newest current samples and its last change of way. */
struct memory {
    int64_t sample_us;
    bool low[2];       /* fresh, valid and at most 5 A; the newest first */
    int64_t opened_us; /* first contactor of the way out */
    bool closed;
};
static struct memory memory[RM_SLOTS_MAX];

static void remember(const struct hub *hub) {
    for (uint32_t slot = 0; slot < hub->config.slots; ++slot) {
        const struct sample *ma = &hub->image.slot[slot].boundary_ma;
        const bool low = fresh(hub, ma, 250) && ma->value <= 5000 && ma->value >= -5000;
        if (ma->at_us != memory[slot].sample_us) {
            memory[slot].low[1] = memory[slot].low[0];
        }
        memory[slot].low[0] = low;
        memory[slot].sample_us = ma->at_us;
    }
}

static bool dead_pair(const struct image_slot *a, const struct image_slot *b) {
    return a->bus_mv.value < 60000 && b->bus_mv.value < 60000;
}

static uint32_t size_of_island(const struct hub *hub, uint32_t slot) {
    uint32_t size = 0;
    for (uint32_t other = 0; other < hub->config.slots; ++other) {
        size += connected(hub, slot, other);
    }
    return size;
}

/* T1, T4, T6, E1, E6, N4, S8, S15 for a contactor that closes; E7 for the second one */
static void check_edge_closing(const struct hub *hub, const struct output *last, uint32_t slot,
                               unsigned kind) {
    const uint32_t next = (slot + 1) % hub->config.slots;
    const struct image_slot *a = &hub->image.slot[slot];
    const struct image_slot *b = &hub->image.slot[next];
    const int64_t gap_mv = (int64_t)a->bus_mv.value - b->bus_mv.value;
    REQUIRE(hub->config.slots > 1);
    REQUIRE(kind == CONTACTOR_MC ? hub->request.slot[slot].mc : hub->request.slot[slot].bc);
    REQUIRE(hub->state.slot[slot].released && hub->state.slot[next].released);
    REQUIRE(hub->in.plan_age_us <= 150000);
    REQUIRE(reads(hub, slot, kind, FEEDBACK_OPEN));
    REQUIRE(kind == CONTACTOR_MC || (last->slot[slot].mc && hub->out.slot[slot].mc &&
                                     reads(hub, slot, CONTACTOR_MC, FEEDBACK_CLOSED)));
    REQUIRE(fresh(hub, &a->bus_mv, 250) && fresh(hub, &b->bus_mv, 250));
    REQUIRE(gap_mv <= 10000 && gap_mv >= -10000);
    REQUIRE(size_of_island(hub, slot) <= (uint32_t)hub->config.interlock.max_slots);
    uint32_t guns = 0;
    bool monitored = dead_pair(a, b);
    for (uint32_t other = 0; other < hub->config.slots; ++other) {
        const struct image_slot *image = &hub->image.slot[other];
        if (!connected(hub, slot, other)) {
            continue;
        }
        const int32_t stage = fresh(hub, &image->hlc_stage, 1250) ? image->hlc_stage.value : 0;
        guns += hub->out.slot[other].gc || some_pole_closed(hub, other, CONTACTOR_GC) ||
                image->gun_mv.value > 60000;
        REQUIRE(stage != HLC_STAGE_CABLE_CHECK && stage != HLC_STAGE_PRECHARGE);
        REQUIRE(!fresh(hub, &image->imd, 1000) || image->imd.value != IMD_STATE_TEST);
        monitored =
            monitored || (fresh(hub, &image->imd, 1000) && image->imd.value == IMD_STATE_OK);
        REQUIRE(!is_emergency_by_plc(hub, other));
    }
    REQUIRE(guns <= 1);
    REQUIRE(monitored);
    REQUIRE(kind == CONTACTOR_BC || memory[slot].opened_us == 0 ||
            hub->now_us - memory[slot].opened_us >=
                (int64_t)hub->config.interlock.t_dwell_ms * 1000);
}

/* An emergency of any slot that it was joined to, seen from the outside. */
static bool excused(const struct hub *hub, uint32_t slot) {
    for (uint32_t other = 0; other < hub->config.slots; ++other) {
        const struct interlock_slot *own = &hub->state.slot[other];
        if (own->stop == STOP_CLASS_EMERGENCY || own->demand == STOP_CLASS_EMERGENCY) {
            return true;
        }
    }
    return hub->state.slot[slot].edge_forced; /* latched by one of a moment ago */
}

/* E2, E3 */
static void check_edge_opening(const struct hub *hub, uint32_t slot) {
    if (excused(hub, slot)) {
        return;
    }
    REQUIRE(memory[slot].low[0] && memory[slot].low[1]);
}

/* T5: contactors of one boundary, boundaries of one island */
static void check_edge_alone(const struct hub *hub, const struct output *last, uint32_t slot) {
    for (uint32_t other = 0; other < hub->config.slots; ++other) {
        const bool moved = hub->out.slot[other].mc != last->slot[other].mc ||
                           hub->out.slot[other].bc != last->slot[other].bc;
        REQUIRE(other == slot || !moved || excused(hub, other) || excused(hub, slot) ||
                !connected(hub, slot, other));
    }
}

static void check_edge(const struct hub *hub, const struct output *last, uint32_t slot) {
    const struct output_slot *now = &hub->out.slot[slot];
    const struct output_slot *before = &last->slot[slot];
    const bool mc = now->mc != before->mc;
    const bool bc = now->bc != before->bc;
    REQUIRE(!now->bc || hub->config.slot[slot].has_bc);
    if (!mc && !bc) {
        return;
    }
    REQUIRE(!(mc && bc) || excused(hub, slot));
    if (mc && now->mc) {
        check_edge_closing(hub, last, slot, CONTACTOR_MC);
    }
    if (bc && now->bc) {
        check_edge_closing(hub, last, slot, CONTACTOR_BC);
    }
    if ((mc && !now->mc) || (bc && !now->bc)) {
        check_edge_opening(hub, slot);
    }
    check_edge_alone(hub, last, slot);
    const bool conducts = now->mc && (now->bc || !hub->config.slot[slot].has_bc);
    if (memory[slot].closed && !conducts) {
        memory[slot].opened_us = hub->now_us;
    }
    memory[slot].closed = conducts;
}

/* T2 */
static void check_ring(const struct hub *hub, const struct output *last) {
    bool open = hub->config.slots == 1;
    bool closing = false;
    for (uint32_t slot = 0; slot < hub->config.slots; ++slot) {
        open = open || !edge_conducts(hub, slot);
        closing = closing || (hub->out.slot[slot].mc && !last->slot[slot].mc) ||
                  (hub->out.slot[slot].bc && !last->slot[slot].bc);
    }
    assert_true(open || !closing);
}

/* E5: what the setpoints send over a boundary, seen from the island's one gun */
static void check_edge_current(const struct hub *hub, uint32_t slot) {
    const uint32_t n = hub->config.slots;
    if (!hub->out.slot[slot].gc) {
        return;
    }
    for (int clockwise = 0; clockwise < 2; ++clockwise) {
        int64_t sum_ma = 0;
        uint32_t length = 0;
        uint32_t at = slot;
        while (length + 1 < n && hub_joined(hub, clockwise ? at : (at + n - 1) % n)) {
            at = clockwise ? (at + 1) % n : (at + n - 1) % n;
            ++length;
        }
        for (; length > 0; --length) {
            const uint32_t edge = clockwise ? (at + n - 1) % n : at;
            for (uint32_t m = 0; m < hub->config.slot[at].module_count; ++m) {
                sum_ma += hub->out.slot[at].module[m].mn ? hub->out.slot[at].module[m].set_ma : 0;
            }
            REQUIRE(sum_ma <= hub->config.slot[edge].boundary_max_current_ma);
            at = clockwise ? (at + n - 1) % n : (at + 1) % n;
        }
    }
}

/* T1, T4 */
static void check_alone(const struct hub *hub, uint32_t slot) {
    if (!hub->out.slot[slot].gc) {
        return;
    }
    for (uint32_t other = 0; other < hub->config.slots; ++other) {
        if (other != slot) {
            REQUIRE(!(connected(hub, slot, other) &&
                      (hub->out.slot[other].gc || some_pole_closed(hub, other, CONTACTOR_GC))));
        }
    }
}

/* G1, G2, G3, S7, S8 */
static void check_closing(const struct hub *hub, const struct output *last, uint32_t slot) {
    const struct image_slot *image = &hub->image.slot[slot];
    const struct interlock_slot *own = &hub->state.slot[slot];
    if (!hub->out.slot[slot].gc || last->slot[slot].gc) {
        return;
    }
    REQUIRE(hub->request.slot[slot].gc);
    REQUIRE(own->released && own->stop == STOP_CLASS_NONE);
    REQUIRE(fresh(hub, &image->lock, 1250) && image->lock.value == 1);
    REQUIRE(hub->in.plan_age_us <= 150000);
    REQUIRE(reads(hub, slot, CONTACTOR_GC, FEEDBACK_OPEN));
    REQUIRE(fresh(hub, &image->bus_mv, 250) && fresh(hub, &image->gun_mv, 250));
    REQUIRE(fresh(hub, &image->hlc_stage, 1250));
    const int64_t bus_mv = image->bus_mv.value;
    const int64_t gun_mv = image->gun_mv.value;
    const bool dead = bus_mv < 60000 && gun_mv < 60000;
    const bool equal = bus_mv - gun_mv <= 20000 && gun_mv - bus_mv <= 20000;
    const int32_t stage = image->hlc_stage.value;
    REQUIRE((stage == HLC_STAGE_CABLE_CHECK && dead) ||
            ((stage == HLC_STAGE_PRECHARGE || stage == HLC_STAGE_POWER_DELIVERY) && equal));
}

/* G4 */
static void check_opening(const struct hub *hub, const struct output *last, uint32_t slot) {
    const struct image_slot *image = &hub->image.slot[slot];
    const struct interlock_slot *own = &hub->state.slot[slot];
    if (hub->out.slot[slot].gc || !last->slot[slot].gc || own->stop == STOP_CLASS_EMERGENCY ||
        hub->request.slot[slot].stop == STOP_CLASS_EMERGENCY || hub_noted(hub, RULE_T1, slot)) {
        return;
    }
    const bool loaded = fresh(hub, &image->gun_ma, 625) &&
                        (image->gun_ma.value > 5000 || image->gun_ma.value < -5000);
    /* else only the end of an error stop, or of a normal one that went on for 10 s */
    REQUIRE(!loaded || (own->error_since_us != 0 && hub->now_us - own->error_since_us >= 1000000));
}

/* G5 */
static void check_lock(const struct hub *hub, const struct output *last, uint32_t slot) {
    const struct image_slot *image = &hub->image.slot[slot];
    if (hub->out.slot[slot].lock || !last->slot[slot].lock) {
        return;
    }
    REQUIRE(fresh(hub, &image->gun_mv, 250) && image->gun_mv.value < 60000);
    REQUIRE(reads(hub, slot, CONTACTOR_GC, FEEDBACK_OPEN));
    REQUIRE(!hub->out.slot[slot].gc && !last->slot[slot].gc);
}

/* M1, M2 */
static void check_mn(const struct hub *hub, const struct output *last, uint32_t slot, uint32_t m) {
    const struct image_slot *image = &hub->image.slot[slot];
    const struct image_module *module = &image->module[m];
    const bool now = hub->out.slot[slot].module[m].mn;
    const bool before = last->slot[slot].module[m].mn;
    if (now && !before) {
        const int64_t gap_mv = (int64_t)module->voltage_mv.value - image->bus_mv.value;
        REQUIRE(fresh(hub, &image->bus_mv, 250) && fresh(hub, &module->voltage_mv, 625));
        REQUIRE((image->bus_mv.value < 60000 && module->voltage_mv.value < 60000) ||
                (gap_mv <= 10000 && gap_mv >= -10000));
        REQUIRE(hub->in.plan_age_us <= 150000);
        REQUIRE(reads(hub, slot, CONTACTOR_MN0 + m, FEEDBACK_OPEN));
    }
    if (before && !now && hub->state.slot[slot].stop != STOP_CLASS_EMERGENCY) {
        const bool silent =
            module->last_rx_us == 0 || hub->now_us - module->last_rx_us > 2 * SECOND;
        const bool unloaded = fresh(hub, &module->current_ma, 625) &&
                              module->current_ma.value <= 1000 && module->current_ma.value >= -1000;
        REQUIRE(silent || unloaded);
    }
}

/* M3, M6 */
static void check_module(const struct hub *hub, const struct output *last, uint32_t slot,
                         uint32_t m) {
    const struct request_module *out = &hub->out.slot[slot].module[m];
    const struct image_module *module = &hub->image.slot[slot].module[m];
    const struct config_module *rated = &hub->config.slot[slot].module[m];
    REQUIRE(out->set_mv >= 0 && out->set_mv <= rated->max_voltage_mv);
    REQUIRE(out->set_ma >= 0 && out->set_ma <= rated->max_current_ma);
    REQUIRE(out->run || out->set_ma == 0);
    if (out->set_ma == 0) {
        return;
    }
    const bool joined = out->mn && last->slot[slot].module[m].mn &&
                        reads(hub, slot, CONTACTOR_MN0 + m, FEEDBACK_CLOSED);
    const bool alone = !out->mn && reads(hub, slot, CONTACTOR_MN0 + m, FEEDBACK_OPEN);
    REQUIRE(joined || (alone && out->set_ma <= 2000));
    REQUIRE((module->alarm_bits & MODULE_ALARM_CONDEMNS) == 0);
    REQUIRE(hub->now_us - module->last_rx_us <= 2 * SECOND);
    REQUIRE(!fresh(hub, &module->temperature_ddegc, 5000) || module->temperature_ddegc.value < 850);
    if (fresh(hub, &module->voltage_mv, 625) && module->voltage_mv.value > 0) {
        REQUIRE((int64_t)out->set_ma * module->voltage_mv.value <=
                (int64_t)rated->rated_w * 1000000);
    }
}

static int64_t slot_ma(const struct hub *hub, const struct output *out, uint32_t slot) {
    int64_t sum = 0;
    for (uint32_t m = 0; m < hub->config.slot[slot].module_count; ++m) {
        sum += out->slot[slot].module[m].mn ? out->slot[slot].module[m].set_ma : 0;
    }
    return sum;
}

/* of all slots that are joined to it */
static int64_t joined_ma(const struct hub *hub, const struct output *out, uint32_t slot) {
    int64_t sum = 0;
    for (uint32_t other = 0; other < hub->config.slots; ++other) {
        sum += other == slot || connected(hub, slot, other) ? slot_ma(hub, out, other) : 0;
    }
    return sum;
}

/* M3, M4, N2 */
static void check_current(const struct hub *hub, const struct output *last, uint32_t any) {
    const uint32_t slot = owner_of(hub, any);
    const struct image_slot *image = &hub->image.slot[slot];
    const struct config_connector *connector = &hub->config.connector[hub->config.slot[slot].gun];
    const int64_t sum_ma = joined_ma(hub, &hub->out, slot);
    if (sum_ma <= 2000) {
        return;
    }
    REQUIRE(hub->out.slot[slot].gc && last->slot[slot].gc);
    REQUIRE(reads(hub, slot, CONTACTOR_GC, FEEDBACK_CLOSED));
    REQUIRE(fresh(hub, &image->hlc_stage, 1250));
    REQUIRE(image->hlc_stage.value >= HLC_STAGE_POWER_DELIVERY &&
            image->hlc_stage.value <= HLC_STAGE_POWER_OFF);
    REQUIRE(!(image->hlc_stage.value < HLC_STAGE_POWER_OFF && image->auth_granted &&
              image->cable_check_ok && !image->precharge_active && !image->charge_complete) ||
            hub->state.slot[slot].imd_passed);
    /* above the vehicle's and the cable's limits only on the way down */
    const int64_t target_ma = fresh(hub, &image->ev_target_ma, 500) ? image->ev_target_ma.value : 0;
    const int64_t last_ma = joined_ma(hub, last, slot);
    REQUIRE(sum_ma <= target_ma || sum_ma <= last_ma);
    REQUIRE(sum_ma <= connector->cable_max_current_ma || sum_ma <= last_ma);
    REQUIRE(sum_ma <= connector->max_current_ma || sum_ma <= last_ma);
}

/* M5 */
static void check_voltage(const struct hub *hub, uint32_t slot) {
    const struct image_slot *image = &hub->image.slot[slot];
    const struct output_slot *out = &hub->out.slot[slot];
    int32_t low_mv = INT32_MAX;
    int32_t high_mv = 0;
    for (uint32_t m = 0; m < hub->config.slot[slot].module_count; ++m) {
        if (!out->module[m].run || !reads(hub, slot, CONTACTOR_MN0 + m, FEEDBACK_CLOSED) ||
            !out->module[m].mn || out->module[m].set_ma == 0) {
            continue;
        }
        low_mv = out->module[m].set_mv < low_mv ? out->module[m].set_mv : low_mv;
        high_mv = out->module[m].set_mv > high_mv ? out->module[m].set_mv : high_mv;
    }
    REQUIRE(high_mv == 0 || high_mv - low_mv <= 1000);
    if (out->gc && high_mv > 0) {
        const int64_t test_mv = (int64_t)image->ev_max_mv.value + 50000;
        const int64_t bound_mv = image->hlc_stage.value == HLC_STAGE_CABLE_CHECK
                                     ? (test_mv > (int64_t)image->ev_max_mv.value * 11 / 10
                                            ? test_mv
                                            : (int64_t)image->ev_max_mv.value * 11 / 10)
                                     : image->ev_max_mv.value;
        REQUIRE(image->ev_max_mv.valid && high_mv <= bound_mv);
    }
}

/* N1 */
static void check_monitors(const struct hub *hub, uint32_t slot) {
    for (uint32_t other = 0; other < hub->config.slots && hub->out.slot[slot].imd_enable; ++other) {
        REQUIRE(other == slot || !hub->out.slot[other].imd_enable || !connected(hub, slot, other));
    }
    REQUIRE(hub->out.slot[slot].imd_enable || !hub->out.slot[slot].imd_self_test);
}

/* S3, G6, N5: nothing latched goes away by itself */
static void check_latches(const struct hub *hub, const struct interlock_state *before,
                          uint32_t slot) {
    const struct interlock_slot *own = &hub->state.slot[slot];
    uint64_t gone = before->slot[slot].latched & ~own->latched;
    if (hub->in.reset_estop) {
        gone &= ~BIT(ESTOP);
    }
    if (own->imd_passed) {
        gone &= ~(BIT(IMD_FAULT) | BIT(IMD_LOW));
    }
    REQUIRE((gone & ~hub->in.clear_faults[slot]) == 0);
}

/* S8 */
static void check_late_plan(const struct hub *hub, const struct output *last, uint32_t slot) {
    for (uint32_t m = 0; m < hub->config.slot[slot].module_count; ++m) {
        const struct request_module *now = &hub->out.slot[slot].module[m];
        const struct request_module *before = &last->slot[slot].module[m];
        REQUIRE(hub->in.plan_age_us <= 150000 ||
                (now->set_ma <= before->set_ma && now->set_mv <= before->set_mv));
    }
}

/* What a module shows to deliver, where this step is the first to see it. */
static int64_t shown_uw(const struct hub *hub, uint32_t slot, uint32_t m) {
    const struct image_module *module = &hub->image.slot[slot].module[m];
    const struct config_module *rated = &hub->config.slot[slot].module[m];
    const bool heard = module->last_rx_us != 0 && hub->now_us - module->last_rx_us <= 15 * SECOND;
    if (!heard || !fresh(hub, &module->voltage_mv, 625) || !fresh(hub, &module->current_ma, 625) ||
        hub->state.slot[slot].module[m].measured_us != module->current_ma.at_us ||
        reads(hub, slot, CONTACTOR_MN0 + m, FEEDBACK_OPEN) || module->voltage_mv.value <= 0 ||
        module->current_ma.value <= 0) {
        return 0;
    }
    const int64_t ma = module->current_ma.value < rated->max_current_ma ? module->current_ma.value
                                                                        : rated->max_current_ma;
    const int64_t uw = module->voltage_mv.value * ma;
    return uw < (int64_t)rated->rated_w * 1000000 ? uw : (int64_t)rated->rated_w * 1000000;
}

/* S12, S13 */
static void check_site(const struct hub *hub, const struct output *last) {
    int64_t commanded_uw = 0;
    int64_t books_uw = 0;
    bool raised = false;
    for (uint32_t slot = 0; slot < hub->config.slots; ++slot) {
        for (uint32_t m = 0; m < hub->config.slot[slot].module_count; ++m) {
            const int64_t now_uw = power_uw(&hub->out.slot[slot].module[m]);
            const int64_t measured_uw = shown_uw(hub, slot, m);
            commanded_uw += now_uw;
            books_uw += now_uw > measured_uw ? now_uw : measured_uw;
            raised = raised || now_uw > power_uw(&last->slot[slot].module[m]);
        }
    }
    const int64_t limit_w = hub->in.site_limit_w < 0 ? 0 : hub->in.site_limit_w;
    const int64_t limit_uw = limit_w * 1000 * hub->config.modules.efficiency_permille;
    assert_true(commanded_uw <= limit_uw);
    assert_true(!raised || books_uw <= limit_uw);
}

static void check(const struct hub *hub, const struct output *last,
                  const struct interlock_state *before) {
    for (uint32_t slot = 0; slot < hub->config.slots; ++slot) {
        check_off(hub, slot);
        check_edge(hub, last, slot);
        check_edge_current(hub, slot);
        check_alone(hub, slot);
        check_closing(hub, last, slot);
        check_opening(hub, last, slot);
        check_lock(hub, last, slot);
        for (uint32_t m = 0; m < hub->config.slot[slot].module_count; ++m) {
            check_mn(hub, last, slot, m);
            check_module(hub, last, slot, m);
        }
        check_current(hub, last, slot);
        check_voltage(hub, slot);
        check_monitors(hub, slot);
        check_latches(hub, before, slot);
        check_late_plan(hub, last, slot);
    }
    check_site(hub, last);
    check_ring(hub, last);
}

/* --- runs */

struct tally {
    uint32_t steps, closed, energised, welded, refused;
    uint32_t joined, joins, parts, rated; /* boundaries */
};

static void count(const struct hub *hub, const struct output *last, struct tally *tally) {
    bool joined = false;
    ++tally->steps;
    for (uint32_t slot = 0; slot < hub->config.slots; ++slot) {
        joined = joined || hub_joined(hub, slot);
        tally->joins += hub->out.slot[slot].mc && !last->slot[slot].mc;
        tally->parts += !hub->out.slot[slot].mc && last->slot[slot].mc;
        tally->rated += hub_noted(hub, RULE_E5, slot) && hub_sum_ma(hub, slot) > 0;
    }
    tally->joined += joined;
    for (uint32_t slot = 0; slot < hub->config.slots; ++slot) {
        tally->closed += hub->out.slot[slot].gc;
        tally->energised += hub_sum_ma(hub, slot) > 2000;
        tally->welded += (hub->state.slot[slot].latched & BIT(CONTACTOR_WELDED)) != 0;
    }
    tally->refused += hub->state.notes > 0;
}

static void checked_step(struct hub *hub, struct tally *tally) {
    static struct interlock_state before;
    static struct output last;
    before = hub->state;
    last = hub->out;
    remember(hub);
    hub_step(hub);
    check(hub, &last, &before);
    count(hub, &last, tally);
}

static void calm_requests(struct hub *hub) {
    for (uint32_t slot = 0; slot < hub->config.slots; ++slot) {
        if (one_in(10)) {
            any_request(hub, slot);
        } else if (one_in(4)) {
            struct request_slot *request = &hub->request.slot[slot];
            request->gc = true;
            request->lock = true;
            request->imd_enable = true;
            request->stop = STOP_CLASS_NONE;
            request->purpose = POWER_PURPOSE_SERVE;
            hub_ask(hub, slot, 400000, (int32_t)dice(60000));
        }
    }
}

static void bend_site(struct hub *hub) {
    hub->in.site_limit_w = one_in(50) ? (int64_t)dice(200000) : hub->in.site_limit_w;
    hub->in.plan_age_us = one_in(20) ? (int64_t)dice(1200000) : 50000;
    hub->in.reset_estop = one_in(20);
    for (uint32_t slot = 0; slot < hub->config.slots; ++slot) {
        hub->in.clear_faults[slot] = one_in(30) ? UINT64_MAX : 0;
    }
}

static void living_hub(uint64_t start, uint32_t slots, bool bc, struct tally *tally) {
    bend_seed(start);
    memset(memory, 0, sizeof memory);
    struct hub *hub = hub_new(slots, 2, bc);
    hub_run(hub, 500);
    for (uint32_t slot = 0; slot < slots; ++slot) {
        hub_charging(hub, slot, 400000, 30000);
    }
    for (int i = 0; i < 1500; ++i) {
        hub->now_us += 1000 + (int64_t)dice(8000);
        hub_refresh(hub);
        if (one_in(5)) {
            bend_slot(hub, dice(slots));
        }
        if (one_in(3)) {
            calm_requests(hub);
        }
        bend_site(hub);
        if (one_in(150)) {
            hub->in.reset_estop = false;
            hub->in.plan_age_us = 50000;
            hub->in.site_limit_w = 1000000;
            memset(hub->in.clear_faults, 0, sizeof hub->in.clear_faults);
            bend_mend(hub, dice(slots));
        }
        checked_step(hub, tally);
    }
    hub_free(hub);
}

static void test_rules_hold_in_a_living_hub_with_bent_values(void **state) {
    (void)state;
    struct tally tally = {0};
    for (uint64_t i = 1; i <= 60; ++i) {
        living_hub(i * UINT64_C(0x9e3779b97f4a7c15), 1 + (uint32_t)(i % 5), i % 2 == 0, &tally);
    }
    print_message("%u steps: GC closed in %u, energised in %u, welded in %u, refused in %u\n",
                  tally.steps, tally.closed, tally.energised, tally.welded, tally.refused);
    /* not vacuous */
    assert_true(tally.closed > 5000);
    assert_true(tally.energised > 2000);
    assert_true(tally.welded > 100);
}

/* Every third slot serves, the others lend: boundaries go to and fro, and single values are bent. */
static bool serves(uint32_t slot) {
    return slot % 3 == 0;
}

static void mend_any(struct hub *hub, uint32_t slot) {
    hub->in = (struct interlock_in){.site_limit_w = 1000000, .plan_age_us = 50000};
    if (serves(slot)) {
        bend_mend(hub, slot);
    } else {
        bend_mend_lender(hub, slot);
    }
}

static void lenders_ask(struct hub *hub) {
    const uint32_t n = hub->config.slots;
    for (uint32_t slot = 0; slot < n; ++slot) {
        struct request_slot *request = &hub->request.slot[slot];
        const bool joined = hub_joined(hub, slot) || hub_joined(hub, (slot + n - 1) % n);
        if (one_in(40)) {
            request->mc = !request->mc;
            request->bc = one_in(10) ? one_in(2) : request->mc;
            request->reclaim = one_in(4);
        }
        if (!serves(slot)) {
            request->purpose = joined ? POWER_PURPOSE_SERVE : POWER_PURPOSE_MERGE;
            request->imd_enable = true;
            request->gc = one_in(8);
            hub_ask(hub, slot, 400000, joined ? (int32_t)dice(40000) * !one_in(3) : 400);
        }
    }
}

static void lending_hub(uint64_t start, uint32_t slots, bool bc, struct tally *tally) {
    bend_seed(start);
    memset(memory, 0, sizeof memory);
    struct hub *hub = hub_new(slots, 2, bc);
    hub->config.interlock.t_dwell_ms = 300;
    hub->config.interlock.max_slots = 2 + (int32_t)dice(3);
    for (uint32_t slot = 0; slot < slots; ++slot) {
        hub->config.slot[slot].boundary_max_current_ma = 20000 + (int32_t)dice(60000);
    }
    hub_run(hub, 500);
    for (uint32_t slot = 0; slot < slots; ++slot) {
        mend_any(hub, slot);
    }
    for (int i = 0; i < 3000; ++i) {
        hub->now_us += 1000 + (int64_t)dice(8000);
        hub_refresh(hub);
        if (one_in(60)) {
            bend_slot(hub, dice(slots));
        }
        lenders_ask(hub);
        bend_site(hub);
        if (one_in(100)) {
            mend_any(hub, dice(slots));
        }
        checked_step(hub, tally);
    }
    hub_free(hub);
}

static void test_rules_hold_while_slots_lend_and_are_bent(void **state) {
    (void)state;
    struct tally tally = {0};
    for (uint64_t i = 1; i <= 40; ++i) {
        lending_hub(i * UINT64_C(0xa0761d6478bd642f), 2 + (uint32_t)(i % 7), i % 2 == 0, &tally);
    }
    print_message("%u steps: %u with joined slots, %u joined, %u parted, %u lent at the rating\n",
                  tally.steps, tally.joined, tally.joins, tally.parts, tally.rated);
    assert_true(tally.joined > 10000);
    assert_true(tally.joins > 500);
    assert_true(tally.parts > 500);
    assert_true(tally.rated > 100);
}

static void test_rules_hold_in_chaos(void **state) {
    (void)state;
    struct tally tally = {0};
    for (uint64_t i = 1; i <= 60; ++i) {
        bend_seed(i * UINT64_C(0xd1342543de82ef95));
        memset(memory, 0, sizeof memory);
        const uint32_t slots = 1 + (uint32_t)(i % 6);
        struct hub *hub = hub_new(slots, 2, i % 2 == 0);
        for (int step = 0; step < 1500; ++step) {
            hub->now_us += (int64_t)dice(60000);
            if (!one_in(4)) {
                hub_refresh(hub);
            }
            for (uint32_t slot = 0; slot < slots; ++slot) {
                for (uint32_t n = dice(6); n > 0; --n) {
                    bend_slot(hub, slot);
                }
                any_request(hub, slot);
            }
            bend_site(hub);
            hub->in.plan_age_us = one_in(2) ? 0 : hub->in.plan_age_us;
            checked_step(hub, &tally);
        }
        hub_free(hub);
    }
    assert_int_equal(tally.steps, 60 * 1500);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rules_hold_in_a_living_hub_with_bent_values),
        cmocka_unit_test(test_rules_hold_while_slots_lend_and_are_bent),
        cmocka_unit_test(test_rules_hold_in_chaos),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
