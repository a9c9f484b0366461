#include "rt/sequencer/boundary_table.h"

/* clang-format off */
#define ____ { BOUNDARY_ACTION_IGNORE, 0 }
#define GO(state) { BOUNDARY_ACTION_GO, BOUNDARY_STATE_##state }
#define NONE____ [BOUNDARY_EVENT_NONE] = ____

const struct boundary_transition boundary_table[BOUNDARY_STATE_COUNT][BOUNDARY_EVENT_COUNT] = {
    [BOUNDARY_STATE_HOME] = { NONE____,
        [BOUNDARY_EVENT_EMERGENCY] = ____,          [BOUNDARY_EVENT_BROKEN] = ____,
        [BOUNDARY_EVENT_UNWANTED] = ____,           [BOUNDARY_EVENT_NEXT] = ____,
        [BOUNDARY_EVENT_TIMEOUT] = ____,            [BOUNDARY_EVENT_WANTED] = GO(PREPARING) },
    [BOUNDARY_STATE_PREPARING] = { NONE____,
        [BOUNDARY_EVENT_EMERGENCY] = GO(SETTLING),  [BOUNDARY_EVENT_BROKEN] = GO(SETTLING),
        [BOUNDARY_EVENT_UNWANTED] = GO(SETTLING),   [BOUNDARY_EVENT_NEXT] = GO(MATCHING),
        [BOUNDARY_EVENT_TIMEOUT] = GO(SETTLING),    [BOUNDARY_EVENT_WANTED] = ____ },
    [BOUNDARY_STATE_MATCHING] = { NONE____,
        [BOUNDARY_EVENT_EMERGENCY] = GO(SETTLING),  [BOUNDARY_EVENT_BROKEN] = GO(SETTLING),
        [BOUNDARY_EVENT_UNWANTED] = GO(SETTLING),   [BOUNDARY_EVENT_NEXT] = GO(CLOSING_MC),
        [BOUNDARY_EVENT_TIMEOUT] = GO(SETTLING),    [BOUNDARY_EVENT_WANTED] = ____ },
    [BOUNDARY_STATE_CLOSING_MC] = { NONE____,
        [BOUNDARY_EVENT_EMERGENCY] = GO(OPENING),   [BOUNDARY_EVENT_BROKEN] = GO(OPENING),
        [BOUNDARY_EVENT_UNWANTED] = GO(OPENING),    [BOUNDARY_EVENT_NEXT] = GO(CLOSING_BC),
        [BOUNDARY_EVENT_TIMEOUT] = GO(OPENING),     [BOUNDARY_EVENT_WANTED] = ____ },
    [BOUNDARY_STATE_CLOSING_BC] = { NONE____,
        [BOUNDARY_EVENT_EMERGENCY] = GO(OPENING),   [BOUNDARY_EVENT_BROKEN] = GO(OPENING),
        [BOUNDARY_EVENT_UNWANTED] = GO(OPENING),    [BOUNDARY_EVENT_NEXT] = GO(JOINED),
        [BOUNDARY_EVENT_TIMEOUT] = GO(OPENING),     [BOUNDARY_EVENT_WANTED] = ____ },
    [BOUNDARY_STATE_JOINED] = { NONE____,
        [BOUNDARY_EVENT_EMERGENCY] = GO(OPENING),   [BOUNDARY_EVENT_BROKEN] = GO(OPENING),
        [BOUNDARY_EVENT_UNWANTED] = GO(UNLOADING),  [BOUNDARY_EVENT_NEXT] = ____,
        [BOUNDARY_EVENT_TIMEOUT] = ____,            [BOUNDARY_EVENT_WANTED] = ____ },
    [BOUNDARY_STATE_UNLOADING] = { NONE____,
        [BOUNDARY_EVENT_EMERGENCY] = GO(OPENING),   [BOUNDARY_EVENT_BROKEN] = GO(OPENING),
        [BOUNDARY_EVENT_UNWANTED] = ____,           [BOUNDARY_EVENT_NEXT] = GO(OPENING),
        [BOUNDARY_EVENT_TIMEOUT] = GO(OPENING),     [BOUNDARY_EVENT_WANTED] = GO(JOINED) },
    [BOUNDARY_STATE_OPENING] = { NONE____,
        [BOUNDARY_EVENT_EMERGENCY] = ____,          [BOUNDARY_EVENT_BROKEN] = ____,
        [BOUNDARY_EVENT_UNWANTED] = ____,           [BOUNDARY_EVENT_NEXT] = GO(SETTLING),
        [BOUNDARY_EVENT_TIMEOUT] = GO(FAULTED),     [BOUNDARY_EVENT_WANTED] = ____ },
    [BOUNDARY_STATE_SETTLING] = { NONE____,
        [BOUNDARY_EVENT_EMERGENCY] = ____,          [BOUNDARY_EVENT_BROKEN] = ____,
        [BOUNDARY_EVENT_UNWANTED] = ____,           [BOUNDARY_EVENT_NEXT] = GO(HOME),
        [BOUNDARY_EVENT_TIMEOUT] = GO(HOME),        [BOUNDARY_EVENT_WANTED] = ____ },
    [BOUNDARY_STATE_FAULTED] = { NONE____,
        [BOUNDARY_EVENT_EMERGENCY] = ____,          [BOUNDARY_EVENT_BROKEN] = ____,
        [BOUNDARY_EVENT_UNWANTED] = ____,           [BOUNDARY_EVENT_NEXT] = GO(SETTLING),
        [BOUNDARY_EVENT_TIMEOUT] = ____,            [BOUNDARY_EVENT_WANTED] = ____ },
};

