/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Runs the cases of vectors.json against the agent: each with a store, a configuration and a memory of its own, over a connection
 * as the agent makes them, from bytes to bytes. README.md describes the file.
 *
 *   driver [NAME...]   all cases, or those of that name
 *
 * Clocks, random bytes, the name service and the journal are replaced at link time, so nothing of this is in the product: linked
 * with what tests/unit/agent_guest.h names, and --wrap=getrandom. Runs as root: each case has a tmpfs of its own in a private
 * mount namespace.
 */
#include <openssl/evp.h>
#include <stdarg.h>
#include <stdint.h>

#include "common/base64.h"
#include "tests/unit/agent_guest.h"
#include "tests/unit/signing.h"

/* What getrandom() returns while a Hello is answered. */
static uint8_t random_bytes[16];
static bool has_random_bytes;

ssize_t __real_getrandom(void *buffer, size_t size, unsigned flags);
ssize_t __wrap_getrandom(void *buffer, size_t size, unsigned flags);
ssize_t __wrap_getrandom(void *buffer, size_t size, unsigned flags) {
        if (!has_random_bytes || size != sizeof(random_bytes))
                return __real_getrandom(buffer, size, flags);
        memcpy(buffer, random_bytes, size);
        return (ssize_t)size;
}

/* The first failure of the case that is running. */
static char failure[4096];

__attribute__((format(printf, 1, 2))) static bool fail(const char *format, ...) {
        va_list arguments;

        if (failure[0] == '\0') {
                va_start(arguments, format);
                (void)vsnprintf(failure, sizeof(failure), format, arguments);
                va_end(arguments);
        }
        return false;
}

static json_t *vectors;
static char root[64], config_dir[96], trust_dir[128];

static json_t *context_of(json_t *one, const char *name) {
        json_t *value = json_object_get(json_object_get(one, "context"), name);

        return value ? value : json_object_get(json_object_get(vectors, "defaults"), name);
}

static int64_t number_of(json_t *one, const char *name) {
        return json_integer_value(context_of(one, name));
}

static void write_config(json_t *one) {
        const char *instance = json_string_value(context_of(one, "instance"));
        char path[192];
        json_t *value;
        FILE *file;
        size_t i;

        (void)snprintf(path, sizeof(path), "%s/agent.conf", config_dir);
        file = fopen(path, "we");
        if (!file)
                guest_give_up(path);
        (void)fprintf(file, "[Agent]\nRateLimit=0\nMaxTtl=%d\nHostKeyFiles=/nowhere.pub\nTrust=%s\n",
                      (int)json_integer_value(json_object_get(json_object_get(vectors, "policy"), "maxTtl")),
                      json_string_value(context_of(one, "trust")));
        if (instance)
                (void)fprintf(file, "InstanceId=%s\n", instance);
        json_array_foreach(context_of(one, "denyUsers"), i, value)
                (void)fprintf(file, "DenyUsers=%s\n", json_string_value(value));
        if (fclose(file) != 0 || chmod(path, 0644) < 0)
                guest_give_up(path);
        json_array_foreach(context_of(one, "anchors"), i, value) {
                const char *name = json_string_value(value);

                (void)snprintf(path, sizeof(path), "%s/%s.pem", trust_dir, name);
                signing_write(path, json_string_value(json_object_get(json_object_get(vectors, "anchors"), name)));
        }
}

static void make_root(json_t *one) {
        scratch_mount_store("mode=0755", root);
        (void)snprintf(config_dir, sizeof(config_dir), "%s/config", root);
        (void)snprintf(trust_dir, sizeof(trust_dir), "%s/trust.d", config_dir);
        scratch_make_directory(root, "config", 0, 0, 0755);
        scratch_make_directory(root, "config/trust.d", 0, 0, 0755);
        write_config(one);
}

/* Makes Hello return the challenge of the case. */
static void say_hello(struct guest *guest, json_t *one) {
        const char *challenge = json_string_value(context_of(one, "challenge")), *answered;
        char text[BASE64_LENGTH(16) + 1] = "";
        json_t *parameters, *reply;
        size_t length;

        if (!challenge)
                return;
        (void)snprintf(text, sizeof(text), "%s==", challenge);
        for (char *c = text; *c; c++)
                *c = *c == '-' ? '+' : *c == '_' ? '/' : *c;
        if (!base64_decode(text, strlen(text), random_bytes, sizeof(random_bytes), &length) || length != 16) {
                (void)fail("the challenge is not 128 bits of base64url");
                return;
        }
        has_random_bytes = true;
        world.wall_s = number_of(one, "now") - number_of(one, "challengeAge");
        world.boot_s = world.wall_s - number_of(one, "boot");
        parameters = json_object();
        reply = guest_ask_object(guest, "Hello", parameters);
        answered = json_string_value(json_object_get(json_object_get(reply, "parameters"), "challenge"));
        if (!answered || strcmp(answered, challenge) != 0)
                (void)fail("Hello answered the challenge %s", answered ? answered : "(none)");
        json_decref(reply);
        json_decref(parameters);
        has_random_bytes = false;
}

