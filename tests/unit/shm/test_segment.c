#include "shm/shm.h"
#include "tests/unit/shm/support.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/wait.h>

static char name[64];

static int setup(void **state) {
    (void)state;
    support_name(name, "segment");
    return shm_unlink_all(name);
}

static int teardown(void **state) {
    (void)state;
    return shm_unlink_all(name);
}

static struct shm_start create(struct shm_rt *rt, uint64_t boot_id) {
    struct shm_start start;
    assert_int_equal(shm_rt_create(rt, name, boot_id, SHM_POLICY_REFUSE, 1000, &start), 0);
    return start;
}

static struct event event_of(uint64_t value) {
    return (struct event){.type = EVENT_LIMIT, .slot = EVENT_SLOT_NONE, .value = (int64_t)value};
}

static void push_event(struct shm_rt *rt, uint64_t value) {
    struct event e = event_of(value);
    assert_int_equal(shm_rt_events(rt, &e, 1), 1);
}

/* Overwrites 8 bytes of the file, as a damaged or foreign program would. */
static void poke(off_t offset, uint64_t value) {
    int file = shm_open(name, O_RDWR, 0);
    assert_true(file >= 0);
    assert_int_equal(pwrite(file, &value, sizeof value, offset), sizeof value);
    close(file);
}

/* ---- start ---- */

static void test_segment_first_start_is_created_and_knows_nothing(void **state) {
    (void)state;
    struct shm_rt rt;
    struct shm_start start = create(&rt, 77);
    assert_int_equal(start.origin, SHM_ORIGIN_CREATED);
    assert_int_equal(start.boot_count, 1);
    assert_int_equal(start.previous_boot_id, 0);
    assert_int_equal(start.next_event_seq, 1);
    assert_int_equal(start.unread_events, 0);
    assert_false(start.latches_known);
    assert_int_equal(start.sessions_lost, 0);
    struct session_slot slot;
    assert_int_equal(shm_rt_sessions_left(&rt, 0, &slot), -ENODATA);
    shm_rt_close(&rt);
}

static void test_segment_second_rt_is_refused_while_the_first_lives(void **state) {
    (void)state;
    struct shm_rt first;
    struct shm_rt second;
    struct shm_start start;
    (void)create(&first, 1);
    assert_int_equal(shm_rt_create(&second, name, 2, SHM_POLICY_REPLACE, 0, &start), -EBUSY);
    shm_rt_close(&first);
    assert_int_equal(shm_rt_create(&second, name, 2, SHM_POLICY_REFUSE, 0, &start), 0);
    assert_int_equal(start.origin, SHM_ORIGIN_ADOPTED);
    shm_rt_close(&second);
}

static void test_segment_bad_names_are_refused(void **state) {
    (void)state;
    static const char *const bad[] = {
        "", "/", "ringmain", "/a/b",
        "/0123456789012345678901234567890123456789012345678901234567890123"};
    struct shm_rt rt;
    struct shm_peer peer;
    struct shm_start start;
    for (unsigned i = 0; i < 5; i++) {
        assert_int_equal(shm_rt_create(&rt, bad[i], 1, SHM_POLICY_REFUSE, 0, &start), -EINVAL);
        assert_int_equal(shm_attach(&peer, bad[i], SHM_READ), -EINVAL);
        assert_int_equal(shm_unlink_all(bad[i]), -EINVAL);
    }
}

