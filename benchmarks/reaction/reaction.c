/* How fast ringmain-rt answers on the wire: e-stop frame in to all-off frames out, safety frame in to zero setpoints out,
 * beside a bare read-write echo over the same kind of socket, at the same priority on the same CPU, in the same run.
 *
 * The real ringmain-rt runs against the virtual hub inside this program (its wired e-stop path cut, so that the frames are
 * all there is). A sample runs from just before the send() of the telling frame to the receive of the last frame
 * awaited: kernel, wake-up, our decoding and interlocks, and the way back. Rounds: e-stop of an idle hub and of one whose
 * guns all charge, each on the machine as it is and under stress-ng on the other CPUs; the worst round is reported.
 */
#include <errno.h>
#include <inttypes.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cjson/cJSON.h>

#include "benchmarks/reaction/wire.h"
#include "configs/config.h"
#include "shm/shm.h"
#include "tests/plant/plant.h"

#define SAMPLES_MAX 4096
#define NS_PER_MS   1000000LL
/* Wire layout as in the CAN contract, written down by hand. */
#define ID_GCMC_COMMAND  0x390u
#define ID_SAFETY_STATUS 0x190u
#define FORCE_ALL_OFF    0x80u
#define ESTOP_BITS       0x88u /* ESTOP_LATCHED, ESTOP_INPUT */
#define SAFETY_OK        0x10u

struct samples {
    const char *name;
    uint32_t count, lost;
    int64_t ns[SAMPLES_MAX];
};

/* One load of hub and machine, with the echo's samples of the same minutes. */
struct round {
    const char *load;
    bool charging, stress;
    struct samples estop_all, estop_first, echo_all, echo_one;
};
#define ROUNDS 4

struct bench {
    struct config config;
    struct plant *plant;
    struct wire wire;
    struct shm_peer peer;
    struct status status;
    struct frame_batch batch;
    char folder[108], shm_name[64];
    pid_t rt, echo, stress;
    int echo_in[2],
        echo_out[2]; /* [0] ours, [1] the echo's: two sockets back, as the hub has two PLC buses */
    uint64_t command_id, overflow;
    struct round round[ROUNDS];
    struct samples zero;
};

