/* Step A of the planner, first half: what one gun could use, and which bound makes it no more.
 *
 * Power is counted twice: at the voltage measured on the bus (what flows), and for the site at the modules' input and the
 * set voltage, as the guard's books count it (S12). So that the books do not run far ahead of what flows, the set voltage
 * is not the vehicle's target but a little above the measurement, and follows it. Pure.
 */
#ifndef RINGMAIN_RT_PLANNER_WISH_H
#define RINGMAIN_RT_PLANNER_WISH_H

#include "rt/proposal.h"

/* What a gun's bounds were in the last cycle. */
struct wish_memory {
    int32_t set_mv;    /* 0: does not charge */
    int32_t offered_w; /* what its vehicle was told it might have */
    enum limit_reason offer_reason;
};

struct wish {
    bool serves; /* CHARGING: claims by its vehicle's wish */
    bool holds;  /* before and after: claims what cable check, precharge or weld test need */
    uint8_t priority_class; /* with the departure time looked at */
    int32_t set_mv;         /* for its modules; 0 none */
    int32_t now_mv;         /* at which power flows */
    int32_t
        book_mv; /* at which the guard books it: the larger of set_mv and what is commanded still */
    int32_t ask_ma; /* least of all bounds but modules, boundaries and site */
    int32_t ask_w;
    int32_t bound_ma; /* least of all bounds but the site's, for now: wish_bound() lowers it */
    enum limit_reason bound;
    int64_t demand_w; /* claim at the modules' input */
    int64_t gun_w; /* output power that gun, cable, temperature and profile carry: for the offer */
};

/* Powers and currents of the arithmetic everywhere in the planner; results are held to INT32_MAX. */
int32_t wish_current_ma(int64_t power_w, int32_t mv);
int64_t wish_output_w(int64_t input_w, int32_t efficiency_permille);
int64_t wish_input_w(int64_t power_uw, int32_t efficiency_permille); /* rounded up */

/* The set voltage that follows the measurement: within its band it stays, so that modules are not told anew for nothing. */
int32_t wish_follow_mv(int32_t last_set_mv, int32_t bus_mv, int32_t limit_mv);

/* memory->set_mv is brought up to date. */
void wish_look(const struct plan_input *in, uint32_t slot, int32_t efficiency_permille,
               struct wish_memory *memory, struct wish *out);
/* What the island gives now: bounds further and fixes demand_w. */
void wish_bound(struct wish *w, int64_t ma, enum limit_reason reason);
void wish_claim(struct wish *w, int32_t efficiency_permille);

#endif
