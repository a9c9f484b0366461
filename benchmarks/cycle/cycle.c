/* How long one guard step and one planner step take for 1, 12 and 96 slots, with every gun charging.
 *
 * The real control core and planner against the virtual hub on a virtual clock. Steps are taken as ringmain-rt takes
 * them: one per tick, one per frame that may not wait, at most one every three milliseconds for all others; only our own code is
 * timed (control_rx, control_step), not the plant, not the kernel and not what the shell publishes: run.py measures that live. The share of the
 * CPU is our time per second of hub time. Growth is the ratio of 96 to 12 slots, 8.0 when exactly linear.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cjson/cJSON.h>

#include "rt/control.h"
#include "rt/planner/planner.h"
#include "tests/plant/plant.h"

#define SAMPLES_MAX   400000
#define WARM_UP_US    (90 * 1000000LL) /* handshake, cable check, precharge: all are charging then */
#define MEASURE_US    (10 * 1000000LL)
#define TICK_US       5000
#define GATHER_US     3000 /* GUARD_GATHER_NS */
#define PLANNER_US    50000
#define PLANNER_AT_US 2500

struct samples {
    uint32_t count;
    int32_t ns[SAMPLES_MAX];
};

struct result {
    uint32_t slots, charging;
    double guard_median_us, guard_p99_us, guard_max_us;
    double planner_median_us, planner_p99_us, planner_max_us;
    double cpu_percent, steps_per_s;
};

