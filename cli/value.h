/* SPDX-License-Identifier: Apache-2.0 */
/* Values on a command line. */
#ifndef EXC_VALUE_H
#define EXC_VALUE_H

#include <stdbool.h>

/* A number of decimal digits alone. `most` is below INT_MAX / 10 - 9. `ret` is written only on success. */
bool value_number(const char *text, int least, int most, int *ret);

/* JSON, and so whoever is asked, takes nothing but UTF-8. */
bool value_utf8(const char *text);

#endif
