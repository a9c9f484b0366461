/* State of one module driver, laid open only so that its owner can embed it; module.h is the contract. */
#ifndef RINGMAIN_RT_CAN_MODULE_STATE_H
#define RINGMAIN_RT_CAN_MODULE_STATE_H

#include "rt/can/module.h"

struct module_driver {
    int64_t due_us; /* the earliest of the times below */
    int64_t setpoint_us, refresh_us, output_us, status_us, slow_us;
    int32_t sent_mv, sent_ma;
    bool sent_on;
    bool mode_sent;      /* sent_on stands: a mode has gone out since start */
    bool setpoint_valid; /* sent_mv and sent_ma stand in the module; false after every off */
    bool resend;         /* heard again after a loss: mode and setpoint first */
    bool recovering;     /* until then its readings are not taken */
    bool own_relay;      /* MN is the module's output relay */
    uint8_t interface, address;
    enum module_protocol protocol;
    uint32_t rank, of; /* its place among the modules of its interface: spreads the polls */
    int64_t last_rx_us;
    int64_t expect_until_us; /* the mode has changed: status is asked for more often */
    uint8_t output_step, slow_step;
    uint32_t refusals; /* replies that say no */
    /* maxwell reports capability in parts */
    int32_t rated_w, rated_ma, limit_permille;
    uint8_t rated_seen; /* bit 0 W, 1 mA, 2 limit */
};

#endif
