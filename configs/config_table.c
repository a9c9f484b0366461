#include "configs/config_table.h"

#include "configs/config_draft.h"

#include <string.h>

/* clang-format off */
static const struct config_label transport_labels[] = {
    {"socketcan", CAN_TRANSPORT_SOCKETCAN}, {"unix", CAN_TRANSPORT_UNIX}, {"udp", CAN_TRANSPORT_UDP}, {NULL, 0}};
static const struct config_label frame_labels[] = {
    {"relay", CONTACTOR_FRAME_RELAY}, {"gcmc", CONTACTOR_FRAME_GCMC}, {NULL, 0}};
static const struct config_label protocol_labels[] = {
    {"maxwell", MODULE_PROTOCOL_MAXWELL}, {"infypower", MODULE_PROTOCOL_INFYPOWER}, {NULL, 0}};
static const struct config_label meter_labels[] = {
    {"plc", METER_SOURCE_PLC}, {"shunt", METER_SOURCE_SHUNT}, {NULL, 0}};
static const struct config_label sharing_labels[] = {
    {"leximin", SHARING_MODE_LEXIMIN}, {"firstCome", SHARING_MODE_FIRST_COME}, {"total", SHARING_MODE_TOTAL},
    {"static", SHARING_MODE_STATIC}, {NULL, 0}};
static const struct config_label auth_labels[] = {
    {"freeVend", AUTH_MODE_FREE_VEND}, {"localList", AUTH_MODE_LOCAL_LIST}, {NULL, 0}};

/* The arguments below are designators and literals: parentheses would break them. NOLINTBEGIN(bugprone-macro-parentheses) */
#define AT(type, member) .offset = (uint32_t)offsetof(type, member), .size = (uint32_t)sizeof(((type *)0)->member)
#define HUB(member)       AT(struct config_draft, config.member)
#define DRAFT(member)     AT(struct config_draft, member)
#define BUS(member)       AT(struct draft_bus, interface.member)
#define ADDRESS(member)   AT(struct draft_address, member)
#define CONNECTOR(member) AT(struct draft_connector, member)
#define SLOT(member)      AT(struct draft_slot, member)
#define MODULE(member)    AT(struct config_module, member)
#define LIST(type, list, count) \
    .offset = (uint32_t)offsetof(type, list), .size = (uint32_t)sizeof(((type *)0)->list[0]), \
    .count_offset = (uint32_t)offsetof(type, count)

/* Figures are written in the file's unit; scale_ makes them the struct's. */
#define SCALED(figure, scale_) ((int64_t)((figure) * (scale_)))
#define SECTION(path_, text_) {.path = path_, .kind = CONFIG_KIND_OBJECT, .text = text_}
#define ARRAY(path_, where, least, most, text_) \
    {.path = path_, .kind = CONFIG_KIND_ARRAY, where, .min = least, .max = most, .text = text_, \
     .presence = (least) > 0 ? CONFIG_REQUIRED : CONFIG_OPTIONAL}
#define ARRAY_DERIVED(path_, where, how, most, text_) \
    {.path = path_, .kind = CONFIG_KIND_ARRAY, where, .min = 0, .max = most, .text = text_, \
     .presence = CONFIG_DERIVED, .initial_text = how}
#define BOOL(path_, where, initial_, text_) \
    {.path = path_, .kind = CONFIG_KIND_BOOL, where, .initial = initial_, .text = text_}
#define NUMBER(path_, where, unit_, scale_, initial_, least, most, text_) \
    {.path = path_, .kind = CONFIG_KIND_NUMBER, where, .unit = unit_, .scale = scale_, .initial = SCALED(initial_, scale_), \
     .min = SCALED(least, scale_), .max = SCALED(most, scale_), .text = text_}
#define NUMBER_REQUIRED(path_, where, unit_, scale_, least, most, text_) \
    {.path = path_, .kind = CONFIG_KIND_NUMBER, where, .unit = unit_, .scale = scale_, .initial = CONFIG_UNSET, \
     .min = SCALED(least, scale_), .max = SCALED(most, scale_), .text = text_, .presence = CONFIG_REQUIRED}
