#include "tests/plant/counter.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

/* ---- requests ---- */

/* The field's number; fallback when absent. Sets *bad when it is no number. */
static double number_of(const cJSON *request, const char *name, double fallback, bool *bad) {
    const cJSON *item = cJSON_GetObjectItemCaseSensitive(request, name);
    if (item == NULL) {
        return fallback;
    }
    if (!cJSON_IsNumber(item)) {
        *bad = true;
        return fallback;
    }
    return item->valuedouble;
}

static const char *text_of(const cJSON *request, const char *name, bool *bad) {
    const cJSON *item = cJSON_GetObjectItemCaseSensitive(request, name);
    if (item != NULL && !cJSON_IsString(item)) {
        *bad = true;
    }
    return cJSON_IsString(item) ? item->valuestring : NULL;
}

static bool flag_of(const cJSON *request, const char *name, bool fallback, bool *bad) {
    const cJSON *item = cJSON_GetObjectItemCaseSensitive(request, name);
    if (item != NULL && !cJSON_IsBool(item)) {
        *bad = true;
    }
    return item == NULL ? fallback : cJSON_IsTrue(item);
}

static int gun_of(const cJSON *request, bool *bad) {
    const double value = number_of(request, "gun", 0, bad);
    return value >= 0 && value <= 10000 ? (int)value : -1;
}

static enum plant_result do_plug(const cJSON *request, struct plant *p, bool *bad) {
    const struct plant_vehicle_wish wish = {.model = text_of(request, "model", bad),
                                            .soc_pct = number_of(request, "soc", -1, bad),
                                            .target_soc_pct =
                                                number_of(request, "target_soc", -1, bad),
                                            .visit_s = number_of(request, "visit_s", 0, bad),
                                            .stay_s = number_of(request, "stay_s", INFINITY, bad)};
    const int gun = gun_of(request, bad);
    return *bad ? PLANT_BAD_VALUE : plant_plug(p, gun, &wish);
}

static enum plant_result do_fault(const cJSON *request, struct plant *p, bool *bad) {
    const char *name = text_of(request, "name", bad);
    const double module = number_of(request, "module", 0, bad),
                 for_ms = number_of(request, "for_ms", 0, bad);
    const struct plant_fault fault = {.gun = gun_of(request, bad),
                                      .module = module >= 0 && module < 100 ? (int)module : -1,
                                      .contactor = text_of(request, "contactor", bad),
                                      .value = number_of(request, "value", (double)NAN, bad),
                                      .for_ms = for_ms >= 0 && for_ms < 1e9 ? (int64_t)for_ms : -1};
    if (name == NULL || *bad) {
        return name == NULL ? PLANT_NO_SUCH_FAULT : PLANT_BAD_VALUE;
    }
    return plant_inject(p, name, &fault);
}

/* The commands whose answer is only whether it worked. */
static enum plant_result execute(const char *cmd, const cJSON *request, struct plant *p,
                                 bool *known, bool *bad) {
    const int gun = gun_of(request, bad);
    *known = true;
    if (strcmp(cmd, "plug") == 0) {
        return do_plug(request, p, bad);
    }
    if (strcmp(cmd, "unplug") == 0) {
        const bool force = flag_of(request, "force", true, bad);
        return *bad ? PLANT_BAD_VALUE : plant_unplug(p, gun, force);
    }
    if (strcmp(cmd, "stop") == 0) {
        return plant_driver_stop(p, gun);
    }
    if (strcmp(cmd, "swipe") == 0) {
        const char *token = text_of(request, "token", bad);
        return token == NULL ? PLANT_BAD_VALUE : plant_swipe(p, gun, token);
    }
    if (strcmp(cmd, "fault") == 0) {
        return do_fault(request, p, bad);
    }
    if (strcmp(cmd, "clear") == 0) {
        return *bad ? PLANT_BAD_VALUE : plant_clear(p, gun);
    }
    if (strcmp(cmd, "estop") == 0) {
        const bool pressed = flag_of(request, "pressed", true, bad);
        if (!*bad) {
            plant_estop(p, pressed);
        }
        return *bad ? PLANT_BAD_VALUE : PLANT_OK;
    }
    if (strcmp(cmd, "arrivals") == 0) {
        const double rate = number_of(request, "rate", -1, bad);
        return *bad ? PLANT_BAD_VALUE : plant_arrivals(p, rate);
    }
    *known = false;
    return PLANT_OK;
}

static void refuse(cJSON *answer, const char *why) {
    (void)cJSON_AddBoolToObject(answer, "ok", false);
    (void)cJSON_AddStringToObject(answer, "error", why);
}

static void respond(cJSON *answer, const cJSON *request, const struct counter_scene *scene,
                    bool *quit) {
    const cJSON *cmd = cJSON_GetObjectItemCaseSensitive(request, "cmd");
    if (!cJSON_IsString(cmd)) {
        refuse(answer, "not a request: {\"cmd\":\"..\", ..}");
        return;
    }
    bool known = false, bad = false;
    const enum plant_result result = execute(cmd->valuestring, request, scene->plant, &known, &bad);
    if (known) {
        if (result != PLANT_OK) {
            refuse(answer, plant_result_text(result));
        } else {
            (void)cJSON_AddBoolToObject(answer, "ok", true);
        }
        return;
    }
    *quit = strcmp(cmd->valuestring, "quit") == 0;
    if (strcmp(cmd->valuestring, "report") == 0) {
        (void)cJSON_AddBoolToObject(answer, "ok", true);
        report_fill(answer, scene->plant, scene->run);
    } else if (strcmp(cmd->valuestring, "state") == 0) {
        (void)cJSON_AddBoolToObject(answer, "ok", true);
        report_state(answer, scene->plant, scene->config, scene->run, scene->mono_us);
    } else if (*quit) {
        (void)cJSON_AddBoolToObject(answer, "ok", true);
    } else {
        refuse(answer, "unknown command: plug, unplug, stop, swipe, fault, clear, estop, arrivals, "
                       "state, report, quit");
    }
}

