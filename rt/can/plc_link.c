/* CRC policy of the link, and the start-up check that PLC and hub agree on using it (contract section 1). */
#include "rt/can/plc_private.h"

#define CRC_WINDOW_US     1000000
#define CRC_GOOD_IN_A_ROW 10
#define CHECK_WINDOW_US   3000000
#define CHECK_FRAMES_MIN  5

enum crc_evidence { CRC_EVIDENCE_NONE, CRC_EVIDENCE_AGREES, CRC_EVIDENCE_DISAGREES };

/* What a frame tells about the PLC's mode. A payload whose CRC is 0 and whose byte 7 is 0 fits both modes. */
static enum crc_evidence evidence(const uint8_t data[8], bool use_crc) {
    uint8_t crc = hub_crc8(data, 7);
    if (crc == 0 && data[7] == 0) {
        return CRC_EVIDENCE_NONE;
    }
    uint8_t expected = use_crc ? crc : 0;
    return data[7] == expected ? CRC_EVIDENCE_AGREES : CRC_EVIDENCE_DISAGREES;
}

static void decide(struct plc_link *link, bool agrees, struct image_slot *image) {
    link->check_decided = true;
    link->agree_run = 0;
    image->plc_crc_mode_fault = !agrees;
    image->plc_boot_checked = agrees;
}

/* Agreement is declared as soon as five frames say so; disagreement only when the window is over, so that a few
 * disturbed frames at start do not lock a slot out. */
static void check_mode(struct plc_link *link, enum crc_evidence what, struct image_slot *image,
                       int64_t now_us) {
    if (what == CRC_EVIDENCE_NONE) {
        return;
    }
    bool agrees = what == CRC_EVIDENCE_AGREES;
    if (link->check_decided) {
        if (!image->plc_crc_mode_fault) {
            return;
        }
        link->agree_run = agrees ? (uint8_t)(link->agree_run + 1) : 0;
        if (link->agree_run >= CRC_GOOD_IN_A_ROW) {
            decide(link, true, image);
        }
        return;
    }
    if (link->check_since_us == 0) {
        link->check_since_us = now_us;
    }
    uint16_t *count = agrees ? &link->check_agree : &link->check_disagree;
    if (*count < UINT16_MAX) {
        ++*count;
    }
    if (link->check_agree >= CHECK_FRAMES_MIN && link->check_agree > link->check_disagree) {
        decide(link, true, image);
    }
}

void plc_link_tick(struct plc *p, struct image_slot *image, int64_t now_us) {
    struct plc_link *link = &p->link;
    if (link->check_decided || link->check_since_us == 0 ||
        now_us - link->check_since_us < CHECK_WINDOW_US) {
        return;
    }
    if (link->check_agree + link->check_disagree >= CHECK_FRAMES_MIN) {
        decide(link, link->check_agree > link->check_disagree, image);
    }
}

void plc_link_restart(struct plc *p) {
    struct plc_link *link = &p->link;
    link->check_decided = false;
    link->check_since_us = 0;
    link->check_agree = 0;
    link->check_disagree = 0;
    link->agree_run = 0;
}

static void note_bad(struct plc_link *link, struct image_slot *image, int64_t now_us) {
    image->crc_errors++;
    link->good_run = 0;
    if (link->bad_count == 3) {
        link->bad_at_us[0] = link->bad_at_us[1];
        link->bad_at_us[1] = link->bad_at_us[2];
        link->bad_count = 2;
    }
    link->bad_at_us[link->bad_count++] = now_us;
    if (link->bad_count == 3 && now_us - link->bad_at_us[0] <= CRC_WINDOW_US) {
        image->plc_comm_fault = true;
    }
}

static void note_good(struct plc_link *link, struct image_slot *image) {
    if (link->good_run < CRC_GOOD_IN_A_ROW) {
        link->good_run++;
    }
    if (link->good_run == CRC_GOOD_IN_A_ROW) {
        image->plc_comm_fault = false;
    }
}

bool plc_link_accept(struct plc *p, const struct config *config, const struct hub_message *message,
                     const struct can_frame *frame, struct image_slot *image, int64_t now_us) {
    if (!message->has_crc) {
        return true;
    }
    bool use_crc = config->plc.use_crc8;
    check_mode(&p->link, evidence(frame->data, use_crc), image, now_us);
    if (!use_crc) {
        return true;
    }
    if (!hub_crc8_ok(frame->data)) {
        note_bad(&p->link, image, now_us);
        return false;
    }
    note_good(&p->link, image);
    return true;
}
