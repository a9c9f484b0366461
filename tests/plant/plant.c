/* The hub as a whole: making it, moving it on, and its wires. */
#include "tests/plant/plant.h"

#include <linux/can/error.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/plant/plant_private.h"

#define SLOW_US        10000
#define PENDING_FRAMES FRAME_BATCH_MAX
#define TRUE_EFFICIENCY_EXTRA                                                                      \
    0.002 /* modules are that much better than the configuration assumes */

void plant_event(struct plant *p, enum plant_event_kind kind, uint32_t slot, const char *format,
                 ...) {
    if (p->options.on_event == NULL) {
        return;
    }
    struct plant_event event = {.kind = kind, .at_us = p->now_us, .slot = slot};
    va_list args;
    va_start(args, format);
    (void)vsnprintf(event.text, sizeof(event.text), format, args);
    va_end(args);
    p->options.on_event(p->options.context, &event);
}

uint32_t plant_slot_of_gun(const struct plant *p, int gun) {
    for (uint32_t i = 0; i < p->slots; i++) {
        if (gun != 0 && p->slot[i].gun == gun) {
            return i;
        }
    }
    return UINT32_MAX;
}

/* ---- wires ---- */

static void deliver(struct plant *p, uint32_t interface, const struct can_frame *frame) {
    struct frame_batch *batch = p->tx != NULL ? p->tx : p->pending;
    if (frame_batch_push(batch, (uint8_t)interface, frame)) {
        p->report.frames_tx++;
    }
}

static void delay(struct plant *p, uint32_t interface, const struct can_frame *frame, bool to_host,
                  int64_t delay_us) {
    if (p->delayed_count < DELAYED_MAX) {
        p->delayed[p->delayed_count++] = (struct delayed_frame){.due_us = p->now_us + delay_us,
                                                                .frame = *frame,
                                                                .interface = interface,
                                                                .to_host = to_host};
    }
}

/* The frame as the wire's faults leave it; false: it does not arrive. */
static bool disturb(struct plant *p, const struct comm_faults *c, struct can_frame *frame) {
    if (c->loss > 0 && random_unit(&p->random) < c->loss) {
        return false;
    }
    if (c->corrupt > 0 && random_unit(&p->random) < c->corrupt) {
        frame->data[random_below(&p->random, 8)] ^= (uint8_t)(1u << random_below(&p->random, 8));
    }
    return true;
}

void plant_send(struct plant *p, uint32_t interface, const struct can_frame *frame,
                const struct comm_faults *faults) {
    struct can_frame out = *frame;
    if (p->bus_off[interface]) {
        return;
    }
    if (faults == NULL) {
        deliver(p, interface, &out);
        return;
    }
    if (faults->silent || !disturb(p, faults, &out)) {
        return;
    }
    const bool twice = faults->duplicate > 0 && random_unit(&p->random) < faults->duplicate;
    for (int i = 0; i < 1 + twice; i++) {
        if (faults->delay_us > 0) {
            delay(p, interface, &out, true, faults->delay_us);
        } else {
            deliver(p, interface, &out);
        }
    }
}

static void restart_bus(struct plant *p, uint32_t interface) {
    struct can_frame answer = {.can_id = CAN_ERR_FLAG | CAN_ERR_RESTARTED, .len = CAN_ERR_DLC};
    if (!p->bus_off[interface]) {
        return;
    }
    if (p->bus_off_held[interface]) {
        answer.can_id = CAN_ERR_FLAG | CAN_ERR_BUSOFF;
    }
    p->bus_off[interface] = false; /* for the answer */
    plant_send(p, interface, &answer, NULL);
    p->bus_off[interface] = p->bus_off_held[interface];
}

static void arrive_at_node(struct plant *p, uint32_t interface, const struct can_frame *frame,
                           int64_t now_us) {
    const uint8_t slot = p->by_plc[interface][frame->can_id & (RM_PLC_IDS_MAX - 1)];
    if (slot != 0) {
        node_rx(p, slot - 1u, frame, now_us);
    }
}

static void rx_plc(struct plant *p, uint32_t interface, const struct can_frame *frame,
                   int64_t now_us) {
    const uint8_t slot = p->by_plc[interface][frame->can_id & (RM_PLC_IDS_MAX - 1)];
    if (slot == 0) {
        return;
    }
    const struct comm_faults *c = &p->slot[slot - 1u].node.comm;
    struct can_frame in = *frame;
    if (c->deaf || !disturb(p, c, &in)) {
        return;
    }
    const bool twice = c->duplicate > 0 && random_unit(&p->random) < c->duplicate;
    for (int i = 0; i < 1 + twice; i++) {
        if (c->delay_us > 0) {
            delay(p, interface, &in, false, c->delay_us);
        } else {
            arrive_at_node(p, interface, &in, now_us);
        }
    }
}

