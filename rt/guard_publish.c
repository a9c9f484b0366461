#include <string.h>

#include "rt/guard_private.h"
#include "rt/io/clock.h"

#define MWH_IN_W_US 3600000LL /* 1 mWh = 3.6 J */

void guard_publish_init(struct guard *g) {
    for (uint32_t s = 0; s < RM_SLOTS_MAX; s++) {
        g->sessions_seq[s] = UINT64_MAX; /* everything adopted is published once */
    }
}

void guard_event(struct guard *g, enum event_type type, int64_t value) {
    if (g->events.count >= EVENT_BATCH_MAX) {
        g->events.dropped++;
        return;
    }
    struct event *e = &g->events.item[g->events.count++];
    memset(e, 0, sizeof *e);
    e->type = (uint16_t)type;
    e->slot = EVENT_SLOT_NONE;
    e->mono_ns = g->now_ns;
    e->value = value;
}

void guard_commands(struct guard *g) {
    struct command command[GUARD_COMMANDS_MAX];
    uint32_t n = shm_rt_commands(g->in.shm, command, GUARD_COMMANDS_MAX);
    for (uint32_t i = 0; i < n; i++) {
        struct command_result result;
        memset(&result, 0, sizeof result);
        control_command(g->in.control, &command[i], &result, guard_now_us(g));
        g->refused += result.status != COMMAND_STATUS_OK;
        shm_rt_result(g->in.shm, &result);
    }
    shm_rt_commands_done(g->in.shm, n);
    g->commands += n;
    g->events_due = g->events_due || n > 0;
}

void guard_proposal(struct guard *g) {
    bool fresh = false;
    g->cycle = triple_buffer_fetch(&g->in.exchange->outputs, &fresh);
    if (fresh) {
        control_proposal(g->in.control, &g->cycle->proposal, guard_now_us(g));
        g->proposals++;
    }
}

static bool is_slot_fault(const struct status_slot *s, enum fault_code code) {
    return (s->faults >> code & 1) != 0;
}

static void publish_latches(struct guard *g) {
    bool estop_latched = false, known = true;
    for (uint32_t s = 0; s < g->in.config->slots; s++) {
        known = known && !is_slot_fault(&g->status.slot[s], FAULT_LATCH_UNKNOWN);
    }
    control_latches(g->in.control, g->latched, &estop_latched);
    shm_rt_latches(g->in.shm, g->latched, estop_latched, known);
}

/* Those that found no room in the ring, and those that found none in the batch of their step. */
static uint64_t events_dropped(const struct guard *g) {
    return g->in.shm->events.dropped + g->events_without_room;
}

static void fill_interfaces(struct guard *g) {
    g->status.interfaces = g->in.config->interfaces;
    for (uint32_t i = 0; i < g->in.config->interfaces; i++) {
        const struct bus *bus = &g->bus[i];
        const uint32_t refused = g->status.interface[i].rx_dropped; /* by control_status() */
        const uint32_t turned_down = links_restarts_refused(g->in.links, i);
        g->status.interface[i] = (struct status_interface){
            .state = (uint8_t)bus->state,
            .restarts_refused = (uint8_t)(turned_down < UINT8_MAX ? turned_down : UINT8_MAX),
            .restarts = bus->counters.restarts,
            .rx_frames = bus->counters.rx_frames,
            .tx_frames = bus->counters.tx_frames,
            .tx_overflow = bus->counters.tx_deferred + bus->counters.tx_dropped,
            .rx_dropped = refused + bus->counters.rx_dropped + bus->counters.rx_malformed,
            .error_frames = bus->counters.error_frames,
        };
    }
}

