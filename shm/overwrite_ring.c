#include "shm/overwrite_ring.h"

#include "shm/words.h"

/* ThreadSanitizer does not model fences. It needs not: every access below is atomic. */
#if defined(__SANITIZE_THREAD__) && defined(__GNUC__) && !defined(__clang__)
#pragma GCC diagnostic ignored "-Wtsan"
#endif

static size_t offset_of(uint64_t index, uint64_t mask, uint32_t record_size) {
    return (size_t)(index & mask) * record_size;
}

static void check_geometry(uint32_t capacity, uint32_t record_size) {
    assert(capacity >= 4 && (capacity & (capacity - 1)) == 0);
    assert(record_size > 0 && record_size % 8u == 0);
}

void overwrite_writer_attach(struct overwrite_writer *w, struct overwrite_line *line, void *records,
                             uint32_t capacity, uint32_t record_size) {
    check_geometry(capacity, record_size);
    /* relaxed: only an earlier life of this side wrote it. An intent left ahead of it by that one's end stays: the
     * record it spoiled is the oldest one, and readers take it for overwritten. */
    uint64_t index = atomic_load_explicit(&line->index, memory_order_relaxed);
    *w = (struct overwrite_writer){.line = line,
                                   .records = records,
                                   .index = index,
                                   .mask = capacity - 1,
                                   .record_size = record_size};
}

void overwrite_write(struct overwrite_writer *w, const void *record) {
    /* relaxed store, then release fence: a reader that sees a word of the new record, and then does its acquire fence,
     * sees this intent too and knows that the old record is gone. */
    atomic_store_explicit(&w->line->intent, w->index + 1, memory_order_relaxed);
    atomic_thread_fence(memory_order_release);
    SHM_STORED();
    unsigned char *to = w->records + offset_of(w->index, w->mask, w->record_size);
    words_store((_Atomic uint64_t *)(void *)to, record, w->record_size);
    w->index++;
    /* release: whoever acquires this index sees the whole record. */
    atomic_store_explicit(&w->line->index, w->index, memory_order_release);
    SHM_STORED();
}

void overwrite_reader_attach(struct overwrite_reader *r, const struct overwrite_line *line,
                             const void *records, uint32_t capacity, uint32_t record_size) {
    check_geometry(capacity, record_size);
    /* acquire: as in overwrite_read(). One record less than a full ring: the oldest may be in work. */
    uint64_t index = atomic_load_explicit(&line->index, memory_order_acquire);
    *r = (struct overwrite_reader){.line = line,
                                   .records = records,
                                   .index = index < capacity ? 0 : index - capacity + 1,
                                   .mask = capacity - 1,
                                   .record_size = record_size};
}

/* Goes forward, to where a quarter of the ring lies between us and the writer's next record. */
static void catch_up(struct overwrite_reader *r, uint64_t published) {
    uint64_t keep = (r->mask + 1) / 4 * 3;
    uint64_t safe = published < keep ? 0 : published - keep;
    if (safe > r->index) {
        r->lost += safe - r->index;
        r->index = safe;
    }
}

uint32_t overwrite_read(struct overwrite_reader *r, void *records, uint32_t max) {
    unsigned char *to = records;
    /* acquire: pairs with the writer's release; the records below this index are complete. */
    uint64_t published = atomic_load_explicit(&r->line->index, memory_order_acquire);
    uint32_t n = 0;
    if (published < r->index) {
        r->faults++;
        r->index = published;
        return 0;
    }
    if (published - r->index > r->mask + 1) {
        catch_up(r, published);
    }
    while (n < max && r->index < published) {
        const unsigned char *from = r->records + offset_of(r->index, r->mask, r->record_size);
        words_load(to + (size_t)n * r->record_size, (const _Atomic uint64_t *)(const void *)from,
                   r->record_size);
        /* acquire fence: the copying comes before this look at intent; a record that was being overwritten shows it. */
        atomic_thread_fence(memory_order_acquire);
        uint64_t intent = atomic_load_explicit(&r->line->intent, memory_order_relaxed);
        if (intent < published) {
            r->faults++; /* the writer never publishes what it has not announced */
            break;
        }
        if (intent - r->index > r->mask + 1) {
            /* The copy may be torn: drop it, and read nothing more in this call, so that the loop stays bounded. */
            catch_up(r, intent > published ? intent : published);
            break;
        }
        r->index++;
        n++;
    }
    return n;
}
