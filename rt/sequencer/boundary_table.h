/* The boundary sequencer's table: what each event means in each state of a loan, and what each state asks for.
 *
 * As the gun's table (table.h): boundary_table[state][event] has no hole; one step takes the first event, in the order
 * of enum boundary_event, that is present and that its cell does not ignore. docs/design/sequencer.md is printed from it.
 */
#ifndef RINGMAIN_RT_SEQUENCER_BOUNDARY_TABLE_H
#define RINGMAIN_RT_SEQUENCER_BOUNDARY_TABLE_H

#include "shm/vocabulary.h"

/* In order of priority. */
enum boundary_event {
    BOUNDARY_EVENT_NONE = 0,
    BOUNDARY_EVENT_EMERGENCY, /* in the slot, in the owner's slot, or of the owner's stop */
    BOUNDARY_EVENT_BROKEN, /* boundary not as commanded, nothing to lend, or the way to the owner is gone */
    BOUNDARY_EVENT_UNWANTED, /* wanted back, or no longer wanted by plan, owner or program */
    BOUNDARY_EVENT_NEXT,     /* the state's own condition to go on (column `goes on when`) */
    BOUNDARY_EVENT_TIMEOUT,  /* the state's time is over */
    BOUNDARY_EVENT_WANTED,   /* the plan lends it, and everything on its side is ready */
    BOUNDARY_EVENT_COUNT
};

enum boundary_action {
    BOUNDARY_ACTION_HOLE = 0, /* never in the table */
    BOUNDARY_ACTION_IGNORE,
    BOUNDARY_ACTION_GO
};

struct boundary_transition {
    uint8_t action; /* enum boundary_action */
    uint8_t next;   /* enum boundary_state, with BOUNDARY_ACTION_GO */
};

enum boundary_edge { BOUNDARY_EDGE_OPEN = 0, BOUNDARY_EDGE_MC, BOUNDARY_EDGE_BOTH };
enum boundary_mn { BOUNDARY_MN_OPEN = 0, BOUNDARY_MN_CLOSED, BOUNDARY_MN_WHILE_LIVE };
enum boundary_power {
    BOUNDARY_POWER_OFF = 0,
    BOUNDARY_POWER_MATCH, /* voltage of the neighbour's bus, <= I_cc (purpose MERGE) */
    BOUNDARY_POWER_SHARE  /* owner's voltage, share of the owner's current (purpose SERVE) */
};

struct boundary_row {
    const char *next_when; /* for the diagram */
    const char *time;      /* its time-out, "" none */
    uint8_t edge;          /* enum boundary_edge */
    uint8_t mn;            /* enum boundary_mn */
    uint8_t power;         /* enum boundary_power */
    uint8_t imd;           /* 1: own insulation monitor on; off while the owner's watches */
    uint8_t moves;         /* 1: its boundary moves: no other of the island may */
};

extern const struct boundary_transition boundary_table[BOUNDARY_STATE_COUNT][BOUNDARY_EVENT_COUNT];
extern const struct boundary_row boundary_rows[BOUNDARY_STATE_COUNT];

const char *boundary_event_name(unsigned value); /* "?" when out of range */

#endif
