/* PLC nodes: what the controller of one slot does by itself, beside talking (node_tx.c) and listening (node_rx.c). */
#include <string.h>

#include "tests/plant/plant_private.h"

#define WATCHDOG_US           300000
#define CRC_WINDOW_US         1000000
#define LOCK_MIN_MS           400.0
#define LOCK_MAX_MS           700.0
#define OVERVOLTAGE_US        9000
#define IMD_THERMAL_S         0.4
#define IMD_LIMIT_OHM         100000.0
#define SLOT_INSULATION       20e6
#define AMBIENT_C             25.0
#define PIN_RISE_C            38.0 /* at rated current, steady */
#define PIN_S                 240.0
#define HOT_PIN_S             2.5
#define METER_FILTER_S        0.03
#define EMERGENCY_LIMIT_MIN_V 550.0

/* The period of each timer in ms: contract section 3. */
static const uint32_t period_ms[NODE_TIMERS] = {
    [NODE_CHARGE_INFO] = 500, [NODE_SOFTWARE_INFO] = 10000, [NODE_HW_STATUS] = 5000,
    [NODE_GCMC_STATUS] = 100, [NODE_RELAY_STATUS] = 1000,   [NODE_METER] = 250,
    [NODE_SAFETY] = 200,      [NODE_TEMPERATURE] = 500,     [NODE_IMD] = 200,
    [NODE_SENSE] = 100,       [NODE_EV_LIMITS] = 1000,      [NODE_EV_TARGETS] = 100,
    [NODE_EV_DISPLAY] = 1000, [NODE_EV_ENERGY] = 1000,      [NODE_IDENTITY] = 1000,
    [NODE_SESSION] = 1000,    [NODE_PILOT] = 100,           [NODE_LOGS] = 10000,
};

bool node_running(const struct node *n, int64_t now_us) {
    return now_us >= n->boot_us;
}

void node_init(struct plant *p, uint32_t slot, int64_t now_us) {
    struct slot *s = &p->slot[slot];
    struct node *n = &s->node;
    const struct config_slot *config = &p->config->slot[slot];
    memset(n, 0, sizeof(*n));
    n->relay_mode = p->config->plc.contactor_frame == CONTACTOR_FRAME_RELAY;
    n->use_crc = p->config->plc.use_crc8;
    n->interface = config->interface;
    n->plc_id = config->plc_id;
    n->meter_wh = 1000.0 * (double)(random_below(&p->random, 90000) + 1000);
    n->meter_frozen_wh = n->meter_wh;
    n->pin_c[0] = n->pin_c[1] = n->cable_c = AMBIENT_C;
    n->imd_ohm = SLOT_INSULATION;
    n->lock_move_us = NEVER;
    n->chain_mask = 0x3;
    const int gun = config->gun;
    if (gun >= 0 && p->config->connector[gun].lock_input_switch != 0) {
        n->chain_mask &= (uint8_t) ~(1u << (p->config->connector[gun].lock_input_switch - 1u));
    }
    node_boot(p, slot, now_us);
}

void node_boot(struct plant *p, uint32_t slot, int64_t ready_us) {
    struct slot *s = &p->slot[slot];
    struct node *n = &s->node;
    n->boot_us = ready_us;
    n->cmd_seen = n->force_off = n->opened_by_itself = false;
    n->seq_rx = n->seq_applied = 0;
    memset(n->seen, 0, sizeof(n->seen));
    n->heard_us = ready_us;
    n->latched_reason = 0;
    n->estop_latched = n->estop_input;
    n->auth_granted = n->auth_pending_cmd = n->lock_cmd = n->output_enabled = n->proto_ok = false;
    n->stop_request = n->limit_frames = 0;
    n->offer_v = n->offer_a = n->offer_w = 0;
    n->imd_enable = n->imd_test_cmd = n->cable_check_ok = false;
    n->imd_test = 0;
    n->overvoltage_us = NEVER;
    n->rx_count = n->tx_count = 0;
    n->changed = 0;
    for (int i = 0; i < 3; i++) {
        n->pulse_end_us[i] = NEVER;
        n->crc_bad_us[i] = INT64_MIN / 2;
    }
    /* Nodes are powered together but do not tick together. */
    for (unsigned t = 0; t < NODE_TIMERS; t++) {
        n->due_us[t] = ready_us + 5000 + (int64_t)random_below(&p->random, 1000) * period_ms[t];
        if (period_ms[t] > 1000) {
            n->due_us[t] = ready_us + 200000 + (int64_t)random_below(&p->random, 800000);
        }
    }
    n->next_us = ready_us;
}

