/* The far side for tests of ringmain-nrt: a real shared segment made by the real shm library, with a ringmain-rt behind it
 * that knows just enough: it beats, publishes, answers commands and remembers them. */
#ifndef RINGMAIN_TESTS_UNIT_NRT_FAKE_RT_H
#define RINGMAIN_TESTS_UNIT_NRT_FAKE_RT_H

#include "configs/config.h"
#include "shm/shm.h"

#define FAKE_COMMANDS_MAX 4096

struct fake_rt {
    struct shm_rt shm;
    struct shm_start start;
    struct config config;
    struct status status;
    struct session_slot sessions[RM_SLOTS_MAX];
    uint64_t events_pushed;
    struct command command[FAKE_COMMANDS_MAX]; /* as they came */
    uint32_t commands;
    uint16_t refuse[COMMAND_TYPE_COUNT]; /* status to answer with, OK by default */
    bool mute;                           /* takes commands and answers none */
};

int64_t fake_now_ns(void);
void fake_sleep_ms(long ms);
/* A folder of its own for one test, and a name for its segment; both are gone after fake_clean(). */
void fake_place(char folder[64], char shm_name[SHM_NAME_MAX]);
void fake_clean(const char *folder, const char *shm_name);

/* guns guns with two modules each, all AVAILABLE and operative. Asserts on failure, as all of these. */
void fake_open(struct fake_rt *rt, const char *shm_name, uint32_t guns, uint64_t boot_id);
void fake_close(struct fake_rt *rt);
/* Heartbeat, commands, status. AUTHORISE moves a PLUGGED gun to AUTHORISED, ACK_SESSION removes the record,
 * AVAILABILITY and LATCHES do what they say. */
void fake_tick(struct fake_rt *rt);
/* Ticks every millisecond for that long, or until a command of the type came (0: only the time); its index or -1. */
int fake_run(struct fake_rt *rt, long ms, uint16_t type);
void fake_event(struct fake_rt *rt, struct event event);
/* Moves a gun and says so by an event. */
void fake_state(struct fake_rt *rt, uint32_t slot, enum gun_state state);
/* Adds a finished record; false: the slot is full. */
bool fake_finish_session(struct fake_rt *rt, uint32_t slot, uint64_t session_id);
uint32_t fake_count(const struct fake_rt *rt, uint16_t type);

/* Starts a program; its standard error goes to a file in the folder. */
int fake_spawn(const char *folder, const char *const *arguments);
/* Waits for its end, at most that long; the wait status, or -1. */
int fake_wait_exit(int pid, long ms);
/* One request to a socket in the folder while rt ticks (NULL: nobody ticks); the answer in out. */
void fake_ask(struct fake_rt *rt, const char *folder, const char *request, char *out, size_t size);
/* A whole file, zero-terminated, from the heap. */
char *fake_read(const char *path, size_t *length);

#endif
