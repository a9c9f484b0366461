/* The boundary sequencers: how a slot lends its modules to a neighbour's gun, and how it comes home.
 *
 * One struct boundary per slot, the slot as LENDER: it owns the slot's modules, its insulation monitor and the one
 * boundary toward its owner while it is not at home. A closed boundary thus always has exactly one lender that is
 * responsible for it, the slot on the side away from the owner, and each loan is one walk through one table
 * (boundary_table.h), whichever way round the ring it goes. The owner is the slot of the gun that is served; its own
 * sequencer (sequencer.h) goes on as if its slot had more modules.
 *
 * The proposal states targets; these sequencers walk there: a slot joins only next to the owner or to a slot that has
 * joined it, leaves only after those beyond it have left, and one boundary of an island moves at a time. Pure: no clock,
 * no I/O, no heap. docs/design/sequencer.md holds the diagram, generated from the table.
 *
 * In one step of control, in this order: boundary_weigh(), gun_step() of every gun, boundary_step().
 */
#ifndef RINGMAIN_RT_SEQUENCER_BOUNDARY_H
#define RINGMAIN_RT_SEQUENCER_BOUNDARY_H

#include "rt/sequencer/sequencer.h"
#include "shm/event.h"

struct boundary {
    enum boundary_state state;
    int64_t since_us;
    int16_t owner;  /* slot lent to; -1 at home */
    int8_t toward;  /* +1: over its own boundary, clockwise; -1: over that of the slot before it */
    bool emergency; /* on the way down at once: module contactors do not wait */
    bool urgent;    /* wanted back: dwell (E3) does not hold it, the faster ramp */
    enum boundary_reason reason; /* why it last went home, or what went wrong */
    uint8_t failures;            /* in a row; the pause before the next try doubles with each */
    int64_t retry_us;            /* not lent before */
    int64_t matched_us;          /* MATCHING: within the limits since; 0 not */
    int64_t unloaded_us;         /* UNLOADING: nothing asked of its modules since; 0 not yet */
    int64_t sampled_us;          /* newest boundary current that was judged */
    uint8_t calm;                /* samples in a row at which the boundary could open */
    uint8_t mn_mask;             /* bit j: MN of module j wanted closed */
    int64_t join_us[RM_MODULES_PER_SLOT_MAX];   /* as in struct gun */
    int32_t weight_ma[RM_MODULES_PER_SLOT_MAX]; /* its share of the owner's current, ramped */
};

struct boundary_ring {
    struct boundary slot[RM_SLOTS_MAX];
    int64_t weighed_us;
};

struct boundary_inputs {
    int64_t now_us;
    const struct config *config;
    const struct image *image;
    const struct interlock_state *interlock;
    const struct proposal *proposal; /* NULL: none yet */
    int64_t plan_age_us;
    bool shutdown;
    const struct gun *const *gun; /* by slot; state NONE where there is none */
};

/* What an owner gets from its lenders. */
struct boundary_lent {
    int64_t weight_ma; /* sum of their shares, to be added to those of its own modules */
    uint8_t slots;     /* whose boundary is not confirmed open yet, fused ones aside */
    bool urgent;       /* one of them is wanted back */
};

/* What one step did to one slot, for events. */
struct boundary_effects {
    bool changed;
    enum boundary_state from, to;
    enum boundary_reason reason;
    int16_t owner;
    int32_t dv_mv,
        load_ma; /* across and through its boundary; EVENT_BOUNDARY_UNKNOWN when not fresh */
};

void boundary_init(struct boundary_ring *ring, uint32_t slots, int64_t now_us);

/* Advances the lenders' shares of their owners' current and sums them per owner, [0, slots). */
void boundary_weigh(struct boundary_ring *ring, const struct boundary_inputs *in,
                    struct boundary_lent *lent);

/* The slot lends nothing and both its boundaries are confirmed open: its gun may begin a cable check. */
bool boundary_is_home(const struct boundary_ring *ring, const struct boundary_inputs *in,
                      uint32_t slot);

/* Moves every lender by at most one event and overlays its wishes on the request that the guns have written: modules,
 * purpose and insulation monitor of lenders, MC and BC of their boundaries. Requests of slots without a gun are written
 * whole. request->slot[] and effects[]: [0, slots). */
void boundary_step(struct boundary_ring *ring, const struct boundary_inputs *in,
                   struct request *request, struct boundary_effects *effects);

#endif
