/* One gun on a bench: contactors, modules, monitor, lock and vehicle by a few simple rules, each of which can be held
 * back, so that a test reaches every state of the sequencer and every time-out. The interlocks are stood in for by
 * obedience: whatever is requested is commanded. */
#ifndef RINGMAIN_TESTS_SEQUENCER_BENCH_H
#define RINGMAIN_TESTS_SEQUENCER_BENCH_H

#include "rt/sequencer/sequencer.h"

struct bench {
    struct config config;
    struct gun gun;
    struct image_slot image;
    struct interlock_slot interlock;
    struct proposal_slot proposal;
    struct request_slot request;
    struct gun_to_plc to_plc;
    struct gun_effects effects;
    int64_t now_us, plan_age_us;
    bool stop_requested, shutdown;
    /* the vehicle */
    bool plugged, ev_closed, ev_done;
    int last_stage; /* goes no further than this HLC stage */
    int32_t battery_mv, wish_ma, ev_max_mv;
    int64_t test_from_us, closed_at_us[CONTACTORS_PER_SLOT];
    /* what may be held back or broken */
    bool lock_stuck; /* feedback stays as it is */
    bool imd_silent; /* self-test never starts */
    bool imd_fails;  /* ends with "failed" */
    bool imd_low;    /* passes with too little resistance */
    bool gc_stuck;   /* feedback of GC stays as it is */
    bool ev_welded;  /* vehicle's contactor stays closed */
    bool bus_stays;  /* bus keeps its voltage */
    bool no_voltage; /* modules do not raise the bus */
    bool targets_stale, cp_stale, stage_stale;
    int32_t stray_ma;              /* current beside the commanded one */
    bool no_proposal;              /* the planner has not spoken yet */
    int64_t step_us;               /* time between two steps; 0: 5 ms */
    void (*bend)(struct bench *b); /* last word on the image before each step; NULL none */
    /* what has been seen */
    unsigned begun, energised, ended, plugs, unplugs, changes;
    enum gun_state path[64];
};

void bench_init(struct bench *b);
/* 5 ms. */
void bench_step(struct bench *b);
void bench_run_ms(struct bench *b, int ms);
/* false when the state is not reached in time */
bool bench_reach(struct bench *b, enum gun_state state, int within_ms);
/* From a fresh bench to that state, by whatever has to be held back for it. */
bool bench_bring_to(struct bench *b, enum gun_state state);
/* Everything held back is let go. */
void bench_heal(struct bench *b);
void bench_unplug(struct bench *b);

#endif
