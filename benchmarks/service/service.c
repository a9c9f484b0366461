/* One topology on one kind of day for some seeds: a JSON line per seed on standard output. run.py makes the study of them. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "benchmarks/service/full.h"
#include "benchmarks/service/ideal.h"
#include "benchmarks/service/ring.h"
#include "tests/plant/plant.h"

struct options {
    const char *topology;
    double sessions_per_day, grid_kw, from_hour, hours;
    double start_s, end_s, operation_cost_kj;
    unsigned long first_seed, last_seed;
    bool guided, every_cycle, verbose;
};

static double now_s(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static int usage(const char *program) {
    fprintf(stderr,
            "usage: %s --topology NAME [--sessions N] [--grid-kw N] [--seeds FIRST LAST] "
            "[--from-hour N]\n"
            "       [--hours N] [--start-s N] [--end-s N] [--guided] [--every-cycle] "
            "[--operation-cost-kj N] [--verbose]\n"
            "topologies: fixed pairs cabinets ideal-ring matrix pool ring full; --grid-kw 0: no "
            "limit\n",
            program);
    return 2;
}

static bool read_options(int argc, char **argv, struct options *o) {
    for (int i = 1; i < argc; i++) {
        const struct {
            const char *name;
            double *value;
        } numbers[] = {{"--sessions", &o->sessions_per_day},
                       {"--grid-kw", &o->grid_kw},
                       {"--from-hour", &o->from_hour},
                       {"--hours", &o->hours},
                       {"--operation-cost-kj", &o->operation_cost_kj},
                       {"--start-s", &o->start_s},
                       {"--end-s", &o->end_s}};
        bool found = false;
        for (size_t k = 0; k < sizeof numbers / sizeof numbers[0] && i + 1 < argc; k++) {
            if (strcmp(argv[i], numbers[k].name) == 0) {
                *numbers[k].value = strtod(argv[++i], NULL);
                found = true;
                break;
            }
        }
        if (found) {
            continue;
        }
        if (strcmp(argv[i], "--topology") == 0 && i + 1 < argc) {
            o->topology = argv[++i];
        } else if (strcmp(argv[i], "--seeds") == 0 && i + 2 < argc) {
            o->first_seed = strtoul(argv[++i], NULL, 10);
            o->last_seed = strtoul(argv[++i], NULL, 10);
        } else if (strcmp(argv[i], "--guided") == 0) {
            o->guided = true;
        } else if (strcmp(argv[i], "--every-cycle") == 0) {
            o->every_cycle = true;
        } else if (strcmp(argv[i], "--verbose") == 0) {
            o->verbose = true;
        } else {
            return false;
        }
    }
    return o->topology != NULL && o->sessions_per_day > 0 && o->sessions_per_day <= 600 &&
           o->hours > 0 && o->hours <= 24 && o->grid_kw >= 0;
}

static bool run(const struct options *o, const struct day *day, double grid_w,
                struct street *street, struct tally *tally) {
    if (strcmp(o->topology, "ring") == 0) {
        const struct ring_options options = {.grid_w = grid_w,
                                             .guided = o->guided,
                                             .every_cycle = o->every_cycle,
                                             .operation_cost_kj = (int)o->operation_cost_kj};
        ring_day(day, &options, street, tally);
        return true;
    }
    if (strcmp(o->topology, "full") == 0) {
        return full_day(day, grid_w, o->guided, o->verbose, street, tally);
    }
    for (unsigned k = 0; k < TOPOLOGY_COUNT; k++) {
        if (strcmp(o->topology, topology_name(k)) == 0) {
            ideal_day(day, (enum topology)k, grid_w * SHARE_EFFICIENCY, o->guided, o->start_s,
                      o->end_s, street, tally);
            return true;
        }
    }
    return false;
}

/* --verbose: a line per driver on standard error. */
static void print_stays(const struct street *street) {
    for (uint32_t i = 0; i < street->day->visits; i++) {
        const struct stay *s = &street->stay[i];
        const struct visit *v = &street->day->visit[i];
        const struct plant_model m = plant_model(v->model);
        fprintf(stderr,
                "stay %3u gun %2d plugged %8.1f charging %7.1f s, unlimited %7.1f s, left %8.1f, "
                "%.2f kWh, %s %s\n",
                i, s->gun, s->plugged_s, s->last_s - s->first_s, v->unlimited_s, s->unplugged_s,
                s->energy_wh / 1000, m.brand, m.model);
    }
}

int main(int argc, char **argv) {
    static struct day day;
    static struct street street;
    static struct tally tally;
    struct options o = {.sessions_per_day = 120,
                        .hours = 24,
                        .operation_cost_kj = -1,
                        .start_s = RING_START_S,
                        .end_s = RING_END_S,
                        .first_seed = 1,
                        .last_seed = 1};
    if (!read_options(argc, argv, &o)) {
        return usage(argv[0]);
    }
    const double grid_w = o.grid_kw > 0 ? o.grid_kw * 1000 : (double)INFINITY;
    for (unsigned long seed = o.first_seed; seed <= o.last_seed; seed++) {
        day_draw(&day, o.sessions_per_day, o.from_hour, o.hours, seed);
        const double begin_s = now_s();
        if (!run(&o, &day, grid_w, &street, &tally)) {
            return usage(argv[0]);
        }
        if (o.verbose) {
            print_stays(&street);
        }
        char name[64];
        snprintf(name, sizeof name, "%s%s", o.topology, o.guided ? "-guided" : "");
        tally_print(stdout, name, grid_w, &street, &tally, now_s() - begin_s);
        fflush(stdout);
    }
    return 0;
}
