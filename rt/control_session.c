/* Session records: what is billed is state. A record runs while the sequencer's row says so, and waits in its slot
 * until nrt has acknowledged it. */
#include "rt/control_private.h"

#include <string.h>

static struct session_record *running(struct control *c, uint32_t slot) {
    return &c->slot[slot].records.running;
}

static void begin(struct control *c, uint32_t slot, int64_t now_us) {
    struct control_slot *s = &c->slot[slot];
    const struct config_connector *connector = &c->config->connector[c->config->slot[slot].gun];
    const struct image_slot *image = &c->image.slot[slot];
    struct session_record *r = running(c, slot);
    c->session_counter++;
    memset(r, 0, sizeof *r);
    memset(&s->session, 0, sizeof s->session);
    r->session_id = ((c->boot_id & UINT32_MAX) << 32) | c->session_counter;
    r->boot_id = c->boot_id;
    r->start_mono_ns = now_us * 1000;
    r->slot = (uint16_t)slot;
    r->auth_source = (uint8_t)s->gun.auth_source;
    r->soc_start_pct = 255;
    r->soc_stop_pct = 255;
    r->meter_source = connector->meter_source == METER_SOURCE_SHUNT ? 1 : 0;
    r->meter_start_wh = image->meter_wh;
    r->meter_stop_wh = image->meter_wh;
    memcpy(r->id_token, s->gun.id_token, sizeof r->id_token);
    s->session.at_us = now_us;
    s->session.renewed_us = now_us;
    s->records_seq++;
}

/* Energy is the difference of the refined register since it was first read in this session; it never goes down. */
static void read_meter(struct control *c, uint32_t slot) {
    struct control_session *book = &c->slot[slot].session;
    const struct image_slot *image = &c->image.slot[slot];
    struct session_record *r = running(c, slot);
    if (!image->meter_known && !image->meter_fallback) {
        return;
    }
    if (!book->metered) {
        book->metered = true;
        book->meter_start_mwh = image->meter_mwh;
        r->meter_start_wh = image->meter_wh;
        r->meter_stop_wh = image->meter_wh;
    }
    const int64_t energy_mwh = image->meter_mwh - book->meter_start_mwh;
    if (energy_mwh > r->energy_mwh) {
        r->energy_mwh = energy_mwh;
    }
    if (image->meter_wh > r->meter_stop_wh) {
        r->meter_stop_wh = image->meter_wh;
    }
    if (image->meter_fallback) {
        r->meter_source |= 0x80u;
    }
}

static void read_vehicle(struct control *c, uint32_t slot, int64_t now_us) {
    const struct image_slot *image = &c->image.slot[slot];
    const struct image_identity *evcc = &image->identity[IDENTITY_EVCCID];
    struct session_record *r = running(c, slot);
    if (sample_fresh(&image->soc_pct, now_us, CONTROL_SOC_MS)) {
        r->soc_stop_pct = (uint8_t)image->soc_pct.value;
        if (r->soc_start_pct == 255) {
            r->soc_start_pct = r->soc_stop_pct;
        }
    }
    if (evcc->length > 0 && r->evccid[0] == '\0') {
        const size_t length = strnlen(evcc->text, sizeof evcc->text);
        memcpy(r->evccid, evcc->text, length < sizeof r->evccid ? length : sizeof r->evccid - 1);
    }
}

static void renew(struct control *c, uint32_t slot, int64_t now_us) {
    struct control_slot *s = &c->slot[slot];
    const struct image_slot *image = &c->image.slot[slot];
    struct session_record *r = running(c, slot);
    const int64_t power_w = (int64_t)image->gun_mv.value * image->gun_ma.value / 1000000;
    const bool current = image->gun_ma.valid && image->gun_ma.value > c->config->interlock.i_off_ma;
    if (current && s->gun.energised) {
        s->session.flowing_us += now_us - s->session.at_us;
        if (power_w > (int64_t)r->peak_w && power_w <= UINT32_MAX) {
            r->peak_w = (uint32_t)power_w;
        }
    }
    s->session.at_us = now_us;
    if (now_us - s->session.renewed_us < CONTROL_RECORD_US && s->gun.session) {
        return;
    }
    s->session.renewed_us = now_us;
    r->charging_ms = s->session.flowing_us / 1000;
    read_meter(c, slot);
    read_vehicle(c, slot, now_us);
    s->records_seq++;
}