static int64_t now_ns(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

static void add(struct samples *s, int64_t ns) {
    if (ns < 0) {
        s->lost++;
    } else if (s->count < SAMPLES_MAX) {
        s->ns[s->count++] = ns;
    }
}

static void send_frame(struct bench *b, const struct bus_frame *f) {
    if (!wire_send(&b->wire, f->interface, &f->frame)) {
        b->overflow++;
    }
}

static void receive_all(struct bench *b) {
    struct can_frame frame;
    for (uint32_t i = 0; i < b->wire.count; i++) {
        while (wire_receive(&b->wire, i, &frame)) {
            plant_rx(b->plant, i, &frame, now_ns() / 1000);
        }
    }
}

static void step_plant(struct bench *b) {
    frame_batch_clear(&b->batch);
    plant_step(b->plant, now_ns() / 1000, &b->batch);
}

/* The virtual hub in real time for a while, one step a millisecond. */
static void pump(struct bench *b, int64_t ms) {
    int64_t end = now_ns() + ms * NS_PER_MS;
    while (now_ns() < end) {
        wire_accept(&b->wire);
        receive_all(b);
        step_plant(b);
        for (uint32_t i = 0; i < b->batch.count; i++) {
            send_frame(b, &b->batch.item[i]);
        }
        nanosleep(&(struct timespec){.tv_nsec = NS_PER_MS}, NULL);
    }
}

static bool status(struct bench *b) {
    return shm_status_read(&b->peer, &b->status) == 0;
}

static void command(struct bench *b, enum command_type type, uint32_t slot) {
    struct command c = {
        .id = ++b->command_id, .type = (uint16_t)type, .slot = (uint16_t)slot, .text = "BENCH"};
    if (type == COMMAND_AUTHORISE) {
        c.a = AUTH_SOURCE_FREE_VEND;
    }
    if (type == COMMAND_SITE_LIMIT) {
        c.value = b->config.grid_limit_w;
        c.a = LIMIT_REASON_LEASE;
        c.expires_mono_ns = now_ns() + 600 * 1000 * NS_PER_MS;
    }
    if (shm_command_send(&b->peer, &c) != 0) {
        fprintf(stderr, "reaction: command ring full\n");
    }
    struct command_result results[64];
    while (shm_results_take(&b->peer, results, 64) > 0) {
    }
    struct event events[256];
    uint32_t taken;
    while (shm_events_peek(&b->peer, events, 256, &taken) > 0) {
        shm_events_commit(&b->peer, taken);
    }
    shm_peer_heartbeat(&b->peer, now_ns());
}

/* Every gun free of faults and PLC latches: what a sample starts from. */
static bool wait_available(struct bench *b) {
    for (int round = 0; round < 1000; round++) {
        pump(b, 20);
        uint32_t free_guns = 0;
        for (uint32_t i = 0; status(b) && i < b->config.slots; i++) {
            const struct status_slot *s = &b->status.slot[i];
            free_guns += s->gun_state == GUN_STATE_AVAILABLE && s->faults == 0;
        }
        if (free_guns == b->config.connectors) {
            return true;
        }
    }
    return false;
}

/* Plugs every gun and waits until all charge. */
static bool all_charging(struct bench *b) {
    if (!wait_available(b)) {
        return false;
    }
    struct plant_vehicle_wish wish = {.soc_pct = 15, .target_soc_pct = 95, .stay_s = 100000};
    for (uint32_t i = 0; i < b->config.connectors; i++) {
        (void)plant_plug(b->plant, b->config.connector[i].id, &wish);
    }
    bool asked[RM_SLOTS_MAX] = {false};
    for (int round = 0; round < 600; round++) {
        pump(b, 100);
        uint32_t charging = 0;
        if (!status(b)) {
            continue;
        }
        for (uint32_t i = 0; i < b->config.slots; i++) {
            charging += b->status.slot[i].gun_state == GUN_STATE_CHARGING &&
                        b->status.slot[i].power_w > 500;
            if (b->status.slot[i].gun_state == GUN_STATE_PLUGGED && !asked[i]) {
                command(b, COMMAND_AUTHORISE, i);
                asked[i] = true;
            }
        }
        if (charging == b->config.connectors) {
            return true;
        }
    }
    for (uint32_t i = 0; i < b->config.slots; i++) {
        const struct status_slot *s = &b->status.slot[i];
        fprintf(stderr, "reaction: slot %" PRIu32 ": %s, stage %s, fault %s\n", i,
                gun_state_name(s->gun_state), hlc_stage_name(s->hlc_stage),
                fault_info(s->fault)->name);
    }
    return false;
}

static void all_unplugged(struct bench *b) {
    for (int round = 0; round < 100; round++) {
        uint32_t left = 0;
        for (uint32_t i = 0; i < b->config.connectors; i++) {
            left += plant_unplug(b->plant, b->config.connector[i].id, false) != PLANT_EMPTY;
        }
        pump(b, 100);
        if (left == 0) {
            return;
        }
    }
}

static bool is_from(const struct bus_frame *f, uint32_t base) {
    return (f->frame.can_id & CAN_EFF_FLAG) != 0 &&
           (f->frame.can_id & (CAN_EFF_MASK & ~0xFu)) == base;
}

/* Sends the telling frame, then waits, without sleeping, for frames until done() says so. -1 after 200 ms. */
typedef bool (*done_fn)(struct bench *b, uint32_t interface, const struct can_frame *frame,
                        uint64_t *seen, int64_t *first_ns);

static int64_t sample(struct bench *b, const struct bus_frame *telling, done_fn done, uint64_t seen,
                      int64_t *first_ns) {
    *first_ns = -1;
    int64_t start = now_ns();
    send_frame(b, telling);
    int64_t end = -1;
    while (end < 0 && now_ns() - start < 200 * NS_PER_MS) {
        struct can_frame frame;
        for (uint32_t i = 0; i < b->wire.count && end < 0; i++) {
            while (end < 0 && wire_receive(&b->wire, i, &frame)) {
                bool complete = done(b, i, &frame, &seen, first_ns);
                if (complete) {
                    end = now_ns();
                }
                plant_rx(b->plant, i, &frame, now_ns() / 1000);
            }
        }
    }
    if (*first_ns >= 0) {
        *first_ns -= start;
    }
    return end < 0 ? -1 : end - start;
}

static bool all_off_everywhere(struct bench *b, uint32_t interface, const struct can_frame *frame,
                               uint64_t *seen, int64_t *first_ns) {
    struct bus_frame f = {.frame = *frame, .interface = (uint8_t)interface};
    if (!is_from(&f, ID_GCMC_COMMAND) || (frame->data[0] & FORCE_ALL_OFF) == 0) {
        return false;
    }
    for (uint32_t i = 0; i < b->config.slots; i++) {
        if (b->config.slot[i].interface == interface &&
            b->config.slot[i].plc_id == (frame->can_id & 0xFu)) {
            *seen &= ~(1ull << i);
        }
    }
    if (*first_ns < 0) {
        *first_ns = now_ns();
    }
    return *seen == 0;
}

static uint32_t measured_slot;

/* infypower: 0x1A off, or 0x1C with zero current, for each module of the slot */
static bool zero_setpoints(struct bench *b, uint32_t interface, const struct can_frame *frame,
                           uint64_t *seen, int64_t *first_ns) {
    uint32_t id = frame->can_id & CAN_EFF_MASK;
    uint32_t what = (id >> 16) & 0x3Fu;
    bool zero = (what == 0x1Au && frame->data[0] == 1) ||
                (what == 0x1Cu && frame->data[4] == 0 && frame->data[5] == 0 &&
                 frame->data[6] == 0 && frame->data[7] == 0);
    const struct config_slot *slot = &b->config.slot[measured_slot];
    for (uint32_t k = 0; zero && k < slot->module_count; k++) {
        if (slot->module[k].interface == interface &&
            slot->module[k].address == ((id >> 8) & 0xFFu)) {
            *seen &= ~(1ull << k);
            if (*first_ns < 0) {
                *first_ns = now_ns();
            }
        }
    }
    return *seen == 0;
}

/* The plant's next step, cut into the first frame that satisfies the mask test, and the others (sent after the sample). */
static bool find_telling(const struct frame_batch *batch, uint32_t interface, int plc, uint8_t mask,
                         uint8_t wanted, uint32_t *at) {
    for (uint32_t i = 0; i < batch->count; i++) {
        const struct bus_frame *f = &batch->item[i];
        if (is_from(f, ID_SAFETY_STATUS) &&
            (plc < 0 || (f->interface == interface && (f->frame.can_id & 0xFu) == (uint32_t)plc)) &&
            (f->frame.data[0] & mask) != wanted) {
            *at = i;
            return true;
        }
    }
    return false;
}

static int64_t told(struct bench *b, int plc_slot, uint8_t mask, uint8_t wanted, done_fn done,
                    uint64_t seen, int64_t *first_ns) {
    uint32_t interface = plc_slot < 0 ? 0 : b->config.slot[plc_slot].interface;
    int plc = plc_slot < 0 ? -1 : b->config.slot[plc_slot].plc_id;
    for (int i = 0; i < 300; i++) {
        receive_all(b);
        step_plant(b);
        uint32_t at = 0;
        int64_t took = -1;
        bool found = find_telling(&b->batch, interface, plc, mask, wanted, &at);
        if (found) {
            took = sample(b, &b->batch.item[at], done, seen, first_ns);
        }
        for (uint32_t k = 0; k < b->batch.count; k++) {
            if (!found || k != at) {
                send_frame(b, &b->batch.item[k]);
            }
        }
        if (found) {
            return took;
        }
        nanosleep(&(struct timespec){.tv_nsec = NS_PER_MS}, NULL);
    }
    return -1;
}

static bool released(struct bench *b) {
    plant_estop(b->plant, false);
    pump(b, 60);
    for (int i = 0; i < 100; i++) {
        command(b, COMMAND_RESET_ESTOP, EVENT_SLOT_NONE);
        pump(b, 20);
        if (status(b) && b->status.estop == 0) {
            return wait_available(b);
        }
    }
    return false;
}

/* ---- the peer: a bare read-write echo ---------------------------------------------------------------------- */

static void echo_loop(struct bench *b, int cpu) {
    cpu_set_t set;
    CPU_ZERO(&set);
    CPU_SET((size_t)cpu, &set);
    sched_setaffinity(0, sizeof set, &set);
    struct sched_param param = {.sched_priority = 90};
    sched_setscheduler(0, SCHED_FIFO, &param);
    struct can_frame frame;
    while (recv(b->echo_in[1], &frame, sizeof frame, 0) == (ssize_t)sizeof frame) {
        uint32_t copies = frame.can_id; /* how many frames to send, spread over both sockets */
        for (uint32_t i = 0; i < copies; i++) {
            (void)!send(i % 2 == 0 ? b->echo_in[1] : b->echo_out[1], &frame, sizeof frame,
                        MSG_DONTWAIT | MSG_NOSIGNAL);
        }
    }
    _exit(0);
}

static int64_t echo_sample(struct bench *b, uint32_t copies) {
    struct can_frame frame = {.can_id = copies, .len = 8};
    int64_t start = now_ns();
    (void)!send(b->echo_in[0], &frame, sizeof frame, MSG_NOSIGNAL);
    uint32_t got = 0;
    while (got < copies && now_ns() - start < 200 * NS_PER_MS) {
        got += recv(b->echo_in[0], &frame, sizeof frame, MSG_DONTWAIT) == (ssize_t)sizeof frame;
        got += recv(b->echo_out[0], &frame, sizeof frame, MSG_DONTWAIT) == (ssize_t)sizeof frame;
    }
    return got == copies ? now_ns() - start : -1;
}

/* ---- figures ----------------------------------------------------------------------------------------------- */

static int ascending(const void *a, const void *b) {
    int64_t x = *(const int64_t *)a;
    int64_t y = *(const int64_t *)b;
    return (x > y) - (x < y);
}

static double quantile_us(struct samples *s, double q) {
    if (s->count == 0) {
        return -1.0;
    }
    qsort(s->ns, s->count, sizeof s->ns[0], ascending);
    return (double)s->ns[(uint32_t)((double)(s->count - 1) * q + 0.5)] / 1000.0;
}

static void row(cJSON *entries, const char *load, struct samples *s) {
    if (s->count + s->lost == 0) {
        return;
    }
    double p50 = quantile_us(s, 0.5);
    double p99 = quantile_us(s, 0.99);
    double max = quantile_us(s, 1.0);
    printf("%-20s %-50s %6" PRIu32 " %9.1f %9.1f %9.1f %6" PRIu32 "\n", load, s->name, s->count,
           p50, p99, max, s->lost);
    cJSON *e = cJSON_CreateObject();
    cJSON_AddStringToObject(e, "load", load);
    cJSON_AddStringToObject(e, "name", s->name);
    cJSON_AddNumberToObject(e, "samples", s->count);
    cJSON_AddNumberToObject(e, "p50_us", p50);
    cJSON_AddNumberToObject(e, "p99_us", p99);
    cJSON_AddNumberToObject(e, "max_us", max);
    cJSON_AddNumberToObject(e, "lost", s->lost);
    cJSON_AddItemToArray(entries, e);
}

static double worst(double a, double b) {
    return a > b ? a : b;
}

static int report(struct bench *b, const char *json) {
    cJSON *root = cJSON_CreateObject();
    cJSON *entries = cJSON_CreateArray();
    double p99 = -1, max = -1, ratio = -1, ratio_first = -1;
    uint32_t lost = b->zero.lost;
    bool all = b->zero.count > 0;
    printf("%-20s %-50s %6s %9s %9s %9s %6s\n", "load", "send to receive, microseconds", "n", "p50",
           "p99", "max", "lost");
    for (struct round *r = b->round; r < b->round + ROUNDS && r->load != NULL; r++) {
        row(entries, r->load, &r->estop_all);
        row(entries, r->load, &r->estop_first);
        row(entries, r->load, &r->echo_all);
        row(entries, r->load, &r->echo_one);
        p99 = worst(p99, quantile_us(&r->estop_all, 0.99));
        max = worst(max, quantile_us(&r->estop_all, 1.0));
        ratio = worst(ratio, quantile_us(&r->estop_all, 0.99) / quantile_us(&r->echo_all, 0.99));
        ratio_first = worst(ratio_first,
                            quantile_us(&r->estop_first, 0.99) / quantile_us(&r->echo_one, 0.99));
        lost += r->estop_all.lost;
        all = all && r->estop_all.count > 0;
    }
    row(entries, "charging", &b->zero);
    printf("worst round, e-stop to all-off, p99: %.1f us; beside an echo of as many frames %.2fx; "
           "first frame beside one echoed frame %.2fx\n",
           p99, ratio, ratio_first);
    cJSON_AddNumberToObject(root, "estop_p99_us", p99);
    cJSON_AddNumberToObject(root, "estop_max_us", max);
    cJSON_AddNumberToObject(root, "echo_p99_ratio", ratio);
    cJSON_AddNumberToObject(root, "echo_first_p99_ratio", ratio_first);
    cJSON_AddNumberToObject(root, "zero_setpoint_p99_us", quantile_us(&b->zero, 0.99));
    cJSON_AddNumberToObject(root, "lost", lost);
    cJSON_AddItemToObject(root, "entries", entries);
    int failed = 0;
    if (json != NULL) {
        char *text = cJSON_Print(root);
        FILE *f = text != NULL ? fopen(json, "w") : NULL;
        failed = f == NULL || fputs(text, f) < 0;
        failed |= f == NULL || fclose(f) != 0;
        free(text);
    }
    cJSON_Delete(root);
    return failed || !all ? 1 : 0;
}

/* ---- set-up ------------------------------------------------------------------------------------------------ */

static int last_cpu(void) {
    cpu_set_t set;
    int cpu = 0;
    sched_getaffinity(0, sizeof set, &set);
    for (int i = 0; i < CPU_SETSIZE; i++) {
        if (CPU_ISSET((size_t)i, &set)) {
            cpu = i;
        }
    }
    return cpu;
}

static void stay_off(int cpu) {
    cpu_set_t set;
    sched_getaffinity(0, sizeof set, &set);
    if (CPU_COUNT(&set) > 1) {
        CPU_CLR((size_t)cpu, &set);
        sched_setaffinity(0, sizeof set, &set);
    }
}

static bool start(struct bench *b, const char *config_path, const char *rt_path) {
    static struct config_errors errors;
    static const char *names[RM_INTERFACES_MAX];
    snprintf(b->folder, sizeof b->folder, "/tmp/ringmain-bench-%d", (int)getpid());
    snprintf(b->shm_name, sizeof b->shm_name, "/ringmain-bench-%d", (int)getpid());
    if (mkdir(b->folder, 0700) != 0 || config_load(config_path, &b->config, &errors) != 0) {
        fprintf(stderr, "reaction: cannot load %s\n", config_path);
        return false;
    }
    if (b->config.slots > 64 || b->config.modules.protocol != MODULE_PROTOCOL_INFYPOWER ||
        b->config.plc.contactor_frame != CONTACTOR_FRAME_GCMC) {
        fprintf(stderr,
                "reaction: needs a hub of at most 64 slots with gcmc PLCs and infypower modules\n");
        return false;
    }
    for (uint32_t i = 0; i < b->config.interfaces; i++) {
        names[i] = b->config.interface[i].name;
    }
    struct plant_options options = {
        .seed = 3, .handshake = PLANT_HANDSHAKE_FAST, .estop_soft = true};
    b->plant = plant_create(&b->config, &options, now_ns() / 1000);
    if (b->plant == NULL || wire_open(&b->wire, b->folder, names, b->config.interfaces) != 0) {
        fprintf(stderr, "reaction: cannot listen in %s\n", b->folder);
        return false;
    }
    int cpu = last_cpu();
    if (socketpair(AF_UNIX, SOCK_SEQPACKET, 0, b->echo_in) != 0 ||
        socketpair(AF_UNIX, SOCK_SEQPACKET, 0, b->echo_out) != 0) {
        return false;
    }
    b->echo = fork();
    if (b->echo == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        echo_loop(b, cpu);
    }
    b->rt = fork();
    if (b->rt == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        char transport[160];
        snprintf(transport, sizeof transport, "unix:%s", b->folder);
        execl(rt_path, rt_path, "--config", config_path, "--transport", transport, "--shm",
              b->shm_name, "--run-folder", b->folder, "--development", (char *)NULL);
        fprintf(stderr, "reaction: cannot start %s: %s\n", rt_path, strerror(errno));
        _exit(127);
    }
    stay_off(cpu);
    /* the virtual hub stands for hardware, which is never late */
    (void)sched_setscheduler(0, SCHED_RR, &(struct sched_param){.sched_priority = 10});
    for (int i = 0; i < 100; i++) {
        pump(b, 100);
        if (shm_attach(&b->peer, b->shm_name, SHM_WRITE) == 0) {
            command(b, COMMAND_SITE_LIMIT, EVENT_SLOT_NONE);
            for (uint32_t k = 0; k < b->config.slots; k++) {
                command(b, COMMAND_LATCHES, k); /* no latched faults in the store (S15) */
            }
            return true;
        }
        if (waitpid(b->rt, NULL, WNOHANG) == b->rt) {
            b->rt = 0;
            return false;
        }
    }
    fprintf(stderr, "reaction: ringmain-rt did not come up\n");
    return false;
}

static void stop(struct bench *b) {
    if (b->rt > 0) {
        kill(b->rt, SIGTERM);
        for (int i = 0; i < 120 && waitpid(b->rt, NULL, WNOHANG) != b->rt; i++) {
            pump(b, 100);
        }
        kill(b->rt, SIGKILL);
    }
    if (b->echo > 0) {
        kill(b->echo, SIGKILL);
        waitpid(b->echo, NULL, 0);
    }
    wire_close(&b->wire);
    (void)shm_unlink_all(b->shm_name);
    char path[160];
    for (uint32_t i = 0; i < b->config.interfaces; i++) {
        snprintf(path, sizeof path, "%s/%s.sock", b->folder, b->config.interface[i].name);
        unlink(path);
    }
    rmdir(b->folder);
}

/* stress-ng on the CPUs that are not the guard's: as in the latency benchmark. */
static bool start_stress(struct bench *b) {
    b->stress = fork();
    if (b->stress == 0) {
        prctl(PR_SET_PDEATHSIG, SIGTERM);
        (void)setpgid(0, 0);
        (void)sched_setscheduler(0, SCHED_OTHER, &(struct sched_param){0});
        execlp("stress-ng", "stress-ng", "--cpu", "1", "--hdd", "1", "--hdd-bytes", "16M",
               "--switch", "1", "--timer", "1", "--quiet", "--temp-path", "/tmp", (char *)NULL);
        fprintf(stderr, "reaction: cannot start stress-ng: %s\n", strerror(errno));
        _exit(127);
    }
    pump(b, 1000);
    if (b->stress > 0 && waitpid(b->stress, NULL, WNOHANG) == b->stress) {
        b->stress = 0;
    }
    return b->stress > 0;
}

static void stop_stress(struct bench *b) {
    if (b->stress > 0) {
        kill(-b->stress, SIGKILL);
        waitpid(b->stress, NULL, 0);
        b->stress = 0;
    }
}

static bool estop_sample(struct bench *b, struct round *r, uint32_t i) {
    uint64_t everyone = b->config.slots == 64 ? UINT64_MAX : (1ull << b->config.slots) - 1;
    if (r->charging && !all_charging(b)) {
        fprintf(stderr, "reaction: not all guns came to charge\n");
        return false;
    }
    pump(b, 40 + i % 7); /* not in step with the guard's tick */
    int64_t first = -1;
    plant_estop(b->plant, true);
    int64_t all = told(b, -1, ESTOP_BITS, 0, all_off_everywhere, everyone, &first);
    add(&r->estop_all, all);
    add(&r->estop_first, first);
    add(&r->echo_all, echo_sample(b, b->config.slots));
    pump(b, 5);
    add(&r->echo_one, echo_sample(b, 1));
    if (r->charging) {
        all_unplugged(b);
    }
    if (!released(b)) {
        fprintf(stderr, "reaction: e-stop could not be reset\n");
        return false;
    }
    return true;
}

static bool measure_estop(struct bench *b, struct round *r, uint32_t samples) {
    r->estop_all.name = "e-stop frame to all-off frames of every slot";
    r->estop_first.name = "e-stop frame to the first all-off frame";
    r->echo_all.name = "echo: one frame in, as many frames out";
    r->echo_one.name = "echo: one frame in, one frame out";
    if (r->stress && !start_stress(b)) {
        return false;
    }
    bool good = true;
    for (uint32_t i = 0; i < samples && good; i++) {
        good = estop_sample(b, r, i);
    }
    stop_stress(b);
    return good;
}

static bool measure_rounds(struct bench *b, uint32_t idle, uint32_t charging, bool stress) {
    static const struct round rounds[ROUNDS] = {
        {.load = "idle"},
        {.load = "charging", .charging = true},
        {.load = "idle, stress-ng", .stress = true},
        {.load = "charging, stress-ng", .charging = true, .stress = true}};
    uint32_t done = 0;
    for (uint32_t i = 0; i < ROUNDS; i++) {
        if (rounds[i].stress && !stress) {
            continue;
        }
        struct round *r = &b->round[done++];
        r->load = rounds[i].load;
        r->charging = rounds[i].charging;
        r->stress = rounds[i].stress;
        if (!measure_estop(b, r, r->charging ? charging : idle)) {
            return false;
        }
    }
    return true;
}

static bool measure_zero(struct bench *b, uint32_t rounds) {
    for (uint32_t r = 0; r < rounds; r++) {
        if (!all_charging(b)) {
            fprintf(stderr, "reaction: not all guns came to charge\n");
            return false;
        }
        for (uint32_t i = 0; i < b->config.slots; i++) {
            if (b->config.slot[i].gun < 0) {
                continue;
            }
            int gun = b->config.connector[b->config.slot[i].gun].id;
            struct plant_fault fault = {
                .gun = gun, .value = (double)__builtin_nanf(""), .for_ms = 2000};
            if (plant_inject(b->plant, "safety-open", &fault) != PLANT_OK) {
                fprintf(stderr, "reaction: the virtual hub refused safety-open\n");
                return false;
            }
            measured_slot = i;
            int64_t first;
            add(&b->zero, told(b, (int)i, SAFETY_OK, SAFETY_OK, zero_setpoints,
                               (1ull << b->config.slot[i].module_count) - 1, &first));
            pump(b, 20 + i % 5);
        }
        pump(b, 2500);
        (void)plant_clear(b->plant, 0);
        all_unplugged(b);
        pump(b, 1500);
    }
    return true;
}

struct options {
    const char *json, *config;
    char rt[512];
    uint32_t samples, charging, rounds;
    bool stress;
};

static bool parse(int argc, char **argv, struct options *o) {
    for (int i = 1; i < argc; i++) {
        const bool value = i + 1 < argc;
        if (strcmp(argv[i], "--no-stress") == 0) {
            o->stress = false;
        } else if (strcmp(argv[i], "--quick") == 0) {
            o->samples = 50;
            o->charging = 5;
            o->rounds = 1;
        } else if (value && strcmp(argv[i], "--json") == 0) {
            o->json = argv[++i];
        } else if (value && strcmp(argv[i], "--config") == 0) {
            o->config = argv[++i];
        } else if (value && strcmp(argv[i], "--rt") == 0) {
            snprintf(o->rt, sizeof o->rt, "%s", argv[++i]);
        } else if (value && strcmp(argv[i], "--samples") == 0) {
            o->samples = (uint32_t)strtoul(argv[++i], NULL, 10);
        } else if (value && strcmp(argv[i], "--charging-samples") == 0) {
            o->charging = (uint32_t)strtoul(argv[++i], NULL, 10);
        } else if (value && strcmp(argv[i], "--rounds") == 0) {
            o->rounds = (uint32_t)strtoul(argv[++i], NULL, 10);
        } else {
            fprintf(stderr,
                    "usage: %s [--json FILE] [--config FILE] [--rt PROGRAM] [--samples N] "
                    "[--charging-samples N] [--rounds N] [--no-stress] [--quick]\n"
                    "  --samples           e-stops of an idle hub (200)\n"
                    "  --charging-samples  e-stops while every gun charges (60, six seconds each)\n"
                    "  --rounds            times every gun is charged for the safety frame (6)\n"
                    "  --no-stress         no rounds under stress-ng\n",
                    argv[0]);
            return false;
        }
    }
    return true;
}

int main(int argc, char **argv) {
    static struct bench b;
    struct options o = {.config = "configs/charger.json",
                        .samples = 200,
                        .charging = 60,
                        .rounds = 6,
                        .stress = true};
    snprintf(o.rt, sizeof o.rt, "%s", argv[0]);
    char *slash = strrchr(o.rt, '/');
    snprintf(slash != NULL ? slash + 1 : o.rt, 32, "ringmain-rt");
    if (!parse(argc, argv, &o)) {
        return 2;
    }
    b.zero.name = "safety frame of a charging slot to zero setpoints";
    int code = 1;
    if (start(&b, o.config, o.rt) && released(&b) &&
        measure_rounds(&b, o.samples, o.charging, o.stress) && measure_zero(&b, o.rounds)) {
        code = report(&b, o.json);
    }
    stop_stress(&b);
    stop(&b);
    return code;
}