static void test_segment_next_start_adopts_all_that_was_retained(void **state) {
    (void)state;
    struct shm_rt rt;
    (void)create(&rt, 100);
    struct session_slot sessions = {.finished_count = 2};
    sessions.running.session_id = 31;
    sessions.finished[1].session_id = 30;
    sessions.finished[1].energy_mwh = 5555;
    shm_rt_sessions(&rt, 4, &sessions);
    uint64_t latched[RM_SLOTS_MAX] = {[3] = 1u << FAULT_IMD_LOW};
    shm_rt_latches(&rt, latched, true, true);
    for (uint64_t i = 1; i <= 5; i++) {
        push_event(&rt, i);
    }
    shm_rt_close(&rt); /* dies */

    struct shm_start start = create(&rt, 200);
    assert_int_equal(start.origin, SHM_ORIGIN_ADOPTED);
    assert_int_equal(start.boot_count, 2);
    assert_int_equal(start.previous_boot_id, 100);
    assert_int_equal(start.next_event_seq, 6);
    assert_int_equal(start.unread_events, 5);
    assert_true(start.latches_known);
    assert_true(start.latches.estop_latched == 1);
    assert_int_equal(start.latches.latched[3], 1u << FAULT_IMD_LOW);
    assert_int_equal(start.latches.boot_id, 100);
    assert_int_equal(start.sessions_lost, 0);
    struct shm_peer ctl;
    struct shm_latches latches;
    assert_int_equal(shm_attach(&ctl, name, SHM_READ), 0);
    assert_int_equal(shm_latches_read(&ctl, &latches), 0);
    assert_int_equal(latches.boot_id, 200);
    assert_int_equal(latches.boot_count, 2);
    assert_int_equal(latches.latched[3], 1u << FAULT_IMD_LOW);
    shm_detach(&ctl);
    struct session_slot left;
    assert_int_equal(shm_rt_sessions_left(&rt, 4, &left), 0);
    assert_memory_equal(&left, &sessions, sizeof left);
    assert_int_equal(shm_rt_sessions_left(&rt, 5, &left), -ENODATA);

    push_event(&rt, 6);
    struct shm_peer nrt;
    assert_int_equal(shm_attach(&nrt, name, SHM_WRITE), 0);
    struct event events[10];
    uint32_t taken = 0;
    assert_int_equal(shm_events_peek(&nrt, events, 10, &taken), 6);
    for (unsigned i = 0; i < 6; i++) {
        assert_int_equal(events[i].seq, i + 1);
        assert_int_equal(events[i].value, i + 1);
    }
    assert_int_equal(shm_event_boot_id(&nrt, 5), 100);
    assert_int_equal(shm_event_boot_id(&nrt, 6), 200);
    shm_detach(&nrt);
    shm_rt_close(&rt);
}

static void test_segment_latches_of_an_unknowing_rt_are_not_relied_on(void **state) {
    (void)state;
    struct shm_rt rt;
    (void)create(&rt, 1);
    uint64_t latched[RM_SLOTS_MAX] = {[0] = 2};
    shm_rt_latches(&rt, latched, false, false);
    shm_rt_close(&rt);
    struct shm_start start = create(&rt, 2);
    assert_false(start.latches_known);
    assert_int_equal(start.latches.latched[0], 2);
    shm_rt_close(&rt);
    start = create(&rt, 3); /* a start alone does not make them known */
    assert_false(start.latches_known);
    assert_int_equal(start.latches.latched[0], 2);
    shm_rt_latches(&rt, latched, false, true);
    shm_rt_close(&rt);
    start = create(&rt, 4);
    assert_true(start.latches_known);
    shm_rt_close(&rt);
}

static void test_segment_damaged_latches_are_unknown_damaged_sessions_are_counted(void **state) {
    (void)state;
    struct shm_rt rt;
    (void)create(&rt, 1);
    uint64_t latched[RM_SLOTS_MAX] = {0};
    shm_rt_latches(&rt, latched, false, true);
    struct session_slot sessions = {.finished_count = 0};
    sessions.running.session_id = 9;
    shm_rt_sessions(&rt, 2, &sessions);
    shm_rt_close(&rt);
    for (unsigned copy = 0; copy < 2; copy++) {
        size_t payload = sizeof(struct snapshot) + RETAINED_PREFIX + 16;
        poke((off_t)(offsetof(struct shm_segment, latches) +
                     copy * RETAINED_COPY(sizeof(struct shm_latches)) + payload),
             0xbad);
        poke((off_t)(offsetof(struct shm_segment, sessions) + 2 * sizeof rt.segment->sessions[0] +
                     copy * RETAINED_COPY(sizeof(struct session_slot)) + payload),
             0xbad);
    }
    struct shm_start start = create(&rt, 2);
    assert_int_equal(start.origin, SHM_ORIGIN_ADOPTED);
    assert_false(start.latches_known);
    assert_int_equal(start.sessions_lost, 1);
    struct session_slot left;
    assert_true(shm_rt_sessions_left(&rt, 2, &left) < 0);
    shm_rt_close(&rt);
}

