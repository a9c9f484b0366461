/* The command line of ringmain-rt. */
#ifndef RINGMAIN_RT_ARGUMENTS_H
#define RINGMAIN_RT_ARGUMENTS_H

#include <stdio.h>

#include "rt/io/seal.h"

/* Exit codes, listed by --help. */
enum exit_code {
    EXIT_CODE_CLEAN = 0,
    EXIT_CODE_CONFIG = 1,     /* configuration refused */
    EXIT_CODE_UNREADABLE = 2, /* configuration file cannot be read */
    EXIT_CODE_SHM = 10,
    EXIT_CODE_INTERFACE = 11,
    EXIT_CODE_FIFO = 12,
    EXIT_CODE_MLOCK = 13,
    EXIT_CODE_WATCHDOG = 14,
    EXIT_CODE_URING = 15,
    EXIT_CODE_FILTER = 16,
    EXIT_CODE_LATENCY = 17,
    EXIT_CODE_STOP_FORCED =
        20, /* SIGTERM: outputs were not all off after 10 s and were forced off */
    EXIT_CODE_USAGE = 64,
    EXIT_CODE_PANIC = 70 /* failed assertion or processor fault, outputs off */
};

struct arguments {
    const char *config; /* --config, or --check-config with check set */
    const char *transport, *shm, *run_folder;
    bool check, development, abort_on_heap, replace_shm;
    enum seal_filter_mode filter;
};

enum arguments_result { ARGUMENTS_RUN, ARGUMENTS_DONE, ARGUMENTS_WRONG };

/* ARGUMENTS_DONE: --help or --version was answered on out. ARGUMENTS_WRONG: said why on err. */
enum arguments_result arguments_parse(struct arguments *a, int argc, char **argv, FILE *out,
                                      FILE *err);

#endif
