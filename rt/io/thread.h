/* Threads of the real-time process: explicit policy, priority, processor and stack; nothing inherited.
 * Start-up only. */
#ifndef RINGMAIN_RT_IO_THREAD_H
#define RINGMAIN_RT_IO_THREAD_H

#include <pthread.h>

#include "rt/io/bus_open.h"

#define THREAD_STACK_BYTES ((size_t)512 * 1024)

struct thread_plan {
    const char *name;  /* at most 15 characters, shown by ps */
    int priority;      /* SCHED_FIFO 1..99 */
    int cpu;           /* -1: the last processor allowed to the process */
    bool require_fifo; /* false (--development): SCHED_OTHER when FIFO is refused */
    void *(*run)(void *);
    void *argument;
};

struct thread {
    pthread_t id;
    int cpu;
    bool fifo;
};

/* Would a thread of that priority be given SCHED_FIFO? 0, or -errno with *error. The caller stays what it was. */
int thread_fifo_allowed(const char *name, int priority, struct io_error *error) RM_MUST_CHECK;

/* 0, or -errno with *error. Signals are blocked in the new thread. */
int thread_start(struct thread *thread, const struct thread_plan *plan,
                 struct io_error *error) RM_MUST_CHECK;

/* Touches the caller's whole stack (THREAD_STACK_BYTES less a margin), so that no page fault is left in it. */
void thread_prefault_stack(void);

/* The calling (main) thread becomes an ordinary one that keeps off the processors of the real-time threads, where the
 * process is allowed any other. */
void thread_become_ordinary(const struct thread *rt, uint32_t count);

#endif
