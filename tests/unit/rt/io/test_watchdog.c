/* rt/io/watchdog against a device of the test's own: a file that takes the writes, ioctl by --wrap. */
#include <errno.h>
#include <fcntl.h>
#include <linux/watchdog.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "rt/io/watchdog.h"

#define S (1000000000LL)

static char path[64];
static struct {
    int timeout_asked, timeout_granted, refuse_timeout, keepalives, refuse_keepalive;
} device;

int __wrap_ioctl(int fd, unsigned long request, void *argument);
int __wrap_ioctl(int fd, unsigned long request, void *argument) {
    (void)fd;
    if (request == WDIOC_SETTIMEOUT) {
        memcpy(&device.timeout_asked, argument, sizeof(int));
        if (device.refuse_timeout) {
            errno = EINVAL;
            return -1;
        }
        memcpy(argument, &device.timeout_granted, sizeof(int));
        return 0;
    }
    if (request == WDIOC_KEEPALIVE && !device.refuse_keepalive) {
        device.keepalives++;
        return 0;
    }
    errno = EIO;
    return -1;
}

static int setup(void **state) {
    (void)state;
    memset(&device, 0, sizeof device);
    device.timeout_granted = 5;
    strcpy(path, "/tmp/rm_watchdog_XXXXXX");
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    close(fd);
    return 0;
}

static int teardown(void **state) {
    (void)state;
    unlink(path);
    return 0;
}

/* What was written to the device, as text. */
static const char *written(void) {
    static char text[16];
    memset(text, 0, sizeof text);
    int fd = open(path, O_RDONLY);
    assert_true(read(fd, text, sizeof text - 1) >= 0);
    close(fd);
    return text;
}

static void test_watchdog_open_sets_the_timeout_and_feeds_once(void **state) {
    (void)state;
    struct watchdog w;
    struct io_error error = {""};
    assert_int_equal(watchdog_open(&w, path, 5, &error), 0);
    assert_int_equal(device.timeout_asked, 5);
    assert_int_equal(device.keepalives, 1);
    watchdog_stop(&w);
}

static void test_watchdog_open_takes_the_timeout_the_device_grants(void **state) {
    (void)state;
    device.timeout_granted = 8;
    struct watchdog w;
    struct io_error error = {""};
    assert_int_equal(watchdog_open(&w, path, 5, &error), 0);
    assert_int_equal(w.timeout_s, 8);
    watchdog_stop(&w);
}

static void test_watchdog_open_missing_device_names_it_and_the_mend(void **state) {
    (void)state;
    struct watchdog w;
    struct io_error error = {""};
    assert_int_equal(watchdog_open(&w, "/nowhere/watchdog", 5, &error), -ENOENT);
    assert_int_equal(w.fd, -1);
    assert_non_null(strstr(error.text, "/nowhere/watchdog"));
    assert_non_null(strstr(error.text, "rt.watchdogDevice"));
}

static void test_watchdog_open_refused_timeout_lets_the_device_go(void **state) {
    (void)state;
    device.refuse_timeout = 1;
    struct watchdog w;
    struct io_error error = {""};
    assert_int_equal(watchdog_open(&w, path, 5, &error), -EINVAL);
    assert_string_equal(written(), "V");
    assert_int_equal(w.fd, -1);
}

static void test_watchdog_feed_every_half_second_while_alive(void **state) {
    (void)state;
    struct watchdog w;
    struct io_error error = {""};
    assert_int_equal(watchdog_open(&w, path, 5, &error), 0);
    device.keepalives = 0;
    assert_true(watchdog_feed(&w, true, 10 * S));
    assert_false(watchdog_feed(&w, true, 10 * S + 499999999));
    assert_true(watchdog_feed(&w, true, 10 * S + 500000000));
    assert_int_equal(device.keepalives, 2);
    watchdog_stop(&w);
}

static void test_watchdog_feed_dead_thread_lets_it_bite(void **state) {
    (void)state;
    struct watchdog w;
    struct io_error error = {""};
    assert_int_equal(watchdog_open(&w, path, 5, &error), 0);
    device.keepalives = 0;
    for (int i = 0; i < 100; i++) {
        assert_false(watchdog_feed(&w, false, (10 + i) * S));
    }
    assert_int_equal(device.keepalives, 0);
    watchdog_stop(&w);
}

static void test_watchdog_feed_refused_is_counted(void **state) {
    (void)state;
    struct watchdog w;
    struct io_error error = {""};
    assert_int_equal(watchdog_open(&w, path, 5, &error), 0);
    device.refuse_keepalive = 1;
    assert_false(watchdog_feed(&w, true, 10 * S));
    assert_int_equal(w.feed_errors, 1);
    watchdog_stop(&w);
}

static void test_watchdog_stop_writes_the_magic_character_once(void **state) {
    (void)state;
    struct watchdog w;
    struct io_error error = {""};
    assert_int_equal(watchdog_open(&w, path, 5, &error), 0);
    assert_string_equal(written(), "");
    watchdog_stop(&w);
    assert_string_equal(written(), "V");
    watchdog_stop(&w);
    assert_string_equal(written(), "V");
    assert_false(watchdog_feed(&w, true, 100 * S));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(test_watchdog_open_sets_the_timeout_and_feeds_once),
        TEST(test_watchdog_open_takes_the_timeout_the_device_grants),
        TEST(test_watchdog_open_missing_device_names_it_and_the_mend),
        TEST(test_watchdog_open_refused_timeout_lets_the_device_go),
        TEST(test_watchdog_feed_every_half_second_while_alive),
        TEST(test_watchdog_feed_dead_thread_lets_it_bite),
        TEST(test_watchdog_feed_refused_is_counted),
        TEST(test_watchdog_stop_writes_the_magic_character_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
