/* Step D in time: the arrangement of slots that is aimed at, and when it is given up for another.
 *
 * What has become impossible is taken back at once: lent slots of an arriving gun, islands whose vehicle leaves, whatever
 * touches a fault. Beyond that the arrangement stays unless a better one pays: gain (worst served first) times the time
 * it is expected to last must exceed the wear of the operations and the power lost while switching; a vehicle that is not
 * served or below its least power does not wait for that. Edges that changed less than the dwell ago stay as they are,
 * but for arrivals, departures and faults. An edge that does not close when asked to is left alone for a while.
 *
 * The partition is asked when something of its structure changed, and once a second for what drifts. Pure; state only.
 */
#ifndef RINGMAIN_RT_PLANNER_HOLDING_H
#define RINGMAIN_RT_PLANNER_HOLDING_H

#include "rt/planner/islands.h"

#define HOLDING_PERIOD_US 1000000
#define HOLDING_REACH_US                                                                           \
    30000000 /* an edge asked to close has this long from the last that joined its island */
#define HOLDING_SHUN_US  60000000 /* then it is not counted on for this long */
#define HOLDING_SWITCH_S 5        /* a moved slot gives nothing for this long */

struct holding {
    bool closed[RM_SLOTS_MAX];   /* aim: edge i */
    bool urgent[RM_SLOTS_MAX];   /* edge i opens for an arrival, a departure or a fault: no dwell */
    int16_t owner[RM_SLOTS_MAX]; /* aim: slot whose gun it feeds, -1 none */
    int64_t changed_us;          /* when the aim last changed */
    int64_t solved_us;
    uint64_t seen;                    /* of the structure last asked about */
    int64_t asked_us[RM_SLOTS_MAX];   /* closing was asked for since; 0 not asked or reached */
    uint16_t joined[RM_SLOTS_MAX];    /* by gun: slots that have joined its island */
    int64_t shunned_us[RM_SLOTS_MAX]; /* left alone until */
    uint64_t solved, adopted;         /* counts */
    struct partition_input question;
    struct partition_result today, best;
    struct partition scratch;
};

void holding_init(struct holding *h);
void holding_step(struct holding *h, const struct islands_view *view);
/* What was proposed for each edge in this cycle: watches that it is reached. */
void holding_watch(struct holding *h, const struct plan_input *in, uint32_t slots,
                   const bool *proposed);

/* Gain of one list of powers over another in watts: both ascending within each class, classes in order; the largest sum of
 * improvements from the worst served upwards. Never negative. Exposed for its test. */
int64_t holding_gain_w(const struct partition_input *question, const int32_t *today_w,
                       const int32_t *best_w);

#endif
