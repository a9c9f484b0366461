/* The rule table: one row per rule of docs/hazards.md, in the order of enum rule_id.
 * Names of rules (rule_name) and the list in docs/hazards.md come from it. Pure data, any thread. */
#ifndef RINGMAIN_RT_INTERLOCK_RULES_H
#define RINGMAIN_RT_INTERLOCK_RULES_H

#include "rt/interlock/interlock.h"

enum rule_type {
    RULE_TYPE_NONE = 0,
    RULE_TYPE_INVARIANT, /* I: holds on every output */
    RULE_TYPE_GUARD,     /* G: on a transition */
    RULE_TYPE_BOUNDED,   /* T: response within a time */
    RULE_TYPE_LATCH,     /* L */
    RULE_TYPE_DATA,      /* D: validity of data */
    RULE_TYPE_COUNT
};

struct rule_info {
    const char *id; /* "T1" */
    enum rule_type type;
    const char *text;     /* the rule */
    const char *reaction; /* what the interlocks do; for later rules what stands in their place */
};

/* The row of a rule; that of RULE_NONE for anything out of range. */
const struct rule_info *rule_info(unsigned rule);
char rule_type_letter(unsigned type); /* 'I' 'G' 'T' 'L' 'D', '-' when out of range */

#endif
