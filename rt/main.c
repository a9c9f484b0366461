/* ringmain-rt: start-up in the order of the design (rt.md section 1), then an ordinary main thread that sleeps. */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "configs/config_report.h"
#include "rt/arguments.h"
#include "rt/can/route.h"
#include "rt/cycle.h"
#include "rt/guard.h"
#include "rt/io/clock.h"
#include "rt/io/notify.h"
#include "rt/io/panic.h"
#include "rt/io/thread.h"

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define SANITIZED 1
#else
#define SANITIZED 0
#endif

#define KERNEL_FILTERS_MAX 512 /* CAN_RAW_FILTER_MAX */

enum { THREAD_GUARD = 0, THREAD_PLANNER, THREADS };

/* Everything that lives as long as the process; static, so that it is there and locked before the first thread. */
/* NOLINTNEXTLINE(clang-analyzer-optin.performance.Padding): one object, in the order of start-up */
static struct program {
    struct arguments arguments;
    struct config config;
    struct links links;
    struct shm_rt shm;
    struct shm_start start;
    struct session_slot session;
    struct seal seal;
    struct watchdog watchdog;
    struct notify notify;
    struct exchange exchange;
    struct guard guard;
    struct cycle cycle;
    struct thread thread[THREADS];
    struct control *control;
    uint32_t status_flags;
    int signals; /* signalfd */
} program;

static int fail(int code, const char *text) {
    fprintf(stderr, "ringmain-rt: %s\n", text);
    return code;
}

/* A demand that --development lowers: 0 with the flag set and said aloud, else the exit code. */
static int lower(struct program *p, int code, uint32_t flag, const char *text) {
    if (!p->arguments.development) {
        return fail(code, text);
    }
    p->status_flags |= flag;
    fprintf(stderr, "ringmain-rt: DEVELOPMENT: going on without: %s\n", text);
    return 0;
}

static int load_config(struct program *p) {
    const struct arguments *a = &p->arguments;
    int code = config_load_or_explain(a->config, &p->config, stderr);
    if (code != 0) {
        return code == -EINVAL ? EXIT_CODE_CONFIG : EXIT_CODE_UNREADABLE;
    }
    struct config_errors *errors = calloc(1, sizeof *errors);
    if (errors == NULL) {
        return fail(EXIT_CODE_UNREADABLE, "no memory");
    }
    code = config_override(&p->config, a->transport, a->shm, a->run_folder, errors);
    if (code != 0) {
        config_errors_print(stderr, "command line", errors);
    }
    free(errors);
    if (code != 0) {
        return EXIT_CODE_CONFIG;
    }
    if (config_load_verdict(&p->config, stderr) == CAN_LOAD_REFUSED) {
        return fail(EXIT_CODE_CONFIG,
                    "CAN load refused. ringmain-rt --check-config shows the table");
    }
    return 0;
}

/* More filters than the kernel takes: none, and the driver sorts out what is not ours (it does so in any case). */
static int filters_of(const struct program *p, uint32_t i, struct bus_filters *out) {
    uint32_t count = can_kernel_filters(&p->config, i, NULL, 0);
    if (count == 0 || count > KERNEL_FILTERS_MAX) {
        return 0;
    }
    struct can_filter *filter = calloc(count, sizeof *filter);
    if (filter == NULL) {
        return -ENOMEM;
    }
    out->count = can_kernel_filters(&p->config, i, filter, count);
    out->filter = filter; /* lives as long as the process: a reopened socket needs it again */
    return 0;
}

static int open_interfaces(struct program *p) {
    struct bus_filters filters[RM_INTERFACES_MAX];
    memset(filters, 0, sizeof filters);
    for (uint32_t i = 0; i < p->config.interfaces; i++) {
        if (p->config.interface[i].transport != CAN_TRANSPORT_SOCKETCAN) {
            p->status_flags |= STATUS_FLAG_SOCKET_BUS;
        } else if (filters_of(p, i, &filters[i]) != 0) {
            return fail(EXIT_CODE_INTERFACE, "no memory for the CAN filters");
        }
    }
    struct io_error error = {""};
    return links_open(&p->links, &p->config, filters, &error) == 0
               ? 0
               : fail(EXIT_CODE_INTERFACE, error.text);
}

static int open_shm(struct program *p) {
    uint64_t boot_id = 0;
    if (getrandom(&boot_id, sizeof boot_id, 0) != (ssize_t)sizeof boot_id || boot_id == 0) {
        boot_id = (uint64_t)clock_now_ns() | 1;
    }
    int code = shm_rt_create(&p->shm, p->config.rt.shm_name, boot_id,
                             p->arguments.replace_shm ? SHM_POLICY_REPLACE : SHM_POLICY_REFUSE,
                             clock_now_ns(), &p->start);
    if (code != 0) {
        fprintf(stderr, "ringmain-rt: shared memory %s: %s\n", p->config.rt.shm_name,
                shm_error_text(code));
        return EXIT_CODE_SHM;
    }
    diag_reset(shm_rt_diag(&p->shm), EXCHANGE_GUARD_PERIOD_NS,
               p->config.planner_period_ms * CLOCK_NS_PER_MS);
    if (p->start.sessions_lost > 0) {
        fprintf(stderr, "ringmain-rt: %u slots had damaged session records of the last run\n",
                p->start.sessions_lost);
    }
    return 0;
}

