/* ringmainctl: the command line of a hub. Options may stand before or after the command. */
#include <errno.h>
#include <getopt.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "configs/config_report.h"
#include "nrt/ctl/ctl.h"
#include "ringmain_version.h"

void ctl_say(const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    fputs("ringmainctl: ", stderr);
    vfprintf(stderr, format, arguments);
    fputc('\n', stderr);
    va_end(arguments);
}

enum option_bit {
    OPTION_JSON = 1 << 0,
    OPTION_ONCE = 1 << 1,
    OPTION_WIDTH = 1 << 2,
    OPTION_FOLLOW = 1 << 3,
    OPTION_LINES = 1 << 4,
    OPTION_GUN = 1 << 5,
    OPTION_FOR = 1 << 6,
    OPTION_VEHICLE = 1 << 7, /* model, soc, target-soc */
    OPTION_FORCE = 1 << 8,
    OPTION_PLANT = 1 << 9,
    OPTION_FAULT = 1 << 10, /* module, contactor, value, clear */
    OPTION_COLOUR = 1 << 11
};

/* clang-format off */
static const struct command_form {
    const char *name, *arguments;
    unsigned options;
    const char *text;
} COMMANDS[] = {
    {"status", "[--json]", OPTION_JSON, "One page: site, health, every gun. --json: everything that is published."},
    {"top", "[--once] [--width N] [--no-colour]", OPTION_ONCE | OPTION_WIDTH | OPTION_COLOUR,
     "Live view, q quits. --once prints one page as plain text."},
    {"events", "[--follow] [--lines N] [--json]", OPTION_FOLLOW | OPTION_LINES | OPTION_JSON,
     "The last N lines of the event log (20; 0: all), --follow: and what comes."},
    {"latency", "[--json]", OPTION_JSON, "Histograms of the guard and the planner, counters, errors."},
    {"check", "CONFIG", 0, "Check a configuration: verdict, topology, CAN load and response times."},
    {"limit", "KW|off [--gun N] [--for SECONDS]", OPTION_GUN | OPTION_FOR | OPTION_JSON,
     "Limit the site, or one gun, until taken back (off) or for a time."},
    {"clear", "[--gun N] [FAULT]", OPTION_GUN | OPTION_PLANT | OPTION_JSON,
     "Clear latched faults, as an operator does after mending the cause. --plant: as fault --clear."},
    {"reset-estop", "", OPTION_JSON, "Reset the emergency stop after its release. Starts no session."},
    {"authorise", "GUN [TOKEN]", OPTION_JSON, "Authorise a session."},
    {"stop", "GUN [--plant]", OPTION_PLANT | OPTION_JSON,
     "Stop the session as an operator does. --plant: the driver stops in the car."},
    {"availability", "GUN operative|inoperative", OPTION_JSON, "Take a gun out of service, after its session, or back in."},
    {"reserve", "GUN TOKEN --for SECONDS", OPTION_FOR | OPTION_JSON, "Reserve a gun, at most an hour; 0 cancels."},
    {"plug", "GUN [--model M] [--soc PCT] [--target-soc PCT]", OPTION_VEHICLE | OPTION_JSON, "Virtual hub: a vehicle plugs in."},
    {"unplug", "GUN [--force]", OPTION_FORCE | OPTION_JSON, "Virtual hub: pull the plug, if the lock lets it go; --force: tear it out."},
    {"swipe", "GUN TOKEN", OPTION_JSON, "Virtual hub: show a card."},
    {"fault", "NAME [--gun N] [--module M] [--contactor C] [--value V] [--for SECONDS] | --clear [--gun N]",
     OPTION_GUN | OPTION_FAULT | OPTION_FOR | OPTION_JSON, "Virtual hub: inject a fault, or remove what was injected."},
    {"estop", "press|release", OPTION_JSON, "Virtual hub: the emergency stop button."},
    {"version", "", 0, "The version."},
    {"help", "[COMMAND]", 0, "This help, or that of a command."},
};
/* clang-format on */

