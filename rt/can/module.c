/* The part of the module driver that both protocols share: when to say what. */
#include "rt/can/module_private.h"

#include <string.h>

#define CONFIRM_US       3000000 /* after a change of mode, status is polled faster until it shows */
#define CONFIRM_POLL_US  100000
#define CONFIRM_FIRST_US 30000

static const struct module_codec *codec_of(enum module_protocol protocol) {
    switch (protocol) {
    case MODULE_PROTOCOL_MAXWELL: return &module_codec_maxwell;
    case MODULE_PROTOCOL_INFYPOWER: break;
    }
    return &module_codec_infypower;
}

/* The next point after now of the period's grid, shifted by the module's rank: modules of a bus take turns. */
static int64_t grid_next(const struct module_driver *m, int64_t now_us, int64_t period_us) {
    int64_t shift_us = period_us * m->rank / m->of;
    return ((now_us - shift_us) / period_us + 1) * period_us + shift_us;
}

static int64_t us(int32_t ms) {
    return (int64_t)ms * 1000;
}

static int64_t least(int64_t a, int64_t b) {
    return a < b ? a : b;
}

static void set_due(struct module_driver *m) {
    m->due_us = least(least(m->refresh_us, m->output_us), least(m->status_us, m->slow_us));
}

void module_init(struct module_driver *m, const struct config *config, uint32_t slot,
                 uint32_t module, int64_t now_us) {
    assert(slot < config->slots && module < config->slot[slot].module_count);
    const struct config_module *own = &config->slot[slot].module[module];
    memset(m, 0, sizeof(*m));
    m->interface = own->interface;
    m->address = own->address;
    m->own_relay = !own->mn_on_plc;
    m->protocol = config->modules.protocol;
    for (uint32_t i = 0; i < config->slots; i++) {
        for (uint32_t j = 0; j < config->slot[i].module_count; j++) {
            if (config->slot[i].module[j].interface == own->interface) {
                m->rank += i < slot || (i == slot && j < module);
                m->of++;
            }
        }
    }
    const struct module_codec *codec = codec_of(m->protocol);
    m->setpoint_us = now_us - us(config->modules.setpoint_min_ms);
    m->refresh_us = now_us;
    m->output_us = grid_next(m, now_us, us(config->modules.poll_ms) / codec->output_steps);
    m->status_us = grid_next(m, now_us, us(config->modules.status_ms));
    m->slow_us = grid_next(m, now_us, us(config->modules.slow_ms) / codec->slow_steps);
    set_due(m);
}

bool module_push(const struct module_driver *m, uint32_t can_id, const uint8_t data[8],
                 struct frame_batch *tx) {
    struct can_frame frame = {.can_id = can_id | CAN_EFF_FLAG, .len = 8};
    memcpy(frame.data, data, 8);
    return frame_batch_push(tx, m->interface, &frame);
}

void module_put_on(const struct module_driver *m, struct image_module *image, bool on,
                   int64_t now_us) {
    module_sample(&image->on, true, on, now_us);
    if (m->own_relay) { /* its output relay closes when it starts and opens when it stops */
        image->relay.p = on ? FEEDBACK_CLOSED : FEEDBACK_OPEN;
        image->relay.n = image->relay.p;
        image->relay.at_us = now_us;
    }
}

int module_frame_source(enum module_protocol protocol, const struct can_frame *frame) {
    if (!(frame->can_id & CAN_EFF_FLAG) || (frame->can_id & (CAN_RTR_FLAG | CAN_ERR_FLAG)) ||
        frame->len != 8) {
        return -1;
    }
    return codec_of(protocol)->source(frame);
}

void module_rx(struct module_driver *m, const struct config *config, const struct can_frame *frame,
               struct image_module *image, int64_t now_us) {
    if (module_frame_source(m->protocol, frame) != m->address) {
        return;
    }
    bool lost = m->last_rx_us != 0 && now_us - m->last_rx_us >= us(config->interlock.t_mod_soft_ms);
    m->last_rx_us = now_us;
    if (lost) {
        /* It may have switched itself off, or forgotten: told again first, believed afterwards. */
        m->recovering = true;
        m->resend = true;
        m->due_us = 0;
    }
    if (m->recovering && m->resend) {
        return;
    }
    m->recovering = false;
    if (codec_of(m->protocol)->rx(m, frame, image, now_us)) {
        image->last_rx_us = now_us;
    }
}

/* Off for everything that cannot be said on the wire. A module that is its own MN is started with MN, at 0 V and 0 A. */
static struct module_target target_of(const struct module_driver *m,
                                      const struct request_module *wanted) {
    struct module_target target = {0};
    bool sound = wanted->set_mv >= 0 && wanted->set_mv <= MODULE_VOLTAGE_MAX_MV &&
                 wanted->set_ma >= 0 && wanted->set_ma <= MODULE_CURRENT_MAX_MA;
    if (wanted->run && sound) {
        target = (struct module_target){true, wanted->set_mv, wanted->set_ma};
    } else if (wanted->mn && m->own_relay && !wanted->run) {
        target.on = true;
    }
    return target;
}

