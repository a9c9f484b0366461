#include "shm/event.h"

const char *event_type_name(unsigned value) {
    static const char *const names[EVENT_TYPE_COUNT] = {
        [EVENT_NONE] = "none",
        [EVENT_BOOT] = "boot",
        [EVENT_GUN_STATE] = "gun state",
        [EVENT_PLUGGED] = "plugged",
        [EVENT_UNPLUGGED] = "unplugged",
        [EVENT_IDENTITY] = "identity",
        [EVENT_SESSION_STARTED] = "session started",
        [EVENT_SESSION_ENERGISED] = "session energised",
        [EVENT_SESSION_ENDED] = "session ended",
        [EVENT_FAULT_RAISED] = "fault raised",
        [EVENT_FAULT_CLEARED] = "fault cleared",
        [EVENT_LIMIT] = "limit",
        [EVENT_PLC] = "plc",
        [EVENT_INTERFACE] = "interface",
        [EVENT_MODULE] = "module",
        [EVENT_CONTACTOR] = "contactor",
        [EVENT_PROPOSAL_REJECTED] = "proposal rejected",
        [EVENT_PLANNER] = "planner",
        [EVENT_OVERRUN] = "overrun",
        [EVENT_CONFIG_ACK] = "config ack",
        [EVENT_METER] = "meter",
        [EVENT_ESTOP] = "e-stop",
        [EVENT_BOUNDARY] = "boundary",
    };
    return value < EVENT_TYPE_COUNT && names[value] != NULL ? names[value] : "?";
}
