/* Tells when this machine kept a real-time thread from running: on each processor a thread above Ringmain's priorities
 * that sleeps and looks how late it woke. What comes late here was the machine's doing, not Ringmain's.
 *
 * Usage: ringmain-stall-probe PRIORITY. One line per processor, "cpu N fifo 1" (0: real-time priority was refused), then
 * one per late waking: "late CPU DUE_NS LATE_NS" on CLOCK_MONOTONIC. Ends by signal.
 */
#include <inttypes.h>
#include <pthread.h>
#include <sched.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <time.h>
#include <unistd.h>

#define PERIOD_NS 5000000LL
#define REPORT_NS 1000000LL
#define CPUS_MAX  64

struct watch {
    int cpu, priority;
};

static int64_t now_ns(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

/* One write, so that lines of several threads never mix. */
__attribute__((format(printf, 1, 2))) static void say(const char *format, ...) {
    char line[96];
    va_list args;
    va_start(args, format);
    const int n = vsnprintf(line, sizeof line, format, args);
    va_end(args);
    if (n > 0 && write(STDOUT_FILENO, line, (size_t)n) != n) {
        exit(1);
    }
}

static void *watch(void *argument) {
    const struct watch *w = argument;
    cpu_set_t one;
    CPU_ZERO(&one);
    CPU_SET((size_t)w->cpu, &one);
    const struct sched_param parameter = {.sched_priority = w->priority};
    if (sched_setaffinity(0, sizeof one, &one) != 0) {
        return NULL; /* not ours to run on: nothing is said of it */
    }
    (void)prctl(PR_SET_TIMERSLACK, 1UL, 0UL, 0UL, 0UL);
    say("cpu %d fifo %d\n", w->cpu, sched_setscheduler(0, SCHED_FIFO, &parameter) == 0);
    int64_t due_ns = now_ns();
    for (;;) {
        due_ns += PERIOD_NS;
        const struct timespec due = {.tv_sec = due_ns / 1000000000, .tv_nsec = due_ns % 1000000000};
        (void)clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &due, NULL);
        const int64_t late_ns = now_ns() - due_ns;
        if (late_ns >= REPORT_NS) {
            say("late %d %" PRId64 " %" PRId64 "\n", w->cpu, due_ns, late_ns);
            due_ns += late_ns / PERIOD_NS * PERIOD_NS;
        }
    }
    return NULL;
}

int main(int argc, char **argv) {
    static struct watch each[CPUS_MAX];
    const int priority = argc == 2 ? (int)strtol(argv[1], NULL, 10) : 0;
    if (priority < 1 || priority > 99) {
        fprintf(stderr, "usage: ringmain-stall-probe PRIORITY (1 to 99)\n");
        return 64;
    }
    (void)mlockall(MCL_CURRENT | MCL_FUTURE);
    long cpus = sysconf(_SC_NPROCESSORS_ONLN);
    cpus = cpus > CPUS_MAX ? CPUS_MAX : cpus;
    for (int cpu = 0; cpu < cpus; cpu++) {
        pthread_t id;
        each[cpu] = (struct watch){cpu, priority};
        if (pthread_create(&id, NULL, watch, &each[cpu]) != 0) {
            fprintf(stderr, "ringmain-stall-probe: no thread for processor %d\n", cpu);
            return 1;
        }
    }
    for (;;) {
        pause();
    }
}
