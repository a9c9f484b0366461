#include "nrt/ctl/frame.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

void frame_init(struct frame *f, char *text, size_t size, uint32_t width,
                enum frame_styles styles) {
    memset(f, 0, sizeof *f);
    f->text = text;
    f->size = size;
    f->width = width;
    f->styles = styles;
    text[0] = '\0';
}

static void raw(struct frame *f, const char *bytes, size_t count) {
    if (f->overflow || count >= f->size - f->length) {
        f->overflow = true;
        return;
    }
    memcpy(f->text + f->length, bytes, count);
    f->length += count;
    f->text[f->length] = '\0';
}

static const char *style_code(enum frame_styles styles, enum style style) {
    bool colour = styles == FRAME_COLOUR;
    if (styles == FRAME_PLAIN) {
        return "";
    }
    switch (style) {
    case STYLE_NONE: return "";
    case STYLE_BOLD: return "\x1b[1m";
    case STYLE_DIM: return colour ? "\x1b[2m" : "";
    case STYLE_GOOD: return colour ? "\x1b[32m" : "";
    case STYLE_WARN: return colour ? "\x1b[33m" : "\x1b[1m";
    case STYLE_BAD: return colour ? "\x1b[1;31m" : "\x1b[1m";
    case STYLE_ALARM: return colour ? "\x1b[1;37;41m" : "\x1b[7m";
    }
    return "";
}

static void begin_style(struct frame *f, const char *code) {
    raw(f, code, strlen(code));
}

static void end_style(struct frame *f, const char *code) {
    if (code[0] != '\0') {
        raw(f, "\x1b[0m", 4);
    }
}

void frame_put(struct frame *f, enum style style, const char *format, ...) {
    char text[512];
    va_list arguments;
    va_start(arguments, format);
    int count = vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    if (count <= 0 || f->column >= f->width) {
        return;
    }
    const char *code = style_code(f->styles, style);
    begin_style(f, code);
    for (size_t i = 0; text[i] != '\0' && f->column < f->width; i++) {
        char c = text[i] >= 0x20 && text[i] <= 0x7e ? text[i] : '?';
        raw(f, &c, 1);
        f->column++;
    }
    end_style(f, code);
}

void frame_column(struct frame *f, uint32_t column) {
    while (f->column < column && f->column < f->width) {
        raw(f, " ", 1);
        f->column++;
    }
}

void frame_bar(struct frame *f, enum style style, uint32_t width, int64_t permille) {
    int64_t held = permille < 0 ? 0 : permille > 1000 ? 1000 : permille;
    uint32_t filled = (uint32_t)((held * width + 500) / 1000);
    if (held > 0 && filled == 0 && width > 0) {
        filled = 1; /* a little is not nothing */
    }
    const char *full = f->blocks ? "\xe2\x96\x88" : "#";
    const char *empty = f->blocks ? "\xe2\x96\x91" : ".";
    const char *code = style_code(f->styles, style);
    begin_style(f, code);
    for (uint32_t i = 0; i < filled && f->column < f->width; i++, f->column++) {
        raw(f, full, strlen(full));
    }
    end_style(f, code);
    code = style_code(f->styles, STYLE_DIM);
    begin_style(f, code);
    for (uint32_t i = filled; i < width && f->column < f->width; i++, f->column++) {
        raw(f, empty, strlen(empty));
    }
    end_style(f, code);
}

void frame_line(struct frame *f) {
    const char *end = f->live ? "\x1b[K\r\n" : "\n";
    raw(f, end, strlen(end));
    f->column = 0;
    f->lines++;
}
