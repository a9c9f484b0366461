#include "nrt/pending.h"

#include <assert.h>

bool pending_add(struct pending_table *table, const struct pending *entry) {
    assert(entry->id != 0);
    for (uint32_t i = 0; i < PENDING_MAX; i++) {
        if (table->entry[i].id == 0) {
            table->entry[i] = *entry;
            table->count++;
            return true;
        }
    }
    return false;
}

static void take(struct pending_table *table, uint32_t place, struct pending *out) {
    *out = table->entry[place];
    table->entry[place].id = 0;
    table->count--;
}

bool pending_take(struct pending_table *table, uint64_t id, struct pending *out) {
    for (uint32_t i = 0; id != 0 && i < PENDING_MAX; i++) {
        if (table->entry[i].id == id) {
            take(table, i, out);
            return true;
        }
    }
    return false;
}

bool pending_take_expired(struct pending_table *table, int64_t now_ns, struct pending *out) {
    for (uint32_t i = 0; table->count > 0 && i < PENDING_MAX; i++) {
        if (table->entry[i].id != 0 && now_ns >= table->entry[i].deadline_mono_ns) {
            take(table, i, out);
            return true;
        }
    }
    return false;
}