/* Latches and session records of the last run go into the new core (S15). */
static void adopt(struct program *p) {
    for (uint32_t s = 0; s < p->config.slots; s++) {
        if (p->start.origin == SHM_ORIGIN_ADOPTED &&
            shm_rt_sessions_left(&p->shm, s, &p->session) == 0) {
            control_adopt_sessions(p->control, s, &p->session);
        }
    }
}

static int build_control(struct program *p) {
    size_t bytes = (control_size() + RM_CACHE_LINE - 1) / RM_CACHE_LINE * RM_CACHE_LINE;
    p->control = aligned_alloc(RM_CACHE_LINE, bytes);
    if (p->control == NULL) {
        return fail(EXIT_CODE_MLOCK, "no memory for the control core");
    }
    memset(p->control, 0, bytes);
    struct control_boot boot = {
        .boot_id = p->shm.boot_id,
        .latches_known = p->start.latches_known,
        .estop_latched = p->start.latches.estop_latched != 0,
    };
    memcpy(boot.latched, p->start.latches.latched, sizeof boot.latched);
    control_init(p->control, &p->config, &boot, clock_now_us());
    adopt(p);
    return 0;
}

static int lock_memory(struct program *p) {
    struct io_error error = {""};
    if (seal_memory(&p->seal, &error) != 0) {
        return lower(p, EXIT_CODE_MLOCK, STATUS_FLAG_NO_MLOCK, error.text);
    }
    return 0;
}

/* Before the threads are there: what is refused is said in the order of the design, not after a watchdog is armed. */
static int check_fifo(struct program *p) {
    struct io_error error = {""};
    if (p->arguments.development) {
        return 0; /* start_thread() lowers the demand */
    }
    return thread_fifo_allowed("guard", p->config.rt.guard_priority, &error) == 0
               ? 0
               : fail(EXIT_CODE_FIFO, error.text);
}

static int open_latency(struct program *p) {
    int code = seal_latency(&p->seal);
    if (code == 0) {
        return 0;
    }
    char text[160];
    snprintf(text, sizeof text,
             "/dev/cpu_dma_latency: %s. Run as root or allow the device in the service",
             strerror(-code));
    return lower(p, EXIT_CODE_LATENCY, 0, text);
}

static int open_watchdog(struct program *p) {
    p->watchdog.fd = -1;
    if (p->config.rt.watchdog_device[0] == '\0') {
        return lower(p, EXIT_CODE_WATCHDOG, STATUS_FLAG_NO_WATCHDOG,
                     "rt.watchdogDevice is empty: a guard that hangs would not reset the machine");
    }
    struct io_error error = {""};
    if (watchdog_open(&p->watchdog, p->config.rt.watchdog_device, p->config.rt.watchdog_timeout_s,
                      &error) != 0) {
        return lower(p, EXIT_CODE_WATCHDOG, STATUS_FLAG_NO_WATCHDOG, error.text);
    }
    return 0;
}

static int start_thread(struct program *p, int which, const char *name, int priority, int cpu,
                        void *(*run)(void *), void *argument) {
    struct thread_plan plan = {.name = name,
                               .priority = priority,
                               .cpu = cpu,
                               .require_fifo = !p->arguments.development,
                               .run = run,
                               .argument = argument};
    struct io_error error = {""};
    if (thread_start(&p->thread[which], &plan, &error) != 0) {
        return fail(EXIT_CODE_FIFO, error.text);
    }
    if (!p->thread[which].fifo) {
        return lower(p, EXIT_CODE_FIFO, STATUS_FLAG_NO_FIFO, "SCHED_FIFO was refused");
    }
    return 0;
}

static int start_threads(struct program *p) {
    exchange_init(&p->exchange);
    atomic_store(&p->exchange.planner_beat_ns, clock_now_ns());
    cycle_init(&p->cycle, &p->exchange, shm_rt_diag(&p->shm), p->config.planner_period_ms);
    struct guard_setup setup = {.config = &p->config,
                                .shm = &p->shm,
                                .exchange = &p->exchange,
                                .links = &p->links,
                                .seal = &p->seal,
                                .control = p->control,
                                .watchdog = p->watchdog};
    guard_init(&p->guard, &setup);
    int code = start_thread(p, THREAD_PLANNER, "planner", p->config.rt.planner_priority,
                            p->config.rt.planner_cpu, cycle_run, &p->cycle);
    if (code == 0) {
        code = start_thread(p, THREAD_GUARD, "guard", p->config.rt.guard_priority,
                            p->config.rt.guard_cpu, guard_run, &p->guard);
    }
    if (code != 0) {
        return code;
    }
    exchange_await(&p->exchange.planner_ready);
    exchange_await(&p->exchange.guard_ready);
    if (p->guard.start_code != 0) {
        return fail(EXIT_CODE_URING, p->guard.error.text);
    }
    if (p->guard.uring.small) {
        code =
            lower(p, EXIT_CODE_URING, 0,
                  "full queues of io_uring, which are shortened. Raise LimitMEMLOCK (systemd) or "
                  "ulimit -l by 256 KiB");
    }
    if (code != 0) {
        return code;
    }
    thread_become_ordinary(p->thread, THREADS);
    return 0;
}

