/* A PLC without SlotSense: bus voltage from the modules' own readings, gun voltage from the meter, boundary current from
 * what the setpoints allow at most (contract, preamble). A PLC that has ever sent SlotSense has one: when it stops,
 * the values grow old; the source is never switched silently. */
#include "rt/can/plc_private.h"

#define SETTLE_US       1000000 /* ten periods of SlotSense: after that there is none */
#define MODULE_FRESH_MS 625     /* 2.5 periods of the modules' voltage poll */
#define METER_FRESH_MS  625     /* 2.5 periods of the meter */

/* The highest reading: for a dead bus the cautious one. Modules behind an open contactor count only when no other is
 * connected. */
static bool bus_from_modules(const struct config_slot *slot, const struct image_slot *image,
                             int64_t now_us, int32_t *mv) {
    bool any = false, any_connected = false;
    for (unsigned j = 0; j < slot->module_count; j++) {
        const struct image_module *module = &image->module[j];
        const struct image_contactor *mn =
            slot->module[j].mn_on_plc ? &image->contactor[CONTACTOR_MN0 + j] : &module->relay;
        const struct sample *external = &module->external_mv;
        bool connected = mn->p == FEEDBACK_CLOSED && mn->n == FEEDBACK_CLOSED;
        const struct sample *reading = &module->voltage_mv;
        if (!connected && sample_fresh(external, now_us, MODULE_FRESH_MS)) {
            reading = external;
            connected = true; /* that reading is taken at the bus */
        }
        if (!sample_fresh(reading, now_us, MODULE_FRESH_MS)) {
            continue;
        }
        if (connected && !any_connected) {
            any_connected = true;
            *mv = reading->value;
        } else if (connected == any_connected) {
            *mv = any && *mv > reading->value ? *mv : reading->value;
        }
        any = true;
    }
    return any;
}

static int32_t boundary_from_setpoints(const struct config_slot *slot,
                                       const struct image_slot *image) {
    int64_t sum_ma = 0;
    for (unsigned j = 0; j < slot->module_count; j++) {
        if (image->module[j].sent_run) {
            sum_ma += image->module[j].sent_ma;
        }
    }
    return sum_ma > INT32_MAX ? INT32_MAX : (int32_t)sum_ma;
}

/* The time of a substitute is now as long as its source is fresh by the source's own period: the users of these
 * values judge age by SlotSense's. */
void plc_sense_tick(const struct plc *p, const struct config *config, struct image_slot *image,
                    int64_t now_us) {
    if (p->has_slot_sense || p->first_rx_us == 0 || now_us - p->first_rx_us < SETTLE_US) {
        return;
    }
    const struct config_slot *slot = &config->slot[p->slot];
    int32_t mv = 0;
    if (bus_from_modules(slot, image, now_us, &mv)) {
        plc_sample(&image->bus_mv, mv, now_us);
    }
    if (sample_fresh(&image->meter_mv, now_us, METER_FRESH_MS)) {
        plc_sample(&image->gun_mv, image->meter_mv.value, now_us);
    }
    plc_sample(&image->boundary_ma, boundary_from_setpoints(slot, image), now_us);
}