static void test_segment_other_version_is_refused_or_replaced_by_policy(void **state) {
    (void)state;
    struct shm_rt rt;
    struct shm_start start;
    (void)create(&rt, 1);
    struct shm_peer old;
    assert_int_equal(shm_attach(&old, name, SHM_READ), 0);
    push_event(&rt, 1);
    shm_rt_close(&rt);
    poke(offsetof(struct shm_header, version),
         (SHM_LAYOUT_VERSION + 1) | (uint64_t)sizeof(struct shm_header) << 32);
    assert_int_equal(shm_rt_create(&rt, name, 2, SHM_POLICY_REFUSE, 0, &start), -EPROTONOSUPPORT);
    assert_true(shm_is_current(&old));
    assert_int_equal(shm_rt_create(&rt, name, 2, SHM_POLICY_REPLACE, 0, &start), 0);
    assert_int_equal(start.origin, SHM_ORIGIN_REPLACED);
    assert_int_equal(start.boot_count, 1);
    assert_int_equal(start.next_event_seq, 1);
    assert_false(shm_is_current(&old));
    shm_detach(&old);
    shm_rt_close(&rt);
}

static void test_segment_other_hash_is_refused_or_replaced_by_policy(void **state) {
    (void)state;
    struct shm_rt rt;
    struct shm_start start;
    (void)create(&rt, 1);
    shm_rt_close(&rt);
    poke(offsetof(struct shm_header, layout_hash), shm_layout_hash ^ 1u);
    assert_int_equal(shm_rt_create(&rt, name, 2, SHM_POLICY_REFUSE, 0, &start), -EBADMSG);
    assert_int_equal(shm_rt_create(&rt, name, 2, SHM_POLICY_REPLACE, 0, &start), 0);
    assert_int_equal(start.origin, SHM_ORIGIN_REPLACED);
    shm_rt_close(&rt);
}

static void test_segment_unfinished_or_truncated_is_replaced_always(void **state) {
    (void)state;
    struct shm_rt rt;
    struct shm_start start;
    static const off_t sizes[] = {0, 1, 100, sizeof(struct shm_header), 70000};
    for (unsigned i = 0; i < 5; i++) {
        (void)create(&rt, 1);
        shm_rt_close(&rt);
        int file = shm_open(name, O_RDWR, 0);
        assert_true(file >= 0);
        assert_int_equal(ftruncate(file, sizes[i]), 0);
        close(file);
        assert_int_equal(shm_rt_create(&rt, name, 2, SHM_POLICY_REFUSE, 0, &start), 0);
        assert_int_equal(start.origin, SHM_ORIGIN_REPLACED);
        shm_rt_close(&rt);
    }
    poke(0, 0); /* died before the magic was written */
    assert_int_equal(shm_rt_create(&rt, name, 2, SHM_POLICY_REFUSE, 0, &start), 0);
    assert_int_equal(start.origin, SHM_ORIGIN_REPLACED);
    shm_rt_close(&rt);
}

/* ---- attaching ---- */

