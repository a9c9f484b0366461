/* The diagnostics as JSON: {"guard_wake": {count, min_ns, mean_ns, p50_ns, p99_ns, p999_ns, max_ns, buckets}, ..., "counters", "errors"}. */
#ifndef RINGMAIN_NRT_CTL_LATENCY_H
#define RINGMAIN_NRT_CTL_LATENCY_H

#include <stdio.h>

#include "nrt/api/json_writer.h"
#include "shm/diag.h"

void latency_json(struct json_writer *w, const struct diag *d, uint64_t boot_id);
/* A table, a histogram by powers of two for each, the distinct errors. */
void latency_print(FILE *out, const struct diag *d);

#endif
