/* Modules that join and leave a bus that is live: rules M1 and M2, for the modules of a gun's own slot and for those of a
 * slot that is joined to it. Between the files of rt/sequencer/ alone. */
#ifndef RINGMAIN_RT_SEQUENCER_JOINING_H
#define RINGMAIN_RT_SEQUENCER_JOINING_H

#include "configs/config.h"
#include "rt/image.h"
#include "rt/proposal.h"
#include "rt/request.h"

struct joining {
    const struct config *config;
    uint32_t slot;
    const struct image_slot *image;
    const struct proposal_module *wish; /* by module: MN wanted */
    int64_t now_us;
    int32_t set_mv; /* of the island's running modules */
    bool bus_known;
    int32_t bus_mv;
    uint8_t usable, joined; /* as in struct gun_view */
    bool keep_last;         /* the last module on the bus stays */
    uint8_t *mn_mask;
    int64_t *join_us; /* by module */
};

/* Adds to the request what joining modules need, and moves mn_mask. */
void joining_follow(const struct joining *x, struct request_module *request);

#endif