static const char GLOBAL[] =
    "Options of all commands:\n"
    "  --config FILE      the hub's configuration (else $RINGMAIN_CONFIG, else what ringmain-nrt "
    "left in the\n"
    "                     run folder); without it guns are numbered by their place\n"
    "  --shm NAME         shared memory (default: of the configuration, else /ringmain)\n"
    "  --run-folder DIR   folder of nrt.sock and plant.sock (default: of the configuration, else "
    "/run/ringmain)\n"
    "  --log FILE         event log (default: the one ringmain-nrt writes)\n"
    "\n"
    "Exit codes: 0 done, 1 refused, 2 wrong usage, 3 ringmain-rt, ringmain-nrt or the virtual hub "
    "is not\n"
    "there or silent, 4 shared memory of another layout (programs of different builds).\n";

static const struct command_form *find_command(const char *name) {
    for (size_t i = 0; i < sizeof COMMANDS / sizeof COMMANDS[0]; i++) {
        if (strcmp(COMMANDS[i].name, name) == 0) {
            return &COMMANDS[i];
        }
    }
    return NULL;
}

static void print_command_help(FILE *out, const struct command_form *form) {
    fprintf(out, "Usage: ringmainctl %s %s\n  %s\n", form->name, form->arguments, form->text);
}

static void print_help(FILE *out) {
    fputs("Usage: ringmainctl [options] COMMAND ...\nLook at a Ringmain hub, and intervene.\n\n",
          out);
    for (size_t i = 0; i < sizeof COMMANDS / sizeof COMMANDS[0]; i++) {
        fprintf(out, "  %s %s\n        %s\n", COMMANDS[i].name, COMMANDS[i].arguments,
                COMMANDS[i].text);
    }
    fprintf(out, "\n%s", GLOBAL);
}

/* ---- options ---- */

enum long_option {
    LONG_CONFIG = 256,
    LONG_SHM,
    LONG_RUN_FOLDER,
    LONG_LOG,
    LONG_VERSION,
    LONG_HELP,
    LONG_JSON,
    LONG_ONCE,
    LONG_WIDTH,
    LONG_NO_COLOUR,
    LONG_FOLLOW,
    LONG_LINES,
    LONG_GUN,
    LONG_FOR,
    LONG_MODEL,
    LONG_SOC,
    LONG_TARGET_SOC,
    LONG_FORCE,
    LONG_PLANT,
    LONG_MODULE,
    LONG_CONTACTOR,
    LONG_VALUE,
    LONG_CLEAR
};

static const struct option OPTIONS[] = {
    {"config", required_argument, NULL, LONG_CONFIG},
    {"shm", required_argument, NULL, LONG_SHM},
    {"run-folder", required_argument, NULL, LONG_RUN_FOLDER},
    {"log", required_argument, NULL, LONG_LOG},
    {"version", no_argument, NULL, LONG_VERSION},
    {"help", no_argument, NULL, LONG_HELP},
    {"json", no_argument, NULL, LONG_JSON},
    {"once", no_argument, NULL, LONG_ONCE},
    {"width", required_argument, NULL, LONG_WIDTH},
    {"no-colour", no_argument, NULL, LONG_NO_COLOUR},
    {"no-color", no_argument, NULL, LONG_NO_COLOUR},
    {"follow", no_argument, NULL, LONG_FOLLOW},
    {"lines", required_argument, NULL, LONG_LINES},
    {"gun", required_argument, NULL, LONG_GUN},
    {"for", required_argument, NULL, LONG_FOR},
    {"model", required_argument, NULL, LONG_MODEL},
    {"soc", required_argument, NULL, LONG_SOC},
    {"target-soc", required_argument, NULL, LONG_TARGET_SOC},
    {"force", no_argument, NULL, LONG_FORCE},
    {"plant", no_argument, NULL, LONG_PLANT},
    {"module", required_argument, NULL, LONG_MODULE},
    {"contactor", required_argument, NULL, LONG_CONTACTOR},
    {"value", required_argument, NULL, LONG_VALUE},
    {"clear", no_argument, NULL, LONG_CLEAR},
    {NULL, 0, NULL, 0},
};

struct seen {
    unsigned bits; /* enum option_bit */
    bool help, version;
};

