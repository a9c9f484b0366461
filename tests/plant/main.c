/* ringmain-plant: the virtual hub in real time, on the sockets of the configuration.
 *
 * An ordinary process: when the machine keeps it from running, its own clock stands still for that time (it slips), so
 * that a virtual PLC's watchdog never trips because this process was late. Frames that wait in the sockets are always
 * taken before time moves on, and time moves in steps of 1 ms. How much it slipped is in the report (late_ms). */
#include <errno.h>
#include <getopt.h>
#include <math.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/signalfd.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

#include "ringmain_version.h"
#include "tests/plant/counter.h"
#include "tests/plant/plant.h"
#include "tests/plant/report.h"
#include "tests/plant/wires.h"

#define CATCH_UP_US 20000  /* what is made up for when late; the rest the clock slips */
#define SILENCE_US  100000 /* the host's shortest limits of staleness begin here */

struct program {
    struct config config;
    struct plant_options options;
    struct plant *plant;
    struct wires wires;
    struct counter counter;
    struct frame_batch tx;
    struct report_run run;
    const char *report_path;
    bool verbose, contactor_moved;
    int epoll, timer, signals;
    int64_t start_us, plant_us;
};

static int64_t mono_us(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000000 + t.tv_nsec / 1000;
}

/* ---- command line ---- */

static void usage(FILE *out) {
    fputs(
        "ringmain-plant: the virtual hub: PLC nodes, power modules, ring bus, vehicles, and the "
        "judge\n"
        "  --config FILE          the hub (charger.json)\n"
        "  --transport T          socketcan, unix:FOLDER or udp:HOST:BASEPORT, for all interfaces\n"
        "  --map NAME=OTHER       the interface NAME of the hub is called OTHER at this end of the "
        "wire\n"
        "  --run-folder DIR       where plant.sock is made\n"
        "  --seed N               of vehicles, arrivals and faults (default 1)\n"
        "  --demo                 ten cars in the first 20 s, two nearly full, then one after "
        "another\n"
        "  --arrivals constant|profile|none   Poisson arrivals (default none); profile: by hour of "
        "day as measured\n"
        "  --speed FACTOR         arrival rate (default 1)\n"
        "  --handshake realistic|medium|fast  from plug to authorisation: 12 s, 3 s, 0.5 s "
        "(default realistic)\n"
        "  --fast                 the same as --handshake fast\n"
        "  --fault-rate N         random faults per hour, seeded\n"
        "  --estop-soft           cut the hard-wired path of the emergency stop: the host must "
        "open\n"
        "  --report FILE          write the figures as JSON at the end\n"
        "  --verbose              a line per event\n"
        "  --list-models, --faults, --version, --help\n"
        "Charge curves: Open EV Data (https://github.com/KilowattApp/open-ev-data).\n",
        out);
}

static void list_models(void) {
    printf("%-16s %-40s %-18s %5s %8s %8s %6s\n", "brand", "model", "variant", "year", "kWh", "kW",
           "V");
    for (uint32_t i = 0; i < plant_models(); i++) {
        const struct plant_model m = plant_model(i);
        printf("%-16s %-40s %-18s %5d %8.1f %8.1f %6.0f\n", m.brand, m.model, m.variant, m.year,
               m.usable_wh / 1000, m.max_w / 1000, m.nominal_v);
    }
}

static void list_faults(void) {
    uint32_t count;
    const struct plant_fault_info *f = plant_fault_table(&count);
    static const char *const scopes[] = {[PLANT_SCOPE_GUN] = "gun",
                                         [PLANT_SCOPE_MODULE] = "gun, module",
                                         [PLANT_SCOPE_CONTACTOR] = "gun, contactor",
                                         [PLANT_SCOPE_INTERFACE] = "gun",
                                         [PLANT_SCOPE_SITE] = ""};
    printf("%-22s %-15s %s\n", "fault", "arguments", "effect (value)");
    for (uint32_t i = 0; i < count; i++) {
        printf("%-22s %-15s %s", f[i].name, scopes[f[i].scope], f[i].text);
        if (f[i].value[0] != 0) {
            printf(" (value: %s, default %g)", f[i].value, f[i].value_default);
        }
        putchar('\n');
    }
}

static bool parse_number(const char *name, const char *text, double low, double high, double *out) {
    char *end;
    errno = 0;
    const double value = strtod(text, &end);
    if (errno != 0 || end == text || *end != 0 || !(value >= low && value <= high)) {
        fprintf(stderr, "ringmain-plant: %s %s: a number from %g to %g is needed\n", name, text,
                low, high);
        return false;
    }
    *out = value;
    return true;
}

