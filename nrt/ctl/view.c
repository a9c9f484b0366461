#include "nrt/ctl/view.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "nrt/api/status_json.h"
#include "nrt/store/event_line.h"

#define DEFAULT_GUN_W 300000

/* Tenths are enough for people; integers keep every odd value printable. */
static void tenths(char *out, size_t size, int64_t value, int64_t unit, const char *name) {
    int64_t scaled = value / (unit / 10);
    int64_t magnitude = scaled < 0 ? -scaled : scaled;
    snprintf(out, size, "%s%" PRId64 ".%" PRId64 "%s", scaled < 0 ? "-" : "", magnitude / 10,
             magnitude % 10, name);
}

static void time_text(char *out, size_t size, int64_t ns) {
    if (ns >= 10000000) {
        snprintf(out, size, "%" PRId64 "ms", ns / 1000000);
    } else if (ns >= 100000) {
        snprintf(out, size, "%" PRId64 "us", ns / 1000);
    } else {
        tenths(out, size, ns, 1000, "us");
    }
}

static bool has_gun(const struct status *status, uint32_t slot) {
    return status->slot[slot].gun_state != GUN_STATE_NONE;
}

/* ---- header ---- */

static void render_site(struct frame *f, const struct view *view) {
    const struct status *s = view->status;
    char power[32], limit[32];
    tenths(power, sizeof power, s->site_power_w, 1000, "");
    tenths(limit, sizeof limit, s->site_limit_w, 1000, " kW");
    bool failsafe = s->site_limit_reason == LIMIT_REASON_FAILSAFE;
    const char *id = view->config != NULL && view->config->charge_point.id[0] != '\0'
                         ? view->config->charge_point.id
                         : "Ringmain";
    frame_put(f, STYLE_BOLD, "%.20s", id);
    frame_put(f, STYLE_NONE, "  site ");
    frame_put(f, STYLE_BOLD, "%s / %s", power, limit);
    frame_put(f, failsafe ? STYLE_WARN : STYLE_NONE, " (%s) ",
              limit_reason_name(s->site_limit_reason));
    int64_t permille =
        s->site_limit_w > 0 && s->site_power_w > 0 && s->site_power_w < INT64_C(1000000000000)
            ? s->site_power_w * 1000 / s->site_limit_w
            : 0;
    uint32_t clock_at = f->width > 10 ? f->width - 9 : f->width;
    if (f->column + 6 < clock_at) {
        frame_bar(f, permille > 1020 ? STYLE_BAD : STYLE_GOOD, clock_at - f->column - 2, permille);
    }
    frame_column(f, clock_at);
    frame_put(f, STYLE_DIM, "%s", view->clock);
    frame_line(f);
}

static void alarm_word(struct frame *f, bool on, const char *word) {
    if (on) {
        frame_put(f, STYLE_ALARM, " %s ", word);
        frame_put(f, STYLE_NONE, " ");
    }
}

static void render_alarms(struct frame *f, const struct view *view) {
    const struct status *s = view->status;
    bool hazards = view->hazards > 0;
    if (s->estop == 0 && s->flags == (s->flags & STATUS_FLAG_NRT_ATTACHED) && !hazards &&
        s->events_dropped == 0 && (s->flags & STATUS_FLAG_NRT_ATTACHED) != 0) {
        return;
    }
    alarm_word(f, s->estop != 0, "EMERGENCY STOP");
    alarm_word(f, hazards, "HAZARDS");
    alarm_word(f, s->events_dropped != 0 || (s->flags & STATUS_FLAG_EVENTS_DROPPED) != 0,
               "EVENTS LOST");
    alarm_word(f, (s->flags & STATUS_FLAG_NRT_ATTACHED) == 0, "NO NRT");
    alarm_word(f, (s->flags & STATUS_FLAG_DEVELOPMENT) != 0, "DEVELOPMENT");
    alarm_word(f, (s->flags & STATUS_FLAG_NO_CRC) != 0, "NO CRC");
    alarm_word(f, (s->flags & STATUS_FLAG_NO_WATCHDOG) != 0, "NO WATCHDOG");
    alarm_word(f, (s->flags & STATUS_FLAG_NO_FIFO) != 0, "NO FIFO");
    alarm_word(f, (s->flags & STATUS_FLAG_NO_MLOCK) != 0, "NO MLOCK");
    alarm_word(f, (s->flags & STATUS_FLAG_SOCKET_BUS) != 0, "SOCKET BUS");
    frame_line(f);
}

static void count_word(struct frame *f, const char *word, uint64_t count) {
    frame_put(f, count == 0 ? STYLE_NONE : STYLE_WARN, "  %s %" PRIu64, word, count);
}

