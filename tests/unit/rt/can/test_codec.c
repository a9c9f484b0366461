/* The generated codec against the contract's vectors, frames composed by hand, and hub.dbc read by a parser of its own. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "hub_codec.h"

/* CRC bit by bit: polynomial 0x07, init 0. */
static uint8_t crc_by_bits(const uint8_t *data, unsigned length) {
    unsigned crc = 0;
    for (unsigned i = 0; i < length; i++) {
        crc ^= data[i];
        for (unsigned bit = 0; bit < 8; bit++) {
            crc = crc & 0x80 ? ((crc << 1) ^ 0x07) & 0xff : crc << 1;
        }
    }
    return (uint8_t)crc;
}

/* Section 7 of the contract. */
static const uint8_t vectors[][8] = {
    {0, 0, 0, 0, 0, 0, 0, 0},
    {0x01, 0x02, 0x03, 0x04, 0x05, 0x06, 0x07, 0xD8},
    {0x12, 0x34, 0x56, 0x78, 0x9A, 0xBC, 0xDE, 0xD1},
    {0x09, 0x12, 0x07, 0, 0, 0, 0, 0xD0},
    {0x41, 0x12, 0, 0, 0, 0, 0, 0x56},
    {0x15, 0x00, 0x88, 0x13, 0, 0, 0, 0xAA},
    {0x64, 0x00, 0x2C, 0x01, 0x32, 0, 0, 0x42},
    {0xE8, 0x03, 0xFA, 0x00, 0x2C, 0x01, 0x03, 0x8E},
    {0x03, 0x12, 0x10, 0, 0x2A, 0, 0, 0x5C},
    {0x10, 0, 0x01, 0, 0, 0, 0, 0xB1},
    {0x07, 0x03, 0, 0, 0, 0x12, 0x12, 0x6B},
    {0x5A, 0x00, 0x01, 0, 0, 0, 0x02, 0xA9},
};

static void test_crc8_contract_vectors_match(void **state) {
    (void)state;
    for (size_t i = 0; i < sizeof(vectors) / sizeof(vectors[0]); i++) {
        assert_int_equal(hub_crc8(vectors[i], 7), vectors[i][7]);
        assert_int_equal(crc_by_bits(vectors[i], 7), vectors[i][7]);
        assert_true(hub_crc8_ok(vectors[i]));
    }
}

static void test_crc8_every_single_bit_error_is_found(void **state) {
    (void)state;
    for (unsigned bit = 0; bit < 64; bit++) {
        uint8_t data[8];
        memcpy(data, vectors[2], 8);
        data[bit / 8] ^= (uint8_t)(1u << (bit % 8));
        assert_false(hub_crc8_ok(data));
    }
}

static void test_relay_control_vector_encodes(void **state) {
    (void)state;
    const struct hub_relay_control in = {.rly1_cmd = true,
                                         .sys_enable = true,
                                         .cmd_seq = 0x12,
                                         .rly1_enable = true,
                                         .rly2_enable = true,
                                         .rly3_enable = true};
    uint8_t data[8];
    assert_true(hub_encode_relay_control(&in, data));
    assert_memory_equal(data, vectors[3], 8);
}

static void test_gcmc_command_vector_encodes(void **state) {
    (void)state;
    const struct hub_gcmc_command in = {.gc_cmd = true, .clear_faults = true, .cmd_seq = 0x12};
    uint8_t data[8];
    assert_true(hub_encode_gcmc_command(&in, data));
    assert_memory_equal(data, vectors[4], 8);
}

static void test_config_cmd_vector_encodes(void **state) {
    (void)state;
    const struct hub_config_cmd in = {.cfg_param_id = 21, .cfg_value = 5000};
    uint8_t data[8];
    assert_true(hub_encode_config_cmd(&in, data));
    assert_memory_equal(data, vectors[5], 8);
}

static void test_max_limits_vector_encodes(void **state) {
    (void)state;
    const struct hub_evse_dc_max_limits in = {.voltage_dv = 100, .current_da = 300, .power_hw = 50};
    uint8_t data[8];
    assert_true(hub_encode_evse_dc_max_limits(&in, data));
    assert_memory_equal(data, vectors[6], 8);
}