/*                               goes on when                                                                  time-out       edge                MN                       power                 imd moves */
const struct boundary_row boundary_rows[BOUNDARY_STATE_COUNT] = {
    [BOUNDARY_STATE_HOME]       = { "",                                                                          "",            BOUNDARY_EDGE_OPEN, BOUNDARY_MN_OPEN,        BOUNDARY_POWER_OFF,   0, 0 },
    [BOUNDARY_STATE_PREPARING]  = { "all wanted MN confirmed closed",                                            "3 s",         BOUNDARY_EDGE_OPEN, BOUNDARY_MN_CLOSED,      BOUNDARY_POWER_OFF,   1, 0 },
    [BOUNDARY_STATE_MATCHING]   = { "within dv_mc / 2 at no current, insulation good, owner steady, its turn",   "t_pre",       BOUNDARY_EDGE_OPEN, BOUNDARY_MN_CLOSED,      BOUNDARY_POWER_MATCH, 1, 0 },
    [BOUNDARY_STATE_CLOSING_MC] = { "MC confirmed closed",                                                       "0.5 s",       BOUNDARY_EDGE_MC,   BOUNDARY_MN_CLOSED,      BOUNDARY_POWER_MATCH, 1, 1 },
    [BOUNDARY_STATE_CLOSING_BC] = { "BC confirmed closed, or none fitted",                                       "0.5 s",       BOUNDARY_EDGE_BOTH, BOUNDARY_MN_CLOSED,      BOUNDARY_POWER_MATCH, 1, 1 },
    [BOUNDARY_STATE_JOINED]     = { "",                                                                          "",            BOUNDARY_EDGE_BOTH, BOUNDARY_MN_CLOSED,      BOUNDARY_POWER_SHARE, 0, 0 },
    [BOUNDARY_STATE_UNLOADING]  = { "no current of its modules, two samples at most I_open, those beyond gone, its turn", "6 s", BOUNDARY_EDGE_BOTH, BOUNDARY_MN_CLOSED,    BOUNDARY_POWER_SHARE, 0, 0 },
    [BOUNDARY_STATE_OPENING]    = { "boundary confirmed open",                                                   "3 s",         BOUNDARY_EDGE_OPEN, BOUNDARY_MN_WHILE_LIVE,  BOUNDARY_POWER_OFF,   1, 1 },
    [BOUNDARY_STATE_SETTLING]   = { "bus below V_safe, MN confirmed open",                                       "t_discharge", BOUNDARY_EDGE_OPEN, BOUNDARY_MN_WHILE_LIVE,  BOUNDARY_POWER_OFF,   1, 0 },
    [BOUNDARY_STATE_FAULTED]    = { "boundary confirmed open",                                                   "",            BOUNDARY_EDGE_OPEN, BOUNDARY_MN_OPEN,        BOUNDARY_POWER_OFF,   0, 0 },
};
/* clang-format on */

const char *boundary_event_name(unsigned value) {
    static const char *const name[BOUNDARY_EVENT_COUNT] = {
        [BOUNDARY_EVENT_NONE] = "none",     [BOUNDARY_EVENT_EMERGENCY] = "emergency",
        [BOUNDARY_EVENT_BROKEN] = "broken", [BOUNDARY_EVENT_UNWANTED] = "unwanted",
        [BOUNDARY_EVENT_NEXT] = "next",     [BOUNDARY_EVENT_TIMEOUT] = "timeout",
        [BOUNDARY_EVENT_WANTED] = "wanted",
    };
    return value < BOUNDARY_EVENT_COUNT ? name[value] : "?";
}
