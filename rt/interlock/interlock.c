/* The coordinator: one evaluation, in the order evidence, topology, faults, contactors, power, lock, books. */
#include "rt/interlock/interlock_private.h"
#include "rt/interlock/rules.h"

void interlock_note(struct step *st, enum rule_id rule, uint32_t slot, unsigned component) {
    struct interlock_state *s = st->s;
    ++s->rule_hits[rule];
    if (s->notes < INTERLOCK_NOTES_MAX) {
        s->note[s->notes++] = (struct interlock_note){
            .rule = (uint16_t)rule, .slot = (uint16_t)slot, .component = (uint16_t)component};
    }
}

static bool is_fitted(const struct config *config, uint32_t slot, unsigned kind) {
    const struct config_slot *own = &config->slot[slot];
    /* one slot has no neighbour; a PLC with three relays has no ring contactor */
    const bool ring =
        own->has_mc && config->slots > 1 && config->plc.contactor_frame == CONTACTOR_FRAME_GCMC;
    if (kind == CONTACTOR_GC) {
        return own->gun >= 0;
    }
    if (kind == CONTACTOR_MC) {
        return ring;
    }
    return kind == CONTACTOR_BC ? ring && own->has_bc : kind - CONTACTOR_MN0 < own->module_count;
}

static bool same_address(const struct config_module *a, const struct config_module *b) {
    return a->interface == b->interface && a->address == b->address;
}

/* M7: a module whose address another one has too would obey the other's setpoints. Neither ever runs. */
static void exclude_twins(struct interlock_state *s, const struct config *config, uint32_t slot,
                          uint32_t module) {
    const struct config_module *own = &config->slot[slot].module[module];
    for (uint32_t other = 0; other < config->slots; ++other) {
        for (uint32_t m = 0; m < config->slot[other].module_count; ++m) {
            const bool itself = other == slot && m == module;
            if (!itself && same_address(own, &config->slot[other].module[m])) {
                s->slot[slot].module[module].excluded = true;
                ++s->rule_hits[RULE_M7];
            }
        }
    }
}

void interlock_init(struct interlock_state *s, const struct config *config, int64_t now_us) {
    static const struct interlock_state zero;
    assert(config->slots >= 1 && config->slots <= RM_SLOTS_MAX);
    *s = zero;
    const int32_t hold_ms = config->interlock.t_plc_ms + config->interlock.t_open_ms;
    for (uint32_t slot = 0; slot < config->slots; ++slot) {
        struct interlock_slot *own = &s->slot[slot];
        own->hold_until_us = now_us + (int64_t)hold_ms * 1000;
        own->derate_permille = 1000;
        own->live = config->slot[slot].gun >= 0;
        own->island_may = (uint16_t)slot;
        own->island_sure = (uint16_t)slot;
        for (unsigned kind = 0; kind < CONTACTORS_PER_SLOT; ++kind) {
            contactor_init(&own->contactor[kind], is_fitted(config, slot, kind), now_us);
        }
        for (uint32_t module = 0; module < config->slot[slot].module_count; ++module) {
            own->module[module].off_since_us = now_us;
            exclude_twins(s, config, slot, module);
        }
    }
}

void interlock_restore(struct interlock_state *s, const struct config *config, uint32_t slot,
                       uint64_t latched, bool known) {
    const uint64_t unknown = FAULT_BIT(FAULT_LATCH_UNKNOWN);
    assert(slot < config->slots);
    struct interlock_slot *own = &s->slot[slot];
    own->faults = known ? own->faults & ~unknown : own->faults | unknown;
    own->latched |= latched & faults_latching() & ~FAULT_BIT(FAULT_ESTOP);
    if ((latched & FAULT_BIT(FAULT_IMD_REPEATED)) != 0) {
        own->imd_failures = (uint8_t)config->interlock.imd_fail_max;
    }
}

void interlock_restore_estop(struct interlock_state *s, bool latched) {
    if (latched) {
        s->zone_estop |= 1;
        s->estop_latched = true;
    }
}

int32_t interlock_periods_ms(const struct config *config, int32_t period_ms) {
    const int64_t ms = (int64_t)period_ms * 5 / 2;
    return ms > config->interlock.t_stale_ms ? (int32_t)ms : config->interlock.t_stale_ms;
}

/* Without SlotSense (relay PLCs) voltages come from modules and meter, at their periods. */
int32_t interlock_sense_stale_ms(const struct config *config) {
    const bool sense = config->plc.contactor_frame == CONTACTOR_FRAME_GCMC;
    return interlock_periods_ms(config, sense ? PERIOD_SENSE_MS : config->modules.poll_ms);
}

