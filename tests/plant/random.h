/* A small deterministic generator (xoshiro256**, Blackman and Vigna, public domain algorithm), seeded by splitmix64. */
#ifndef RINGMAIN_TESTS_PLANT_RANDOM_H
#define RINGMAIN_TESTS_PLANT_RANDOM_H

#include <math.h>
#include <stdint.h>

struct random {
    uint64_t s[4];
};

static inline uint64_t random_splitmix(uint64_t *x) {
    uint64_t z = (*x += UINT64_C(0x9e3779b97f4a7c15));
    z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
    return z ^ (z >> 31);
}

static inline void random_seed(struct random *r, uint64_t seed) {
    for (int i = 0; i < 4; i++) {
        r->s[i] = random_splitmix(&seed);
    }
}

static inline uint64_t random_u64(struct random *r) {
    const uint64_t x = r->s[1] * 5, result = ((x << 7) | (x >> 57)) * 9, t = r->s[1] << 17;
    r->s[2] ^= r->s[0];
    r->s[3] ^= r->s[1];
    r->s[1] ^= r->s[2];
    r->s[0] ^= r->s[3];
    r->s[2] ^= t;
    r->s[3] = (r->s[3] << 45) | (r->s[3] >> 19);
    return result;
}

/* [0, 1) */
static inline double random_unit(struct random *r) {
    return (double)(random_u64(r) >> 11) * 0x1p-53;
}

static inline double random_range(struct random *r, double low, double high) {
    return low + (high - low) * random_unit(r);
}

/* [0, n) */
static inline uint32_t random_below(struct random *r, uint32_t n) {
    return (uint32_t)(((random_u64(r) >> 32) * n) >> 32);
}

/* Exponential with that mean. */
static inline double random_exponential(struct random *r, double mean) {
    return -mean * log(1.0 - random_unit(r));
}

#endif
