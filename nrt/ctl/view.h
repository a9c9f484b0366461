/* The page that `status` prints and `top` shows: site, health, one line per gun, the newest events.
 * Pure: a struct in, a frame out; no more lines than the height, no line wider than the width (40 at least for sense). */
#ifndef RINGMAIN_NRT_CTL_VIEW_H
#define RINGMAIN_NRT_CTL_VIEW_H

#include "configs/config.h"
#include "nrt/ctl/frame.h"
#include "shm/status.h"

#define VIEW_EVENTS_MAX   64
#define VIEW_EVENT_TEXT   192
#define VIEW_HAZARDS_NONE (-1) /* no virtual hub answers */

struct view_latency {
    bool known;
    int64_t guard_wake_p999_ns, guard_wake_max_ns, guard_step_max_ns;
    int64_t planner_wake_p999_ns, planner_wake_max_ns, planner_step_max_ns;
    uint64_t guard_ticks_late;
};

struct view {
    const struct status *status; /* NULL: none, see problem */
    const struct config *config; /* may be NULL */
    const char *problem;         /* loud line, e.g. that rt is silent; NULL: none */
    int64_t now_ns;              /* CLOCK_MONOTONIC */
    char clock[24];              /* wall time, "" none */
    struct view_latency latency;
    int64_t hazards; /* of the virtual hub, or VIEW_HAZARDS_NONE */
    uint32_t events; /* oldest first */
    char event[VIEW_EVENTS_MAX][VIEW_EVENT_TEXT];
};

/* height 0: as many lines as it takes. */
void view_render(struct frame *f, const struct view *view, uint32_t height);

#endif
