/* Any line on nrt's control socket: it is understood, or refused with a place and a mend; what is understood is within
 * the bounds that its readers rely on. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "nrt/api/request.h"
#include "shm/vocabulary.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void demand(bool holds) {
    if (!holds) {
        abort();
    }
}

static void check_token(const char token[RM_ID_TOKEN_LEN]) {
    demand(memchr(token, 0, RM_ID_TOKEN_LEN) != NULL);
    for (const char *c = token; *c != '\0'; c++) {
        demand(*c > 0x20 && *c < 0x7f);
    }
}

static void check_understood(const struct request *r) {
    demand(r->type > REQUEST_NONE && r->type < REQUEST_TYPE_COUNT);
    demand(r->gun >= 0 && r->gun <= REQUEST_GUN_MAX);
    demand(r->limit_w >= 0 && r->limit_w <= (int64_t)REQUEST_KW_MAX * 1000);
    demand(r->seconds >= 0 && r->seconds <= REQUEST_SECONDS_MAX);
    demand(r->fault < FAULT_COUNT);
    check_token(r->token);
    const bool one_gun = r->type == REQUEST_AUTHORISE || r->type == REQUEST_STOP ||
                         r->type == REQUEST_AVAILABILITY || r->type == REQUEST_RESERVE;
    demand(!one_gun || r->gun > 0);
    demand(r->type != REQUEST_RESERVE || r->token[0] != '\0');
    demand(!r->take_back || r->type == REQUEST_LIMIT);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct request request;
    char error[REQUEST_ERROR_LEN];
    /* as the server hands it over: a part of its buffer, without an end of its own */
    char *line = malloc(size > 0 ? size : 1);
    if (line == NULL) {
        return 0;
    }
    memcpy(line, data, size);
    memset(error, 'x', sizeof error);
    const int code = request_parse(line, size, &request, error);
    demand(code == 0 || code == -EINVAL);
    demand(memchr(error, 0, sizeof error) != NULL);
    if (code == 0) {
        check_understood(&request);
    } else {
        demand(strchr(error, ':') != NULL);
    }
    free(line);
    return 0;
}
