/* Boundary contactors. This version serves single-slot islands only: rules E1 to E7, which say when a boundary may close,
 * come with the joining of slots, and until then every request to close one is refused (noted as E1). No command is ever
 * 1, so there is nothing to open either. A boundary that conducts on its own (weld, found closed at start, feedback that
 * cannot be trusted) is taken into account everywhere through the topology. */
#include "rt/interlock/interlock_private.h"

void edge_guard(struct step *st, uint32_t slot) {
    if (st->request->slot[slot].mc) {
        interlock_note(st, RULE_E1, slot, CONTACTOR_MC);
    }
    if (st->request->slot[slot].bc) {
        interlock_note(st, RULE_E1, slot, CONTACTOR_BC);
    }
    st->out->slot[slot].mc = false;
    st->out->slot[slot].bc = false;
}