/* ---- safety and outputs ---- */

uint8_t node_fault_reason(const struct plant *p, const struct slot *s, int64_t now_us) {
    const struct node *n = &s->node;
    (void)p;
    (void)now_us;
    if (n->estop_input) {
        return 12;
    }
    if (n->estop_latched) {
        return 4;
    }
    if (n->chain_open) {
        return n->chain_mask & 1 ? 1 : 2;
    }
    if (n->earth_fault) {
        return 10;
    }
    if (n->latched_reason != 0) {
        return n->latched_reason;
    }
    return n->force_off ? 7 : 0;
}

/* The hard-wired path of the button can be cut (estop_soft): then the PLC reports and leaves the opening to the host. */
static bool outputs_blocked(const struct plant *p, const struct slot *s, int64_t now_us) {
    const struct node *n = &s->node;
    const uint8_t reason = node_fault_reason(p, s, now_us);
    if (!node_running(n, now_us)) {
        return true;
    }
    if ((reason == 4 || reason == 12) && p->options.estop_soft) {
        return n->latched_reason != 0 || n->force_off || n->earth_fault || n->chain_open;
    }
    return reason != 0;
}

static void apply_outputs(struct plant *p, uint32_t slot, int64_t now_us) {
    struct slot *s = &p->slot[slot];
    const bool blocked = outputs_blocked(p, s, now_us);
    static const unsigned kinds[5] = {CONTACTOR_GC, CONTACTOR_MC, CONTACTOR_MN0, CONTACTOR_MN0 + 1,
                                      CONTACTOR_BC};
    for (unsigned i = 0; i < 5; i++) {
        struct contactor *c = &s->contactor[kinds[i]];
        const bool module = kinds[i] >= CONTACTOR_MN0;
        if (module && (kinds[i] - CONTACTOR_MN0 >= s->modules ||
                       !s->module[kinds[i] - CONTACTOR_MN0].mn_on_plc)) {
            continue;
        }
        const bool want = s->node.seen[i] && !blocked;
        if (c->fitted && c->coil != want) {
            contactor_set(p, c, want, now_us);
            s->next_contactor_us = now_us;
        }
    }
}

static void watch(struct plant *p, uint32_t slot, int64_t now_us) {
    struct node *n = &p->slot[slot].node;
    if (now_us - n->heard_us > WATCHDOG_US && n->latched_reason == 0) {
        n->latched_reason = 5;
        plant_event(p, PLANT_EVENT_NODE, slot, "PLC: no valid contactor command for 300 ms");
    }
}

/* The electronics' own over-voltage trip, Table of the emergency limits: 9 ms above, open 1 ms later. */
static void trip_overvoltage(struct plant *p, uint32_t slot, int64_t now_us) {
    struct slot *s = &p->slot[slot];
    struct node *n = &s->node;
    if (s->gun_v <= EMERGENCY_LIMIT_MIN_V || !s->vehicle.plugged ||
        !s->contactor[CONTACTOR_GC].closed) {
        n->overvoltage_us = NEVER;
        return;
    }
    const double m = s->vehicle.max_v;
    const double limit = m <= 500 ? 550 : m <= 750 ? 825 : m <= 850 ? 935 : 1100;
    if (s->gun_v <= limit) {
        n->overvoltage_us = NEVER;
    } else if (n->overvoltage_us == NEVER) {
        n->overvoltage_us = now_us;
    } else if (now_us - n->overvoltage_us >= OVERVOLTAGE_US && n->latched_reason != 9) {
        n->latched_reason = 9;
        plant_event(p, PLANT_EVENT_NODE, slot, "PLC: over-voltage trip at %.0f V", s->gun_v);
    }
}

