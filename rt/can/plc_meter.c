/* Energy of one gun: the meter's register in steps of 0.1 kWh, refined between its steps by integrating power.
 *
 * What is published never falls. A register that steps back or jumps further than power could have carried it is held:
 * energy is integrated meanwhile, flagged, until the register fits again or has stayed at its new place for 10 s (a
 * replaced meter), from where counting goes on without a step. Units: hWh (0.1 kWh) on the wire, mWh here. */
#include "rt/can/plc_private.h"

#define METER_STALE_US     2000000
#define INTEGRATION_MAX_US 2500000 /* a longer gap is not filled with an old reading */
#define REBASE_US          10000000
#define FALLBACK_STEP_US   100000
#define MODULE_FRESH_MS    1000
#define POWER_MAX_W        1000000 /* of a slot without a connector's limit */
#define MW_US_PER_MWH      INT64_C(3600000000)
#define W_TO_MW            1000

static int32_t scale_ppm(const struct plc *p, const struct config *config) {
    const struct config_connector *connector = plc_connector(p, config);
    return connector && connector->meter_scale_ppm > 0 ? connector->meter_scale_ppm : 1000000;
}

/* 0.1 kWh = 100 000 mWh; times ppm / 1 000 000 is ppm / 10. 2^32 x 2^31 / 10 fits 64 bits. */
static int64_t step_mwh(const struct plc *p, const struct config *config) {
    return scale_ppm(p, config) / 10;
}

static bool has_register(const struct plc *p, const struct config *config) {
    const struct config_connector *connector = plc_connector(p, config);
    return !connector || connector->meter_source == METER_SOURCE_PLC;
}

void plc_meter_init(struct plc *p, const struct config *config) {
    const struct config_connector *connector = plc_connector(p, config);
    p->meter.base_mwh = connector ? connector->meter_offset_wh * 1000 : 0;
}

/* Sum over the modules that have reported within a second, and what joined slots lend. */
static bool modules_output(const struct plc *p, const struct config *config,
                           const struct image_slot *image, int64_t now_us, int64_t *sum_ma,
                           int64_t *sum_w) {
    bool any = false;
    *sum_ma = image->borrowed_ma;
    *sum_w = image->borrowed_w;
    for (unsigned j = 0; j < config->slot[p->slot].module_count; j++) {
        const struct image_module *module = &image->module[j];
        if (!sample_fresh(&module->current_ma, now_us, MODULE_FRESH_MS) ||
            !sample_fresh(&module->voltage_mv, now_us, MODULE_FRESH_MS)) {
            continue;
        }
        any = true;
        *sum_ma += module->current_ma.value;
        *sum_w += (int64_t)module->current_ma.value * module->voltage_mv.value / 1000000;
    }
    return any;
}

static void publish(struct plc *p, const struct config *config, struct image_slot *image) {
    struct plc_meter *meter = &p->meter;
    int64_t mwh = meter->base_mwh + meter->register_hwh * step_mwh(p, config) + meter->refine_mwh;
    if (!meter->published || mwh > image->meter_mwh) {
        image->meter_mwh = mwh;
    }
    meter->published = true;
    image->meter_known = true;
    image->meter_wh = image->meter_mwh / 1000;
}

/* Adds power over the time since the last call. Between steps of a trusted register at most one step is added. */
static void integrate(struct plc *p, const struct config *config, struct image_slot *image,
                      int64_t power_mw, int64_t now_us) {
    struct plc_meter *meter = &p->meter;
    int64_t span_us = meter->integrated_us == 0 ? 0 : now_us - meter->integrated_us;
    meter->integrated_us = now_us;
    if (span_us <= 0 || span_us > INTEGRATION_MAX_US || power_mw <= 0) {
        return;
    }
    meter->power_mw_us += power_mw * span_us;
    meter->refine_mwh += meter->power_mw_us / MW_US_PER_MWH;
    meter->power_mw_us %= MW_US_PER_MWH;
    int64_t room_mwh = step_mwh(p, config) - 1;
    bool trusted = has_register(p, config) && !image->meter_fallback;
    if (trusted && meter->refine_mwh > room_mwh) {
        meter->refine_mwh = room_mwh;
    }
    publish(p, config, image);
}

static int64_t meter_power_mw(const struct plc *p, const struct config *config) {
    return p->meter.power_w * scale_ppm(p, config) / W_TO_MW;
}

static void set_fallback(struct plc *p, const struct config *config, struct image_slot *image,
                         int64_t now_us) {
    const struct plc_meter *meter = &p->meter;
    bool stale = !sample_fresh(&image->meter, now_us, METER_STALE_US / 1000);
    image->meter_fallback = meter->held || meter->overrange || meter->plc_fallback ||
                            (stale && (meter->published || has_register(p, config)));
}

