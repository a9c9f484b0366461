/* The tables that embed_data.py makes of tests/plant/data. */
#ifndef RINGMAIN_TESTS_PLANT_FLEET_DATA_H
#define RINGMAIN_TESTS_PLANT_FLEET_DATA_H

#include <stdint.h>

struct fleet_point {
    float soc_pct, power_kw;
};
struct fleet_model {
    const char *brand, *model, *variant;
    int year;
    float usable_kwh, max_kw, nominal_v;
    uint32_t first_point, points;
};
struct fleet_session {
    float soc_in_pct, soc_out_pct, stay_min;
};

extern const struct fleet_point fleet_points[];
extern const struct fleet_model fleet_models[];
extern const uint32_t fleet_model_count;
extern const struct fleet_session fleet_sessions[];
extern const uint32_t fleet_session_count;
extern const uint16_t fleet_arrivals_by_hour[24];

#endif
