#include "rt/io/panic.h"

#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/* Signal handlers have no argument of ours: this is the one place of rt with a global. */
static struct {
    struct can_frame frame[PANIC_FRAMES_MAX];
    _Atomic int fd[PANIC_FRAMES_MAX]; /* descriptor + 1; 0 none */
    _Atomic uint32_t slots;           /* highest slot used + 1 */
    _Atomic int struck;
} panic;

void panic_prepare(uint32_t slot, const struct can_frame *all_off) {
    assert(slot < PANIC_FRAMES_MAX);
    /* A handler on another thread may see this half done: the check sum then fails at the PLC, nothing worse. */
    memcpy(&panic.frame[slot], all_off, sizeof *all_off);
    if (atomic_load_explicit(&panic.slots, memory_order_relaxed) <= slot) {
        atomic_store_explicit(&panic.slots, slot + 1, memory_order_release);
    }
}

void panic_descriptor(uint32_t slot, int fd) {
    assert(slot < PANIC_FRAMES_MAX);
    atomic_store_explicit(&panic.fd[slot], fd + 1, memory_order_release);
}

uint32_t panic_send_all_off(void) {
    uint32_t slots = atomic_load_explicit(&panic.slots, memory_order_acquire);
    uint32_t sent = 0;
    for (uint32_t i = 0; i < slots && i < PANIC_FRAMES_MAX; i++) {
        int fd = atomic_load_explicit(&panic.fd[i], memory_order_acquire) - 1;
        if (fd < 0 || panic.frame[i].can_id == 0) {
            continue;
        }
        ssize_t n = send(fd, &panic.frame[i], sizeof panic.frame[i], MSG_DONTWAIT | MSG_NOSIGNAL);
        sent += n == (ssize_t)sizeof panic.frame[i];
    }
    return sent;
}

bool panic_has_struck(void) {
    return atomic_load_explicit(&panic.struck, memory_order_acquire) != 0;
}

/* A log pipe that nobody empties must not hold the end up: what does not fit at once is not said. */
static void say(const char *text) {
    struct pollfd p = {.fd = STDERR_FILENO, .events = POLLOUT};
    if (poll(&p, 1, 0) == 1) {
        (void)!write(STDERR_FILENO, text, strlen(text));
    }
}

static void say_number(unsigned value) {
    char text[12];
    size_t at = sizeof text - 1;
    text[at] = '\0';
    do {
        text[--at] = (char)('0' + value % 10);
        value /= 10;
    } while (value > 0 && at > 0);
    say(text + at);
}

static const char *signal_text(int signal_number) {
    switch (signal_number) {
    case SIGABRT: return "assertion failed";
    case SIGSEGV: return "invalid memory access";
    case SIGBUS: return "bus error";
    case SIGFPE: return "arithmetic fault";
    case SIGILL: return "illegal instruction";
    case SIGSYS: return "system call outside the sealed list";
    default: return "fault";
    }
}

static void handle(int signal_number, siginfo_t *info, void *context) {
    (void)context;
    if (atomic_exchange(&panic.struck, 1) != 0) {
        _exit(PANIC_EXIT_CODE); /* a fault within the handler, or in a second thread */
    }
    uint32_t sent = panic_send_all_off();
    say("ringmain-rt: ");
    say(signal_text(signal_number));
    if (signal_number == SIGSYS && info != NULL) {
        say(" (number ");
        say_number((unsigned)info->si_syscall);
        say(")");
    }
    say(": outputs off (");
    say_number(sent);
    say(" frames sent), ending for the supervisor\n");
    _exit(PANIC_EXIT_CODE);
}

/* In place of libc's, which formats on the heap and maps memory on its way to abort(): both are sealed off. */
void __assert_fail(const char *assertion, const char *file, unsigned line, const char *function) {
    say(file);
    say(":");
    say_number(line);
    say(": ");
    say(function);
    say(": ");
    say(assertion);
    say("\n");
    abort();
}

void panic_install(void) {
    static const int signals[] = {SIGABRT, SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGSYS};
    struct sigaction action;
    memset(&action, 0, sizeof action);
    action.sa_sigaction = handle;
    action.sa_flags = SA_SIGINFO;
    sigfillset(&action.sa_mask);
    for (size_t i = 0; i < sizeof signals / sizeof signals[0]; i++) {
        sigaction(signals[i], &action, NULL);
    }
}
