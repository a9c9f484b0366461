/* rt/io/links and bus_open: connecting, reconnecting with back-off, refusals that name interface and mend. */
#include <errno.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <arpa/inet.h>
#include <cmocka.h>
#include <netinet/in.h>

#include "rt/io/clock.h"
#include "rt/io/links.h"

static struct config config;
static struct links links;
static struct bus_filters filters[RM_INTERFACES_MAX];
static char folder[64];

static int setup(void **state) {
    (void)state;
    strcpy(folder, "/tmp/rm_links_XXXXXX");
    assert_non_null(mkdtemp(folder));
    memset(&config, 0, sizeof config);
    config.interfaces = 1;
    strcpy(config.interface[0].name, "plc0");
    config.interface[0].transport = CAN_TRANSPORT_UNIX;
    strcpy(config.interface[0].address, folder);
    return 0;
}

static int teardown(void **state) {
    (void)state;
    char path[96];
    snprintf(path, sizeof path, "%s/plc0.sock", folder);
    unlink(path);
    rmdir(folder);
    return 0;
}

static int listen_at_folder(void) {
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    snprintf(address.sun_path, sizeof address.sun_path, "%s/plc0.sock", folder);
    int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK, 0);
    assert_true(fd >= 0);
    assert_int_equal(bind(fd, (const struct sockaddr *)&address, sizeof address), 0);
    assert_int_equal(listen(fd, 4), 0);
    return fd;
}

static bool is_readable(int fd) {
    struct pollfd p = {.fd = fd, .events = POLLIN};
    return poll(&p, 1, 0) == 1;
}

static void test_links_open_far_side_there_is_offered_at_once(void **state) {
    (void)state;
    int server = listen_at_folder();
    struct io_error error = {""};
    assert_int_equal(links_open(&links, &config, filters, &error), 0);
    assert_true(is_readable(links.guard_bell));
    int fd = links_take(&links, 0);
    assert_true(fd >= 0);
    assert_int_equal(links_take(&links, 0), -1); /* handed over once */
    int far = accept(server, NULL, NULL);
    assert_true(far >= 0);
    struct can_frame f = {.can_id = 1, .len = 8};
    assert_int_equal(send(fd, &f, sizeof f, 0), sizeof f);
    assert_int_equal(recv(far, &f, sizeof f, 0), sizeof f);
    close(far);
    close(fd);
    close(server);
    links_close(&links);
}

static void test_links_open_far_side_missing_is_retried_with_doubled_waits(void **state) {
    (void)state;
    struct io_error error = {""};
    assert_int_equal(links_open(&links, &config, filters, &error), 0);
    int64_t at_us = links.place[0].attempt_us;
    assert_true(at_us != 0);
    assert_int_equal(links_take(&links, 0), -1);
    static const int64_t wait_ms[] = {200, 400, 800, 1000, 1000};
    for (size_t i = 0; i < sizeof wait_ms / sizeof wait_ms[0]; i++) {
        uint32_t failures = links.place[0].failures;
        (void)links_service(&links, at_us - 1);
        assert_int_equal(links.place[0].failures, failures);
        (void)links_service(&links, at_us);
        assert_int_equal(links.place[0].failures, failures + 1);
        assert_int_equal(links.place[0].attempt_us, at_us + wait_ms[i] * 1000);
        at_us += wait_ms[i] * 1000;
    }
    int server = listen_at_folder();
    (void)links_service(&links, at_us);
    int fd = links_take(&links, 0);
    assert_true(fd >= 0);
    assert_int_equal(links.place[0].attempt_us, 0);
    close(fd);
    close(server);
    links_close(&links);
}

static void test_links_ask_connect_reconnects_after_a_loss(void **state) {
    (void)state;
    int server = listen_at_folder();
    struct io_error error = {""};
    assert_int_equal(links_open(&links, &config, filters, &error), 0);
    int fd = links_take(&links, 0);
    close(fd);
    links_ask_connect(&links, 0);
    assert_true(is_readable(links.main_bell));
    int64_t now_us = 50000000;
    int wait_ms = links_service(&links, now_us);
    assert_int_equal(wait_ms, BUS_BACKOFF_FIRST_MS);
    assert_int_equal(links_take(&links, 0), -1);
    (void)links_service(&links, now_us + BUS_BACKOFF_FIRST_MS * 1000);
    fd = links_take(&links, 0);
    assert_true(fd >= 0);
    close(fd);
    close(server);
    links_close(&links);
}

static void test_links_offer_never_taken_is_closed_by_the_next(void **state) {
    (void)state;
    int server = listen_at_folder();
    struct io_error error = {""};
    assert_int_equal(links_open(&links, &config, filters, &error), 0);
    int first = atomic_load(&links.place[0].offered_fd);
    links_ask_connect(&links, 0);
    (void)links_service(&links, 1000000);
    (void)links_service(&links, 2000000);
    int second = links_take(&links, 0);
    assert_true(second >= 0 && second != first);
    assert_int_equal(close(first), -1);
    assert_int_equal(errno, EBADF);
    close(second);
    close(server);
    links_close(&links);
}