#define NUMBER_DERIVED(path_, where, unit_, scale_, how, least, most, text_) \
    {.path = path_, .kind = CONFIG_KIND_NUMBER, where, .unit = unit_, .scale = scale_, .initial = CONFIG_UNSET, \
     .min = SCALED(least, scale_), .max = SCALED(most, scale_), .text = text_, .presence = CONFIG_DERIVED, .initial_text = how}
/* A string's longest length is its field's less the terminator; least 0 allows the empty string. */
#define STRING(path_, where, initial_, least, most, text_) \
    {.path = path_, .kind = CONFIG_KIND_STRING, where, .initial_text = initial_, .min = least, .max = most, .text = text_}
#define STRING_REQUIRED(path_, where, least, most, text_) \
    {.path = path_, .kind = CONFIG_KIND_STRING, where, .initial_text = "", .min = least, .max = most, .text = text_, \
     .presence = CONFIG_REQUIRED}
#define STRING_DERIVED(path_, where, how, least, most, text_) \
    {.path = path_, .kind = CONFIG_KIND_STRING, where, .initial_text = how, .min = least, .max = most, .text = text_, \
     .presence = CONFIG_DERIVED}
#define CHOICE(path_, where, labels_, initial_, text_) \
    {.path = path_, .kind = CONFIG_KIND_CHOICE, where, .labels = labels_, .initial = initial_, .text = text_}

#define INTERFACE_KEYS(prefix, kbit) \
    STRING_REQUIRED(prefix ".name", BUS(name), 1, 15, \
        "Name of the Linux CAN interface, or of the wire on a socket transport; unique in the hub."), \
    NUMBER(prefix ".bitrateKbps", BUS(bitrate_bps), "kbit/s", 1000, kbit, 10, 1000, "Bit rate of this bus."), \
    CHOICE(prefix ".transport", BUS(transport), transport_labels, CAN_TRANSPORT_SOCKETCAN, \
        "How frames travel: the kernel's CAN sockets, or the same frames over unix or UDP sockets where there is no AF_CAN."), \
    STRING(prefix ".address", BUS(address), "", 0, 95, \
        "unix: the folder of the sockets; udp: host:port of the far side; socketcan: left out."), \
    BOOL(prefix ".manage", BUS(manage), true, \
        "With socketcan: set bit rate, state and restart through libsocketcan; false where the system does it.")

