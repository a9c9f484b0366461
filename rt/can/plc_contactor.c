/* The contactor command: one frame that says everything, a sequence that goes up with every change of content, a
 * refresh that repeats both, and the supervision of the PLC's acknowledgement (contract section 2). */
#include "rt/can/plc_private.h"

#define SYNC_WAIT_US     500000 /* for the first status after start, before a sequence is chosen */
#define ATTEMPTS_MAX     3
#define CLEAR_ATTEMPTS   3
#define CLEAR_HOLD_US    150000 /* one refresh at least while the bit is set */
#define CLEAR_SPACING_US 500000

/* Content bits, common to both kinds of PLC. */
enum {
    CONTENT_GC = 1u << 0,
    CONTENT_MC = 1u << 1,
    CONTENT_BC = 1u << 2,
    CONTENT_MN0 = 1u << 3,
    CONTENT_MN1 = 1u << 4,
    CONTENT_IMD_ENABLE = 1u << 5,
    CONTENT_IMD_SELF_TEST = 1u << 6,
    CONTENT_FORCE_ALL_OFF = 1u << 7,
    CONTENT_CLEAR_FAULTS = 1u << 8,
};
#define CONTENT_CLOSES (CONTENT_GC | CONTENT_MC | CONTENT_BC | CONTENT_MN0 | CONTENT_MN1)

static bool switches_mn(const struct config_slot *slot, unsigned module) {
    return module < slot->module_count && slot->module[module].mn_on_plc;
}

/* Commands for contactors that this PLC does not own never leave: one owner per contactor. */
static uint32_t content_of(const struct plc *p, const struct config *config,
                           const struct plc_command *cmd, const struct image_slot *image) {
    const struct config_slot *slot = &config->slot[p->slot];
    uint32_t content = 0;
    if (cmd->imd_enable) {
        content |= CONTENT_IMD_ENABLE;
    }
    if (cmd->imd_self_test) {
        content |= CONTENT_IMD_SELF_TEST;
    }
    if (p->contactor.clear_until_us != 0) {
        content |= CONTENT_CLEAR_FAULTS;
    }
    if (cmd->force_all_off || image->plc_ack_fault) {
        return content | CONTENT_FORCE_ALL_OFF;
    }
    if (!image->plc_boot_checked) {
        return content; /* nothing closes before PLC and hub agree on the CRC */
    }
    if (cmd->contactor[CONTACTOR_GC]) {
        content |= CONTENT_GC;
    }
    if (p->gcmc && slot->has_mc && cmd->contactor[CONTACTOR_MC]) {
        content |= CONTENT_MC;
    }
    if (p->gcmc && slot->has_bc && cmd->contactor[CONTACTOR_BC]) {
        content |= CONTENT_BC;
    }
    if (switches_mn(slot, 0) && cmd->contactor[CONTACTOR_MN0]) {
        content |= CONTENT_MN0;
    }
    if (switches_mn(slot, 1) && cmd->contactor[CONTACTOR_MN0 + 1]) {
        content |= CONTENT_MN1;
    }
    return content;
}

static void encode_gcmc(uint32_t content, uint8_t seq, uint8_t data[8]) {
    const struct hub_gcmc_command frame = {
        .gc_cmd = content & CONTENT_GC,
        .mc_cmd = content & CONTENT_MC,
        .mn0_cmd = content & CONTENT_MN0,
        .mn1_cmd = content & CONTENT_MN1,
        .bc_cmd = content & CONTENT_BC,
        .clear_faults = content & CONTENT_CLEAR_FAULTS,
        .force_all_off = content & CONTENT_FORCE_ALL_OFF,
        .cmd_seq = seq,
        .imd_enable = content & CONTENT_IMD_ENABLE,
        .imd_self_test = content & CONTENT_IMD_SELF_TEST,
    };
    bool fits = hub_encode_gcmc_command(&frame, data);
    assert(fits);
}

static void encode_relay(const struct config_slot *slot, uint32_t content, uint8_t seq,
                         uint8_t data[8]) {
    const struct hub_relay_control frame = {
        .rly1_cmd = content & CONTENT_GC,
        .rly2_cmd = content & CONTENT_MN0,
        .rly3_cmd = content & CONTENT_MN1,
        .sys_enable = !(content & CONTENT_FORCE_ALL_OFF),
        .force_all_off = content & CONTENT_FORCE_ALL_OFF,
        .clear_faults = content & CONTENT_CLEAR_FAULTS,
        .cmd_seq = seq,
        .rly1_enable = slot->gun >= 0,
        .rly2_enable = switches_mn(slot, 0),
        .rly3_enable = switches_mn(slot, 1),
        .imd_enable = content & CONTENT_IMD_ENABLE,
        .imd_self_test = content & CONTENT_IMD_SELF_TEST,
    };
    bool fits = hub_encode_relay_control(&frame, data);
    assert(fits);
}

/* CLEAR_FAULTS: a rising request starts at most three attempts, ended early by FAULT_REASON 0. */
static void clear_faults_step(struct plc_contactor_tx *c, bool asked,
                              const struct image_slot *image, int64_t now_us) {
    if (asked && !c->clear_asked && c->clear_left == 0) {
        c->clear_left = CLEAR_ATTEMPTS;
        c->clear_next_us = now_us;
    }
    c->clear_asked = asked;
    if (c->clear_until_us != 0 && now_us >= c->clear_until_us) {
        c->clear_until_us = 0;
        if (image->plc_fault_reason == 0) {
            c->clear_left = 0;
        }
    }
    if (c->clear_left > 0 && c->clear_until_us == 0 && now_us >= c->clear_next_us) {
        if (c->clear_left < CLEAR_ATTEMPTS && image->plc_fault_reason == 0) {
            c->clear_left = 0;
            return;
        }
        c->clear_left--;
        c->clear_until_us = now_us + CLEAR_HOLD_US;
        c->clear_next_us = now_us + CLEAR_SPACING_US;
    }
}

