/* The command line of ringmain-rt: what starts, what is answered, what is refused with a word about why. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "rt/arguments.h"

#define WORDS_MAX 16

static struct arguments got;
static char out_text[4096], err_text[512];

/* A command line without the program's name, words apart by one blank. */
static enum arguments_result parse(const char *line) {
    char copy[256];
    char name[] = "ringmain-rt";
    char *argv[WORDS_MAX + 2] = {name};
    int argc = 1;
    assert_true(strlen(line) < sizeof copy);
    memcpy(copy, line, strlen(line) + 1);
    char *rest = copy;
    for (char *word; argc <= WORDS_MAX && (word = strsep(&rest, " ")) != NULL;) {
        if (*word != '\0') {
            argv[argc++] = word;
        }
    }
    memset(out_text, 0, sizeof out_text);
    memset(err_text, 0, sizeof err_text);
    FILE *out = fmemopen(out_text, sizeof out_text, "w");
    FILE *err = fmemopen(err_text, sizeof err_text, "w");
    const enum arguments_result result = arguments_parse(&got, argc, argv, out, err);
    fclose(out);
    fclose(err);
    return result;
}

static void expect_wrong(const char *line, const char *text) {
    assert_int_equal(parse(line), ARGUMENTS_WRONG);
    assert_string_equal(err_text, text);
    assert_string_equal(out_text, "");
}

static void test_arguments_config_alone_demands_everything(void **state) {
    (void)state;
    assert_int_equal(parse("--config hub.json"), ARGUMENTS_RUN);
    assert_string_equal(got.config, "hub.json");
    assert_false(got.check || got.development || got.abort_on_heap || got.replace_shm);
    assert_int_equal(got.filter, SEAL_FILTER_ENFORCE);
    assert_null(got.transport);
    assert_null(got.shm);
    assert_null(got.run_folder);
    assert_string_equal(err_text, "");
}

static void test_arguments_overrides_are_taken(void **state) {
    (void)state;
    assert_int_equal(parse("--config a --transport unix:/run/x --shm /y --run-folder /z "
                           "--development --seccomp log"),
                     ARGUMENTS_RUN);
    assert_string_equal(got.transport, "unix:/run/x");
    assert_string_equal(got.shm, "/y");
    assert_string_equal(got.run_folder, "/z");
    assert_true(got.development);
    assert_int_equal(got.filter, SEAL_FILTER_LOG);
}

static void test_arguments_check_config_starts_nothing(void **state) {
    (void)state;
    assert_int_equal(parse("--check-config hub.json"), ARGUMENTS_RUN);
    assert_true(got.check);
    assert_string_equal(got.config, "hub.json");
}

static void test_arguments_help_and_version_are_answered(void **state) {
    (void)state;
    assert_int_equal(parse("--help"), ARGUMENTS_DONE);
    assert_non_null(strstr(out_text, "--check-config FILE"));
    assert_int_equal(parse("--version"), ARGUMENTS_DONE);
    assert_int_equal(strncmp(out_text, "ringmain-rt ", 12), 0);
}

static void test_arguments_wrong_ones_are_named_in_one_line(void **state) {
    (void)state;
    expect_wrong("", "ringmain-rt: no --config FILE. See ringmain-rt --help\n");
    expect_wrong("--check-config",
                 "ringmain-rt: --check-config needs an argument. See ringmain-rt --help\n");
    expect_wrong(
        "--config a --colour",
        "ringmain-rt: --colour is no option, or takes no argument. See ringmain-rt --help\n");
    expect_wrong("--development=yes --config a",
                 "ringmain-rt: --development=yes is no option, or takes no "
                 "argument. See ringmain-rt --help\n");
    expect_wrong("--config a b",
                 "ringmain-rt: an argument without option. See ringmain-rt --help\n");
    expect_wrong("--config a --seccomp maybe",
                 "ringmain-rt: --seccomp takes enforce, log or off. See "
                 "ringmain-rt --help\n");
}

static void test_arguments_weaker_filter_needs_development(void **state) {
    (void)state;
    expect_wrong("--config a --seccomp off",
                 "ringmain-rt: --seccomp log and off need --development. "
                 "See ringmain-rt --help\n");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_arguments_config_alone_demands_everything),
        cmocka_unit_test(test_arguments_overrides_are_taken),
        cmocka_unit_test(test_arguments_check_config_starts_nothing),
        cmocka_unit_test(test_arguments_help_and_version_are_answered),
        cmocka_unit_test(test_arguments_wrong_ones_are_named_in_one_line),
        cmocka_unit_test(test_arguments_weaker_filter_needs_development),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