static void render_health(struct frame *f, const struct view *view) {
    const struct status *s = view->status;
    const struct view_latency *l = &view->latency;
    char p999[24], max[24], step[24];
    frame_put(f, STYLE_NONE, "planner");
    count_word(f, "overruns", s->planner_overruns);
    count_word(f, "rejected", s->proposals_rejected);
    if (l->known) {
        time_text(p999, sizeof p999, l->planner_wake_p999_ns);
        time_text(max, sizeof max, l->planner_wake_max_ns);
        time_text(step, sizeof step, l->planner_step_max_ns);
        frame_put(f, STYLE_NONE, "  wake p99.9 %s max %s  step %s", p999, max, step);
    }
    frame_line(f);
    frame_put(f, STYLE_NONE, "guard  ");
    count_word(f, "late ticks", l->guard_ticks_late);
    count_word(f, "page faults", s->page_faults);
    if (l->known) {
        time_text(p999, sizeof p999, l->guard_wake_p999_ns);
        time_text(max, sizeof max, l->guard_wake_max_ns);
        time_text(step, sizeof step, l->guard_step_max_ns);
        frame_put(f, STYLE_NONE, "  wake p99.9 %s max %s  step %s", p999, max, step);
    }
    frame_line(f);
}

static void render_interfaces(struct frame *f, const struct view *view) {
    static const char *const WORD[INTERFACE_STATE_COUNT] = {"DOWN", "up", "warning", "passive",
                                                            "BUS-OFF"};
    uint32_t count = status_interface_count(view->status);
    for (uint32_t i = 0; i < count; i++) {
        const struct status_interface *in = &view->status->interface[i];
        const char *word = in->state < INTERFACE_STATE_COUNT ? WORD[in->state] : "?";
        enum style style = in->state == INTERFACE_UP        ? STYLE_GOOD
                           : in->state == INTERFACE_WARNING ? STYLE_WARN
                                                            : STYLE_BAD;
        if (view->config != NULL && i < view->config->interfaces) {
            frame_put(f, STYLE_NONE, "%s ", view->config->interface[i].name);
        } else {
            frame_put(f, STYLE_NONE, "if%" PRIu32 " ", i);
        }
        frame_put(f, style, "%s", word);
        if (in->restarts > 0) {
            frame_put(f, STYLE_WARN, " (%" PRIu32 " restarts)", in->restarts);
        }
        if (in->restarts_refused > 0) {
            frame_put(f, STYLE_BAD, " %u refused by its driver", in->restarts_refused);
        }
        if (in->tx_overflow > 0 || in->rx_dropped > 0) {
            frame_put(f, STYLE_WARN, " lost %" PRIu64, (uint64_t)in->tx_overflow + in->rx_dropped);
        }
        frame_put(f, STYLE_NONE, i + 1 < count ? "   " : "");
    }
    if (view->hazards >= 0) {
        frame_put(f, view->hazards == 0 ? STYLE_GOOD : STYLE_ALARM, "   hazards %" PRId64,
                  view->hazards);
    }
    frame_line(f);
}

/* The free gun to send the next driver to. */
static void render_guide(struct frame *f, const struct view *view) {
    const struct status *s = view->status;
    if (s->guide_slot < 0 || (uint32_t)s->guide_slot >= status_slot_count(s)) {
        return;
    }
    const struct status_slot *slot = &s->slot[s->guide_slot];
    if (slot->gun_state != GUN_STATE_AVAILABLE) {
        return; /* taken since it was recommended */
    }
    char now[32], later[32];
    tenths(now, sizeof now, slot->guide_now_w, 1000, " kW");
    tenths(later, sizeof later, slot->guide_later_w, 1000, " kW");
    frame_put(f, STYLE_NONE, "next    gun ");
    frame_put(f, STYLE_BOLD, "%" PRId32, event_connector_id(view->config, (uint32_t)s->guide_slot));
    frame_put(f, STYLE_NONE, "  %s now, %s in 10 min", now, later);
    frame_line(f);
}

/* ---- the ring ---- */

/* Between a slot and its clockwise neighbour: '=' they are one island, '-' on the way in or out. */
static char edge_mark(const struct status *s, uint32_t slot) {
    const struct status_contactor *mc = &s->slot[slot].contactor[CONTACTOR_MC];
    const struct status_contactor *bc = &s->slot[slot].contactor[CONTACTOR_BC];
    const bool sure = (mc->flags & STATUS_CONTACTOR_SURE) != 0 &&
                      (bc->fitted == 0 || (bc->flags & STATUS_CONTACTOR_SURE) != 0);
    const bool may = (mc->flags & STATUS_CONTACTOR_MAY) != 0 &&
                     (bc->fitted == 0 || (bc->flags & STATUS_CONTACTOR_MAY) != 0);
    return mc->fitted == 0 ? ' ' : sure ? '=' : may ? '-' : ' ';
}

