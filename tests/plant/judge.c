/* The judge: knows the physical truth and calls a hazard by it. It looks at contacts, voltages and currents only, never at
 * what the host commands or believes.
 *
 * Allowances, and why they are there:
 *  closed-live    30 V. Not counted when both sides are below 60 V (rules G2 and M1 close "dead", and dead means below
 *                 60 V), nor for the first contactor of a boundary pair: nothing flows before the second closes.
 *  opened-loaded  10 A. Excused within 2 s of a physical emergency in the same island: emergency stop, safety chain or
 *                 earth fault, PLC watchdog or a PLC that is dead, silent or corrupted on the wire, its bus off, control
 *                 pilot lost, over-voltage trip, an injected weld, false feedback or short circuit, or the virtual hub
 *                 itself kept from running for 100 ms, which the host must take for silence. Also excused: the contacts
 *                 that an injected fault itself moves, and MN of a module that no longer answers (rule M4 opens it).
 *  pilot          150 ms with GC closed: 100 ms of rule S9, release of the contactor (12 ms, measured late by 2 ms) and
 *                 the frame's way. While the host is silent the PLC's watchdog is what acts: 350 ms. While the wire of the PLC
 *                 is disturbed the host's 300 ms staleness acts: 450 ms. Welded or slow contacts cannot do it: then,
 *                 and once GC is open, the pins must be below 60 V 1.5 s later (modules and PLC discharge in about 1 s).
 *                 What the vehicle's own closed contactor puts on the pins is not ours while GC is open.
 *  unlocked       20 ms when the host unlocked or energised an unlocked connector. When the lock itself failed the
 *                 design's answer is an error stop: open within 1 s, 1.3 s allowed, then 1.5 s of discharge.
 *  overvoltage    above the emergency limits of IEC 61851-23 (550, 825, 935, 1100 V): 9 + 1 ms plus 25 ms of contactor;
 *                 above the negotiated maximum (during cable check: above its test voltage and the 10 V window): 400 ms,
 *                 50 ms to react, 1 s of error stop.
 *  overcurrent    105 % of the vehicle's maximum and 5 A, for 1.5 s.
 *  no-imd         1 s (hand-over T_imd). A dead PLC's island is excused: its contactors are open by then.
 *  grid           no tolerance beyond 50 W of arithmetic; an injected runaway module is excused.
 *  nobody         6 s: a donor precharged for a merge (5 s) and the discharge after it. A runaway or mute module behind
 *                 a welded MN is excused.
 */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "tests/plant/plant_private.h"

#define SAFE_V            60.0
#define CLOSE_LIMIT_V     30.0
#define OPEN_LIMIT_A      10.0
#define EMERGENCY_US      2000000
#define PILOT_US          150000
#define PILOT_WATCHDOG_US 350000
#define PILOT_WIRE_US     450000
#define DISCHARGE_US      1500000
#define UNLOCK_US         20000
#define LOCK_FAULT_US     1300000
#define OVER_EMERGENCY_US 35000
#define OVER_MAX_US       1450000
#define OVER_CURRENT_US   1500000
#define IMD_US            1000000
#define NOBODY_US         6000000
#define REFRESH_US        110000

const char *plant_hazard_name(unsigned kind) {
    static const char *const names[PLANT_HAZARD_COUNT] = {
#define HAZARD(e, name, text) name,
        PLANT_HAZARDS(HAZARD)
#undef HAZARD
    };
    return kind < PLANT_HAZARD_COUNT ? names[kind] : "?";
}

const char *plant_hazard_text(unsigned kind) {
    static const char *const texts[PLANT_HAZARD_COUNT] = {
#define HAZARD(e, name, text) text,
        PLANT_HAZARDS(HAZARD)
#undef HAZARD
    };
    return kind < PLANT_HAZARD_COUNT ? texts[kind] : "?";
}

__attribute__((format(printf, 5, 6))) static void call(struct plant *p, enum plant_hazard_kind kind,
                                                       uint32_t slot, double value,
                                                       const char *format, ...) {
    char detail[120];
    va_list args;
    va_start(args, format);
    (void)vsnprintf(detail, sizeof(detail), format, args);
    va_end(args);
    p->report.hazards++;
    p->report.hazards_by_kind[kind]++;
    if (p->hazard_count < sizeof(p->hazard) / sizeof(p->hazard[0])) {
        struct plant_hazard *h = &p->hazard[p->hazard_count++];
        *h = (struct plant_hazard){
            .kind = kind, .at_us = p->now_us - p->start_us, .slot = slot, .value = value};
        memcpy(h->detail, detail, sizeof(detail));
    }
    plant_event(p, PLANT_EVENT_HAZARD, slot, "HAZARD %s: %s", plant_hazard_name(kind), detail);
}

