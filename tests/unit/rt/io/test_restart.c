/* Restart after bus-off through libsocketcan: success, refusal, and the other way after too many refusals. The library's
 * calls and the opening of the interface are wrapped: no controller that could be made to go bus-off is at hand. */
#include <errno.h>
#include <fcntl.h>
#include <libsocketcan.h>
#include <linux/can/netlink.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "rt/io/links.h"

#define MS 1000

static struct config config;
static struct links links;
static struct bus_filters filters[RM_INTERFACES_MAX];

static struct controller {
    bool refuses_restart, refuses_open, mute; /* mute: its state cannot be had */
    int state;                                /* of enum can_state */
    unsigned restarts, opens;
} controller;

int __wrap_can_do_restart(const char *name);
int __wrap_can_get_state(const char *name, int *state);
bool __wrap_bus_is_real_controller(const char *name);
int __wrap_bus_open(const struct config_interface *interface, const struct bus_filters *f,
                    struct io_error *error);

int __wrap_can_do_restart(const char *name) {
    assert_string_equal(name, "can0");
    controller.restarts++;
    if (controller.refuses_restart) {
        return -1;
    }
    controller.state = CAN_STATE_ERROR_ACTIVE;
    return 0;
}

int __wrap_can_get_state(const char *name, int *state) {
    assert_string_equal(name, "can0");
    *state = controller.state;
    return controller.mute ? -1 : 0;
}

bool __wrap_bus_is_real_controller(const char *name) {
    (void)name;
    return true;
}

int __wrap_bus_open(const struct config_interface *interface, const struct bus_filters *f,
                    struct io_error *error) {
    (void)interface;
    (void)f;
    controller.opens++;
    if (controller.refuses_open) {
        strcpy(error->text, "interface can0: controller does not start. See dmesg");
        return -ENETDOWN;
    }
    controller.state = CAN_STATE_ERROR_ACTIVE;
    return open("/dev/null", O_RDWR | O_CLOEXEC);
}

static int setup(void **state) {
    (void)state;
    memset(&config, 0, sizeof config);
    memset(&controller, 0, sizeof controller);
    config.interfaces = 1;
    strcpy(config.interface[0].name, "can0");
    config.interface[0].transport = CAN_TRANSPORT_SOCKETCAN;
    config.interface[0].manage = true;
    struct io_error error = {""};
    assert_int_equal(links_open(&links, &config, filters, &error), 0);
    int fd = links_take(&links, 0);
    assert_true(fd >= 0);
    close(fd);
    assert_int_equal(controller.opens, 1);
    controller.state = CAN_STATE_BUS_OFF;
    return 0;
}

static int teardown(void **state) {
    (void)state;
    links_close(&links);
    return 0;
}

/* The guard's question, and the main thread's answer to it. */
static void ask(int64_t now_us) {
    links_ask_restart(&links, 0);
    (void)links_service(&links, now_us);
}

static void silence_bell(void) {
    uint64_t rings;
    (void)!read(links.guard_bell, &rings, sizeof rings);
}

static bool bell_rings(void) {
    struct pollfd p = {.fd = links.guard_bell, .events = POLLIN};
    return poll(&p, 1, 0) == 1;
}

static enum interface_state look(void) {
    enum interface_state state = INTERFACE_STATE_COUNT;
    int64_t began_us = 0;
    return links_supervised(&links, 0, &state, &began_us) ? state : INTERFACE_STATE_COUNT;
}

static void test_restart_asked_once_is_done_once(void **state) {
    (void)state;
    ask(1000 * MS);
    assert_int_equal(controller.restarts, 1);
    (void)links_service(&links, 1001 * MS);
    assert_int_equal(controller.restarts, 1);
    assert_int_equal(links_restarts_refused(&links, 0), 0);
    (void)links_service(&links, 1600 * MS); /* the next look */
    assert_int_equal(look(), INTERFACE_UP);
    assert_int_equal(controller.opens, 1);
}