static void note_sent(struct module_driver *m, const struct module_target *target,
                      struct image_module *image, int64_t now_us) {
    if (!m->mode_sent || m->sent_on != target->on) {
        m->expect_until_us = now_us + CONFIRM_US;
        m->status_us = now_us + CONFIRM_FIRST_US;
    }
    m->mode_sent = true;
    m->sent_on = target->on;
    m->sent_mv = target->mv;
    m->sent_ma = target->ma;
    m->setpoint_valid = target->on;
    image->sent_run = target->on;
    image->sent_mv = target->mv;
    image->sent_ma = target->ma;
    image->sent_at_us = now_us;
}

static void send_off(struct module_driver *m, const struct config *config,
                     struct image_module *image, struct frame_batch *tx, int64_t now_us) {
    const struct module_target off = {0};
    if (codec_of(m->protocol)->send_mode(m, false, tx)) {
        note_sent(m, &off, image, now_us);
        m->resend = false;
        m->refresh_us = grid_next(m, now_us, us(config->modules.refresh_ms));
    }
}

/* Setpoint first, then the mode, so that it never starts on an old setpoint. */
static void send_on(struct module_driver *m, const struct config *config,
                    const struct module_target *target, struct image_module *image,
                    struct frame_batch *tx, int64_t now_us) {
    const struct module_codec *codec = codec_of(m->protocol);
    if (codec->send_setpoint(m, target, true, tx) && codec->send_mode(m, true, tx)) {
        note_sent(m, target, image, now_us);
        m->resend = false;
        m->setpoint_us = now_us;
        m->refresh_us = grid_next(m, now_us, us(config->modules.refresh_ms));
    }
}

static void send_change(struct module_driver *m, const struct module_target *target,
                        struct image_module *image, struct frame_batch *tx, int64_t now_us) {
    if (codec_of(m->protocol)->send_setpoint(m, target, false, tx)) {
        note_sent(m, target, image, now_us);
        m->setpoint_us = now_us;
    }
}

static void send_setpoints(struct module_driver *m, const struct config *config,
                           const struct module_target *target, bool urgent,
                           struct image_module *image, struct frame_batch *tx, int64_t now_us) {
    if (!target->on) {
        if (m->sent_on || m->resend || (!urgent && now_us >= m->refresh_us)) {
            send_off(m, config, image, tx, now_us);
        }
        return;
    }
    bool spaced = now_us - m->setpoint_us >= us(config->modules.setpoint_min_ms);
    if (m->sent_on && m->setpoint_valid && !m->resend) {
        /* What goes down goes first, and alone. Only zero does not wait for its turn: a ramp lowers in every step, and a
         * frame for each would fill the bus (and each reply would bring the next step). */
        const struct module_target lower = {true, (int32_t)least(target->mv, m->sent_mv),
                                            (int32_t)least(target->ma, m->sent_ma)};
        bool to_zero = lower.ma == 0 && m->sent_ma != 0;
        if ((lower.mv != m->sent_mv || lower.ma != m->sent_ma) && (spaced || to_zero)) {
            send_change(m, &lower, image, tx, now_us);
            spaced = false;
        }
    }
    if (urgent) {
        return;
    }
    bool start = !m->sent_on || !m->setpoint_valid;
    if (m->resend || (start && spaced) || (!start && now_us >= m->refresh_us && spaced)) {
        send_on(m, config, target, image, tx, now_us);
    } else if (!start && spaced && (target->mv != m->sent_mv || target->ma != m->sent_ma)) {
        send_change(m, target, image, tx, now_us);
    }
}

static void send_polls(struct module_driver *m, const struct config *config,
                       const struct image_module *image, struct frame_batch *tx, int64_t now_us) {
    const struct module_codec *codec = codec_of(m->protocol);
    if (now_us >= m->output_us && codec->poll_output(m, m->output_step, tx)) {
        m->output_step = (uint8_t)((m->output_step + 1) % codec->output_steps);
        m->output_us = grid_next(m, now_us, us(config->modules.poll_ms) / codec->output_steps);
    }
    if (now_us >= m->status_us && codec->poll_status(m, tx)) {
        bool confirmed = image->on.valid && (image->on.value != 0) == m->sent_on;
        bool waits = !confirmed && now_us < m->expect_until_us;
        int64_t regular_us = grid_next(m, now_us, us(config->modules.status_ms));
        m->status_us = waits ? least(now_us + CONFIRM_POLL_US, regular_us) : regular_us;
    }
    if (now_us >= m->slow_us && codec->poll_slow(m, m->slow_step, tx)) {
        m->slow_step = (uint8_t)((m->slow_step + 1) % codec->slow_steps);
        m->slow_us = grid_next(m, now_us, us(config->modules.slow_ms) / codec->slow_steps);
    }
}

void module_tx(struct module_driver *m, const struct config *config,
               const struct request_module *wanted, bool urgent, struct image_module *image,
               struct frame_batch *tx, int64_t now_us) {
    const struct module_target target = target_of(m, wanted);
    bool differs = target.on != m->sent_on || target.mv != m->sent_mv || target.ma != m->sent_ma;
    if (!differs && (urgent || now_us < m->due_us)) {
        return;
    }
    send_setpoints(m, config, &target, urgent, image, tx, now_us);
    if (!urgent) {
        send_polls(m, config, image, tx, now_us);
        set_due(m);
    }
}
