#include "shm/layout.h"

#include "shm/layout_pins.h"

/* ---- the pins ---- */

#define ASSERT_PIN(type, field, offset)                                                            \
    static_assert(offsetof(struct type, field) == (offset),                                        \
                  "struct " #type "." #field                                                       \
                  " moved: raise SHM_LAYOUT_VERSION and correct layout_pins.h");
#define ASSERT_SIZE(type, bytes)                                                                   \
    static_assert(sizeof(struct type) == (bytes),                                                  \
                  "struct " #type                                                                  \
                  " changed its size: raise SHM_LAYOUT_VERSION and correct layout_pins.h");

LAYOUT_PINS(ASSERT_PIN, ASSERT_SIZE)
#if RM_SLOTS_MAX == 96
LAYOUT_PINS_SLOTS(ASSERT_PIN, ASSERT_SIZE)
#endif

static_assert(offsetof(struct shm_segment, nrt) % SHM_PAGE == 0 &&
                  offsetof(struct shm_segment, lines) % SHM_PAGE == 0,
              "what nrt writes lies in whole pages of its own");
static_assert(sizeof(struct shm_header) <= SHM_PAGE, "the header fits the first page");
static_assert(RETAINED_COPY(sizeof(struct session_slot)) % RM_CACHE_LINE == 0, "copies on lines");
static_assert(sizeof(struct shm_segment) < 2u << 20, "rt must stay small: it locks all of this");

/* ---- the hash ---- */

/* A constant expression: the sum over all pins of a mixture of the pin's number and the compiler's (not the table's)
 * offset or size; then the ends of the enumerations, whose values travel as numbers. */
enum pin_number {
#define NUMBER_PIN(type, field, offset) PIN_##type##_##field,
#define NUMBER_SIZE(type, bytes)        PIN_SIZE_##type,
    LAYOUT_PINS(NUMBER_PIN, NUMBER_SIZE) LAYOUT_PINS_SLOTS(NUMBER_PIN, NUMBER_SIZE) PIN_ENUMS
};

#define TERM(number, value)                                                                        \
    (((uint64_t)(number) + 1) * UINT64_C(0x9e3779b97f4a7c15) +                                     \
     ((uint64_t)(value) + 1) * UINT64_C(0xd6e8feb86659fd93))
#define MIX(term) (((term) ^ ((term) >> 31)) * UINT64_C(0xbf58476d1ce4e5b9))
/* NOLINTBEGIN(bugprone-macro-parentheses): each is one summand of the sum below */
#define HASH_PIN(type, field, offset) +MIX(TERM(PIN_##type##_##field, offsetof(struct type, field)))
#define HASH_SIZE(type, bytes)        +MIX(TERM(PIN_SIZE_##type, sizeof(struct type)))
#define HASH_ENUM(number, count)      +MIX(TERM(PIN_ENUMS + (number), count))
/* NOLINTEND(bugprone-macro-parentheses) */

const uint64_t shm_layout_hash =
    UINT64_C(0) LAYOUT_PINS(HASH_PIN, HASH_SIZE) LAYOUT_PINS_SLOTS(HASH_PIN, HASH_SIZE)
    /* clang-format off */
    HASH_ENUM(0, GUN_STATE_COUNT)
    HASH_ENUM(1, STOP_CLASS_COUNT)
    HASH_ENUM(2, STOP_REASON_COUNT)
    HASH_ENUM(3, LIMIT_REASON_COUNT)
    HASH_ENUM(4, CP_STATE_COUNT)
    HASH_ENUM(5, HLC_STAGE_COUNT)
    HASH_ENUM(6, CONTACTORS_PER_SLOT)
    HASH_ENUM(7, IDENTITY_COUNT)
    HASH_ENUM(8, AUTH_SOURCE_COUNT)
    HASH_ENUM(9, FAULT_COUNT)
    HASH_ENUM(10, EVENT_TYPE_COUNT)
    HASH_ENUM(11, INTERFACE_STATE_COUNT)
    HASH_ENUM(12, COMMAND_TYPE_COUNT)
    HASH_ENUM(13, COMMAND_STATUS_COUNT)
    HASH_ENUM(14, DIAG_GUARD_COUNTER_COUNT)
    HASH_ENUM(15, DIAG_PLANNER_COUNTER_END)
    HASH_ENUM(16, DIAG_HISTOGRAM_COUNT);
/* clang-format on */

/* ---- the regions ---- */

#define REGION(first, after)                                                                       \
    { offsetof(struct shm_segment, first), (after)-offsetof(struct shm_segment, first) }
#define OFFSET(field) offsetof(struct shm_segment, field)

struct shm_region shm_layout_region(enum shm_region_kind kind) {
    static const struct shm_region table[SHM_REGION_COUNT] = {
        [SHM_REGION_NRT] = REGION(nrt, OFFSET(lines)),
        [SHM_REGION_LINES] = REGION(lines, OFFSET(event)),
        [SHM_REGION_EVENTS] = REGION(event, OFFSET(result)),
        [SHM_REGION_RESULTS] = REGION(result, OFFSET(telemetry)),
        [SHM_REGION_TELEMETRY] = REGION(telemetry, OFFSET(status)),
        [SHM_REGION_STATUS] = REGION(status, OFFSET(sessions)),
        [SHM_REGION_SESSIONS] = REGION(sessions, OFFSET(latches)),
        [SHM_REGION_LATCHES] = REGION(latches, OFFSET(diag)),
        [SHM_REGION_DIAG] = REGION(diag, sizeof(struct shm_segment)),
    };
    assert((unsigned)kind < SHM_REGION_COUNT);
    return table[kind];
}

const char *shm_layout_region_name(unsigned kind) {
    static const char *const names[SHM_REGION_COUNT] = {
        [SHM_REGION_NRT] = "nrt",
        [SHM_REGION_LINES] = "lines",
        [SHM_REGION_EVENTS] = "events",
        [SHM_REGION_RESULTS] = "results",
        [SHM_REGION_TELEMETRY] = "telemetry",
        [SHM_REGION_STATUS] = "status",
        [SHM_REGION_SESSIONS] = "sessions",
        [SHM_REGION_LATCHES] = "latches",
        [SHM_REGION_DIAG] = "diag",
    };
    return kind < SHM_REGION_COUNT ? names[kind] : "?";
}
