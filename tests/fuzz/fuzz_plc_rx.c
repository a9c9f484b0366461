/* Any frames, in any order, at any time: the PLC driver keeps its image within its promises.
 * Input: byte 0 options, then records of 11 bytes: message, plcId and flags, time step, 8 data bytes. */
#include <linux/can.h>
#include <stdlib.h>
#include <string.h>

#include "hub_codec.h"
#include "rt/can/plc_state.h"

#define RECORD 11

static struct config config;
static struct plc plc;
static struct image_slot image;
static struct frame_batch tx;
static struct plc_command command;

static void demand(bool holds) {
    if (!holds) {
        abort();
    }
}

static void configure(uint8_t options) {
    memset(&config, 0, sizeof(config));
    config.interfaces = 1;
    config.connectors = 1;
    config.slots = 1;
    config.plc.use_crc8 = options & 1;
    config.plc.contactor_frame = options & 2 ? CONTACTOR_FRAME_GCMC : CONTACTOR_FRAME_RELAY;
    config.interlock.t_ack_ms = 300;
#define PERIOD_MS(e, name, base, period, deadline, sender)                                         \
    config.plc_timing[PLC_MESSAGE_##e].period_ms = (period) < 0 ? 100 : (period);
    PLC_MESSAGES(PERIOD_MS)
#undef PERIOD_MS
    config.connector[0].lock_input_switch = options >> 2 & 7;
    config.connector[0].meter_source = options & 32 ? METER_SOURCE_SHUNT : METER_SOURCE_PLC;
    config.connector[0].meter_scale_ppm = 1000000;
    config.connector[0].max_power_w = 60000;
    config.slot[0].plc_id = 5;
    config.slot[0].gun = options & 64 ? -1 : 0;
    config.slot[0].has_mc = config.slot[0].has_bc = true;
    config.slot[0].module_count = 2;
    config.slot[0].module[0].mn_on_plc = true;
}

static void check(int64_t last_mwh) {
    demand(image.plc_fault_reason <= 12);
    demand((unsigned)image.cp_state.value < CP_STATE_COUNT);
    demand((unsigned)image.hlc_stage.value < HLC_STAGE_COUNT);
    demand(image.meter_mwh >= last_mwh);
    demand(!image.soc_pct.valid || image.soc_pct.value <= 100);
    demand(!(image.plc_boot_checked && image.plc_crc_mode_fault));
    for (unsigned i = 0; i < IDENTITY_COUNT; i++) {
        const struct image_identity *id = &image.identity[i];
        demand(id->length < RM_ID_TOKEN_LEN && strlen(id->text) == id->length);
        for (unsigned k = 0; k < id->length; k++) {
            demand(id->text[k] >= 0x20 && id->text[k] < 0x7f);
        }
    }
    for (uint32_t i = 0; i < tx.count; i++) {
        const struct can_frame *frame = &tx.item[i].frame;
        const uint32_t base = frame->can_id & CAN_EFF_MASK & ~0xfu;
        demand((frame->can_id & CAN_EFF_FLAG) && frame->len == 8 && (frame->can_id & 0xf) == 5);
        demand(base != (plc.gcmc ? HUB_ID_RELAY_CONTROL : HUB_ID_GCMC_COMMAND));
        demand(!image.plc_crc_mode_fault ||
               (base != HUB_ID_RELAY_CONTROL && base != HUB_ID_GCMC_COMMAND));
        demand(frame->data[7] == (config.plc.use_crc8 ? hub_crc8(frame->data, 7) : 0));
    }
}

static void record(const uint8_t *bytes, int64_t *now_us) {
    struct can_frame frame = {
        .can_id = hub_messages[bytes[0] % HUB_MESSAGE_COUNT].base_id | 5 | CAN_EFF_FLAG, .len = 8};
    memcpy(frame.data, bytes + 3, 8);
    if (!(bytes[1] & 1)) {
        frame.data[7] = hub_messages[bytes[0] % HUB_MESSAGE_COUNT].has_crc ? hub_crc8(frame.data, 7)
                                                                           : frame.data[7];
    }
    if (bytes[1] >= 0xf0) {
        frame.can_id ^= 1u << (bytes[1] & 0xf) | (canid_t)bytes[0] << 24;
        frame.len = bytes[2] & 15;
    }
    *now_us += bytes[2] * INT64_C(5000);
    plc_rx(&plc, &config, &frame, &image, *now_us);
    plc_tick(&plc, &config, &image, *now_us);
    command.contactor[CONTACTOR_GC] = bytes[1] & 2;
    command.contactor[CONTACTOR_MN0] = bytes[1] & 4;
    command.clear_faults = bytes[1] & 8;
    command.plugged = bytes[1] & 16;
    command.lock = bytes[1] & 32;
    command.force_all_off = bytes[1] & 64;
    command.offer_mv = (int32_t)(bytes[3] * 16777216u);
    command.send = true;
    frame_batch_clear(&tx);
    plc_tx_contactors(&plc, &config, &command, &image, &tx, *now_us);
    plc_tx_rest(&plc, &config, &command, &image, &tx, *now_us);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    if (size < 1 + RECORD) {
        return 0;
    }
    int64_t now_us = 1000000;
    configure(data[0]);
    memset(&image, 0, sizeof(image));
    plc_init(&plc, &config, 0, now_us);
    for (size_t at = 1; at + RECORD <= size && at < 4096; at += RECORD) {
        const int64_t last_mwh = image.meter_mwh;
        record(data + at, &now_us);
        check(last_mwh);
    }
    return 0;
}
