/* The site's power: S12 (never above the limit) and S13 (reduce before raise).
 *
 * Books count for each module the larger of what was commanded and what was measured, until a newer measurement shows
 * less. A module that went silent stays on the books until T_mod_hard. Raises share what headroom is left, all by the same
 * fraction; when the limit falls, all commanded power is cut by the same fraction in the same step. Powers are in uW at
 * the modules' output; the limit, given at their input, is multiplied by the efficiency. */
#include "rt/interlock/interlock_private.h"

#define LIMIT_W_MAX INT64_C(1000000000) /* 1 GW: keeps every product within 64 bits */
#define FRACTION    65536

static int64_t product_uw(int32_t mv, int32_t ma) {
    return mv > 0 && ma > 0 ? (int64_t)mv * ma : 0;
}

static int64_t larger(int64_t a, int64_t b) {
    return a > b ? a : b;
}

static bool is_off_books(const struct step *st, uint32_t slot, uint32_t module) {
    const struct image_module *image = &st->image->slot[slot].module[module];
    const int64_t hard_us = (int64_t)st->config->interlock.t_mod_hard_ms * 1000;
    const bool gone = image->last_rx_us == 0 || st->now_us - image->last_rx_us > hard_us;
    return gone || contactor_confirmed_open(st, slot, CONTACTOR_MN0 + module);
}

/* A reading beyond the nameplate is no reading: the nameplate is the worst case (S7), and one module's nonsense cannot
 * use up the site's power (S16). */
static void take_measurement(struct step *st, uint32_t slot, uint32_t module,
                             int64_t commanded_uw) {
    const struct config_module *rated = &st->config->slot[slot].module[module];
    const struct image_module *image = &st->image->slot[slot].module[module];
    struct interlock_module *own = &st->s->slot[slot].module[module];
    const bool known = is_fresh(st, &image->voltage_mv, st->module_stale_ms);
    const int32_t mv = known ? image->voltage_mv.value : own->set_mv;
    const int32_t measured_ma = min_i32(image->current_ma.value, rated->max_current_ma);
    int64_t measured_uw = product_uw(mv, measured_ma);
    if (measured_uw > (int64_t)rated->rated_w * 1000000) {
        measured_uw = (int64_t)rated->rated_w * 1000000;
    }
    own->committed_ma = measured_ma > own->set_ma ? measured_ma : own->set_ma;
    own->committed_uw = larger(commanded_uw, measured_uw);
}

void limits_books(struct step *st, uint32_t slot) {
    int64_t *sum_ma = &st->view[slot].set_sum_ma;
    const uint32_t modules = st->config->slot[slot].module_count;
    for (uint32_t module = 0; module < modules; ++module) {
        const struct image_module *image = &st->image->slot[slot].module[module];
        struct interlock_module *own = &st->s->slot[slot].module[module];
        const struct sample *current = &image->current_ma;
        const int64_t commanded_uw = product_uw(own->set_mv, own->set_ma);
        *sum_ma += own->set_ma;
        if (is_off_books(st, slot, module)) {
            own->committed_ma = own->set_ma;
            own->committed_uw = commanded_uw;
        } else if (is_fresh(st, current, st->module_stale_ms) &&
                   current->at_us != own->measured_us) {
            own->measured_us = current->at_us;
            take_measurement(st, slot, module, commanded_uw);
        } else {
            own->committed_ma = own->set_ma > own->committed_ma ? own->set_ma : own->committed_ma;
            own->committed_uw = larger(commanded_uw, own->committed_uw);
        }
    }
}

struct sums {
    int64_t low_uw;    /* commanded after this step's reductions */
    int64_t silent_uw; /* of modules that are out of command */
    int64_t base_uw;   /* books after the reductions */
    int64_t raise_uw;  /* wished on top */
    int64_t total_uw;  /* books if every wish is granted */
};

static int64_t low_uw(const struct interlock_module *own, int64_t wished_uw) {
    const int64_t last_uw = product_uw(own->set_mv, own->set_ma);
    return wished_uw < last_uw ? wished_uw : last_uw;
}

static void add(const struct step *st, uint32_t slot, uint32_t module, struct sums *sums) {
    const struct request_module *out = &st->out->slot[slot].module[module];
    const struct interlock_module *own = &st->s->slot[slot].module[module];
    const int64_t wished_uw = product_uw(out->set_mv, out->set_ma);
    const int64_t low = low_uw(own, wished_uw);
    sums->low_uw += low;
    sums->base_uw += larger(low, own->committed_uw);
    sums->raise_uw += wished_uw - low;
    sums->total_uw += larger(wished_uw, own->committed_uw);
    if (own->fault == FAULT_MODULE_LOST) {
        sums->silent_uw += own->committed_uw;
    }
}

static int64_t limit_uw(const struct step *st) {
    int64_t limit_w = st->in->site_limit_w;
    limit_w = limit_w < 0 ? 0 : limit_w > LIMIT_W_MAX ? LIMIT_W_MAX : limit_w;
    return limit_w * 1000 * st->config->modules.efficiency_permille;
}

/* part / whole in 65536ths, rounded down; whole when it fits */
static int64_t fraction(int64_t part_uw, int64_t whole_uw) {
    if (part_uw >= whole_uw) {
        return FRACTION;
    }
    return part_uw <= 0 ? 0 : part_uw / (whole_uw / FRACTION + 1);
}

/* Cuts one module to its part and returns what the books hold for it then. */
static int64_t cut(struct step *st, uint32_t slot, uint32_t module, int64_t keep, int64_t raise) {
    struct request_module *out = &st->out->slot[slot].module[module];
    const struct interlock_module *own = &st->s->slot[slot].module[module];
    const int64_t wished_uw = product_uw(out->set_mv, out->set_ma);
    const int64_t low = low_uw(own, wished_uw);
    const int64_t allowed_uw = low * keep / FRACTION + (wished_uw - low) * raise / FRACTION;
    if (wished_uw > allowed_uw) {
        out->set_ma = (int32_t)(allowed_uw / out->set_mv);
        interlock_note(st, keep < FRACTION ? RULE_S12 : RULE_S13, slot,
                       CONTACTORS_PER_SLOT + module);
    }
    return larger(product_uw(out->set_mv, out->set_ma), own->committed_uw);
}

static void publish(struct step *st, int64_t total_uw) {
    const int64_t uw_per_w = (int64_t)1000 * st->config->modules.efficiency_permille;
    st->s->committed_w = (total_uw + uw_per_w - 1) / uw_per_w;
}

void limits_apply(struct step *st) {
    struct sums sums = {0};
    for (uint32_t slot = 0; slot < st->slots; ++slot) {
        const uint32_t modules = st->config->slot[slot].module_count;
        for (uint32_t module = 0; module < modules; ++module) {
            add(st, slot, module, &sums);
        }
    }
    const int64_t limit = limit_uw(st);
    const int64_t keep = fraction(limit - sums.silent_uw, sums.low_uw);
    const int64_t raise = keep < FRACTION ? 0 : fraction(limit - sums.base_uw, sums.raise_uw);
    if (keep == FRACTION && raise == FRACTION) {
        publish(st, sums.total_uw);
        return;
    }
    int64_t total_uw = 0;
    for (uint32_t slot = 0; slot < st->slots; ++slot) {
        const uint32_t modules = st->config->slot[slot].module_count;
        for (uint32_t module = 0; module < modules; ++module) {
            total_uw += cut(st, slot, module, keep, raise);
        }
    }
    publish(st, total_uw);
}