static void publish_status(struct guard *g) {
    struct exchange *x = g->in.exchange;
    control_status(g->in.control, guard_now_us(g), &g->status);
    g->status.boot_id = g->in.shm->boot_id;
    g->status.mono_ns = g->now_ns;
    g->status.guard_steps = g->steps;
    g->status.planner_cycles = atomic_load_explicit(&x->planner_cycles, memory_order_relaxed);
    g->status.planner_overruns = atomic_load_explicit(&x->planner_overruns, memory_order_relaxed);
    g->status.events_dropped = (uint32_t)events_dropped(g);
    g->status.page_faults = g->page_faults;
    g->status.heap_calls = g->heap_calls;
    g->status.flags |= g->in.status_flags;
    g->status.flags &= ~(uint32_t)STATUS_FLAG_NRT_ATTACHED;
    if (events_dropped(g) != 0) {
        g->status.flags |= STATUS_FLAG_EVENTS_DROPPED;
    }
    if (shm_rt_peer_alive(g->in.shm, g->now_ns, GUARD_NRT_AGE_NS)) {
        g->status.flags |= STATUS_FLAG_NRT_ATTACHED;
    }
    fill_interfaces(g);
    shm_rt_status(g->in.shm, &g->status);
    g->status_published++;
}

static void publish_session(struct guard *g, uint32_t slot) {
    uint64_t seq = 0;
    const struct session_slot *sessions = control_sessions(g->in.control, slot, &seq);
    if (seq != g->sessions_seq[slot]) {
        g->sessions_seq[slot] = seq;
        shm_rt_sessions(g->in.shm, slot, sessions);
        g->sessions_published++;
    }
}

static bool has_session_event(const struct event_batch *events) {
    for (uint32_t i = 0; i < events->count; i++) {
        if (events->item[i].type == EVENT_SESSION_STARTED ||
            events->item[i].type == EVENT_SESSION_ENDED) {
            return true;
        }
    }
    return false;
}

/* Running records change with every meter reading: a few slots per tick. A start or an end is published at once, before the
 * event that tells of it, so that who reads the event finds the record. */
static void publish_sessions(struct guard *g) {
    uint32_t slots = g->in.config->slots;
    if (has_session_event(&g->events)) {
        for (uint32_t s = 0; s < slots; s++) {
            publish_session(g, s);
        }
        return;
    }
    if (!g->tick_pending) {
        return;
    }
    for (uint32_t n = 0; n < GUARD_SESSIONS_A_TICK && n < slots; n++) {
        publish_session(g, g->sessions_next);
        g->sessions_next = (g->sessions_next + 1) % slots;
    }
}

static uint64_t sum_frames(const struct guard *g, bool received) {
    uint64_t sum = 0;
    for (uint32_t i = 0; i < g->in.config->interfaces; i++) {
        sum += received ? g->bus[i].counters.rx_frames : g->bus[i].counters.tx_frames;
    }
    return sum;
}

static void count_modules(const struct status_slot *slot, struct telemetry *t) {
    for (uint32_t m = 0; m < slot->module_count && m < RM_MODULES_PER_SLOT_MAX; m++) {
        if (slot->module[m].flags & STATUS_MODULE_RUNNING) {
            t->modules_running++;
        }
        if (slot->module[m].flags & STATUS_MODULE_HEALTHY) {
            t->modules_healthy++;
        }
    }
}

static void count_guns(const struct guard *g, struct telemetry *t) {
    uint32_t members[RM_SLOTS_MAX] = {0};
    for (uint32_t s = 0; s < g->in.config->slots; s++) {
        const struct status_slot *slot = &g->status.slot[s];
        int32_t demand_w = slot->offered_w;
        if (slot->ev_max_w >= 0 && slot->ev_max_w < demand_w) {
            demand_w = slot->ev_max_w;
        }
        t->budgets_w += slot->budget_w;
        t->demand_w += demand_w;
        if (slot->cp_state >= CP_STATE_B && slot->cp_state <= CP_STATE_D) {
            t->guns_plugged++;
        }
        if (slot->gun_state == GUN_STATE_CHARGING) {
            t->guns_charging++;
        }
        if (slot->gun_state == GUN_STATE_FAULTED) {
            t->guns_faulted++;
        }
        if (slot->island < RM_SLOTS_MAX && ++members[slot->island] == 2) {
            t->islands++;
        }
        count_modules(slot, t);
    }
}

