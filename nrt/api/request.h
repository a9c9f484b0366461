/* Requests on nrt.sock: one JSON object per line, e.g. {"cmd":"limit","kw":200,"gun":3,"seconds":600}.
 * What is not understood is refused with the place and the mend; unknown keys are errors, so that a
 * misspelt "second" does not become a limit without end. Pure but for cJSON's heap.
 */
#ifndef RINGMAIN_NRT_API_REQUEST_H
#define RINGMAIN_NRT_API_REQUEST_H

#include "shm/base.h"

#define REQUEST_LINE_MAX    4096 /* with its newline; longer lines are refused unread */
#define REQUEST_SECONDS_MAX 2592000
#define REQUEST_KW_MAX      100000
#define REQUEST_GUN_MAX     65535
#define REQUEST_ERROR_LEN   160

enum request_type {
    REQUEST_NONE = 0,
    REQUEST_AUTHORISE,    /* gun, token? */
    REQUEST_STOP,         /* gun */
    REQUEST_LIMIT,        /* kw (null takes it back), gun?, seconds? */
    REQUEST_CLEAR,        /* gun?, fault? */
    REQUEST_RESET_ESTOP,  /* */
    REQUEST_AVAILABILITY, /* gun, operative */
    REQUEST_RESERVE,      /* gun, token, seconds (0 cancels) */
    REQUEST_STATUS,
    REQUEST_PING,
    REQUEST_TYPE_COUNT
};

struct request {
    enum request_type type;
    int32_t gun; /* connector id; 0: not given */
    char token[RM_ID_TOKEN_LEN];
    bool take_back;  /* limit: kw null */
    int64_t limit_w; /* limit */
    int64_t seconds; /* limit: 0 without end; reserve: 0 cancels */
    bool operative;
    uint16_t fault; /* enum fault_code, 0 all */
};

/* 0; -EINVAL with error filled. */
int request_parse(const char *line, size_t length, struct request *out,
                  char error[REQUEST_ERROR_LEN]) RM_MUST_CHECK;
const char *request_type_name(enum request_type type);

#endif
