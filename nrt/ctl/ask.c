/* Commands that are one request on a socket: interventions through ringmain-nrt, and what people and accidents do on the
 * virtual hub. */
#include <cjson/cJSON.h>
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "nrt/api/json_writer.h"
#include "nrt/ctl/ctl.h"

#define REQUEST_MAX 1024

/* A request being built; the first mistake is told and sticks. */
struct ask {
    const struct ctl *ctl;
    const char *socket; /* "nrt.sock" or "plant.sock" */
    struct json_writer w;
    char text[REQUEST_MAX];
    int next_word;
    bool wrong;
};

static void wrong(struct ask *a, const char *what) {
    if (!a->wrong) {
        ctl_say("%s; see ringmainctl help", what);
    }
    a->wrong = true;
}

static bool parse_number(const char *text, double *out) {
    char *end = NULL;
    errno = 0;
    *out = strtod(text, &end);
    return errno == 0 && end != text && *end == '\0' && isfinite(*out);
}

/* JSON has no place for strtod's other forms, so the number is printed anew. */
static void put_number(struct ask *a, const char *key, const char *text, double low, double high,
                       unsigned decimals) {
    double number;
    char message[128];
    if (text == NULL) {
        return;
    }
    if (!parse_number(text, &number) || number < low || number > high) {
        snprintf(message, sizeof message, "\"%.40s\" is no %s from %.0f to %.0f", text, key, low,
                 high);
        wrong(a, message);
        return;
    }
    json_decimal(&a->w, key, llround(number * pow(10, decimals)), decimals);
}

static void put_text(struct ask *a, const char *key, const char *text) {
    if (text != NULL) {
        json_string(&a->w, key, text);
    }
}

static const char *take_word(struct ask *a, const char *missing) {
    if (a->next_word < a->ctl->word_count) {
        return a->ctl->words[a->next_word++];
    }
    if (missing != NULL) {
        wrong(a, missing);
    }
    return NULL;
}

static void put_gun_word(struct ask *a) {
    put_number(a, "gun", take_word(a, "which gun? (connector id)"), 1, 65535, 0);
}

static void begin(struct ask *a, const char *socket, const char *cmd) {
    a->socket = socket;
    json_init(&a->w, a->text, sizeof a->text);
    json_object(&a->w, NULL);
    json_string(&a->w, "cmd", cmd);
}

/* ---- ringmain-nrt ---- */

static void ask_limit(struct ask *a) {
    begin(a, "nrt.sock", "limit");
    const char *kw = take_word(a, "how many kW? (or off)");
    if (kw != NULL && strcmp(kw, "off") == 0) {
        json_null(&a->w, "kw");
    } else {
        put_number(a, "kw", kw, 0, 100000, 3);
    }
    put_number(a, "gun", a->ctl->options.gun, 1, 65535, 0);
    put_number(a, "seconds", a->ctl->options.seconds, 1, 2592000, 0);
}

static void ask_clear(struct ask *a) {
    begin(a, a->ctl->options.plant ? "plant.sock" : "nrt.sock", "clear");
    put_number(a, "gun", a->ctl->options.gun, 1, 65535, 0);
    const char *fault = take_word(a, NULL);
    if (fault != NULL && a->ctl->options.plant) {
        wrong(a, "the virtual hub clears all injected faults of a gun, not single ones");
    }
    put_text(a, "fault", fault);
}

static void ask_stop(struct ask *a) {
    begin(a, a->ctl->options.plant ? "plant.sock" : "nrt.sock", "stop");
    put_gun_word(a);
}

static void ask_authorise(struct ask *a) {
    begin(a, "nrt.sock", "authorise");
    put_gun_word(a);
    put_text(a, "token", take_word(a, NULL));
}

static void ask_availability(struct ask *a) {
    begin(a, "nrt.sock", "availability");
    put_gun_word(a);
    const char *word = take_word(a, "operative or inoperative?");
    bool operative = word != NULL && strcmp(word, "operative") == 0;
    if (word != NULL && !operative && strcmp(word, "inoperative") != 0) {
        wrong(a, "the availability must be operative or inoperative");
    }
    json_bool(&a->w, "operative", operative);
}

static void ask_reserve(struct ask *a) {
    begin(a, "nrt.sock", "reserve");
    put_gun_word(a);
    put_text(a, "token", take_word(a, "for which token?"));
    if (a->ctl->options.seconds == NULL) {
        wrong(a, "for how long? (--for SECONDS, 0 cancels)");
    }
    put_number(a, "seconds", a->ctl->options.seconds, 0, 3600, 0);
}

static void ask_reset_estop(struct ask *a) {
    begin(a, "nrt.sock", "reset-estop");
}

/* ---- the virtual hub ---- */

