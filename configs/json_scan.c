#include "configs/json_scan.h"

#include <string.h>

#define NUMBER_MAX 48 /* the parser's buffer is 64 */

struct scan {
    const unsigned char *text;
    size_t length, at;
    const char *wrong; /* set once, by the innermost */
    size_t wrong_at;
};

static bool fail_at(struct scan *s, size_t at, const char *text) {
    if (!s->wrong) {
        s->wrong = text;
        s->wrong_at = at;
    }
    return false;
}

static bool fail(struct scan *s, const char *text) {
    return fail_at(s, s->at, text);
}

/* The byte at the cursor, -1 at the end. */
static int peek(const struct scan *s) {
    return s->at < s->length ? s->text[s->at] : -1;
}

static bool take(struct scan *s, int c) {
    if (peek(s) != c) {
        return false;
    }
    s->at++;
    return true;
}

static bool is_digit(int c) {
    return c >= '0' && c <= '9';
}

static void skip_space(struct scan *s) {
    while (peek(s) == ' ' || peek(s) == '\t' || peek(s) == '\n' || peek(s) == '\r') {
        s->at++;
    }
}

/* Length of the well-formed UTF-8 sequence at p (Unicode, table 3-7), 0 when there is none. */
static size_t utf8_length(const unsigned char *p, size_t left) {
    unsigned char lead = p[0];
    if (lead < 0x80) {
        return 1;
    }
    size_t n = lead >= 0xC2 && lead <= 0xDF   ? 2
               : (lead & 0xF0) == 0xE0        ? 3
               : lead >= 0xF0 && lead <= 0xF4 ? 4
                                              : 0;
    if (n == 0 || n > left) {
        return 0;
    }
    unsigned char low = lead == 0xE0 ? 0xA0 : lead == 0xF0 ? 0x90 : 0x80;
    unsigned char high = lead == 0xED ? 0x9F : lead == 0xF4 ? 0x8F : 0xBF;
    if (p[1] < low || p[1] > high) {
        return 0;
    }
    for (size_t i = 2; i < n; i++) {
        if ((p[i] & 0xC0) != 0x80) {
            return 0;
        }
    }
    return n;
}

/* Four hexadecimal digits, or -1. */
static int32_t hex4(struct scan *s) {
    int32_t value = 0;
    for (int i = 0; i < 4; i++) {
        int c = peek(s);
        int32_t digit = is_digit(c)            ? c - '0'
                        : c >= 'a' && c <= 'f' ? c - 'a' + 10
                        : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                               : -1;
        if (digit < 0) {
            return -1;
        }
        value = value * 16 + digit;
        s->at++;
    }
    return value;
}

static bool scan_unicode_escape(struct scan *s) {
    size_t start = s->at - 2;
    int32_t unit = hex4(s);
    if (unit < 0) {
        return fail(s, "\\u needs four hexadecimal digits");
    }
    if (unit == 0) {
        return fail_at(s, start, "a string may not contain the character NUL");
    }
    if (unit >= 0xDC00 && unit <= 0xDFFF) {
        return fail_at(s, start, "this second half of a surrogate pair has no first half");
    }
    if (unit >= 0xD800 && unit <= 0xDBFF) {
        bool escape = take(s, '\\') && take(s, 'u');
        int32_t low = escape ? hex4(s) : -1;
        if (low < 0xDC00 || low > 0xDFFF) {
            return fail_at(s, start, "this first half of a surrogate pair has no second half");
        }
    }
    return true;
}

static bool scan_string(struct scan *s) {
    size_t start = s->at++;
    for (;;) {
        int c = peek(s);
        if (c < 0 || c == '\n') {
            return fail_at(s, start, "this string has no closing quote on its line");
        }
        if (c < 0x20) {
            return fail(s, "control character inside a string: write it as an escape such as \\t");
        }
        s->at++;
        if (c == '"') {
            return true;
        }
        if (c == '\\') {
            int e = peek(s);
            if (e < 0 || !strchr("\"\\/bfnrtu", e)) {
                return fail(s, "unknown escape: allowed are \\\" \\\\ \\/ \\b \\f \\n \\r \\t and "
                               "\\uXXXX");
            }
            s->at++;
            if (e == 'u' && !scan_unicode_escape(s)) {
                return false;
            }
        }
    }
}

