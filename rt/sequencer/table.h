/* The sequencer's table: what each event means in each state, and what each state asks for.
 *
 * gun_table[state][event] has no hole (action 0): a test walks every cell. One step takes the first event, in the order
 * of enum gun_event, that is present, that its cell does not ignore and whose guard holds. gun_rows[state] is the
 * reviewable output of a state. Both are const data; docs/design/sequencer.md is printed from them.
 */
#ifndef RINGMAIN_RT_SEQUENCER_TABLE_H
#define RINGMAIN_RT_SEQUENCER_TABLE_H

#include "shm/vocabulary.h"

/* In order of priority. */
enum gun_event {
    GUN_EVENT_NONE = 0,
    GUN_EVENT_WITHDRAWN, /* slot not usable: boot hold, inoperative, shutdown, PLC not trusted */
    GUN_EVENT_UNPLUGGED, /* control pilot A */
    GUN_EVENT_EMERGENCY, /* stop class EMERGENCY demanded and not yet on the way */
    GUN_EVENT_ERROR,     /* stop class ERROR likewise */
    GUN_EVENT_STOP, /* stop class NORMAL likewise: command, shutdown, planner gone, targets lost */
    GUN_EVENT_VEHICLE_ERROR, /* stage 14, or the dialogue fell back or went silent */
    GUN_EVENT_VEHICLE_STOP,  /* vehicle is done: stage 11..13 or CHARGE_COMPLETE */
    GUN_EVENT_NEXT,    /* the state's own condition to go on (column `next when` of its row) */
    GUN_EVENT_TIMEOUT, /* the state's time is over */
    GUN_EVENT_PLUGGED, /* control pilot B, C or D */
    GUN_EVENT_COUNT
};

enum gun_action {
    GUN_ACTION_HOLE = 0, /* never in the table */
    GUN_ACTION_IGNORE,   /* not for this state: the next event is looked at */
    GUN_ACTION_HOLD,     /* taken, state stays: hides the events below it */
    GUN_ACTION_GO
};

enum gun_guard {
    GUN_GUARD_ALWAYS = 0,
    GUN_GUARD_RECOVERED, /* nothing blocks the gun any more and the output is dead */
    GUN_GUARD_PLUGGED,   /* as RECOVERED, with the vehicle still there whose session is over */
    GUN_GUARD_NEWCOMER   /* as PLUGGED, and this vehicle had no session: a reset restarts none */
};

/* Stop class that a transition raises the way down to; never lowers it. */
struct gun_transition {
    uint8_t action; /* enum gun_action */
    uint8_t next;   /* enum gun_state, with GUN_ACTION_GO */
    uint8_t guard;  /* enum gun_guard */
    uint8_t stop;   /* enum stop_class */
};

enum gun_mn { GUN_MN_OPEN = 0, GUN_MN_HOME, GUN_MN_HOLD };
enum gun_imd { GUN_IMD_OFF = 0, GUN_IMD_ON, GUN_IMD_IF_LIVE };
enum gun_power {
    GUN_POWER_OFF = 0,
    GUN_POWER_CABLE_CHECK, /* cable-check voltage, <= I_cc */
    GUN_POWER_PRECHARGE,   /* vehicle's target voltage, <= I_cc */
    GUN_POWER_SERVE,       /* ramped towards vehicle's target and proposal */
    GUN_POWER_RAMP,        /* ramped to zero by stop class */
    GUN_POWER_IDLE,        /* weld-test voltage at zero current (normal stop), else off */
    GUN_POWER_WELD_TEST    /* weld-test voltage at <= I_cc (normal stop), else off */
};

struct gun_row {
    const char *next_when; /* for the diagram */
    const char *time;      /* its time-out, "" none */
    uint8_t gc;  /* 1: gun contactor closed wanted (in CABLE_CHECK from its first step on) */
    uint8_t mn;  /* enum gun_mn */
    uint8_t imd; /* enum gun_imd */
    uint8_t lock;
    uint8_t power;   /* enum gun_power */
    uint8_t enabled; /* OUTPUT_ENABLED to the vehicle */
    uint8_t session; /* a session record runs */
    uint8_t served;  /* vehicle must be in C/D: cable check to ramp-down */
};

extern const struct gun_transition gun_table[GUN_STATE_COUNT][GUN_EVENT_COUNT];
extern const struct gun_row gun_rows[GUN_STATE_COUNT];

const char *gun_event_name(unsigned value); /* "?" when out of range */

#endif
