#!/usr/bin/env python3
"""Turn the data of the virtual hub into C tables (standard library only).

    embed_data.py DATA_FOLDER OUTPUT.c

A model enters the fleet when voltage_classes.csv names its battery voltage (longest matching prefix of the model's name)
and its curve is its own: entries whose maximum power is just their capacity (a 1C default of the source) are left out.
Rows that match nothing are errors, so that the table stays honest.
"""
import csv
import pathlib
import re
import sys


def text(value):
    return '"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"'


def voltage_of(rows, brand, model):
    best = None
    for row in rows:
        if row["brand"] == brand and model.startswith(row["model_prefix"]):
            if best is None or len(row["model_prefix"]) > len(best["model_prefix"]):
                best = row
    return best


def read_models(folder):
    with open(folder / "voltage_classes.csv", encoding="utf-8", newline="") as f:
        voltages = list(csv.DictReader(f))
    models = {}
    with open(folder / "dc_charge_curves_open-ev-data.csv", encoding="utf-8", newline="") as f:
        for row in csv.DictReader(f):
            if abs(float(row["dc_max_kw"]) - float(row["usable_kwh"])) < 1.5:
                continue
            voltage = voltage_of(voltages, row["brand"], row["model"])
            if voltage is None:
                continue
            voltage["used"] = True
            model = models.setdefault(row["id"], {"row": row, "voltage": voltage, "points": []})
            model["points"].append((float(row["soc_pct"]), float(row["power_kw"])))
    unused = [f"{v['brand']} {v['model_prefix']}" for v in voltages if "used" not in v]
    if unused:
        raise ValueError("voltage_classes.csv: no model in the charge curves for " + ", ".join(unused))
    for model in models.values():
        model["points"].sort()
    return [m for m in models.values() if len(m["points"]) >= 2]


def read_sessions(folder):
    sessions, hours = [], [0] * 24
    with open(folder / "epfl_ccs_sessions_2022-2023.csv", encoding="utf-8", newline="") as f:
        for row in csv.DictReader(f):
            hours[int(row["Arrival"][11:13])] += 1
            soc_in, soc_out, stay = float(row["SOC arrival"]), float(row["SOC departure"]), float(row["Stay (min)"])
            if 1 <= soc_in < soc_out <= 100 and stay > 0:
                sessions.append((soc_in, soc_out, stay))
    return sessions, hours


def main(argv):
    if len(argv) != 3:
        print(__doc__, file=sys.stderr)
        return 2
    folder = pathlib.Path(argv[1])
    models, (sessions, hours) = read_models(folder), read_sessions(folder)
    out = ["/* Generated from tests/plant/data by embed_data.py: do not edit.",
           " * Charge curves: Open EV Data (https://github.com/KilowattApp/open-ev-data), MIT with attribution.",
           " * Sessions: DESL-EPFL Level-3-EV-charging-dataset, MIT. */",
           '#include "tests/plant/fleet_data.h"', "", "const struct fleet_point fleet_points[] = {"]
    first = []
    count = 0
    for m in models:
        first.append(count)
        for soc, kw in m["points"]:
            out.append(f"    {{{soc:g}f, {kw:g}f}},")
            count += 1
    out += ["};", "", "const struct fleet_model fleet_models[] = {"]
    for m, at in zip(models, first):
        r, v = m["row"], m["voltage"]
        out.append(f"    {{{text(r['brand'])}, {text(r['model'])}, {text(r['variant'])}, {int(r['year'] or 0)}, {float(r['usable_kwh']):g}f, "
                   f"{float(r['dc_max_kw']):g}f, {float(v['nominal_v']):g}f, {at}, {len(m['points'])}}},")
    out += ["};", f"const uint32_t fleet_model_count = {len(models)};", "", "const struct fleet_session fleet_sessions[] = {"]
    out += [f"    {{{a:.1f}f, {b:.1f}f, {c:g}f}}," for a, b, c in sessions]
    out += ["};", f"const uint32_t fleet_session_count = {len(sessions)};", "",
            "const uint16_t fleet_arrivals_by_hour[24] = {" + ", ".join(map(str, hours)) + "};"]
    text_out = "\n".join(out) + "\n"

    text_out = re.sub(r"(?<![\w.])(\d+)f\b", r"\1.0f", text_out)
    pathlib.Path(argv[2]).write_text(text_out, encoding="utf-8")
    return 0


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv))
    except (ValueError, KeyError, OSError) as error:
        print(f"embed_data.py: {error}", file=sys.stderr)
        sys.exit(1)