static bool scan_number(struct scan *s) {
    size_t start = s->at;
    take(s, '-');
    if (!is_digit(peek(s))) {
        return fail(s, "a digit must follow the minus sign");
    }
    if (take(s, '0') && is_digit(peek(s))) {
        return fail_at(s, start, "a number may not begin with 0: leave the leading zeros out");
    }
    while (is_digit(peek(s))) {
        s->at++;
    }
    if (take(s, '.') && !is_digit(peek(s))) {
        return fail(s, "a digit must follow the decimal point");
    }
    while (is_digit(peek(s))) {
        s->at++;
    }
    if (take(s, 'e') || take(s, 'E')) {
        if (!take(s, '+')) {
            take(s, '-');
        }
        if (!is_digit(peek(s))) {
            return fail(s, "a digit must follow the exponent's e");
        }
        while (is_digit(peek(s))) {
            s->at++;
        }
    }
    if (s->at - start > NUMBER_MAX) {
        return fail_at(s, start, "this number has too many digits");
    }
    return true;
}

static bool scan_word(struct scan *s) {
    static const char *const words[] = {"true", "false", "null"};
    for (size_t i = 0; i < 3; i++) {
        size_t n = strlen(words[i]);
        if (s->length - s->at >= n && memcmp(s->text + s->at, words[i], n) == 0) {
            s->at += n;
            return true;
        }
    }
    int c = peek(s);
    if (c < 0) {
        return fail(s, "the text ends where a value is expected");
    }
    if (c == '/' || c == '#') {
        return fail(s, "JSON has no comments: take it out");
    }
    if (c == '\'') {
        return fail(s, "strings are written in double quotes");
    }
    return fail(s, "a value is expected here: an object, array, string in double quotes, number, "
                   "true, false or null");
}

static bool scan_value(struct scan *s, uint32_t depth);

static bool scan_member(struct scan *s, uint32_t depth) {
    if (peek(s) != '"') {
        return fail(s, "a key in double quotes is expected here (no comma after the last member, "
                       "no comments)");
    }
    if (!scan_string(s)) {
        return false;
    }
    skip_space(s);
    if (!take(s, ':')) {
        return fail(s, "a colon is expected after the key");
    }
    return scan_value(s, depth);
}

static bool scan_container(struct scan *s, uint32_t depth, bool object) {
    if (depth > JSON_DEPTH_MAX) {
        return fail(s, "nested too deeply: at most 32 levels of objects and arrays");
    }
    int close = object ? '}' : ']';
    s->at++;
    skip_space(s);
    if (take(s, close)) {
        return true;
    }
    for (;;) {
        skip_space(s);
        if (!object && peek(s) == ']') {
            return fail(s, "no comma after the last element: take it out");
        }
        if (!(object ? scan_member(s, depth) : scan_value(s, depth))) {
            return false;
        }
        skip_space(s);
        if (take(s, close)) {
            return true;
        }
        if (!take(s, ',')) {
            return fail(s,
                        object ? "a comma or } is expected here" : "a comma or ] is expected here");
        }
    }
}

static bool scan_value(struct scan *s, uint32_t depth) {
    skip_space(s);
    int c = peek(s);
    if (c == '{' || c == '[') {
        return scan_container(s, depth + 1, c == '{');
    }
    if (c == '"') {
        return scan_string(s);
    }
    if (c == '-' || is_digit(c)) {
        return scan_number(s);
    }
    return scan_word(s);
}

static bool scan_encoding(struct scan *s) {
    if (s->length >= 3 && memcmp(s->text, "\xEF\xBB\xBF", 3) == 0) {
        return fail_at(s, 0, "byte-order mark: save the file as UTF-8 without one");
    }
    for (size_t at = 0; at < s->length;) {
        if (s->text[at] == 0) {
            return fail_at(s, at, "NUL byte: this is not a text file");
        }
        size_t n = utf8_length(s->text + at, s->length - at);
        if (n == 0) {
            return fail_at(s, at, "not UTF-8: save the file in that encoding");
        }
        at += n;
    }
    return true;
}

static void locate(const struct scan *s, struct json_fault *fault) {
    fault->line = 1;
    fault->column = 1;
    for (size_t i = 0; i < s->wrong_at; i++) {
        if (s->text[i] == '\n') {
            fault->line++;
            fault->column = 1;
        } else if ((s->text[i] & 0xC0) != 0x80) {
            fault->column++;
        }
    }
    fault->text = s->wrong;
}

bool json_scan(const char *text, size_t length, struct json_fault *fault) {
    struct scan s = {.text = (const unsigned char *)text, .length = length};
    bool good = scan_encoding(&s) && scan_value(&s, 0);
    if (good) {
        skip_space(&s);
        if (s.at < s.length) {
            good = fail(&s, "the configuration ends before this: nothing may follow it");
        }
    }
    if (!good) {
        locate(&s, fault);
    }
    return good;
}
