#include "rt/io/seal.h"

#include <errno.h>
#include <fcntl.h>
#include <malloc.h>
#include <seccomp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

#include "rt/io/thread.h"

/* Mapped after seal_memory(): the stacks of both threads, the rings and buffers of io_uring, the filter. */
#define SEAL_RESERVE_BYTES (2 * THREAD_STACK_BYTES + (size_t)1024 * 1024)

void seal_heap(void) {
    mallopt(M_ARENA_MAX, 1);
    mallopt(M_TRIM_THRESHOLD, -1);
    mallopt(M_MMAP_MAX, 0);
}

/* What the process has mapped now: with MCL_FUTURE all of it counts against the limit. */
static size_t mapped_bytes(void) {
    unsigned long pages = 0;
    FILE *f = fopen("/proc/self/statm", "re");
    if (f != NULL) {
        char text[128];
        pages = fgets(text, sizeof text, f) != NULL ? strtoul(text, NULL, 10) : 0;
        fclose(f);
    }
    return (size_t)pages * (size_t)sysconf(_SC_PAGESIZE);
}

/* Would there be room for what start-up still maps? Asked of the kernel itself: limits and capabilities decide. */
static int try_reserve(void) {
    void *at = mmap(NULL, SEAL_RESERVE_BYTES, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (at == MAP_FAILED) {
        return -errno;
    }
    (void)munmap(at, SEAL_RESERVE_BYTES);
    return 0;
}

static void explain_lock_refusal(int code, size_t needed, struct io_error *error) {
    struct rlimit limit = {0, 0};
    char has[48] = "unlimited";
    if (getrlimit(RLIMIT_MEMLOCK, &limit) == 0 && limit.rlim_cur != RLIM_INFINITY) {
        snprintf(has, sizeof has, "%llu KiB", (unsigned long long)limit.rlim_cur / 1024);
    }
    snprintf(error->text, sizeof error->text,
             "memory cannot be locked: %s. RLIMIT_MEMLOCK is %s, needed are %zu KiB: set "
             "LimitMEMLOCK=infinity in the service, ulimit -l unlimited, or give CAP_IPC_LOCK; "
             "--development goes without",
             strerror(-code), has, needed / 1024);
}

int seal_memory(struct seal *s, struct io_error *error) {
    const size_t needed = mapped_bytes() + SEAL_RESERVE_BYTES;
    int code = mlockall(MCL_CURRENT | MCL_FUTURE) == 0 ? try_reserve() : -errno;
    if (code != 0) {
        (void)munlockall(); /* else the threads' stacks would be refused later */
        explain_lock_refusal(code, needed, error);
        return code;
    }
    thread_prefault_stack();
    s->memory_locked = true;
    return 0;
}

int seal_latency(struct seal *s) {
    if (prctl(PR_SET_TIMERSLACK, 1UL, 0UL, 0UL, 0UL) != 0) {
        return -errno;
    }
    s->latency_fd = open("/dev/cpu_dma_latency", O_WRONLY | O_CLOEXEC);
    if (s->latency_fd < 0) {
        return -errno;
    }
    int32_t zero_us = 0;
    if (write(s->latency_fd, &zero_us, sizeof zero_us) != (ssize_t)sizeof zero_us) {
        int code = -errno;
        close(s->latency_fd);
        s->latency_fd = -1;
        return code;
    }
    return 0;
}

/* What the loops, the clean end and the main thread's care for the interfaces need; nothing that opens files, maps
 * memory, makes processes or threads. */
static const int ALLOWED[] = {
    /* guard */
    SCMP_SYS(io_uring_enter),
    SCMP_SYS(io_uring_register),
    SCMP_SYS(mq_timedsend),
    SCMP_SYS(mq_timedreceive),
    SCMP_SYS(getrusage),
    SCMP_SYS(getsockopt),
    SCMP_SYS(sendto),
    /* both, and the clean end */
    SCMP_SYS(read),
    SCMP_SYS(write),
    SCMP_SYS(writev),
    SCMP_SYS(close),
    SCMP_SYS(ioctl),
    SCMP_SYS(futex),
    SCMP_SYS(clock_gettime),
    SCMP_SYS(clock_nanosleep),
    SCMP_SYS(nanosleep),
    SCMP_SYS(sched_yield),
    SCMP_SYS(restart_syscall),
    SCMP_SYS(rt_sigreturn),
    SCMP_SYS(rt_sigprocmask),
    SCMP_SYS(rt_sigaction),
    SCMP_SYS(exit),
    SCMP_SYS(exit_group),
    SCMP_SYS(tgkill),
    SCMP_SYS(getpid),
    SCMP_SYS(gettid),
    SCMP_SYS(madvise),
    SCMP_SYS(munmap),
    SCMP_SYS(munlock),
    SCMP_SYS(rseq),
    SCMP_SYS(set_robust_list),
    SCMP_SYS(unlink),
    SCMP_SYS(mq_unlink),
    /* main thread: waiting, connecting, controllers by netlink */
    SCMP_SYS(poll),
    SCMP_SYS(ppoll),
    SCMP_SYS(socket),
    SCMP_SYS(connect),
    SCMP_SYS(bind),
    SCMP_SYS(setsockopt),
    SCMP_SYS(getsockname),
    SCMP_SYS(sendmsg),
    SCMP_SYS(recvmsg),
    SCMP_SYS(recvfrom),
    SCMP_SYS(shutdown),
    SCMP_SYS(readlink),
    SCMP_SYS(readlinkat),
    SCMP_SYS(fstat),
    SCMP_SYS(newfstatat),
    SCMP_SYS(lseek),
    SCMP_SYS(fcntl),
};

static int load_filter(uint32_t action) {
    scmp_filter_ctx filter = seccomp_init(action);
    if (filter == NULL) {
        return -ENOMEM;
    }
    int code = seccomp_attr_set(filter, SCMP_FLTATR_CTL_TSYNC, 1);
    if (code == 0) {
        /* A balanced tree instead of a long comparison chain: io_uring_enter is on the hot path. */
        (void)seccomp_attr_set(filter, SCMP_FLTATR_CTL_OPTIMIZE, 2);
    }
    for (size_t i = 0; i < sizeof ALLOWED / sizeof ALLOWED[0] && code == 0; i++) {
        code = seccomp_rule_add(filter, SCMP_ACT_ALLOW, ALLOWED[i], 0);
    }
    if (code == 0) {
        code = seccomp_load(filter);
    }
    seccomp_release(filter);
    return code;
}

int seal_filter(struct seal *s, enum seal_filter_mode mode, struct io_error *error) {
    if (mode == SEAL_FILTER_OFF) {
        return 0;
    }
    int code = load_filter(mode == SEAL_FILTER_LOG ? SCMP_ACT_LOG : SCMP_ACT_TRAP);
    if (code != 0) {
        snprintf(error->text, sizeof error->text,
                 "system call filter refused: %s. The kernel needs CONFIG_SECCOMP_FILTER; "
                 "--development --seccomp off goes without",
                 strerror(-code));
        return code;
    }
    s->filtered = mode == SEAL_FILTER_ENFORCE;
    return 0;
}

static struct seal_faults faults_now(void) {
    struct rusage usage;
    if (getrusage(RUSAGE_SELF, &usage) != 0) {
        return (struct seal_faults){0, 0};
    }
    return (struct seal_faults){(uint64_t)usage.ru_minflt, (uint64_t)usage.ru_majflt};
}

void seal_baseline(struct seal *s, bool abort_on_heap) {
    if (heap_seal != NULL) {
        heap_seal(abort_on_heap);
    }
    (void)faults_now(); /* whatever the first call itself touches is before the baseline */
    s->baseline = faults_now();
}

struct seal_faults seal_page_faults(const struct seal *s) {
    struct seal_faults now = faults_now();
    return (struct seal_faults){now.minor - s->baseline.minor, now.major - s->baseline.major};
}

bool seal_counts_heap(void) {
    return heap_calls_since_seal != NULL;
}

uint32_t seal_heap_calls(void) {
    return heap_calls_since_seal == NULL ? 0 : (uint32_t)heap_calls_since_seal();
}

void seal_release(struct seal *s) {
    if (s->latency_fd >= 0) {
        close(s->latency_fd);
        s->latency_fd = -1;
    }
}
