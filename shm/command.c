#include "shm/command.h"

const char *command_type_name(unsigned value) {
    static const char *const names[COMMAND_TYPE_COUNT] = {
        [COMMAND_NONE] = "none",
        [COMMAND_AUTHORISE] = "authorise",
        [COMMAND_DENY] = "deny",
        [COMMAND_STOP] = "stop",
        [COMMAND_SITE_LIMIT] = "site limit",
        [COMMAND_GUN_LIMIT] = "gun limit",
        [COMMAND_AVAILABILITY] = "availability",
        [COMMAND_RESERVE] = "reserve",
        [COMMAND_CLEAR_FAULT] = "clear fault",
        [COMMAND_RESET_ESTOP] = "reset e-stop",
        [COMMAND_ACK_SESSION] = "ack session",
        [COMMAND_PRIORITY] = "priority",
        [COMMAND_LATCHES] = "latches",
    };
    return value < COMMAND_TYPE_COUNT && names[value] != NULL ? names[value] : "?";
}

const char *command_status_name(unsigned value) {
    static const char *const names[COMMAND_STATUS_COUNT] = {
        [COMMAND_STATUS_OK] = "ok",
        [COMMAND_STATUS_UNKNOWN] = "unknown command",
        [COMMAND_STATUS_BAD_SLOT] = "no such gun",
        [COMMAND_STATUS_BAD_VALUE] = "value out of range",
        [COMMAND_STATUS_STATE] = "not possible in this state",
        [COMMAND_STATUS_EXPIRED] = "expired",
        [COMMAND_STATUS_LATCHED] = "fault still present or latched",
        [COMMAND_STATUS_NOT_FOUND] = "not found",
    };
    return value < COMMAND_STATUS_COUNT && names[value] != NULL ? names[value] : "?";
}
