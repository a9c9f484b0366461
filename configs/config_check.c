#include "configs/config_draft.h"

#include <string.h>

bool config_errors_has(const struct config_errors *errors, const char *path) {
    for (uint32_t i = 0; i < errors->count && i < CONFIG_ERRORS_MAX; i++) {
        if (strcmp(errors->error[i].path, path) == 0) {
            return true;
        }
    }
    return false;
}

bool config_errors_has_below(const struct config_errors *errors, const char *path) {
    for (uint32_t i = 0; i < errors->count && i < CONFIG_ERRORS_MAX; i++) {
        if (strncmp(errors->error[i].path, path, strlen(path)) == 0) {
            return true;
        }
    }
    return false;
}

/* Figures that default to another figure. */
static void derive_figures(struct config_draft *draft) {
    struct config *c = &draft->config;
    if (c->fail_safe_limit_w == CONFIG_UNSET) {
        c->fail_safe_limit_w = c->grid_limit_w;
    }
    if (c->nrt.site_limit_w == CONFIG_UNSET) {
        c->nrt.site_limit_w = c->grid_limit_w;
    }
    if (c->plc_timing[PLC_MESSAGE_RELAY_STATUS].period_ms == CONFIG_UNSET) {
        c->plc_timing[PLC_MESSAGE_RELAY_STATUS].period_ms =
            c->plc.contactor_frame == CONTACTOR_FRAME_RELAY ? 100 : 1000;
    }
}

static void copy_parts(struct config_draft *draft) {
    struct config *c = &draft->config;
    c->connectors = draft->connectors;
    for (uint32_t i = 0; i < draft->connectors; i++) {
        c->connector[i] = draft->connector[i].connector;
    }
    c->slots = draft->slots;
    for (uint32_t i = 0; i < draft->slots; i++) {
        c->slot[i] = draft->slot[i].slot;
    }
}

void config_check(struct config_draft *draft, struct config_errors *errors) {
    if (config_errors_has_below(errors, "line ")) {
        return; /* not JSON: nothing was read */
    }
    derive_figures(draft);
    config_resolve_interfaces(draft, errors);
    config_resolve_slots(draft, errors);
    config_resolve_modules(draft, errors);
    config_rules(draft, errors);
    config_order_slots(draft, errors);
    copy_parts(draft);
}