char *counter_answer(const char *line, const struct counter_scene *scene, bool *quit) {
    cJSON *request = cJSON_Parse(line), *answer = cJSON_CreateObject();
    *quit = false;
    respond(answer, request, scene, quit);
    char *text = cJSON_PrintUnformatted(answer);
    cJSON_Delete(answer);
    cJSON_Delete(request);
    return text;
}

/* ---- the socket ---- */

int counter_open(struct counter *c, const char *run_folder, int epoll, FILE *err) {
    struct sockaddr_un at = {.sun_family = AF_UNIX};
    c->epoll = epoll;
    c->listener = -1;
    c->path[0] = 0;
    for (unsigned i = 0; i < COUNTER_CLIENTS_MAX; i++) {
        c->client[i].fd = -1;
    }
    const int length = snprintf(at.sun_path, sizeof(at.sun_path), "%s/plant.sock", run_folder);
    if (length < 0 || (size_t)length >= sizeof(at.sun_path)) {
        fprintf(err, "ringmain-plant: run folder %s: path too long for a socket\n", run_folder);
        return -ENAMETOOLONG;
    }
    (void)mkdir(run_folder, 0755);
    (void)unlink(at.sun_path);
    c->listener = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    struct epoll_event event = {.events = EPOLLIN, .data.fd = c->listener};
    if (c->listener < 0 || bind(c->listener, (const struct sockaddr *)&at, sizeof(at)) < 0 ||
        listen(c->listener, 8) < 0 || epoll_ctl(epoll, EPOLL_CTL_ADD, c->listener, &event) < 0) {
        const int result = -errno;
        fprintf(err, "ringmain-plant: %s: %s\n", at.sun_path, strerror(-result));
        counter_close(c);
        return result;
    }
    memcpy(c->path, at.sun_path, sizeof(c->path));
    return 0;
}

static void hang_up(struct counter_client *client) {
    close(client->fd);
    client->fd = -1;
    client->used = 0;
}

void counter_close(struct counter *c) {
    for (unsigned i = 0; i < COUNTER_CLIENTS_MAX; i++) {
        if (c->client[i].fd >= 0) {
            hang_up(&c->client[i]);
        }
    }
    if (c->listener >= 0) {
        close(c->listener);
        c->listener = -1;
    }
    if (c->path[0] != 0) {
        (void)unlink(c->path);
    }
}

static void greet(struct counter *c) {
    const int fd = accept4(c->listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (fd < 0) {
        return;
    }
    for (unsigned i = 0; i < COUNTER_CLIENTS_MAX; i++) {
        if (c->client[i].fd < 0) {
            struct epoll_event event = {.events = EPOLLIN, .data.fd = fd};
            c->client[i].fd = fd;
            c->client[i].used = 0;
            if (epoll_ctl(c->epoll, EPOLL_CTL_ADD, fd, &event) < 0) {
                hang_up(&c->client[i]);
            }
            return;
        }
    }
    close(fd); /* all places taken */
}

/* Answers are a few kilobytes and the receiver waits for them: a full socket means nobody reads, so it is closed. */
static void put_line(struct counter_client *client, const char *text) {
    const size_t length = strlen(text);
    if (send(client->fd, text, length, MSG_NOSIGNAL | MSG_MORE) != (ssize_t)length ||
        send(client->fd, "\n", 1, MSG_NOSIGNAL) != 1) {
        hang_up(client);
    }
}

static bool take_lines(struct counter_client *client, const struct counter_scene *scene) {
    bool quit = false;
    char *end;
    while (client->fd >= 0 && !quit && (end = memchr(client->line, '\n', client->used)) != NULL) {
        *end = 0;
        char *text = counter_answer(client->line, scene, &quit);
        if (text == NULL) {
            hang_up(client);
            return quit;
        }
        put_line(client, text);
        free(text);
        const size_t taken = (size_t)(end + 1 - client->line);
        if (client->fd >= 0) {
            client->used -= taken;
            memmove(client->line, end + 1, client->used);
        }
    }
    return quit;
}

bool counter_serve(struct counter *c, const struct counter_scene *scene) {
    bool quit = false;
    greet(c);
    for (unsigned i = 0; i < COUNTER_CLIENTS_MAX; i++) {
        struct counter_client *client = &c->client[i];
        while (client->fd >= 0 && !quit) {
            const ssize_t got = recv(client->fd, client->line + client->used,
                                     sizeof(client->line) - client->used, 0);
            if (got < 0 && (errno == EAGAIN || errno == EINTR)) {
                break;
            }
            if (got <= 0) { /* gone, or a line longer than the buffer */
                hang_up(client);
                break;
            }
            client->used += (size_t)got;
            quit = take_lines(client, scene);
        }
    }
    return quit;
}