static void rx_measurement(struct plc *p, const struct config *config,
                           const struct hub_energy_meter_data *in, struct image_slot *image,
                           int64_t now_us) {
    struct plc_meter *meter = &p->meter;
    if (!image->meter.valid) {
        plc_sample(&image->meter, 1, now_us); /* it is there; its register's turn comes next */
    }
    meter->overrange = in->overrange;
    meter->plc_fallback = in->fallback_active;
    int64_t sum_ma = 0, sum_w = 0;
    bool modules = modules_output(p, config, image, now_us, &sum_ma, &sum_w);
    set_fallback(p, config, image, now_us);
    integrate(p, config, image, meter_power_mw(p, config), now_us);
    plc_sample(&image->meter_mv, in->voltage_dv * 100, now_us);
    if (!in->overrange) {
        plc_sample(&image->gun_ma, in->current_ca * 10, now_us);
        plc_sample(&image->meter_power_w, in->power_daw * 10, now_us);
    } else if (modules) { /* the meter's own figures are saturated */
        plc_sample(&image->gun_ma, (int32_t)sum_ma, now_us);
        plc_sample(&image->meter_power_w, (int32_t)sum_w, now_us);
    } else {
        image->gun_ma.valid = false;
        image->meter_power_w.valid = false;
    }
    meter->power_w = image->meter_power_w.valid ? image->meter_power_w.value : 0;
    meter->power_at_us = now_us;
    if (!has_register(p, config)) {
        plc_sample(&image->meter, 1, now_us);
        image->meter_known = true;
    }
}

/* The furthest a register may have come since it was accepted: twice the connector's power, and two steps. */
static bool is_plausible(const struct plc *p, const struct config *config, int64_t register_hwh,
                         int64_t now_us) {
    const struct plc_meter *meter = &p->meter;
    const struct config_connector *connector = plc_connector(p, config);
    int64_t power_w =
        connector && connector->max_power_w > 0 ? connector->max_power_w : POWER_MAX_W;
    int64_t span_s = (now_us - meter->accepted_us) / 1000000 + 1;
    int64_t most_hwh = 2 * power_w * span_s / 360000 + 2;
    int64_t step_hwh = register_hwh - meter->register_hwh;
    return step_hwh >= 0 && step_hwh <= most_hwh;
}

static void accept(struct plc *p, const struct config *config, struct image_slot *image,
                   int64_t register_hwh, int64_t now_us) {
    struct plc_meter *meter = &p->meter;
    if (register_hwh != meter->register_hwh || !meter->register_seen || meter->held) {
        meter->refine_mwh = 0;
        meter->power_mw_us = 0;
    }
    meter->register_seen = true;
    meter->held = false;
    meter->register_hwh = register_hwh;
    meter->accepted_us = now_us;
    plc_sample(&image->meter, 1, now_us);
    set_fallback(p, config, image, now_us);
    publish(p, config, image);
}

static void hold(struct plc *p, const struct config *config, struct image_slot *image,
                 int64_t register_hwh, int64_t now_us) {
    struct plc_meter *meter = &p->meter;
    if (!meter->held) {
        meter->held = true;
        meter->held_us = now_us;
        meter->held_hwh = register_hwh;
        image->meter_jumps++;
    } else if (register_hwh < meter->held_hwh || register_hwh > meter->held_hwh + 10) {
        meter->held_us = now_us; /* it has not settled: look at the new place from here */
        meter->held_hwh = register_hwh;
    } else if (now_us - meter->held_us >= REBASE_US) {
        meter->base_mwh = image->meter_mwh - register_hwh * step_mwh(p, config);
        accept(p, config, image, register_hwh, now_us);
        return;
    }
    plc_sample(&image->meter, 1, now_us);
    set_fallback(p, config, image, now_us);
}

static void rx_register(struct plc *p, const struct config *config,
                        const struct hub_energy_meter_data *in, struct image_slot *image,
                        int64_t now_us) {
    if (!has_register(p, config)) {
        return;
    }
    int64_t register_hwh = in->energy_import_hwh;
    if (!p->meter.register_seen || is_plausible(p, config, register_hwh, now_us)) {
        accept(p, config, image, register_hwh, now_us);
    } else {
        hold(p, config, image, register_hwh, now_us);
    }
}

void plc_meter_rx(struct plc *p, const struct config *config,
                  const struct hub_energy_meter_data *in, struct image_slot *image,
                  int64_t now_us) {
    if (!in->meter_ok || in->comm_error || in->data_stale) {
        return; /* not a measurement: what was measured before grows old */
    }
    if (in->mux == 0) {
        rx_measurement(p, config, in, image, now_us);
    } else {
        rx_register(p, config, in, image, now_us);
    }
}

void plc_meter_tick(struct plc *p, const struct config *config, struct image_slot *image,
                    int64_t now_us) {
    struct plc_meter *meter = &p->meter;
    int64_t quiet_us = now_us - meter->integrated_us;
    if (quiet_us < FALLBACK_STEP_US || config->slot[p->slot].gun < 0) {
        return;
    }
    set_fallback(p, config, image, now_us);
    bool measurement_stale = now_us - meter->power_at_us > METER_STALE_US;
    if (!image->meter_fallback || !measurement_stale) {
        return; /* the meter's measurements carry the integration, also while its register is held */
    }
    int64_t sum_ma = 0, sum_w = 0;
    if (modules_output(p, config, image, now_us, &sum_ma, &sum_w)) {
        integrate(p, config, image, sum_w * W_TO_MW, now_us);
    } else {
        meter->integrated_us = now_us; /* nothing to integrate, and the gap is not made up for */
    }
}
