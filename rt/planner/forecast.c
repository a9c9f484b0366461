#include "rt/planner/forecast.h"

#include <string.h>

#define STEPS (FORECAST_SAMPLES - 1)

void forecast_step(struct forecast *f, bool asks, int32_t ask_w, int64_t now_us) {
    if (!asks) {
        f->count = 0;
        return;
    }
    if (f->count > 0 && now_us - f->sampled_us < FORECAST_PERIOD_US) {
        return;
    }
    if (f->count == FORECAST_SAMPLES) {
        memmove(&f->sample_w[0], &f->sample_w[1], STEPS * sizeof f->sample_w[0]);
        f->count = STEPS;
    }
    f->sample_w[f->count++] = ask_w > 0 ? ask_w : 0;
    f->sampled_us = now_us;
}

int32_t forecast_fall_w_s(const struct forecast *f) {
    int32_t fall_w[STEPS];
    if (f->count < FORECAST_SAMPLES) {
        return 0;
    }
    for (uint32_t k = 0; k < STEPS; k++) {
        const int32_t w = f->sample_w[k] - f->sample_w[k + 1];
        uint32_t place = k;
        while (place > 0 && w < fall_w[place - 1]) {
            fall_w[place] = fall_w[place - 1];
            place--;
        }
        fall_w[place] = w;
    }
    const int32_t median_w = fall_w[STEPS / 2];
    return median_w > 0 ? median_w / (int32_t)(FORECAST_PERIOD_US / 1000000) : 0;
}

int32_t forecast_w(const struct forecast *f, int32_t ask_w, int64_t ahead_us) {
    const int64_t fall_w = (int64_t)forecast_fall_w_s(f) * (ahead_us / 1000000);
    const int64_t w = ask_w - fall_w;
    return (int32_t)(w > 0 ? w : 0);
}