void judge_emergency(struct plant *p, uint32_t slot, const char *why, int64_t now_us) {
    struct judge_slot *j = &p->slot[slot].judge;
    j->emergency_until_us = now_us + EMERGENCY_US;
    j->emergency = why;
}

void plant_stood_still(struct plant *p) {
    for (uint32_t i = 0; i < p->slots; i++) {
        judge_emergency(p, i, "virtual hub stood still", p->now_us);
    }
}

/* Any slot of the island: a fault may change outputs there (rule S16), nowhere else. */
static const char *island_emergency(const struct plant *p, uint32_t slot, int64_t now_us) {
    for (uint32_t i = 0; i < p->slots; i++) {
        const struct slot *s = &p->slot[i];
        if (s->island == p->slot[slot].island && s->judge.emergency_until_us >= now_us) {
            return s->judge.emergency;
        }
    }
    return NULL;
}

/* ---- switching ---- */

static bool across_v(const struct plant *p, uint32_t slot, unsigned kind, double *a, double *b) {
    const struct slot *s = &p->slot[slot];
    *a = s->bus_v;
    if (kind == CONTACTOR_GC) {
        *b = s->gun_v;
        return true;
    }
    if (kind >= CONTACTOR_MN0) {
        *b = s->module[kind - CONTACTOR_MN0].v;
        return true;
    }
    const unsigned other = kind == CONTACTOR_MC ? CONTACTOR_BC : CONTACTOR_MC;
    *b = p->slot[(slot + 1) % p->slots].bus_v;
    return !s->contactor[other].fitted || s->contactor[other].closed;
}

static void judge_closing(struct plant *p, uint32_t slot, unsigned kind, int64_t now_us) {
    double a, b;
    if (!across_v(p, slot, kind, &a, &b) || fabs(a - b) <= CLOSE_LIMIT_V ||
        (a < SAFE_V && b < SAFE_V)) {
        return;
    }
    if (p->slot[slot].contactor[kind].injected_until_us >= now_us) {
        p->report.excused[PLANT_HAZARD_CLOSED_LIVE]++;
        return;
    }
    call(p, PLANT_HAZARD_CLOSED_LIVE, slot, fabs(a - b), "%s closed between %.0f V and %.0f V",
         contactor_kind_name(kind), a, b);
}

static bool module_mute(const struct plant *p, const struct slot *s, unsigned kind) {
    if (kind < CONTACTOR_MN0) {
        return false;
    }
    const struct rectifier *r = &s->module[kind - CONTACTOR_MN0];
    return r->silent || p->bus_off[r->interface];
}

static void judge_opening(struct plant *p, uint32_t slot, unsigned kind, int64_t now_us) {
    const struct slot *s = &p->slot[slot];
    const double a = fabs(s->contactor[kind].current_a);
    if (a <= OPEN_LIMIT_A) {
        return;
    }
    if (s->contactor[kind].injected_until_us >= now_us || module_mute(p, s, kind) ||
        island_emergency(p, slot, now_us) != NULL) {
        p->report.excused[PLANT_HAZARD_OPENED_LOADED]++;
        return;
    }
    call(p, PLANT_HAZARD_OPENED_LOADED, slot, a, "%s opened at %.0f A, no emergency",
         contactor_kind_name(kind), a);
}

void judge_switched(struct plant *p, uint32_t slot, unsigned kind, bool closed, int64_t now_us) {
    if (closed) {
        judge_closing(p, slot, kind, now_us);
    } else {
        judge_opening(p, slot, kind, now_us);
    }
}

void judge_unlocked(struct plant *p, uint32_t slot, bool by_command, int64_t now_us) {
    (void)now_us;
    p->slot[slot].judge.lock_lost_by_fault = !by_command;
}

/* ---- states that last ---- */

/* How long the condition has been there, us; -1: it is not. Ends the episode when it is gone. */
static int64_t lasting(struct judge_slot *j, enum plant_hazard_kind kind, bool condition,
                       int64_t now_us) {
    if (!condition) {
        j->since_us[kind] = NEVER;
        j->called[kind] = false;
        return -1;
    }
    if (j->since_us[kind] == NEVER) {
        j->since_us[kind] = now_us;
    }
    return now_us - j->since_us[kind];
}

