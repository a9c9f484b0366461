#include "rt/io/thread.h"

#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define STACK_MARGIN_BYTES ((size_t)64 * 1024)

static int last_allowed_cpu(void) {
    cpu_set_t allowed;
    CPU_ZERO(&allowed);
    if (sched_getaffinity(0, sizeof allowed, &allowed) != 0) {
        return 0;
    }
    for (int cpu = CPU_SETSIZE - 1; cpu > 0; cpu--) {
        if (CPU_ISSET((size_t)cpu, &allowed)) {
            return cpu;
        }
    }
    return 0;
}

static int set_attributes(pthread_attr_t *attr, const struct thread_plan *plan, int cpu,
                          bool fifo) {
    cpu_set_t one;
    CPU_ZERO(&one);
    CPU_SET((size_t)cpu, &one);
    struct sched_param parameter = {.sched_priority = fifo ? plan->priority : 0};
    int code = pthread_attr_setstacksize(attr, THREAD_STACK_BYTES);
    if (code == 0) {
        code = pthread_attr_setinheritsched(attr, PTHREAD_EXPLICIT_SCHED);
    }
    if (code == 0) {
        code = pthread_attr_setschedpolicy(attr, fifo ? SCHED_FIFO : SCHED_OTHER);
    }
    if (code == 0) {
        code = pthread_attr_setschedparam(attr, &parameter);
    }
    if (code == 0) {
        code = pthread_attr_setaffinity_np(attr, sizeof one, &one);
    }
    return code;
}

static int create(struct thread *thread, const struct thread_plan *plan, bool fifo) {
    pthread_attr_t attr;
    int code = pthread_attr_init(&attr);
    if (code != 0) {
        return -code;
    }
    code = set_attributes(&attr, plan, thread->cpu, fifo);
    if (code == 0) {
        sigset_t all, before;
        sigfillset(&all);
        /* Faults of the thread itself must reach the handler of panic.c: blocked, they would end the process without it. */
        static const int faults[] = {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGSYS, SIGABRT, SIGTRAP};
        for (size_t i = 0; i < sizeof faults / sizeof faults[0]; i++) {
            sigdelset(&all, faults[i]);
        }
        pthread_sigmask(SIG_BLOCK, &all, &before);
        code = pthread_create(&thread->id, &attr, plan->run, plan->argument);
        pthread_sigmask(SIG_SETMASK, &before, NULL);
    }
    pthread_attr_destroy(&attr);
    thread->fifo = fifo;
    return -code;
}

static void explain_refusal(const char *name, int priority, struct io_error *error) {
    snprintf(error->text, sizeof error->text,
             "thread %s: SCHED_FIFO %d refused. Set LimitRTPRIO=95 in the service, ulimit -r "
             "95, or give CAP_SYS_NICE; --development goes without",
             name, priority);
}

int thread_fifo_allowed(const char *name, int priority, struct io_error *error) {
    struct sched_param before, wanted = {.sched_priority = priority};
    const int policy = sched_getscheduler(0);
    if (policy < 0 || sched_getparam(0, &before) != 0 ||
        sched_setscheduler(0, SCHED_FIFO, &wanted) != 0) {
        const int code = -errno;
        explain_refusal(name, priority, error);
        return code;
    }
    (void)sched_setscheduler(0, policy, &before);
    return 0;
}

int thread_start(struct thread *thread, const struct thread_plan *plan, struct io_error *error) {
    thread->cpu = plan->cpu >= 0 && plan->cpu < CPU_SETSIZE ? plan->cpu : last_allowed_cpu();
    int code = create(thread, plan, true);
    if (code == -EPERM && !plan->require_fifo) {
        code = create(thread, plan, false);
    }
    if (code == -EPERM) {
        explain_refusal(plan->name, plan->priority, error);
    } else if (code == -EINVAL) {
        snprintf(error->text, sizeof error->text,
                 "thread %s: processor %d is not there or not allowed. Mend rt.guardCpu and "
                 "rt.plannerCpu, or the service's CPUAffinity",
                 plan->name, thread->cpu);
    } else if (code == -EAGAIN) {
        snprintf(error->text, sizeof error->text,
                 "thread %s: no room for its stack of %zu KiB, or too many threads. Raise "
                 "LimitMEMLOCK (ulimit -l) and TasksMax (ulimit -u)",
                 plan->name, THREAD_STACK_BYTES / 1024);
    } else if (code != 0) {
        snprintf(error->text, sizeof error->text, "thread %s: %s", plan->name, strerror(-code));
    }
    if (code == 0) {
        pthread_setname_np(thread->id, plan->name);
    }
    return code;
}

void thread_prefault_stack(void) {
    volatile unsigned char page[THREAD_STACK_BYTES - STACK_MARGIN_BYTES];
    for (size_t i = 0; i < sizeof page; i += 4096) {
        page[i] = 1;
    }
}

void thread_become_ordinary(const struct thread *rt, uint32_t count) {
    struct sched_param none = {.sched_priority = 0};
    /* Lowering oneself is never refused; a kernel that did would leave the main thread as it was, asleep. */
    (void)sched_setscheduler(0, SCHED_OTHER, &none);
    cpu_set_t allowed;
    if (sched_getaffinity(0, sizeof allowed, &allowed) != 0) {
        return;
    }
    for (uint32_t i = 0; i < count; i++) {
        CPU_CLR((size_t)rt[i].cpu, &allowed);
    }
    if (CPU_COUNT(&allowed) > 0) {
        (void)sched_setaffinity(0, sizeof allowed, &allowed);
    }
}
