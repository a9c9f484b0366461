/* Everything that a page of view.h shows, collected from shared memory, the event log and the virtual hub. */
#ifndef RINGMAIN_NRT_CTL_GATHER_H
#define RINGMAIN_NRT_CTL_GATHER_H

#include "nrt/ctl/ctl.h"
#include "nrt/ctl/view.h"

struct gather {
    const struct ctl *ctl;
    struct shm_peer peer;
    bool attached;
    int attach_error;
    struct status status;
    bool status_valid;
    bool hub_answered;
    int64_t hub_next_ns; /* the virtual hub is asked every two seconds */
    char problem[192];
    struct view view;
};

/* Large: not for the stack. */
void gather_init(struct gather *g, const struct ctl *ctl);
void gather_close(struct gather *g);
/* Attaches when needed and takes fresh values; g->view is then complete. events: how many of the newest. */
void gather_refresh(struct gather *g, uint32_t events);
/* CTL_OK: a living rt's status is in the view. */
enum ctl_exit gather_exit(const struct gather *g);

#endif
