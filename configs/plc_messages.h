/* The frames of the PLC bus as the load analysis sees them: which there are, how often, how late they may be.
 *
 * One row per message of the CAN contract, sections 2 and 3. Layouts are not here (configs/hub.dbc has them), only what
 * timing needs: identifier base (the PLC id is added), name, period and deadline. Each row becomes two keys of the
 * configuration, plc.timing.<name>.periodMs and .deadlineMs.
 *
 * What the hub sends goes out at the configured period; of what a PLC sends the period is its vendor's word, which the
 * load analysis takes. Neither may be longer than the contract's, because the ages at which the PLC's watchdog and the
 * guard call a frame missing are made from that: PLC_MESSAGE_PERIOD_MAX. Free are frames that nobody misses, the
 * statistics with periods above a second, and frames sent on events only.
 *
 * X(enumerator, name, identifier base, period ms, deadline ms, who sends). Period 0: sent on events only and not part
 * of the periodic load (ConfigAck, RFID_Event, BootConfig); -1: by the kind of PLC (RelayStatus). The deadline of a status frame is the age at which the
 * contract calls it stale, less one period (300 ms figures: 200); of the others the period. A frame more urgent than
 * that has its own figure: GCMC_Command and RelayControl 100 ms. EnergyMeterData: its two halves in turn (docs/adr/0009).
 */
#ifndef RINGMAIN_CONFIGS_PLC_MESSAGES_H
#define RINGMAIN_CONFIGS_PLC_MESSAGES_H

/* clang-format off */
#define PLC_MESSAGES(X)                                                       \
    X(CHARGE_INFO,          ChargeInfo,          0x100,   500,   500, PLC)    \
    X(SOFTWARE_INFO,        SoftwareInfo,        0x110, 10000, 10000, PLC)    \
    X(HW_STATUS,            HW_Status,           0x130,  5000,  5000, PLC)    \
    X(GCMC_STATUS,          GCMC_Status,         0x150,   100,   100, PLC)    \
    X(RELAY_STATUS,         RelayStatus,         0x160,    -1,  1000, PLC)    \
    X(ENERGY_METER_DATA,    EnergyMeterData,     0x170,   250,   250, PLC)    \
    X(RFID_EVENT,           RFID_Event,          0x180,     0,  1000, PLC)    \
    X(SAFETY_SWITCH_STATUS, SafetySwitchStatus,  0x190,   200,   200, PLC)    \
    X(CONFIG_ACK,           ConfigAck,           0x1A0,     0,  1000, PLC)    \
    X(GUN_TEMPERATURE,      GunTemperature,      0x1C0,   500,   500, PLC)    \
    X(IMD,                  IMD,                 0x1D0,   200,   200, PLC)    \
    X(SLOT_SENSE,           SlotSense,           0x1E0,   100,   100, PLC)    \
    X(EVDC_MAX_LIMITS,      EVDC_MaxLimits,      0x200,  1000,  1000, PLC)    \
    X(EVDC_TARGETS,         EVDC_Targets,        0x210,   100,   200, PLC)    \
    X(EV_STATUS_DISPLAY,    EV_StatusDisplay,    0x220,  1000,  1000, PLC)    \
    X(EVDC_ENERGY_LIMITS,   EVDC_EnergyLimits,   0x230,  1000,  1000, PLC)    \
    X(EVMAC,                EVMAC,               0x240,  1000,  1000, PLC)    \
    X(EMAID0,               EMAID0,              0x260,  1000,  1000, PLC)    \
    X(EMAID1,               EMAID1,              0x270,  1000,  1000, PLC)    \
    X(EVCCID,               EVCCID,              0x280,  1000,  1000, PLC)    \
    X(EVSE_DC_MAX_LIMITS,   EVSE_DC_MaxLimits,   0x300,  1000,  1000, HOST)   \
    X(EVSE_DC_PRESENT,      EVSE_DC_Present,     0x310,   200,   200, HOST)   \
    X(RELAY_CONTROL,        RelayControl,        0x340,   100,   100, HOST)   \
    X(CONFIG_CMD,           ConfigCmd,           0x380,  1000,  1000, HOST)   \
    X(GCMC_COMMAND,         GCMC_Command,        0x390,   100,   100, HOST)   \
    X(RTT_LOG,              RTTLog,              0x400, 10000, 10000, PLC)    \
    X(CHARGING_SESSION,     ChargingSession,     0x410,  1000,  1000, PLC)    \
    X(RTEV_LOG,             RTEVLog,             0x420, 10000, 10000, PLC)    \
    X(CP_VOLTAGE_LEVELS,    CP_Voltage_Levels,   0x430,   100,   200, PLC)    \
    X(BOOT_CONFIG,          BootConfig,        0x90000,     0, 10000, PLC)
/* clang-format on */

enum plc_message {
#define PLC_MESSAGE_ENUM(e, name, id, period, deadline, sender) PLC_MESSAGE_##e,
    PLC_MESSAGES(PLC_MESSAGE_ENUM)
#undef PLC_MESSAGE_ENUM
        PLC_MESSAGE_COUNT
};

#define PLC_MESSAGE_IS_FREE(period)    ((period) == 0 || (period) > 1000)
#define PLC_MESSAGE_PERIOD_MIN(period) (PLC_MESSAGE_IS_FREE(period) ? 0 : 10)
#define PLC_MESSAGE_PERIOD_MAX(period)                                                             \
    (PLC_MESSAGE_IS_FREE(period) ? 60000 : (period) < 0 ? 1000 : (period))

enum plc_message_sender { PLC_MESSAGE_SENDER_PLC = 0, PLC_MESSAGE_SENDER_HOST };

#endif
