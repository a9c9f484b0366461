/* A frame of text for a terminal: lines that never exceed a width, with or without styles. Pure; memory of the caller.
 * Text from outside goes through frame_put(): what is not printable ASCII becomes '?'. */
#ifndef RINGMAIN_NRT_CTL_FRAME_H
#define RINGMAIN_NRT_CTL_FRAME_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum frame_styles {
    FRAME_PLAIN = 0, /* no escape sequence at all: files, captures */
    FRAME_MONO,      /* bold and reverse only (NO_COLOR) */
    FRAME_COLOUR
};

enum style {
    STYLE_NONE = 0,
    STYLE_BOLD,
    STYLE_DIM,
    STYLE_GOOD,
    STYLE_WARN,
    STYLE_BAD,
    STYLE_ALARM
};

struct frame {
    char *text;
    size_t size, length;
    uint32_t width, column, lines;
    enum frame_styles styles;
    bool blocks; /* bars of block characters (UTF-8), else '#' */
    bool live;   /* clears to the end of each line; lines end with CR LF */
    bool overflow;
};

void frame_init(struct frame *f, char *text, size_t size, uint32_t width, enum frame_styles styles);
void frame_put(struct frame *f, enum style style, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
/* Fills with spaces up to that column (from 0); nothing when already there. */
void frame_column(struct frame *f, uint32_t column);
/* A bar of width cells, filled to permille (clamped to 0..1000). */
void frame_bar(struct frame *f, enum style style, uint32_t width, int64_t permille);
void frame_line(struct frame *f); /* ends the line */

#endif
