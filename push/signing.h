/* SPDX-License-Identifier: Apache-2.0 */
/* From the command line to a signed envelope. */
#ifndef EXC_SIGNING_H
#define EXC_SIGNING_H

#include <jansson.h>

#include "libpush/key_pair.h"
#include "libpush/signer.h"
#include "push/command.h"
#include "wire/fingerprint.h"

/* The keys of a push. The private half is set with --generate only. */
struct signing_keys {
        struct key_list list;
        struct key_pair pair;
        char fingerprints[KEY_LIST_MAX][FINGERPRINT_MAX];
        size_t n;
};

/* --help of each command with these options. */
#define PUSH_SIGNER_IS "SIGNER is one of --signing-key, --sign-command and --unsigned.\n\n"

/* Checks the options before anything is done: EXIT_DONE, or EXIT_USAGE with the error printed. `sent`: not by "sign". */
int signing_check(const struct cli_line *line, const struct options *options, bool sent);

/* The same for the options that say which keys a revocation drops. */
int signing_check_choice(const struct cli_line *line, const struct options *options);

/* exp - iat of the payload, in seconds. */
int signing_valid_for(const struct options *options);

/* Reads the private key of --signing-key. `ret` must be closed whatever the exit status. */
int signing_open(const struct options *options, struct signer *ret);

/* Reads the keys of --key, or makes those of --generate. `ret` must be wiped whatever the exit status. */
int signing_read_keys(const struct options *options, struct signing_keys *ret);
void signing_wipe_keys(struct signing_keys *keys);

/* Whether these options give a valid payload, before the guest or the signer is asked. `keys` as below. */
int signing_try(const struct cli_line *line, const struct options *options, const struct signing_keys *keys, bool sent);

/*
 * Makes the payload of a push, or of a revocation where `keys` is NULL, and signs it unless --unsigned is given.
 * The caller drops `ret`. Returns an exit status.
 */
int signing_envelope(const struct options *options, const struct signer *signer, const struct signing_keys *keys,
                     const char *challenge, json_t **ret);

/* Reads the envelope of --envelope, which must have that payload type. Otherwise the same. */
int signing_read_envelope(const struct options *options, const char *type, json_t **ret);

#endif
