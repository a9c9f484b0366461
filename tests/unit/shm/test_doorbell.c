#include "shm/doorbell.h"
#include "tests/unit/shm/support.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>

static int is_readable(const struct doorbell *d) {
    struct pollfd descriptor = {.fd = d->queue, .events = POLLIN};
    assert_true(poll(&descriptor, 1, 0) >= 0);
    return (descriptor.revents & POLLIN) != 0;
}

static void test_doorbell_rung_on_one_side_is_heard_on_the_other(void **state) {
    (void)state;
    char name[64];
    struct doorbell rt;
    struct doorbell nrt;
    support_name(name, "bell");
    assert_int_equal(doorbell_create(&rt, name), 0);
    assert_int_equal(doorbell_open(&nrt, name), 0);
    assert_false(is_readable(&nrt));
    assert_true(doorbell_ring(&rt, 1));
    assert_true(doorbell_ring(&rt, 2));
    assert_true(is_readable(&nrt));
    assert_int_equal(doorbell_drain(&nrt), 2);
    assert_int_equal(nrt.heard, 2);
    assert_false(is_readable(&nrt));
    assert_int_equal(doorbell_drain(&nrt), 0);
    doorbell_close(&nrt);
    doorbell_close(&rt);
    assert_int_equal(doorbell_unlink(name), 0);
}

static void test_doorbell_full_queue_is_counted_and_never_blocks(void **state) {
    (void)state;
    char name[64];
    struct doorbell d;
    support_name(name, "full");
    assert_int_equal(doorbell_create(&d, name), 0);
    for (unsigned i = 0; i < DOORBELL_MESSAGES; i++) {
        assert_true(doorbell_ring(&d, i));
    }
    assert_false(doorbell_ring(&d, 9));
    assert_false(doorbell_ring(&d, 10));
    assert_int_equal(d.rung, 8);
    assert_int_equal(d.lost, 2);
    assert_int_equal(doorbell_drain(&d), 8);
    assert_true(doorbell_ring(&d, 11));
    doorbell_close(&d);
    assert_int_equal(doorbell_unlink(name), 0);
}

static void test_doorbell_restarted_rt_keeps_the_queue_of_its_peer(void **state) {
    (void)state;
    char name[64];
    struct doorbell rt;
    struct doorbell nrt;
    support_name(name, "again");
    assert_int_equal(doorbell_create(&rt, name), 0);
    assert_int_equal(doorbell_open(&nrt, name), 0);
    doorbell_close(&rt);
    assert_int_equal(doorbell_create(&rt, name), 0);
    assert_true(doorbell_ring(&rt, 1));
    assert_int_equal(doorbell_drain(&nrt), 1);
    doorbell_close(&nrt);
    doorbell_close(&rt);
    assert_int_equal(doorbell_unlink(name), 0);
}

static void test_doorbell_queue_of_another_shape_is_refused_or_replaced(void **state) {
    (void)state;
    char name[64];
    support_name(name, "shape");
    struct mq_attr attr = {.mq_maxmsg = 3, .mq_msgsize = 32};
    mqd_t other = mq_open(name, O_RDWR | O_CREAT | O_EXCL, 0600, &attr);
    assert_true(other >= 0);
    struct doorbell d;
    assert_int_equal(doorbell_open(&d, name), -EPROTO);
    assert_int_equal(d.queue, -1);
    assert_int_equal(doorbell_create(&d, name), 0);
    struct mq_attr now;
    assert_int_equal(mq_getattr(d.queue, &now), 0);
    assert_int_equal(now.mq_maxmsg, DOORBELL_MESSAGES);
    assert_int_equal(now.mq_msgsize, DOORBELL_BYTES);
    assert_true((now.mq_flags & O_NONBLOCK) != 0);
    mq_close(other);
    doorbell_close(&d);
    assert_int_equal(doorbell_unlink(name), 0);
}

static void test_doorbell_missing_queue_is_an_error(void **state) {
    (void)state;
    struct doorbell d;
    assert_int_equal(doorbell_open(&d, "/ringmain-test-no-such-bell"), -ENOENT);
    assert_int_equal(doorbell_unlink("/ringmain-test-no-such-bell"), -ENOENT);
    assert_false(doorbell_ring(&d, 1)); /* closed: counted, nothing else */
    assert_int_equal(d.lost, 1);
    assert_int_equal(doorbell_drain(&d), 0);
    doorbell_close(&d);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_doorbell_rung_on_one_side_is_heard_on_the_other),
        cmocka_unit_test(test_doorbell_full_queue_is_counted_and_never_blocks),
        cmocka_unit_test(test_doorbell_restarted_rt_keeps_the_queue_of_its_peer),
        cmocka_unit_test(test_doorbell_queue_of_another_shape_is_refused_or_replaced),
        cmocka_unit_test(test_doorbell_missing_queue_is_an_error),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
