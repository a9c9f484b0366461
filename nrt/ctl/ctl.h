/* ringmainctl: what all its commands share.
 *
 * Status, latencies and the live view are read from shared memory, read-only; interventions go through nrt.sock; the
 * virtual hub is moved through plant.sock. One thread, ends after one command (but top and events --follow).
 */
#ifndef RINGMAIN_NRT_CTL_CTL_H
#define RINGMAIN_NRT_CTL_CTL_H

#include <stdio.h>

#include "configs/config.h"
#include "shm/shm.h"

enum ctl_exit {
    CTL_OK = 0,
    CTL_REFUSED = 1,
    CTL_USAGE = 2,
    CTL_UNREACHABLE = 3, /* no ringmain-rt, ringmain-nrt or virtual hub there, or it is silent */
    CTL_INCOMPATIBLE = 4 /* shared memory of another layout */
};

#define CTL_PATH_MAX       384
#define CTL_RT_SILENT_NS   INT64_C(1000000000)
#define CTL_ASK_TIMEOUT_MS 5000

struct ctl_options {
    const char *config, *shm, *run_folder, *log;
    const char *model, *soc, *target_soc, *gun, *module, *contactor, *value, *seconds, *width,
        *lines;
    bool json, once, follow, force, plant, clear, no_colour;
};

struct ctl {
    struct ctl_options options;
    const struct config *config; /* NULL: none found; then connector id = slot + 1 */
    char shm_name[SHM_NAME_MAX];
    char run_folder[CTL_PATH_MAX];
    char log_path[CTL_PATH_MAX]; /* "" unknown */
    char **words;                /* the command's own arguments, without options */
    int word_count;
};

int64_t ctl_now_ns(void);
/* To standard error, with the program's name. */
void ctl_say(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* Attach read-only and read a status. CTL_OK, or told why not. silent_ok: a silent rt is no failure. The caller detaches
 * when CTL_OK. */
enum ctl_exit ctl_attach(const struct ctl *ctl, struct shm_peer *peer);
enum ctl_exit ctl_exit_of(int shm_error);

/* One request and its answer line over a stream socket. 0: *answer is the answer without newline, from the heap;
 * -errno; -ETIMEDOUT. */
int ctl_exchange(const char *path, const char *request, int timeout_ms,
                 char **answer) RM_MUST_CHECK;

/* Commands; the words are checked by each. */
enum ctl_exit ctl_status(const struct ctl *ctl);
enum ctl_exit ctl_top(const struct ctl *ctl);
enum ctl_exit ctl_events(const struct ctl *ctl);
enum ctl_exit ctl_latency(const struct ctl *ctl);
enum ctl_exit ctl_ask(const struct ctl *ctl, const char *command); /* everything on a socket */

#endif
