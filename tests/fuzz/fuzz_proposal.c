/* Any proposals in any order beside the honest ones: the guard stands between the planner and the hardware.
 * SLOTS guns charge. Input: per planner cycle a byte of kind, what that kind needs, and a byte of time to the next one. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/fuzz/warm_hub.h"

#define CYCLES_MAX (SLOTS > 48 ? 4 : 12)
#define STEPS_MAX  12 /* of 5 ms between two proposals */

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static uint64_t seed;

static uint32_t dice(uint32_t sides) {
    seed ^= seed << 13;
    seed ^= seed >> 7;
    seed ^= seed << 17;
    return (uint32_t)((seed >> 20) % sides);
}

static int32_t any_value(void) {
    static const int32_t special[] = {0,      1,       -1,        1000,      60000,     125000,
                                      400000, 1000000, 1000001,   1500000,   1500001,   INT32_MAX,
                                      -60000, 920000,  INT32_MIN, 100000000, 2000000000};
    return dice(3) == 0 ? (int32_t)dice(1000000) : special[dice(sizeof special / sizeof *special)];
}

/* One field of one slot. */
static void bend(struct proposal_slot *p, unsigned field, int32_t value) {
    struct proposal_module *m = &p->module[(field >> 4) % RM_MODULES_PER_SLOT_MAX];
    switch (field % 11) {
    case 0: p->edge_closed = value & 1; break;
    case 1: p->reclaim = value & 1; break;
    case 2: p->owner = (int16_t)value; break;
    case 3: p->budget_w = value; break;
    case 4: p->reason = (enum limit_reason)((uint32_t)value % (LIMIT_REASON_COUNT + 1)); break;
    case 5: p->offered_w = value; break;
    case 6: m->mn = value & 1; break;
    case 7: m->run = value & 1; break;
    case 8: m->set_mv = value; break;
    case 9: m->set_ma = value; break;
    default: p->module[1 - (field >> 4 & 1)] = *m; break;
    }
}

/* A whole proposal out of a seed: sound is one that passes the first look, so that it reaches the interlocks. */
static void invent(struct proposal *p, uint32_t from, bool sound) {
    seed = from * UINT64_C(0x9e3779b97f4a7c15) | 1;
    for (uint32_t i = 0; i < SLOTS; i++) {
        for (unsigned n = dice(12); n > 0; n--) {
            const int32_t value = any_value();
            bend(&p->slot[i], dice(256), sound ? (int32_t)((uint32_t)value % 1000001) : value);
        }
        p->slot[i].owner = sound ? (int16_t)(dice(SLOTS + 1) - 1) : p->slot[i].owner;
        p->slot[i].reason = sound ? (enum limit_reason)dice(LIMIT_REASON_COUNT) : p->slot[i].reason;
    }
}

static void propose(struct virtual_hub *h, struct bytes *in) {
    static struct proposal last, proposal;
    const uint8_t kind = bytes_u8(in);
    control_plan_input(h->control, h->now_us, &h->plan_input);
    planner_step(&h->planner, &h->plan_input, &h->proposal);
    proposal = h->proposal;
    switch (kind % 6) {
    case 0: break;
    case 1:
        for (unsigned n = kind / 6 % 8 + 1; n > 0; n--) {
            const unsigned slot = bytes_u8(in) % SLOTS, field = bytes_u8(in);
            bend(&proposal.slot[slot], field, (int32_t)bytes_u32(in));
        }
        break;
    case 2: invent(&proposal, bytes_u32(in), true); break;
    case 3: invent(&proposal, bytes_u32(in), false); break;
    case 4:
        proposal.seq += bytes_u64(in);
        proposal.input_us += (int64_t)(bytes_u64(in) >> (kind / 6));
        proposal.slots += kind / 6 % 3;
        break;
    default: proposal = last; break; /* said again, or nothing was ever said */
    }
    last = proposal;
    control_proposal(h->control, &proposal, h->now_us);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct bytes in = {data, data + size};
    struct virtual_hub *h = warm_hub(SLOTS);
    h->planner_stopped = true;
    for (int cycle = 0; cycle < CYCLES_MAX && in.at < in.end; cycle++) {
        propose(h, &in);
        warm_hub_run(h, 5 * (1 + bytes_u8(&in) % STEPS_MAX));
    }
    return 0;
}
