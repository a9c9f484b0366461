/* The contactors' books: what feedback says against the command (S5), against itself and against physics (S6), and what
 * may conduct and surely conducts because of it. A verdict needs two samples in a row, taken after the contactor's time. */
#include "rt/interlock/interlock_private.h"

void contactor_init(struct contactor_book *book, bool fitted, int64_t now_us) {
    *book = (struct contactor_book){.fitted = fitted, .changed_us = now_us};
}

static bool on_module_bus(const struct config_slot *slot, unsigned kind) {
    return kind >= CONTACTOR_MN0 && !slot->module[kind - CONTACTOR_MN0].mn_on_plc;
}

const struct image_contactor *contactor_image(const struct config *config,
                                              const struct image *image, uint32_t slot,
                                              unsigned kind) {
    const struct image_slot *from = &image->slot[slot];
    if (on_module_bus(&config->slot[slot], kind)) {
        return &from->module[kind - CONTACTOR_MN0].relay;
    }
    return &from->contactor[kind];
}

static int64_t stale_us(const struct config *config, uint32_t slot, unsigned kind) {
    const int32_t period_ms =
        on_module_bus(&config->slot[slot], kind) ? config->modules.status_ms : PERIOD_SENSE_MS;
    return (int64_t)interlock_periods_ms(config, period_ms) * 1000;
}

static bool both(const struct image_contactor *feedback, enum feedback value) {
    return feedback->p == value && feedback->n == value;
}

static bool heard(const struct image_contactor *feedback, int64_t now_us, int64_t limit_us) {
    return feedback->at_us != 0 && now_us - feedback->at_us <= limit_us;
}

static bool is_boundary(unsigned kind) {
    return kind == CONTACTOR_MC || kind == CONTACTOR_BC;
}

/* It reads open. A boundary's contactor that confirmed it, and was not told to close since, stays open when it falls
 * silent: none closes by itself, and a PLC that loses the hub opens what it holds. Every other one is unknown then. */
static bool reads_open(const struct contactor_book *book, const struct image_contactor *feedback,
                       bool boundary, int64_t now_us, int64_t limit_us) {
    return (heard(feedback, now_us, limit_us) || (boundary && book->confirmed)) &&
           both(feedback, FEEDBACK_OPEN);
}

/* Two-sided topology of interlocks.md 4.1. */
static bool may_conduct(const struct contactor_book *book, const struct image_contactor *feedback,
                        bool boundary, int64_t now_us, int64_t limit_us, int64_t open_us) {
    return book->command || book->welded || book->untrusted ||
           now_us - book->changed_us < open_us ||
           !reads_open(book, feedback, boundary, now_us, limit_us);
}

static bool surely_conducts(const struct contactor_book *book,
                            const struct image_contactor *feedback, int64_t now_us,
                            int64_t limit_us) {
    return book->command && !book->untrusted && both(feedback, FEEDBACK_CLOSED) &&
           heard(feedback, now_us, limit_us) && feedback->at_us >= book->changed_us;
}

/* Feedback or a verdict says, of its own accord, that an open-commanded contactor conducts: more than silence. */
static bool is_stray(const struct contactor_book *book, const struct image_contactor *feedback) {
    return book->welded || book->untrusted || feedback->p == FEEDBACK_CLOSED ||
           feedback->n == FEEDBACK_CLOSED;
}

struct contactor_times {
    int64_t now_us, open_us, stale_us;
    bool boundary;
};

bool contactor_may(const struct interlock_state *s, const struct config *config,
                   const struct image *image, uint32_t slot, unsigned kind, int64_t now_us) {
    const struct contactor_book *book = &s->slot[slot].contactor[kind];
    return book->fitted &&
           may_conduct(book, contactor_image(config, image, slot, kind), is_boundary(kind), now_us,
                       stale_us(config, slot, kind), (int64_t)config->interlock.t_open_ms * 1000);
}

bool contactor_sure(const struct interlock_state *s, const struct config *config,
                    const struct image *image, uint32_t slot, unsigned kind, int64_t now_us) {
    const struct contactor_book *book = &s->slot[slot].contactor[kind];
    return book->fitted && surely_conducts(book, contactor_image(config, image, slot, kind), now_us,
                                           stale_us(config, slot, kind));
}

static void count_up(uint8_t *count) {
    if (*count < EVIDENCE) {
        ++*count;
    }
}

/* S6: the contactor says open while current flows through it without a voltage across. All three values must be newer
 * than the last change, or they tell of the time before it. */