static void end(struct control *c, uint32_t slot, int64_t now_us) {
    struct control_slot *s = &c->slot[slot];
    struct session_slot *records = &s->records;
    struct session_record *r = running(c, slot);
    r->stop_mono_ns = now_us * 1000;
    r->stop_reason = (uint8_t)s->gun.stop_reason;
    r->fault = (uint16_t)s->gun.fault;
    assert(records->finished_count < SESSIONS_FINISHED_MAX); /* none starts without room */
    records->finished[records->finished_count] = *r;
    records->finished_count++;
    memset(r, 0, sizeof *r);
    s->records_seq++;
}

static void announce(struct control *c, uint32_t slot, enum event_type type,
                     struct event_batch *events, int64_t now_us) {
    const struct session_record *r = running(c, slot);
    struct event *e = control_event(events, type, slot, now_us);
    if (e == NULL) {
        return;
    }
    e->value = (int64_t)r->session_id;
    if (type == EVENT_SESSION_STARTED) {
        e->a = r->auth_source;
        memcpy(e->text, r->id_token, sizeof e->text);
    } else if (type == EVENT_SESSION_ENERGISED) {
        e->b = r->soc_start_pct;
    } else {
        e->a = (uint16_t)c->slot[slot].gun.stop_reason;
        e->b = (uint16_t)c->slot[slot].gun.fault;
    }
}

void control_session_follow(struct control *c, uint32_t slot, const struct gun_effects *effects,
                            struct event_batch *events, int64_t now_us) {
    struct session_record *r = running(c, slot);
    if (effects->session_begin) {
        begin(c, slot, now_us);
        announce(c, slot, EVENT_SESSION_STARTED, events, now_us);
    }
    if (r->session_id == 0) {
        return;
    }
    if (effects->session_energised) {
        r->energised = 1;
        c->slot[slot].session.renewed_us = 0; /* whatever else: renewed in this step */
    }
    renew(c, slot, now_us);
    if (effects->session_energised) {
        announce(c, slot, EVENT_SESSION_ENERGISED, events, now_us);
    }
    if (effects->session_end) {
        announce(c, slot, EVENT_SESSION_ENDED, events, now_us);
        end(c, slot, now_us);
    }
}

bool control_session_acknowledge(struct control *c, uint32_t slot, uint64_t session_id) {
    struct session_slot *records = &c->slot[slot].records;
    for (uint32_t i = 0; i < records->finished_count; i++) {
        if (records->finished[i].session_id != session_id) {
            continue;
        }
        records->finished_count--;
        memmove(&records->finished[i], &records->finished[i + 1],
                (records->finished_count - i) * sizeof records->finished[0]);
        memset(&records->finished[records->finished_count], 0, sizeof records->finished[0]);
        c->slot[slot].records_seq++;
        return true;
    }
    return false;
}

const struct session_slot *control_sessions(const struct control *c, uint32_t slot,
                                            uint64_t *changed_seq) {
    assert(slot < c->config->slots);
    *changed_seq = c->slot[slot].records_seq;
    return &c->slot[slot].records;
}

void control_adopt_sessions(struct control *c, uint32_t slot, const struct session_slot *from) {
    assert(slot < c->config->slots);
    struct session_slot *to = &c->slot[slot].records;
    const uint32_t count =
        from->finished_count < SESSIONS_FINISHED_MAX ? from->finished_count : SESSIONS_FINISHED_MAX;
    memset(to, 0, sizeof *to);
    for (uint32_t i = 0; i < count; i++) {
        if (from->finished[i].session_id != 0) {
            to->finished[to->finished_count] = from->finished[i];
            to->finished_count++;
        }
    }
    /* A session starts only with a place free for its end; a region that says otherwise is not one of ours. */
    if (from->running.session_id != 0 && to->finished_count < SESSIONS_FINISHED_MAX) {
        struct session_record *r = &to->finished[to->finished_count];
        *r = from->running;
        r->slot = (uint16_t)slot;
        r->stop_mono_ns = r->stop_mono_ns != 0 ? r->stop_mono_ns : c->now_us * 1000;
        r->stop_reason = STOP_REASON_RESTART;
        to->finished_count++;
    }
    c->slot[slot].records_seq++;
}
