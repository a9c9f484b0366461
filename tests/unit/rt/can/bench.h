/* A bench for the drivers: one configuration made by hand, one PLC driver with its image, virtual time. */
#ifndef RINGMAIN_TESTS_RT_CAN_BENCH_H
#define RINGMAIN_TESTS_RT_CAN_BENCH_H

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include "hub_codec.h"
#include "rt/can/module_state.h"
#include "rt/can/plc_state.h"

#define MS        INT64_C(1000)
#define SECOND    INT64_C(1000000)
#define BENCH_PLC 5 /* plcId of slot 0 on interface 0 */

struct bench {
    struct config config; /* two slots, two modules each; interface 0 PLC, 1 modules */
    struct plc plc;
    struct image_slot image;
    struct plc_command cmd;
    struct frame_batch tx; /* frames of the last bench_* call */
    int64_t now_us;
    bool alive; /* bench_run() also lets the PLC send its status, acknowledging what it was told */
    uint8_t fault_reason;
    uint8_t applied; /* last sequence the PLC applied */
    int64_t next_status_us;
};

/* gcmc mode, CRC on, connector 1 with the meter of the PLC; time starts at 10 s. Static storage, one at a time. */
struct bench *bench_new(void);
/* Starts the driver again after a change of the configuration. */
void bench_restart(struct bench *b);

/* A frame with these bytes from the PLC, at now. Byte 7 is taken as it is. */
void bench_frame(struct bench *b, uint32_t base_id, const uint8_t data[8]);
/* The same with byte 7 set to the CRC by an implementation of its own. */
void bench_sealed(struct bench *b, uint32_t base_id, const uint8_t data[8]);
#define BENCH_BYTES(...) ((const uint8_t[8]){__VA_ARGS__})

/* Moves time in steps of 5 ms, as the guard does: tick, contactor frames, rest. tx collects all frames. */
void bench_run(struct bench *b, int64_t span_us);
/* Lets the PLC be heard, pass the CRC check and acknowledge: 1 s with alive set. */
void bench_settle(struct bench *b);

/* How many frames of this base id are in tx; the last one's data in *data when not NULL. */
unsigned bench_sent(const struct bench *b, uint32_t base_id, uint8_t data[8]);

/* CRC bit by bit, independent of the codec's table. */
uint8_t bench_crc(const uint8_t *data, size_t length);

#endif