static void test_present_vector_encodes(void **state) {
    (void)state;
    const struct hub_evse_dc_present in = {.voltage_dv = 1000,
                                           .current_da = 250,
                                           .power_hw = 300,
                                           .output_enabled = true,
                                           .regulating = true};
    uint8_t data[8];
    assert_true(hub_encode_evse_dc_present(&in, data));
    assert_memory_equal(data, vectors[7], 8);
}

static void test_relay_status_vector_decodes(void **state) {
    (void)state;
    struct hub_relay_status out;
    assert_true(hub_decode_relay_status(vectors[8], &out));
    assert_true(out.rly1_state && out.rly2_state && !out.rly3_state);
    assert_false(out.rly1_fault || out.rly2_fault || out.rly3_fault || out.safety_active ||
                 out.comm_fault);
    assert_int_equal(out.last_cmd_seq_applied, 0x12);
    assert_true(out.safety_ok);
    assert_false(out.estop_latched || out.earth_fault || out.estop_input || out.sw1 || out.sw4);
    assert_int_equal(out.uptime_s, 42);
}

static void test_safety_vector_decodes(void **state) {
    (void)state;
    struct hub_safety_switch_status out;
    assert_true(hub_decode_safety_switch_status(vectors[9], &out));
    assert_true(out.safety_ok);
    assert_false(out.sw1 || out.sw2 || out.sw3 || out.sw4 || out.estop_latched || out.estop_input);
    assert_int_equal(out.chain_mask, 1);
}

static void test_gcmc_status_vector_decodes(void **state) {
    (void)state;
    struct hub_gcmc_status out;
    assert_true(hub_decode_gcmc_status(vectors[10], &out));
    assert_true(out.gc_seen && out.mc_seen && out.mn0_seen && !out.mn1_seen && !out.bc_seen);
    assert_true(out.gc_feedback && out.mc_feedback && !out.mn0_feedback);
    assert_int_equal(out.last_cmd_seq_applied, 0x12);
    assert_int_equal(out.cmd_seq_rx, 0x12);
}

static void test_config_ack_vector_decodes(void **state) {
    (void)state;
    struct hub_config_ack out;
    assert_true(hub_decode_config_ack(vectors[11], &out));
    assert_int_equal(out.param, 90);
    assert_int_equal(out.status, 0);
    assert_int_equal(out.value, 1);
    assert_int_equal(out.plc_id, 2);
}

static void test_meter_golden_frames_decode(void **state) {
    (void)state;
    struct hub_energy_meter_data out;
    /* m0: 400.0 V, -1.50 A, -0.60 kW */
    assert_true(hub_decode_energy_meter_data(
        (const uint8_t[8]){0, 0x01, 0xA0, 0x0F, 0x6A, 0xFF, 0xC4, 0xFF}, &out));
    assert_true(out.meter_ok && !out.overrange);
    assert_int_equal(out.voltage_dv, 4000);
    assert_int_equal(out.current_ca, -150);
    assert_int_equal(out.power_daw, -60);
    assert_int_equal(out.energy_import_hwh, 0);
    /* m1: 4 294 967 295 x 0.1 kWh, 50.00 Hz, over-range */
    assert_true(hub_decode_energy_meter_data(
        (const uint8_t[8]){1, 0x09, 0xFF, 0xFF, 0xFF, 0xFF, 0x88, 0x13}, &out));
    assert_true(out.overrange);
    assert_int_equal(out.energy_import_hwh, INT64_C(4294967295));
    assert_int_equal(out.frequency_chz, 5000);
    assert_int_equal(out.voltage_dv, 0);
}

static void test_meter_unknown_multiplex_is_refused(void **state) {
    (void)state;
    struct hub_energy_meter_data out;
    assert_false(
        hub_decode_energy_meter_data((const uint8_t[8]){2, 1, 0xff, 0xff, 1, 1, 1, 1}, &out));
    assert_int_equal(out.voltage_dv, 0);
    assert_false(out.meter_ok);
    out.mux = 2;
    uint8_t data[8];
    memset(data, 0xee, sizeof(data));
    assert_false(hub_encode_energy_meter_data(&out, data));
    assert_memory_equal(data, ((const uint8_t[8]){0}), 8);
}

