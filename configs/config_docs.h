/* The table in print: as documentation for people, as JSON Schema for editors. */
#ifndef RINGMAIN_CONFIGS_CONFIG_DOCS_H
#define RINGMAIN_CONFIGS_CONFIG_DOCS_H

#include <stdio.h>

void config_docs_markdown(FILE *out); /* docs/configuration.md */
void config_docs_schema(FILE *out);   /* configs/charger.schema.json, JSON Schema 2020-12 */

#endif
