#include "tests/unit/nrt/fake_rt.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

int64_t fake_now_ns(void) {
    struct timespec now;
    assert(clock_gettime(CLOCK_MONOTONIC, &now) == 0);
    return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

void fake_sleep_ms(long ms) {
    struct timespec pause = {ms / 1000, ms % 1000 * 1000000};
    while (nanosleep(&pause, &pause) != 0 && errno == EINTR) {
    }
}

void fake_place(char folder[64], char shm_name[SHM_NAME_MAX]) {
    snprintf(folder, 64, "/tmp/ringmain-nrt-XXXXXX");
    assert(mkdtemp(folder) != NULL);
    snprintf(shm_name, SHM_NAME_MAX, "/%.40s", strrchr(folder, '/') + 1);
}

void fake_clean(const char *folder, const char *shm_name) {
    static const char *const NAMES[] = {"nrt.sock",
                                        "plant.sock",
                                        "nrt.config",
                                        "nrt.events",
                                        ".nrt.config.new",
                                        ".nrt.events.new",
                                        "log.keep.json.new",
                                        "log",
                                        "log.sessions.jsonl",
                                        "log.keep.json",
                                        "stderr",
                                        "config.json",
                                        "list.json",
                                        "notify.sock",
                                        "file"};
    (void)shm_unlink_all(shm_name);
    for (size_t i = 0; i < sizeof NAMES / sizeof NAMES[0]; i++) {
        char path[128];
        snprintf(path, sizeof path, "%s/%s", folder, NAMES[i]);
        unlink(path);
    }
    int code = rmdir(folder);
    assert(code == 0);
}

void fake_open(struct fake_rt *rt, const char *shm_name, uint32_t guns, uint64_t boot_id) {
    memset(rt, 0, sizeof *rt);
    config_ring(&rt->config, guns, 2);
    int code =
        shm_rt_create(&rt->shm, shm_name, boot_id, SHM_POLICY_REPLACE, fake_now_ns(), &rt->start);
    assert(code == 0);
    rt->status.boot_id = boot_id;
    rt->status.slots = guns;
    rt->status.interfaces = rt->config.interfaces;
    rt->status.site_limit_w = rt->status.grid_limit_w = rt->config.grid_limit_w;
    rt->status.site_limit_reason = LIMIT_REASON_FAILSAFE;
    for (uint32_t i = 0; i < guns; i++) {
        rt->status.slot[i].gun_state = GUN_STATE_AVAILABLE;
        rt->status.slot[i].flags = STATUS_SLOT_PLC_OK | STATUS_SLOT_OPERATIVE;
        rt->status.slot[i].soc_pct = 255;
        rt->status.slot[i].module_count = 2;
        if (shm_rt_sessions_left(&rt->shm, i, &rt->sessions[i]) != 0) {
            memset(&rt->sessions[i], 0, sizeof rt->sessions[i]);
        }
    }
    fake_tick(rt);
}

void fake_close(struct fake_rt *rt) {
    shm_rt_close(&rt->shm);
}

static void acknowledge(struct fake_rt *rt, const struct command *command) {
    struct session_slot *slot = &rt->sessions[command->slot];
    for (uint32_t i = 0; i < slot->finished_count; i++) {
        if (slot->finished[i].session_id == (uint64_t)command->value) {
            memmove(&slot->finished[i], &slot->finished[i + 1],
                    (slot->finished_count - i - 1) * sizeof slot->finished[0]);
            slot->finished_count--;
            shm_rt_sessions(&rt->shm, command->slot, slot);
            return;
        }
    }
}

static void obey(struct fake_rt *rt, const struct command *command) {
    struct status_slot *slot =
        command->slot < rt->status.slots ? &rt->status.slot[command->slot] : NULL;
    if (command->type == COMMAND_AUTHORISE && slot != NULL &&
        slot->gun_state == GUN_STATE_PLUGGED) {
        slot->auth_source = (uint8_t)command->a;
        memcpy(slot->id_token, command->text, sizeof slot->id_token);
        fake_state(rt, command->slot, GUN_STATE_AUTHORISED);
    } else if (command->type == COMMAND_ACK_SESSION && slot != NULL) {
        acknowledge(rt, command);
    } else if (command->type == COMMAND_AVAILABILITY && slot != NULL) {
        slot->flags = (uint8_t)((slot->flags & ~STATUS_SLOT_OPERATIVE) |
                                (command->a != 0 ? STATUS_SLOT_OPERATIVE : 0u));
    } else if (command->type == COMMAND_LATCHES && slot != NULL) {
        slot->faults =
            (slot->faults & ~(UINT64_C(1) << FAULT_LATCH_UNKNOWN)) | (uint64_t)command->value;
    } else if (command->type == COMMAND_SITE_LIMIT) {
        rt->status.site_limit_w = command->value;
        rt->status.site_limit_reason = LIMIT_REASON_LEASE;
        rt->status.lease_expires_mono_ns = command->expires_mono_ns;
    }
}

static void take_commands(struct fake_rt *rt, int64_t now_ns) {
    struct command commands[64];
    uint32_t count = shm_rt_commands(&rt->shm, commands, 64);
    for (uint32_t i = 0; i < count; i++) {
        const struct command *command = &commands[i];
        struct command_result result = {.id = command->id,
                                        .mono_ns = now_ns,
                                        .type = command->type,
                                        .slot = command->slot,
                                        .status = COMMAND_STATUS_OK};
        if (command->type < COMMAND_TYPE_COUNT) {
            result.status = rt->refuse[command->type];
        }
        if (rt->commands < FAKE_COMMANDS_MAX) {
            rt->command[rt->commands++] = *command;
        }
        if (!rt->mute && result.status == COMMAND_STATUS_OK) {
            obey(rt, command);
        }
        if (!rt->mute) {
            shm_rt_result(&rt->shm, &result);
        }
    }
    shm_rt_commands_done(&rt->shm, count);
    if (count > 0) {
        shm_rt_ring(&rt->shm);
    }
}

void fake_tick(struct fake_rt *rt) {
    int64_t now_ns = fake_now_ns();
    shm_rt_heartbeat(&rt->shm, now_ns);
    (void)doorbell_drain(&rt->shm.commands_bell);
    take_commands(rt, now_ns);
    rt->status.mono_ns = now_ns;
    rt->status.guard_steps++;
    shm_rt_status(&rt->shm, &rt->status);
}

int fake_run(struct fake_rt *rt, long ms, uint16_t type) {
    uint32_t seen = rt->commands;
    int64_t end_ns = fake_now_ns() + (int64_t)ms * 1000000;
    while (fake_now_ns() < end_ns) {
        fake_tick(rt);
        for (; seen < rt->commands; seen++) {
            if (type != 0 && rt->command[seen].type == type) {
                return (int)seen;
            }
        }
        fake_sleep_ms(1);
    }
    return -1;
}

void fake_event(struct fake_rt *rt, struct event event) {
    if (event.mono_ns == 0) {
        event.mono_ns = fake_now_ns();
    }
    rt->events_pushed += shm_rt_events(&rt->shm, &event, 1);
    shm_rt_ring(&rt->shm);
}

void fake_state(struct fake_rt *rt, uint32_t slot, enum gun_state state) {
    struct event event = {.type = EVENT_GUN_STATE,
                          .slot = (uint16_t)slot,
                          .a = rt->status.slot[slot].gun_state,
                          .b = (uint16_t)state};
    rt->status.slot[slot].gun_state = (uint8_t)state;
    rt->status.slot[slot].state_since_mono_ns = fake_now_ns();
    fake_event(rt, event);
}

bool fake_finish_session(struct fake_rt *rt, uint32_t slot, uint64_t session_id) {
    struct session_slot *sessions = &rt->sessions[slot];
    if (sessions->finished_count == SESSIONS_FINISHED_MAX) {
        return false;
    }
    int64_t now_ns = fake_now_ns();
    sessions->finished[sessions->finished_count++] =
        (struct session_record){.session_id = session_id,
                                .boot_id = rt->shm.boot_id,
                                .start_mono_ns = now_ns - 1000000,
                                .stop_mono_ns = now_ns,
                                .energy_mwh = 1000,
                                .slot = (uint16_t)slot,
                                .stop_reason = STOP_REASON_VEHICLE,
                                .soc_start_pct = 20,
                                .soc_stop_pct = 80};
    shm_rt_sessions(&rt->shm, slot, sessions);
    return true;
}

uint32_t fake_count(const struct fake_rt *rt, uint16_t type) {
    uint32_t count = 0;
    for (uint32_t i = 0; i < rt->commands; i++) {
        count += rt->command[i].type == type ? 1 : 0;
    }
    return count;
}

int fake_spawn(const char *folder, const char *const *arguments) {
    char path[128];
    snprintf(path, sizeof path, "%s/stderr", folder);
    pid_t pid = fork();
    assert(pid >= 0);
    if (pid == 0) {
        int fd = open(path, O_WRONLY | O_CREAT | O_APPEND, 0600);
        if (fd >= 0) {
            dup2(fd, STDERR_FILENO);
        }
        char *copy[24] = {NULL};
        for (size_t i = 0; i < 23 && arguments[i] != NULL; i++) {
            copy[i] = strdup(arguments[i]);
        }
        execv(copy[0], copy);
        _exit(127);
    }
    return (int)pid;
}

int fake_wait_exit(int pid, long ms) {
    for (long waited = 0; waited < ms; waited += 2) {
        int status;
        if (waitpid(pid, &status, WNOHANG) == pid) {
            return status;
        }
        fake_sleep_ms(2);
    }
    return -1;
}

void fake_ask(struct fake_rt *rt, const char *folder, const char *request, char *out, size_t size) {
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    snprintf(address.sun_path, sizeof address.sun_path, "%s/nrt.sock", folder);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert(fd >= 0);
    size_t length = 0;
    out[0] = '\0';
    if (connect(fd, (struct sockaddr *)&address, sizeof address) == 0) {
        assert(send(fd, request, strlen(request), MSG_NOSIGNAL) == (ssize_t)strlen(request));
        assert(send(fd, "\n", 1, MSG_NOSIGNAL) == 1);
        for (int turn = 0; turn < 5000 && memchr(out, '\n', length) == NULL; turn++) {
            if (rt != NULL) {
                fake_tick(rt);
            }
            ssize_t count = recv(fd, out + length, size - 1 - length, MSG_DONTWAIT);
            length += count > 0 ? (size_t)count : 0;
            out[length] = '\0';
            fake_sleep_ms(1);
        }
    }
    close(fd);
}

char *fake_read(const char *path, size_t *length) {
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    assert(fd >= 0);
    struct stat info;
    assert(fstat(fd, &info) == 0);
    char *text = calloc(1, (size_t)info.st_size + 1);
    assert(text != NULL);
    size_t done = 0;
    while (done < (size_t)info.st_size) {
        ssize_t count = read(fd, text + done, (size_t)info.st_size - done);
        assert(count > 0);
        done += (size_t)count;
    }
    close(fd);
    *length = done;
    return text;
}