static void set_times(struct step *st) {
    const struct config *config = st->config;
    st->module_stale_ms = interlock_periods_ms(config, config->modules.poll_ms);
    st->slow_stale_ms = interlock_periods_ms(config, config->modules.slow_ms);
    st->sense_stale_ms = interlock_sense_stale_ms(config);
    st->contactor_stale_us = (int64_t)interlock_periods_ms(config, PERIOD_SENSE_MS) * 1000;
    st->relay_stale_us = (int64_t)interlock_periods_ms(config, config->modules.status_ms) * 1000;
    st->plan_late = st->in->plan_age_us > (int64_t)config->interlock.t_plan_ms * 1000;
}

int32_t interlock_capability_w(const struct config *config, const struct image *image,
                               uint32_t slot, uint32_t module, int64_t now_us) {
    assert(slot < config->slots && module < config->slot[slot].module_count);
    const struct sample *temperature = &image->slot[slot].module[module].temperature_ddegc;
    const int32_t stale_ms = interlock_periods_ms(config, config->modules.slow_ms);
    return (
        int32_t)(module_capability_w(config, image, slot, module) *
                 module_temperature_permille(&config->interlock, temperature, now_us, stale_ms) /
                 1000);
}

static void gather(struct step *st) {
    for (uint32_t slot = 0; slot < st->slots; ++slot) {
        st->view[slot] = (struct slot_view){.stage = HLC_STAGE_NONE};
        st->out->slot[slot] = (struct output_slot){.gc = false};
        contactor_look(st, slot);
        interlock_gun_look(st, slot);
        limits_books(st, slot);
    }
    topology_evaluate(st);
    topology_count(st);
}

static void finish(struct step *st, uint32_t slot) {
    struct interlock_slot *own = &st->s->slot[slot];
    struct output_slot *out = &st->out->slot[slot];
    const struct image_slot *image = &st->image->slot[slot];
    gun_lock(st, slot);
    out->permit = own->released && own->stop == STOP_CLASS_NONE;
    out->send = !image->interface_down && !image->plc_crc_mode_fault;
    out->force_all_off =
        faults_force_off(own) && !out->gc && !out->mc && !out->bc && !slot_joint(st, slot)->waits;
    if (out->force_all_off) {
        own->forced_us = st->now_us;
    }
    own->state = st->request->slot[slot].state;
    for (uint32_t module = 0; module < st->config->slot[slot].module_count; ++module) {
        const struct request_module *set = &out->module[module];
        struct interlock_module *last = &own->module[module];
        if (last->run && !set->run) {
            last->off_since_us = st->now_us;
        } else if (!last->run && set->run) {
            last->on_since_us = st->now_us;
        }
        last->run = set->run;
        last->set_mv = set->set_mv;
        last->set_ma = set->set_ma;
    }
}

/* Contactors where nothing is joined: slot by slot, each read once. */
static void decide_slots(struct step *st) {
    for (uint32_t slot = 0; slot < st->slots; ++slot) {
        boot_slot(st, slot);
        faults_slot(st, slot);
        faults_demand(st, slot);
        gun_guard(st, slot);
        module_contactors(st, slot);
    }
    edge_guard(st);
}

/* Where slots are joined all faults are known before the first gun is decided, and all guns before the boundaries. */
static void decide_islands(struct step *st) {
    for (uint32_t slot = 0; slot < st->slots; ++slot) {
        boot_slot(st, slot);
        faults_slot(st, slot);
    }
    island_faults(st);
    for (uint32_t slot = 0; slot < st->slots; ++slot) {
        faults_demand(st, slot);
        gun_guard(st, slot);
    }
    island_look(st);
    edge_guard(st);
    for (uint32_t slot = 0; slot < st->slots; ++slot) {
        module_contactors(st, slot);
    }
}

void interlock_step(struct interlock_state *s, const struct config *config,
                    const struct image *image, const struct interlock_in *in,
                    const struct request *request, struct output *out) {
    assert(config->slots >= 1 && config->slots <= RM_SLOTS_MAX);
    struct step st UNINITIALISED; /* of its arrays only [0, slots) is ever written or read */
    st.s = s;
    st.config = config;
    st.image = image;
    st.in = in;
    st.request = request;
    st.out = out;
    st.now_us = in->now_us;
    st.slots = config->slots;
    s->notes = 0;
    set_times(&st);
    gather(&st);
    faults_estop(&st);
    if (st.lent) {
        decide_islands(&st);
    } else {
        decide_slots(&st);
    }
    budget_islands(&st);
    for (uint32_t slot = 0; slot < st.slots; ++slot) {
        module_setpoints(&st, slot);
    }
    budget_apply(&st);
    flow_apply(&st);
    limits_apply(&st);
    insulation_guard(&st);
    for (uint32_t slot = 0; slot < st.slots; ++slot) {
        finish(&st, slot);
    }
}
