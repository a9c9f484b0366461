/* Between the files boundary*.c alone. */
#ifndef RINGMAIN_RT_SEQUENCER_BOUNDARY_PRIVATE_H
#define RINGMAIN_RT_SEQUENCER_BOUNDARY_PRIVATE_H

#include "rt/sequencer/boundary.h"
#include "rt/sequencer/boundary_table.h"
#include "rt/sequencer/sequencer_private.h"

#define BOUNDARY_PREPARING_US 3000000
#define BOUNDARY_CLOSING_US   500000
#define BOUNDARY_UNLOADING_US 6000000
#define BOUNDARY_OPENING_US   3000000
#define BOUNDARY_MATCHED_US   150000  /* equal voltages for so long: more than one sample of each */
#define BOUNDARY_STEADY_US    500000  /* the owner's current has no pending ramp for so long */
#define BOUNDARY_RETRY_US     5000000 /* first pause after a failure; doubles ... */
#define BOUNDARY_RETRIES_MAX  6       /* ... up to 2^6 times that, some five minutes */
#define BOUNDARY_CALM         2       /* samples of the boundary current, rule E2 */

/* What one step knows of one lender. */
struct boundary_view {
    bool wanted;   /* the plan lends it, and its side is ready to begin */
    bool kept;     /* the plan goes on with the loan that runs */
    int16_t owner; /* with wanted */
    int8_t toward; /* with wanted */
    bool emergency;
    enum boundary_reason broken; /* NONE: not */
    enum boundary_reason leave;  /* why it has to go home; NONE: it has not */
    bool urgent;                 /* with leave: dwell does not hold it */
    uint32_t edge, inner; /* boundary toward the owner, slot behind it; of a loan that runs */
    bool edge_open;       /* confirmed: nothing conducts over it */
    bool edge_closed;     /* surely conducts */
    bool mc_closed;       /* confirmed */
    bool voltages_known;
    int32_t bus_mv, inner_mv;
    uint8_t usable, joined; /* as in struct gun_view */
};

static inline uint32_t boundary_beside(const struct boundary_inputs *in, uint32_t slot,
                                       int toward) {
    const uint32_t slots = in->config->slots;
    return toward > 0 ? (slot + 1 < slots ? slot + 1 : 0) : slot > 0 ? slot - 1 : slots - 1;
}

/* The boundary between a slot and the one beside it. */
static inline uint32_t boundary_edge_of(const struct boundary_inputs *in, uint32_t slot,
                                        int toward) {
    return toward > 0 ? slot : boundary_beside(in, slot, toward);
}

static inline bool boundary_is_away(const struct boundary *b) {
    return b->state != BOUNDARY_STATE_HOME;
}

/* Its boundary conducts, or may at any moment. */
static inline bool boundary_is_coupled(const struct boundary *b) {
    return b->state >= BOUNDARY_STATE_CLOSING_MC && b->state <= BOUNDARY_STATE_OPENING;
}

/* boundary_look.c */
void boundary_view_fill(const struct boundary_ring *ring, const struct boundary_inputs *in,
                        uint32_t slot, struct boundary_view *view);
bool boundary_is_fresh(const struct boundary_inputs *in);
int32_t boundary_sense_ms(const struct boundary_inputs *in);
/* No contactor, or all of them, of that boundary may conduct. */
bool boundary_edge_open(const struct boundary_inputs *in, uint32_t edge);
bool boundary_edge_sure(const struct boundary_inputs *in, uint32_t edge);
/* Across and through; EVENT_BOUNDARY_UNKNOWN when not fresh. */
int32_t boundary_across_mv(const struct boundary_inputs *in, uint32_t edge);
int32_t boundary_load_ma(const struct boundary_inputs *in, uint32_t edge);

/* boundary_power.c */
void boundary_write(struct boundary *b, const struct boundary_inputs *in, uint32_t slot,
                    const struct boundary_view *view, struct request *request);
/* Nothing is asked of its modules any more. */
bool boundary_is_unloaded(const struct boundary *b);

#endif
