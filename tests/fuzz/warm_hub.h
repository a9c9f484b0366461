/* A virtual hub with cars charging at every gun, brought there once and put back to that moment for each input.
 *
 * A fuzz target that began with a cold hub would spend its time on handshakes. One hub per process; uses the heap once.
 */
#ifndef RINGMAIN_TESTS_FUZZ_WARM_HUB_H
#define RINGMAIN_TESTS_FUZZ_WARM_HUB_H

#include "tests/integration/virtual_hub.h"

/* The hub of that many guns, two modules each, at the moment when all of them charge. From the first call on the same
 * hub; slots must then be the same. Aborts when the hub does not come up. */
struct virtual_hub *warm_hub(uint32_t slots);

/* Runs the hub and checks after every step of 5 ms what must hold whatever was commanded or proposed: no hazard in the
 * judge's eyes, nothing lost, and every command within the limits of module, vehicle, connector and site. Aborts with
 * a line on stderr. */
void warm_hub_run(struct virtual_hub *h, uint32_t ms);

/* Input bytes, zero when there are no more. */
struct bytes {
    const uint8_t *at, *end;
};
static inline uint8_t bytes_u8(struct bytes *b) {
    return b->at < b->end ? *b->at++ : 0;
}
static inline uint16_t bytes_u16(struct bytes *b) {
    const unsigned low = bytes_u8(b);
    return (uint16_t)(low | (unsigned)bytes_u8(b) << 8);
}
static inline uint32_t bytes_u32(struct bytes *b) {
    const uint32_t low = bytes_u16(b);
    return low | (uint32_t)bytes_u16(b) << 16;
}
static inline uint64_t bytes_u64(struct bytes *b) {
    const uint64_t low = bytes_u32(b);
    return low | (uint64_t)bytes_u32(b) << 32;
}

#define DEMAND(holds, ...)                                                                         \
    do {                                                                                           \
        if (!(holds)) {                                                                            \
            fprintf(stderr, "violated: " __VA_ARGS__);                                             \
            fprintf(stderr, "\n");                                                                 \
            abort();                                                                               \
        }                                                                                          \
    } while (0)

#endif
