/* The diagnostics as JSON: {"guard_wake": {count, min_ns, mean_ns, p50_ns, p99_ns, p999_ns, max_ns}, ..., "counters", "errors"}. */
#ifndef RINGMAIN_NRT_CTL_LATENCY_H
#define RINGMAIN_NRT_CTL_LATENCY_H

#include "nrt/api/json_writer.h"
#include "shm/diag.h"

void latency_json(struct json_writer *w, const struct diag *d, uint64_t boot_id);

#endif
