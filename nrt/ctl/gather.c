#include "nrt/ctl/gather.h"

#include <cjson/cJSON.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "nrt/ctl/event_print.h"

#define HUB_PERIOD_NS  INT64_C(2000000000)
#define HUB_TIMEOUT_MS 150
#define TAIL_BYTES     (48 << 10)

void gather_init(struct gather *g, const struct ctl *ctl) {
    memset(g, 0, sizeof *g);
    g->ctl = ctl;
    g->view.hazards = VIEW_HAZARDS_NONE;
}

void gather_close(struct gather *g) {
    if (g->attached) {
        shm_detach(&g->peer);
    }
    g->attached = false;
}

static void read_status(struct gather *g) {
    if (g->attached && !shm_is_current(&g->peer)) {
        gather_close(g);
        g->status_valid = false;
    }
    if (!g->attached) {
        g->attach_error = shm_attach(&g->peer, g->ctl->shm_name, SHM_READ);
        g->attached = g->attach_error == 0;
    }
    if (g->attached && shm_status_read(&g->peer, &g->status) == 0) {
        g->status_valid = true;
    }
}

static void read_latency(struct gather *g) {
    struct view_latency *l = &g->view.latency;
    if (!g->attached) {
        l->known = false;
        return;
    }
    const struct diag *d = shm_diag(&g->peer);
    const struct diag_histogram *h = d->histogram;
    l->known = true;
    l->guard_wake_p999_ns = diag_quantile(&h[DIAG_HISTOGRAM_GUARD_WAKE], 9990);
    l->guard_wake_max_ns = diag_quantile(&h[DIAG_HISTOGRAM_GUARD_WAKE], 10000);
    l->guard_step_max_ns = diag_quantile(&h[DIAG_HISTOGRAM_GUARD_STEP], 10000);
    l->planner_wake_p999_ns = diag_quantile(&h[DIAG_HISTOGRAM_PLANNER_WAKE], 9990);
    l->planner_wake_max_ns = diag_quantile(&h[DIAG_HISTOGRAM_PLANNER_WAKE], 10000);
    l->planner_step_max_ns = diag_quantile(&h[DIAG_HISTOGRAM_PLANNER_STEP], 10000);
    l->guard_ticks_late = diag_get(d, DIAG_GUARD_TICKS_LATE);
}

static void ask_hub(struct gather *g, int64_t now_ns) {
    if (now_ns < g->hub_next_ns) {
        return;
    }
    g->hub_next_ns = now_ns + HUB_PERIOD_NS;
    char path[CTL_PATH_MAX + 16];
    char *answer = NULL;
    g->view.hazards = VIEW_HAZARDS_NONE;
    snprintf(path, sizeof path, "%s/plant.sock", g->ctl->run_folder);
    if (ctl_exchange(path, "{\"cmd\":\"report\"}", HUB_TIMEOUT_MS, &answer) != 0) {
        return;
    }
    cJSON *root = cJSON_Parse(answer);
    const cJSON *hazards = cJSON_GetObjectItemCaseSensitive(root, "hazards");
    if (cJSON_IsNumber(hazards)) {
        g->view.hazards = (int64_t)hazards->valuedouble;
    }
    cJSON_Delete(root);
    free(answer);
}

/* The last lines of the event log, oldest first. */
static void read_events(struct gather *g, uint32_t wanted) {
    static char tail[TAIL_BYTES + 1];
    g->view.events = 0;
    int fd = wanted > 0 && g->ctl->log_path[0] != '\0'
                 ? open(g->ctl->log_path, O_RDONLY | O_CLOEXEC)
                 : -1;
    struct stat info;
    if (fd < 0 || fstat(fd, &info) != 0) {
        if (fd >= 0) {
            close(fd);
        }
        return;
    }
    off_t start = info.st_size > TAIL_BYTES ? info.st_size - TAIL_BYTES : 0;
    ssize_t count = pread(fd, tail, TAIL_BYTES, start);
    close(fd);
    size_t length = count > 0 ? (size_t)count : 0;
    /* back from the end, one complete line after the other */
    while (length > 0 && tail[length - 1] != '\n') {
        length--;
    }
    uint32_t found = 0;
    char newest_first[VIEW_EVENTS_MAX][VIEW_EVENT_TEXT];
    wanted = wanted < VIEW_EVENTS_MAX ? wanted : VIEW_EVENTS_MAX;
    while (length > 0 && found < wanted) {
        size_t begin = length - 1;
        while (begin > 0 && tail[begin - 1] != '\n') {
            begin--;
        }
        bool whole = begin > 0 || start == 0;
        if (whole && event_print_short(tail + begin, length - 1 - begin, newest_first[found],
                                       VIEW_EVENT_TEXT)) {
            found++;
        }
        length = begin;
    }
    for (uint32_t i = 0; i < found; i++) {
        memcpy(g->view.event[i], newest_first[found - 1 - i], VIEW_EVENT_TEXT);
    }
    g->view.events = found;
}

static void describe_problem(struct gather *g, int64_t now_ns) {
    g->problem[0] = '\0';
    int64_t age_ns = g->attached ? shm_rt_age(&g->peer, now_ns) : INT64_MAX;
    if (!g->attached) {
        snprintf(g->problem, sizeof g->problem, "%s: %s", g->ctl->shm_name,
                 shm_error_text(g->attach_error));
    } else if (age_ns > CTL_RT_SILENT_NS && age_ns < INT64_MAX) {
        snprintf(g->problem, sizeof g->problem,
                 "ringmain-rt SILENT for %" PRId64 " s: what follows is old", age_ns / 1000000000);
    } else if (age_ns == INT64_MAX || !g->status_valid) {
        snprintf(g->problem, sizeof g->problem, "ringmain-rt has not published its status yet");
    }
    g->view.problem = g->problem[0] != '\0' ? g->problem : NULL;
}

void gather_refresh(struct gather *g, uint32_t events) {
    read_status(g);
    int64_t now_ns = ctl_now_ns();
    read_latency(g);
    ask_hub(g, now_ns);
    read_events(g, events);
    describe_problem(g, now_ns);
    g->view.status = g->status_valid ? &g->status : NULL;
    g->view.config = g->ctl->config;
    g->view.now_ns = now_ns;
    time_t seconds = time(NULL);
    struct tm utc;
    if (gmtime_r(&seconds, &utc) == NULL ||
        strftime(g->view.clock, sizeof g->view.clock, "%H:%M:%SZ", &utc) == 0) {
        g->view.clock[0] = '\0';
    }
}

enum ctl_exit gather_exit(const struct gather *g) {
    if (!g->attached) {
        return ctl_exit_of(g->attach_error);
    }
    return g->view.problem == NULL ? CTL_OK : CTL_UNREACHABLE;
}