/* false: getopt told what is wrong. */
static bool take_option(int option, struct ctl_options *o, struct seen *seen) {
    switch (option) {
    case LONG_CONFIG: o->config = optarg; break;
    case LONG_SHM: o->shm = optarg; break;
    case LONG_RUN_FOLDER: o->run_folder = optarg; break;
    case LONG_LOG: o->log = optarg; break;
    case LONG_VERSION: seen->version = true; break;
    case LONG_HELP: seen->help = true; break;
    case LONG_JSON: o->json = true, seen->bits |= OPTION_JSON; break;
    case LONG_ONCE: o->once = true, seen->bits |= OPTION_ONCE; break;
    case LONG_WIDTH: o->width = optarg, seen->bits |= OPTION_WIDTH; break;
    case LONG_NO_COLOUR: o->no_colour = true, seen->bits |= OPTION_COLOUR; break;
    case LONG_FOLLOW: o->follow = true, seen->bits |= OPTION_FOLLOW; break;
    case LONG_LINES: o->lines = optarg, seen->bits |= OPTION_LINES; break;
    case LONG_GUN: o->gun = optarg, seen->bits |= OPTION_GUN; break;
    case LONG_FOR: o->seconds = optarg, seen->bits |= OPTION_FOR; break;
    case LONG_MODEL: o->model = optarg, seen->bits |= OPTION_VEHICLE; break;
    case LONG_SOC: o->soc = optarg, seen->bits |= OPTION_VEHICLE; break;
    case LONG_TARGET_SOC: o->target_soc = optarg, seen->bits |= OPTION_VEHICLE; break;
    case LONG_FORCE: o->force = true, seen->bits |= OPTION_FORCE; break;
    case LONG_PLANT: o->plant = true, seen->bits |= OPTION_PLANT; break;
    case LONG_MODULE: o->module = optarg, seen->bits |= OPTION_FAULT; break;
    case LONG_CONTACTOR: o->contactor = optarg, seen->bits |= OPTION_FAULT; break;
    case LONG_VALUE: o->value = optarg, seen->bits |= OPTION_FAULT; break;
    case LONG_CLEAR: o->clear = true, seen->bits |= OPTION_FAULT; break;
    default: return false;
    }
    return true;
}

/* ---- where the hub is ---- */

static void read_link(const char *folder, const char *name, char *out, size_t size) {
    char link[CTL_PATH_MAX];
    snprintf(link, sizeof link, "%s/%s", folder, name);
    ssize_t count = readlink(link, out, size - 1);
    out[count > 0 ? count : 0] = '\0';
}

/* The configuration named by option must be good; one that was only found is used if it is. */
static enum ctl_exit load_config(struct ctl *ctl, struct config *config) {
    struct config_errors *errors = calloc(1, sizeof *errors);
    char found[CTL_PATH_MAX] = "";
    const char *path =
        ctl->options.config != NULL ? ctl->options.config : getenv("RINGMAIN_CONFIG");
    bool demanded = path != NULL;
    if (errors == NULL) {
        return CTL_UNREACHABLE;
    }
    if (path == NULL) {
        const char *folder =
            ctl->options.run_folder != NULL ? ctl->options.run_folder : "/run/ringmain";
        read_link(folder, "nrt.config", found, sizeof found);
        path = found;
    }
    int code = path[0] != '\0' ? config_load(path, config, errors) : -ENOENT;
    if (code != 0 && demanded) {
        config_errors_print(stderr, path, errors);
    }
    ctl->config = code == 0 ? config : NULL;
    free(errors);
    return code != 0 && demanded ? CTL_USAGE : CTL_OK;
}

static enum ctl_exit find_hub(struct ctl *ctl, struct config *config) {
    const struct ctl_options *o = &ctl->options;
    enum ctl_exit code = load_config(ctl, config);
    if (code != CTL_OK) {
        return code;
    }
    const char *shm = ctl->config != NULL ? config->rt.shm_name : "/ringmain";
    const char *folder =
        ctl->config != NULL && o->config != NULL ? config->rt.run_folder : "/run/ringmain";
    shm = o->shm != NULL ? o->shm : shm;
    folder = o->run_folder != NULL ? o->run_folder : folder;
    if (strlen(shm) >= sizeof ctl->shm_name || strlen(folder) >= 256) {
        ctl_say("--shm or --run-folder is too long");
        return CTL_USAGE;
    }
    snprintf(ctl->shm_name, sizeof ctl->shm_name, "%s", shm);
    snprintf(ctl->run_folder, sizeof ctl->run_folder, "%s", folder);
    if (o->log != NULL) {
        snprintf(ctl->log_path, sizeof ctl->log_path, "%s", o->log);
    } else {
        read_link(folder, "nrt.events", ctl->log_path, sizeof ctl->log_path);
        if (ctl->log_path[0] == '\0' && o->config != NULL) {
            snprintf(ctl->log_path, sizeof ctl->log_path, "%s", config->nrt.event_log_file);
        }
    }
    return CTL_OK;
}

