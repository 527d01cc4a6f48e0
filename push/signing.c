/* SPDX-License-Identifier: Apache-2.0 */
#include "push/signing.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "cli/output.h"
#include "common/debug.h"
#include "libpush/token.h"
#include "wire/json.h"
#include "wire/refusal.h"

enum {
        VALID_FOR_S = 60, /* exp - iat where neither --valid-for nor --ttl is given */

        PAYLOAD_DEPTH_MAX = 4,  /* push.md */
        ENVELOPE_DEPTH_MAX = 8, /* an envelope has 3; unknown members may be deeper */

        /* {"method":"in.excloud.InstanceConnect.Revoke","parameters":{"envelope":…}} and the NUL */
        CALL_AROUND_ENVELOPE = 80,
};

/* exp - iat. A key expires with its push at the latest, so a longer --ttl extends it. */
int signing_valid_for(const struct options *options) {
        if (options->valid_for)
                return options->valid_for;
        return options->ttl > VALID_FOR_S ? options->ttl : VALID_FOR_S;
}

static int check_envelope_alone(const struct cli_line *line) {
        static const char *const sending[] = {"envelope", "to", "timeout", "wait", "json", "known-hosts"};

        for (size_t i = 0; i < line->n_given; i++) {
                const char *name = line->given[i]->name;
                bool sends = false;

                for (size_t j = 0; j < sizeof(sending) / sizeof(sending[0]); j++)
                        sends = sends || strcmp(name, sending[j]) == 0;
                if (!sends)
                        return cli_usage(line, "--envelope is sent as it is: --%s has no meaning with it", name);
        }
        return EXIT_DONE;
}

static int check_times(const struct cli_line *line, const struct options *options, bool sent) {
        bool challenge = sent && !options->no_challenge;
        int most = challenge ? VALID_CHALLENGE_MAX_S : VALID_MAX_S;

        if (signing_valid_for(options) > most)
                return cli_usage(line, "a push%s is valid for at most %d s: give a smaller %s",
                                 challenge ? "" : " without a challenge", most,
                                 options->valid_for ? "--valid-for" : "--ttl");
        if (options->ttl > signing_valid_for(options))
                return cli_usage(line, "--ttl %d: a key lives no longer than its push is valid (--valid-for %d)",
                                 options->ttl, signing_valid_for(options));
        return EXIT_DONE;
}

int signing_check(const struct cli_line *line, const struct options *options, bool sent) {
        static const char *const signers[] = {"signing-key", "sign-command", "unsigned", "envelope"};
        const char *signer = NULL;

        for (size_t i = 0; i < sizeof(signers) / sizeof(signers[0]); i++) {
                if (!cli_given(line, signers[i]))
                        continue;
                if (signer)
                        return cli_usage(line, "--%s and --%s do not go together", signer, signers[i]);
                signer = signers[i];
        }
        if (!signer)
                return cli_usage(line,
                                 "who signs? Give --signing-key or --sign-command%s, or --unsigned where the guest "
                                 "asks for no signature",
                                 sent ? ", an --envelope" : "");
        if (options->envelope)
                return check_envelope_alone(line);
        if (!options->instance)
                return cli_usage(line, "--instance is missing: exc-push hello shows a guest's id");
        return check_times(line, options, sent);
}

int signing_check_choice(const struct cli_line *line, const struct options *options) {
        /* An option that is missing, as by an empty variable, must not mean all keys. */
        if ((options->fingerprint != NULL) + (options->user != NULL) + options->all != 1)
                return cli_usage(line, "a revocation takes exactly one of --fingerprint, --user and --all");
        return EXIT_DONE;
}

int signing_open(const struct options *options, struct signer *ret) {
        char why[SIGNER_WHY_MAX];

        *ret = (struct signer){.key = NULL};
        if (options->sign_command)
                signer_from_command(options->sign_command, ret);
        else if (options->signing_key && signer_from_file(options->signing_key, ret, why) < 0) {
                complain("--signing-key: %s: %s", options->signing_key, why);
                return EXIT_OWN_FAILURE;
        }
        return EXIT_DONE;
}

static int take_fingerprint(const struct ssh_key *key, struct signing_keys *keys) {
        if (fingerprint_of(key, keys->fingerprints[keys->n]) < 0) {
                complain("OpenSSL has no SHA-256");
                return EXIT_OWN_FAILURE;
        }
        debug_line("key: %s", keys->fingerprints[keys->n]);
        keys->n++;
        return EXIT_DONE;
}

