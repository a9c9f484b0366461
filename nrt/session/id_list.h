/* The local list of tokens that may charge, read from a JSON file:
 *   {"tokens": ["04A1B2C3", {"token": "DEADBEEF", "blocked": true}]}    or the array alone.
 * Tokens compare without regard to case. nrt only; id_list_parse uses the heap while it runs.
 */
#ifndef RINGMAIN_NRT_SESSION_ID_LIST_H
#define RINGMAIN_NRT_SESSION_ID_LIST_H

#include "nrt/session/policy.h"

#define ID_LIST_MAX 4096

struct id_list {
    uint32_t count;
    struct id_list_entry {
        char token[RM_ID_TOKEN_LEN];
        bool blocked;
    } entry[ID_LIST_MAX];
};

/* 0; -EINVAL with the place and the mend in error; *list is changed only on 0. */
int id_list_parse(struct id_list *list, const char *json, size_t length, char *error,
                  size_t error_size) RM_MUST_CHECK;
enum policy_verdict id_list_verdict(const struct id_list *list, const char *token);

#endif