static void report_reason(struct plant *p, uint32_t slot, int64_t now_us) {
    struct node *n = &p->slot[slot].node;
    const uint8_t reason = node_fault_reason(p, &p->slot[slot], now_us);
    if (reason != n->reported_reason) {
        n->reported_reason = reason;
        n->changed |= 1u << NODE_GCMC_STATUS | 1u << NODE_RELAY_STATUS | 1u << NODE_SAFETY;
    }
}

static void transmit_due(struct plant *p, uint32_t slot, int64_t now_us) {
    struct node *n = &p->slot[slot].node;
    int64_t next = NEVER;
    for (unsigned t = 0; t < NODE_TIMERS; t++) {
        const bool change = n->changed & (1u << t);
        if (change || n->due_us[t] <= now_us) {
            node_transmit(p, slot, (enum node_timer)t, now_us);
        }
        if (n->due_us[t] <= now_us) {
            uint32_t ms = t == NODE_RELAY_STATUS && n->relay_mode ? 100 : period_ms[t];
            n->due_us[t] += (int64_t)ms * 1000;
            if (n->due_us[t] <= now_us) {
                n->due_us[t] = now_us + (int64_t)ms * 1000;
            }
        }
        next = n->due_us[t] < next ? n->due_us[t] : next;
    }
    n->changed = 0;
    n->next_us = next;
}

void node_tick(struct plant *p, uint32_t slot, int64_t now_us) {
    struct slot *s = &p->slot[slot];
    struct node *n = &s->node;
    if (!node_running(n, now_us)) {
        apply_outputs(p, slot, now_us);
        return;
    }
    if (n->next_us == n->boot_us) {
        node_transmit_boot(p, slot);
        n->next_us = now_us + 1;
    }
    watch(p, slot, now_us);
    trip_overvoltage(p, slot, now_us);
    for (unsigned i = 0; i < 3; i++) {
        if (n->pulse_end_us[i] <= now_us) {
            n->pulse_end_us[i] = NEVER;
            n->seen[i == 0 ? 0 : i + 1] = false;
        }
    }
    apply_outputs(p, slot, now_us);
    report_reason(p, slot, now_us);
    if (n->changed != 0 || n->next_us <= now_us) {
        transmit_due(p, slot, now_us);
    }
}

/* ---- slow things ---- */

static void move_lock(struct plant *p, uint32_t slot, int64_t now_us) {
    struct node *n = &p->slot[slot].node;
    if (n->lock_broken && n->locked) {
        n->locked = false;
        n->lock_move_us = NEVER;
        n->changed |= 1u << NODE_CHARGE_INFO | 1u << NODE_SAFETY;
        judge_unlocked(p, slot, false, now_us);
    }
    if (n->locked == n->lock_cmd || n->lock_broken || (n->lock_stuck && n->locked)) {
        n->lock_move_us = NEVER;
        return;
    }
    if (n->lock_move_us == NEVER) {
        n->lock_move_us =
            now_us + (int64_t)(random_range(&p->random, LOCK_MIN_MS, LOCK_MAX_MS) * 1000);
        return;
    }
    if (now_us >= n->lock_move_us) {
        n->locked = n->lock_cmd;
        n->lock_move_us = NEVER;
        n->changed |= 1u << NODE_CHARGE_INFO | 1u << NODE_SAFETY | 1u << NODE_RELAY_STATUS;
        if (!n->locked) {
            judge_unlocked(p, slot, true, now_us);
        }
    }
}

