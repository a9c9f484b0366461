#include "tests/integration/virtual_hub.h"

#include <linux/can/error.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define STEP_US    1000
#define TICK_US    5000
#define PLAN_US    50000
#define LEASE_US   60000000
#define RENEW_US   10000000
#define RESTART_US 100000
#define PHASE_US   2000 /* planner out of phase with the ticks */

static void on_plant_event(void *context, const struct plant_event *event) {
    const struct virtual_hub *h = context;
    if (h->verbose) {
        fprintf(stderr, "%9.3f plant %2d %s\n", (double)(event->at_us - h->start_us) / 1e6,
                (int)event->slot, event->text);
    }
}

uint32_t virtual_hub_slot(const struct virtual_hub *h, int gun) {
    for (uint32_t i = 0; i < h->config.slots; i++) {
        const int16_t index = h->config.slot[i].gun;
        if (index >= 0 && h->config.connector[index].id == gun) {
            return i;
        }
    }
    abort();
}

struct virtual_hub *virtual_hub_create(const struct config *config,
                                       const struct plant_options *options, bool verbose) {
    struct virtual_hub *h = calloc(1, sizeof *h);
    struct plant_options own = *options;
    const struct control_boot boot = {.boot_id = 0x5eed, .latches_known = true};
    if (h == NULL) {
        return NULL;
    }
    h->config = *config;
    h->verbose = verbose;
    h->start_us = h->now_us = 1000000000;
    own.on_event = on_plant_event;
    own.context = h;
    h->plant = plant_create(&h->config, &own, h->now_us);
    h->control = aligned_alloc(RM_CACHE_LINE, control_size());
    if (h->plant == NULL || h->control == NULL) {
        virtual_hub_destroy(h);
        return NULL;
    }
    control_init(h->control, &h->config, &boot, h->now_us);
    for (uint32_t i = 0; i < h->config.interfaces; i++) {
        control_interface(h->control, i, INTERFACE_UP, h->now_us);
    }
    planner_init(&h->planner);
    return h;
}

void virtual_hub_destroy(struct virtual_hub *h) {
    if (h->plant != NULL) {
        plant_destroy(h->plant);
    }
    free(h->control);
    free(h);
}

enum command_status virtual_hub_command(struct virtual_hub *h, struct command command) {
    struct command_result result;
    command.id = ++h->command_id;
    control_command(h->control, &command, &result, h->now_us);
    return (enum command_status)result.status;
}

static void acknowledge(struct virtual_hub *h, uint32_t slot) {
    uint64_t seq = 0;
    const struct session_slot *records = control_sessions(h->control, slot, &seq);
    while (records->finished_count > 0) {
        const struct session_record *r = &records->finished[0];
        h->sessions_finished++;
        h->sessions_with_fault += r->fault != FAULT_NONE;
        h->energy_mwh += r->energy_mwh;
        if (h->verbose) {
            fprintf(stderr, "%9.3f session of slot %u: %.3f kWh, peak %u W, soc %u to %u, %s, %s\n",
                    (double)(h->now_us - h->start_us) / 1e6, slot, (double)r->energy_mwh / 1e6,
                    r->peak_w, r->soc_start_pct, r->soc_stop_pct, stop_reason_name(r->stop_reason),
                    fault_info(r->fault)->name);
        }
        struct command command = {
            .type = COMMAND_ACK_SESSION, .slot = (uint16_t)slot, .value = (int64_t)r->session_id};
        (void)virtual_hub_command(h, command);
    }
}

static void print_event(const struct virtual_hub *h, const struct event *e) {
    fprintf(stderr, "%9.3f event %2d %s a=%u b=%u c=%u value=%lld",
            (double)(h->now_us - h->start_us) / 1e6, e->slot == EVENT_SLOT_NONE ? -1 : e->slot,
            event_type_name(e->type), e->a, e->b, e->c, (long long)e->value);
    if (e->type == EVENT_GUN_STATE) {
        fprintf(stderr, " %s -> %s (%s, %s)", gun_state_name(e->a), gun_state_name(e->b),
                stop_reason_name((unsigned)e->value), fault_info(e->c)->name);
    } else if (e->type == EVENT_BOUNDARY) {
        fprintf(stderr, " to slot %u: %s -> %s (%s) %.1f V %.1f A", e->c >> 16,
                boundary_state_name(e->a), boundary_state_name(e->b),
                boundary_reason_name(e->c & 0xffffu), event_boundary_dv_mv(e->value) / 1000.0,
                event_boundary_load_ma(e->value) / 1000.0);
    } else if (e->type == EVENT_FAULT_RAISED || e->type == EVENT_FAULT_CLEARED) {
        fprintf(stderr, " %s", fault_info(e->a)->name);
    }
    fputc('\n', stderr);
}

/* What nrt does: free-vend, and records acknowledged. */
static void nrt(struct virtual_hub *h) {
    for (uint32_t i = 0; i < h->events.count; i++) {
        const struct event *e = &h->events.item[i];
        h->events_by_type[e->type]++;
        if (h->logged < VIRTUAL_HUB_LOG) {
            h->log[h->logged++] = *e;
        }
        if (h->verbose && e->type != EVENT_CONTACTOR) {
            print_event(h, e);
        }
        if (h->nrt_stopped) {
            continue;
        }
        if (e->type == EVENT_GUN_STATE && e->b == GUN_STATE_PLUGGED && !h->no_free_vend) {
            struct command command = {
                .type = COMMAND_AUTHORISE, .slot = e->slot, .a = AUTH_SOURCE_FREE_VEND};
            (void)virtual_hub_command(h, command);
        } else if (e->type == EVENT_SESSION_ENDED && !h->no_acknowledgement) {
            acknowledge(h, e->slot);
        }
    }
    h->events_dropped += h->events.dropped;
    if (!h->nrt_stopped && (h->now_us - h->start_us) % RENEW_US == 0) {
        struct command command = {.type = COMMAND_SITE_LIMIT,
                                  .slot = EVENT_SLOT_NONE,
                                  .a = LIMIT_REASON_LEASE,
                                  .value = h->config.grid_limit_w,
                                  .expires_mono_ns = (h->now_us + LEASE_US) * 1000};
        (void)virtual_hub_command(h, command);
    }
}