static bool physics_contradicts(const struct step *st, uint32_t slot, unsigned kind,
                                int64_t settled_us) {
    const struct image_slot *image = &st->image->slot[slot];
    const struct sample *current = &image->gun_ma;
    const struct sample *one = &image->bus_mv;
    const struct sample *other = &image->gun_mv;
    if (kind == CONTACTOR_MC || kind == CONTACTOR_BC) {
        current = &image->boundary_ma;
        other = &st->image->slot[slot + 1 < st->slots ? slot + 1 : 0].bus_mv;
    } else if (kind >= CONTACTOR_MN0) {
        current = &image->module[kind - CONTACTOR_MN0].current_ma;
        other = &image->module[kind - CONTACTOR_MN0].voltage_mv;
    }
    return is_fresh(st, current, st->module_stale_ms) && is_fresh(st, one, st->sense_stale_ms) &&
           is_fresh(st, other, st->module_stale_ms) && current->at_us > settled_us &&
           one->at_us > settled_us && other->at_us > settled_us &&
           abs_i32(current->value) > st->config->interlock.i_off_ma &&
           difference_mv(one->value, other->value) < FOLLOW_MV;
}

static uint16_t ms_between(int64_t from_us, int64_t to_us) {
    const int64_t ms = (to_us - from_us + 500) / 1000;
    return ms > UINT16_MAX ? UINT16_MAX : (uint16_t)ms;
}

static void confirm(struct contactor_book *book, int64_t at_us) {
    if (book->confirmed || at_us < book->changed_us) {
        return;
    }
    book->confirmed = true;
    if (book->seen_us == 0) {
        return; /* boot: this was no operation */
    }
    if (book->command) {
        book->operate_ms = ms_between(book->changed_us, at_us);
    } else {
        book->release_ms = ms_between(book->changed_us, at_us);
    }
}

static void contradict(struct step *st, uint32_t slot, unsigned kind, struct contactor_book *book,
                       const struct image_contactor *feedback) {
    count_up(&book->against);
    if (book->against < EVIDENCE) {
        return;
    }
    const enum feedback opposite = book->command ? FEEDBACK_OPEN : FEEDBACK_CLOSED;
    /* A module's own relay opens when the module stops: that is the module's fault and passes with it. */
    const bool stopped = book->command && on_module_bus(&st->config->slot[slot], kind);
    if (stopped || (!feedback->fault && !both(feedback, opposite))) {
        book->untrusted = true;
        interlock_note(st, RULE_S6, slot, kind);
    } else if (book->command) {
        book->stuck = true;
        interlock_note(st, RULE_S5, slot, kind);
    } else if (st->s->slot[slot].released) {
        book->welded = true; /* in the boot hold rule S15 has the word */
        interlock_note(st, RULE_S5, slot, kind);
    }
}

/* When the last command can have reached the one who moves the contactor: one that was told nothing is not late. */
static int64_t told_us(const struct step *st, uint32_t slot, unsigned kind,
                       const struct contactor_book *book) {
    const struct interlock_slot *own = &st->s->slot[slot];
    const int64_t cut_off_us = on_module_bus(&st->config->slot[slot], kind)
                                   ? own->module[kind - CONTACTOR_MN0].cut_off_us
                                   : own->cut_off_us;
    return cut_off_us > book->changed_us ? cut_off_us : book->changed_us;
}

static void look_at_links(struct step *st, uint32_t slot) {
    struct interlock_slot *own = &st->s->slot[slot];
    const struct image_slot *image = &st->image->slot[slot];
    if (image->interface_down ||
        !is_fresh(st, &image->contactor_status, st->config->interlock.t_plc_ms)) {
        own->cut_off_us = st->now_us;
    }
    for (uint32_t j = 0; j < st->config->slot[slot].module_count; ++j) {
        if (image->module[j].bus_down) {
            own->module[j].cut_off_us = st->now_us;
        }
    }
}

/* One new sample of one contactor. */
static void judge(struct step *st, uint32_t slot, unsigned kind, struct contactor_book *book,
                  const struct image_contactor *feedback) {
    const int32_t time_ms =
        book->command ? st->config->interlock.t_close_ms : st->config->interlock.t_open_ms;
    const int64_t time_us =
        on_module_bus(&st->config->slot[slot], kind) ? st->relay_stale_us : (int64_t)time_ms * 1000;
    const int64_t settled_us = told_us(st, slot, kind, book) + time_us;
    const bool agrees =
        both(feedback, book->command ? FEEDBACK_CLOSED : FEEDBACK_OPEN) && !feedback->fault;
    if (agrees) {
        confirm(book, feedback->at_us);
        book->against = 0;
    } else if (feedback->at_us > settled_us) {
        contradict(st, slot, kind, book, feedback);
    }
    book->seen_us = feedback->at_us;
    if (both(feedback, FEEDBACK_OPEN) && physics_contradicts(st, slot, kind, settled_us)) {
        count_up(&book->doubt);
        book->agree = 0;
        if (book->doubt >= EVIDENCE) {
            book->untrusted = true;
            interlock_note(st, RULE_S6, slot, kind);
        }
        return;
    }
    book->doubt = 0;
    if (!agrees) {
        book->agree = 0;
        return;
    }
    count_up(&book->agree);
    if (book->agree >= EVIDENCE) {
        book->untrusted = false;
    }
}

