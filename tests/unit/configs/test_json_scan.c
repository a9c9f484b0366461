/* What is JSON and what is not (RFC 8259), and where it stops being it. */
#include "configs/json_scan.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static void test_json_scan_accepts_what_the_standard_says(void **state) {
    (void)state;
    static const char *const good[] = {
        "{}",
        " [ ] ",
        "0",
        "-0",
        "-0.5e+3",
        "1E-2",
        "\"\"",
        "true",
        "null",
        "{\"a\":[1,{\"b\":false}],\"\":\"\\\"\\\\\\/\\b\\f\\n\\r\\t\\u00e9\"}\n",
        "\"\\ud83d\\ude97\"",
        "\"\xC3\xA9\xE2\x82\xAC\xF0\x9F\x9A\x97\x7f\"",
        "\"\xF4\x8F\xBF\xBF\xEE\x80\x80\"",
        "[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]",
        "123456789012345678901234567890123456789012345678",
    };
    struct json_fault fault;
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++) {
        if (!json_scan(good[i], strlen(good[i]), &fault)) {
            fail_msg("%s: %u:%u %s", good[i], fault.line, fault.column, fault.text);
        }
    }
}

static void test_json_scan_says_where_and_what(void **state) {
    (void)state;
    static const struct {
        const char *text;
        uint32_t line, column;
        const char *says;
    } bad[] = {
        {"", 1, 1, "ends where a value"},
        {"   ", 1, 4, "ends where a value"},
        {"{\n  \"a\": 1,\n}", 3, 1, "no comma after the last member"},
        {"[1, 2,]", 1, 7, "no comma after the last element"},
        {"{\"a\" 1}", 1, 6, "colon"},
        {"{\"a\": 1 \"b\": 2}", 1, 9, "comma or }"},
        {"[1 2]", 1, 4, "comma or ]"},
        {"{a: 1}", 1, 2, "key in double quotes"},
        {"{'a': 1}", 1, 2, "key in double quotes"},
        {"{\"a\": 'x'}", 1, 7, "double quotes"},
        {"{\"a\": 1} // c", 1, 10, "nothing may follow"},
        {"{\"a\": // c\n 1}", 1, 7, "no comments"},
        {"[#]", 1, 2, "no comments"},
        {"{} {}", 1, 4, "nothing may follow"},
        {"{}x", 1, 3, "nothing may follow"},
        {"{\"a\": \"x\n\"}", 1, 7, "closing quote"},
        {"{\"a\": \"x", 1, 7, "closing quote"},
        {"\"\t\"", 1, 2, "control character"},
        {"\"\\x\"", 1, 3, "unknown escape"},
        {"\"\\", 1, 3, "unknown escape"},
        {"\"\\u12g4\"", 1, 6, "four hexadecimal"},
        {"\"ab\\u0000\"", 1, 4, "NUL"},
        {"\"\\udc00\"", 1, 2, "no first half"},
        {"\"\\ud800x\"", 1, 2, "no second half"},
        {"\"\\ud800\\u0041\"", 1, 2, "no second half"},
        {"01", 1, 1, "leading zeros"},
        {"-", 1, 2, "minus"},
        {"+1", 1, 1, "a value is expected"},
        {".5", 1, 1, "a value is expected"},
        {"1.", 1, 3, "decimal point"},
        {"[1.e3]", 1, 4, "decimal point"},
        {"1e", 1, 3, "exponent"},
        {"1e+", 1, 4, "exponent"},
        {"0x10", 1, 2, "nothing may follow"},
        {"NaN", 1, 1, "a value is expected"},
        {"Infinity", 1, 1, "a value is expected"},
        {"tru", 1, 1, "a value is expected"},
        {"1234567890123456789012345678901234567890123456789", 1, 1, "too many digits"},
        {"\xEF\xBB\xBF{}", 1, 1, "byte-order mark"},
        {"\"\xC3\"", 1, 2, "UTF-8"},
        {"\"\xC0\x80\"", 1, 2, "UTF-8"},
        {"\"\xE0\x80\x80\"", 1, 2, "UTF-8"},
        {"\"\xED\xA0\x80\"", 1, 2, "UTF-8"},
        {"\"\xF5\x80\x80\x80\"", 1, 2, "UTF-8"},
        {"\"\xF4\x90\x80\x80\"", 1, 2, "UTF-8"},
        {"\"\x80\"", 1, 2, "UTF-8"},
        {"\"\xC3\xA9\xC3\xA9\" x", 1, 6, "nothing may follow"},
        {"[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]", 1, 33,
         "nested too deeply"},
    };
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        struct json_fault fault = {0};
        if (json_scan(bad[i].text, strlen(bad[i].text), &fault)) {
            fail_msg("accepted: %s", bad[i].text);
        }
        if (fault.line != bad[i].line || fault.column != bad[i].column ||
            !strstr(fault.text, bad[i].says)) {
            fail_msg("%s: %u:%u %s", bad[i].text, fault.line, fault.column, fault.text);
        }
    }
}

static void test_json_scan_nul_byte_is_refused(void **state) {
    (void)state;
    struct json_fault fault;
    assert_false(json_scan("{}\n\0", 4, &fault));
    assert_int_equal(fault.line, 2);
    assert_int_equal(fault.column, 1);
    assert_non_null(strstr(fault.text, "NUL"));
}

/* Never reads past its length: each prefix of a good text ends inside something or is good itself. */
static void test_json_scan_every_prefix_ends(void **state) {
    (void)state;
    static const char text[] =
        "{\"a\\u00e9\": [true, -1.5e3, \"\xC3\xA9\\ud83d\\ude97\"], \"b\": {}}";
    struct json_fault fault;
    for (size_t n = 0; n < sizeof text - 1; n++) {
        char copy[sizeof text];
        memcpy(copy, text, n);
        assert_false(json_scan(copy, n, &fault));
        assert_int_equal(fault.line, 1);
        assert_true(fault.column <= n + 1);
    }
    assert_true(json_scan(text, sizeof text - 1, &fault));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_json_scan_accepts_what_the_standard_says),
        cmocka_unit_test(test_json_scan_says_where_and_what),
        cmocka_unit_test(test_json_scan_nul_byte_is_refused),
        cmocka_unit_test(test_json_scan_every_prefix_ends),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