void plant_rx(struct plant *p, uint32_t interface, const struct can_frame *frame, int64_t now_us) {
    if (interface >= p->config->interfaces) {
        p->report.format_errors++;
        return;
    }
    if (frame->can_id & CAN_ERR_FLAG) {
        if (frame->can_id & CAN_ERR_RESTARTED) {
            restart_bus(p, interface);
        }
        return;
    }
    p->report.frames_rx++;
    if (p->bus_off[interface]) {
        return;
    }
    if (!(frame->can_id & CAN_EFF_FLAG) || (frame->can_id & CAN_RTR_FLAG)) {
        p->report.format_errors++;
        return;
    }
    if (p->config->interface[interface].role == INTERFACE_ROLE_PLC) {
        rx_plc(p, interface, frame, now_us);
    } else {
        rectifier_rx(p, interface, frame, now_us);
    }
}

static void deliver_delayed(struct plant *p) {
    uint32_t kept = 0;
    const uint32_t count = p->delayed_count;
    for (uint32_t i = 0; i < count; i++) {
        const struct delayed_frame d = p->delayed[i];
        if (d.due_us > p->now_us) {
            p->delayed[kept++] = d;
        } else if (d.to_host && !p->bus_off[d.interface]) {
            deliver(p, d.interface, &d.frame);
        } else if (!d.to_host) {
            arrive_at_node(p, d.interface, &d.frame, p->now_us);
        }
    }
    for (uint32_t i = count; i < p->delayed_count; i++) {
        p->delayed[kept++] = p->delayed[i];
    }
    p->delayed_count = kept;
}

/* ---- time ---- */

static void count_energy(struct plant *p, double dt_s) {
    for (uint32_t i = 0; i < p->slots; i++) {
        struct slot *s = &p->slot[i];
        if (s->quiet) {
            continue;
        }
        if (s->gun_a > 0) { /* an import register: it never runs backwards */
            s->node.meter_wh += s->gun_v * s->gun_a * dt_s / 3600.0;
        }
        if (s->vehicle.contactor) {
            s->vehicle.energy_wh += s->battery_a * s->vehicle.ocv_v * dt_s / 3600.0;
        }
    }
    p->output_j += p->output_w * dt_s;
    p->battery_j += p->battery_w * dt_s;
    const double efficiency =
        p->config->modules.efficiency_permille / 1000.0 + TRUE_EFFICIENCY_EXTRA;
    p->input_w = p->output_w / (efficiency < 0.99 ? efficiency : 0.99);
    if (p->input_w > p->report.grid_peak_w) {
        p->report.grid_peak_w = p->input_w;
    }
    if (p->battery_w > 400.0 && p->report.first_charge_s < 0) {
        for (uint32_t i = 0; i < p->slots; i++) {
            if (p->slot[i].battery_a > 1.0 && p->slot[i].vehicle.phase == VEHICLE_CHARGE) {
                p->report.first_charge_s = (double)(p->now_us - p->start_us) / 1e6;
            }
        }
    }
}

/* The state of everything physical, folded into one figure ten times a second. */
static void fold_hash(struct plant *p) {
    uint64_t h = p->hash;
    for (uint32_t i = 0; i < p->slots; i++) {
        const struct slot *s = &p->slot[i];
        const double values[6] = {s->bus_v,           s->gun_v,         s->gun_a,
                                  s->vehicle.soc_pct, s->node.meter_wh, s->node.pin_c[0]};
        for (int k = 0; k < 6; k++) {
            uint64_t bits;
            memcpy(&bits, &values[k], sizeof(bits));
            h = (h ^ bits) * UINT64_C(0x100000001b3);
            h ^= h >> 29;
        }
        h = (h ^ (uint64_t)s->vehicle.phase ^ (uint64_t)s->node.seq_applied << 8) *
            UINT64_C(0x100000001b3);
    }
    p->hash = h;
}

static void slow(struct plant *p, int64_t now_us) {
    const double dt_s = SLOW_US * 1e-6;
    faults_slow(p, now_us);
    arrivals_slow(p, now_us);
    for (uint32_t i = 0; i < p->slots; i++) {
        vehicle_slow(p, i, now_us, dt_s);
        node_slow(p, i, now_us, dt_s);
        for (uint32_t k = 0; k < p->slot[i].modules; k++) {
            rectifier_slow(p, i, k, now_us, dt_s);
        }
    }
    if (now_us / SLOW_US % 10 == 0) {
        fold_hash(p);
    }
}

