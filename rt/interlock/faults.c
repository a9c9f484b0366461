/* The fault set of one slot: which causes are present, which latch, what they demand (S1 to S4, S8, S14), and when a
 * latch may be cleared. Faults of a vehicle's session are in faults_session.c, modules' in module.c. */
#include "rt/interlock/interlock_private.h"

/* FAULT_REASON of the CAN contract, section 3. */
enum plc_reason {
    PLC_REASON_OK = 0,
    PLC_REASON_SW1 = 1,
    PLC_REASON_SW3 = 3,
    PLC_REASON_ESTOP_LATCHED = 4,
    PLC_REASON_FORCED_OFF = 7,
    PLC_REASON_EARTH_FAULT = 10,
    PLC_REASON_SW4 = 11,
    PLC_REASON_ESTOP_INPUT = 12
};

/* Sets of codes straight from the fault table. */
/* clang-format off */
#define FAULT(name, rule, stop, latched, text) | ((latched) ? FAULT_BIT(FAULT_##name) : 0)
static const uint64_t latching = 0 FAULT_TABLE(FAULT);
#undef FAULT
#define FAULT(name, rule, stop, latched, text) | (STOP_CLASS_##stop == STOP_CLASS_EMERGENCY ? FAULT_BIT(FAULT_##name) : 0)
static const uint64_t emergencies = 0 FAULT_TABLE(FAULT);
#undef FAULT
#define FAULT(name, rule, stop, latched, text) | (STOP_CLASS_##stop == STOP_CLASS_ERROR ? FAULT_BIT(FAULT_##name) : 0)
static const uint64_t errors = 0 FAULT_TABLE(FAULT);
#undef FAULT
#define FAULT(name, rule, stop, latched, text) | (STOP_CLASS_##stop == STOP_CLASS_NORMAL ? FAULT_BIT(FAULT_##name) : 0)
static const uint64_t normals = 0 FAULT_TABLE(FAULT);
#undef FAULT
/* clang-format on */

static uint64_t zone_bit_of(const struct config *config, uint32_t slot) {
    const uint8_t zone = config->slot[slot].zone;
    return zone < 64 ? UINT64_C(1) << zone : 1; /* beyond the bits: the whole site */
}

static uint64_t zone_bit(const struct step *st, uint32_t slot) {
    return zone_bit_of(st->config, slot);
}

static bool estop_pressed(const struct step *st, uint32_t slot) {
    const struct image_slot *image = &st->image->slot[slot];
    return is_set(st, &image->estop, STALE_SWITCHES_MS) ||
           is_set(st, &image->estop_input, STALE_SWITCHES_MS) ||
           image->plc_fault_reason == PLC_REASON_ESTOP_LATCHED ||
           image->plc_fault_reason == PLC_REASON_ESTOP_INPUT;
}

/* What is out of service already, and stays so after the reset, is no reason to keep the site stopped: a contactor
 * whose weld is latched (G6: nothing of it closes or runs), and the output relay of a module that is silent. */
static bool locked_out(const struct interlock_slot *own, const struct config_slot *slot,
                       unsigned kind) {
    if (own->contactor[kind].command) {
        return false;
    }
    if (kind < CONTACTOR_MN0) {
        const uint64_t codes = FAULT_BIT(FAULT_CONTACTOR_WELDED) |
                               (kind == CONTACTOR_GC ? 0 : FAULT_BIT(FAULT_BOUNDARY));
        return own->contactor[kind].welded && ((own->latched & codes) != 0 || own->edge_fused);
    }
    const unsigned module = kind - CONTACTOR_MN0;
    const bool lost = own->module[module].fault == FAULT_MODULE_LOST;
    return (lost && !slot->module[module].mn_on_plc) ||
           (own->contactor[kind].welded && own->module[module].fault != FAULT_NONE);
}

