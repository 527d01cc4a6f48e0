/* SPDX-License-Identifier: Apache-2.0 */
/* The keys of the credential exc.trust, for commands of the administrator. */
#ifndef EXC_TRUST_CREDENTIAL_H
#define EXC_TRUST_CREDENTIAL_H

#include "agent/trust.h"

/*
 * Reads the bundle as systemd gives it to the agent while that runs, or else as the machine was given it; root alone can
 * read either. The caller clears `ret`, which has no anchor where there is no credential. Returns its path, for people.
 */
const char *trust_credential_read(struct trust_anchors *ret, trust_note note, void *context);

/*
 * Whether the keys of a credential count: no directory has an anchor, in `anchors` as trust_refresh() read them, and
 * TrustCredential= is not "no". Without a configuration that can be loaded: false.
 */
bool trust_credential_counts(const struct trust_anchors *anchors);

#endif