/* What the store holds of one grant. */
struct found {
        const struct store *store;
        const char *id;       /* NULL: of all */
        const char *key_name; /* a fingerprint, or NULL: any */
        size_t n;
        struct grant grant;
};

static int on_key(void *context, const struct store_place *place) {
        struct found *found = context;

        if ((found->id && strcmp(found->id, place->id) != 0) ||
            (found->key_name && strcmp(found->key_name, place->fingerprint) != 0))
                return 0;
        found->n++;
        return store_read(found->store, place, &found->grant);
}

static struct found look(struct guest *guest, const char *id, const char *key_name) {
        struct found found = {.store = &guest->agent.store, .id = id, .key_name = key_name};

        if (store_walk(found.store, NULL, NULL, on_key, &found) < 0)
                (void)fail("the store cannot be walked");
        return found;
}

static bool same_text(const char *what, const char *is, json_t *expected) {
        const char *wanted = json_string_value(expected);

        return !expected || (wanted && strcmp(is, wanted) == 0) ||
               fail("%s is %s, not %s", what, is, wanted ? wanted : "of that type");
}

static bool same_number(const char *what, int64_t is, json_t *expected) {
        return !expected || is == json_integer_value(expected) ||
               fail("%s is %lld, not %lld", what, (long long)is, (long long)json_integer_value(expected));
}

static bool same_sources(const struct grant *grant, json_t *expected) {
        json_t *value;
        size_t i;

        if (grant->n_sources != json_array_size(expected))
                return fail("%u sources are stored, not %zu", grant->n_sources, json_array_size(expected));
        json_array_foreach(expected, i, value) {
                struct source wanted;

                if (!source_from_text(json_string_value(value), &wanted) ||
                    memcmp(&wanted, &grant->sources[i], sizeof(wanted)) != 0)
                        return fail("source %zu is not stored as it was sent", i);
        }
        return true;
}

static bool check_life(const struct lifetime *life, json_t *expected) {
        json_t *wall_end = json_object_get(expected, "wallEnd");

        if (!same_number("life", (life->boot_end_ns - life->received.boot_ns) / NS_PER_S,
                         json_object_get(expected, "life")) ||
            (life->boot_end_ns - life->received.boot_ns) % NS_PER_S != 0)
                return fail("life is not a whole number of seconds");
        if (json_is_null(wall_end))
                return life->wall_end_ns == INT64_MAX || fail("there is an end on the wall clock");
        return life->wall_end_ns % NS_PER_S == 0 && same_number("wallEnd", life->wall_end_ns / NS_PER_S, wall_end);
}

static bool check_grant(const struct grant *grant, json_t *expected) {
        json_t *sources = json_object_get(expected, "source"), *restricted = json_object_get(expected, "restrict");

        return check_life(&grant->life, expected) &&
               same_text("the stored user", grant->user, json_object_get(expected, "user")) &&
               same_number("connections", grant->connections, json_object_get(expected, "connections")) &&
               (!sources || same_sources(grant, sources)) &&
               (!restricted || grant->restricted == json_is_true(restricted) ||
                fail("restrict is not as it was sent")) &&
               same_text("principal", grant->principal, json_object_get(expected, "principal")) &&
               same_text("requestId", grant->request_id, json_object_get(expected, "requestId"));
}

/* The files of a duplicate may be gone; its record is not. */
static bool check_stored(struct guest *guest, const char *id, json_t *expected) {
        json_t *fingerprints = json_object_get(expected, "fingerprints"), *value;
        bool duplicate = json_is_true(json_object_get(expected, "duplicate"));
        size_t i, n = look(guest, id, NULL).n;

        if (n != json_array_size(fingerprints) && !(duplicate && n == 0))
                return fail("%zu keys are stored, not %zu", n, json_array_size(fingerprints));
        json_array_foreach(fingerprints, i, value) {
                char name[STORE_FINGERPRINT_NAME_MAX];
                struct found found;

                if (!store_fingerprint_name(json_string_value(value), name))
                        return fail("the case has a fingerprint of another form");
                found = look(guest, id, name);
                if (found.n > 0 && !check_grant(&found.grant, expected))
                        return false;
        }
        return true;
}

