/* What the loader works on: the configuration as the file says it, names and slot ids not yet resolved.
 * Private to configs/. */
#ifndef RINGMAIN_CONFIGS_CONFIG_DRAFT_H
#define RINGMAIN_CONFIGS_CONFIG_DRAFT_H

#include "configs/config.h"

/* "not in the file": no value of any key can be either of these. */
#define CONFIG_UNSET       INT32_MIN
#define CONFIG_TEXT_UNSET  "\x7f"
#define CONFIG_COUNT_UNSET UINT32_MAX /* counter of a CONFIG_DERIVED array */

#define CONFIG_BUS_ADDRESSES_MAX 63

struct draft_address {
    char module[16];
    int32_t address;
};

/* One CAN interface; addresses are of module buses alone. */
struct draft_bus {
    struct config_interface interface;
    uint32_t addresses;
    struct draft_address address[CONFIG_BUS_ADDRESSES_MAX];
};

struct draft_connector {
    struct config_connector connector;
    int32_t plc_id;
    char can_interface[16];
};

struct draft_slot {
    struct config_slot slot;
    int32_t plc_id, gun_id, cw, ccw;
    char can_interface[16];
    uint32_t modules;
};

struct config_draft {
    struct config config;
    uint32_t plc_buses, module_buses, connectors, slots;
    int32_t modules_per_slot;
    int32_t module_max_current_ma, module_max_voltage_mv, module_min_voltage_mv;
    struct draft_bus plc_bus[RM_INTERFACES_MAX];
    struct draft_bus module_bus[RM_INTERFACES_MAX];
    struct draft_connector connector[RM_SLOTS_MAX];
    struct draft_slot slot[RM_SLOTS_MAX];
};

/* One finding. format is the text; value NULL or "" when there is none to show. */
void config_errors_add(struct config_errors *errors, const char *path, const char *value,
                       const char *format, ...) __attribute__((format(printf, 4, 5)));

/* Fills a draft with the table's defaults; no arrays. */
void config_draft_defaults(struct config_draft *draft);
/* The same for one element of the array with this pattern, such as "slots[]". */
void config_element_defaults(void *element, const char *pattern);

/* config_read.c: JSON text into a draft by the table: types, ranges, unknown, doubled and missing keys. */
void config_read(const char *json, size_t length, struct config_draft *draft,
                 struct config_errors *errors);

/* config_check.c: after reading: what was left out is generated, names become indices, slots go into ring order, and
 * what must hold between keys is checked. draft->config is complete when errors->count is 0. */
void config_check(struct config_draft *draft, struct config_errors *errors);

/* Its steps, in this order; errors name the file's paths.
 * config_resolve.c: interfaces, then what slots and connectors say of each other. */
void config_resolve_interfaces(struct config_draft *draft, struct config_errors *errors);
void config_resolve_slots(struct config_draft *draft, struct config_errors *errors);
/* config_modules.c: modules and their addresses. */
void config_resolve_modules(struct config_draft *draft, struct config_errors *errors);
/* config_rules.c: what must hold between figures. */
void config_rules(const struct config_draft *draft, struct config_errors *errors);
/* config_order.c: slots into clockwise order; what their cw and ccw say must be one closed ring. */
void config_order_slots(struct config_draft *draft, struct config_errors *errors);

/* config_order.c: the draft of config_ring(). */
void config_draft_ring(struct config_draft *draft, uint32_t n, uint32_t modules_per_slot);

/* Was something said of this path already? Then what follows from it is not said again. */
bool config_errors_has(const struct config_errors *errors, const char *path);
/* .. of any path that begins so? */
bool config_errors_has_below(const struct config_errors *errors, const char *path);

/* Folder of a unix transport: folder, /, interface name of 15 bytes and .sock fit a socket address. */
#define CONFIG_SOCKET_FOLDER_MAX 86

/* What is wrong with a name of shared memory or a folder of sockets; NULL nothing. */
const char *config_shm_name_wrong(const char *name);
const char *config_run_folder_wrong(const char *folder);

static inline bool config_text_is_set(const char *text) {
    return text[0] != CONFIG_TEXT_UNSET[0];
}

#endif
