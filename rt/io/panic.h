/* The last words: when an assertion fails or the processor faults, all-off frames go out and the process ends for the
 * supervisor to restart it. Signal handlers that use nothing but atomics, send(2), write(2) and _exit(2).
 *
 * The guard keeps one prepared all-off frame per contactor command it has sent, ready with sequence number and check sum.
 * Best effort: what cannot be sent, the PLCs' own watchdog (300 ms) does.
 */
#ifndef RINGMAIN_RT_IO_PANIC_H
#define RINGMAIN_RT_IO_PANIC_H

#include <linux/can.h>
#include <stdatomic.h>

#include "shm/base.h"

#define PANIC_EXIT_CODE  70 /* EX_SOFTWARE */
#define PANIC_FRAMES_MAX RM_SLOTS_MAX

/* Installs the handlers (SIGABRT, SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGSYS). Start-up. */
void panic_install(void);

/* Guard: the frame to send for a slot (its all-off command), and the descriptor of its interface (-1: none now).
 * Cheap: 16 bytes. Not safe against itself: one thread. */
void panic_prepare(uint32_t slot, const struct can_frame *all_off);
void panic_descriptor(uint32_t slot, int fd);

/* Sends what is prepared; returns how many frames the kernel took. Async-signal-safe. */
uint32_t panic_send_all_off(void);

/* true from the moment on when a handler runs: the guard sends nothing more. */
bool panic_has_struck(void);

#endif