/* What one contactor adds to the slot's view. The same as contactor_may() and contactor_sure(), in one pass. */
static void look_at_contactor(struct slot_view *view, const struct contactor_book *book,
                              const struct image_contactor *feedback, uint16_t bit,
                              const struct contactor_times *times) {
    const bool opening = times->now_us - book->changed_us < times->open_us;
    view->fitted |= bit;
    view->faulty |= book->stuck || book->welded || book->untrusted ? bit : 0;
    view->commanded |= book->command ? bit : 0;
    if (book->command) {
        view->hold |= bit;
        view->may |= bit;
        if (surely_conducts(book, feedback, times->now_us, times->stale_us)) {
            view->sure |= bit;
        }
        return;
    }
    if (opening || is_stray(book, feedback)) {
        /* a boundary's last reading of before it was opened is no contradiction: it is not confirmed open, that is all */
        const bool old = times->boundary && !book->welded && !book->untrusted &&
                         feedback->at_us <= book->changed_us + times->open_us;
        view->may |= bit;
        view->hold |= bit;
        view->stray |= opening || old ? 0 : bit;
        view->mute |= old && !heard(feedback, times->now_us, times->stale_us) ? bit : 0;
        return;
    }
    /* Silence alone does not make a contactor that was told to open, and confirmed it, a conductor that stops its
     * neighbours (S16); for everything that closes it does (may). */
    if (!book->confirmed) {
        view->hold |= bit;
    }
    if (!reads_open(book, feedback, times->boundary, times->now_us, times->stale_us)) {
        view->may |= bit;
    }
    if (feedback->at_us != 0 && !both(feedback, FEEDBACK_OPEN) &&
        !heard(feedback, times->now_us, times->stale_us)) {
        view->mute |= bit;
    }
}

void contactor_look(struct step *st, uint32_t slot) {
    struct slot_view *view = &st->view[slot];
    struct interlock_slot *own = &st->s->slot[slot];
    const struct config_slot *config = &st->config->slot[slot];
    const unsigned kinds = CONTACTOR_MN0 + config->module_count;
    struct contactor_times times = {.now_us = st->now_us,
                                    .open_us = (int64_t)st->config->interlock.t_open_ms * 1000};
    look_at_links(st, slot);
    for (unsigned kind = 0; kind < kinds; ++kind) {
        struct contactor_book *book = &own->contactor[kind];
        if (!book->fitted) {
            continue;
        }
        const struct image_contactor *feedback = contactor_image(st->config, st->image, slot, kind);
        if (feedback->at_us != 0 && feedback->at_us != book->seen_us) {
            judge(st, slot, kind, book, feedback);
        }
        times.boundary = is_boundary(kind);
        times.stale_us = on_module_bus(config, kind) ? st->relay_stale_us : st->contactor_stale_us;
        look_at_contactor(view, book, feedback, KIND_BIT(kind), &times);
    }
}

/* Current through the contactor: measured, and what was commanded where the measurement is not fresh. */
static int64_t load_ma(const struct step *st, uint32_t slot, unsigned kind) {
    int32_t load = 0;
    if (kind >= CONTACTOR_MN0) {
        const struct sample *current =
            &st->image->slot[slot].module[kind - CONTACTOR_MN0].current_ma;
        return is_fresh(st, current, st->module_stale_ms)
                   ? abs_i32(current->value)
                   : st->s->slot[slot].module[kind - CONTACTOR_MN0].committed_ma;
    }
    if (is_boundary(kind)) {
        const struct sample *current = &st->image->slot[slot].boundary_ma;
        return is_fresh(st, current, st->sense_stale_ms) ? abs_i32(current->value)
                                                         : flow_beyond_ma(st, slot);
    }
    return gun_current(st, slot, &load) ? load : st->joint[st->component_hold[slot]].set_ma;
}

static int32_t across_mv(const struct step *st, uint32_t slot, unsigned kind) {
    const struct image_slot *image = &st->image->slot[slot];
    const int32_t bus_mv = image->bus_mv.value;
    if (is_boundary(kind)) {
        return difference_mv(st->image->slot[slot_after(st, slot)].bus_mv.value, bus_mv);
    }
    return kind >= CONTACTOR_MN0
               ? difference_mv(image->module[kind - CONTACTOR_MN0].voltage_mv.value, bus_mv)
               : difference_mv(image->gun_mv.value, bus_mv);
}

void contactor_change(struct step *st, uint32_t slot, unsigned kind, bool closed) {
    struct interlock_slot *own = &st->s->slot[slot];
    struct contactor_book *book = &own->contactor[kind];
    const bool emergency =
        own->stop == STOP_CLASS_EMERGENCY || (is_boundary(kind) && own->edge_forced);
    if (!emergency && load_ma(st, slot, kind) > st->config->interlock.i_open_ma) {
        ++book->loaded_operations;
    }
    if (closed) {
        ++book->operations;
        book->close_dv_mv = across_mv(st, slot, kind);
    }
    book->command = closed;
    book->changed_us = st->now_us;
    book->confirmed = false;
    book->against = 0;
    book->doubt = 0;
}