/* FAULT_NONE, or what keeps this slot's zone from being reset. */
static enum fault_code reset_refused(const struct interlock_state *s, const struct config *config,
                                     const struct image *image, uint32_t slot, int64_t now_us) {
    const struct image_slot *from = &image->slot[slot];
    const struct interlock_slot *own = &s->slot[slot];
    if (!sample_fresh(&from->estop_input, now_us, STALE_SWITCHES_MS)) {
        return FAULT_PLC_LOST; /* nobody tells whether its button is free */
    }
    if (from->estop_input.value != 0 || from->plc_fault_reason == PLC_REASON_ESTOP_INPUT) {
        return FAULT_ESTOP;
    }
    const unsigned kinds = CONTACTOR_MN0 + config->slot[slot].module_count;
    for (unsigned kind = 0; kind < kinds; ++kind) {
        if (contactor_may(s, config, image, slot, kind, now_us) &&
            !locked_out(own, &config->slot[slot], kind)) {
            const bool lost = (own->faults & FAULT_BIT(FAULT_PLC_LOST)) != 0;
            return own->contactor[kind].welded ? FAULT_CONTACTOR_WELDED
                   : lost                      ? FAULT_PLC_LOST
                                               : FAULT_CONTACTOR_FEEDBACK;
        }
    }
    return FAULT_NONE;
}

/* S3: released everywhere in the zone, and every contactor there confirmed open. */
static bool may_reset(const struct interlock_state *s, const struct config *config,
                      const struct image *image, uint64_t zone, int64_t now_us,
                      struct interlock_refusal *why) {
    for (uint32_t slot = 0; slot < config->slots; ++slot) {
        if (zone != 1 && zone_bit_of(config, slot) != zone) {
            continue;
        }
        const enum fault_code fault = reset_refused(s, config, image, slot, now_us);
        if (fault != FAULT_NONE) {
            *why = (struct interlock_refusal){.slot = (uint16_t)slot, .fault = fault};
            return false;
        }
    }
    return true;
}

bool interlock_may_reset(const struct interlock_state *s, const struct config *config,
                         const struct image *image, int64_t now_us, uint64_t *zones,
                         struct interlock_refusal *why) {
    *zones = 0;
    *why = (struct interlock_refusal){.fault = FAULT_NONE};
    for (unsigned zone = 0; zone < 64; ++zone) {
        const uint64_t bit = UINT64_C(1) << zone;
        struct interlock_refusal refusal = {.fault = FAULT_NONE};
        if ((s->zone_estop & bit) == 0) {
            continue;
        }
        if (may_reset(s, config, image, bit, now_us, &refusal)) {
            *zones |= bit;
        } else if (why->fault == FAULT_NONE) {
            *why = refusal;
        }
    }
    return *zones == s->zone_estop;
}

static void reset_zones(struct step *st) {
    struct interlock_refusal why;
    uint64_t zones = 0;
    if (!interlock_may_reset(st->s, st->config, st->image, st->now_us, &zones, &why)) {
        interlock_note(st, RULE_S3, why.slot, COMPONENT_NONE);
    }
    st->s->zone_estop &= ~zones;
}

/* S2, S3: a press latches its zone, zone 0 the whole site. What the PLC still reports after a reset keeps its own slot
 * off but latches nothing again: only a new press or a button that is held does. */
void faults_estop(struct step *st) {
    if (st->in->reset_estop) {
        reset_zones(st);
    }
    for (uint32_t slot = 0; slot < st->slots; ++slot) {
        struct interlock_slot *own = &st->s->slot[slot];
        const bool pressed = estop_pressed(st, slot);
        const bool held = is_set(st, &st->image->slot[slot].estop_input, STALE_SWITCHES_MS);
        if (held || (pressed && !own->estop_pressed)) {
            st->s->zone_estop |= zone_bit(st, slot);
        }
        own->estop_pressed = pressed;
    }
    st->s->estop_latched = st->s->zone_estop != 0;
}

