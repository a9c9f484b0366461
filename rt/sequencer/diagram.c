#include "rt/sequencer/diagram.h"

#include "rt/sequencer/table.h"

static const char *id_of(unsigned state) {
    static const char *const id[GUN_STATE_COUNT] = {
        "NONE",        "UNAVAILABLE", "AVAILABLE", "PLUGGED",  "AUTHORISED", "LOCKED",
        "CABLE_CHECK", "PRECHARGE",   "CLOSING",   "CHARGING", "RAMP_DOWN",  "OPENING",
        "WELD_CHECK",  "DISCHARGE",   "UNLOCK",    "FINISHED", "FAULTED"};
    return id[state];
}

static const char *guard_of(unsigned guard) {
    static const char *const text[] = {"", " [recovered]", " [recovered, plugged, session over]",
                                       " [recovered, plugged, no session yet]"};
    return text[guard];
}

static const char *class_of(unsigned stop) {
    static const char *const text[STOP_CLASS_COUNT] = {"", " / stop normal", " / stop error",
                                                       " / stop emergency"};
    return text[stop];
}

static void print_picture(FILE *out) {
    fputs("```mermaid\nstateDiagram-v2\n    [*] --> UNAVAILABLE\n", out);
    for (unsigned s = 0; s < GUN_STATE_COUNT; s++) {
        for (unsigned e = 0; e < GUN_EVENT_COUNT; e++) {
            const struct gun_transition *cell = &gun_table[s][e];
            if (cell->action == GUN_ACTION_GO) {
                fprintf(out, "    %s --> %s: %s%s%s\n", id_of(s), id_of(cell->next),
                        gun_event_name(e), guard_of(cell->guard), class_of(cell->stop));
            }
        }
    }
    fputs("```\n", out);
}

static void print_cells(FILE *out) {
    fputs("| state |", out);
    for (unsigned e = GUN_EVENT_NONE + 1; e < GUN_EVENT_COUNT; e++) {
        fprintf(out, " %s |", gun_event_name(e));
    }
    fputs("\n|---|", out);
    for (unsigned e = GUN_EVENT_NONE + 1; e < GUN_EVENT_COUNT; e++) {
        fputs("---|", out);
    }
    fputc('\n', out);
    for (unsigned s = 0; s < GUN_STATE_COUNT; s++) {
        fprintf(out, "| %s |", id_of(s));
        for (unsigned e = GUN_EVENT_NONE + 1; e < GUN_EVENT_COUNT; e++) {
            const struct gun_transition *cell = &gun_table[s][e];
            if (cell->action == GUN_ACTION_GO) {
                fprintf(out, " %s%s%s |", id_of(cell->next), guard_of(cell->guard),
                        class_of(cell->stop));
            } else {
                fputs(cell->action == GUN_ACTION_HOLD ? " hold |" : " . |", out);
            }
        }
        fputc('\n', out);
    }
}

static void print_rows(FILE *out) {
    static const char *const mn[] = {"open", "home modules", "hold"};
    static const char *const imd[] = {"off", "on", "while live"};
    static const char *const power[] = {"off",
                                        "cable-check voltage, at most I_cc",
                                        "vehicle's voltage, at most I_cc",
                                        "vehicle's voltage, current ramped to proposal",
                                        "current ramped to zero",
                                        "weld-test voltage at zero current, after a normal stop",
                                        "weld-test voltage at most I_cc, after a normal stop"};
    fputs("| state | GC | MN | insulation monitor | lock | power | output enabled | session "
          "| goes on when | time |\n|---|---|---|---|---|---|---|---|---|---|\n",
          out);
    for (unsigned s = 0; s < GUN_STATE_COUNT; s++) {
        const struct gun_row *row = &gun_rows[s];
        fprintf(out, "| %s | %s | %s | %s | %s | %s | %s | %s | %s | %s |\n", id_of(s),
                row->gc ? "closed" : "open", mn[row->mn], imd[row->imd],
                row->lock ? "locked" : "free", power[row->power], row->enabled ? "yes" : "no",
                row->session ? "runs" : "", row->next_when, row->time);
    }
}

void sequencer_diagram_print(FILE *out) {
    fputs(
        "# The sequencer of one gun\n\n"
        "Printed by `sequencer-diagram` from the tables in `rt/sequencer/table.c`; a test compares "
        "this file with them.\n\n"
        "Each step takes the first event, from left to right in the table of events, that is "
        "present, that its cell does not ignore (a dot) and whose guard holds.\n"
        "`hold` takes the event without leaving the state, so that the events right of it wait.\n"
        "A stop class is raised by a transition, never lowered, until the gun is free again.\n\n",
        out);
    fputs("## Picture\n\n", out);
    print_picture(out);
    fputs("\n## States and events\n\n", out);
    print_cells(out);
    fputs("\n## What each state asks for\n\nA request only: the interlocks decide what of it "
          "reaches the contactors and modules.\n\n",
          out);
    print_rows(out);
}