static void tick(struct plant *p) {
    p->now_us += PLANT_TICK_US;
    const int64_t now_us = p->now_us;
    if (p->delayed_count > 0) {
        deliver_delayed(p);
    }
    if (now_us >= p->slow_us) {
        p->slow_us += SLOW_US;
        slow(p, now_us);
    }
    for (uint32_t i = 0; i < p->slots; i++) {
        struct slot *s = &p->slot[i];
        node_tick(p, i, now_us);
        if (s->next_contactor_us <= now_us) {
            contactors_step(p, i, now_us);
        }
        if (s->vehicle.contactor_us <= now_us) {
            vehicle_tick(p, i, now_us);
        }
        for (uint32_t k = 0; k < s->modules; k++) {
            if (s->module[k].on || s->module[k].converting || s->module[k].runaway_deaf) {
                rectifier_tick(p, i, k, now_us);
            }
        }
    }
    electric_step(p);
    count_energy(p, PLANT_TICK_US * 1e-6);
    judge_tick(p, now_us);
}

void plant_step(struct plant *p, int64_t now_us, struct frame_batch *tx) {
    for (uint32_t i = 0; i < p->pending->count; i++) {
        (void)frame_batch_push(tx, p->pending->item[i].interface, &p->pending->item[i].frame);
    }
    frame_batch_clear(p->pending);
    p->tx = tx;
    while (p->now_us + PLANT_TICK_US <= now_us) {
        tick(p);
    }
    p->tx = NULL;
}

/* ---- making ---- */

static void forget(struct judge_slot *j) {
    for (unsigned k = 0; k < PLANT_HAZARD_COUNT; k++) {
        j->since_us[k] = NEVER;
    }
    j->over_emergency_us = NEVER;
    j->emergency_until_us = j->runaway_until_us = INT64_MIN;
}

static void init_slot(struct plant *p, uint32_t i, int64_t now_us) {
    const struct config_slot *config = &p->config->slot[i];
    struct slot *s = &p->slot[i];
    s->gun = config->gun >= 0 ? p->config->connector[config->gun].id : 0;
    s->modules = config->module_count;
    s->island = i;
    s->left_us = now_us - 60000000;
    s->next_contactor_us = NEVER;
    s->quiet = true;
    for (unsigned k = 0; k < CONTACTORS_PER_SLOT; k++) {
        struct contactor *c = &s->contactor[k];
        c->move_us = c->aux_us = NEVER;
        c->injected_until_us = INT64_MIN;
        c->fitted = k == CONTACTOR_GC   ? config->gun >= 0
                    : k == CONTACTOR_MC ? config->has_mc
                    : k == CONTACTOR_BC ? config->has_bc
                                        : k - CONTACTOR_MN0 < s->modules;
    }
    for (uint32_t k = 0; k < s->modules; k++) {
        rectifier_init(&s->module[k], &config->module[k], now_us);
        s->module[k].start_us = NEVER;
        const struct config_module *m = &config->module[k];
        p->by_module[m->interface][m->address].slot = (uint8_t)(i + 1);
        p->by_module[m->interface][m->address].module = (uint8_t)k;
    }
    s->vehicle = (struct vehicle){.cp = CP_STATE_A,
                                  .leave_us = NEVER,
                                  .depart_us = NEVER,
                                  .contactor_us = NEVER,
                                  .no_power_us = NEVER,
                                  .stop_seen_us = NEVER,
                                  .output_lost_us = NEVER,
                                  .phase = VEHICLE_DONE,
                                  .ended = true};
    forget(&s->judge);
    node_init(p, i, now_us);
    p->by_plc[config->interface][config->plc_id] = (uint8_t)(i + 1);
}

struct plant *plant_create(const struct config *config, const struct plant_options *options,
                           int64_t now_us) {
    struct plant *p = calloc(1, sizeof(*p));
    if (p == NULL) {
        return NULL;
    }
    p->config = config;
    p->options = *options;
    if (p->options.arrival_factor <= 0) {
        p->options.arrival_factor = 1;
    }
    p->slots = config->slots;
    p->slot = calloc(p->slots, sizeof(*p->slot));
    p->pending = calloc(1, sizeof(*p->pending));
    p->delayed = calloc(DELAYED_MAX, sizeof(*p->delayed));
    p->source = calloc((size_t)p->slots * RM_MODULES_PER_SLOT_MAX + 1, sizeof(struct rectifier *));
    if (!p->slot || !p->pending || !p->delayed || !p->source) {
        plant_destroy(p);
        return NULL;
    }
    p->start_us = p->now_us = now_us;
    p->slow_us = now_us + SLOW_US;
    p->report.first_charge_s = -1;
    p->hash = UINT64_C(0xcbf29ce484222325);
    random_seed(&p->random, options->seed);
    forget(&p->site);
    for (uint32_t i = 0; i < p->slots; i++) {
        init_slot(p, i, now_us);
    }
    arrivals_init(p);
    return p;
}

void plant_destroy(struct plant *p) {
    if (p != NULL) {
        free(p->slot);
        free(p->pending);
        free(p->delayed);
        free(p->source);
        free(p);
    }
}