static void write_telemetry(struct guard *g, const struct cycle_output *out) {
    uint64_t rx = sum_frames(g, true), tx = sum_frames(g, false);
    int64_t cycles = (int64_t)(out->cycle - g->cycle_seen);
    g->energy_w_us += g->status.site_power_w * cycles * g->in.config->planner_period_ms * 1000;
    struct telemetry t = {
        .cycle = out->cycle,
        .start_mono_ns = out->start_ns,
        .site_power_w = g->status.site_power_w,
        .site_limit_w = g->status.site_limit_w,
        .limit_reason = (uint8_t)g->status.site_limit_reason,
        .energy_mwh = (uint64_t)(g->energy_w_us > 0 ? g->energy_w_us / MWH_IN_W_US : 0),
        .guard_steps = g->steps,
        .lateness_ns = out->lateness_ns,
        .duration_ns = out->duration_ns,
        .guard_max_ns = (int32_t)(g->step_max_ns > INT32_MAX ? INT32_MAX : g->step_max_ns),
        .guard_late_ns = (int32_t)(g->late_max_ns > INT32_MAX ? INT32_MAX : g->late_max_ns),
        .rx_frames = (uint32_t)(rx - g->rx_last),
        .tx_frames = (uint32_t)(tx - g->tx_last),
        .overruns = (uint32_t)out->overruns,
        .rejected = (uint32_t)g->status.proposals_rejected,
    };
    count_guns(g, &t);
    shm_rt_telemetry(g->in.shm, &t);
    g->rx_last = rx;
    g->tx_last = tx;
    g->step_max_ns = 0;
    g->late_max_ns = 0;
}

static void push_events(struct guard *g) {
    g->events_without_room += g->events.dropped;
    uint32_t fitted = shm_rt_events(g->in.shm, g->events.item, g->events.count);
    g->events_pushed += fitted;
    g->events_due = g->events_due || fitted > 0;
    if (g->events_due) {
        shm_rt_ring(g->in.shm);
        g->events_due = false;
    }
}

static void publish_bus_counters(const struct guard *g, struct diag *d) {
    struct bus_counters sum = {0};
    uint64_t failures = 0, turned_down = 0;
    for (uint32_t i = 0; i < g->in.config->interfaces; i++) {
        const struct bus_counters *c = &g->bus[i].counters;
        sum.rx_dropped += c->rx_dropped + c->rx_malformed;
        sum.tx_deferred += c->tx_deferred;
        sum.tx_dropped += c->tx_dropped;
        sum.error_frames += c->error_frames;
        sum.restarts += c->restarts;
        failures += links_failures(g->in.links, i);
        turned_down += links_restarts_refused(g->in.links, i);
    }
    diag_set(d, DIAG_RX_FRAMES, sum_frames(g, true));
    diag_set(d, DIAG_RX_DROPPED, sum.rx_dropped);
    diag_set(d, DIAG_TX_FRAMES, sum_frames(g, false));
    diag_set(d, DIAG_TX_OVERFLOW, sum.tx_deferred);
    diag_set(d, DIAG_TX_DROPPED, sum.tx_dropped + g->frames_without_room);
    diag_set(d, DIAG_ERROR_FRAMES, sum.error_frames);
    diag_set(d, DIAG_INTERFACE_RESTARTS, sum.restarts);
    diag_set(d, DIAG_OPEN_FAILURES, failures);
    diag_set(d, DIAG_RESTARTS_REFUSED, turned_down);
}

