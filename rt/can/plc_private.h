/* What the files of the PLC driver share among themselves. */
#ifndef RINGMAIN_RT_CAN_PLC_PRIVATE_H
#define RINGMAIN_RT_CAN_PLC_PRIVATE_H

#include "hub_codec.h"
#include "rt/can/plc_state.h"

#define PLC_STATUS_STALE_US 300000 /* contract section 4: the mode's contactor status */
#define PLC_SILENT_US       1000000

/* How often a frame of the hub's own goes out: plc.timing of the configuration, at most the contract's period. */
static inline int64_t plc_period_us(const struct config *config, enum plc_message message) {
    return (int64_t)config->plc_timing[message].period_ms * 1000;
}

/* The connector of the slot, NULL without a gun. */
static inline const struct config_connector *plc_connector(const struct plc *p,
                                                           const struct config *config) {
    int16_t gun = config->slot[p->slot].gun;
    return gun >= 0 ? &config->connector[gun] : NULL;
}

static inline void plc_sample(struct sample *s, int32_t value, int64_t now_us) {
    s->value = value;
    s->valid = true;
    s->at_us = now_us;
}

/* The next point after now of a period's grid; the grid of each plcId is shifted so that slots do not send together. */
int64_t plc_grid_next(const struct plc *p, int64_t now_us, int64_t period_us);

/* plc_link.c: true when the frame may be used. Counts, raises and clears the link's faults. */
bool plc_link_accept(struct plc *p, const struct config *config, const struct hub_message *message,
                     const struct can_frame *frame, struct image_slot *image, int64_t now_us);
void plc_link_tick(struct plc *p, struct image_slot *image, int64_t now_us);
void plc_link_restart(struct plc *p);

/* plc_safety.c */
void plc_safety_switches(struct plc *p, const struct config *config,
                         const struct hub_safety_switch_status *in, struct image_slot *image,
                         int64_t now_us);
void plc_safety_relay(struct plc *p, const struct config *config, const struct hub_relay_status *in,
                      struct image_slot *image, int64_t now_us);
/* SAFETY_ACTIVE and FAULT_REASON of the mode's contactor status. */
void plc_safety_status(struct plc *p, const struct config *config, bool safety_active,
                       uint8_t fault_reason, struct image_slot *image, int64_t now_us);
void plc_safety_tick(struct plc *p, const struct config *config, struct image_slot *image,
                     int64_t now_us);

/* plc_contactor.c */
void plc_contactor_applied(struct plc *p, uint8_t seq, int64_t now_us);
void plc_contactor_tick(struct plc *p, const struct config *config, struct image_slot *image,
                        int64_t now_us);
void plc_contactor_restart(struct plc *p, int64_t now_us);

/* plc_param.c */
void plc_param_ack(struct plc *p, const struct hub_config_ack *in, struct image_slot *image);
void plc_param_tx(struct plc *p, const struct config *config, const struct plc_command *cmd,
                  struct frame_batch *tx, int64_t now_us);
void plc_param_restart(struct plc *p);

/* plc_meter.c */
void plc_meter_init(struct plc *p, const struct config *config);
void plc_meter_rx(struct plc *p, const struct config *config,
                  const struct hub_energy_meter_data *in, struct image_slot *image, int64_t now_us);
void plc_meter_tick(struct plc *p, const struct config *config, struct image_slot *image,
                    int64_t now_us);

/* plc_identity.c */
void plc_identity_rfid(struct plc *p, const struct hub_rfid_event *in, struct image_slot *image,
                       int64_t now_us);
void plc_identity_segment(struct plc *p, enum plc_assembly_kind kind, const uint8_t data[8],
                          struct image_slot *image, int64_t now_us);
void plc_identity_tick(struct plc *p, struct image_slot *image, int64_t now_us);
/* The vehicle has gone: what it said about itself is forgotten. */
void plc_identity_forget(struct plc *p, struct image_slot *image);
void plc_identity_restart(struct plc *p);

/* plc_rx.c: one accepted frame into the image. */
void plc_decode(struct plc *p, const struct config *config, int message,
                const struct can_frame *frame, struct image_slot *image, int64_t now_us);

/* plc_sense.c: substitutes where the PLC has no SlotSense. */
void plc_sense_tick(const struct plc *p, const struct config *config, struct image_slot *image,
                    int64_t now_us);

/* plc.c: the PLC has started anew: everything is sent again. */
void plc_restarted(struct plc *p, int64_t now_us);

/* plc_tx.c: complete the frame (id, byte 7 by CRC mode) and queue it. */
bool plc_push(const struct plc *p, uint32_t base_id, uint8_t data[8], bool use_crc,
              struct frame_batch *tx);

#endif
