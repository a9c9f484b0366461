/* What a vehicle will ask for, from the curve it has followed so far: the taper goes on as it went.
 *
 * Every ten seconds the power it asks for is remembered; the slope is the median of the last steps, so that one sudden
 * change (a profile, a pause) is no slope. Only a fall is carried on; a rise is believed when it is there.
 */
#ifndef RINGMAIN_RT_PLANNER_FORECAST_H
#define RINGMAIN_RT_PLANNER_FORECAST_H

#include "shm/base.h"

#define FORECAST_SAMPLES   8
#define FORECAST_PERIOD_US 10000000

struct forecast {
    int64_t sampled_us;
    uint8_t count;                      /* samples so far, up to FORECAST_SAMPLES */
    int32_t sample_w[FORECAST_SAMPLES]; /* oldest first */
};

/* asks: the vehicle charges; otherwise what is known is forgotten. */
void forecast_step(struct forecast *f, bool asks, int32_t ask_w, int64_t now_us);
/* Fall per second, at least 0. */
int32_t forecast_fall_w_s(const struct forecast *f);
/* Power asked for after that time. */
int32_t forecast_w(const struct forecast *f, int32_t ask_w, int64_t ahead_us);

#endif