int signing_read_keys(const struct options *options, struct signing_keys *ret) {
        char why[KEY_FILE_WHY_MAX];
        int status = EXIT_DONE;

        *ret = (struct signing_keys){.n = 0};
        if (options->generate) {
                if (key_pair_make(&ret->pair) < 0) {
                        complain("OpenSSL cannot make an Ed25519 key pair");
                        return EXIT_OWN_FAILURE;
                }
                return take_fingerprint(&ret->pair.public_half, ret);
        }
        if (!key_options_read(&options->keys, &ret->list, why)) {
                complain("%s", why);
                return EXIT_OWN_FAILURE;
        }
        for (size_t i = 0; status == EXIT_DONE && i < ret->list.n; i++)
                status = take_fingerprint(&ret->list.at[i].key, ret);
        return status;
}

void signing_wipe_keys(struct signing_keys *keys) {
        key_pair_wipe(&keys->pair);
}

static struct payload_terms terms(const struct options *options, const char *jti, const char *challenge) {
        int64_t now = time(NULL);

        return (struct payload_terms){
                .instance = options->instance,
                .iat = now,
                .exp = now + signing_valid_for(options),
                .jti = jti,
                .challenge = challenge,
        };
}

static int make_push(const struct options *options, const struct signing_keys *keys,
                     const struct payload_terms *push_terms, struct envelope *ret, char why[static PAYLOAD_WHY_MAX]) {
        struct push_payload push = {
                .terms = *push_terms,
                .user = options->user,
                .n_keys = keys->n,
                .ttl = options->ttl,
                .sources = options->keys.sources,
                .n_sources = options->keys.n_sources,
                .restricted = options->keys.restricted,
                .principal = options->principal,
                .request_id = options->request_id,
        };

        if (options->keys.connections >= 0)
                push.connections =
                        options->keys.connections == 0 ? PUSH_MADE_CONNECTIONS_ANY : options->keys.connections;
        for (size_t i = 0; i < keys->n; i++)
                push.keys[i] = keys->pair.private_half ? &keys->pair.public_half : &keys->list.at[i].key;
        return push_payload_make(&push, ret, why);
}

static int make_revocation(const struct options *options, const struct payload_terms *revoke_terms,
                           struct envelope *ret, char why[static PAYLOAD_WHY_MAX]) {
        struct revoke_payload revoke = {
                .terms = *revoke_terms,
                .fingerprint = options->fingerprint,
                .user = options->user,
                .all = options->all,
        };

        return revoke_payload_make(&revoke, ret, why);
}

/* As push_payload_make(). */
static int make(const struct options *options, const struct signing_keys *keys, const struct payload_terms *common,
                struct envelope *ret, char why[static PAYLOAD_WHY_MAX]) {
        return keys ? make_push(options, keys, common, ret, why) : make_revocation(options, common, ret, why);
}

int signing_try(const struct cli_line *line, const struct options *options, const struct signing_keys *keys,
                bool sent) {
        static const char placeholder[] = "0000000000000000000000"; /* as long as a real one */
        bool challenge = sent && !options->no_challenge;
        struct payload_terms common = terms(options, placeholder, challenge ? placeholder : NULL);
        struct envelope envelope;
        char why[PAYLOAD_WHY_MAX];
        int r = make(options, keys, &common, &envelope, why);

        if (r == -EINVAL)
                return cli_usage(line, "%s", why);
        if (r < 0)
                complain("%s", why);
        return r < 0 ? EXIT_OWN_FAILURE : EXIT_DONE;
}

static int sign(const struct options *options, const struct signer *signer, struct envelope *envelope) {
        char why[SIGNER_WHY_MAX];

        debug_line("payload: %zu bytes", envelope->pae_length - envelope->payload_offset);
        if (options->not_signed) {
                debug_line("signature: none");
                return EXIT_DONE;
        }
        if (signer_sign(signer, envelope, why) == 0) {
                debug_line("signature: by --%s", options->sign_command ? "sign-command" : "signing-key");
                return EXIT_DONE;
        }
        complain("--%s: %s", options->sign_command ? "sign-command" : "signing-key", why);
        return EXIT_OWN_FAILURE;
}

