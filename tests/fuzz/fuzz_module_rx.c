/* Any replies, in any order, at any time: the module driver keeps its image and its promises about what it sends.
 * Input: byte 0 options, then records of 14 bytes: 4 identifier, 1 flags, 1 time step, 8 data bytes. */
#include <linux/can.h>
#include <stdlib.h>
#include <string.h>

#include "rt/can/bigendian.h"
#include "rt/can/infypower.h"
#include "rt/can/maxwell.h"
#include "rt/can/module_state.h"

#define RECORD  14
#define ADDRESS 2

static struct config config;
static struct module_driver driver;
static struct image_module image;
static struct frame_batch tx;

static void demand(bool holds) {
    if (!holds) {
        abort();
    }
}

static void configure(uint8_t options) {
    memset(&config, 0, sizeof(config));
    config.interfaces = 1;
    config.slots = 1;
    config.modules.protocol = options & 1 ? MODULE_PROTOCOL_MAXWELL : MODULE_PROTOCOL_INFYPOWER;
    config.modules.setpoint_min_ms = 100;
    config.modules.refresh_ms = 500;
    config.modules.poll_ms = 250;
    config.modules.status_ms = 500;
    config.modules.slow_ms = 2000;
    config.interlock.t_mod_soft_ms = 2000;
    config.slot[0].module_count = 1;
    config.slot[0].module[0].address = ADDRESS;
    config.slot[0].module[0].mn_on_plc = options & 2;
}

static bool within(const struct sample *s, int32_t low, int32_t high) {
    return !s->valid || (s->value >= low && s->value <= high);
}

static void check(const struct request_module *wanted) {
    demand(within(&image.voltage_mv, 0, 1500000));
    demand(within(&image.current_ma, -1000000, 1000000));
    demand(within(&image.external_mv, 0, 1500000));
    demand(within(&image.temperature_ddegc, -1280, 2000));
    demand(within(&image.capability_w, 0, 1000000));
    demand(within(&image.on, 0, 1));
    demand(image.alarm_bits < 128);
    demand(image.sent_mv >= 0 && image.sent_ma >= 0);
    demand(wanted->run || image.sent_ma == 0);
    demand(wanted->run || wanted->mn || !image.sent_run);
    for (uint32_t i = 0; i < tx.count; i++) {
        const struct can_frame *frame = &tx.item[i].frame;
        struct maxwell_id maxwell;
        struct infypower_id infypower;
        const uint32_t id = frame->can_id & CAN_EFF_MASK;
        demand((frame->can_id & CAN_EFF_FLAG) && frame->len == 8);
        if (config.modules.protocol == MODULE_PROTOCOL_MAXWELL) {
            demand(maxwell_decode_id(id, &maxwell) && maxwell.destination == ADDRESS);
        } else {
            demand(infypower_decode_id(id, &infypower) && infypower.destination == ADDRESS);
        }
    }
}

/* Most inputs name the module, so that the decoders are reached. */
static uint32_t identifier(const uint8_t *bytes) {
    if (bytes[4] & 0x80) {
        return bigendian_get32(bytes);
    }
    if (config.modules.protocol == MODULE_PROTOCOL_MAXWELL) {
        return 0x060F8000u | ADDRESS << 3 | (bytes[0] & 7u) | CAN_EFF_FLAG;
    }
    return 0x0280F000u | ADDRESS | (bytes[0] & 0x3fu) << 16 | (bytes[1] & 7u) << 26 | CAN_EFF_FLAG;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    if (size < 1 + RECORD) {
        return 0;
    }
    int64_t now_us = 1000000;
    configure(data[0]);
    memset(&image, 0, sizeof(image));
    module_init(&driver, &config, 0, 0, now_us);
    for (size_t at = 1; at + RECORD <= size && at < 4096; at += RECORD) {
        const uint8_t *bytes = data + at;
        struct can_frame frame = {.can_id = identifier(bytes),
                                  .len = bytes[4] & 64 ? bytes[4] & 15 : 8};
        memcpy(frame.data, bytes + 6, 8);
        now_us += bytes[5] * INT64_C(5000);
        const int source = module_frame_source(config.modules.protocol, &frame);
        demand(source >= -1 && source <= 255);
        module_rx(&driver, &config, &frame, &image, now_us);
        const struct request_module wanted = {.run = bytes[4] & 1,
                                              .mn = bytes[4] & 2,
                                              .set_mv = (int32_t)bigendian_get32(bytes + 6),
                                              .set_ma = (int32_t)bigendian_get32(bytes + 10)};
        frame_batch_clear(&tx);
        module_tx(&driver, &config, &wanted, true, &image, &tx, now_us);
        module_tx(&driver, &config, &wanted, false, &image, &tx, now_us);
        demand(tx.count <= 8);
        check(&wanted);
    }
    return 0;
}