static int open_signals(struct program *p) {
    sigset_t wanted;
    sigemptyset(&wanted);
    sigaddset(&wanted, SIGTERM);
    sigaddset(&wanted, SIGINT);
    sigprocmask(SIG_BLOCK, &wanted, NULL);
    signal(SIGPIPE, SIG_IGN);
    p->signals = signalfd(-1, &wanted, SFD_NONBLOCK | SFD_CLOEXEC);
    return p->signals >= 0 ? 0 : fail(EXIT_CODE_URING, "signalfd refused");
}

static int seal(struct program *p) {
    if (p->arguments.development) {
        p->status_flags |= STATUS_FLAG_DEVELOPMENT;
    }
    if (!p->config.plc.use_crc8) {
        p->status_flags |= STATUS_FLAG_NO_CRC;
    }
    p->guard.in.status_flags = p->status_flags;
    enum seal_filter_mode mode = p->arguments.filter;
    if (SANITIZED && p->arguments.development) {
        mode = SEAL_FILTER_OFF; /* a sanitizer's run time makes calls of its own */
    }
    struct io_error error = {""};
    if (seal_filter(&p->seal, mode, &error) != 0) {
        return fail(EXIT_CODE_FILTER, error.text);
    }
    seal_baseline(&p->seal, p->arguments.abort_on_heap);
    return 0;
}

static int start(struct program *p) {
    static int (*const steps[])(struct program *) = {
        load_config, open_signals, open_interfaces, open_shm,      build_control, lock_memory,
        check_fifo,  open_latency, open_watchdog,   start_threads, seal,
    };
    for (size_t i = 0; i < sizeof steps / sizeof steps[0]; i++) {
        int code = steps[i](p);
        if (code != 0) {
            watchdog_stop(&p->watchdog);
            return code;
        }
    }
    return 0;
}

/* Sleeps; keeps the interfaces connected; hears SIGTERM. Returns when the guard is done. */
static void attend(struct program *p) {
    struct pollfd wait[] = {{.fd = p->signals, .events = POLLIN},
                            {.fd = p->links.main_bell, .events = POLLIN}};
    while (!atomic_load_explicit(&p->exchange.guard_done, memory_order_acquire)) {
        int due_ms = links_service(&p->links, clock_now_us());
        (void)poll(wait, 2, due_ms);
        struct signalfd_siginfo info;
        if (read(p->signals, &info, sizeof info) == (ssize_t)sizeof info) {
            notify_send(&p->notify, "STOPPING=1");
            atomic_store_explicit(&p->exchange.stop, true, memory_order_release);
        }
    }
}

static int end(struct program *p) {
    for (int i = 0; i < THREADS; i++) {
        pthread_join(p->thread[i].id, NULL);
    }
    bool idle = atomic_load(&p->exchange.stopped_idle);
    if (!idle) {
        fprintf(stderr, "ringmain-rt: outputs were not all off after %lld s: forced off\n",
                GUARD_STOP_LIMIT_NS / CLOCK_NS_PER_S);
    }
    shm_rt_close(&p->shm);
    return idle ? EXIT_CODE_CLEAN : EXIT_CODE_STOP_FORCED;
}

static int run(struct program *p) {
    int code = start(p);
    if (code != 0) {
        return code;
    }
    sem_post(&p->exchange.go);
    sem_post(&p->exchange.go);
    notify_send(&p->notify, "READY=1");
    attend(p);
    return end(p);
}

int main(int argc, char **argv) {
    struct program *p = &program;
    seal_heap();
    switch (arguments_parse(&p->arguments, argc, argv, stdout, stderr)) {
    case ARGUMENTS_DONE: return EXIT_CODE_CLEAN;
    case ARGUMENTS_WRONG: return EXIT_CODE_USAGE;
    case ARGUMENTS_RUN: break;
    }
    if (p->arguments.check) {
        return (int)config_check_print(stdout, p->arguments.config);
    }
    p->watchdog.fd = -1;
    p->seal.latency_fd = -1;
    panic_install();
    notify_open(&p->notify);
    int code = run(p);
    /* _exit: the threads of a refused start still wait, and nothing of ours is left to write. */
    fflush(NULL);
    _exit(code);
}
