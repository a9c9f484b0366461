/* The virtual hub's figures as JSON. */
#ifndef RINGMAIN_TESTS_PLANT_REPORT_H
#define RINGMAIN_TESTS_PLANT_REPORT_H

#include <cjson/cJSON.h>

#include "tests/plant/plant.h"

/* What the program knows beside the hub itself. */
struct report_run {
    uint64_t seed;
    double first_charge_s; /* on the real clock; negative: none yet */
    double late_ms;        /* how much the virtual clock has fallen behind the real one */
    double late_worst_ms;  /* the most at once */
    uint64_t overflows;    /* frames the sockets did not take */
    int64_t slip_us;       /* real time less virtual time */
    int64_t gc_opened_mono_us[RM_SLOTS_MAX]; /* by slot, real clock; 0 never */
};

/* Adds the report's fields to an object. */
void report_fill(cJSON *object, const struct plant *p, const struct report_run *run);
/* Adds mono_ns and guns[]. */
void report_state(cJSON *object, const struct plant *p, const struct config *config,
                  const struct report_run *run, int64_t mono_us);
/* 0 or -errno. */
int report_write(const char *path, const struct plant *p, const struct report_run *run);

#endif