/* Once per episode. */
static bool first_time(struct judge_slot *j, enum plant_hazard_kind kind) {
    const bool first = !j->called[kind];
    j->called[kind] = true;
    return first;
}

static bool wire_disturbed(const struct plant *p, const struct slot *s) {
    const struct comm_faults *c = &s->node.comm;
    return c->silent || c->deaf || c->corrupt > 0 || c->loss > 0 || c->delay_us > 0 ||
           p->bus_off[s->node.interface];
}

/* The vehicle, or the pins, are reachable by energy of ours. */
static bool pins_live(const struct slot *s) {
    const bool held_by_vehicle = s->vehicle.plugged && s->vehicle.contactor;
    return s->gun_v > SAFE_V && (s->contactor[CONTACTOR_GC].closed || !held_by_vehicle);
}

/* Time allowed for GC to open after its reason to be closed is gone. */
static int64_t opening_allowance_us(const struct plant *p, const struct slot *s, int64_t base_us,
                                    int64_t now_us) {
    const struct contactor *gc = &s->contactor[CONTACTOR_GC];
    int64_t allowed_us = base_us;
    if (wire_disturbed(p, s) || !node_running(&s->node, now_us)) {
        allowed_us = PILOT_WIRE_US > base_us ? PILOT_WIRE_US : base_us;
    } else if (now_us - s->node.heard_us > REFRESH_US && base_us < PILOT_WATCHDOG_US) {
        allowed_us = PILOT_WATCHDOG_US;
    }
    if (!gc->closed || gc->welded) {
        return allowed_us + DISCHARGE_US;
    }
    return allowed_us + (int64_t)(gc->slow_ms * 1000.0);
}

static void judge_pilot(struct plant *p, uint32_t slot, int64_t now_us) {
    struct slot *s = &p->slot[slot];
    const bool pilot = s->vehicle.cp == CP_STATE_C || s->vehicle.cp == CP_STATE_D;
    const int64_t age_us = lasting(&s->judge, PLANT_HAZARD_PILOT, !pilot && pins_live(s), now_us);
    if (age_us > opening_allowance_us(p, s, PILOT_US, now_us) &&
        first_time(&s->judge, PLANT_HAZARD_PILOT)) {
        call(p, PLANT_HAZARD_PILOT, slot, s->gun_v,
             "%.0f V at the inlet for %.0f ms, control pilot %c, GC %s", s->gun_v,
             (double)age_us / 1000.0, cp_state_letter(s->vehicle.cp),
             s->contactor[CONTACTOR_GC].closed ? "closed" : "open");
    }
}

static void judge_lock(struct plant *p, uint32_t slot, int64_t now_us) {
    struct slot *s = &p->slot[slot];
    const int gun = p->config->slot[slot].gun;
    const bool needed = gun >= 0 && p->config->connector[gun].require_lock && s->vehicle.plugged;
    const bool bad = needed && !s->node.locked && pins_live(s);
    const int64_t age_us = lasting(&s->judge, PLANT_HAZARD_UNLOCKED, bad, now_us);
    if (age_us < 0) {
        if (s->node.locked) {
            s->judge.lock_lost_by_fault = false;
        }
        return;
    }
    const int64_t allowed_us =
        s->judge.lock_lost_by_fault ? opening_allowance_us(p, s, LOCK_FAULT_US, now_us) : UNLOCK_US;
    if (age_us > allowed_us && first_time(&s->judge, PLANT_HAZARD_UNLOCKED)) {
        call(p, PLANT_HAZARD_UNLOCKED, slot, s->gun_v, "%.0f V at the inlet for %.0f ms, lock open",
             s->gun_v, (double)age_us / 1000.0);
    }
}

static double emergency_limit_v(double max_v) {
    return max_v <= 500 ? 550 : max_v <= 750 ? 825 : max_v <= 850 ? 935 : 1100;
}

static double allowed_v(const struct vehicle *v) {
    if (v->stage > HLC_STAGE_CABLE_CHECK) {
        return v->max_v * 1.01 + 2.0;
    }
    const double test_v =
        v->max_v <= 500 ? (v->max_v + 50 < 500 ? v->max_v + 50 : 500) : 1.1 * v->max_v;
    return test_v + 11.0;
}

