/* Identities that arrive in segments of five bytes: RFID, EVMAC, EMAID, EVCCID. Each is put together by itself, in any
 * order of segments, and dropped after 5 s without progress. What is published is printable: UIDs and MACs as hex. */
#include "rt/can/plc_private.h"

#include <string.h>

#define SEGMENT_BYTES     5
#define PROGRESS_US       5000000
#define EMAID_WAIT_US     1200000 /* EMAID1 comes within its period of 1 s, or not at all */
#define TEXT_MAX          (RM_ID_TOKEN_LEN - 1)
#define HEX_BYTES_MAX     (TEXT_MAX / 2)
#define MAC_BYTES         6
#define RFID_UID_MAX      10
#define RFID_TYPE_REMOVED 2

struct segment {
    uint8_t total, count, index, event;
    const uint8_t *bytes;
};

static void clear(struct plc_identities *ids, enum plc_assembly_kind kind) {
    ids->active &= (uint8_t) ~(1u << kind);
    ids->assembly[kind].have = 0;
}

/* true when the last missing segment has come. */
static bool add(struct plc_identities *ids, enum plc_assembly_kind kind,
                const struct segment *segment, int64_t now_us) {
    struct plc_assembly *a = &ids->assembly[kind];
    unsigned offset = segment->index * (unsigned)SEGMENT_BYTES;
    unsigned rest = segment->total - offset;
    unsigned length = rest < SEGMENT_BYTES ? rest : SEGMENT_BYTES;
    bool other = a->have != 0 && (a->total != segment->total || a->count != segment->count ||
                                  a->event != segment->event);
    bool known = a->have & (1u << segment->index);
    if (known && !other && memcmp(a->data + offset, segment->bytes, length) == 0) {
        return false; /* a repetition is no progress */
    }
    if (other || known) {
        a->have = 0; /* another identity has begun */
    }
    a->total = segment->total;
    a->count = segment->count;
    a->event = segment->event;
    a->have |= (uint16_t)(1u << segment->index);
    a->progress_us = now_us;
    memcpy(a->data + offset, segment->bytes, length);
    ids->active |= (uint8_t)(1u << kind);
    return a->have == (1u << a->count) - 1;
}

static bool fits(const struct segment *segment, unsigned most_bytes) {
    return segment->total > 0 && segment->total <= most_bytes &&
           segment->count == (segment->total + SEGMENT_BYTES - 1) / SEGMENT_BYTES &&
           segment->index < segment->count;
}

static void put_hex(const uint8_t *bytes, unsigned length, char text[RM_ID_TOKEN_LEN]) {
    static const char digit[] = "0123456789ABCDEF";
    char *out = text;
    for (unsigned i = 0; i < length; i++) {
        *out++ = digit[bytes[i] >> 4];
        *out++ = digit[bytes[i] & 0xf];
    }
    *out = '\0';
}

static bool is_printable(const uint8_t *bytes, unsigned length) {
    for (unsigned i = 0; i < length; i++) {
        if (bytes[i] < 0x20 || bytes[i] > 0x7e) {
            return false;
        }
    }
    return true;
}

static void publish(struct image_identity *identity, const char *text, bool is_event) {
    bool same = identity->length != 0 && strcmp(identity->text, text) == 0;
    if (same && !is_event) {
        return;
    }
    memset(identity->text, 0, sizeof(identity->text));
    size_t length = strnlen(text, TEXT_MAX);
    memcpy(identity->text, text, length);
    identity->length = (uint8_t)length;
    identity->generation++;
}

void plc_identity_rfid(struct plc *p, const struct hub_rfid_event *in, struct image_slot *image,
                       int64_t now_us) {
    struct plc_identities *ids = &p->identities;
    const uint8_t bytes[SEGMENT_BYTES] = {(uint8_t)in->data0, (uint8_t)in->data1,
                                          (uint8_t)in->data2, (uint8_t)in->data3,
                                          (uint8_t)in->data4};
    const struct segment segment = {(uint8_t)in->uid_len_bytes, (uint8_t)in->seg_cnt,
                                    (uint8_t)in->seg_idx, (uint8_t)in->event_id, bytes};
    if (in->event_type >= RFID_TYPE_REMOVED) {
        return; /* a card taken away is not presented */
    }
    if (!fits(&segment, RFID_UID_MAX)) {
        image->format_errors++;
        return;
    }
    if (ids->rfid_seen && ids->rfid_event == segment.event) {
        return; /* the same event, sent again */
    }
    if (!add(ids, PLC_ASSEMBLY_RFID, &segment, now_us)) {
        return;
    }
    char text[RM_ID_TOKEN_LEN];
    put_hex(ids->assembly[PLC_ASSEMBLY_RFID].data, segment.total, text);
    publish(&image->identity[IDENTITY_RFID], text, true);
    ids->rfid_seen = true;
    ids->rfid_event = segment.event;
    clear(ids, PLC_ASSEMBLY_RFID);
}

static void publish_emaid(struct plc_identities *ids, struct image_slot *image) {
    char text[RM_ID_TOKEN_LEN] = {0};
    size_t first = ids->emaid_length[0], second = ids->emaid_length[1];
    ids->emaid_wait_us = 0;
    if (first + second > TEXT_MAX) {
        image->format_errors++;
        return;
    }
    memcpy(text, ids->emaid[0], first);
    memcpy(text + first, ids->emaid[1], second);
    publish(&image->identity[IDENTITY_EMAID], text, false);
}