/* Index of the word in the list, -1 with a message when it is not there. */
static int parse_word(const char *name, const char *text, const char *const *words, int count) {
    for (int i = 0; i < count; i++) {
        if (strcmp(text, words[i]) == 0) {
            return i;
        }
    }
    fprintf(stderr, "ringmain-plant: %s %s: allowed are", name, text);
    for (int i = 0; i < count; i++) {
        fprintf(stderr, " %s", words[i]);
    }
    fputc('\n', stderr);
    return -1;
}

enum option_code {
    O_CONFIG = 256,
    O_TRANSPORT,
    O_MAP,
    O_RUN_FOLDER,
    O_SEED,
    O_DEMO,
    O_ARRIVALS,
    O_SPEED,
    O_HANDSHAKE,
    O_FAST,
    O_FAULT_RATE,
    O_ESTOP_SOFT,
    O_REPORT,
    O_VERBOSE,
    O_LIST_MODELS,
    O_FAULTS,
    O_VERSION,
    O_HELP
};

static const struct option long_options[] = {{"config", required_argument, NULL, O_CONFIG},
                                             {"transport", required_argument, NULL, O_TRANSPORT},
                                             {"map", required_argument, NULL, O_MAP},
                                             {"run-folder", required_argument, NULL, O_RUN_FOLDER},
                                             {"seed", required_argument, NULL, O_SEED},
                                             {"demo", no_argument, NULL, O_DEMO},
                                             {"arrivals", required_argument, NULL, O_ARRIVALS},
                                             {"speed", required_argument, NULL, O_SPEED},
                                             {"handshake", required_argument, NULL, O_HANDSHAKE},
                                             {"fast", no_argument, NULL, O_FAST},
                                             {"fault-rate", required_argument, NULL, O_FAULT_RATE},
                                             {"estop-soft", no_argument, NULL, O_ESTOP_SOFT},
                                             {"report", required_argument, NULL, O_REPORT},
                                             {"verbose", no_argument, NULL, O_VERBOSE},
                                             {"list-models", no_argument, NULL, O_LIST_MODELS},
                                             {"faults", no_argument, NULL, O_FAULTS},
                                             {"version", no_argument, NULL, O_VERSION},
                                             {"help", no_argument, NULL, O_HELP},
                                             {NULL, 0, NULL, 0}};

struct arguments {
    const char *config, *transport, *run_folder, *map[RM_INTERFACES_MAX];
    int maps;
};

/* One option; -1: go on, else the exit code. */
static int take_option(struct program *g, struct arguments *a, int option) {
    static const char *const arrivals[3] = {"none", "constant", "profile"};
    static const char *const handshakes[3] = {"realistic", "medium", "fast"};
    double number = 0;
    int word;
    switch ((enum option_code)option) {
    case O_CONFIG: a->config = optarg; return -1;
    case O_TRANSPORT: a->transport = optarg; return -1;
    case O_MAP:
        if (a->maps >= RM_INTERFACES_MAX) {
            fprintf(stderr, "ringmain-plant: --map %s: at most %d\n", optarg, RM_INTERFACES_MAX);
            return 2;
        }
        a->map[a->maps++] = optarg;
        return -1;
    case O_RUN_FOLDER: a->run_folder = optarg; return -1;
    case O_SEED:
        if (!parse_number("--seed", optarg, 0, 9e15, &number)) {
            return 2;
        }
        g->options.seed = (uint64_t)number;
        return -1;
    case O_DEMO: g->options.arrivals = PLANT_ARRIVALS_DEMO; return -1;
    case O_ARRIVALS:
        word = parse_word("--arrivals", optarg, arrivals, 3);
        g->options.arrivals = (enum plant_arrivals)(word < 0 ? 0 : word);
        return word < 0 ? 2 : -1;
    case O_SPEED:
        return parse_number("--speed", optarg, 0.001, 1000, &g->options.arrival_factor) ? -1 : 2;
    case O_HANDSHAKE:
        word = parse_word("--handshake", optarg, handshakes, 3);
        g->options.handshake = (enum plant_handshake)(word < 0 ? 0 : word);
        return word < 0 ? 2 : -1;
    case O_FAST: g->options.handshake = PLANT_HANDSHAKE_FAST; return -1;
    case O_FAULT_RATE:
        return parse_number("--fault-rate", optarg, 0, 1e6, &g->options.faults_per_hour) ? -1 : 2;
    case O_ESTOP_SOFT: g->options.estop_soft = true; return -1;
    case O_REPORT: g->report_path = optarg; return -1;
    case O_VERBOSE: g->verbose = true; return -1;
    case O_LIST_MODELS: list_models(); return 0;
    case O_FAULTS: list_faults(); return 0;
    case O_VERSION: puts("ringmain-plant " RINGMAIN_VERSION); return 0;
    case O_HELP: usage(stdout); return 0;
    }
    usage(stderr);
    return 2;
}