static void judge_voltage(struct plant *p, uint32_t slot, int64_t now_us) {
    struct slot *s = &p->slot[slot];
    struct judge_slot *j = &s->judge;
    const bool reachable =
        s->vehicle.plugged && s->contactor[CONTACTOR_GC].closed && s->vehicle.max_v > 0;
    const double limit_v = emergency_limit_v(s->vehicle.max_v);
    if (!reachable || s->gun_v <= limit_v) {
        j->over_emergency_us = NEVER;
    } else if (j->over_emergency_us == NEVER) {
        j->over_emergency_us = now_us;
        judge_emergency(p, slot, "over-voltage", now_us);
    }
    const int64_t age_us = lasting(j, PLANT_HAZARD_OVERVOLTAGE,
                                   reachable && s->gun_v > allowed_v(&s->vehicle), now_us);
    const bool emergency =
        j->over_emergency_us != NEVER && now_us - j->over_emergency_us > OVER_EMERGENCY_US;
    if ((emergency || age_us > OVER_MAX_US) && first_time(j, PLANT_HAZARD_OVERVOLTAGE)) {
        call(p, PLANT_HAZARD_OVERVOLTAGE, slot, s->gun_v,
             "%.0f V at a vehicle for %.0f V, for %.0f ms", s->gun_v, s->vehicle.max_v,
             (double)age_us / 1000.0);
    }
}

static void judge_current(struct plant *p, uint32_t slot, int64_t now_us) {
    struct slot *s = &p->slot[slot];
    const bool over =
        s->vehicle.plugged && s->vehicle.max_a > 0 && s->battery_a > s->vehicle.max_a * 1.05 + 5.0;
    const int64_t age_us = lasting(&s->judge, PLANT_HAZARD_OVERCURRENT, over, now_us);
    if (age_us > OVER_CURRENT_US && first_time(&s->judge, PLANT_HAZARD_OVERCURRENT)) {
        call(p, PLANT_HAZARD_OVERCURRENT, slot, s->battery_a, "%.0f A into a vehicle for %.0f A",
             s->battery_a, s->vehicle.max_a);
    }
}

/* ---- islands and the site ---- */

struct arc_view {
    uint32_t vehicles_on, vehicles_plugged, monitors;
    bool plc_dead, bad_module;
};

static struct arc_view view_arc(const struct plant *p, const struct arc *a, int64_t now_us) {
    struct arc_view view = {0};
    for (uint32_t k = 0; k < a->count; k++) {
        const struct slot *s = &p->slot[(a->first + k) % p->slots];
        view.vehicles_plugged += s->vehicle.plugged;
        view.vehicles_on += s->vehicle.plugged && s->contactor[CONTACTOR_GC].closed;
        view.monitors += s->node.imd_enable && node_running(&s->node, now_us);
        view.plc_dead |= !node_running(&s->node, now_us);
        for (uint32_t m = 0; m < s->modules; m++) {
            view.bad_module |= (s->module[m].runaway || s->module[m].silent) &&
                               s->contactor[CONTACTOR_MN0 + m].welded;
        }
    }
    return view;
}

static void judge_arc(struct plant *p, const struct arc *a, int64_t now_us) {
    struct judge_slot *j = &p->slot[a->first].judge;
    const struct arc_view view = view_arc(p, a, now_us);
    j->arc_pending = true;
    const bool driven = a->v > SAFE_V && (a->module_driven || a->battery_driven);
    if (lasting(j, PLANT_HAZARD_TWO_VEHICLES, view.vehicles_on > 1, now_us) >= 0 &&
        first_time(j, PLANT_HAZARD_TWO_VEHICLES)) {
        call(p, PLANT_HAZARD_TWO_VEHICLES, a->first, view.vehicles_on,
             "%u vehicles on the bus of slots %u to %u", view.vehicles_on, a->first,
             (a->first + a->count - 1) % p->slots);
    }
    const int64_t bare_us = lasting(j, PLANT_HAZARD_NO_IMD, driven && view.monitors == 0, now_us);
    if (bare_us > IMD_US && first_time(j, PLANT_HAZARD_NO_IMD)) {
        if (view.plc_dead) {
            p->report.excused[PLANT_HAZARD_NO_IMD]++;
        } else {
            call(p, PLANT_HAZARD_NO_IMD, a->first, a->v,
                 "%.0f V without insulation monitor for %.0f ms", a->v, (double)bare_us / 1000.0);
        }
    }
    const bool nobody = a->v > SAFE_V && a->module_driven && view.vehicles_plugged == 0;
    const int64_t alone_us = lasting(j, PLANT_HAZARD_NOBODY, nobody, now_us);
    if (alone_us > NOBODY_US && first_time(j, PLANT_HAZARD_NOBODY)) {
        if (view.bad_module) {
            p->report.excused[PLANT_HAZARD_NOBODY]++;
        } else {
            call(p, PLANT_HAZARD_NOBODY, a->first, a->v,
                 "bus driven at %.0f V with no vehicle for %.1f s", a->v, (double)alone_us / 1e6);
        }
    }
}

