#include "rt/sequencer/diagram.h"

#include "rt/sequencer/boundary_table.h"
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

/* ---- lenders ----------------------------------------------------------------------------------------------- */

static const char *boundary_id_of(unsigned state) {
    static const char *const id[BOUNDARY_STATE_COUNT] = {
        "HOME",   "PREPARING", "MATCHING", "CLOSING_MC", "CLOSING_BC",
        "JOINED", "UNLOADING", "OPENING",  "SETTLING",   "FAULTED"};
    return id[state];
}

static void print_boundary_picture(FILE *out) {
    fputs("```mermaid\nstateDiagram-v2\n    [*] --> HOME\n", out);
    for (unsigned s = 0; s < BOUNDARY_STATE_COUNT; s++) {
        for (unsigned e = 0; e < BOUNDARY_EVENT_COUNT; e++) {
            const struct boundary_transition *cell = &boundary_table[s][e];
            if (cell->action == BOUNDARY_ACTION_GO) {
                fprintf(out, "    %s --> %s: %s\n", boundary_id_of(s), boundary_id_of(cell->next),
                        boundary_event_name(e));
            }
        }
    }
    fputs("```\n", out);
}

static void print_boundary_cells(FILE *out) {
    fputs("| state |", out);
    for (unsigned e = BOUNDARY_EVENT_NONE + 1; e < BOUNDARY_EVENT_COUNT; e++) {
        fprintf(out, " %s |", boundary_event_name(e));
    }
    fputs("\n|---|", out);
    for (unsigned e = BOUNDARY_EVENT_NONE + 1; e < BOUNDARY_EVENT_COUNT; e++) {
        fputs("---|", out);
    }
    fputc('\n', out);
    for (unsigned s = 0; s < BOUNDARY_STATE_COUNT; s++) {
        fprintf(out, "| %s |", boundary_id_of(s));
        for (unsigned e = BOUNDARY_EVENT_NONE + 1; e < BOUNDARY_EVENT_COUNT; e++) {
            const struct boundary_transition *cell = &boundary_table[s][e];
            fprintf(out, " %s |",
                    cell->action == BOUNDARY_ACTION_GO ? boundary_id_of(cell->next) : ".");
        }
        fputc('\n', out);
    }
}

static void print_boundary_rows(FILE *out) {
    static const char *const edge[] = {"open", "MC closed", "MC and BC closed"};
    static const char *const mn[] = {"open", "closed", "closed until the bus is dead"};
    static const char *const power[] = {
        "off", "neighbour's bus voltage, at most I_cc; still once told to conduct",
        "owner's voltage, share of the owner's current"};
    fputs("| state | boundary | MN | modules | own insulation monitor | goes on when | time "
          "|\n|---|---|---|---|---|---|---|\n",
          out);
    for (unsigned s = 0; s < BOUNDARY_STATE_COUNT; s++) {
        const struct boundary_row *row = &boundary_rows[s];
        fprintf(out, "| %s | %s | %s | %s | %s | %s | %s |\n", boundary_id_of(s), edge[row->edge],
                mn[row->mn], power[row->power], row->imd ? "on" : "off", row->next_when, row->time);
    }
}

static void print_lenders(FILE *out) {
    fputs("\n# The sequencer of a slot that lends\n\n"
          "From `rt/sequencer/boundary_table.c`. Each slot has one, beside its gun's: the slot as "
          "lender of its modules to the gun of another slot, the owner.\n"
          "A closed boundary has exactly one lender that answers for it, the slot on its far side "
          "as seen from the owner.\n"
          "One sequencer per lender rather than per boundary: modules, monitor, bus and boundary "
          "of a loan change together, and a slot is lent over one boundary at a time.\n\n"
          "- A slot begins only beside the owner or beside a lender that is on its way there; it "
          "joins only beside the owner or a lender that has joined.\n"
          "- It leaves only when those beyond it have left, so the outermost goes first; of all "
          "lenders of one owner one boundary moves at a time. In an emergency nobody waits.\n"
          "- A slot joins when the owner charges without a pending ramp; its share then ramps up "
          "from zero, and down to zero before it leaves while the others take over.\n"
          "- A failed try is repeated after 5 s, the pause doubling up to some five minutes; a "
          "boundary whose contactor is stuck or welded waits for service.\n"
          "- A vehicle that is plugged in calls its slot home; its gun waits in LOCKED until the "
          "slot is home and both its boundaries are confirmed open.\n"
          "- Cable check and precharge use the home slot alone: a gun whose slot has no usable "
          "module cannot begin a session (NO_MODULES), however many neighbours could lend. Once "
          "it charges it may be served by lenders beside its own modules; when the last own one "
          "fails it stops normally.\n"
          "- A slot without a usable module is no bridge: nothing could bring its bus to the "
          "owner's voltage.\n"
          "- Slots without a gun lend like any other.\n\n",
          out);
    fputs("## Picture of a loan\n\n", out);
    print_boundary_picture(out);
    fputs("\n## States and events of a loan\n\n", out);
    print_boundary_cells(out);
    fputs("\n## What each state of a loan asks for\n\n", out);
    print_boundary_rows(out);
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
    print_lenders(out);
}