#define TIMING_TEXT_PLC(name)  "Period at which the PLC sends " name "; 0: on events only."
#define TIMING_TEXT_HOST(name) "Period at which the hub sends " name "."
#define TIMING(e, name, id, period, late, sender) \
    {.path = "plc.timing." #name ".periodMs", .kind = CONFIG_KIND_NUMBER, HUB(plc_timing[PLC_MESSAGE_##e].period_ms), \
     .unit = "ms", .scale = 1, .initial = (period) < 0 ? CONFIG_UNSET : (period), \
     .min = PLC_MESSAGE_PERIOD_MIN(period), .max = PLC_MESSAGE_PERIOD_MAX(period), \
     .presence = (period) < 0 ? CONFIG_DERIVED : CONFIG_OPTIONAL, \
     .initial_text = "1000 with contactorFrame gcmc, 100 with relay", \
     .text = TIMING_TEXT_##sender(#name)}, \
    {.path = "plc.timing." #name ".deadlineMs", .kind = CONFIG_KIND_NUMBER, HUB(plc_timing[PLC_MESSAGE_##e].deadline_ms), \
     .unit = "ms", .scale = 1, .initial = late, .min = 1, .max = 60000, \
     .text = "Longest time from the request to send " #name " to its end on the wire."},
#define TIMING_SECTION(e, name, id, period, late, sender) SECTION("plc.timing." #name, "Timing of " #name " (" #id " + plcId)."),

/* NOLINTEND(bugprone-macro-parentheses) */

const struct config_key config_table[] = {
    SECTION("chargePoint", "The charge point as the central system and the operator know it."),
    STRING_REQUIRED("chargePoint.id", HUB(charge_point.id), 1, 47, "Identity of the charge point towards the central system."),
    STRING("chargePoint.vendor", HUB(charge_point.vendor), "Ringmain", 1, 20, "Vendor, as OCPP BootNotification carries it."),
    STRING("chargePoint.model", HUB(charge_point.model), "Hub", 1, 20, "Model, as OCPP BootNotification carries it."),
    STRING("chargePoint.firmwareVersion", HUB(charge_point.firmware_version), "", 0, 50,
        "Firmware version to report; empty: the version of the program."),
    STRING("chargePoint.centralSystemURI", HUB(charge_point.central_system_uri), "", 0, 255,
        "ws:// or wss:// address of the central system; empty: none."),
    BOOL("chargePoint.usePLC", HUB(charge_point.use_plc), true,
        "Must be true: every slot is switched by its PLC node; a virtual hub is chosen by transport, never by this key."),
    STRING("chargePoint.canInterface", HUB(charge_point.can_interface), "", 0, 15,
        "Name of the PLC interface of connectors and slots that name none; empty: the first of plc.interfaces."),

    SECTION("plc", "The PLC nodes and their buses."),
    BOOL("plc.useCRC8", HUB(plc.use_crc8), true,
        "Whether the PLCs carry a CRC8 in byte 7; false only for PLCs without it, the hub then shows itself degraded."),
    BOOL("plc.requireHttpsUploads", HUB(plc.require_https_uploads), true, "Uploads go to https:// addresses only."),
    CHOICE("plc.contactorFrame", HUB(plc.contactor_frame), frame_labels, CONTACTOR_FRAME_GCMC,
        "Kind of PLC: gcmc commands GC, MC, MN0 and MN1 separately, relay has three relays and no ring contactor."),
    NUMBER("plc.boundaryContactors", HUB(plc.boundary_contactors), "", 1, 1, 1, 2,
        "Contactors in series in each boundary: 1 (MC) or 2 (MC and BC)."),
    BOOL("plc.moduleContactors", HUB(plc.module_contactors), true,
        "Whether the PLC switches MN0 and MN1; false: every MN is its module's own output relay."),
    NUMBER("plc.hlcPowerReadyStage", HUB(plc.hlc_power_ready_stage), "", 1, 9, 8, 10,
        "First HLC stage at which the vehicle counts as ready for power."),
    ARRAY("plc.interfaces", LIST(struct config_draft, plc_bus, plc_buses), 1, RM_INTERFACES_MAX, "CAN interfaces of the PLC nodes."),
    INTERFACE_KEYS("plc.interfaces[]", 250),
    SECTION("plc.timing", "Periods and deadlines of the frames of a PLC bus."),
    PLC_MESSAGES(TIMING_SECTION)
    PLC_MESSAGES(TIMING)

    SECTION("modules", "The power modules and their buses."),
    CHOICE("modules.protocol", HUB(modules.protocol), protocol_labels, MODULE_PROTOCOL_INFYPOWER, "Protocol of the power modules."),
    NUMBER("modules.perSlot", DRAFT(modules_per_slot), "", 1, 2, 0, RM_MODULES_PER_SLOT_MAX,
        "Modules of each slot where slots or their modules are generated."),
    NUMBER("modules.setpointMinMs", HUB(modules.setpoint_min_ms), "ms", 1, 100, 20, 1000,
        "Shortest time between two raised setpoints of a module; lowered ones and off go at once."),
    NUMBER("modules.refreshMs", HUB(modules.refresh_ms), "ms", 1, 500, 100, 5000, "Setpoints are repeated this often."),
    NUMBER("modules.pollMs", HUB(modules.poll_ms), "ms", 1, 250, 50, 1000, "Voltage and current are read this often."),
    NUMBER("modules.statusMs", HUB(modules.status_ms), "ms", 1, 500, 100, 2000, "Status and alarms are read this often."),
    NUMBER("modules.slowMs", HUB(modules.slow_ms), "ms", 1, 2000, 500, 60000, "Capability and temperature are read this often."),
    NUMBER("modules.efficiencyPercent", HUB(modules.efficiency_permille), "%", 10, 95, 50, 100,
        "Efficiency used to book the modules' input power against the grid limit (S12)."),
    NUMBER("modules.selfOffMs", HUB(modules.self_off_ms), "ms", 1, 10000, 1000, 60000,
        "A module that hears nothing for this long switches itself off."),
    NUMBER("modules.maxCurrentA", DRAFT(module_max_current_ma), "A", 1000, 100, 1, 1000, "Largest output current of a module."),
    NUMBER("modules.maxVoltageV", DRAFT(module_max_voltage_mv), "V", 1000, 1000, 100, 1500, "Largest output voltage of a module."),
    NUMBER("modules.minVoltageV", DRAFT(module_min_voltage_mv), "V", 1000, 50, 0, 500, "Smallest output voltage of a module."),
    ARRAY("modules.interfaces", LIST(struct config_draft, module_bus, module_buses), 0, RM_INTERFACES_MAX,
        "CAN interfaces of the power modules; may be left out only in a hub without modules."),
    INTERFACE_KEYS("modules.interfaces[]", 125),
    ARRAY_DERIVED("modules.interfaces[].addresses", LIST(struct draft_bus, address, addresses),
        "when no interface has any: the modules in slot order in equal shares over the interfaces, addresses from 1",
        CONFIG_BUS_ADDRESSES_MAX, "Which modules are on this bus, and at which address."),
    STRING_REQUIRED("modules.interfaces[].addresses[].module", ADDRESS(module), 1, 15, "Id of the module."),
    NUMBER_REQUIRED("modules.interfaces[].addresses[].address", ADDRESS(address), "", 1, 0, 62,
        "Address of the module on this bus; unique there."),

    ARRAY("connectors", LIST(struct config_draft, connector, connectors), 1, RM_SLOTS_MAX, "The guns."),
    NUMBER_REQUIRED("connectors[].id", CONNECTOR(connector.id), "", 1, 1, 9999, "OCPP connector id; unique."),
    NUMBER_DERIVED("connectors[].plcId", CONNECTOR(plc_id), "", 1, "the plcId of the gun's slot", 0, 15,
        "Id of the PLC node; unique on its interface."),
    STRING_DERIVED("connectors[].label", CONNECTOR(connector.label), "\"Gun \" and the id", 1, 23, "What the operator reads."),
    NUMBER("connectors[].maxCurrentA", CONNECTOR(connector.max_current_ma), "A", 1000, 500, 1, 1000, "Largest current of the connector."),
    NUMBER("connectors[].maxPowerW", CONNECTOR(connector.max_power_w), "W", 1, 350000, 1000, 1000000, "Largest power of the connector."),
    NUMBER("connectors[].maxVoltageV", CONNECTOR(connector.max_voltage_mv), "V", 1000, 1000, 100, 1500, "Largest voltage of the connector."),
    NUMBER("connectors[].minVoltageV", CONNECTOR(connector.min_voltage_mv), "V", 1000, 150, 0, 500, "Smallest voltage of the connector."),
    NUMBER_DERIVED("connectors[].cableMaxCurrentA", CONNECTOR(connector.cable_max_current_ma), "A", 1000, "maxCurrentA", 1, 1000,
        "What the cable carries."),
    STRING_DERIVED("connectors[].canInterface", CONNECTOR(can_interface), "the slot's, else chargePoint.canInterface", 1, 15,
        "Name of the PLC interface."),
    NUMBER("connectors[].meterSampleIntervalSeconds", CONNECTOR(connector.meter_sample_interval_s), "s", 1, 60, 1, 3600,
        "Meter values are sampled this often."),
    BOOL("connectors[].requireLock", CONNECTOR(connector.require_lock), true, "The gun must be locked before it is energised."),
    NUMBER_DERIVED("connectors[].lockInputSwitch", CONNECTOR(connector.lock_input_switch), "", 1,
        "LOCK_ENGAGED of the PLC is the feedback", 1, 4, "Switch input that is the lock's feedback."),
    CHOICE("connectors[].meterSource", CONNECTOR(connector.meter_source), meter_labels, METER_SOURCE_PLC, "Where energy is measured."),
    NUMBER("connectors[].meterScale", CONNECTOR(connector.meter_scale_ppm), "", 1000000, 1, 0.001, 1000,
        "The meter's energy is multiplied by this."),
    NUMBER("connectors[].meterOffsetWh", CONNECTOR(connector.meter_offset_wh), "Wh", 1, 0, -1000000000000, 1000000000000,
        "Added to the meter's scaled energy."),
    NUMBER("connectors[].priorityClass", CONNECTOR(connector.priority_class), "", 1, 3, 0, 7, "Priority class of the gun, 0 the highest."),

    ARRAY_DERIVED("slots", LIST(struct config_draft, slot, slots), "one per connector, in their order, as a ring", RM_SLOTS_MAX,
        "The slots of the ring."),
    NUMBER_REQUIRED("slots[].id", SLOT(slot.id), "", 1, 1, 9999, "Id of the slot; unique."),
    NUMBER_DERIVED("slots[].plcId", SLOT(plc_id), "", 1, "the plcId of its connector", 0, 15,
        "Id of the slot's PLC node; unique on its interface, required for a slot without gun."),
    STRING_DERIVED("slots[].canInterface", SLOT(can_interface), "its connector's, else chargePoint.canInterface", 1, 15,
        "Name of the PLC interface."),
    NUMBER_DERIVED("slots[].gunId", SLOT(gun_id), "", 1, "a slot without gun", 1, 9999, "Id of the connector of this slot."),
    STRING_DERIVED("slots[].gc", SLOT(slot.gc), "GC_ and the slot's id", 1, 15, "Name of the gun contactor."),
    STRING_DERIVED("slots[].mc", SLOT(slot.mc), "MC_ and the slot's id, none with contactorFrame relay", 0, 15,
        "Name of the ring contactor to the clockwise neighbour; empty: not fitted."),
    STRING_DERIVED("slots[].bc", SLOT(slot.bc), "BC_ and the slot's id with boundaryContactors 2, else none", 0, 15,
        "Name of the second contactor of that boundary; empty: not fitted."),
    NUMBER_DERIVED("slots[].cw", SLOT(cw), "", 1, "the next slot of the file", 1, 9999, "Id of the clockwise neighbour."),
    NUMBER_DERIVED("slots[].ccw", SLOT(ccw), "", 1, "the previous slot of the file", 1, 9999, "Id of the counter-clockwise neighbour."),
    NUMBER("slots[].boundaryMaxCurrentA", SLOT(slot.boundary_max_current_ma), "A", 1000, 500, 1, 2000,
        "Largest current through the boundary to the clockwise neighbour (E5)."),
    NUMBER("slots[].zone", SLOT(slot.zone), "", 1, 0, 0, 63, "Emergency-stop zone; 0 is the whole site."),
    ARRAY_DERIVED("slots[].modules", LIST(struct draft_slot, slot.module, modules), "modules.perSlot modules", RM_MODULES_PER_SLOT_MAX,
        "The power modules of the slot."),
    STRING_REQUIRED("slots[].modules[].id", MODULE(id), 1, 15, "Id of the module; unique in the hub."),
    STRING_DERIVED("slots[].modules[].mn", MODULE(mn), "MN_, the slot's id, _ and the module's number in the slot", 1, 15,
        "Name of the module contactor."),
    NUMBER_DERIVED("slots[].modules[].ratedPowerKW", MODULE(rated_w), "kW", 1000, "modulePowerKW", 1, 200, "Rated power of this module."),
    NUMBER_DERIVED("slots[].modules[].maxCurrentA", MODULE(max_current_ma), "A", 1000, "modules.maxCurrentA", 1, 1000,
        "Largest output current of this module."),
    NUMBER_DERIVED("slots[].modules[].maxVoltageV", MODULE(max_voltage_mv), "V", 1000, "modules.maxVoltageV", 100, 1500,
        "Largest output voltage of this module."),
    NUMBER_DERIVED("slots[].modules[].minVoltageV", MODULE(min_voltage_mv), "V", 1000, "modules.minVoltageV", 0, 500,
        "Smallest output voltage of this module."),

    NUMBER("modulePowerKW", HUB(module_power_w), "kW", 1000, 30, 1, 200, "Rated power of a power module."),
    NUMBER_REQUIRED("gridLimitKW", HUB(grid_limit_w), "kW", 1000, 1, 20000, "What the grid connection carries, at the modules' input."),
    NUMBER_DERIVED("failSafeLimitKW", HUB(fail_safe_limit_w), "kW", 1000, "gridLimitKW", 0, 20000,
        "Site limit while no valid lease of energy management exists."),
    NUMBER("defaultVoltageV", HUB(default_voltage_mv), "V", 1000, 800, 200, 1500, "Voltage to plan with while a vehicle's is not known."),
    NUMBER("plannerPeriodMs", HUB(planner_period_ms), "ms", 1, 50, 10, 200, "Period of the planner."),

    SECTION("interlock", "Parameters of the interlocks; names as in the rules."),
    NUMBER("interlock.I_open_A", HUB(interlock.i_open_ma), "A", 1000, 5, 0.1, 10, "A loaded contactor opens at or below this current (E2, G4)."),
    NUMBER("interlock.I_off_A", HUB(interlock.i_off_ma), "A", 1000, 1, 0.1, 5, "Below this a current counts as none (E1, M2)."),
    NUMBER("interlock.I_cc_A", HUB(interlock.i_cc_ma), "A", 1000, 2, 0.1, 5, "Largest current in cable check, precharge and weld test."),
    NUMBER("interlock.dV_mc_V", HUB(interlock.dv_mc_mv), "V", 1000, 10, 1, 30, "Largest voltage across a ring contactor that closes (E1, T3)."),
    NUMBER("interlock.dV_gc_V", HUB(interlock.dv_gc_mv), "V", 1000, 20, 1, 30, "Largest voltage across a gun contactor that closes (G1)."),
    NUMBER("interlock.dV_mn_V", HUB(interlock.dv_mn_mv), "V", 1000, 10, 1, 30, "Largest voltage across a module contactor that closes (M1)."),
    NUMBER("interlock.V_safe_V", HUB(interlock.v_safe_mv), "V", 1000, 60, 5, 60, "Below this a conductor counts as dead."),
    NUMBER("interlock.T_close_ms", HUB(interlock.t_close_ms), "ms", 1, 100, 20, 1000, "A contactor confirms closing within this time (S5)."),
    NUMBER("interlock.T_open_ms", HUB(interlock.t_open_ms), "ms", 1, 100, 20, 1000, "A contactor confirms opening within this time (S5)."),
    NUMBER("interlock.T_stale_ms", HUB(interlock.t_stale_ms), "ms", 1, 150, 50, 1000,
        "Least age at which a measurement is stale; otherwise 2.5 periods of its source (S7)."),
    NUMBER("interlock.T_plc_ms", HUB(interlock.t_plc_ms), "ms", 1, 300, 150, 1000, "A PLC silent for longer takes its slot out (S4)."),
    NUMBER("interlock.T_mod_soft_ms", HUB(interlock.t_mod_soft_ms), "ms", 1, 2000, 500, 10000, "A module silent for longer is unhealthy (M4)."),
    NUMBER("interlock.T_mod_hard_ms", HUB(interlock.t_mod_hard_ms), "ms", 1, 15000, 2000, 120000,
        "A silent module stays on the books with its last commanded current for this long (M4)."),
    NUMBER("interlock.T_pre_ms", HUB(interlock.t_pre_ms), "ms", 1, 5000, 1000, 7000, "Precharge is reached within this time."),
    NUMBER("interlock.T_dwell_ms", HUB(interlock.t_dwell_ms), "ms", 1, 30000, 0, 600000, "Least time between two changes of one boundary (E3)."),
    NUMBER("interlock.T_ack_ms", HUB(interlock.t_ack_ms), "ms", 1, 300, 150, 1000, "A PLC acknowledges a command sequence within this time (S14)."),
    NUMBER("interlock.T_plan_ms", HUB(interlock.t_plan_ms), "ms", 1, 150, 20, 1000, "A proposal older than this closes nothing and ramps to zero (S8)."),
    NUMBER("interlock.T_plan2_ms", HUB(interlock.t_plan2_ms), "ms", 1, 1000, 100, 10000, "A proposal older than this opens everything (S8)."),
    NUMBER("interlock.T_grid_ms", HUB(interlock.t_grid_ms), "ms", 1, 10000, 1000, 600000,
        "For this long after the end of its lease a site limit still holds where it is below the fail-safe limit; then the fail-safe limit alone (S12)."),
    NUMBER("interlock.T_estop_ms", HUB(interlock.t_estop_ms), "ms", 1, 0, 0, 500, "Time that current has to fall after an emergency stop before contactors open; 0: at once (S2)."),
    NUMBER("interlock.T_cable_check_ms", HUB(interlock.t_cable_check_ms), "ms", 1, 25000, 5000, 30000, "The whole cable check is done within this time."),
    NUMBER("interlock.T_cable_voltage_ms", HUB(interlock.t_cable_voltage_ms), "ms", 1, 10000, 1000, 10000, "The cable-check voltage is reached within this time."),
    NUMBER("interlock.T_imd_ms", HUB(interlock.t_imd_ms), "ms", 1, 1000, 500, 5000, "An insulation monitor silent for longer while energised is a fault (N1)."),
    NUMBER("interlock.T_weld_ms", HUB(interlock.t_weld_ms), "ms", 1, 3000, 500, 10000, "The gun's voltage falls below V_safe_V within this time after its contactor opened (G7)."),
    NUMBER("interlock.T_discharge_ms", HUB(interlock.t_discharge_ms), "ms", 1, 5000, 500, 30000, "A bus falls below V_safe_V within this time."),
    NUMBER("interlock.T_lock_ms", HUB(interlock.t_lock_ms), "ms", 1, 3000, 500, 10000, "The connector locks or unlocks within this time."),
    NUMBER("interlock.T_auth_ms", HUB(interlock.t_auth_ms), "ms", 1, 300000, 10000, 3600000, "A vehicle plugged in for this long without authorisation or progress ends the attempt."),
    NUMBER("interlock.T_stage_ms", HUB(interlock.t_stage_ms), "ms", 1, 60000, 5000, 600000, "A vehicle goes on from one stage to the next within this time."),
    NUMBER("interlock.T_suspend_ms", HUB(interlock.t_suspend_ms), "ms", 1, 0, 0, 86400000, "A vehicle may pause this long while charging; 0: without limit."),
    NUMBER("interlock.insulation_min_kohm", HUB(interlock.insulation_min_ohm), "kohm", 1000, 100, 100, 10000, "Least insulation resistance (N2, N3)."),
    NUMBER("interlock.N_fail", HUB(interlock.imd_fail_max), "", 1, 3, 1, 10, "So many failed cable checks in a row put the gun out of service (N5)."),
    NUMBER("interlock.pin_derate_degC", HUB(interlock.pin_derate_ddegc), "degC", 10, 80, 40, 100, "Connector temperature at which derating begins (S11)."),
    NUMBER("interlock.pin_stop_degC", HUB(interlock.pin_stop_ddegc), "degC", 10, 90, 40, 100, "Connector temperature that ends the session (S11)."),
    NUMBER("interlock.module_derate_degC", HUB(interlock.module_derate_ddegc), "degC", 10, 75, 40, 120, "Module temperature at which derating begins (M6)."),
    NUMBER("interlock.module_stop_degC", HUB(interlock.module_stop_ddegc), "degC", 10, 85, 40, 120, "Module temperature at which the module gives nothing (M6)."),
    NUMBER("interlock.sensor_fallback_A", HUB(interlock.sensor_fallback_ma), "A", 1000, 50, 0, 200, "Largest current with a broken temperature sensor (S11)."),
    NUMBER("interlock.T_sensor_stop_ms", HUB(interlock.t_sensor_stop_ms), "ms", 1, 30000, 1000, 600000, "How long that current is given before the session ends (S11)."),
    NUMBER("interlock.ramp_up_A_s", HUB(interlock.ramp_up_ma_s), "A/s", 1000, 100, 20, 250, "Rise of the current."),
    NUMBER("interlock.ramp_down_A_s", HUB(interlock.ramp_down_ma_s), "A/s", 1000, 100, 100, 300, "Fall of the current in a normal stop."),
    NUMBER("interlock.ramp_error_A_s", HUB(interlock.ramp_error_ma_s), "A/s", 1000, 200, 100, 350, "Fall of the current in an error stop."),
    NUMBER("interlock.ramp_emergency_A_s", HUB(interlock.ramp_emergency_ma_s), "A/s", 1000, 350, 200, 1000, "Reserved, nothing reads it: an emergency stop sets the current to zero at once, and T_estop_ms only waits for it (S2)."),
    BOOL("interlock.discharge_after_cable_check", HUB(interlock.discharge_after_cable_check), true, "The bus is discharged below V_safe_V between cable check and precharge."),
    NUMBER("interlock.maxSlots", HUB(interlock.max_slots), "", 1, 8, 1, RM_SLOTS_MAX, "Longest island, in slots (T6)."),

    SECTION("planner", "How the planner shares power among vehicles."),
    CHOICE("planner.mode", HUB(planner.mode), sharing_labels, SHARING_MODE_LEXIMIN,
        "leximin: the worst served gets the most possible, then the next; firstCome: who came first takes what it wants; "
        "total: the most power in sum; static: every gun from its own slot alone."),
    NUMBER("planner.holdingSeconds", HUB(planner.holding_s), "s", 1, 120, 10, 3600,
        "How long a new arrangement of slots is expected to last: its gain in kW times this must exceed what switching costs."),
    NUMBER("planner.operationCostKJ", HUB(planner.operation_cost_kj), "kJ", 1, 2500, 0, 10000,
        "What one operation of a boundary contactor is worth."),
    NUMBER("planner.minPowerKW", HUB(planner.power_min_w), "kW", 1000, 3, 0, 50,
        "Least power of a vehicle: when the site cannot give it to all, some are suspended whole, by class and then in turn."),
    NUMBER("planner.rotationMinutes", HUB(planner.rotation_min), "min", 1, 10, 1, 240,
        "Length of a vehicle's turn while others of its class are suspended."),
    NUMBER("planner.departureSoonMinutes", HUB(planner.departure_soon_min), "min", 1, 0, 0, 1440,
        "A vehicle that wants to leave within this time is served one priority class better; 0: departure times have no influence."),

    SECTION("rt", "The real-time process."),
    STRING("rt.shmName", HUB(rt.shm_name), "/ringmain", 2, 63, "Name of the shared memory; one per hub on a machine."),
    NUMBER("rt.guardCpu", HUB(rt.guard_cpu), "", 1, -1, -1, 1023, "CPU of the guard; -1: the last one allowed to the process."),
    NUMBER("rt.plannerCpu", HUB(rt.planner_cpu), "", 1, -1, -1, 1023, "CPU of the planner; -1: the last one allowed to the process."),
    NUMBER("rt.guardPriority", HUB(rt.guard_priority), "", 1, 90, 2, 98, "SCHED_FIFO priority of the guard."),
    NUMBER("rt.plannerPriority", HUB(rt.planner_priority), "", 1, 80, 1, 97, "SCHED_FIFO priority of the planner; below the guard's."),
    STRING("rt.watchdogDevice", HUB(rt.watchdog_device), "/dev/watchdog", 0, 63, "Hardware watchdog that the guard feeds; empty (none) is taken only with --development."),
    NUMBER("rt.watchdogTimeoutSeconds", HUB(rt.watchdog_timeout_s), "s", 1, 5, 2, 60, "Time-out of the hardware watchdog."),
    STRING("rt.runFolder", HUB(rt.run_folder), "/run/ringmain", 1, 90, "Folder of the sockets nrt.sock and plant.sock."),

    SECTION("nrt", "The process that talks to the world."),
    CHOICE("nrt.authMode", HUB(nrt.auth_mode), auth_labels, AUTH_MODE_FREE_VEND, "Who may charge: everybody, or the tokens of the local list."),
    STRING("nrt.localListFile", HUB(nrt.local_list_file), "", 0, 191, "File of the local list; required with authMode localList."),
    STRING("nrt.eventLogFile", HUB(nrt.event_log_file), "/var/lib/ringmain/events.jsonl", 1, 191, "File that takes the events, one JSON object per line."),
    NUMBER("nrt.leaseSeconds", HUB(nrt.lease_s), "s", 1, 60, 5, 3600, "Lifetime of the site-limit leases."),
    NUMBER_DERIVED("nrt.siteLimitKW", HUB(nrt.site_limit_w), "kW", 1000, "gridLimitKW", 0, 20000, "Site limit that is leased; at most gridLimitKW."),

    SECTION("security", "Security of the connection to the central system."),
    NUMBER("security.profile", HUB(security.security_profile), "", 1, 0, 0, 3, "OCPP security profile; 2 and 3 need a wss:// address."),
};
/* clang-format on */

const uint32_t config_table_count = sizeof config_table / sizeof config_table[0];

const struct config_key *config_table_find(const char *pattern) {
    for (uint32_t i = 0; i < config_table_count; i++) {
        if (strcmp(config_table[i].path, pattern) == 0) {
            return &config_table[i];
        }
    }
    return NULL;
}

const char *config_table_name(const struct config_key *key) {
    const char *dot = strrchr(key->path, '.');
    return dot ? dot + 1 : key->path;
}

bool config_table_is_member(const struct config_key *key, const char *object) {
    size_t length = strlen(object);
    const char *name = config_table_name(key);
    if (length == 0) {
        return name == key->path;
    }
    return (size_t)(name - key->path) == length + 1 && strncmp(key->path, object, length) == 0;
}
