/* sequencer-diagram: prints docs/design/sequencer.md. */
#include "rt/sequencer/diagram.h"

int main(void) {
    sequencer_diagram_print(stdout);
    return fflush(stdout) == 0 ? 0 : 1;
}
