/* What `ringmain-rt --check-config FILE` prints, and the load check that a start makes. Start-up only: heap and files. */
#ifndef RINGMAIN_CONFIGS_CONFIG_REPORT_H
#define RINGMAIN_CONFIGS_CONFIG_REPORT_H

#include "configs/can_load.h"
#include "configs/config.h"

/* Returned by config_check_print(), fit to be the program's exit code. */
enum config_verdict {
    CONFIG_VERDICT_GOOD = 0, /* also when it warns */
    CONFIG_VERDICT_REFUSED =
        1, /* errors in the file, a bus above 90 %, a response beyond its deadline */
    CONFIG_VERDICT_UNREADABLE = 2 /* no such file, no permission, no memory */
};

/* Reads the file and prints verdict, topology, interfaces, CAN load and response times; or all its errors. */
enum config_verdict config_check_print(FILE *out, const char *path);
/* The same of a configuration already loaded; source names it. */
enum config_verdict config_report_print(FILE *out, const char *source, const struct config *config);

/* The worst verdict over all interfaces; each warning and refusal is one line on err (NULL: none). */
enum can_load_verdict config_load_verdict(const struct config *config, FILE *err);

#endif
