/* docs/design/sequencer.md, printed from the table: picture and code cannot disagree. */
#ifndef RINGMAIN_RT_SEQUENCER_DIAGRAM_H
#define RINGMAIN_RT_SEQUENCER_DIAGRAM_H

#include <stdio.h>

void sequencer_diagram_print(FILE *out);

#endif