static void test_segment_attach_errors_are_distinct(void **state) {
    (void)state;
    struct shm_rt rt;
    struct shm_peer peer;
    assert_int_equal(shm_attach(&peer, name, SHM_READ), -ENOENT);
    (void)create(&rt, 1);
    poke(0, 0);
    assert_int_equal(shm_attach(&peer, name, SHM_READ), -EAGAIN);
    poke(0, 0x1234);
    assert_int_equal(shm_attach(&peer, name, SHM_READ), -EPROTO);
    poke(0, SHM_MAGIC);
    atomic_store(&rt.segment->header.state, SHM_STATE_PREPARING);
    assert_int_equal(shm_attach(&peer, name, SHM_WRITE), -EAGAIN);
    atomic_store(&rt.segment->header.state, SHM_STATE_READY);
    rt.segment->header.version++;
    assert_int_equal(shm_attach(&peer, name, SHM_READ), -EPROTONOSUPPORT);
    rt.segment->header.version--;
    rt.segment->header.layout_hash++;
    assert_int_equal(shm_attach(&peer, name, SHM_READ), -EBADMSG);
    rt.segment->header.layout_hash--;
    rt.segment->header.region[SHM_REGION_EVENTS].offset += 64;
    assert_int_equal(shm_attach(&peer, name, SHM_READ), -EPROTO);
    rt.segment->header.region[SHM_REGION_EVENTS].offset -= 64;
    assert_int_equal(shm_attach(&peer, name, SHM_READ), 0);
    shm_detach(&peer);
    shm_rt_close(&rt);
    int file = shm_open(name, O_RDWR, 0);
    assert_int_equal(ftruncate(file, sizeof(struct shm_segment) - 1), 0);
    close(file);
    assert_int_equal(shm_attach(&peer, name, SHM_READ), -ENODATA);
    static const int errors[] = {0,       -ENOENT, -EAGAIN, -ENODATA, -EPROTONOSUPPORT, -EBADMSG,
                                 -EPROTO, -EBUSY,  -EINVAL, -EACCES,  -ENOSPC,          -EMFILE};
    for (unsigned i = 0; i < sizeof errors / sizeof errors[0]; i++) {
        for (unsigned j = 0; j < i; j++) {
            assert_string_not_equal(shm_error_text(errors[i]), shm_error_text(errors[j]));
        }
    }
}

static void test_segment_second_writer_is_refused_readers_are_not(void **state) {
    (void)state;
    struct shm_rt rt;
    struct shm_peer nrt;
    struct shm_peer other;
    (void)create(&rt, 1);
    assert_int_equal(shm_attach(&nrt, name, SHM_WRITE), 0);
    assert_int_equal(shm_attach(&other, name, SHM_WRITE), -EBUSY);
    assert_int_equal(shm_attach(&other, name, SHM_READ), 0);
    shm_detach(&other);
    shm_detach(&nrt);
    assert_int_equal(shm_attach(&other, name, SHM_WRITE), 0);
    shm_detach(&other);
    shm_rt_close(&rt);
}

/* In a child: dies by SIGSEGV when the write is not allowed. */
static int signal_of_write(volatile unsigned char *at) {
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        (void)signal(SIGSEGV, SIG_DFL);
        *at = 1;
        _exit(0);
    }
    int status = 0;
    assert_int_equal(waitpid(child, &status, 0), child);
    return WIFSIGNALED(status) ? WTERMSIG(status) : 0;
}

static void test_segment_nrt_can_write_only_its_own_area(void **state) {
    (void)state;
    struct shm_rt rt;
    struct shm_peer nrt;
    (void)create(&rt, 1);
    assert_int_equal(shm_attach(&nrt, name, SHM_WRITE), 0);
    unsigned char *base = nrt.mapping;
    assert_int_equal(signal_of_write(base + offsetof(struct shm_segment, nrt.command)), 0);
    assert_int_equal(signal_of_write(base), SIGSEGV);
    assert_int_equal(signal_of_write(base + offsetof(struct shm_segment, lines)), SIGSEGV);
    assert_int_equal(signal_of_write(base + offsetof(struct shm_segment, sessions)), SIGSEGV);
    shm_detach(&nrt);
    assert_int_equal(shm_attach(&nrt, name, SHM_READ), 0);
    base = nrt.mapping;
    assert_int_equal(signal_of_write(base + offsetof(struct shm_segment, nrt)), SIGSEGV);
    shm_detach(&nrt);
    shm_rt_close(&rt);
}

static void test_segment_restarted_rt_is_noticed(void **state) {
    (void)state;
    struct shm_rt rt;
    struct shm_peer nrt;
    (void)create(&rt, 1);
    assert_int_equal(shm_attach(&nrt, name, SHM_WRITE), 0);
    assert_true(shm_is_current(&nrt));
    shm_rt_close(&rt);
    assert_true(shm_is_current(&nrt));
    (void)create(&rt, 2);
    assert_false(shm_is_current(&nrt));
    shm_detach(&nrt);
    assert_int_equal(shm_attach(&nrt, name, SHM_WRITE), 0);
    assert_int_equal(nrt.boot_id, 2);
    shm_detach(&nrt);
    shm_rt_close(&rt);
}

