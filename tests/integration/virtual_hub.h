/* The whole hub in one process on a virtual clock: the guard's pure core, the planner, and the virtual hub with its judge.
 * The same object code as in ringmain-rt, without its shell: what the shell does (draining frames, ticks every 5 ms, the
 * planner every 50 ms, nrt's commands) is done here in a fixed order, so that equal runs are equal bit for bit. */
#ifndef RINGMAIN_TESTS_VIRTUAL_HUB_H
#define RINGMAIN_TESTS_VIRTUAL_HUB_H

#include "rt/control.h"
#include "rt/planner/planner.h"
#include "tests/plant/plant.h"

#define VIRTUAL_HUB_LOG 4096

struct virtual_hub {
    struct config config;
    struct plant *plant;
    struct control *control;
    struct planner_state planner;
    struct plan_input plan_input;
    struct proposal proposal;
    struct frame_batch from_plant, to_plant;
    struct event_batch events;
    struct status status;
    int64_t now_us, start_us;
    uint64_t command_id;
    bool planner_stopped, nrt_stopped; /* no proposals; no commands, no acknowledgements */
    bool verbose;
    bool coarse;       /* steps of 5 ms, frames handled once in each: quicker, later by as much */
    bool no_free_vend; /* nobody is authorised but by the test */
    bool no_acknowledgement; /* records stay */
    uint64_t events_by_type[EVENT_TYPE_COUNT];
    struct event log[VIRTUAL_HUB_LOG]; /* the first of them, as they came */
    uint32_t logged;
    uint64_t events_dropped, frames_dropped;
    uint32_t sessions_finished, sessions_with_fault;
    bool bus_off[RM_INTERFACES_MAX];
    int64_t restart_us; /* next try of the interfaces that are bus-off */
    int64_t energy_mwh; /* of acknowledged records */
};

/* NULL when out of memory. Options' callback is the hub's own when verbose. */
struct virtual_hub *virtual_hub_create(const struct config *config,
                                       const struct plant_options *options, bool verbose);
void virtual_hub_destroy(struct virtual_hub *h);
void virtual_hub_run(struct virtual_hub *h, double seconds);
/* true when the gun (connector id) reached that state in time */
bool virtual_hub_reach(struct virtual_hub *h, int gun, enum gun_state state, double seconds);
enum gun_state virtual_hub_state(struct virtual_hub *h, int gun);
enum command_status virtual_hub_command(struct virtual_hub *h, struct command command);
/* First logged event of that type and slot from *from on, which moves behind it; NULL when there is none. */
const struct event *virtual_hub_event(const struct virtual_hub *h, enum event_type type,
                                      uint32_t slot, uint32_t *from);
uint32_t virtual_hub_slot(const struct virtual_hub *h, int gun);
/* Sum of the judge's hazards, each printed. */
uint32_t virtual_hub_hazards(const struct virtual_hub *h);
/* One line per gun on stderr. */
void virtual_hub_print(struct virtual_hub *h);

#endif
