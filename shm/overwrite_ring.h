/* A ring that overwrites its oldest records: one writer, any number of readers, lossy by design, every loss counted.
 *
 * The writer announces (intent), writes, publishes (index), and never looks at a reader. A reader that is lapped notices,
 * counts what it missed and goes on at a record that is still safe. Nothing torn is ever handed out.
 */
#ifndef RINGMAIN_SHM_OVERWRITE_RING_H
#define RINGMAIN_SHM_OVERWRITE_RING_H

#include <stdatomic.h>

#include "shm/base.h"

struct overwrite_line {
    _Atomic uint64_t intent; /* index, or index + 1 while a record is being written */
    _Atomic uint64_t index;  /* records ever published */
    uint64_t pad[14];
};
static_assert(sizeof(struct overwrite_line) == 128, "two cache lines");

struct overwrite_writer {
    struct overwrite_line *line;
    unsigned char *records;
    uint64_t index; /* authoritative */
    uint64_t mask;
    uint32_t record_size;
};

struct overwrite_reader {
    const struct overwrite_line *line;
    const unsigned char *records;
    uint64_t index; /* next to be read */
    uint64_t mask;
    uint32_t record_size;
    uint64_t lost;   /* records overwritten before they were read */
    uint64_t faults; /* implausible indices of the writer */
};

/* capacity: power of two, at least 4; record_size: multiple of 8 (asserted). Continues the numbering. */
void overwrite_writer_attach(struct overwrite_writer *w, struct overwrite_line *line, void *records,
                             uint32_t capacity, uint32_t record_size);
/* Wait-free; one store per 8 bytes. */
void overwrite_write(struct overwrite_writer *w, const void *record);

/* Starts at the oldest record that is safe to read. */
void overwrite_reader_attach(struct overwrite_reader *r, const struct overwrite_line *line,
                             const void *records, uint32_t capacity, uint32_t record_size);
/* Copies up to max records in order; returns how many (0: none new). Bounded, also beside a writer gone wild. */
uint32_t overwrite_read(struct overwrite_reader *r, void *records, uint32_t max) RM_MUST_CHECK;

#endif