static void ask_plug(struct ask *a) {
    begin(a, "plant.sock", "plug");
    put_gun_word(a);
    put_text(a, "model", a->ctl->options.model);
    put_number(a, "soc", a->ctl->options.soc, 0, 100, 1);
    put_number(a, "target_soc", a->ctl->options.target_soc, 0, 100, 1);
}

static void ask_unplug(struct ask *a) {
    begin(a, "plant.sock", "unplug");
    put_gun_word(a);
    json_bool(&a->w, "force", a->ctl->options.force);
}

static void ask_swipe(struct ask *a) {
    begin(a, "plant.sock", "swipe");
    put_gun_word(a);
    put_text(a, "token", take_word(a, "which token?"));
}

static void ask_fault(struct ask *a) {
    const struct ctl_options *options = &a->ctl->options;
    if (options->clear) {
        begin(a, "plant.sock", "clear");
        put_number(a, "gun", options->gun, 1, 65535, 0);
        return;
    }
    begin(a, "plant.sock", "fault");
    put_text(a, "name", take_word(a, "which fault?"));
    put_number(a, "gun", options->gun, 1, 65535, 0);
    put_number(a, "module", options->module, 0, RM_MODULES_PER_SLOT_MAX - 1, 0);
    put_text(a, "contactor", options->contactor);
    put_number(a, "value", options->value, -1e9, 1e9, 3);
    double seconds;
    if (options->seconds != NULL) {
        if (!parse_number(options->seconds, &seconds) || seconds < 0 || seconds > 86400) {
            wrong(a, "--for must be seconds from 0 to 86400");
        } else {
            json_int(&a->w, "for_ms", llround(seconds * 1000));
        }
    }
}

static void ask_estop(struct ask *a) {
    begin(a, "plant.sock", "estop");
    const char *word = take_word(a, "press or release?");
    bool press = word != NULL && strcmp(word, "press") == 0;
    if (word != NULL && !press && strcmp(word, "release") != 0) {
        wrong(a, "the emergency stop can be pressed or released: estop press|release");
    }
    json_bool(&a->w, "pressed", press);
}

static const struct {
    const char *command;
    void (*build)(struct ask *a);
} ASKS[] = {
    {"limit", ask_limit},
    {"clear", ask_clear},
    {"stop", ask_stop},
    {"authorise", ask_authorise},
    {"availability", ask_availability},
    {"reserve", ask_reserve},
    {"reset-estop", ask_reset_estop},
    {"plug", ask_plug},
    {"unplug", ask_unplug},
    {"swipe", ask_swipe},
    {"fault", ask_fault},
    {"estop", ask_estop},
};

/* ---- the exchange ---- */

static enum ctl_exit tell_unreachable(const char *socket, const char *path, int code) {
    bool nrt = strcmp(socket, "nrt.sock") == 0;
    ctl_say("%s: %s. Is %s running, and is this its run folder (--run-folder)?", path,
            code == -ETIMEDOUT ? "no answer in time" : strerror(-code),
            nrt ? "ringmain-nrt" : "ringmain-plant (the virtual hub)");
    return CTL_UNREACHABLE;
}

static enum ctl_exit judge(const struct ask *a, const char *answer) {
    cJSON *root = cJSON_Parse(answer);
    const cJSON *ok = cJSON_GetObjectItemCaseSensitive(root, "ok");
    const cJSON *error = cJSON_GetObjectItemCaseSensitive(root, "error");
    const cJSON *note = cJSON_GetObjectItemCaseSensitive(root, "note");
    enum ctl_exit code = cJSON_IsTrue(ok) ? CTL_OK : CTL_REFUSED;
    if (a->ctl->options.json) {
        puts(answer);
    } else if (code == CTL_OK) {
        puts(cJSON_IsString(note) ? note->valuestring : "ok");
    } else {
        ctl_say("%s", cJSON_IsString(error) ? error->valuestring : "answer not understood");
    }
    cJSON_Delete(root);
    return code;
}

enum ctl_exit ctl_ask(const struct ctl *ctl, const char *command) {
    static struct ask a;
    a.ctl = ctl;
    for (size_t i = 0; i < sizeof ASKS / sizeof ASKS[0]; i++) {
        if (strcmp(ASKS[i].command, command) == 0) {
            ASKS[i].build(&a);
        }
    }
    if (a.next_word < ctl->word_count) {
        wrong(&a, "too many words");
    }
    json_object_end(&a.w);
    if (a.w.overflow) {
        wrong(&a, "the words are too long");
    }
    if (a.wrong) {
        return CTL_USAGE;
    }
    char path[CTL_PATH_MAX + 16];
    char *answer = NULL;
    snprintf(path, sizeof path, "%s/%s", ctl->run_folder, a.socket);
    int code = ctl_exchange(path, a.text, CTL_ASK_TIMEOUT_MS, &answer);
    if (code != 0) {
        return tell_unreachable(a.socket, path, code);
    }
    enum ctl_exit result = judge(&a, answer);
    free(answer);
    return result;
}
