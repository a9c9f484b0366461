/* A car at a gun, for the idealised topologies and the fast model: the virtual hub's battery without its dialogue. */
#ifndef RINGMAIN_BENCHMARKS_SERVICE_CAR_H
#define RINGMAIN_BENCHMARKS_SERVICE_CAR_H

#include "benchmarks/service/day.h"
#include "tests/plant/plant.h"

#define GUN_MAX_W    350000.0
#define GUN_MAX_A    500.0
#define MODULE_MAX_W 30000.0
#define MODULE_MAX_A 100.0

struct car {
    uint32_t model;
    double soc_pct, target_pct;
    struct plant_battery battery; /* at soc_pct */
};

void car_plug(struct car *car, const struct visit *visit);
double car_volts(const struct car *car, double w); /* at the inlet while it takes w */
double car_amperes(const struct car *car, double w);
double car_wish_w(const struct car *car); /* what it would take with unlimited power */
double car_seconds(const struct car *car,
                   double w); /* to its target at that power; INFINITY at 0 */
void car_charge(struct car *car, double w, double dt_s);
double car_energy_wh(const struct car *car, const struct visit *visit); /* since it came */
bool car_is_done(const struct car *car);

#endif