static void guard(struct virtual_hub *h) {
    control_step(h->control, h->now_us, &h->to_plant, &h->events);
    for (uint32_t i = 0; i < h->to_plant.count; i++) {
        const struct bus_frame *f = &h->to_plant.item[i];
        plant_rx(h->plant, f->interface, &f->frame, h->now_us);
    }
    h->frames_dropped += h->to_plant.dropped;
    nrt(h);
}

/* What the shell does about bus-off: asks for a restart every 100 ms. */
static void restart_interfaces(struct virtual_hub *h) {
    if (h->now_us < h->restart_us) {
        return;
    }
    h->restart_us = h->now_us + RESTART_US;
    for (uint32_t i = 0; i < h->config.interfaces; i++) {
        const struct can_frame frame = {.can_id = CAN_ERR_FLAG | CAN_ERR_RESTARTED, .len = 8};
        if (h->bus_off[i]) {
            plant_rx(h->plant, i, &frame, h->now_us);
        }
    }
}

static void receive(struct virtual_hub *h, const struct bus_frame *f) {
    if ((f->frame.can_id & CAN_ERR_FLAG) != 0) {
        h->bus_off[f->interface] = (f->frame.can_id & CAN_ERR_BUSOFF) != 0;
    }
    control_rx(h->control, f->interface, &f->frame, h->now_us);
}

static void step(struct virtual_hub *h) {
    h->now_us += h->coarse ? TICK_US : STEP_US;
    const int64_t t_us = h->now_us - h->start_us;
    frame_batch_clear(&h->from_plant);
    plant_step(h->plant, h->now_us, &h->from_plant);
    for (uint32_t i = 0; i < h->from_plant.count; i++) {
        receive(h, &h->from_plant.item[i]);
    }
    h->frames_dropped += h->from_plant.dropped;
    restart_interfaces(h);
    if (h->from_plant.count > 0 || t_us % TICK_US == 0) {
        guard(h);
    }
    if (t_us % PLAN_US == (h->coarse ? 0 : PHASE_US) && !h->planner_stopped) {
        control_plan_input(h->control, h->now_us, &h->plan_input);
        planner_step(&h->planner, &h->plan_input, &h->proposal);
        control_proposal(h->control, &h->proposal, h->now_us);
    }
}

void virtual_hub_run(struct virtual_hub *h, double seconds) {
    const int64_t until_us = h->now_us + (int64_t)(seconds * 1e6);
    while (h->now_us < until_us) {
        step(h);
    }
}

enum gun_state virtual_hub_state(struct virtual_hub *h, int gun) {
    control_status(h->control, h->now_us, &h->status);
    return (enum gun_state)h->status.slot[virtual_hub_slot(h, gun)].gun_state;
}

bool virtual_hub_reach(struct virtual_hub *h, int gun, enum gun_state state, double seconds) {
    const int64_t until_us = h->now_us + (int64_t)(seconds * 1e6);
    while (h->now_us < until_us && virtual_hub_state(h, gun) != state) {
        for (int i = 0; i < 5; i++) {
            step(h);
        }
    }
    return virtual_hub_state(h, gun) == state;
}

const struct event *virtual_hub_event(const struct virtual_hub *h, enum event_type type,
                                      uint32_t slot, uint32_t *from) {
    for (; *from < h->logged; ++*from) {
        const struct event *e = &h->log[*from];
        if (e->type == type && e->slot == slot) {
            ++*from;
            return e;
        }
    }
    return NULL;
}

uint32_t virtual_hub_hazards(const struct virtual_hub *h) {
    const struct plant_hazard *list = NULL;
    const uint32_t count = plant_hazards(h->plant, &list);
    for (uint32_t i = 0; i < count; i++) {
        fprintf(stderr, "hazard at %.3f s in slot %u: %s: %s\n", (double)list[i].at_us / 1e6,
                list[i].slot, plant_hazard_text(list[i].kind), list[i].detail);
    }
    struct plant_report report;
    plant_report(h->plant, &report);
    return report.hazards;
}

void virtual_hub_print(struct virtual_hub *h) {
    control_status(h->control, h->now_us, &h->status);
    for (uint32_t i = 0; i < h->config.slots; i++) {
        const struct status_slot *s = &h->status.slot[i];
        fprintf(
            stderr,
            "slot %2u %-12s stage %2u cp %c bus %6.1f gun %6.1f V %6.1f A %6d W of %6d (%s) target "
            "%.1f V %.1f A soc %u fault %s\n",
            i, gun_state_name(s->gun_state), s->hlc_stage, cp_state_letter(s->cp_state),
            s->bus_mv / 1000.0, s->gun_mv / 1000.0, s->gun_ma / 1000.0, s->power_w, s->budget_w,
            limit_reason_name(s->limit_reason), s->target_mv / 1000.0, s->target_ma / 1000.0,
            s->soc_pct, fault_info(s->fault)->name);
    }
}