/* ---- traffic ---- */

static void test_segment_heartbeats_both_ways(void **state) {
    (void)state;
    struct shm_rt rt;
    struct shm_peer nrt;
    (void)create(&rt, 1);
    assert_int_equal(shm_attach(&nrt, name, SHM_WRITE), 0);
    assert_false(shm_rt_peer_alive(&rt, 2000, 1000));
    shm_peer_heartbeat(&nrt, 2000);
    assert_true(shm_rt_peer_alive(&rt, 2000, 1000));
    assert_true(shm_rt_peer_alive(&rt, 3000, 1000));
    assert_false(shm_rt_peer_alive(&rt, 3001, 1000));
    assert_false(shm_rt_peer_alive(&rt, 1999, 1000)); /* from the future */
    atomic_store(&nrt.own->heartbeat_mono_ns, INT64_MIN);
    assert_false(shm_rt_peer_alive(&rt, 3000, INT64_MAX));
    shm_rt_heartbeat(&rt, 5000);
    assert_int_equal(shm_rt_age(&nrt, 5100), 100);
    assert_int_equal(shm_rt_age(&nrt, 4000), 0);
    shm_peer_heartbeat(&nrt, 6000);
    shm_detach(&nrt);
    assert_false(shm_rt_peer_alive(&rt, 6000, 1000)); /* ended cleanly */
    shm_rt_close(&rt);
}

static void test_segment_status_arrives_with_its_slots_only(void **state) {
    (void)state;
    static struct status in;
    static struct status out;
    struct shm_rt rt;
    struct shm_peer ctl;
    (void)create(&rt, 1);
    assert_int_equal(shm_attach(&ctl, name, SHM_READ), 0);
    assert_int_equal(shm_status_read(&ctl, &out), -ENODATA);
    static const uint32_t slots[] = {RM_SLOTS_MAX, 12, 0, 1};
    for (unsigned i = 0; i < 4; i++) {
        support_fill(&in, sizeof in, i + 1);
        in.slots = slots[i];
        in.interfaces = 4;
        shm_rt_status(&rt, &in);
        memset(&out, 0xff, sizeof out);
        assert_int_equal(shm_status_read(&ctl, &out), 0);
        size_t used = offsetof(struct status, slot) + slots[i] * sizeof out.slot[0];
        assert_memory_equal(&out, &in, used);
        for (size_t b = used; b < sizeof out; b++) {
            assert_int_equal(((unsigned char *)&out)[b], 0);
        }
    }
    in.slots = 2; /* says three slots, brought two */
    shm_rt_status(&rt, &in);
    in.slots = 3;
    snapshot_put(&rt.status, 0, &in, offsetof(struct status, interface));
    assert_int_equal(shm_status_read(&ctl, &out), -EPROTO);
    shm_detach(&ctl);
    shm_rt_close(&rt);
}

static void test_segment_sessions_are_read_per_slot_with_generation(void **state) {
    (void)state;
    struct shm_rt rt;
    struct shm_peer nrt;
    struct session_slot out;
    uint64_t generation = 0;
    (void)create(&rt, 1);
    assert_int_equal(shm_attach(&nrt, name, SHM_WRITE), 0);
    assert_int_equal(shm_sessions_read(&nrt, 0, &out, NULL), -ENODATA);
    assert_int_equal(shm_sessions_read(&nrt, RM_SLOTS_MAX, &out, NULL), -EINVAL);
    assert_int_equal(shm_sessions_read(&nrt, UINT32_MAX, &out, NULL), -EINVAL);
    for (uint32_t n = 0; n <= SESSIONS_FINISHED_MAX; n++) {
        struct session_slot in = {.finished_count = n};
        in.running.session_id = 1000 + n;
        for (uint32_t i = 0; i < n; i++) {
            support_fill(&in.finished[i], sizeof in.finished[i], n * 100 + i);
        }
        shm_rt_sessions(&rt, RM_SLOTS_MAX - 1, &in);
        assert_int_equal(shm_sessions_generation(&nrt, RM_SLOTS_MAX - 1), n + 1);
        assert_int_equal(shm_sessions_read(&nrt, RM_SLOTS_MAX - 1, &out, &generation), 0);
        assert_int_equal(generation, n + 1);
        assert_memory_equal(&out, &in, sizeof out);
    }
    shm_detach(&nrt);
    shm_rt_close(&rt);
}

