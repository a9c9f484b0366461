#include "rt/interlock/rules.h"

/* clang-format off */
static const struct rule_info rules[RULE_COUNT] = {
    [RULE_NONE] = {"?", RULE_TYPE_NONE, "", ""},
    [RULE_T1] = {"T1", RULE_TYPE_INVARIANT, "Never two guns on one island.", "GC refused; two GCs on one island by feedback: all of them open at once."},
    [RULE_T2] = {"T2", RULE_TYPE_INVARIANT, "At least one boundary of the ring is surely open.", "No GC closes on a closed ring; its slots are locked out."},
    [RULE_T3] = {"T3", RULE_TYPE_INVARIANT, "Joined busses agree within dV_mc.", "Not joined (E1); busses that differ for 500 ms while joined are parted."},
    [RULE_T4] = {"T4", RULE_TYPE_INVARIANT, "Between two live guns lies a surely open boundary.", "GC refused; found by feedback: all GCs of the island open at once."},
    [RULE_T5] = {"T5", RULE_TYPE_GUARD, "One contactor of one boundary changes per step, one boundary per island.", "The others wait."},
    [RULE_T6] = {"T6", RULE_TYPE_INVARIANT, "An island has at most maxSlots slots.", "Refused."},
    [RULE_T7] = {"T7", RULE_TYPE_LATCH, "A welded boundary makes two slots one.", "Both slots are locked out and latched."},
    [RULE_E1] = {"E1", RULE_TYPE_GUARD, "A boundary closes only between equal voltages, without current.", "Refused."},
    [RULE_E2] = {"E2", RULE_TYPE_GUARD, "A boundary opens only below I_open, measured twice.", "Held; in an emergency open T_open after GC."},
    [RULE_E3] = {"E3", RULE_TYPE_GUARD, "A boundary keeps its state for T_dwell.", "Refused, except for an arriving vehicle, the end of a session, a fault."},
    [RULE_E4] = {"E4", RULE_TYPE_INVARIANT, "A locked boundary keeps its command.", "Refused; a faulty contactor is opened once nothing flows, then latched."},
    [RULE_E5] = {"E5", RULE_TYPE_INVARIANT, "Boundary current stays within its rating.", "Modules beyond it cut in proportion."},
    [RULE_E6] = {"E6", RULE_TYPE_GUARD, "A merge needs sound insulation on both sides.", "Refused."},
    [RULE_E7] = {"E7", RULE_TYPE_GUARD, "MC closes before BC; they take turns in opening first.", "Refused out of turn."},
    [RULE_G1] = {"G1", RULE_TYPE_GUARD, "GC closes onto a live inlet only in precharge, within dV_gc and at most I_cc.", "Refused."},
    [RULE_G2] = {"G2", RULE_TYPE_GUARD, "GC closes for the cable check only dead on both sides.", "Refused."},
    [RULE_G3] = {"G3", RULE_TYPE_INVARIANT, "GC closed needs plug, lock and control pilot in C or D; closing also needs no fault.", "Refused; a closed one follows the stop class."},
    [RULE_G4] = {"G4", RULE_TYPE_GUARD, "GC opens below I_open, in an error stop within 1 s, in an emergency at once.", "Held until then while setpoints fall."},
    [RULE_G5] = {"G5", RULE_TYPE_BOUNDED, "The lock opens only below 60 V with both poles of GC confirmed open.", "Lock held."},
    [RULE_G6] = {"G6", RULE_TYPE_LATCH, "A welded GC takes its component out.", "No module runs, MN open, latched until serviced dead."},
    [RULE_G7] = {"G7", RULE_TYPE_GUARD, "After each session Vgun falls below 60 V within T_weld of GC's opening.", "Weld latched."},
    [RULE_G8] = {"G8", RULE_TYPE_INVARIANT, "GC is open in the vehicle's welding detection.", "GC opens as G4 allows."},
    [RULE_G9] = {"G9", RULE_TYPE_INVARIANT, "Charging needs an enabled, healthy insulation monitor.", "Monitor enabled; without it error stop."},
    [RULE_M1] = {"M1", RULE_TYPE_GUARD, "MN closes only within dV_mn, or dead on both sides.", "Refused."},
    [RULE_M2] = {"M2", RULE_TYPE_GUARD, "MN opens only below I_off.", "Held closed, module off, except in emergency or for a silent module."},
    [RULE_M3] = {"M3", RULE_TYPE_INVARIANT, "A module runs only behind its closed MN and for a purpose.", "Module off."},
    [RULE_M4] = {"M4", RULE_TYPE_INVARIANT, "Current of an island stays within the vehicle's and the cable's; silent modules count.", "Currents cut in proportion."},
    [RULE_M5] = {"M5", RULE_TYPE_INVARIANT, "One voltage per island, within the vehicle's maximum.", "Voltage lowered."},
    [RULE_M6] = {"M6", RULE_TYPE_INVARIANT, "A module stays within its capability and temperature.", "Current cut."},
    [RULE_M7] = {"M7", RULE_TYPE_INVARIANT, "A module's address is its own.", "Modules that share one never run."},
    [RULE_M8] = {"M8", RULE_TYPE_BOUNDED, "A module changes its mode only with MN open.", "No mode is ever changed."},
    [RULE_N1] = {"N1", RULE_TYPE_INVARIANT, "One insulation monitor per energised component.", "Others disabled, the gun's own enabled."},
    [RULE_N2] = {"N2", RULE_TYPE_GUARD, "Charging needs a passed self-test on the present component.", "Current zero."},
    [RULE_N3] = {"N3", RULE_TYPE_BOUNDED, "Insulation fault while charging stops that component.", "Error stop."},
    [RULE_N4] = {"N4", RULE_TYPE_INVARIANT, "Nothing closes while the insulation monitor tests itself.", "Refused."},
    [RULE_N5] = {"N5", RULE_TYPE_LATCH, "Insulation faults stay until a new cable check passes; N_fail in a row end service.", "Latched."},
    [RULE_S1] = {"S1", RULE_TYPE_INVARIANT, "E-stop or open safety chain: no setpoint, no module on.", "Zero in the same step."},
    [RULE_S2] = {"S2", RULE_TYPE_BOUNDED, "E-stop: FORCE_ALL_OFF in the same step, GC open by T_estop.", "All off in the zone."},
    [RULE_S3] = {"S3", RULE_TYPE_LATCH, "The e-stop latch needs a person, a released button and open contactors.", "Reset refused."},
    [RULE_S4] = {"S4", RULE_TYPE_BOUNDED, "A PLC silent for T_plc takes its slot out.", "All commands 0."},
    [RULE_S5] = {"S5", RULE_TYPE_BOUNDED, "A contactor follows its command within T_close or T_open.", "Stuck or welded: opened, locked out, latched."},
    [RULE_S6] = {"S6", RULE_TYPE_DATA, "Feedback that contradicts itself or physics is not trusted.", "Contactor counts as closed; error stop."},
    [RULE_S7] = {"S7", RULE_TYPE_DATA, "A stale or invalid value makes a guard false and a limit its worst case.", "Refused or cut."},
    [RULE_S8] = {"S8", RULE_TYPE_BOUNDED, "Without a fresh plan nothing closes, nothing rises and current falls to zero; later a normal stop.", "Refused; ramped down."},
    [RULE_S9] = {"S9", RULE_TYPE_BOUNDED, "Control pilot leaves C/D: zero in the same step, GC open within 100 ms.", "Emergency."},
    [RULE_S10] = {"S10", RULE_TYPE_BOUNDED, "Over-voltage: emergency after 9 ms above the limit, error after 400 ms above the maximum.", "Stop."},
    [RULE_S11] = {"S11", RULE_TYPE_BOUNDED, "A hot connector derates, then stops; a broken sensor gives the fallback current, then stops.", "Current cut, then stop."},
    [RULE_S12] = {"S12", RULE_TYPE_INVARIANT, "Power of all modules at their input stays within the site limit.", "Currents cut in proportion in the same step."},
    [RULE_S13] = {"S13", RULE_TYPE_INVARIANT, "An increase waits until the matching decrease is measured.", "Increase cut to the headroom."},
    [RULE_S14] = {"S14", RULE_TYPE_DATA, "Faulty or unacknowledged PLC communication stops its slot.", "Error stop; three lost acknowledgements: all off."},
    [RULE_S15] = {"S15", RULE_TYPE_INVARIANT, "After start a slot stays off until every contactor was read open.", "All outputs 0; a closed contactor is a weld suspect."},
    [RULE_S16] = {"S16", RULE_TYPE_INVARIANT, "A fault changes outputs of its own component only.", "By construction; the site limit's books are the one shared figure."},
};
/* clang-format on */

const struct rule_info *rule_info(unsigned rule) {
    return rule < RULE_COUNT ? &rules[rule] : &rules[RULE_NONE];
}

const char *rule_name(unsigned rule) {
    return rule_info(rule)->id;
}

char rule_type_letter(unsigned type) {
    static const char letters[] = "-IGTLD";
    return type < RULE_TYPE_COUNT ? letters[type] : '-';
}
