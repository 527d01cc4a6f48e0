/* SPDX-License-Identifier: Apache-2.0 */
/* Addresses for a connection that sshd is asked about. */
#ifndef EXC_MATCH_ADDRESS_H
#define EXC_MATCH_ADDRESS_H

#include "admin/sshd/pattern.h"
#include "conf/strv.h"

/*
 * One that this pattern is about (an address, a network, or one with * and ?), and that no narrower one of `others` is about
 * where there is such. False where none is known.
 */
bool match_address_of(const char *pattern, const struct strv *others, char ret[static PATTERN_MAX]);

/* One that none of these is about; where they are about all, any. */
void match_address_elsewhere(const struct strv *named, char ret[static PATTERN_MAX]);

#endif
