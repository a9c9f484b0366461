#include "benchmarks/service/tally.h"

#include <math.h>
#include <stdlib.h>

#define LIMITED                                                                                    \
    1.05 /* a session is limited when charging takes this much longer than with unlimited power */

void tally_time(struct tally_times *times, double s) {
    if (times->count < TALLY_TIMES_MAX) {
        times->s[times->count++] = (float)s;
    }
}

void tally_state(struct tally *t, enum gun_state state, double s) {
    t->state_s[state] += s;
    t->states[state]++;
}

static int ascending(const void *a, const void *b) {
    const double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static double quantile(double *sorted, uint32_t count, double q) {
    return count == 0 ? 0 : sorted[(uint32_t)((double)(count - 1) * q + 0.5)];
}

static void print_times(FILE *f, const char *name, const struct tally_times *times) {
    fprintf(f, ",\"%s\":[", name);
    for (uint32_t i = 0; i < times->count; i++) {
        fprintf(f, "%s%.2f", i > 0 ? "," : "", (double)times->s[i]);
    }
    fputc(']', f);
}

void tally_print(FILE *f, const char *topology, double grid_w, const struct street *street,
                 const struct tally *t, double run_s) {
    static double plugged_min[DAY_VISITS_MAX], waited_min[DAY_VISITS_MAX];
    double plugged = 0, waited = 0, slowdown = 0, energy_wh = 0;
    uint32_t n = 0, charged = 0, limited = 0, waiting = 0;
    for (uint32_t i = 0; i < street->day->visits; i++) {
        const struct stay *s = &street->stay[i];
        const struct visit *v = &street->day->visit[i];
        if (s->unplugged_s < 0) {
            continue;
        }
        plugged_min[n] = (s->unplugged_s - s->plugged_s) / 60;
        waited_min[n] = (s->plugged_s - v->arrival_s) / 60;
        waiting += waited_min[n] > 0.5;
        plugged += plugged_min[n];
        waited += waited_min[n];
        energy_wh += s->energy_wh;
        n++;
        if (s->last_s > s->first_s && s->first_s >= 0 && v->unlimited_s > 0) {
            const double ratio = (s->last_s - s->first_s) / v->unlimited_s;
            slowdown += ratio;
            limited += ratio > LIMITED;
            charged++;
        }
    }
    qsort(plugged_min, n, sizeof plugged_min[0], ascending);
    qsort(waited_min, n, sizeof waited_min[0], ascending);
    const double of_n = n > 0 ? n : 1, of_charged = charged > 0 ? charged : 1;
    fprintf(
        f,
        "{\"topology\":\"%s\",\"sessions_per_day\":%g,\"grid_kw\":%g,\"seed\":%llu,\"visits\":%u,"
        "\"done\":%u,\"mean_min\":%.4f,\"p95_min\":%.4f,\"slowdown\":%.5f,\"limited\":%.5f,"
        "\"wait_mean_min\":%.4f,\"wait_p95_min\":%.4f,\"waiting\":%.5f,\"energy_kwh\":%.2f,"
        "\"closings_per_boundary\":%.4f,\"loaded_ops\":%llu,\"site_violations\":%llu,"
        "\"hazards\":%llu,\"failed\":%llu,\"late_reclaims\":%llu,\"site_peak_kw\":%.2f,"
        "\"plans\":%llu,\"run_s\":%.3f",
        topology, street->day->sessions_per_day, isinf(grid_w) ? 0 : grid_w / 1000,
        (unsigned long long)street->day->seed, street->day->visits, n, plugged / of_n,
        quantile(plugged_min, n, 0.95), slowdown / of_charged, limited / of_charged, waited / of_n,
        quantile(waited_min, n, 0.95), waiting / of_n, energy_wh / 1000,
        (double)t->closings / DAY_GUNS, (unsigned long long)t->loaded_ops,
        (unsigned long long)t->site_violations, (unsigned long long)t->hazards,
        (unsigned long long)t->failed, (unsigned long long)t->late_reclaims, t->site_peak_w / 1000,
        (unsigned long long)t->plans, run_s);
    fputs(",\"state_s\":{", f);
    for (unsigned k = 0, printed = 0; k < GUN_STATE_COUNT; k++) {
        if (t->states[k] > 0) {
            fprintf(f, "%s\"%s\":%.3f", printed++ > 0 ? "," : "", gun_state_name(k),
                    t->state_s[k] / t->states[k]);
        }
    }
    fputc('}', f);
    print_times(f, "merge_s", &t->merge);
    print_times(f, "split_s", &t->split);
    print_times(f, "reclaim_s", &t->reclaim);
    print_times(f, "start_s", &t->start);
    print_times(f, "end_s", &t->end);
    fputs("}\n", f);
}
