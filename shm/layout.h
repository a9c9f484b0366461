/* The layout of the one shared segment: what lies where, and who writes it. Types only; the functions are in shm/shm.h.
 *
 * Offsets, never pointers. Everything that ringmain-nrt writes lies in one area of whole pages, all else is written by
 * ringmain-rt alone: nrt maps that area read-write and the rest read-only. layout.c pins every offset; whoever
 * changes one raises SHM_LAYOUT_VERSION and the pins. The layout hash, computed by the compiler from sizes, offsets and the
 * ends of the enumerations, catches who forgot.
 */
#ifndef RINGMAIN_SHM_LAYOUT_H
#define RINGMAIN_SHM_LAYOUT_H

#include <stdatomic.h>

#include "shm/command.h"
#include "shm/diag.h"
#include "shm/event.h"
#include "shm/overwrite_ring.h"
#include "shm/retained.h"
#include "shm/ring.h"
#include "shm/session.h"
#include "shm/snapshot.h"
#include "shm/status.h"
#include "shm/telemetry.h"

#define SHM_MAGIC          UINT64_C(0x31304e49414d4752) /* "RGMAIN01" */
#define SHM_LAYOUT_VERSION 3u
#define SHM_PAGE           4096

#define SHM_EVENTS    8192u /* records */
#define SHM_COMMANDS  256u
#define SHM_RESULTS   256u
#define SHM_TELEMETRY 1024u /* 51 s of planner cycles */
#define SHM_BOOTS     16u   /* remembered starts of ringmain-rt */

/* Faults that survive a restart of ringmain-rt (rule S15), in two copies with checksums (retained.h). */
struct shm_latches {
    uint64_t boot_id;    /* of the writer */
    uint64_t boot_count; /* starts of ringmain-rt on this segment, from 1 */
    uint32_t estop_latched;
    uint32_t known; /* 0: the writer itself still waited for the store: not to be relied on */
    uint64_t latched[RM_SLOTS_MAX]; /* bit n: fault code n */
};

enum shm_region_kind {
    SHM_REGION_NRT = 0, /* all that ringmain-nrt writes */
    SHM_REGION_LINES,
    SHM_REGION_EVENTS,
    SHM_REGION_RESULTS,
    SHM_REGION_TELEMETRY,
    SHM_REGION_STATUS,
    SHM_REGION_SESSIONS,
    SHM_REGION_LATCHES,
    SHM_REGION_DIAG,
    SHM_REGION_COUNT
};

struct shm_region {
    uint64_t offset, size;
};

enum shm_state {
    SHM_STATE_PREPARING = 0, /* a ringmain-rt is starting */
    SHM_STATE_READY,
    SHM_STATE_REPLACED, /* unlinked: attach again */
    SHM_STATE_COUNT
};

/* A start of ringmain-rt: events from first_seq on carry this boot id, up to the next start's first_seq. */
struct shm_boot {
    _Atomic uint64_t boot_id, first_seq;
};

/* NOLINTNEXTLINE(clang-analyzer-optin.performance.Padding): the padding keeps writers apart */
struct shm_header {
    /* written once by the creator; magic last */
    _Atomic uint64_t magic;
    uint32_t version;
    uint32_t header_size;
    uint64_t layout_hash;
    uint64_t segment_size;
    struct shm_region region[SHM_REGION_COUNT];
    /* written at every start of ringmain-rt */
    _Alignas(RM_CACHE_LINE) _Atomic uint32_t state; /* enum shm_state */
    uint32_t pad0;
    _Atomic uint64_t boot_id;
    _Atomic uint64_t boots; /* starts so far; start n is boot[(n - 1) % SHM_BOOTS] */
    _Atomic int64_t rt_pid;
    _Atomic int64_t started_mono_ns;
    struct shm_boot boot[SHM_BOOTS];
    /* the heartbeat, written every tick */
    _Alignas(RM_CACHE_LINE) _Atomic int64_t heartbeat_mono_ns;
    _Atomic uint64_t heartbeats;
};

/* Written by ringmain-nrt alone. */
struct shm_nrt {
    _Atomic int64_t heartbeat_mono_ns; /* 0: never, or ended cleanly */
    _Atomic uint64_t heartbeats;
    _Atomic int64_t nrt_pid;
    uint64_t pad[13];
    struct ring_line events_consumer, results_consumer, commands_producer;
    struct command command[SHM_COMMANDS];
};

/* Written by ringmain-rt alone. */
struct shm_lines {
    struct ring_line events_producer, results_producer, commands_consumer;
    struct overwrite_line telemetry;
};

/* Snapshots and retained values are heads with their payload behind them; here they are bytes. */
/* NOLINTNEXTLINE(clang-analyzer-optin.performance.Padding): the padding keeps writers apart */
struct shm_segment {
    struct shm_header header;
    _Alignas(SHM_PAGE) struct shm_nrt nrt;
    _Alignas(SHM_PAGE) struct shm_lines lines;
    _Alignas(SHM_PAGE) struct event event[SHM_EVENTS];
    struct command_result result[SHM_RESULTS];
    struct telemetry telemetry[SHM_TELEMETRY];
    _Alignas(SHM_PAGE) unsigned char status[SNAPSHOT_SIZE(sizeof(struct status))];
    _Alignas(
        SHM_PAGE) unsigned char sessions[RM_SLOTS_MAX][RETAINED_SIZE(sizeof(struct session_slot))];
    _Alignas(SHM_PAGE) unsigned char latches[RETAINED_SIZE(sizeof(struct shm_latches))];
    _Alignas(SHM_PAGE) struct diag diag;
};

extern const uint64_t shm_layout_hash;
/* Where a region lies: kind below SHM_REGION_COUNT (asserted). */
struct shm_region shm_layout_region(enum shm_region_kind kind);
const char *shm_layout_region_name(unsigned kind); /* "?" when out of range */

#endif
