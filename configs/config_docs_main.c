/* ringmain-config-docs markdown|schema: prints docs/configuration.md or configs/charger.schema.json. */
#include "configs/config_docs.h"

#include <string.h>

int main(int argc, char **argv) {
    if (argc == 2 && strcmp(argv[1], "markdown") == 0) {
        config_docs_markdown(stdout);
    } else if (argc == 2 && strcmp(argv[1], "schema") == 0) {
        config_docs_schema(stdout);
    } else {
        fprintf(stderr, "usage: %s markdown|schema\n", argv[0]);
        return 2;
    }
    return fflush(stdout) == 0 && !ferror(stdout) ? 0 : 1;
}