/* NAME=OTHER: the interface NAME is called OTHER here (two controllers on one wire have two names). */
static bool rename_interface(struct config *config, const char *map) {
    const char *equals = strchr(map, '=');
    const size_t length = equals != NULL ? (size_t)(equals - map) : 0;
    for (uint32_t i = 0; equals != NULL && i < config->interfaces; i++) {
        struct config_interface *c = &config->interface[i];
        if (strlen(c->name) == length && strncmp(c->name, map, length) == 0) {
            const int written = snprintf(c->name, sizeof(c->name), "%s", equals + 1);
            return written > 0 && (size_t)written < sizeof(c->name);
        }
    }
    return false;
}

static int read_arguments(struct program *g, int argc, char **argv) {
    struct arguments a = {0};
    int option;
    while ((option = getopt_long(argc, argv, "", long_options, NULL)) != -1) {
        const int code = take_option(g, &a, option);
        if (code >= 0) {
            return code;
        }
    }
    if (optind < argc || a.config == NULL) {
        fprintf(stderr, "ringmain-plant: %s\n",
                a.config == NULL ? "--config FILE is needed" : argv[optind]);
        usage(stderr);
        return 2;
    }
    if (config_load_or_explain(a.config, &g->config, stderr) != 0) {
        return 2;
    }
    struct config_errors errors;
    if (config_override(&g->config, a.transport, NULL, a.run_folder, &errors) != 0) {
        config_errors_print(stderr, "command line", &errors);
        return 2;
    }
    for (int i = 0; i < a.maps; i++) {
        if (!rename_interface(&g->config, a.map[i])) {
            fprintf(stderr,
                    "ringmain-plant: --map %s: NAME=OTHER with an interface of the hub is needed, "
                    "OTHER at most %zu characters\n",
                    a.map[i], sizeof(g->config.interface[0].name) - 1);
            return 2;
        }
    }
    return -1;
}

/* ---- running ---- */

static void on_event(void *context, const struct plant_event *event) {
    struct program *g = context;
    if (event->kind == PLANT_EVENT_CONTACTOR) {
        g->contactor_moved = true;
    }
    if (!g->verbose && event->kind != PLANT_EVENT_HAZARD) {
        return;
    }
    char where[24] = "site";
    if (event->slot < g->config.slots) {
        const int gun = g->config.slot[event->slot].gun;
        (void)snprintf(where, sizeof(where), gun >= 0 ? "gun %d" : "slot %d",
                       gun >= 0 ? g->config.connector[gun].id : (int)event->slot);
    }
    printf("%10.3f %-8s %s\n", (double)(event->at_us - g->start_us) / 1e6, where, event->text);
}

static int add_fd(int epoll, int fd) {
    struct epoll_event event = {.events = EPOLLIN, .data.fd = fd};
    return fd < 0 ? -errno : epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event) < 0 ? -errno : 0;
}

static int set_up(struct program *g) {
    sigset_t mask;
    sigemptyset(&mask);
    sigaddset(&mask, SIGTERM);
    sigaddset(&mask, SIGINT);
    sigaddset(&mask, SIGHUP);
    sigprocmask(SIG_BLOCK, &mask, NULL);
    g->epoll = epoll_create1(EPOLL_CLOEXEC);
    g->timer = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
    g->signals = signalfd(-1, &mask, SFD_NONBLOCK | SFD_CLOEXEC);
    const struct itimerspec period = {.it_interval = {.tv_nsec = 1000000},
                                      .it_value = {.tv_nsec = 1000000}};
    if (g->epoll < 0 || add_fd(g->epoll, g->timer) != 0 || add_fd(g->epoll, g->signals) != 0 ||
        timerfd_settime(g->timer, 0, &period, NULL) < 0) {
        fprintf(stderr, "ringmain-plant: event loop: %s\n", strerror(errno));
        return -1;
    }
    if (wires_open(&g->wires, &g->config, g->epoll, stderr) != 0) {
        return -1;
    }
    if (counter_open(&g->counter, g->config.rt.run_folder, g->epoll, stderr) != 0) {
        wires_close(&g->wires);
        return -1;
    }
    g->start_us = g->plant_us = mono_us();
    g->options.on_event = on_event;
    g->options.context = g;
    g->plant = plant_create(&g->config, &g->options, g->plant_us);
    if (g->plant == NULL) {
        fprintf(stderr, "ringmain-plant: not enough memory\n");
        counter_close(&g->counter);
        wires_close(&g->wires);
        return -1;
    }
    return 0;
}

