#include "tests/plant/report.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>

static void number(cJSON *object, const char *name, double value) {
    (void)cJSON_AddNumberToObject(object, name, value);
}

static double rounded(double value, double step) {
    return round(value / step) * step;
}

static void fill_hazards(cJSON *object, const struct plant *p, const struct plant_report *r) {
    const struct plant_hazard *list;
    const uint32_t count = plant_hazards(p, &list);
    cJSON *hazards = cJSON_AddArrayToObject(object, "hazard_list");
    for (uint32_t i = 0; i < count; i++) {
        cJSON *h = cJSON_CreateObject();
        (void)cJSON_AddStringToObject(h, "kind", plant_hazard_name(list[i].kind));
        number(h, "at_s", (double)list[i].at_us / 1e6);
        number(h, "slot", list[i].slot == UINT32_MAX ? -1 : (double)list[i].slot);
        number(h, "value", rounded(list[i].value, 0.1));
        (void)cJSON_AddStringToObject(h, "detail", list[i].detail);
        (void)cJSON_AddItemToArray(hazards, h);
    }
    cJSON *excused = cJSON_AddObjectToObject(object, "excused");
    for (unsigned k = 0; k < PLANT_HAZARD_COUNT; k++) {
        if (r->excused[k] > 0) {
            number(excused, plant_hazard_name(k), r->excused[k]);
        }
    }
}

void report_fill(cJSON *object, const struct plant *p, const struct report_run *run) {
    struct plant_report r;
    plant_report(p, &r);
    number(object, "sessions_started", r.sessions_started);
    number(object, "sessions_completed", r.sessions_completed);
    number(object, "sessions_failed", r.sessions_failed);
    cJSON *failures = cJSON_AddObjectToObject(object, "failures");
    for (unsigned k = 1; k < PLANT_FAILURE_COUNT; k++) {
        if (r.failures[k] > 0) {
            number(failures, plant_failure_name(k), r.failures[k]);
        }
    }
    number(object, "energy_wh", rounded(r.energy_wh, 0.01));
    number(object, "output_wh", rounded(r.output_wh, 0.01));
    number(object, "hazards", r.hazards);
    fill_hazards(object, p, &r);
    if (run->first_charge_s < 0) {
        (void)cJSON_AddNullToObject(object, "first_charge_s");
    } else {
        number(object, "first_charge_s", rounded(run->first_charge_s, 0.001));
    }
    number(object, "vehicles", r.vehicles);
    number(object, "charging", r.charging);
    number(object, "arrivals", r.arrivals);
    number(object, "turned_away", r.turned_away);
    number(object, "grid_power_w", rounded(r.grid_power_w, 1));
    number(object, "grid_peak_w", rounded(r.grid_peak_w, 1));
    number(object, "faults_injected", r.faults_injected);
    number(object, "frames_rx", (double)r.frames_rx);
    number(object, "frames_tx", (double)r.frames_tx);
    number(object, "crc_errors", (double)r.crc_errors);
    number(object, "format_errors", (double)r.format_errors);
    number(object, "elapsed_s", rounded(r.elapsed_s, 0.001));
    number(object, "late_ms", rounded(run->late_ms, 0.1));
    number(object, "late_worst_ms", rounded(run->late_worst_ms, 0.1));
    number(object, "tx_overflows", (double)run->overflows);
    number(object, "seed", (double)run->seed);
}

static cJSON *gun_object(const struct plant_gun_state *g, int gun, uint32_t slot,
                         const struct report_run *run) {
    cJSON *o = cJSON_CreateObject();
    number(o, "gun", gun);
    number(o, "slot", slot);
    (void)cJSON_AddBoolToObject(o, "plugged", g->plugged);
    (void)cJSON_AddStringToObject(o, "model", g->model);
    (void)cJSON_AddStringToObject(o, "hlc_stage", hlc_stage_name((unsigned)g->stage));
    const char cp[2] = {cp_state_letter((unsigned)g->cp), 0};
    (void)cJSON_AddStringToObject(o, "cp", cp);
    (void)cJSON_AddBoolToObject(o, "locked", g->locked);
    number(o, "soc", rounded(g->soc_pct, 0.01));
    number(o, "target_soc", rounded(g->target_soc_pct, 0.01));
    number(o, "bus_v", rounded(g->bus_v, 0.1));
    number(o, "gun_v", rounded(g->gun_v, 0.1));
    number(o, "gun_a", rounded(g->gun_a, 0.1));
    number(o, "target_a", rounded(g->target_a, 0.1));
    number(o, "power_w", rounded(g->power_w, 1));
    number(o, "energy_wh", rounded(g->energy_wh, 0.01));
    number(o, "plc_fault_reason", g->plc_fault_reason);
    (void)cJSON_AddBoolToObject(o, "imd_enabled", g->imd_enabled);
    (void)cJSON_AddBoolToObject(o, "vehicle_contactor", g->vehicle_contactor);
    (void)cJSON_AddBoolToObject(o, "gc_closed", g->contactor[CONTACTOR_GC]);
    number(o, "gc_opened_mono_ns", (double)run->gc_opened_mono_us[slot] * 1000.0);
    cJSON *closed = cJSON_AddArrayToObject(o, "closed");
    for (unsigned k = 0; k < CONTACTORS_PER_SLOT; k++) {
        if (g->contactor[k]) {
            (void)cJSON_AddItemToArray(closed, cJSON_CreateString(contactor_kind_name(k)));
        }
    }
    cJSON *modules = cJSON_AddArrayToObject(o, "modules");
    for (uint32_t k = 0; k < g->modules; k++) {
        cJSON *m = cJSON_CreateObject();
        (void)cJSON_AddBoolToObject(m, "on", g->module_on[k]);
        number(m, "v", rounded(g->module_v[k], 0.1));
        number(m, "a", rounded(g->module_a[k], 0.1));
        (void)cJSON_AddItemToArray(modules, m);
    }
    return o;
}

void report_state(cJSON *object, const struct plant *p, const struct config *config,
                  const struct report_run *run, int64_t mono_us) {
    number(object, "mono_ns", (double)mono_us * 1000.0);
    cJSON *guns = cJSON_AddArrayToObject(object, "guns");
    for (uint32_t i = 0; i < config->slots; i++) {
        struct plant_gun_state g;
        if (config->slot[i].gun < 0) {
            continue;
        }
        plant_slot_state(p, i, &g);
        (void)cJSON_AddItemToArray(
            guns, gun_object(&g, config->connector[config->slot[i].gun].id, i, run));
    }
}

int report_write(const char *path, const struct plant *p, const struct report_run *run) {
    cJSON *object = cJSON_CreateObject();
    report_fill(object, p, run);
    char *text = cJSON_Print(object);
    cJSON_Delete(object);
    FILE *f = text != NULL ? fopen(path, "we") : NULL;
    int result = f == NULL ? -errno : 0;
    if (f != NULL) {
        if (fprintf(f, "%s\n", text) < 0) {
            result = -EIO;
        }
        if (fclose(f) != 0) {
            result = -errno;
        }
    }
    cJSON_free(text);
    return result;
}
