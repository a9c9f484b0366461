#include "rt/cycle.h"

#include <string.h>

#include "rt/io/clock.h"
#include "rt/io/thread.h"

void cycle_init(struct cycle *c, struct exchange *exchange, struct diag *diag, int32_t period_ms) {
    assert(period_ms > 0);
    memset(c, 0, sizeof *c);
    c->exchange = exchange;
    c->diag = diag;
    c->period_ns = period_ms * CLOCK_NS_PER_MS;
    planner_init(&c->planner);
}

static int32_t clip_ns(int64_t value_ns) {
    return value_ns > INT32_MAX ? INT32_MAX : (int32_t)value_ns;
}

/* false: there never was an image to plan from. */
static bool plan(struct cycle *c, struct cycle_output *out) {
    bool fresh = false;
    const struct plan_input *in = triple_buffer_fetch(&c->exchange->plan_input, &fresh);
    out->fresh_input = fresh;
    if (!fresh) {
        /* The old input again gives the old proposal with the old input_us: the guard sees its age. */
        diag_add(c->diag, DIAG_PLANNER_NO_INPUT, 1);
    }
    c->has_input = c->has_input || fresh;
    if (c->has_input) {
        planner_step(&c->planner, in, &out->proposal);
    }
    return c->has_input;
}

void cycle_once(struct cycle *c, int64_t now_ns) {
    int64_t due_ns = c->phase.due_ns;
    struct cycle_output *out = triple_buffer_back(&c->exchange->outputs);
    bool planned = plan(c, out);
    int64_t end_ns = clock_now_ns();
    c->cycles++;
    out->cycle = c->cycles;
    out->start_ns = due_ns;
    out->lateness_ns = clip_ns(now_ns - due_ns);
    out->duration_ns = clip_ns(end_ns - now_ns);
    /* Not finished at the next release: an overrun. The phase stays, nothing is caught up. */
    c->overruns += phase_advance(&c->phase, end_ns) > 0;
    out->overruns = c->overruns;
    if (planned) {
        triple_buffer_publish(&c->exchange->outputs);
    }
    atomic_store_explicit(&c->exchange->planner_beat_ns, end_ns, memory_order_release);
    atomic_store_explicit(&c->exchange->planner_cycles, c->cycles, memory_order_relaxed);
    atomic_store_explicit(&c->exchange->planner_overruns, c->overruns, memory_order_relaxed);
    diag_record(c->diag, DIAG_HISTOGRAM_PLANNER_WAKE, now_ns - due_ns);
    diag_record(c->diag, DIAG_HISTOGRAM_PLANNER_STEP, end_ns - now_ns);
    diag_cycle(c->diag, DIAG_THREAD_PLANNER, end_ns - now_ns);
    diag_set(c->diag, DIAG_PLANNER_CYCLES, c->cycles);
    diag_set(c->diag, DIAG_PLANNER_OVERRUNS, c->overruns);
}

void *cycle_run(void *argument) {
    struct cycle *c = argument;
    thread_prefault_stack();
    sem_post(&c->exchange->planner_ready);
    exchange_await(&c->exchange->go);
    phase_init(&c->phase, c->period_ns, EXCHANGE_PLANNER_OFFSET_NS, clock_now_ns());
    while (!atomic_load_explicit(&c->exchange->guard_done, memory_order_acquire)) {
        clock_sleep_until(c->phase.due_ns);
        cycle_once(c, clock_now_ns());
    }
    return NULL;
}