static void take_frame(void *context, uint32_t interface, const struct can_frame *frame) {
    struct program *g = context;
    plant_rx(g->plant, interface, frame, g->plant_us);
}

/* When GC opened, on the clock that other processes know. */
static void note_openings(struct program *g) {
    g->contactor_moved = false;
    for (uint32_t i = 0; i < g->config.slots; i++) {
        struct plant_gun_state state;
        plant_slot_state(g->plant, i, &state);
        if (state.gc_opened_us >= g->plant_us - 1000 && state.gc_opened_us != 0) {
            g->run.gc_opened_mono_us[i] = state.gc_opened_us + g->run.slip_us;
        }
    }
}

static void advance(struct program *g) {
    const int64_t real_us = mono_us();
    int64_t target_us = real_us - g->run.slip_us;
    if (target_us - g->plant_us > CATCH_UP_US) {
        const int64_t slip_us = target_us - g->plant_us - CATCH_UP_US;
        g->run.slip_us += slip_us;
        g->run.late_ms += (double)slip_us / 1000.0;
        g->run.late_worst_ms = fmax(g->run.late_worst_ms, (double)slip_us / 1000.0);
        target_us -= slip_us;
        if (slip_us + CATCH_UP_US >= SILENCE_US) {
            plant_stood_still(g->plant);
        }
    }
    wires_receive(&g->wires, take_frame, g);
    while (g->plant_us + 1000 <= target_us) {
        g->plant_us += 1000;
        frame_batch_clear(&g->tx);
        plant_step(g->plant, g->plant_us, &g->tx);
        wires_send(&g->wires, &g->tx);
        if (g->contactor_moved) {
            note_openings(g);
        }
        if (target_us - g->plant_us >= 1000) {
            wires_receive(&g->wires, take_frame, g);
        }
    }
    if (g->run.first_charge_s < 0) {
        struct plant_report report;
        plant_report(g->plant, &report);
        if (report.first_charge_s >= 0) {
            g->run.first_charge_s = (double)(real_us - g->start_us) / 1e6;
        }
    }
    g->run.overflows = 0;
    for (uint32_t i = 0; i < g->wires.count; i++) {
        g->run.overflows += g->wires.wire[i].overflows;
    }
}

static void run(struct program *g) {
    bool quit = false;
    while (!quit) {
        struct epoll_event events[16];
        const int count = epoll_wait(g->epoll, events, 16, 1000);
        if (count < 0 && errno != EINTR) {
            fprintf(stderr, "ringmain-plant: epoll: %s\n", strerror(errno));
            return;
        }
        uint64_t expirations;
        (void)!read(g->timer, &expirations, sizeof(expirations));
        struct signalfd_siginfo info;
        quit = read(g->signals, &info, sizeof(info)) == (ssize_t)sizeof(info);
        advance(g);
        const struct counter_scene scene = {
            .plant = g->plant, .config = &g->config, .run = &g->run, .mono_us = mono_us()};
        quit |= counter_serve(&g->counter, &scene);
    }
}

static int finish(struct program *g) {
    int code = 0;
    if (g->report_path != NULL) {
        const int result = report_write(g->report_path, g->plant, &g->run);
        if (result != 0) {
            fprintf(stderr, "ringmain-plant: report %s: %s\n", g->report_path, strerror(-result));
            code = 1;
        }
    }
    struct plant_report r;
    plant_report(g->plant, &r);
    printf("ringmain-plant: %u sessions started, %u completed, %u failed; %.2f kWh; %u hazards\n",
           r.sessions_started, r.sessions_completed, r.sessions_failed, r.energy_wh / 1000.0,
           r.hazards);
    counter_close(&g->counter);
    wires_close(&g->wires);
    plant_destroy(g->plant);
    close(g->timer);
    close(g->signals);
    close(g->epoll);
    return code;
}

int main(int argc, char **argv) {
    static struct program g = {.options = {.seed = 1, .arrival_factor = 1},
                               .run = {.first_charge_s = -1}};
    const int code = read_arguments(&g, argc, argv);
    if (code >= 0) {
        return code;
    }
    (void)setvbuf(stdout, NULL, _IOLBF, 0);
    g.run.seed = g.options.seed;
    if (set_up(&g) != 0) {
        return 1;
    }
    printf("ringmain-plant: %u guns, %u interfaces, seed %llu\n", g.config.connectors,
           g.config.interfaces, (unsigned long long)g.options.seed);
    run(&g);
    return finish(&g);
}