static uint64_t reason_faults(const struct step *st, uint32_t slot) {
    const uint8_t reason = st->image->slot[slot].plc_fault_reason;
    const int64_t forced_us = st->s->slot[slot].forced_us;
    if (reason == PLC_REASON_OK) {
        return 0;
    }
    if (reason <= PLC_REASON_SW3 || reason == PLC_REASON_SW4) {
        return FAULT_BIT(FAULT_SAFETY_CHAIN);
    }
    if (reason == PLC_REASON_ESTOP_LATCHED || reason == PLC_REASON_ESTOP_INPUT) {
        return FAULT_BIT(FAULT_ESTOP);
    }
    if (reason == PLC_REASON_EARTH_FAULT) {
        return FAULT_BIT(FAULT_EARTH_FAULT);
    }
    if (reason == PLC_REASON_FORCED_OFF && forced_us != 0 &&
        st->now_us - forced_us <= (int64_t)T_FORCED_ECHO_MS * 1000) {
        return 0; /* the echo of our own FORCE_ALL_OFF */
    }
    return FAULT_BIT(FAULT_PLC_INTERNAL);
}

static uint64_t plc_faults(struct step *st, uint32_t slot) {
    const struct image_slot *image = &st->image->slot[slot];
    const bool lost = !is_fresh(st, &image->contactor_status, st->config->interlock.t_plc_ms);
    const bool estop =
        (st->s->zone_estop & (zone_bit(st, slot) | 1)) != 0 || st->s->slot[slot].estop_pressed;
    return fault_if(lost, FAULT_PLC_LOST) | fault_if(estop, FAULT_ESTOP) | reason_faults(st, slot) |
           fault_if(!is_set(st, &image->safety_ok, STALE_SWITCHES_MS), FAULT_SAFETY_CHAIN) |
           fault_if(is_set(st, &image->earth_fault, STALE_SWITCHES_MS), FAULT_EARTH_FAULT) |
           fault_if(image->interface_down, FAULT_BUS_OFF) |
           fault_if(image->plc_comm_fault || image->plc_reports_comm_fault, FAULT_PLC_COMM) |
           fault_if(image->plc_ack_fault, FAULT_PLC_ACK) |
           fault_if(image->plc_crc_mode_fault, FAULT_PLC_CRC_MODE) |
           fault_if(image->config_refused, FAULT_CONFIG_REFUSED) |
           fault_if(st->in->plan_age_us > (int64_t)st->config->interlock.t_plan2_ms * 1000,
                    FAULT_PLANNER_LATE);
}

/* G6, S15: a weld is cleared dead and open, or not at all. */
static bool is_dead_and_open(const struct interlock_slot *own, const struct config *config,
                             const struct image_slot *image, uint32_t slot, int64_t now_us) {
    const int32_t safe_mv = config->interlock.v_safe_mv;
    const int32_t stale_ms = interlock_sense_stale_ms(config);
    for (unsigned kind = 0; kind < CONTACTORS_PER_SLOT; ++kind) {
        const struct contactor_book *book = &own->contactor[kind];
        if (book->fitted && (book->command || book->agree < EVIDENCE)) {
            return false;
        }
    }
    const bool gun_dead =
        config->slot[slot].gun < 0 ||
        (sample_fresh(&image->gun_mv, now_us, stale_ms) && image->gun_mv.value < safe_mv);
    return sample_fresh(&image->bus_mv, now_us, stale_ms) && image->bus_mv.value < safe_mv &&
           gun_dead;
}

bool faults_dead_and_open(const struct step *st, uint32_t slot) {
    return is_dead_and_open(&st->s->slot[slot], st->config, &st->image->slot[slot], slot,
                            st->now_us);
}

/* Faults whose cause is the interlocks' own book, forgotten with the clearing. */
static const uint64_t by_book = FAULT_BIT(FAULT_CONTACTOR_STUCK_OPEN) |
                                FAULT_BIT(FAULT_IMD_REPEATED) | FAULT_BIT(FAULT_PLC_ACK) |
                                FAULT_BIT(FAULT_BOUNDARY);