static void publish_counters(struct guard *g) {
    struct diag *d = shm_rt_diag(g->in.shm);
    struct seal_faults faults = seal_page_faults(g->in.seal);
    g->page_faults = (uint32_t)(faults.minor + faults.major);
    g->heap_calls = seal_heap_calls();
    publish_bus_counters(g, d);
    diag_set(d, DIAG_GUARD_STEPS, g->steps);
    diag_set(d, DIAG_GUARD_TICKS, g->ticks);
    diag_set(d, DIAG_GUARD_TICKS_LATE, g->tick.missed);
    diag_set(d, DIAG_COMMANDS, g->commands);
    diag_set(d, DIAG_COMMANDS_REFUSED, g->refused);
    diag_set(d, DIAG_RESULTS_DROPPED, g->in.shm->results.dropped);
    diag_set(d, DIAG_EVENTS, g->events_pushed);
    diag_set(d, DIAG_EVENTS_DROPPED, events_dropped(g));
    diag_set(d, DIAG_DOORBELL_LOST, g->in.shm->events_bell.lost);
    diag_set(d, DIAG_PEER_FAULTS, shm_rt_peer_faults(g->in.shm));
    diag_set(d, DIAG_PROPOSALS, g->proposals);
    diag_set(d, DIAG_PROPOSALS_REJECTED, g->status.proposals_rejected);
    diag_set(d, DIAG_STATUS_PUBLISHED, g->status_published);
    diag_set(d, DIAG_SESSIONS_PUBLISHED, g->sessions_published);
    diag_set(d, DIAG_PAGE_FAULTS_MINOR, faults.minor);
    diag_set(d, DIAG_PAGE_FAULTS_MAJOR, faults.major);
    diag_set(d, DIAG_HEAP_CALLS, g->heap_calls);
}

static void feed_watchdog(struct guard *g) {
    int64_t beat_ns = atomic_load_explicit(&g->in.exchange->planner_beat_ns, memory_order_acquire);
    bool alive = g->now_ns - beat_ns < GUARD_PLANNER_DEAD_NS;
    if (watchdog_feed(&g->in.watchdog, alive, g->now_ns)) {
        diag_add(shm_rt_diag(g->in.shm), DIAG_WATCHDOG_FEEDS, 1);
    }
}

static bool planner_comes(const struct guard *g) {
    const int64_t period_ns = g->in.config->planner_period_ms * CLOCK_NS_PER_MS;
    const int64_t into_ns = (g->now_ns - EXCHANGE_PLANNER_OFFSET_NS) % period_ns;
    return period_ns - into_ns <= GUARD_PLAN_INPUT_NS;
}

static void give_plan_input(struct guard *g) {
    g->plan_given = true;
    struct plan_input *in = triple_buffer_back(&g->in.exchange->plan_input);
    control_plan_input(g->in.control, guard_now_us(g), in);
    triple_buffer_publish(&g->in.exchange->plan_input);
}

void guard_publish(struct guard *g) {
    const struct cycle_output *cycle = g->cycle;
    bool cycled = cycle->cycle != g->cycle_seen;
    if (g->tick_pending) {
        if (planner_comes(g) || !g->plan_given) {
            give_plan_input(g);
        }
        shm_rt_heartbeat(g->in.shm, g->now_ns);
        feed_watchdog(g);
    }
    if (cycled && cycle->overruns > g->overruns_seen) {
        guard_event(g, EVENT_OVERRUN, cycle->lateness_ns / 1000);
        g->overruns_seen = cycle->overruns;
    }
    publish_sessions(g);
    bool due = g->tick_pending && g->ticks % GUARD_STATUS_TICKS == 0;
    if (due || g->events.count > 0) {
        publish_status(g);
        publish_latches(g);
    }
    push_events(g);
    if (cycled) {
        write_telemetry(g, cycle);
        g->cycle_seen = cycle->cycle;
    }
    if (g->tick_pending && g->ticks % GUARD_SLOW_TICKS == 0) {
        publish_counters(g);
    }
}