static bool identity(json_t *object, char ret_id[static STORE_ID_MAX], char *ret_jti, size_t size) {
        struct envelope envelope;
        struct refused why;
        uint8_t hash[32];
        json_t *payload, *jti;

        ret_id[0] = ret_jti[0] = '\0';
        if (envelope_from_json(object, &envelope, &why) != REFUSAL_NONE ||
            EVP_Digest(envelope.pae, envelope.pae_length, hash, NULL, EVP_sha256(), NULL) != 1)
                return false;
        for (size_t i = 0; i < sizeof(hash); i++)
                (void)snprintf(ret_id + 2 * i, 3, "%02x", hash[i]);
        payload = json_loadb((const char *)envelope.pae + envelope.payload_offset,
                             envelope.pae_length - envelope.payload_offset, 0, NULL);
        jti = json_object_get(payload, "jti");
        if (jti)
                (void)snprintf(ret_jti, size, "%s", json_string_value(jti) ? json_string_value(jti) : "");
        json_decref(payload);
        return true;
}

static bool check_remembered(struct guest *guest, const char *id, const char *jti, json_t *expected) {
        struct replay_record record;
        uint8_t hash[32];
        char text[65];
        uint32_t slot;

        if (EVP_Digest(jti, strlen(jti), hash, NULL, EVP_sha256(), NULL) != 1 ||
            replay_find(&guest->agent.replay, hash, &record, &slot) < 0)
                return fail("its jti is not remembered");
        for (size_t i = 0; i < sizeof(record.pae); i++)
                (void)snprintf(text + 2 * i, 3, "%02x", record.pae[i]);
        if (strcmp(text, id) != 0 || record.state != REPLAY_DONE)
                return fail("it is not remembered as done");
        return !json_object_get(expected, "life") || check_life(&record.life, expected);
}

static bool check_ok(struct guest *guest, json_t *answer, json_t *expected, const char *id, const char *jti) {
        static const char *const names[] = {"user", "fingerprints", "expiresIn", "duplicate", "revoked"};

        for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
                json_t *wanted = json_object_get(expected, names[i]), *is = json_object_get(answer, names[i]);

                if (wanted && !json_equal(is, wanted)) {
                        char *text = json_dumps(is, JSON_ENCODE_ANY | JSON_COMPACT);

                        (void)fail("%s is answered as %s", names[i], text ? text : "nothing");
                        free(text);
                        return false;
                }
        }
        return check_remembered(guest, id, jti, expected) &&
               (!json_object_get(expected, "fingerprints") || check_stored(guest, id, expected));
}

static bool check_error(json_t *reply, json_t *expected) {
        json_t *answer = json_object_get(reply, "parameters"), *field = json_object_get(expected, "field"),
               *index = json_object_get(expected, "index");
        const char *error = json_string_value(json_object_get(reply, "error"));

        if (!error || strncmp(error, GUEST_INTERFACE, strlen(GUEST_INTERFACE)) != 0)
                return fail("the answer is no error of the interface: %s", error ? error : "success");
        if (!json_is_string(json_object_get(answer, "message")))
                return fail("the error has no message");
        return same_text("the error", error + strlen(GUEST_INTERFACE), json_object_get(expected, "error")) &&
               (!field || json_equal(json_object_get(answer, "field"), field) ||
                fail("the field is %s, not %s", json_string_value(json_object_get(answer, "field")),
                     json_string_value(field))) &&
               (!index || json_equal(json_object_get(answer, "index"), index) || fail("the index is another"));
}

static json_t *envelope_of(json_t *step) {
        json_t *use = json_object_get(step, "use");

        return use ? json_object_get(json_object_get(vectors, "envelopes"), json_string_value(use))
                   : json_object_get(step, "envelope");
}

static json_t *send_step(struct guest *guest, json_t *step) {
        const char *call = json_string_value(json_object_get(step, "call"));
        json_t *parameters, *reply;

        if (call)
                return guest_ask(guest, call);
        parameters = json_pack("{sO}", "envelope", envelope_of(step));
        if (!parameters)
                guest_give_up("json_pack");
        reply = guest_ask_object(guest, json_string_value(json_object_get(step, "method")), parameters);
        json_decref(parameters);
        return reply;
}