static void test_restart_refused_is_counted_and_asked_again(void **state) {
    (void)state;
    controller.refuses_restart = true;
    for (unsigned n = 1; n < LINKS_RESTARTS_REFUSED_MAX; n++) {
        ask(n * 1000 * MS);
        assert_int_equal(controller.restarts, n);
        assert_int_equal(links_restarts_refused(&links, 0), n);
        assert_int_equal(look(), INTERFACE_BUS_OFF);
    }
    assert_non_null(strstr(links.place[0].said.text, "can0"));
    assert_non_null(strstr(links.place[0].said.text, "CAP_NET_ADMIN"));
    controller.refuses_restart = false;
    ask(9000 * MS);
    assert_int_equal(links.place[0].said.text[0], 0); /* said that it is well again */
    controller.state = CAN_STATE_BUS_OFF;
    controller.refuses_restart = true;
    for (unsigned n = 1; n < LINKS_RESTARTS_REFUSED_MAX; n++) { /* counted from the start again */
        ask((9 + n) * 1000 * MS);
    }
    assert_int_equal(look(), INTERFACE_BUS_OFF);
    assert_int_equal(controller.opens, 1);
}

/* libsocketcan refuses what is not bus-off: that is no failure, and the guard is told what the controller is. */
static void test_restart_of_a_controller_that_came_back_is_no_refusal(void **state) {
    (void)state;
    controller.refuses_restart = true;
    controller.state = CAN_STATE_ERROR_WARNING;
    silence_bell();
    for (unsigned n = 0; n < 2 * LINKS_RESTARTS_REFUSED_MAX; n++) {
        ask((1 + n) * 1000 * MS);
    }
    assert_int_equal(links_restarts_refused(&links, 0), 0);
    assert_int_equal(look(), INTERFACE_WARNING);
    assert_true(bell_rings());
}

/* A state that cannot be had is no proof of health. */
static void test_restart_refused_with_an_unknown_state_is_a_refusal(void **state) {
    (void)state;
    controller.refuses_restart = true;
    controller.mute = true;
    ask(1000 * MS);
    assert_int_equal(links_restarts_refused(&links, 0), 1);
}

static void test_restart_refused_five_times_opens_the_interface_anew(void **state) {
    (void)state;
    controller.refuses_restart = true;
    int64_t now_us = 0;
    for (unsigned n = 0; n < LINKS_RESTARTS_REFUSED_MAX; n++) {
        silence_bell();
        now_us += 1000 * MS;
        ask(now_us);
    }
    assert_int_equal(look(), INTERFACE_DOWN); /* the guard gives its descriptor up .. */
    assert_true(bell_rings());
    (void)links_service(&links, now_us + LINKS_SUPERVISE_MS * MS);
    assert_int_equal(look(), INTERFACE_DOWN); /* and a later look does not take it back */
    assert_int_equal(controller.opens, 1);
    links_ask_connect(&links, 0); /* .. and asks for another */
    now_us += 1000 * MS;
    controller.refuses_open = true;
    (void)links_service(&links, now_us);
    for (int64_t wait_ms = BUS_BACKOFF_FIRST_MS; wait_ms <= 400; wait_ms *= 2) { /* with back-off */
        const unsigned opens = controller.opens;
        (void)links_service(&links, now_us + wait_ms * MS - 1);
        assert_int_equal(controller.opens, opens);
        now_us += wait_ms * MS;
        (void)links_service(&links, now_us);
        assert_int_equal(controller.opens, opens + 1);
    }
    assert_int_equal(links_failures(&links, 0), 3);
    assert_int_equal(look(), INTERFACE_DOWN);
    controller.refuses_open = false;
    (void)links_service(&links, now_us + 800 * MS);
    int fd = links_take(&links, 0);
    assert_true(fd >= 0);
    close(fd);
    (void)links_service(&links, now_us + 2000 * MS);
    assert_int_equal(look(), INTERFACE_UP);
    assert_int_equal(links_restarts_refused(&links, 0), LINKS_RESTARTS_REFUSED_MAX);
}

/* A controller that the system manages is the system's to restart. */
static void test_restart_of_an_unmanaged_controller_is_never_tried(void **state) {
    (void)state;
    links.place[0].supervise = false;
    ask(1000 * MS);
    assert_int_equal(controller.restarts, 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(test_restart_asked_once_is_done_once),
        TEST(test_restart_refused_is_counted_and_asked_again),
        TEST(test_restart_of_a_controller_that_came_back_is_no_refusal),
        TEST(test_restart_refused_with_an_unknown_state_is_a_refusal),
        TEST(test_restart_refused_five_times_opens_the_interface_anew),
        TEST(test_restart_of_an_unmanaged_controller_is_never_tried),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
