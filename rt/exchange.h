/* What guard, planner and main thread of ringmain-rt share: two triple buffers and a few atomics. Nothing here waits. */
#ifndef RINGMAIN_RT_EXCHANGE_H
#define RINGMAIN_RT_EXCHANGE_H

#include <semaphore.h>
#include <stdatomic.h>

#include "rt/proposal.h"
#include "shm/diag.h"
#include "shm/triple_buffer.h"

#define EXCHANGE_GUARD_PERIOD_NS 5000000LL
/* The planner's releases lie in the middle between two ticks of the guard: neither ever starts behind the other. */
#define EXCHANGE_PLANNER_OFFSET_NS 2500000LL

/* One planner cycle as the guard gets it. */
struct cycle_output {
    struct proposal proposal;
    uint64_t cycle;   /* from 1 */
    int64_t start_ns; /* planned start */
    int32_t lateness_ns, duration_ns;
    uint64_t overruns; /* so far */
    bool fresh_input;  /* false: the guard had published nothing new */
};

/* A whole number of cache lines, so that the places of a triple buffer lie apart. */
#define EXCHANGE_LINES(type)                                                                       \
    ((sizeof(type) + RM_CACHE_LINE - 1) / RM_CACHE_LINE * (size_t)RM_CACHE_LINE)

enum exchange_ready { EXCHANGE_STARTING = 0, EXCHANGE_READY, EXCHANGE_REFUSED };

struct exchange {
    struct triple_buffer plan_input; /* guard to planner: struct plan_input */
    struct triple_buffer outputs;    /* planner to guard: struct cycle_output */
    _Atomic int64_t planner_beat_ns; /* written at the end of each cycle */
    _Atomic uint64_t planner_cycles, planner_overruns;
    _Atomic bool stop;         /* main: end cleanly */
    _Atomic bool guard_done;   /* guard: outputs are off, nothing is sent any more */
    _Atomic bool stopped_idle; /* guard: everything was confirmed off before the time ran out */
    sem_t guard_ready, planner_ready; /* posted once each, at start-up */
    sem_t go;                         /* posted by main for each thread when all is sealed */
    _Alignas(RM_CACHE_LINE) unsigned char plan_input_place[3 * EXCHANGE_LINES(struct plan_input)];
    _Alignas(RM_CACHE_LINE) unsigned char output_place[3 * EXCHANGE_LINES(struct cycle_output)];
};

/* Start-up, before the threads. */
static inline void exchange_init(struct exchange *x) {
    triple_buffer_init(&x->plan_input, x->plan_input_place, EXCHANGE_LINES(struct plan_input));
    triple_buffer_init(&x->outputs, x->output_place, EXCHANGE_LINES(struct cycle_output));
    sem_init(&x->guard_ready, 0, 0);
    sem_init(&x->planner_ready, 0, 0);
    sem_init(&x->go, 0, 0);
}

/* Waits for a semaphore of start-up; signals do not cut it short. */
static inline void exchange_await(sem_t *s) {
    while (sem_wait(s) != 0) {
    }
}

#endif