static const uint64_t by_weld =
    FAULT_BIT(FAULT_CONTACTOR_WELDED) | FAULT_BIT(FAULT_CONTACTOR_BOOT_CLOSED);

/* A welded contactor of a boundary that has not been read open again. */
static bool boundary_holds(const struct contactor_book *book) {
    return book->welded && book->agree < EVIDENCE;
}

uint64_t interlock_may_not_clear(const struct interlock_state *s, const struct config *config,
                                 const struct image *image, const struct interlock_in *in,
                                 uint32_t slot, uint64_t wanted, int64_t now_us) {
    const struct interlock_slot *own = &s->slot[slot];
    const uint64_t latched = own->latched & wanted;
    const uint32_t behind = slot > 0 ? slot - 1 : config->slots - 1;
    const struct contactor_book *book = s->slot[behind].contactor;
    uint64_t kept = latched & own->faults & ~(by_book | by_weld);
    if (!is_dead_and_open(own, config, &image->slot[slot], slot, now_us)) {
        kept |= latched & by_weld;
    }
    /* T7: the fused neighbour's book is cleared first; slots are cleared in ascending order. */
    const bool cleared = behind < slot && (in->clear_faults[behind] & by_weld) != 0;
    const bool fused =
        book[CONTACTOR_MC].welded && (!book[CONTACTOR_BC].fitted || book[CONTACTOR_BC].welded);
    /* Where the neighbour goes on as one with this slot (edge_fused) nothing of it is latched: its book is cleared here. */
    const bool with_it = s->slot[behind].edge_fused && !boundary_holds(&book[CONTACTOR_MC]) &&
                         !boundary_holds(&book[CONTACTOR_BC]);
    if (behind != slot && fused && !cleared && !with_it) {
        kept |= latched & FAULT_BIT(FAULT_CONTACTOR_WELDED);
    }
    if (boundary_holds(&own->contactor[CONTACTOR_MC]) ||
        boundary_holds(&own->contactor[CONTACTOR_BC])) {
        kept |= latched & FAULT_BIT(FAULT_BOUNDARY);
    }
    return kept;
}

static void forget(struct contactor_book *book, bool weld, bool stuck) {
    book->welded = book->welded && !weld;
    book->stuck = book->stuck && !stuck;
}

/* An operator's request. A weld's and a stuck contactor's cause is the book itself: it is forgotten here, before the
 * causes are looked at, and comes back with the next contradiction. */
static void clear(struct step *st, uint32_t slot, uint64_t wanted) {
    struct interlock_slot *own = &st->s->slot[slot];
    if ((wanted & by_weld) != 0 && !faults_dead_and_open(st, slot)) {
        interlock_note(st, RULE_G6, slot, COMPONENT_NONE);
        wanted &= ~by_weld;
    }
    const bool weld = (wanted & FAULT_BIT(FAULT_CONTACTOR_WELDED)) != 0;
    const bool stuck = (wanted & FAULT_BIT(FAULT_CONTACTOR_STUCK_OPEN)) != 0;
    const bool module = (wanted & FAULT_BIT(FAULT_MODULE_FAULT)) != 0;
    for (unsigned kind = 0; kind < CONTACTORS_PER_SLOT; ++kind) {
        const bool mn = module && kind >= CONTACTOR_MN0;
        forget(&own->contactor[kind], weld || mn, stuck || mn);
    }
    struct interlock_slot *behind = &st->s->slot[slot_before(st, slot)];
    for (unsigned kind = CONTACTOR_MC; kind <= CONTACTOR_BC; ++kind) {
        struct contactor_book *book = &behind->contactor[kind];
        forget(book, weld && behind->edge_fused && !boundary_holds(book), false);
        const bool boundary = (wanted & FAULT_BIT(FAULT_BOUNDARY)) != 0;
        forget(&own->contactor[kind], boundary && !boundary_holds(&own->contactor[kind]), boundary);
    }
    if ((wanted & FAULT_BIT(FAULT_IMD_REPEATED)) != 0) {
        own->imd_failures = 0;
    }
    own->latched &= ~(wanted & ~FAULT_BIT(FAULT_ESTOP));
}