/* EMAID1 continues EMAID0. The first part alone is an identity only when no second one follows. */
static void take_emaid(struct plc_identities *ids, unsigned part, const uint8_t *bytes,
                       unsigned length, struct image_slot *image, int64_t now_us) {
    bool same = ids->emaid_length[part] == length && memcmp(ids->emaid[part], bytes, length) == 0;
    if (same && image->identity[IDENTITY_EMAID].length != 0) {
        return;
    }
    memset(ids->emaid[part], 0, sizeof(ids->emaid[part]));
    memcpy(ids->emaid[part], bytes, length);
    ids->emaid_length[part] = (uint8_t)length;
    if (part == 0 && !same) {
        ids->emaid_length[1] = 0; /* a second part of another identity does not belong to it */
    }
    if (ids->emaid_length[0] != 0 && ids->emaid_length[1] != 0) {
        publish_emaid(ids, image);
    } else if (part == 0 && ids->emaid_wait_us == 0) {
        ids->emaid_wait_us = now_us + EMAID_WAIT_US;
    }
}

static void complete(struct plc_identities *ids, enum plc_assembly_kind kind,
                     struct image_slot *image, int64_t now_us) {
    const struct plc_assembly *a = &ids->assembly[kind];
    bool is_emaid = kind == PLC_ASSEMBLY_EMAID0 || kind == PLC_ASSEMBLY_EMAID1;
    bool hex = kind == PLC_ASSEMBLY_EVMAC || (kind == PLC_ASSEMBLY_EVCCID && a->total == MAC_BYTES);
    if (hex) {
        char text[RM_ID_TOKEN_LEN];
        put_hex(a->data, a->total, text);
        bool mac = kind == PLC_ASSEMBLY_EVMAC;
        publish(&image->identity[mac ? IDENTITY_EVMAC : IDENTITY_EVCCID], text, false);
    } else if (!is_printable(a->data, a->total)) {
        image->format_errors++;
    } else if (is_emaid) {
        take_emaid(ids, kind == PLC_ASSEMBLY_EMAID1, a->data, a->total, image, now_us);
    } else {
        char text[RM_ID_TOKEN_LEN] = {0};
        memcpy(text, a->data, a->total);
        publish(&image->identity[IDENTITY_EVCCID], text, false);
    }
}

void plc_identity_segment(struct plc *p, enum plc_assembly_kind kind, const uint8_t data[8],
                          struct image_slot *image, int64_t now_us) {
    struct plc_identities *ids = &p->identities;
    struct hub_evmac in; /* the four messages have one layout, which a test checks */
    hub_decode_evmac(data, &in);
    const uint8_t bytes[SEGMENT_BYTES] = {(uint8_t)in.data0, (uint8_t)in.data1, (uint8_t)in.data2,
                                          (uint8_t)in.data3, (uint8_t)in.data4};
    const struct segment segment = {(uint8_t)in.total_len_bytes, (uint8_t)in.seg_cnt,
                                    (uint8_t)in.seg_idx, 0, bytes};
    if (segment.total == 0) {
        return; /* the vehicle has none */
    }
    if (!fits(&segment, kind == PLC_ASSEMBLY_EVMAC ? HEX_BYTES_MAX : TEXT_MAX)) {
        image->format_errors++;
        return;
    }
    if (add(ids, kind, &segment, now_us)) {
        complete(ids, kind, image, now_us);
        clear(ids, kind);
    }
}

void plc_identity_tick(struct plc *p, struct image_slot *image, int64_t now_us) {
    struct plc_identities *ids = &p->identities;
    if (ids->emaid_wait_us != 0 && now_us >= ids->emaid_wait_us) {
        publish_emaid(ids, image);
    }
    if (ids->active == 0) {
        return;
    }
    for (unsigned kind = 0; kind < PLC_ASSEMBLIES; kind++) {
        if ((ids->active & (1u << kind)) &&
            now_us - ids->assembly[kind].progress_us >= PROGRESS_US) {
            clear(ids, (enum plc_assembly_kind)kind);
        }
    }
}

static void forget_one(struct image_identity *identity) {
    identity->length = 0;
    identity->text[0] = '\0';
}

void plc_identity_forget(struct plc *p, struct image_slot *image) {
    struct plc_identities *ids = &p->identities;
    for (unsigned kind = PLC_ASSEMBLY_EVMAC; kind < PLC_ASSEMBLIES; kind++) {
        clear(ids, (enum plc_assembly_kind)kind);
    }
    ids->emaid_length[0] = 0;
    ids->emaid_length[1] = 0;
    ids->emaid_wait_us = 0;
    forget_one(&image->identity[IDENTITY_EVCCID]);
    forget_one(&image->identity[IDENTITY_EMAID]);
    forget_one(&image->identity[IDENTITY_EVMAC]);
}

void plc_identity_restart(struct plc *p) {
    p->identities.rfid_seen = false; /* it counts its events from the start again */
    for (unsigned kind = 0; kind < PLC_ASSEMBLIES; kind++) {
        clear(&p->identities, (enum plc_assembly_kind)kind);
    }
}