static void test_segment_events_are_numbered_and_kept_until_committed(void **state) {
    (void)state;
    struct shm_rt rt;
    struct shm_peer nrt;
    struct event out[8];
    uint32_t taken = 0;
    (void)create(&rt, 1);
    assert_int_equal(shm_attach(&nrt, name, SHM_WRITE), 0);
    assert_int_equal(shm_events_peek(&nrt, out, 8, &taken), 0);
    struct event batch[3] = {event_of(10), event_of(11), event_of(12)};
    assert_int_equal(shm_rt_events(&rt, batch, 3), 3);
    assert_int_equal(shm_events_peek(&nrt, out, 2, &taken), 2);
    shm_detach(&nrt); /* killed before its store committed */
    assert_int_equal(shm_attach(&nrt, name, SHM_WRITE), 0);
    assert_int_equal(shm_events_peek(&nrt, out, 8, &taken), 3);
    assert_int_equal(out[0].seq, 1);
    assert_int_equal(out[2].seq, 3);
    shm_events_commit(&nrt, 2);
    shm_detach(&nrt);
    assert_int_equal(shm_attach(&nrt, name, SHM_WRITE), 0);
    assert_int_equal(shm_events_peek(&nrt, out, 8, &taken), 1);
    assert_int_equal(out[0].seq, 3);
    assert_int_equal(out[0].value, 12);
    shm_detach(&nrt);
    shm_rt_close(&rt);
}

static void test_segment_full_events_ring_drops_new_ones_and_counts(void **state) {
    (void)state;
    struct shm_rt rt;
    struct shm_peer nrt;
    (void)create(&rt, 1);
    for (uint64_t i = 1; i <= SHM_EVENTS; i++) {
        push_event(&rt, i);
    }
    struct event more[2] = {event_of(1), event_of(2)};
    assert_int_equal(shm_rt_events(&rt, more, 2), 0);
    assert_int_equal(shm_attach(&nrt, name, SHM_WRITE), 0);
    assert_int_equal(shm_events_dropped(&nrt), 2);
    struct event out[4];
    uint32_t taken = 0;
    assert_int_equal(shm_events_peek(&nrt, out, 4, &taken), 4);
    assert_int_equal(out[0].seq, 1);
    shm_events_commit(&nrt, taken);
    push_event(&rt, 99);
    shm_detach(&nrt);
    shm_rt_close(&rt);
}

static void test_segment_damaged_event_is_skipped_and_counted(void **state) {
    (void)state;
    struct shm_rt rt;
    struct shm_peer nrt;
    struct event out[8];
    uint32_t taken = 0;
    (void)create(&rt, 1);
    for (uint64_t i = 1; i <= 4; i++) {
        push_event(&rt, i);
    }
    rt.segment->event[1].seq = 900;
    assert_int_equal(shm_attach(&nrt, name, SHM_WRITE), 0);
    assert_int_equal(shm_events_peek(&nrt, out, 8, &taken), 3);
    assert_int_equal(taken, 4);
    assert_int_equal(out[0].seq, 1);
    assert_int_equal(out[1].seq, 3);
    assert_int_equal(nrt.events_skipped, 1);
    shm_events_commit(&nrt, taken);
    assert_int_equal(shm_events_peek(&nrt, out, 8, &taken), 0);
    shm_detach(&nrt);
    shm_rt_close(&rt);
}

