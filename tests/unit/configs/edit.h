/* Configurations for tests: an example file with one value replaced, added or taken out. */
#ifndef RINGMAIN_TESTS_UNIT_CONFIGS_EDIT_H
#define RINGMAIN_TESTS_UNIT_CONFIGS_EDIT_H

#include "configs/config.h"

/* The file's text, terminated; free() it. */
char *edit_file(const char *path);
/* The JSON text with the value at path ("slots[1].modules[0].id") set to the given JSON text, or taken out when value is
 * NULL. Missing objects are made, an index one past an array's end appends. free() it. */
char *edit_text(const char *json, const char *path, const char *value);
/* edit_text() of a file of configs/. */
char *edited(const char *file, const char *path, const char *value);

/* config_parse() of a text; its result. */
int parse_text(const char *json, struct config *out, struct config_errors *errors);
/* The error of that path, or NULL. */
const struct config_error *error_at(const struct config_errors *errors, const char *path);

#endif
