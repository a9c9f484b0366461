/* The virtual hub's counter: plant.sock, a stream socket where people and tests ask for things. One JSON object per line, one
 * answer line each: {"ok":true, ..} or {"ok":false,"error":".."}. Commands:
 *
 *   plug {gun, model?, soc?, target_soc?, stay_s?, visit_s?}   without stay_s the vehicle stays until unplugged
 *   unplug {gun, force?}      force (the default) tears the plug out of a closed lock
 *   stop {gun}                the driver's stop in the car
 *   swipe {gun, token}        4, 7 or 10 bytes in hex
 *   fault {name, gun?, module?, contactor?, value?, for_ms?}   --faults lists the names
 *   clear {gun?}              end injected faults, of all guns without gun
 *   estop {pressed}           the site's button
 *   arrivals {rate}           factor; 0 stops arrivals
 *   state, report, quit
 */
#ifndef RINGMAIN_TESTS_PLANT_COUNTER_H
#define RINGMAIN_TESTS_PLANT_COUNTER_H

#include <stdbool.h>
#include <stdio.h>

#include "tests/plant/report.h"

#define COUNTER_CLIENTS_MAX 16
#define COUNTER_LINE_MAX    8192

struct counter_client {
    int fd; /* -1 free */
    size_t used;
    char line[COUNTER_LINE_MAX];
};

struct counter {
    int epoll, listener;
    char path[108];
    struct counter_client client[COUNTER_CLIENTS_MAX];
};

/* What an answer may need. */
struct counter_scene {
    struct plant *plant;
    const struct config *config;
    const struct report_run *run;
    int64_t mono_us;
};

int counter_open(struct counter *c, const char *run_folder, int epoll, FILE *err);
void counter_close(struct counter *c);
/* Answers everything that waits; true: somebody asked the program to end. */
bool counter_serve(struct counter *c, const struct counter_scene *scene);
/* The answer to one request line, without the newline; free() it. *quit is set by the command quit. */
char *counter_answer(const char *line, const struct counter_scene *scene, bool *quit);

#endif
