/* Session records: what is billed is state, kept in shared memory until nrt has acknowledged it.
 *
 * Per slot: the running session and up to SESSIONS_FINISHED_MAX finished ones. rt alone writes; nrt acknowledges by
 * COMMAND_ACK_SESSION. With all finished places taken the gun starts no new session and says why.
 * The region outlives ringmain-rt: a new rt adopts it (checksum per slot) and turns what ran into a finished
 * record with STOP_REASON_RESTART.
 */
#ifndef RINGMAIN_SHM_SESSION_H
#define RINGMAIN_SHM_SESSION_H

#include "shm/vocabulary.h"

#define SESSIONS_FINISHED_MAX 16

struct session_record {
    uint64_t session_id; /* never 0 for a record in use; unique over restarts */
    uint64_t boot_id;    /* of the rt that started it */
    int64_t start_mono_ns;
    int64_t stop_mono_ns; /* 0 while running */
    int64_t energy_mwh;   /* delivered, monotonic */
    int64_t
        meter_start_wh; /* register of the meter named by meter_source, scaled and offset as configured */
    int64_t meter_stop_wh; /* latest while running */
    int64_t charging_ms;   /* time with current */
    uint32_t peak_w;
    uint16_t slot;
    uint8_t auth_source;   /* enum auth_source */
    uint8_t stop_reason;   /* enum stop_reason */
    uint16_t fault;        /* enum fault_code, FAULT_NONE in a clean stop */
    uint8_t soc_start_pct; /* 255 unknown */
    uint8_t soc_stop_pct;
    uint8_t meter_source; /* 0 plc, 1 shunt; bit 7: fallback was used for part of the session */
    uint8_t energised;    /* 1: current flowed */
    uint8_t pad[2];
    char id_token[RM_ID_TOKEN_LEN];
    char evccid[24];
};
static_assert(sizeof(struct session_record) == 144, "layout of the sessions region");

struct session_slot {
    struct session_record running; /* session_id 0: none */
    uint32_t finished_count;
    uint32_t pad;
    struct session_record finished[SESSIONS_FINISHED_MAX]; /* oldest first, [0, finished_count) */
};

#endif