static int64_t now_ns(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

static void add(struct samples *s, int64_t ns) {
    if (s->count < SAMPLES_MAX) {
        s->ns[s->count++] = (int32_t)(ns > INT32_MAX ? INT32_MAX : ns);
    }
}

static int ascending(const void *a, const void *b) {
    int32_t x = *(const int32_t *)a;
    int32_t y = *(const int32_t *)b;
    return (x > y) - (x < y);
}

static double quantile_us(struct samples *s, double q) {
    if (s->count == 0) {
        return 0.0;
    }
    qsort(s->ns, s->count, sizeof s->ns[0], ascending);
    return (double)s->ns[(uint32_t)((double)(s->count - 1) * q)] / 1000.0;
}

struct bench {
    struct config config;
    struct control *control;
    struct plant *plant;
    struct planner_state planner;
    struct plan_input input;
    struct proposal proposal;
    struct frame_batch tx, rx;
    struct event_batch events;
    struct status status;
    struct samples guard, plan;
    int64_t busy_ns, stepped_us;
    uint64_t steps;
    bool waiting;
};

static void plan(struct bench *b, int64_t now_us, bool measured) {
    control_plan_input(b->control, now_us, &b->input);
    int64_t start = now_ns();
    planner_step(&b->planner, &b->input, &b->proposal);
    if (measured) {
        add(&b->plan, now_ns() - start);
    }
    control_proposal(b->control, &b->proposal, now_us);
}

/* One step of the guard, as ringmain-rt makes it: control_step and what it sends. */
static void guard(struct bench *b, int64_t now_us, int64_t start_ns, bool measured) {
    control_step(b->control, now_us, &b->tx, &b->events);
    int64_t took = now_ns() - start_ns;
    if (measured) {
        add(&b->guard, took);
        b->busy_ns += took;
        b->steps++;
    }
    for (uint32_t i = 0; i < b->tx.count; i++) {
        plant_rx(b->plant, b->tx.item[i].interface, &b->tx.item[i].frame, now_us);
    }
}

/* The frames of one millisecond come one by one: each that may not wait is a step of its own, the others share one. What
 * receiving those cost that wait for a later millisecond's step counts as busy time there. */
static void receive(struct bench *b, int64_t now_us, bool measured) {
    int64_t start_ns = now_ns();
    bool waiting = b->waiting;
    for (uint32_t i = 0; i < b->rx.count; i++) {
        if (control_rx(b->control, b->rx.item[i].interface, &b->rx.item[i].frame, now_us)) {
            guard(b, now_us, start_ns, measured);
            start_ns = now_ns();
            b->stepped_us = now_us;
            waiting = false;
        } else {
            waiting = true;
        }
    }
    b->waiting = false;
    if (now_us % TICK_US == 0 || (waiting && now_us - b->stepped_us >= GATHER_US)) {
        guard(b, now_us, start_ns, measured);
        b->stepped_us = now_us;
    } else {
        b->waiting = waiting;
        b->busy_ns += measured ? now_ns() - start_ns : 0;
    }
}

static void authorise(struct bench *b, int64_t now_us) {
    struct status *s = &b->status;
    control_status(b->control, now_us, s);
    for (uint32_t i = 0; i < b->config.slots; i++) {
        if (s->slot[i].gun_state == GUN_STATE_PLUGGED) {
            struct command c = {.id = 1,
                                .type = COMMAND_AUTHORISE,
                                .slot = (uint16_t)i,
                                .a = AUTH_SOURCE_FREE_VEND,
                                .text = "BENCH"};
            struct command_result r;
            control_command(b->control, &c, &r, now_us);
        }
    }
}

static void one_ms(struct bench *b, int64_t now_us, bool measured) {
    frame_batch_clear(&b->rx);
    plant_step(b->plant, now_us, &b->rx);
    if (now_us % PLANNER_US == 0) {
        plan(b, now_us, measured);
    }
    receive(b, now_us, measured);
    if (now_us % 500000 == 0 && !measured) {
        authorise(b, now_us);
    }
}

static bool run(uint32_t slots, struct result *out) {
    struct bench *b = calloc(1, sizeof *b);
    if (b == NULL) {
        return false;
    }
    config_ring(&b->config, slots, 2);
    b->control = aligned_alloc(64, (control_size() + 63) / 64 * 64);
    struct plant_options options = {.seed = 7, .handshake = PLANT_HANDSHAKE_FAST};
    int64_t now = 1000000;
    b->plant = plant_create(&b->config, &options, now);
    if (b->control == NULL || b->plant == NULL) {
        return false;
    }
    struct control_boot boot = {.boot_id = 1, .latches_known = true};
    control_init(b->control, &b->config, &boot, now);
    planner_init(&b->planner);
    struct plant_vehicle_wish wish = {.soc_pct = 10, .target_soc_pct = 95, .stay_s = 3600};
    for (uint32_t i = 0; i < slots; i++) {
        int gun = b->config.connector[i].id;
        if (plant_plug(b->plant, gun, &wish) != PLANT_OK) {
            fprintf(stderr, "cycle: gun %d cannot be plugged\n", gun);
        }
    }
    int64_t end = now + WARM_UP_US + MEASURE_US;
    for (int64_t t = now; t < end; t += 1000) {
        one_ms(b, t, t >= now + WARM_UP_US);
    }
    control_status(b->control, end, &b->status);
    for (uint32_t i = 0; i < slots; i++) {
        out->charging += b->status.slot[i].gun_state == GUN_STATE_CHARGING;
    }
    out->slots = slots;
    out->guard_median_us = quantile_us(&b->guard, 0.5);
    out->guard_p99_us = quantile_us(&b->guard, 0.99);
    out->guard_max_us = quantile_us(&b->guard, 1.0);
    out->planner_median_us = quantile_us(&b->plan, 0.5);
    out->planner_p99_us = quantile_us(&b->plan, 0.99);
    out->planner_max_us = quantile_us(&b->plan, 1.0);
    out->cpu_percent = 100.0 * (double)b->busy_ns / ((double)MEASURE_US * 1000.0);
    out->steps_per_s = (double)b->steps * 1e6 / (double)MEASURE_US;
    plant_destroy(b->plant);
    free(b->control);
    free(b);
    return true;
}

static int write_json(const char *path, const struct result *r, size_t count) {
    cJSON *root = cJSON_CreateObject();
    cJSON *entries = cJSON_CreateArray();
    for (size_t i = 0; i < count; i++) {
        char key[64];
        snprintf(key, sizeof key, "guard_%" PRIu32 "_median_us", r[i].slots);
        cJSON_AddNumberToObject(root, key, r[i].guard_median_us);
        snprintf(key, sizeof key, "planner_%" PRIu32 "_median_us", r[i].slots);
        cJSON_AddNumberToObject(root, key, r[i].planner_median_us);
        snprintf(key, sizeof key, "guard_%" PRIu32 "_cpu_percent", r[i].slots);
        cJSON_AddNumberToObject(root, key, r[i].cpu_percent);
        cJSON *e = cJSON_CreateObject();
        cJSON_AddNumberToObject(e, "steps_per_s", r[i].steps_per_s);
        cJSON_AddNumberToObject(e, "slots", r[i].slots);
        cJSON_AddNumberToObject(e, "guns_charging", r[i].charging);
        cJSON_AddNumberToObject(e, "guard_median_us", r[i].guard_median_us);
        cJSON_AddNumberToObject(e, "guard_p99_us", r[i].guard_p99_us);
        cJSON_AddNumberToObject(e, "guard_max_us", r[i].guard_max_us);
        cJSON_AddNumberToObject(e, "guard_cpu_percent", r[i].cpu_percent);
        cJSON_AddNumberToObject(e, "planner_median_us", r[i].planner_median_us);
        cJSON_AddNumberToObject(e, "planner_p99_us", r[i].planner_p99_us);
        cJSON_AddNumberToObject(e, "planner_max_us", r[i].planner_max_us);
        cJSON_AddItemToArray(entries, e);
    }
    cJSON_AddItemToObject(root, "entries", entries);
    char *text = cJSON_Print(root);
    FILE *f = text != NULL ? fopen(path, "w") : NULL;
    int failed = f == NULL || fputs(text, f) < 0;
    failed |= f == NULL || fclose(f) != 0;
    free(text);
    cJSON_Delete(root);
    return failed ? 1 : 0;
}

int main(int argc, char **argv) {
    const char *json = NULL;
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--json") == 0 && i + 1 < argc) {
            json = argv[++i];
        } else {
            fprintf(stderr, "usage: %s [--json FILE]\n", argv[0]);
            return 2;
        }
    }
    static const uint32_t sizes[] = {1, 12, 96};
    struct result results[3] = {0};
    printf("%6s %9s | guard step us: %8s %8s %8s %7s | planner step us: %8s %8s %8s\n", "slots",
           "charging", "median", "p99", "max", "CPU %", "median", "p99", "max");
    for (size_t i = 0; i < 3; i++) {
        if (!run(sizes[i], &results[i])) {
            fprintf(stderr, "cycle: out of memory\n");
            return 1;
        }
        const struct result *r = &results[i];
        printf("%6" PRIu32 " %9" PRIu32
               " |                %8.2f %8.2f %8.2f %7.2f |                  %8.2f %8.2f %8.2f\n",
               r->slots, r->charging, r->guard_median_us, r->guard_p99_us, r->guard_max_us,
               r->cpu_percent, r->planner_median_us, r->planner_p99_us, r->planner_max_us);
        if (r->charging != r->slots) {
            fprintf(stderr,
                    "cycle: only %" PRIu32 " of %" PRIu32
                    " guns were charging: the figures are not of a busy hub\n",
                    r->charging, r->slots);
        }
    }
    printf("growth from 12 to 96 slots: guard %.1fx, planner %.1fx (8.0 is linear)\n",
           results[2].guard_median_us / results[1].guard_median_us,
           results[2].planner_median_us / results[1].planner_median_us);
    return json != NULL ? write_json(json, results, 3) : 0;
}
