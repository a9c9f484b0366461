/* ringmainctl status and latency */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "nrt/api/status_json.h"
#include "nrt/ctl/gather.h"
#include "nrt/ctl/latency.h"

static enum ctl_exit print_json(struct gather *g) {
    size_t size = STATUS_JSON_SIZE(RM_SLOTS_MAX);
    char *text = malloc(size);
    if (text == NULL) {
        ctl_say("no memory");
        return CTL_UNREACHABLE;
    }
    struct json_writer w;
    int64_t age_ns = shm_rt_age(&g->peer, g->view.now_ns);
    json_init(&w, text, size);
    json_object(&w, NULL);
    json_bool(&w, "rt_alive", age_ns <= CTL_RT_SILENT_NS);
    json_int(&w, "rt_age_ms", age_ns / 1000000);
    if (g->view.hazards >= 0) {
        json_int(&w, "hazards", g->view.hazards);
    } else {
        json_null(&w, "hazards");
    }
    status_json(&w, &g->status, g->ctl->config, g->view.now_ns);
    json_object_end(&w);
    json_raw(&w, "\n");
    if (!w.overflow) {
        fwrite(w.text, 1, w.length, stdout);
    }
    free(text);
    return w.overflow ? CTL_UNREACHABLE : CTL_OK;
}

static uint32_t page_width(void) {
    struct winsize size;
    if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col >= 40) {
        return size.ws_col < 160 ? size.ws_col : 160;
    }
    return 100;
}

static void print_page(struct gather *g) {
    static char text[128 * 1024];
    struct frame f;
    g->view.problem = NULL; /* goes to standard error */
    frame_init(&f, text, sizeof text, page_width(), FRAME_PLAIN);
    view_render(&f, &g->view, 0);
    fwrite(text, 1, f.length, stdout);
}

enum ctl_exit ctl_status(const struct ctl *ctl) {
    static struct gather g;
    gather_init(&g, ctl);
    gather_refresh(&g, 0);
    /* between two snapshots of a starting rt: a moment's patience */
    for (int i = 0; i < 10 && g.attached && !g.status_valid; i++) {
        usleep(20000);
        gather_refresh(&g, 0);
    }
    enum ctl_exit code = gather_exit(&g);
    if (code != CTL_OK) {
        ctl_say("%s", g.problem);
    }
    if (g.status_valid && ctl->options.json) {
        enum ctl_exit printed = print_json(&g);
        code = code == CTL_OK ? printed : code;
    } else if (g.status_valid) {
        print_page(&g);
    }
    gather_close(&g);
    return code;
}

enum ctl_exit ctl_latency(const struct ctl *ctl) {
    struct shm_peer peer;
    enum ctl_exit code = ctl_attach(ctl, &peer);
    if (code != CTL_OK) {
        return code;
    }
    const struct diag *d = shm_diag(&peer);
    if (ctl->options.json) {
        static char text[256 * 1024]; /* every bucket of every histogram fits */
        struct json_writer w;
        json_init(&w, text, sizeof text);
        latency_json(&w, d, peer.boot_id);
        json_raw(&w, "\n");
        if (w.overflow) {
            ctl_say("the figures do not fit their buffer");
            code = CTL_UNREACHABLE;
        } else {
            fwrite(w.text, 1, w.length, stdout);
        }
    } else {
        latency_print(stdout, d);
    }
    shm_detach(&peer);
    return code;
}