static void test_temperature_negative_golden_frame_decodes(void **state) {
    (void)state;
    struct hub_gun_temperature out;
    assert_true(hub_decode_gun_temperature(
        (const uint8_t[8]){0x38, 0xFF, 0xF4, 0x01, 0x00, 0x80, 0, 0}, &out));
    assert_int_equal(out.pin_dc_plus_ddegc, -200);
    assert_int_equal(out.pin_dc_minus_ddegc, 500);
    assert_int_equal(out.cable_ddegc, -32768);
}

static void test_ids_contract_values(void **state) {
    (void)state;
    assert_int_equal(HUB_ID_RELAY_CONTROL, 0x340);
    assert_int_equal(HUB_ID_CONFIG_CMD, 0x380);
    assert_int_equal(HUB_ID_GCMC_COMMAND, 0x390);
    assert_int_equal(HUB_ID_CP_VOLTAGE_LEVELS, 0x430);
    assert_int_equal(HUB_ID_BOOT_CONFIG, 0x90000);
    assert_int_equal(hub_message_index(0x1D0), HUB_MESSAGE_IMD);
    assert_int_equal(hub_message_index(0x1D1), -1);
    assert_int_equal(hub_message_index(0x120), -1);
}

/* Column C of the contract: which messages carry a CRC, and nothing else does. */
static void test_crc_property_contract_column(void **state) {
    (void)state;
    static const uint32_t with[] = {0x340, 0x380, 0x390, 0x300, 0x310, 0x150,
                                    0x160, 0x190, 0x1A0, 0x1C0, 0x1D0, 0x1E0};
    unsigned count = 0;
    for (unsigned i = 0; i < HUB_MESSAGE_COUNT; i++) {
        count += hub_messages[i].has_crc;
    }
    assert_int_equal(count, sizeof(with) / sizeof(with[0]));
    for (size_t i = 0; i < sizeof(with) / sizeof(with[0]); i++) {
        int index = hub_message_index(with[i]);
        assert_true(index >= 0 && hub_messages[index].has_crc);
    }
    assert_int_equal(HUB_MESSAGE_COUNT, 30); /* 5 of the hub, 25 of the PLC */
}

static void test_identity_messages_share_one_layout(void **state) {
    (void)state;
    const uint8_t data[8] = {11, 3, 2, 'A', 'B', 'C', 'D', 'E'};
    struct hub_evmac mac;
    struct hub_emaid0 first;
    struct hub_emaid1 second;
    struct hub_evccid evccid;
    assert_true(hub_decode_evmac(data, &mac) && hub_decode_emaid0(data, &first));
    assert_true(hub_decode_emaid1(data, &second) && hub_decode_evccid(data, &evccid));
    assert_int_equal(mac.total_len_bytes, 11);
    assert_int_equal(mac.seg_idx, 2);
    assert_int_equal(mac.data4, 'E');
    assert_int_equal(sizeof(mac), sizeof(first));
    assert_memory_equal(&mac, &first, sizeof(mac));
    assert_memory_equal(&mac, &second, sizeof(mac));
    assert_memory_equal(&mac, &evccid, sizeof(mac));
}

/* ---- every signal of hub.dbc, with a parser and a bit extractor that share nothing with the generator ---- */

struct dbc_signal {
    char message[64], name[64], mux[8];
    unsigned start, length;
    bool is_signed;
    double factor, low, high;
};

static int64_t bit_by_bit(const uint8_t data[8], const struct dbc_signal *s) {
    int64_t value = 0;
    for (unsigned i = 0; i < s->length; i++) {
        unsigned bit = s->start + i;
        if (data[bit / 8] >> (bit % 8) & 1) {
            value += INT64_C(1) << i;
        }
    }
    if (s->is_signed &&
        data[(s->start + s->length - 1) / 8] >> ((s->start + s->length - 1) % 8) & 1) {
        value -= INT64_C(1) << s->length;
    }
    return value;
}

static const struct hub_message *find_message(const char *name) {
    for (unsigned i = 0; i < HUB_MESSAGE_COUNT; i++) {
        if (strcmp(hub_messages[i].name, name) == 0) {
            return &hub_messages[i];
        }
    }
    return NULL;
}

