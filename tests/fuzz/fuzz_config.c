/* Any bytes as charger.json: the loader ends, keeps inside its memory, and what it accepts is a hub that the load analysis
 * and the report can work with. */
#include "configs/config_report.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_accepted(const struct config *config) {
    assert(config->slots >= 1 && config->slots <= RM_SLOTS_MAX);
    assert(config->connectors >= 1 && config->connectors <= RM_SLOTS_MAX);
    for (uint32_t i = 0; i < config->slots; i++) {
        const struct config_slot *s = &config->slot[i];
        assert(s->gun >= -1 && s->gun < (int)config->connectors);
        assert(config->interface[s->interface].role == INTERFACE_ROLE_PLC);
        assert(s->plc_id < RM_PLC_IDS_MAX && s->module_count <= RM_MODULES_PER_SLOT_MAX);
        for (uint32_t k = 0; k < s->module_count; k++) {
            assert(s->module[k].interface < config->interfaces);
            assert(config->interface[s->module[k].interface].role == INTERFACE_ROLE_MODULES);
        }
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static struct config config;
    static struct config_errors errors;
    static FILE *nowhere;
    if (!nowhere && !(nowhere = fopen("/dev/null", "we"))) {
        abort();
    }
    if (config_parse((const char *)data, size, &config, &errors) == 0) {
        assert(errors.count == 0);
        check_accepted(&config);
        config_report_print(nowhere, "fuzz", &config);
    } else {
        assert(errors.count > 0);
        config_errors_print(nowhere, "fuzz", &errors);
    }
    return 0;
}
