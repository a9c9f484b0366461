#include "rt/arguments.h"

#include <getopt.h>
#include <string.h>

#include "ringmain_version.h"

static const char HELP[] =
    "ringmain-rt: the real-time core of a charging hub\n"
    "\n"
    "Usage: ringmain-rt --config FILE [options]\n"
    "       ringmain-rt --check-config FILE\n"
    "\n"
    "  --config FILE         configuration of the hub (charger.json)\n"
    "  --check-config FILE   print verdict, topology, CAN load and response times; start nothing\n"
    "  --transport T         for all interfaces: socketcan, unix:FOLDER or udp:HOST:BASEPORT\n"
    "  --shm NAME            shared segment, for example /ringmain\n"
    "  --run-folder DIR      folder of the programs' sockets\n"
    "  --development         a developer's machine: FIFO scheduling, memory locking, the watchdog\n"
    "                        device and processor latency control may be missing. Shown in every\n"
    "                        view; never where a vehicle can be plugged in\n"
    "  --seccomp MODE        enforce (default); with --development also log or off\n"
    "  --heap-abort          builds that count heap calls: the first one after sealing aborts\n"
    "  --replace-shm         take the place of a segment of another layout. Sessions in it that\n"
    "                        ringmain-nrt has not fetched are lost\n"
    "  --version, --help\n"
    "\n"
    "Signals: SIGTERM and SIGINT stop cleanly: ramp down, open, unlock; at most 10 s.\n"
    "\n"
    "Exit codes\n"
    "   0  clean stop                         14  watchdog device refused\n"
    "   1  configuration refused              15  io_uring refused\n"
    "   2  configuration file unreadable      16  system call filter refused\n"
    "  10  shared memory refused              17  processor latency control refused\n"
    "  11  an interface refused               20  stopped, but outputs had to be forced off\n"
    "  12  SCHED_FIFO refused                 64  wrong arguments\n"
    "  13  memory locking refused             70  internal fault, outputs off\n";

enum option_id {
    OPTION_CONFIG = 256,
    OPTION_CHECK,
    OPTION_TRANSPORT,
    OPTION_SHM,
    OPTION_RUN_FOLDER,
    OPTION_DEVELOPMENT,
    OPTION_SECCOMP,
    OPTION_HEAP_ABORT,
    OPTION_REPLACE_SHM,
    OPTION_VERSION,
    OPTION_HELP
};

static const struct option OPTIONS[] = {
    {"config", required_argument, NULL, OPTION_CONFIG},
    {"check-config", required_argument, NULL, OPTION_CHECK},
    {"transport", required_argument, NULL, OPTION_TRANSPORT},
    {"shm", required_argument, NULL, OPTION_SHM},
    {"run-folder", required_argument, NULL, OPTION_RUN_FOLDER},
    {"development", no_argument, NULL, OPTION_DEVELOPMENT},
    {"seccomp", required_argument, NULL, OPTION_SECCOMP},
    {"heap-abort", no_argument, NULL, OPTION_HEAP_ABORT},
    {"replace-shm", no_argument, NULL, OPTION_REPLACE_SHM},
    {"version", no_argument, NULL, OPTION_VERSION},
    {"help", no_argument, NULL, OPTION_HELP},
    {NULL, 0, NULL, 0},
};

static bool parse_filter(const char *text, enum seal_filter_mode *mode) {
    static const char *const names[] = {"enforce", "log", "off"};
    for (int i = 0; i < 3; i++) {
        if (strcmp(text, names[i]) == 0) {
            *mode = (enum seal_filter_mode)i;
            return true;
        }
    }
    return false;
}

static bool take_option(struct arguments *a, int option) {
    switch (option) {
    case OPTION_CONFIG:
    case OPTION_CHECK:
        a->config = optarg;
        a->check = option == OPTION_CHECK;
        return true;
    case OPTION_TRANSPORT: a->transport = optarg; return true;
    case OPTION_SHM: a->shm = optarg; return true;
    case OPTION_RUN_FOLDER: a->run_folder = optarg; return true;
    case OPTION_DEVELOPMENT: a->development = true; return true;
    case OPTION_SECCOMP: return parse_filter(optarg, &a->filter);
    case OPTION_HEAP_ABORT: a->abort_on_heap = true; return true;
    case OPTION_REPLACE_SHM: a->replace_shm = true; return true;
    default: return false;
    }
}

static enum arguments_result wrong(FILE *err, const char *text) {
    fprintf(err, "ringmain-rt: %s. See ringmain-rt --help\n", text);
    return ARGUMENTS_WRONG;
}

/* What getopt_long() did not understand; it moved past the word in question. */
static enum arguments_result wrong_option(FILE *err, int option, const char *word) {
    const char *text = option == ':'              ? "needs an argument"
                       : option == OPTION_SECCOMP ? "takes enforce, log or off"
                                                  : "is no option, or takes no argument";
    fprintf(err, "ringmain-rt: %s %s. See ringmain-rt --help\n",
            option == OPTION_SECCOMP ? "--seccomp" : word, text);
    return ARGUMENTS_WRONG;
}

enum arguments_result arguments_parse(struct arguments *a, int argc, char **argv, FILE *out,
                                      FILE *err) {
    memset(a, 0, sizeof *a);
    optind = 1;
    opterr = 0;
    int option;
    while ((option = getopt_long(argc, argv, ":", OPTIONS, NULL)) != -1) {
        if (option == OPTION_HELP) {
            fputs(HELP, out);
            return ARGUMENTS_DONE;
        }
        if (option == OPTION_VERSION) {
            fprintf(out, "ringmain-rt %s\n", RINGMAIN_VERSION);
            return ARGUMENTS_DONE;
        }
        if (!take_option(a, option)) {
            return wrong_option(err, option, argv[optind - 1]);
        }
    }
    if (optind < argc) {
        return wrong(err, "an argument without option");
    }
    if (a->config == NULL) {
        return wrong(err, "no --config FILE");
    }
    if (a->filter != SEAL_FILTER_ENFORCE && !a->development) {
        return wrong(err, "--seccomp log and off need --development");
    }
    return ARGUMENTS_RUN;
}