static void test_segment_commands_are_answered_and_bells_ring(void **state) {
    (void)state;
    struct shm_rt rt;
    struct shm_peer nrt;
    (void)create(&rt, 1);
    assert_int_equal(shm_attach(&nrt, name, SHM_WRITE), 0);
    struct command in = {.id = 42, .type = COMMAND_SITE_LIMIT, .value = 100000};
    assert_int_equal(shm_command_send(&nrt, &in), 0);
    struct pollfd bell = {.fd = rt.commands_bell.queue, .events = POLLIN};
    assert_int_equal(poll(&bell, 1, 0), 1);
    assert_int_equal(doorbell_drain(&rt.commands_bell), 1);
    struct command out[4];
    assert_int_equal(shm_rt_commands(&rt, out, 4), 1);
    assert_memory_equal(&out[0], &in, sizeof in);
    struct command_result answer = {.id = out[0].id, .status = COMMAND_STATUS_OK};
    shm_rt_result(&rt, &answer);
    shm_rt_commands_done(&rt, 1);
    assert_int_equal(shm_rt_commands(&rt, out, 4), 0);
    shm_rt_ring(&rt);
    assert_int_equal(doorbell_drain(&nrt.events_bell), 1);
    struct command_result results[4];
    assert_int_equal(shm_results_take(&nrt, results, 4), 1);
    assert_int_equal(results[0].id, 42);
    assert_int_equal(shm_results_take(&nrt, results, 4), 0);
    shm_detach(&nrt);
    shm_rt_close(&rt);
}

static void test_segment_commands_survive_both_restarts(void **state) {
    (void)state;
    struct shm_rt rt;
    struct shm_peer nrt;
    (void)create(&rt, 1);
    assert_int_equal(shm_attach(&nrt, name, SHM_WRITE), 0);
    struct command c = {.id = 1, .type = COMMAND_STOP};
    assert_int_equal(shm_command_send(&nrt, &c), 0);
    c.id = 2;
    assert_int_equal(shm_command_send(&nrt, &c), 0);
    shm_detach(&nrt);
    struct command out[4];
    assert_int_equal(shm_rt_commands(&rt, out, 1), 1);
    shm_rt_commands_done(&rt, 1);
    shm_rt_close(&rt);
    (void)create(&rt, 2);
    assert_int_equal(shm_rt_commands(&rt, out, 4), 1);
    assert_int_equal(out[0].id, 2);
    assert_int_equal(shm_attach(&nrt, name, SHM_WRITE), 0);
    c.id = 3;
    assert_int_equal(shm_command_send(&nrt, &c), 0);
    assert_int_equal(shm_rt_commands(&rt, out, 4), 2);
    assert_int_equal(out[1].id, 3);
    shm_detach(&nrt);
    shm_rt_close(&rt);
}

static void test_segment_full_command_ring_refuses(void **state) {
    (void)state;
    struct shm_rt rt;
    struct shm_peer nrt;
    (void)create(&rt, 1);
    assert_int_equal(shm_attach(&nrt, name, SHM_WRITE), 0);
    struct command c = {.id = 1};
    for (unsigned i = 0; i < SHM_COMMANDS; i++) {
        assert_int_equal(shm_command_send(&nrt, &c), 0);
    }
    assert_int_equal(shm_command_send(&nrt, &c), -EAGAIN);
    shm_detach(&nrt);
    shm_rt_close(&rt);
}

static void test_segment_telemetry_is_read_by_each_for_itself(void **state) {
    (void)state;
    struct shm_rt rt;
    struct shm_peer a;
    struct shm_peer b;
    struct telemetry out[4];
    (void)create(&rt, 1);
    assert_int_equal(shm_attach(&a, name, SHM_WRITE), 0);
    assert_int_equal(shm_attach(&b, name, SHM_READ), 0);
    struct telemetry t = {.cycle = 1, .budgets_w = 50000};
    shm_rt_telemetry(&rt, &t);
    assert_int_equal(shm_telemetry_read(&a, out, 4), 1);
    assert_int_equal(out[0].budgets_w, 50000);
    assert_int_equal(shm_telemetry_read(&b, out, 4), 1);
    for (unsigned i = 0; i < 3 * SHM_TELEMETRY; i++) {
        t.cycle++;
        shm_rt_telemetry(&rt, &t);
    }
    uint64_t read = 0;
    for (uint32_t n; (n = shm_telemetry_read(&a, out, 4)) > 0;) {
        read += n;
    }
    assert_int_equal(read + a.telemetry.lost, 3 * SHM_TELEMETRY);
    assert_int_equal(out[0].cycle <= t.cycle, 1);
    shm_detach(&a);
    shm_detach(&b);
    shm_rt_close(&rt);
}