/* ---- commands ---- */

static enum ctl_exit check_config(const char *path) {
    switch (config_check_print(stdout, path)) {
    case CONFIG_VERDICT_GOOD: return CTL_OK;
    case CONFIG_VERDICT_REFUSED: return CTL_REFUSED;
    case CONFIG_VERDICT_UNREADABLE: return CTL_USAGE;
    }
    return CTL_USAGE;
}

static enum ctl_exit help(const struct ctl *ctl) {
    const struct command_form *form = NULL;
    if (ctl->word_count == 0) {
        print_help(stdout);
        return CTL_OK;
    }
    form = find_command(ctl->words[0]);
    if (form == NULL) {
        ctl_say("there is no command \"%s\"; see ringmainctl help", ctl->words[0]);
        return CTL_USAGE;
    }
    print_command_help(stdout, form);
    return CTL_OK;
}

static enum ctl_exit without_hub(const struct ctl *ctl, const char *name, bool *done) {
    *done = true;
    if (strcmp(name, "help") == 0) {
        return help(ctl);
    }
    if (strcmp(name, "version") == 0) {
        puts("ringmainctl " RINGMAIN_VERSION);
        return CTL_OK;
    }
    if (strcmp(name, "check") == 0) {
        if (ctl->word_count != 1) {
            ctl_say("check takes one configuration file");
            return CTL_USAGE;
        }
        return check_config(ctl->words[0]);
    }
    *done = false;
    return CTL_OK;
}

static enum ctl_exit with_hub(struct ctl *ctl, const char *name) {
    static const struct {
        const char *name;
        enum ctl_exit (*run)(const struct ctl *ctl);
    } LOOKS[] = {
        {"status", ctl_status}, {"top", ctl_top}, {"events", ctl_events}, {"latency", ctl_latency}};
    static struct config config;
    enum ctl_exit code = find_hub(ctl, &config);
    if (code != CTL_OK) {
        return code;
    }
    for (size_t i = 0; i < sizeof LOOKS / sizeof LOOKS[0]; i++) {
        if (strcmp(LOOKS[i].name, name) == 0) {
            if (ctl->word_count > 0) {
                ctl_say("%s takes no words, but \"%s\" was given", name, ctl->words[0]);
                return CTL_USAGE;
            }
            return LOOKS[i].run(ctl);
        }
    }
    return ctl_ask(ctl, name);
}

static enum ctl_exit run(struct ctl *ctl, const struct command_form *form,
                         const struct seen *seen) {
    bool done = false;
    if ((seen->bits & ~form->options) != 0) {
        ctl_say("an option does not belong to \"%s\"", form->name);
        print_command_help(stderr, form);
        return CTL_USAGE;
    }
    enum ctl_exit code = without_hub(ctl, form->name, &done);
    return done ? code : with_hub(ctl, form->name);
}

int main(int argc, char **argv) {
    static struct ctl ctl;
    struct seen seen = {0};
    int option;
    while ((option = getopt_long(argc, argv, "", OPTIONS, NULL)) != -1) {
        if (!take_option(option, &ctl.options, &seen)) {
            return CTL_USAGE;
        }
    }
    const struct command_form *form = optind < argc ? find_command(argv[optind]) : NULL;
    if (seen.version) {
        puts("ringmainctl " RINGMAIN_VERSION);
        return CTL_OK;
    }
    if (seen.help) {
        if (form != NULL) {
            print_command_help(stdout, form);
        } else {
            print_help(stdout);
        }
        return CTL_OK;
    }
    if (form == NULL) {
        if (optind < argc) {
            ctl_say("there is no command \"%s\"; see ringmainctl help", argv[optind]);
        } else {
            print_help(stderr);
        }
        return CTL_USAGE;
    }
    ctl.words = argv + optind + 1;
    ctl.word_count = argc - optind - 1;
    enum ctl_exit code = run(&ctl, form, &seen);
    if (fflush(stdout) != 0 && code == CTL_OK) {
        ctl_say("standard output: %s", strerror(errno));
        code = CTL_UNREACHABLE;
    }
    return (int)code;
}
