/* What the files of the module driver share: a protocol is a row of functions. */
#ifndef RINGMAIN_RT_CAN_MODULE_PRIVATE_H
#define RINGMAIN_RT_CAN_MODULE_PRIVATE_H

#include "rt/can/module_state.h"

#define MODULE_VOLTAGE_MAX_MV 1500000
#define MODULE_CURRENT_MAX_MA 1000000

/* What the module is to do. */
struct module_target {
    bool on;
    int32_t mv, ma;
};

struct module_codec {
    uint8_t output_steps, slow_steps; /* frames of one round of polls */
    /* Both setpoints, or only those that differ from what stands. false: batch full. */
    bool (*send_setpoint)(const struct module_driver *m, const struct module_target *target,
                          bool all, struct frame_batch *tx);
    bool (*send_mode)(const struct module_driver *m, bool on, struct frame_batch *tx);
    bool (*poll_output)(const struct module_driver *m, uint8_t step, struct frame_batch *tx);
    bool (*poll_status)(const struct module_driver *m, struct frame_batch *tx);
    bool (*poll_slow)(const struct module_driver *m, uint8_t step, struct frame_batch *tx);
    /* A frame already known to come from this module. false: not a reply. */
    bool (*rx)(struct module_driver *m, const struct can_frame *frame, struct image_module *image,
               int64_t now_us);
    int (*source)(const struct can_frame *frame);
};

extern const struct module_codec module_codec_maxwell, module_codec_infypower;

bool module_push(const struct module_driver *m, uint32_t can_id, const uint8_t data[8],
                 struct frame_batch *tx);

/* What the module says of its own state: converting or not. */
void module_put_on(const struct module_driver *m, struct image_module *image, bool on,
                   int64_t now_us);

static inline void module_sample(struct sample *s, bool valid, int32_t value, int64_t now_us) {
    s->value = value;
    s->valid = valid;
    s->at_us = now_us;
}

#endif
