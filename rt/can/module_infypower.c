/* Infypower modules: voltage and current travel together. */
#include "rt/can/infypower.h"
#include "rt/can/module_private.h"

static bool send(const struct module_driver *m, enum infypower_command command,
                 const uint8_t data[8], struct frame_batch *tx) {
    const struct infypower_id id = {.source = INFYPOWER_CONTROLLER,
                                    .destination = m->address,
                                    .command = (uint8_t)command,
                                    .device = INFYPOWER_DEVICE_SINGLE};
    return module_push(m, infypower_encode_id(&id), data, tx);
}

static bool read_command(const struct module_driver *m, enum infypower_command command,
                         struct frame_batch *tx) {
    const uint8_t zero[8] = {0};
    return send(m, command, zero, tx);
}

static bool send_setpoint(const struct module_driver *m, const struct module_target *target,
                          bool all, struct frame_batch *tx) {
    const struct infypower_setpoint setpoint = {.voltage_mv = target->mv, .current_ma = target->ma};
    uint8_t data[8];
    (void)all; /* one frame carries both */
    return infypower_encode_setpoint(&setpoint, data) && send(m, INFYPOWER_SETPOINT, data, tx);
}

static bool send_mode(const struct module_driver *m, bool on, struct frame_batch *tx) {
    uint8_t data[8];
    infypower_encode_on(on, data);
    return send(m, INFYPOWER_ON_OFF, data, tx);
}

static bool poll_output(const struct module_driver *m, uint8_t step, struct frame_batch *tx) {
    (void)step;
    return read_command(m, INFYPOWER_OUTPUT, tx);
}

static bool poll_status(const struct module_driver *m, struct frame_batch *tx) {
    return read_command(m, INFYPOWER_STATUS, tx);
}

static bool poll_slow(const struct module_driver *m, uint8_t step, struct frame_batch *tx) {
    return read_command(m, step == 0 ? INFYPOWER_CAPABILITIES : INFYPOWER_EXTERNAL, tx);
}

struct row {
    uint8_t wire;
    uint32_t normal;
};

static uint32_t normalise_byte(uint8_t state, const struct row *row, unsigned rows) {
    uint32_t normal = 0;
    for (unsigned i = 0; i < rows; i++) {
        normal |= state & row[i].wire ? row[i].normal : 0;
    }
    return normal;
}

static uint32_t normalise(const struct infypower_status *status) {
    static const struct row row0[] = {
        {INFYPOWER_S0_SHORT, MODULE_ALARM_PROTECTION},
        {INFYPOWER_S0_DISCHARGE, MODULE_ALARM_FAULT},
    };
    static const struct row row1[] = {
        {INFYPOWER_S1_FAULT, MODULE_ALARM_FAULT},
        {INFYPOWER_S1_PROTECTION | INFYPOWER_S1_OVERVOLTAGE, MODULE_ALARM_PROTECTION},
        {INFYPOWER_S1_OVERTEMP, MODULE_ALARM_TEMPERATURE},
        {INFYPOWER_S1_FAN, MODULE_ALARM_FAN},
        {INFYPOWER_S1_COMM, MODULE_ALARM_COMM},
    };
    static const struct row row2[] = {
        {INFYPOWER_S2_LIMITED | INFYPOWER_S2_IMBALANCE | INFYPOWER_S2_UNBALANCED,
         MODULE_ALARM_DERATED},
        {INFYPOWER_S2_ID_TWICE, MODULE_ALARM_FAULT}, /* two answer to one address: rule M7 */
        {INFYPOWER_S2_PHASE_LOSS | INFYPOWER_S2_AC_UNDER | INFYPOWER_S2_AC_OVER,
         MODULE_ALARM_INPUT},
    };
    return normalise_byte(status->state0, row0, sizeof(row0) / sizeof(row0[0])) |
           normalise_byte(status->state1, row1, sizeof(row1) / sizeof(row1[0])) |
           normalise_byte(status->state2, row2, sizeof(row2) / sizeof(row2[0]));
}

static void rx_output(const uint8_t data[8], struct image_module *image, int64_t now_us) {
    struct infypower_output output;
    bool voltage_ok, current_ok;
    infypower_decode_output(data, &output, &voltage_ok, &current_ok);
    module_sample(&image->voltage_mv, voltage_ok, output.voltage_mv, now_us);
    module_sample(&image->current_ma, current_ok, output.current_ma, now_us);
}

static void rx_status(const struct module_driver *m, const uint8_t data[8],
                      struct image_module *image, int64_t now_us) {
    struct infypower_status status;
    infypower_decode_status(data, &status);
    image->alarm_bits = normalise(&status);
    module_sample(&image->temperature_ddegc, true, status.temperature_ddegc, now_us);
    module_put_on(m, image, !(status.state1 & INFYPOWER_S1_DC_OFF), now_us);
}

static void rx_capabilities(struct module_driver *m, const uint8_t data[8],
                            struct image_module *image, int64_t now_us) {
    struct infypower_capabilities in;
    infypower_decode_capabilities(data, &in);
    module_sample(&image->capability_w, true, in.power_w, now_us);
    m->rated_ma = in.current_max_ma;
}

/* Available current is what derating leaves; never more than the rated current, once that is known. */
static void rx_external(const struct module_driver *m, const uint8_t data[8],
                        struct image_module *image, int64_t now_us) {
    struct infypower_external in;
    infypower_decode_external(data, &in);
    int32_t ma = in.available_ma;
    if (m->rated_ma != 0 && ma > m->rated_ma) {
        ma = m->rated_ma;
    }
    module_sample(&image->external_mv, in.voltage_mv <= MODULE_VOLTAGE_MAX_MV, in.voltage_mv,
                  now_us);
    module_sample(&image->capability_ma, true, ma, now_us);
}

static bool rx(struct module_driver *m, const struct can_frame *frame, struct image_module *image,
               int64_t now_us) {
    struct infypower_id id;
    if (!infypower_decode_id(frame->can_id & CAN_EFF_MASK, &id)) {
        return false;
    }
    if (id.error != INFYPOWER_ERROR_NONE) {
        m->refusals++;
        return true;
    }
    switch (id.command) {
    case INFYPOWER_OUTPUT: rx_output(frame->data, image, now_us); break;
    case INFYPOWER_STATUS: rx_status(m, frame->data, image, now_us); break;
    case INFYPOWER_CAPABILITIES: rx_capabilities(m, frame->data, image, now_us); break;
    case INFYPOWER_EXTERNAL: rx_external(m, frame->data, image, now_us); break;
    default: break; /* the echo of a set command */
    }
    return true;
}

static int source(const struct can_frame *frame) {
    struct infypower_id id;
    if (!infypower_decode_id(frame->can_id & CAN_EFF_MASK, &id) ||
        id.device != INFYPOWER_DEVICE_SINGLE || id.destination != INFYPOWER_CONTROLLER ||
        id.source == INFYPOWER_CONTROLLER) {
        return -1;
    }
    return id.source;
}

const struct module_codec module_codec_infypower = {
    .output_steps = 1,
    .slow_steps = 2,
    .send_setpoint = send_setpoint,
    .send_mode = send_mode,
    .poll_output = poll_output,
    .poll_status = poll_status,
    .poll_slow = poll_slow,
    .rx = rx,
    .source = source,
};