static enum style slot_style(const struct status_slot *slot) {
    return slot->gun_state == GUN_STATE_CHARGING      ? STYLE_GOOD
           : slot->boundary == BOUNDARY_STATE_FAULTED ? STYLE_BAD
           : slot->boundary != BOUNDARY_STATE_HOME    ? STYLE_WARN
                                                      : STYLE_DIM;
}

/* The slots in ring order by their guns ("." without one), a charging one in brackets: 1=[2]=3  4  5=[6] */
static void render_ring(struct frame *f, const struct view *view) {
    const struct status *s = view->status;
    const uint32_t count = status_slot_count(s);
    if (count < 2 || count > f->width / 5) {
        return;
    }
    frame_put(f, STYLE_NONE, "ring    ");
    for (uint32_t i = 0; i < count; i++) {
        const struct status_slot *slot = &s->slot[i];
        const bool charging = slot->gun_state == GUN_STATE_CHARGING;
        const char mark = edge_mark(s, i);
        char name[16] = ".";
        if (has_gun(s, i)) {
            snprintf(name, sizeof name, "%" PRId32, event_connector_id(view->config, i));
        }
        frame_put(f, slot_style(slot), "%s%s%s", charging ? "[" : "", name, charging ? "]" : "");
        frame_put(f, STYLE_NONE, "%c%s", mark, mark == ' ' ? " " : "");
    }
    frame_line(f);
}

/* ---- guns ---- */

/* Which columns fit; a column that is not there has width 0. */
struct columns {
    uint32_t volt, bar, note, energy, since;
};

static struct columns fit_columns(uint32_t width) {
    /* gun 3, state 11, SoC 4, power 7, with their spaces */
    const uint32_t fixed = 3 + 1 + 11 + 1 + 4 + 1 + 7;
    struct columns c = {0, 0, 0, 0, 0};
    uint32_t left = width > fixed ? width - fixed : 0;
    c.note = left > 17 ? 16 : (left > 1 ? left - 1 : 0);
    left -= c.note > 0 ? c.note + 1 : 0;
    if (left >= 12) {
        c.volt = 5; /* and as much for the current */
        left -= 12;
    }
    if (left >= 10) {
        c.energy = 9;
        left -= 10;
    }
    if (left >= 19) {
        c.since = 7;
        left -= 8;
    }
    if (left >= 5) {
        c.bar = left - 1 < 30 ? left - 1 : 30;
        left -= c.bar + 1;
    }
    c.note += left < 12 ? left : 12;
    return c;
}

static void cell(struct frame *f, enum style style, uint32_t width, bool right, const char *text) {
    uint32_t start = f->column, length = (uint32_t)strlen(text);
    if (right && length < width) {
        frame_column(f, start + width - length);
    }
    frame_put(f, style, "%.*s", (int)width, text);
    frame_column(f, start + width + 1);
}

static void render_gun_head(struct frame *f, const struct columns *c) {
    cell(f, STYLE_DIM, 3, true, "GUN");
    cell(f, STYLE_DIM, 11, false, "STATE");
    if (c->since > 0) {
        cell(f, STYLE_DIM, c->since, true, "FOR");
    }
    cell(f, STYLE_DIM, 4, true, "SoC");
    if (c->volt > 0) {
        cell(f, STYLE_DIM, c->volt, true, "VOLT");
        cell(f, STYLE_DIM, c->volt, true, "AMP");
    }
    cell(f, STYLE_DIM, 7, true, "kW");
    if (c->bar > 0) {
        cell(f, STYLE_DIM, c->bar, false, "POWER");
    }
    if (c->note > 0) {
        cell(f, STYLE_DIM, c->note, false, "LIMIT OR FAULT");
    }
    if (c->energy > 0) {
        cell(f, STYLE_DIM, c->energy, true, "kWh");
    }
    frame_line(f);
}