static void test_segment_diagnostics_are_seen_by_the_others(void **state) {
    (void)state;
    struct shm_rt rt;
    struct shm_peer ctl;
    (void)create(&rt, 1);
    assert_int_equal(shm_attach(&ctl, name, SHM_READ), 0);
    diag_add(shm_rt_diag(&rt), DIAG_RX_FRAMES, 12);
    diag_error_log(shm_rt_diag(&rt), 5, "mod0: bus-off");
    assert_int_equal(diag_get(shm_diag(&ctl), DIAG_RX_FRAMES), 12);
    shm_rt_close(&rt);
    (void)create(&rt, 2);
    struct diag_error_copy e;
    assert_int_equal(diag_get(shm_diag(&ctl), DIAG_RX_FRAMES), 0);
    assert_true(diag_error_read(shm_diag(&ctl), 0, &e));
    assert_string_equal(e.text, "mod0: bus-off");
    shm_detach(&ctl);
    shm_rt_close(&rt);
}

static void test_segment_boot_ids_of_many_starts(void **state) {
    (void)state;
    struct shm_rt rt;
    struct shm_peer ctl;
    for (uint64_t boot = 1; boot <= SHM_BOOTS + 4; boot++) {
        struct shm_start start = create(&rt, boot * 7);
        assert_int_equal(start.boot_count, boot);
        assert_int_equal(start.previous_boot_id, (boot - 1) * 7);
        push_event(&rt, boot);
        shm_rt_close(&rt);
    }
    (void)create(&rt, 999);
    assert_int_equal(shm_attach(&ctl, name, SHM_READ), 0);
    assert_int_equal(shm_event_boot_id(&ctl, SHM_BOOTS + 4), (SHM_BOOTS + 4) * 7);
    assert_int_equal(shm_event_boot_id(&ctl, 10), 70);
    assert_int_equal(shm_event_boot_id(&ctl, 1), 0); /* longer ago than is remembered */
    shm_detach(&ctl);
    shm_rt_close(&rt);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(test_segment_first_start_is_created_and_knows_nothing),
        TEST(test_segment_second_rt_is_refused_while_the_first_lives),
        TEST(test_segment_bad_names_are_refused),
        TEST(test_segment_next_start_adopts_all_that_was_retained),
        TEST(test_segment_latches_of_an_unknowing_rt_are_not_relied_on),
        TEST(test_segment_damaged_latches_are_unknown_damaged_sessions_are_counted),
        TEST(test_segment_other_version_is_refused_or_replaced_by_policy),
        TEST(test_segment_other_hash_is_refused_or_replaced_by_policy),
        TEST(test_segment_unfinished_or_truncated_is_replaced_always),
        TEST(test_segment_attach_errors_are_distinct),
        TEST(test_segment_second_writer_is_refused_readers_are_not),
        TEST(test_segment_nrt_can_write_only_its_own_area),
        TEST(test_segment_restarted_rt_is_noticed),
        TEST(test_segment_heartbeats_both_ways),
        TEST(test_segment_status_arrives_with_its_slots_only),
        TEST(test_segment_sessions_are_read_per_slot_with_generation),
        TEST(test_segment_events_are_numbered_and_kept_until_committed),
        TEST(test_segment_full_events_ring_drops_new_ones_and_counts),
        TEST(test_segment_damaged_event_is_skipped_and_counted),
        TEST(test_segment_commands_are_answered_and_bells_ring),
        TEST(test_segment_commands_survive_both_restarts),
        TEST(test_segment_full_command_ring_refuses),
        TEST(test_segment_telemetry_is_read_by_each_for_itself),
        TEST(test_segment_diagnostics_are_seen_by_the_others),
        TEST(test_segment_boot_ids_of_many_starts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
