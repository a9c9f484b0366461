/* Telemetry: one 128-byte record per planner cycle, in the overwriting ring. Lossy by design. Pure data. */
#ifndef RINGMAIN_SHM_TELEMETRY_H
#define RINGMAIN_SHM_TELEMETRY_H

#include "shm/base.h"

struct telemetry {
    uint64_t cycle;           /* planner cycles since start, from 1 */
    int64_t start_mono_ns;    /* planned start of the cycle */
    int64_t budgets_w;        /* sum of the budgets granted */
    int64_t site_power_w;     /* measured at the guns */
    int64_t site_limit_w;     /* in force */
    int64_t demand_w;         /* sum of what the vehicles could take */
    uint64_t energy_mwh;      /* delivered by the hub since start */
    uint64_t guard_steps;     /* since start */
    int32_t lateness_ns;      /* actual minus planned start */
    int32_t duration_ns;      /* of the planner's step */
    int32_t guard_max_ns;     /* longest guard step since the last record */
    int32_t guard_late_ns;    /* latest guard tick since the last record */
    uint32_t rx_frames;       /* since the last record */
    uint32_t tx_frames;       /* since the last record */
    uint32_t overruns;        /* of the planner since start */
    uint32_t rejected;        /* proposals since start */
    uint16_t guns_plugged;    /* how many guns have a vehicle */
    uint16_t guns_charging;   /* how many are in CHARGING */
    uint16_t guns_faulted;    /* how many are in FAULTED */
    uint16_t modules_running; /* commanded on */
    uint16_t modules_healthy; /* fresh and without a condemning alarm */
    uint16_t islands;         /* of more than one slot */
    uint8_t limit_reason;     /* enum limit_reason of the site limit */
    uint8_t pad[19];
};
static_assert(sizeof(struct telemetry) == 128, "two cache lines per record");

#endif