static enum style state_style(const struct status_slot *slot) {
    switch ((enum gun_state)slot->gun_state) {
    case GUN_STATE_CHARGING: return STYLE_GOOD;
    case GUN_STATE_FAULTED: return STYLE_BAD;
    case GUN_STATE_UNAVAILABLE: return STYLE_WARN;
    case GUN_STATE_AVAILABLE: return STYLE_DIM;
    case GUN_STATE_NONE:
    case GUN_STATE_PLUGGED:
    case GUN_STATE_AUTHORISED:
    case GUN_STATE_LOCKED:
    case GUN_STATE_CABLE_CHECK:
    case GUN_STATE_PRECHARGE:
    case GUN_STATE_CLOSING:
    case GUN_STATE_RAMP_DOWN:
    case GUN_STATE_OPENING:
    case GUN_STATE_WELD_CHECK:
    case GUN_STATE_DISCHARGE:
    case GUN_STATE_UNLOCK:
    case GUN_STATE_FINISHED:
    case GUN_STATE_COUNT: return STYLE_NONE;
    }
    return STYLE_NONE;
}

static void whole(char *out, size_t size, int32_t value, int32_t unit) {
    if (value == STATUS_UNKNOWN) {
        snprintf(out, size, "-");
    } else {
        int64_t rounded = (int64_t)value + (value < 0 ? -unit / 2 : unit / 2);
        snprintf(out, size, "%" PRId64, rounded / unit);
    }
}

static int64_t gun_most_w(const struct view *view, uint32_t slot) {
    if (view->config != NULL && slot < view->config->slots && view->config->slot[slot].gun >= 0) {
        return view->config->connector[view->config->slot[slot].gun].max_power_w;
    }
    return DEFAULT_GUN_W;
}

/* What explains the power, or what is wrong: the fault first. */
static enum style note_of(const struct view *view, uint32_t index, char *out, size_t size) {
    const struct status_slot *slot = &view->status->slot[index];
    if (slot->fault != FAULT_NONE) {
        snprintf(out, size, "%s", fault_info(slot->fault)->name);
        return STYLE_BAD;
    }
    if ((slot->flags & STATUS_SLOT_PLC_OK) == 0) {
        snprintf(out, size, "PLC not heard");
        return STYLE_BAD;
    }
    if ((slot->flags & STATUS_SLOT_SESSIONS_FULL) != 0) {
        snprintf(out, size, "records wait");
        return STYLE_WARN;
    }
    if ((slot->flags & STATUS_SLOT_BOOT_HOLD) != 0) {
        snprintf(out, size, "boot hold");
        return STYLE_WARN;
    }
    if ((slot->flags & STATUS_SLOT_OPERATIVE) == 0) {
        snprintf(out, size, "inoperative");
        return STYLE_WARN;
    }
    if (slot->boundary != BOUNDARY_STATE_HOME) {
        const bool joined = slot->boundary == BOUNDARY_STATE_JOINED;
        snprintf(out, size, "%s %" PRId32,
                 joined ? "lends to" : boundary_state_name(slot->boundary),
                 event_connector_id(view->config, (uint32_t)slot->lends_to));
        return slot->boundary == BOUNDARY_STATE_FAULTED ? STYLE_BAD : STYLE_GOOD;
    }
    if ((slot->flags & STATUS_SLOT_SUSPENDED) != 0) {
        snprintf(out, size, "waits: %s", limit_reason_name(slot->limit_reason));
        return STYLE_WARN;
    }
    if (slot->limit_reason != LIMIT_REASON_NONE) {
        int length = snprintf(out, size, "%s", limit_reason_name(slot->limit_reason));
        if (slot->borrowed > 0 && length > 0 && (size_t)length < size) {
            snprintf(out + length, size - (size_t)length, " +%u slots", (unsigned)slot->borrowed);
        }
    } else if (slot->gun_state == GUN_STATE_FINISHED && slot->stop_reason != STOP_REASON_NONE) {
        snprintf(out, size, "ended: %s", stop_reason_name(slot->stop_reason));
    } else if ((slot->flags & STATUS_SLOT_RESERVED) != 0) {
        snprintf(out, size, "reserved");
    } else {
        out[0] = '\0';
    }
    return STYLE_NONE;
}

static void since_text(char *out, size_t size, int64_t since_ns, int64_t now_ns) {
    int64_t seconds = since_ns > 0 && since_ns <= now_ns ? (now_ns - since_ns) / 1000000000 : -1;
    if (seconds < 0) {
        snprintf(out, size, "-");
    } else if (seconds < 3600) {
        snprintf(out, size, "%" PRId64 ":%02" PRId64, seconds / 60, seconds % 60);
    } else {
        snprintf(out, size, "%" PRId64 "h%02" PRId64, seconds / 3600, seconds / 60 % 60);
    }
}

static void energy_text(char *out, size_t size, const struct status_slot *slot) {
    if (slot->session_energy_mwh <= 0 && slot->session_id == 0) {
        out[0] = '\0';
        return;
    }
    int64_t centi_kwh = slot->session_energy_mwh / 10000;
    int64_t magnitude = centi_kwh < 0 ? -centi_kwh : centi_kwh;
    snprintf(out, size, "%s%" PRId64 ".%02" PRId64, centi_kwh < 0 ? "-" : "", magnitude / 100,
             magnitude % 100);
}

