/* SPDX-License-Identifier: Apache-2.0 */
/* Values on a command line. */
#ifndef EXC_VALUE_H
#define EXC_VALUE_H

#include <stdbool.h>

/* A number of decimal digits alone. `most` is below INT_MAX / 10 - 9. `ret` is written only on success. */
bool value_number(const char *text, int least, int most, int *ret);

/* Whether the text is UTF-8: JSON, and so every request, allows nothing else. */
bool value_utf8(const char *text);

#endif