/* All insulation of the slots that are electrically one, in parallel. */
static double true_insulation_ohm(const struct plant *p, uint32_t slot, uint32_t *monitors) {
    double siemens = 0;
    *monitors = 0;
    for (uint32_t i = 0; i < p->slots; i++) {
        const struct slot *s = &p->slot[i];
        if (s->island != p->slot[slot].island) {
            continue;
        }
        siemens += 1.0 / SLOT_INSULATION;
        if (s->contactor[CONTACTOR_GC].closed && s->vehicle.plugged) {
            siemens += 1.0 / s->vehicle.insulation_ohm;
        }
        *monitors += s->node.imd_enable;
    }
    return 1.0 / siemens;
}

static void finish_self_test(struct plant *p, uint32_t slot) {
    struct slot *s = &p->slot[slot];
    struct node *n = &s->node;
    n->imd_test = n->imd_test_fails || n->imd_fault ? 3 : 2;
    n->changed |= 1u << NODE_IMD;
    double want_v = s->vehicle.max_v;
    if (n->offer_v > 0 && n->offer_v < want_v) {
        want_v = n->offer_v;
    }
    if (n->imd_test == 2 && s->vehicle.stage == HLC_STAGE_CABLE_CHECK &&
        n->imd_ohm >= IMD_LIMIT_OHM && n->cable_check_peak_v >= 0.9 * want_v) {
        n->cable_check_ok = true;
        n->changed |= 1u << NODE_CHARGE_INFO;
    }
}

static void monitor_insulation(struct plant *p, uint32_t slot, int64_t now_us, double dt_s) {
    struct slot *s = &p->slot[slot];
    struct node *n = &s->node;
    if (!n->imd_enable) {
        if (n->imd_test != 0) {
            n->imd_test = 0;
            n->changed |= 1u << NODE_IMD;
        }
        return;
    }
    uint32_t monitors;
    double ohm = true_insulation_ohm(p, slot, &monitors);
    if (monitors > 1) {
        ohm /= monitors; /* monitors on one bus measure each other */
    }
    n->imd_ohm += (ohm - n->imd_ohm) * (dt_s < IMD_THERMAL_S ? dt_s / IMD_THERMAL_S : 1.0);
    if (n->imd_test == 1) {
        if (s->gun_v > n->cable_check_peak_v) {
            n->cable_check_peak_v = s->gun_v;
        }
        if (now_us >= n->imd_test_end_us) {
            finish_self_test(p, slot);
        }
    }
}

static void warm_up(struct plant *p, uint32_t slot, double dt_s) {
    struct slot *s = &p->slot[slot];
    struct node *n = &s->node;
    const int gun = p->config->slot[slot].gun;
    const double rated = gun >= 0 ? p->config->connector[gun].cable_max_current_ma / 1000.0 : 500.0;
    const double share = rated > 0 ? n->meter_a / rated : 0, rise = PIN_RISE_C * share * share;
    for (int i = 0; i < 2; i++) {
        n->pin_c[i] += (AMBIENT_C + rise - n->pin_c[i]) * dt_s / PIN_S;
    }
    n->cable_c += (AMBIENT_C + 0.8 * rise - n->cable_c) * dt_s / PIN_S;
    if (n->hot_pin_c > n->pin_c[0]) { /* a worn pin: heats fast while current flows */
        double target = fabs(n->meter_a) > 5 ? n->hot_pin_c : AMBIENT_C;
        n->pin_c[0] += (target - n->pin_c[0]) * dt_s / HOT_PIN_S;
    }
}

void node_slow(struct plant *p, uint32_t slot, int64_t now_us, double dt_s) {
    struct slot *s = &p->slot[slot];
    struct node *n = &s->node;
    n->meter_a += (s->gun_a - n->meter_a) * (dt_s < METER_FILTER_S ? dt_s / METER_FILTER_S : 1.0);
    if (!s->quiet || n->meter_a > 0.01 || n->pin_c[0] > AMBIENT_C + 0.05) {
        warm_up(p, slot, dt_s);
    }
    if (!node_running(n, now_us)) {
        return;
    }
    move_lock(p, slot, now_us);
    monitor_insulation(p, slot, now_us, dt_s);
}