static const struct hub_signal *find_signal(const struct hub_message *message, const char *name) {
    for (size_t i = 0; i < message->signals; i++) {
        if (strcmp(message->signal[i].name, name) == 0) {
            return &message->signal[i];
        }
    }
    return NULL;
}

union any_message {
    int64_t align;
    uint8_t bytes[512];
};

static void set_field(union any_message *any, const struct hub_signal *signal, int64_t value) {
    const int32_t narrow = (int32_t)value;
    const bool flag = value != 0;
    switch (signal->type) {
    case HUB_FIELD_BOOL: memcpy(any->bytes + signal->offset, &flag, sizeof(flag)); break;
    case HUB_FIELD_I32: memcpy(any->bytes + signal->offset, &narrow, sizeof(narrow)); break;
    case HUB_FIELD_I64: memcpy(any->bytes + signal->offset, &value, sizeof(value)); break;
    }
}

static int64_t get_field(const union any_message *any, const struct hub_signal *signal) {
    bool flag = false;
    int32_t narrow = 0;
    int64_t wide = 0;
    switch (signal->type) {
    case HUB_FIELD_BOOL: memcpy(&flag, any->bytes + signal->offset, sizeof(flag)); return flag;
    case HUB_FIELD_I32: memcpy(&narrow, any->bytes + signal->offset, sizeof(narrow)); return narrow;
    case HUB_FIELD_I64: memcpy(&wide, any->bytes + signal->offset, sizeof(wide)); break;
    }
    return wide;
}

static int64_t round_to_raw(double physical, double factor) {
    double raw = physical / factor;
    return (int64_t)(raw < 0 ? raw - 0.5 : raw + 0.5);
}

static void set_mux(union any_message *any, const struct hub_message *message,
                    const struct dbc_signal *s) {
    if (s->mux[0] != 'm') {
        return;
    }
    const struct hub_signal *mux = find_signal(message, "MUX");
    assert_non_null(mux);
    set_field(any, mux, atoi(s->mux + 1));
}

static void check_value(const struct hub_message *message, const struct hub_signal *signal,
                        const struct dbc_signal *s, int64_t value) {
    union any_message in = {0}, out = {0};
    uint8_t data[8];
    set_mux(&in, message, s);
    set_field(&in, signal, value);
    assert_true(message->encode(&in, data));
    assert_int_equal(bit_by_bit(data, s), value);
    if (message->has_crc) {
        assert_int_equal(data[7], crc_by_bits(data, 7));
    }
    assert_true(message->decode(data, &out));
    assert_memory_equal(in.bytes, out.bytes, message->struct_size);
    /* nothing but this signal, the multiplexer and the CRC may have bits */
    for (unsigned bit = 0; bit < 64; bit++) {
        bool own = bit >= s->start && bit < s->start + s->length;
        bool mux = s->mux[0] == 'm' && bit < 8;
        if (!own && !mux && !(message->has_crc && bit >= 56)) {
            assert_false(data[bit / 8] >> (bit % 8) & 1);
        }
    }
}

static void check_refused(const struct hub_message *message, const struct hub_signal *signal,
                          const struct dbc_signal *s, int64_t value) {
    if (signal->type == HUB_FIELD_BOOL) {
        return; /* a bool cannot be out of range */
    }
    union any_message in = {0};
    uint8_t data[8];
    set_mux(&in, message, s);
    set_field(&in, signal, value);
    assert_int_equal(get_field(&in, signal), value);
    assert_false(message->encode(&in, data));
    assert_memory_equal(data, ((const uint8_t[8]){0}), 8);
}

static void check_signal(const struct dbc_signal *s) {
    const struct hub_message *message = find_message(s->message);
    assert_non_null(message);
    const struct hub_signal *signal = find_signal(message, s->name);
    if (strcmp(s->name, "CRC8") == 0) {
        assert_true(message->has_crc && s->start == 56 && s->length == 8);
        assert_null(signal);
        return;
    }
    assert_non_null(signal);
    int64_t low = round_to_raw(s->low, s->factor), high = round_to_raw(s->high, s->factor);
    check_value(message, signal, s, low);
    check_value(message, signal, s, high);
    check_value(message, signal, s, low + (high - low) / 3);
    check_refused(message, signal, s, low - 1);
    check_refused(message, signal, s, high + 1);
}