/* N5: a latched insulation fault forbids charging (N2), not the cable check that clears it. */
static enum stop_class demanded(const struct interlock_slot *own) {
    const uint64_t forgiven = FAULT_BIT(FAULT_IMD_FAULT) | FAULT_BIT(FAULT_IMD_LOW);
    const uint64_t demanding = own->faults | (own->latched & ~forgiven);
    if ((demanding & emergencies) != 0) {
        return STOP_CLASS_EMERGENCY;
    }
    if ((demanding & errors) != 0) {
        return STOP_CLASS_ERROR;
    }
    return (demanding & normals) != 0 ? STOP_CLASS_NORMAL : STOP_CLASS_NONE;
}

/* true when e-stop is all that demands an emergency: only it may wait for T_estop (S2). The button opens the safety
 * chain too: a chain whose own PLC sees the button, and no door or other switch, is open because of it. */
bool faults_only_estop(const struct step *st, uint32_t slot) {
    const struct interlock_slot *own = &st->s->slot[slot];
    const uint64_t chain = FAULT_BIT(FAULT_SAFETY_CHAIN);
    const bool by_button = own->estop_pressed && (reason_faults(st, slot) & chain) == 0;
    const uint64_t demanding = (own->faults | own->latched) & emergencies;
    return (by_button ? demanding & ~chain : demanding) == FAULT_BIT(FAULT_ESTOP);
}

/* true when a weld is all that demands an emergency */
bool faults_only_weld(const struct interlock_slot *own) {
    return ((own->faults | own->latched) & emergencies) == FAULT_BIT(FAULT_CONTACTOR_WELDED);
}

/* A person must come, or the PLC does not answer (contract section 2): it is told FORCE_ALL_OFF, not only zeros. */
bool faults_force_off(const struct interlock_slot *own) {
    const uint64_t forcing = (emergencies & latching) | FAULT_BIT(FAULT_PLC_ACK);
    return ((own->faults | own->latched) & forcing) != 0;
}

uint64_t faults_latching(void) {
    return latching;
}

void faults_slot(struct step *st, uint32_t slot) {
    struct interlock_slot *own = &st->s->slot[slot];
    const uint64_t estop = FAULT_BIT(FAULT_ESTOP);
    if (st->in->clear_faults[slot] != 0) {
        clear(st, slot, st->in->clear_faults[slot]);
    }
    uint64_t active = own->faults & FAULT_BIT(FAULT_LATCH_UNKNOWN);
    active |= plc_faults(st, slot) | module_faults(st, slot) | faults_session(st, slot);
    active |= faults_contactor(st, slot); /* after the session's, which may find a weld (G7) */
    own->faults = active;
    /* a module's own alarm passes by itself; module.c latches what does not (a stuck or welded MN) */
    own->latched |= active & latching & ~(estop | FAULT_BIT(FAULT_MODULE_FAULT));
    own->latched &= ~estop;
    if ((st->s->zone_estop & (zone_bit(st, slot) | 1)) != 0) {
        own->latched |= estop;
    }
}

void faults_demand(struct step *st, uint32_t slot) {
    struct interlock_slot *own = &st->s->slot[slot];
    if ((own->faults & FAULT_BIT(FAULT_ESTOP)) == 0) {
        own->estop_since_us = 0;
    } else if (own->estop_since_us == 0) {
        own->estop_since_us = st->now_us;
    }
    own->stop = demanded(own);
    if (own->stop < STOP_CLASS_ERROR && gun_commanded(st, slot) &&
        (slot_joint(st, slot)->unreachable || module_unreachable(st, slot))) {
        own->stop = STOP_CLASS_ERROR;
    }
}
