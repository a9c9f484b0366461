#include "tests/unit/rt/can/bench.h"

static struct bench bench;

static void configure(struct config *c) {
    memset(c, 0, sizeof(*c));
    c->interfaces = 2;
    c->interface[1].role = INTERFACE_ROLE_MODULES;
    c->plc.use_crc8 = true;
    c->plc.contactor_frame = CONTACTOR_FRAME_GCMC;
    c->modules.protocol = MODULE_PROTOCOL_INFYPOWER;
    c->modules.setpoint_min_ms = 100;
    c->modules.refresh_ms = 500;
    c->modules.poll_ms = 250;
    c->modules.status_ms = 500;
    c->modules.slow_ms = 2000;
    c->interlock.t_ack_ms = 300;
#define PERIOD_MS(e, name, base, period, deadline, sender)                                         \
    c->plc_timing[PLC_MESSAGE_##e].period_ms = (period) < 0 ? 100 : (period);
    PLC_MESSAGES(PERIOD_MS)
#undef PERIOD_MS
    c->interlock.t_mod_soft_ms = 2000;
    c->connectors = 2;
    c->slots = 2;
    for (uint32_t i = 0; i < 2; i++) {
        c->connector[i] = (struct config_connector){
            .id = (int32_t)i + 1, .max_power_w = 60000, .meter_scale_ppm = 1000000};
        c->slot[i] = (struct config_slot){.id = (int32_t)i,
                                          .plc_id = (uint8_t)(BENCH_PLC + i),
                                          .gun = (int16_t)i,
                                          .has_mc = true,
                                          .has_bc = true,
                                          .module_count = 2};
        for (uint32_t j = 0; j < 2; j++) {
            c->slot[i].module[j] = (struct config_module){
                .interface = 1, .address = (uint8_t)(1 + 2 * i + j), .mn_on_plc = true};
        }
    }
}

void bench_restart(struct bench *b) {
    memset(&b->image, 0, sizeof(b->image));
    plc_init(&b->plc, &b->config, 0, b->now_us);
}

struct bench *bench_new(void) {
    memset(&bench, 0, sizeof(bench));
    bench.now_us = 10 * SECOND;
    bench.cmd.send = true;
    configure(&bench.config);
    bench_restart(&bench);
    return &bench;
}

uint8_t bench_crc(const uint8_t *data, size_t length) {
    unsigned crc = 0;
    for (size_t i = 0; i < length; i++) {
        for (unsigned bit = 0; bit < 8; bit++) {
            unsigned top = ((crc >> 7) ^ ((unsigned)data[i] >> (7 - bit))) & 1u;
            crc = ((crc << 1) & 0xffu) ^ (top ? 0x07u : 0);
        }
    }
    return (uint8_t)crc;
}

void bench_frame(struct bench *b, uint32_t base_id, const uint8_t data[8]) {
    struct can_frame frame = {.can_id = base_id | BENCH_PLC | CAN_EFF_FLAG, .len = 8};
    memcpy(frame.data, data, 8);
    plc_rx(&b->plc, &b->config, &frame, &b->image, b->now_us);
}

void bench_sealed(struct bench *b, uint32_t base_id, const uint8_t data[8]) {
    uint8_t sealed[8];
    memcpy(sealed, data, 7);
    sealed[7] = bench_crc(data, 7);
    bench_frame(b, base_id, sealed);
}

static void send_status(struct bench *b) {
    const uint8_t seq = b->applied, reason = b->fault_reason;
    if (b->config.plc.contactor_frame == CONTACTOR_FRAME_GCMC) {
        bench_sealed(b, 0x150, BENCH_BYTES(0, 0, reason, 0, 0, seq, seq, 0));
    } else {
        bench_sealed(b, 0x160, BENCH_BYTES(0, seq, 0x10, reason, 0, 0, 0, 0));
    }
    bench_sealed(b, 0x190, BENCH_BYTES(0x10, 0, 0, 0, 0, 0, 0, 0));
}

void bench_run(struct bench *b, int64_t span_us) {
    const int64_t end_us = b->now_us + span_us;
    frame_batch_clear(&b->tx);
    while (b->now_us < end_us) {
        b->now_us += 5 * MS;
        uint32_t before = b->tx.count;
        if (b->alive && b->now_us >= b->next_status_us) {
            send_status(b);
            b->next_status_us = b->now_us + 50 * MS;
        }
        plc_tick(&b->plc, &b->config, &b->image, b->now_us);
        plc_tx_contactors(&b->plc, &b->config, &b->cmd, &b->image, &b->tx, b->now_us);
        plc_tx_rest(&b->plc, &b->config, &b->cmd, &b->image, &b->tx, b->now_us);
        for (uint32_t i = before; i < b->tx.count && b->alive; i++) {
            uint32_t base = b->tx.item[i].frame.can_id & CAN_EFF_MASK & ~0xfu;
            if (base == 0x340 || base == 0x390) {
                b->applied = b->tx.item[i].frame.data[1];
            }
        }
    }
}

void bench_settle(struct bench *b) {
    b->alive = true;
    bench_run(b, SECOND);
    assert_true(b->image.plc_boot_checked);
}

unsigned bench_sent(const struct bench *b, uint32_t base_id, uint8_t data[8]) {
    unsigned count = 0;
    for (uint32_t i = 0; i < b->tx.count; i++) {
        const struct can_frame *frame = &b->tx.item[i].frame;
        if ((frame->can_id & CAN_EFF_MASK & ~0xfu) != base_id) {
            continue;
        }
        count++;
        if (data) {
            memcpy(data, frame->data, 8);
        }
    }
    return count;
}
