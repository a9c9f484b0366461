/* ringmain-nrt: options, signals, the run. */
#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "nrt/nrt.h"
#include "ringmain_version.h"

static volatile sig_atomic_t stop_requested;

static void on_signal(int number) {
    (void)number;
    stop_requested = 1;
}

static const char USAGE[] =
    "Usage: ringmain-nrt --config FILE [options]\n"
    "The ordinary process of a Ringmain hub: writes the event log and the session records, "
    "authorises,\n"
    "renews the site limit, answers on nrt.sock. May be killed and started again at any moment.\n"
    "\n"
    "  --config FILE      configuration of the hub (charger.json)\n"
    "  --shm NAME         name of the shared memory (default: rt.shmName of the configuration)\n"
    "  --run-folder DIR   folder of the sockets (default: rt.runFolder)\n"
    "  --log FILE         event log (default: nrt.eventLogFile); FILE.sessions.jsonl takes the "
    "sessions,\n"
    "                     FILE.keep.json the limits, availability and latched faults\n"
    "  --transport T      checked and otherwise not used: the same options suit every program of "
    "the hub\n"
    "  --version, --help\n"
    "\n"
    "Exit codes: 0 stopped by a signal, 1 cannot go on, 2 wrong usage or configuration.\n";

struct options {
    const char *config, *shm, *run_folder, *log, *transport;
};

static int parse_options(int argc, char **argv, struct options *out) {
    static const struct option OPTIONS[] = {{"config", required_argument, NULL, 'c'},
                                            {"shm", required_argument, NULL, 's'},
                                            {"run-folder", required_argument, NULL, 'r'},
                                            {"log", required_argument, NULL, 'l'},
                                            {"transport", required_argument, NULL, 't'},
                                            {"version", no_argument, NULL, 'v'},
                                            {"help", no_argument, NULL, 'h'},
                                            {NULL, 0, NULL, 0}};
    int option;
    while ((option = getopt_long(argc, argv, "", OPTIONS, NULL)) != -1) {
        switch (option) {
        case 'c': out->config = optarg; break;
        case 's': out->shm = optarg; break;
        case 'r': out->run_folder = optarg; break;
        case 'l': out->log = optarg; break;
        case 't': out->transport = optarg; break;
        case 'v': puts("ringmain-nrt " RINGMAIN_VERSION); exit(EXIT_SUCCESS);
        case 'h': fputs(USAGE, stdout); exit(EXIT_SUCCESS);
        default: return -EINVAL; /* getopt said what is wrong */
        }
    }
    if (optind != argc) {
        nrt_say("\"%s\" is not an option; see --help", argv[optind]);
        return -EINVAL;
    }
    if (out->config == NULL) {
        nrt_say("--config FILE is missing; see --help");
        return -EINVAL;
    }
    return 0;
}

static int load(struct nrt *n, const struct options *options) {
    struct config_errors *errors = calloc(1, sizeof *errors);
    if (errors == NULL) {
        return -ENOMEM;
    }
    int code = config_load_or_explain(options->config, &n->config, stderr);
    if (code == 0) {
        code = config_override(&n->config, options->transport, options->shm, options->run_folder,
                               errors);
        if (code != 0) {
            config_errors_print(stderr, "command line", errors);
        }
    }
    free(errors);
    if (code != 0) {
        return code;
    }
    const char *log = options->log != NULL ? options->log : n->config.nrt.event_log_file;
    if (strlen(log) + 32 > sizeof n->log_path || strlen(options->config) + 1 > NRT_PATH_MAX) {
        nrt_say("a path is too long");
        return -ENAMETOOLONG;
    }
    snprintf(n->config_path, sizeof n->config_path, "%s", options->config);
    snprintf(n->log_path, sizeof n->log_path, "%.280s", log);
    snprintf(n->sessions_path, sizeof n->sessions_path, "%.280s.sessions.jsonl", log);
    snprintf(n->keep_path, sizeof n->keep_path, "%.280s.keep.json", log);
    return 0;
}

static void set_signals(void) {
    struct sigaction action = {.sa_handler = on_signal}; /* no SA_RESTART: epoll_wait returns */
    sigaction(SIGTERM, &action, NULL);
    sigaction(SIGINT, &action, NULL);
    action.sa_handler = SIG_IGN;
    sigaction(SIGPIPE, &action, NULL);
    sigaction(SIGHUP, &action, NULL);
}

int main(int argc, char **argv) {
    static struct nrt nrt; /* large, and zero */
    struct options options = {0};
    if (parse_options(argc, argv, &options) != 0 || load(&nrt, &options) != 0) {
        return 2;
    }
    set_signals();
    nrt.stop = &stop_requested;
    if (nrt_open(&nrt) != 0) {
        return 1;
    }
    int code = nrt_run(&nrt);
    if (code != 0) {
        nrt_say("event loop: %s", strerror(-code));
    }
    nrt_close(&nrt);
    return code == 0 ? EXIT_SUCCESS : 1;
}