static void test_links_open_missing_can_interface_names_it_and_the_mend(void **state) {
    (void)state;
    config.interface[0].transport = CAN_TRANSPORT_SOCKETCAN;
    strcpy(config.interface[0].name, "rmnone0");
    struct io_error error = {""};
    int code = links_open(&links, &config, filters, &error);
    assert_true(code == -ENODEV || code == -EAFNOSUPPORT);
    assert_non_null(strstr(error.text, "rmnone0"));
    assert_non_null(strstr(error.text, "--transport"));
    assert_int_equal(links_take(&links, 0), -1);
}

static void test_bus_open_unix_folder_too_long_is_refused(void **state) {
    (void)state;
    memset(config.interface[0].address, 'x', sizeof config.interface[0].address - 1);
    strcpy(config.interface[0].name, "a-long-name-123");
    struct io_error error = {""};
    assert_int_equal(bus_open_unix(&config.interface[0], &error), -ENAMETOOLONG);
    assert_non_null(strstr(error.text, "a-long-name-123"));
}

static void test_bus_open_unix_stream_server_is_refused(void **state) {
    (void)state;
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    snprintf(address.sun_path, sizeof address.sun_path, "%s/plc0.sock", folder);
    int server = socket(AF_UNIX, SOCK_STREAM, 0);
    assert_int_equal(bind(server, (const struct sockaddr *)&address, sizeof address), 0);
    assert_int_equal(listen(server, 1), 0);
    struct io_error error = {""};
    assert_int_equal(bus_open_unix(&config.interface[0], &error), -EPROTOTYPE);
    close(server);
}

static void test_bus_open_udp_malformed_addresses_are_refused(void **state) {
    (void)state;
    static const char *const wrong[] = {"",
                                        "127.0.0.1",
                                        ":5000",
                                        "127.0.0.1:",
                                        "host:5000",
                                        "127.0.0.1:0",
                                        "1.2.3.4:65536",
                                        "[::1:5000",
                                        "127.0.0.1:5000x",
                                        "1.2.3:70"};
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        config.interface[0].transport = CAN_TRANSPORT_UDP;
        strcpy(config.interface[0].address, wrong[i]);
        struct io_error error = {""};
        assert_int_equal(bus_open(&config.interface[0], &filters[0], &error), -EINVAL);
        assert_non_null(strstr(error.text, "plc0"));
    }
}

static void test_bus_open_udp_carries_frames_both_ways(void **state) {
    (void)state;
    struct sockaddr_in any = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
    socklen_t length = sizeof any;
    int far = socket(AF_INET, SOCK_DGRAM, 0);
    assert_int_equal(bind(far, (const struct sockaddr *)&any, sizeof any), 0);
    assert_int_equal(getsockname(far, (struct sockaddr *)&any, &length), 0);
    config.interface[0].transport = CAN_TRANSPORT_UDP;
    snprintf(config.interface[0].address, sizeof config.interface[0].address, "localhost:%u",
             ntohs(any.sin_port));
    struct io_error error = {""};
    int fd = bus_open(&config.interface[0], &filters[0], &error);
    assert_true(fd >= 0);
    struct can_frame f = {.can_id = 0x123, .len = 8};
    assert_int_equal(send(fd, &f, sizeof f, 0), sizeof f);
    struct sockaddr_in from;
    length = sizeof from;
    assert_int_equal(recvfrom(far, &f, sizeof f, 0, (struct sockaddr *)&from, &length), sizeof f);
    assert_int_equal(sendto(far, &f, sizeof f, 0, (const struct sockaddr *)&from, length),
                     sizeof f);
    struct pollfd p = {.fd = fd, .events = POLLIN};
    assert_int_equal(poll(&p, 1, 1000), 1);
    assert_int_equal(recv(fd, &f, sizeof f, 0), sizeof f);
    close(far);
    close(fd);
}

static void test_bus_is_real_controller_loopback_is_not(void **state) {
    (void)state;
    assert_false(bus_is_real_controller("lo"));
    assert_false(bus_is_real_controller("rmnone0"));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(test_links_open_far_side_there_is_offered_at_once),
        TEST(test_links_open_far_side_missing_is_retried_with_doubled_waits),
        TEST(test_links_ask_connect_reconnects_after_a_loss),
        TEST(test_links_offer_never_taken_is_closed_by_the_next),
        TEST(test_links_open_missing_can_interface_names_it_and_the_mend),
        TEST(test_bus_open_unix_folder_too_long_is_refused),
        TEST(test_bus_open_unix_stream_server_is_refused),
        TEST(test_bus_open_udp_malformed_addresses_are_refused),
        TEST(test_bus_open_udp_carries_frames_both_ways),
        TEST(test_bus_is_real_controller_loopback_is_not),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