/* The slot no longer begins a live arc: its episodes are over. */
static void forget_arc(struct judge_slot *j, int64_t now_us) {
    (void)lasting(j, PLANT_HAZARD_TWO_VEHICLES, false, now_us);
    (void)lasting(j, PLANT_HAZARD_NO_IMD, false, now_us);
    (void)lasting(j, PLANT_HAZARD_NOBODY, false, now_us);
    j->arc_pending = false;
}

static void judge_site(struct plant *p, int64_t now_us) {
    struct judge_slot *j = &p->site;
    bool ring = false;
    for (uint32_t i = 0; i < p->arcs; i++) {
        ring |= p->arc[i].ring;
    }
    if (lasting(j, PLANT_HAZARD_RING_CLOSED, ring && p->slots > 1, now_us) >= 0 &&
        first_time(j, PLANT_HAZARD_RING_CLOSED)) {
        call(p, PLANT_HAZARD_RING_CLOSED, 0, p->slots, "all %u boundaries conduct", p->slots);
    }
    const bool over = p->input_w > (double)p->config->grid_limit_w + 50.0;
    if (lasting(j, PLANT_HAZARD_GRID, over, now_us) >= 0 && first_time(j, PLANT_HAZARD_GRID)) {
        bool runaway = false;
        for (uint32_t i = 0; i < p->slots; i++) {
            runaway |= p->slot[i].judge.runaway_until_us >= now_us;
        }
        if (runaway) {
            p->report.excused[PLANT_HAZARD_GRID]++;
        } else {
            call(p, PLANT_HAZARD_GRID, UINT32_MAX, p->input_w, "%.1f kW drawn, %.1f kW allowed",
                 p->input_w / 1000.0, (double)p->config->grid_limit_w / 1000.0);
        }
    }
}

/* Physical emergencies, by what is there and not by what anybody reports. */
static void note_emergencies(struct plant *p, uint32_t slot, int64_t now_us) {
    struct slot *s = &p->slot[slot];
    const struct node *n = &s->node;
    if (!node_running(n, now_us)) {
        judge_emergency(p, slot, "PLC dead", now_us);
        return;
    }
    const uint8_t reason = node_fault_reason(p, s, now_us);
    if (reason != 0 && reason != 7) {
        judge_emergency(p, slot, "PLC holds its outputs open", now_us);
    }
    if (wire_disturbed(p, s)) {
        judge_emergency(p, slot, "PLC's wire disturbed", now_us);
    }
    const bool pilot = s->vehicle.cp == CP_STATE_C || s->vehicle.cp == CP_STATE_D;
    if (!pilot && s->contactor[CONTACTOR_GC].closed) {
        judge_emergency(p, slot, "control pilot lost", now_us);
    }
}

void judge_tick(struct plant *p, int64_t now_us) {
    for (uint32_t i = 0; i < p->arcs; i++) {
        judge_arc(p, &p->arc[i], now_us);
        p->slot[p->arc[i].first].judge.arc_us = now_us;
    }
    for (uint32_t i = 0; i < p->slots; i++) {
        struct slot *s = &p->slot[i];
        if (s->judge.arc_pending && s->judge.arc_us != now_us) {
            forget_arc(&s->judge, now_us);
        }
        if (s->quiet && s->judge.since_us[PLANT_HAZARD_PILOT] == NEVER &&
            s->judge.since_us[PLANT_HAZARD_UNLOCKED] == NEVER) {
            continue;
        }
        note_emergencies(p, i, now_us);
        judge_pilot(p, i, now_us);
        judge_lock(p, i, now_us);
        judge_voltage(p, i, now_us);
        judge_current(p, i, now_us);
    }
    judge_site(p, now_us);
}