static void render_electric(struct frame *f, const struct view *view, uint32_t index,
                            const struct columns *c) {
    const struct status_slot *slot = &view->status->slot[index];
    char text[48];
    if (c->volt > 0) {
        whole(text, sizeof text, slot->gun_mv, 1000);
        cell(f, STYLE_NONE, c->volt, true, text);
        whole(text, sizeof text, slot->gun_ma, 1000);
        cell(f, STYLE_NONE, c->volt, true, text);
    }
    int64_t power_w = slot->power_w == STATUS_UNKNOWN ? 0 : slot->power_w;
    if (slot->power_w == STATUS_UNKNOWN) {
        snprintf(text, sizeof text, "-");
    } else {
        tenths(text, sizeof text, power_w, 1000, "");
    }
    cell(f, power_w > 0 ? STYLE_BOLD : STYLE_NONE, 7, true, text);
    if (c->bar > 0) {
        int64_t most_w = gun_most_w(view, index);
        frame_bar(f, STYLE_GOOD, c->bar, most_w > 0 ? power_w * 1000 / most_w : 0);
        frame_put(f, STYLE_NONE, " ");
    }
}

static void render_gun(struct frame *f, const struct view *view, uint32_t index,
                       const struct columns *c) {
    const struct status_slot *slot = &view->status->slot[index];
    char text[48];
    snprintf(text, sizeof text, "%" PRId32, event_connector_id(view->config, index));
    cell(f, STYLE_BOLD, 3, true, text);
    cell(f, state_style(slot), 11, false, gun_state_name(slot->gun_state));
    if (c->since > 0) {
        since_text(text, sizeof text, slot->state_since_mono_ns, view->now_ns);
        cell(f, STYLE_NONE, c->since, true, text);
    }
    snprintf(text, sizeof text, slot->soc_pct <= 100 ? "%u%%" : "-", (unsigned)slot->soc_pct);
    cell(f, STYLE_NONE, 4, true, text);
    render_electric(f, view, index, c);
    if (c->note > 0) {
        enum style style = note_of(view, index, text, sizeof text);
        cell(f, style, c->note, false, text);
    }
    if (c->energy > 0) {
        energy_text(text, sizeof text, slot);
        cell(f, STYLE_NONE, c->energy, true, text);
    }
    frame_line(f);
}

/* ---- together ---- */

static bool is_full(const struct frame *f, uint32_t height, uint32_t keep) {
    return height != 0 && f->lines + keep >= height;
}

static void render_guns(struct frame *f, const struct view *view, uint32_t height) {
    struct columns c = fit_columns(f->width);
    uint32_t left_out = 0;
    render_gun_head(f, &c);
    for (uint32_t i = 0; i < status_slot_count(view->status); i++) {
        if (!has_gun(view->status, i)) {
            continue;
        }
        if (is_full(f, height, 1)) {
            left_out++;
        } else {
            render_gun(f, view, i, &c);
        }
    }
    if (left_out > 0) {
        frame_put(f, STYLE_WARN,
                  "%" PRIu32 " more guns: enlarge the window, or see ringmainctl status", left_out);
        frame_line(f);
    }
}

static void render_events(struct frame *f, const struct view *view, uint32_t height) {
    if (view->events == 0 || is_full(f, height, 2)) {
        return;
    }
    uint32_t room = height != 0 ? height - f->lines - 1 : view->events;
    uint32_t shown = view->events < room ? view->events : room;
    frame_line(f);
    for (uint32_t i = view->events - shown; i < view->events && !is_full(f, height, 0); i++) {
        frame_put(f, STYLE_NONE, "%s", view->event[i]);
        frame_line(f);
    }
}

void view_render(struct frame *f, const struct view *view, uint32_t height) {
    if (view->problem != NULL && !is_full(f, height, 0)) {
        frame_put(f, STYLE_ALARM, " %s ", view->problem);
        frame_line(f);
    }
    if (view->status != NULL && !is_full(f, height, 10)) {
        render_site(f, view);
        render_alarms(f, view);
        render_health(f, view);
        render_interfaces(f, view);
        render_guide(f, view);
        render_ring(f, view);
        frame_line(f);
        render_guns(f, view, height);
    } else if (view->status != NULL && !is_full(f, height, 0)) {
        frame_put(f, STYLE_WARN, "window too low: enlarge it");
        frame_line(f);
    }
    render_events(f, view, height);
}
