#include "benchmarks/service/car.h"

#include <math.h>

void car_plug(struct car *car, const struct visit *visit) {
    car->model = visit->model;
    car->soc_pct = visit->soc_in_pct;
    car->target_pct = visit->soc_out_pct;
    car->battery = plant_model_battery(car->model, car->soc_pct);
}

double car_volts(const struct car *car, double w) {
    const double ocv = car->battery.ocv_v;
    return (ocv + sqrt(ocv * ocv + 4 * car->battery.resistance_ohm * w)) / 2;
}

double car_amperes(const struct car *car, double w) {
    return w / car_volts(car, w);
}

double car_wish_w(const struct car *car) {
    const struct plant_battery *b = &car->battery;
    const double max_a = b->max_a < GUN_MAX_A ? b->max_a : GUN_MAX_A;
    const double by_current_w = max_a * (b->ocv_v + max_a * b->resistance_ohm);
    const double w = b->wish_w < GUN_MAX_W ? b->wish_w : GUN_MAX_W;
    return w < by_current_w ? w : by_current_w;
}

double car_seconds(const struct car *car, double w) {
    const double watts = car_amperes(car, w) * car->battery.ocv_v;
    const double wh = (car->target_pct - car->soc_pct) / 100 * car->battery.capacity_wh;
    return wh <= 0 ? 0 : watts > 0 ? wh * 3600 / watts : (double)INFINITY;
}

void car_charge(struct car *car, double w, double dt_s) {
    const double wh = car_amperes(car, w) * car->battery.ocv_v * dt_s / 3600;
    car->soc_pct += 100 * wh / car->battery.capacity_wh;
    if (car->soc_pct > car->target_pct - 1e-6) {
        car->soc_pct = car->target_pct;
    }
    car->battery = plant_model_battery(car->model, car->soc_pct);
}

bool car_is_done(const struct car *car) {
    const bool tapered =
        car->soc_pct > 97 && car_amperes(car, car->battery.wish_w) < 0.03 * car->battery.max_a;
    return car->soc_pct >= car->target_pct || tapered;
}

double car_energy_wh(const struct car *car, const struct visit *visit) {
    return (car->soc_pct - visit->soc_in_pct) / 100 * car->battery.capacity_wh;
}