/* Before the PLC has said which sequence it applied last. What only opens never waits for that: a PLC that started anew
 * has opened already, one that did not takes the next sequence of this life. */
static bool opens_only(const struct plc_contactor_tx *c, uint32_t content) {
    const uint32_t closed = content & CONTENT_CLOSES;
    const uint32_t before = c->content & CONTENT_CLOSES;
    return (closed & ~before) == 0 && (closed != before || c->sent);
}

void plc_tx_contactors(struct plc *p, const struct config *config, const struct plc_command *cmd,
                       struct image_slot *image, struct frame_batch *tx, int64_t now_us) {
    struct plc_contactor_tx *c = &p->contactor;
    if (!cmd->send || image->interface_down || image->plc_crc_mode_fault) {
        c->sent = false; /* supervision rests; the next frame goes out at once */
        c->clear_asked = cmd->clear_faults;
        return;
    }
    if (!c->synced) {
        if (now_us < c->sync_until_us && !cmd->force_all_off &&
            !(c->known && opens_only(c, content_of(p, config, cmd, image)))) {
            return; /* the PLC's status will tell which sequence it applied last */
        }
        c->synced = now_us >= c->sync_until_us;
        c->known = c->known || c->synced;
    }
    if (cmd->clear_faults || c->clear_asked || c->clear_left > 0 || c->clear_until_us != 0) {
        clear_faults_step(c, cmd->clear_faults, image, now_us);
    }
    uint32_t content = content_of(p, config, cmd, image);
    bool changed = content != c->content;
    if (c->sent && !changed && now_us < c->next_us) {
        return;
    }
    uint8_t seq = changed || !c->sent ? (uint8_t)(c->seq + 1) : c->seq;
    uint8_t data[8];
    if (p->gcmc) {
        encode_gcmc(content, seq, data);
    } else {
        encode_relay(&config->slot[p->slot], content, seq, data);
    }
    uint32_t base = p->gcmc ? HUB_ID_GCMC_COMMAND : HUB_ID_RELAY_CONTROL;
    if (!plc_push(p, base, data, config->plc.use_crc8, tx)) {
        return; /* batch full: tried again in the next step */
    }
    if (seq != c->seq || !c->sent) {
        if (c->acknowledged || !c->sent) {
            c->unacknowledged_us = now_us; /* else the older wait goes on */
        }
        c->acknowledged = false;
    }
    c->seq = seq;
    c->content = content;
    c->sent = true;
    const enum plc_message command = p->gcmc ? PLC_MESSAGE_GCMC_COMMAND : PLC_MESSAGE_RELAY_CONTROL;
    c->next_us = plc_grid_next(p, now_us, plc_period_us(config, command));
}

void plc_contactor_applied(struct plc *p, uint8_t seq, int64_t now_us) {
    struct plc_contactor_tx *c = &p->contactor;
    if (!c->synced) {
        /* A PLC takes a repeated sequence for a refresh: the next must differ from the last it applied, and from those
         * it was sent and may not have applied yet. */
        if ((!c->known && !c->sent) || seq == (uint8_t)(c->seq + 1)) {
            c->seq = seq;
        }
        c->synced = true;
        c->known = true;
        c->sent = false;
        return;
    }
    if (!c->sent) {
        return;
    }
    if (seq == c->seq) {
        c->acknowledged = true;
        c->failed_attempts = 0;
    } else if (c->acknowledged || seq != c->applied) {
        c->acknowledged = false; /* it lost ours, or is getting there */
        c->unacknowledged_us = now_us;
    }
    c->applied = seq;
}

void plc_contactor_tick(struct plc *p, const struct config *config, struct image_slot *image,
                        int64_t now_us) {
    struct plc_contactor_tx *c = &p->contactor;
    if (!c->sent || c->acknowledged || image->plc_ack_fault) {
        return;
    }
    if (image->plc_status_stale) {
        c->unacknowledged_us =
            now_us; /* silence has its own fault; the wait begins when it is heard again */
        return;
    }
    if (now_us - c->unacknowledged_us < (int64_t)config->interlock.t_ack_ms * 1000) {
        return;
    }
    image->ack_retries++;
    c->unacknowledged_us = now_us;
    c->next_us = now_us; /* retry now: same sequence */
    if (++c->failed_attempts >= ATTEMPTS_MAX) {
        image->plc_ack_fault = true;
    }
}

void plc_contactor_restart(struct plc *p, int64_t now_us) {
    p->contactor.synced = false;
    p->contactor.sent = false;
    p->contactor.sync_until_us = now_us + SYNC_WAIT_US;
}

void plc_ack_clear(struct plc *p, struct image_slot *image) {
    image->plc_ack_fault = false;
    p->contactor.failed_attempts = 0;
    p->contactor.sent = false; /* supervision begins anew with the next frame */
}

bool plc_off_acknowledged(const struct plc *p) {
    const struct plc_contactor_tx *c = &p->contactor;
    return c->sent && c->acknowledged && (c->content & CONTENT_FORCE_ALL_OFF) != 0;
}
