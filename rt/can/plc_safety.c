/* Safety inputs: several frames speak of them, each keeps its own word, and the worst of them counts. Opening (or
 * pressing) takes effect with the frame; closing (or releasing) after 50 ms without an opening in between. */
#include "rt/can/plc_private.h"

#define DEBOUNCE_US 50000

enum {
    REASON_SAFETY_SW1 = 1,
    REASON_SAFETY_SW3 = 3,
    REASON_ESTOP_LATCHED = 4,
    REASON_EARTH_FAULT = 10,
    REASON_SAFETY_SW4 = 11,
    REASON_ESTOP_INPUT = 12
};

/* true while the input is still on its way to closed. */
static bool input_update(struct plc_input *input, bool raw, int64_t now_us) {
    if (!raw) {
        input->raw = false;
        input->closed = false;
        input->decided = true;
        return false;
    }
    if (!input->raw) {
        input->raw = true;
        input->since_us = now_us;
    }
    if (!input->closed && now_us - input->since_us >= DEBOUNCE_US) {
        input->closed = true;
        input->decided = true;
    }
    return !input->closed;
}

/* Until the first 50 ms are over an input is not known, rather than open. */
static void publish(struct sample *sample, const struct plc_input *input, bool value_closed,
                    int64_t at_us) {
    if (input->decided) {
        plc_sample(sample, input->closed == value_closed, at_us);
    }
}

/* The worst of all sources that have spoken. */
static struct plc_safety_source combine(const struct plc_safety *safety) {
    struct plc_safety_source all = {.safety_ok = true, .switches = 0xf};
    for (unsigned i = 0; i < PLC_SAFETY_SOURCES; i++) {
        const struct plc_safety_source *one = &safety->source[i];
        if (!one->seen) {
            continue;
        }
        all.seen = true;
        all.safety_ok = all.safety_ok && one->safety_ok;
        all.estop = all.estop || one->estop;
        all.estop_input = all.estop_input || one->estop_input;
        all.earth_fault = all.earth_fault || one->earth_fault;
        all.switches &= one->switches;
    }
    return all;
}

static void publish_lock(const struct plc *p, const struct config *config,
                         struct image_slot *image) {
    const struct config_connector *connector = plc_connector(p, config);
    if (!connector || connector->lock_input_switch < 1 || connector->lock_input_switch > 4) {
        return; /* LOCK_ENGAGED of ChargeInfo is the source */
    }
    unsigned bit = connector->lock_input_switch - 1u;
    plc_sample(&image->lock, (image->switches >> bit) & 1, p->safety.at_us);
}

static void evaluate(struct plc *p, const struct config *config, struct image_slot *image,
                     int64_t now_us) {
    struct plc_safety *safety = &p->safety;
    const struct plc_safety_source all = combine(safety);
    bool inputs_seen =
        safety->source[PLC_SAFETY_FROM_SWITCHES].seen || safety->source[PLC_SAFETY_FROM_RELAY].seen;
    if (!inputs_seen) {
        return;
    }
    uint8_t required = image->chain_mask & 0xf;
    bool chain = all.safety_ok && (all.switches & required) == required && !image->plc_status_stale;
    bool pending = false;
    if (image->contactor_status.valid) { /* before that nothing is known of the chain */
        pending = input_update(&safety->chain, chain, now_us);
    }
    pending |= input_update(&safety->estop_free, !all.estop && !all.estop_input, now_us);
    pending |= input_update(&safety->button_free, !all.estop_input, now_us);
    pending |= input_update(&safety->earth_free, !all.earth_fault, now_us);
    uint8_t switches = 0;
    for (unsigned i = 0; i < 4; i++) {
        pending |= input_update(&safety->switches[i], (all.switches >> i) & 1, now_us);
        switches |= (uint8_t)(safety->switches[i].closed << i);
    }
    safety->pending = pending;
    image->switches = switches;
    publish(&image->safety_ok, &safety->chain, true, safety->at_us);
    publish(&image->estop, &safety->estop_free, false, safety->at_us);
    publish(&image->estop_input, &safety->button_free, false, safety->at_us);
    publish(&image->earth_fault, &safety->earth_free, false, safety->at_us);
    publish_lock(p, config, image);
}

static uint8_t switch_bits(bool sw1, bool sw2, bool sw3, bool sw4) {
    return (uint8_t)((unsigned)sw1 | (unsigned)sw2 << 1 | (unsigned)sw3 << 2 | (unsigned)sw4 << 3);
}

void plc_safety_switches(struct plc *p, const struct config *config,
                         const struct hub_safety_switch_status *in, struct image_slot *image,
                         int64_t now_us) {
    p->safety.source[PLC_SAFETY_FROM_SWITCHES] = (struct plc_safety_source){
        .seen = true,
        .safety_ok = in->safety_ok,
        .estop = in->estop_latched,
        .estop_input = in->estop_input,
        .earth_fault = in->earth_fault,
        .switches = switch_bits(in->sw1, in->sw2, in->sw3, in->sw4),
    };
    image->chain_mask = (uint8_t)in->chain_mask;
    p->safety.at_us = now_us;
    evaluate(p, config, image, now_us);
}

void plc_safety_relay(struct plc *p, const struct config *config, const struct hub_relay_status *in,
                      struct image_slot *image, int64_t now_us) {
    p->safety.source[PLC_SAFETY_FROM_RELAY] = (struct plc_safety_source){
        .seen = true,
        .safety_ok = in->safety_ok && !in->safety_active,
        .estop = in->estop_latched,
        .estop_input = in->estop_input,
        .earth_fault = in->earth_fault,
        .switches = switch_bits(in->sw1, in->sw2, in->sw3, in->sw4),
    };
    p->safety.at_us = now_us;
    evaluate(p, config, image, now_us);
}

void plc_safety_status(struct plc *p, const struct config *config, bool safety_active,
                       uint8_t fault_reason, struct image_slot *image, int64_t now_us) {
    bool switch_open = (fault_reason >= REASON_SAFETY_SW1 && fault_reason <= REASON_SAFETY_SW3) ||
                       fault_reason == REASON_SAFETY_SW4;
    p->safety.source[PLC_SAFETY_FROM_STATUS] = (struct plc_safety_source){
        .seen = true,
        .safety_ok = !safety_active && !switch_open,
        .estop = fault_reason == REASON_ESTOP_LATCHED,
        .estop_input = fault_reason == REASON_ESTOP_INPUT,
        .earth_fault = fault_reason == REASON_EARTH_FAULT,
        .switches = 0xf, /* this frame does not carry them */
    };
    evaluate(p, config, image, now_us);
}

void plc_safety_tick(struct plc *p, const struct config *config, struct image_slot *image,
                     int64_t now_us) {
    if (p->safety.pending || (image->plc_status_stale && p->safety.chain.closed)) {
        evaluate(p, config, image, now_us);
    }
}