static bool parse_signal(const char *line, struct dbc_signal *s) {
    char sign = 0, colon[8] = "";
    s->mux[0] = '\0';
    if (sscanf(line, " SG_ %63s %7s", s->name, colon) != 2) {
        return false;
    }
    const char *rest = strchr(line, ':');
    if (!rest) {
        return false;
    }
    if (colon[0] != ':') {
        strcpy(s->mux, colon);
    }
    if (sscanf(rest, ": %u|%u@1%c (%lf,%*f) [%lf|%lf]", &s->start, &s->length, &sign, &s->factor,
               &s->low, &s->high) != 6) {
        return false;
    }
    s->is_signed = sign == '-';
    return true;
}

static void test_every_dbc_signal_at_its_limits(void **state) {
    (void)state;
    FILE *file = fopen("configs/hub.dbc", "r");
    assert_non_null(file);
    char line[512];
    struct dbc_signal s = {.message = ""};
    unsigned signals = 0;
    while (fgets(line, sizeof(line), file)) {
        unsigned long id;
        char name[64];
        if (sscanf(line, "BO_ %lu %63[A-Za-z0-9_]", &id, name) == 2) {
            strcpy(s.message, name);
            const struct hub_message *message = find_message(name);
            assert_non_null(message);
            assert_int_equal(message->base_id, id & 0x1fffffff);
            assert_true(id & 0x80000000ul);
            assert_int_equal(id & 0xf, 0);
        } else if (strncmp(line, " SG_", 4) == 0) {
            assert_true(parse_signal(line, &s));
            check_signal(&s);
            signals++;
        }
    }
    fclose(file);
    size_t expected = 0;
    for (unsigned i = 0; i < HUB_MESSAGE_COUNT; i++) {
        expected += hub_messages[i].signals + hub_messages[i].has_crc;
    }
    assert_int_equal(signals, expected);
    assert_true(signals > 150);
}

static void test_decode_any_bytes_reencode_identically(void **state) {
    (void)state;
    uint64_t seed = 0x9e3779b97f4a7c15u;
    for (unsigned round = 0; round < 20000; round++) {
        const struct hub_message *message = &hub_messages[round % HUB_MESSAGE_COUNT];
        uint8_t data[8], again[8], third[8];
        for (unsigned i = 0; i < 8; i++) {
            seed = seed * 6364136223846793005u + 1442695040888963407u;
            data[i] = (uint8_t)(seed >> 56);
        }
        union any_message any = {0}, back = {0};
        if (!message->decode(data, &any) || !message->encode(&any, again)) {
            continue; /* unknown multiplex value, or a value outside the DBC's range */
        }
        assert_true(message->decode(again, &back));
        assert_memory_equal(any.bytes, back.bytes, message->struct_size);
        assert_true(message->encode(&back, third));
        assert_memory_equal(again, third, 8);
        for (unsigned i = 0; i < (message->has_crc ? 7u : 8u); i++) {
            assert_int_equal(again[i] & ~data[i], 0); /* no bit that was not there */
        }
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_crc8_contract_vectors_match),
        cmocka_unit_test(test_crc8_every_single_bit_error_is_found),
        cmocka_unit_test(test_relay_control_vector_encodes),
        cmocka_unit_test(test_gcmc_command_vector_encodes),
        cmocka_unit_test(test_config_cmd_vector_encodes),
        cmocka_unit_test(test_max_limits_vector_encodes),
        cmocka_unit_test(test_present_vector_encodes),
        cmocka_unit_test(test_relay_status_vector_decodes),
        cmocka_unit_test(test_safety_vector_decodes),
        cmocka_unit_test(test_gcmc_status_vector_decodes),
        cmocka_unit_test(test_config_ack_vector_decodes),
        cmocka_unit_test(test_meter_golden_frames_decode),
        cmocka_unit_test(test_meter_unknown_multiplex_is_refused),
        cmocka_unit_test(test_temperature_negative_golden_frame_decodes),
        cmocka_unit_test(test_ids_contract_values),
        cmocka_unit_test(test_crc_property_contract_column),
        cmocka_unit_test(test_identity_messages_share_one_layout),
        cmocka_unit_test(test_every_dbc_signal_at_its_limits),
        cmocka_unit_test(test_decode_any_bytes_reencode_identically),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
