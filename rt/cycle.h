/* The planner thread (SCHED_FIFO 80): every planner period on absolute time an image in, a proposal out.
 * Its result is not trusted: the guard checks it. It never touches an output, a lock, the heap or a file. */
#ifndef RINGMAIN_RT_CYCLE_H
#define RINGMAIN_RT_CYCLE_H

#include "rt/exchange.h"
#include "rt/io/phase.h"
#include "rt/planner/planner.h"

struct cycle {
    struct exchange *exchange;
    struct diag *diag; /* the planner's counters and histograms */
    int64_t period_ns;
    struct planner_state planner;
    struct phase phase;
    uint64_t cycles, overruns;
    bool has_input; /* the guard has published at least once */
};

void cycle_init(struct cycle *c, struct exchange *exchange, struct diag *diag, int32_t period_ms);

/* One cycle, released at phase.due_ns and woken at now_ns. For the thread and for tests. */
void cycle_once(struct cycle *c, int64_t now_ns);

/* Thread body (argument: struct cycle *). Returns when exchange.stop is set and the guard is done. */
void *cycle_run(void *argument);

#endif