/* Whether a call with it fits into one message. */
static int check_size(json_t *envelope) {
        size_t n = json_dumpb(envelope, NULL, 0, JSON_COMPACT);

        if (n + CALL_AROUND_ENVELOPE <= FRAME_MAX)
                return EXIT_DONE;
        complain("the envelope takes %zu bytes, and a guest takes at most %d; give fewer or smaller keys", n,
                 FRAME_MAX - CALL_AROUND_ENVELOPE);
        return EXIT_OWN_FAILURE;
}

int signing_envelope(const struct options *options, const struct signer *signer, const struct signing_keys *keys,
                     const char *challenge, json_t **ret) {
        struct envelope envelope = {.n_signatures = 0};
        struct payload_terms common;
        char jti[TOKEN_MAX], why[PAYLOAD_WHY_MAX];
        json_t *object;
        int status;

        if (token_make(jti) < 0) {
                complain("no random bytes from the kernel");
                return EXIT_OWN_FAILURE;
        }
        common = terms(options, jti, challenge);
        if (make(options, keys, &common, &envelope, why) < 0) {
                complain("%s", why);
                return EXIT_OWN_FAILURE;
        }
        status = sign(options, signer, &envelope);
        if (status != EXIT_DONE)
                return status;
        object = envelope_to_json(&envelope);
        if (!object) {
                complain("out of memory");
                return EXIT_OWN_FAILURE;
        }
        status = check_size(object);
        if (status == EXIT_DONE)
                *ret = object;
        else
                json_decref(object);
        return status;
}

static int read_text(const struct options *options, char *dst, size_t size, size_t *ret_length) {
        bool from_stdin = strcmp(options->envelope, "-") == 0;
        const char *name = from_stdin ? "standard input" : options->envelope;
        FILE *file = from_stdin ? stdin : fopen(options->envelope, "re");
        bool failed;

        if (!file) {
                complain("--envelope: %s: cannot open it: %s", name, strerror(errno));
                return EXIT_OWN_FAILURE;
        }
        *ret_length = fread(dst, 1, size, file);
        failed = ferror(file);
        if (failed)
                complain("--envelope: %s: cannot read it: %s", name, strerror(errno));
        else if (*ret_length == size)
                complain("--envelope: %s: more than %zu bytes, which no guest takes", name, size - 1);
        if (!from_stdin)
                (void)fclose(file);
        return failed || *ret_length == size ? EXIT_OWN_FAILURE : EXIT_DONE;
}

/* The guest checks the payload; only what can never succeed is refused here. */
static bool has_challenge(const struct envelope *envelope) {
        json_t *payload = json_read((const char *)envelope->pae + envelope->payload_offset,
                                    envelope->pae_length - envelope->payload_offset, PAYLOAD_DEPTH_MAX);
        bool has = json_object_get(payload, "challenge") != NULL;

        json_decref(payload);
        return has;
}

static int check_envelope(json_t *object, const char *type) {
        struct envelope envelope = {.n_signatures = 0};
        struct refused why;

        if (envelope_from_json(object, &envelope, &why) != REFUSAL_NONE) {
                complain("--envelope: %s: %s", why.field, why.message);
                return EXIT_OWN_FAILURE;
        }
        if (strcmp(envelope.type, type) != 0) {
                complain("--envelope: its payload is of type %s, and this call takes %s", envelope.type, type);
                return EXIT_OWN_FAILURE;
        }
        if (has_challenge(&envelope)) {
                complain("--envelope: its payload has a challenge, which is good only on the connection that it was "
                         "given on; sign one without, as exc-push sign does");
                return EXIT_OWN_FAILURE;
        }
        return EXIT_DONE;
}

int signing_read_envelope(const struct options *options, const char *type, json_t **ret) {
        char text[FRAME_MAX + 1];
        size_t length = 0;
        json_t *object;
        int status;

        status = read_text(options, text, sizeof(text), &length);
        if (status != EXIT_DONE)
                return status;
        object = json_read(text, length, ENVELOPE_DEPTH_MAX);
        if (!object) {
                complain("--envelope: not JSON; expected the output of exc-push sign");
                return EXIT_OWN_FAILURE;
        }
        status = check_envelope(object, type);
        if (status == EXIT_DONE)
                status = check_size(object);
        if (status == EXIT_DONE)
                *ret = object;
        else
                json_decref(object);
        return status;
}