static bool check_reply(struct guest *guest, json_t *step, json_t *reply, size_t n_before) {
        json_t *expected = json_object_get(step, "expected"), *ok = json_object_get(expected, "ok");
        const char *text = json_string_value(json_object_get(step, "call"));
        json_t *call = text ? json_loads(text, 0, NULL) : NULL;
        char id[STORE_ID_MAX], jti[PAYLOAD_JTI_MAX + 1];
        bool good;

        (void)identity(text ? json_object_get(json_object_get(call, "parameters"), "envelope") : envelope_of(step), id,
                       jti, sizeof(jti));
        json_decref(call);
        if (json_object_get(expected, "dropped"))
                good = !reply || fail("there is an answer");
        else if (!reply && json_object_get(step, "must") && !ok)
                good = true; /* nested too deep for a call: either refusal will do */
        else if (!reply)
                good = fail("there is no answer, and the connection is closed");
        else if (ok)
                good = !json_object_get(reply, "error")
                               ? check_ok(guest, json_object_get(reply, "parameters"), ok, id, jti)
                               : fail("%s: %s", json_string_value(json_object_get(reply, "error")),
                                      json_string_value(
                                              json_object_get(json_object_get(reply, "parameters"), "message")));
        else
                good = check_error(reply, expected);
        if (!ok && look(guest, NULL, NULL).n > n_before)
                return fail("a key was stored in spite of the refusal");
        return good;
}

static bool take_step(struct guest *guest, json_t *one, json_t *step) {
        json_t *now = json_object_get(step, "now"), *max_error = json_object_get(step, "maxError");
        size_t n_before;
        json_t *reply;
        bool good;

        world.wall_s = now ? json_integer_value(now) : number_of(one, "now");
        world.boot_s = world.wall_s - number_of(one, "boot");
        world.max_error_us = max_error ? json_integer_value(max_error) : number_of(one, "maxError");
        n_before = look(guest, NULL, NULL).n;
        reply = send_step(guest, step);
        good = failure[0] == '\0' && check_reply(guest, step, reply, n_before);
        json_decref(reply);
        return good;
}

static bool run_case(json_t *one) {
        static struct guest guest;
        json_t *step;
        size_t i;
        bool good;

        failure[0] = '\0';
        make_root(one);
        scratch_become(SCRATCH_AGENT);
        /* Before anything that happens in the case: CLOCK_BOOTTIME does not go back. */
        world.wall_s = number_of(one, "boot") + 1;
        world.boot_s = 1;
        world.born_s = json_is_null(context_of(one, "memory")) ? 0 : number_of(one, "memory") - number_of(one, "boot");
        world.max_error_us = number_of(one, "maxError");
        world.unsync = json_is_true(context_of(one, "unsync"));
        guest_start(&guest, root, config_dir,
                    strcmp(json_string_value(context_of(one, "channel")), "admin") == 0 ? CONNECTION_ADMIN
                                                                                        : CONNECTION_VSOCK);
        say_hello(&guest, one);
        good = failure[0] == '\0';
        json_array_foreach(json_object_get(one, "before"), i, step)
                good = good && take_step(&guest, one, step);
        good = good && take_step(&guest, one, one);
        guest_stop(&guest);
        scratch_become(0);
        scratch_unmount_store(root);
        return good;
}

static bool wanted(const char *name, int argc, char **argv) {
        for (int i = 1; i < argc; i++)
                if (strcmp(argv[i], name) == 0)
                        return true;
        return argc < 2;
}

int main(int argc, char **argv) {
        static const char *const lists[] = {"cases", "implementation-defined"};
        size_t n = 0, n_failed = 0;

        vectors = json_load_file(TOP_SRCDIR "/tests/vectors/vectors.json", JSON_REJECT_DUPLICATES, NULL);
        if (json_integer_value(json_object_get(vectors, "format")) != 2)
                guest_give_up(TOP_SRCDIR "/tests/vectors/vectors.json");
        guest_hide_the_machine();
        for (size_t i = 0; i < sizeof(lists) / sizeof(lists[0]); i++) {
                json_t *one;
                size_t j;

                json_array_foreach(json_object_get(vectors, lists[i]), j, one) {
                        const char *name = json_string_value(json_object_get(one, "name"));
                        bool good;

                        if (!wanted(name, argc, argv))
                                continue;
                        good = run_case(one);
                        (void)printf("%s %zu - %s\n", good ? "ok" : "not ok", ++n, name);
                        if (!good)
                                (void)printf("# %s\n", failure);
                        n_failed += !good;
                }
        }
        (void)printf("1..%zu\n", n);
        json_decref(vectors);
        return n > 0 && n_failed == 0 ? 0 : 1;
}
