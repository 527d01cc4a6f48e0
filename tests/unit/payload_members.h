/* SPDX-License-Identifier: Apache-2.0 */
/* A payload as the text of its members, which a test changes one by one, and the result of parsing it. */
#ifndef EXC_PAYLOAD_MEMBERS_H
#define EXC_PAYLOAD_MEMBERS_H

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "agent/request_parse.h"

#define KEY "\"ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIKj9Ne19cX0N0GriPChvaudeZoS7d4sWrB72aqPpTape\""
#define FINGERPRINT "\"SHA256:gnOW+ucjqSULxvi3D5ayDdFdc73j6dBINolLLfwXZa0\""

/* Members in their order, each with its JSON text; NULL for one that is absent. */
struct member {
        const char *name;
        const char *text;
};
static struct member members[40];
static size_t n_members;

static struct terms terms;
static struct push push;
static struct revocation revocation;
static struct refused refused;

static inline void add(const char *name, const char *text) {
        assert_true(n_members < sizeof(members) / sizeof(members[0]));
        members[n_members].name = name;
        members[n_members++].text = text;
}

static inline void set(const char *name, const char *text) {
        for (size_t i = 0; i < n_members; i++)
                if (strcmp(members[i].name, name) == 0) {
                        members[i].text = text;
                        return;
                }
        add(name, text);
}

static inline size_t write_payload(char *dst, size_t size) {
        FILE *to = fmemopen(dst, size, "w");
        const char *between = "{";
        long n;

        assert_non_null(to);
        for (size_t i = 0; i < n_members; i++) {
                if (!members[i].text)
                        continue;
                assert_true(fprintf(to, "%s\"%s\":%s", between, members[i].name, members[i].text) > 0);
                between = ",";
        }
        assert_true(fprintf(to, "%s}", between[0] == '{' ? "{" : "") > 0);
        assert_int_equal(fflush(to), 0);
        n = ftell(to);
        assert_true(n > 0 && (size_t)n < size);
        assert_int_equal(fclose(to), 0);
        return (size_t)n;
}

static inline enum refusal take_push_text(const char *text, size_t length) {
        /* Exactly as long as the text: the sanitizer sees what is read beyond it. */
        uint8_t *exact = malloc(length ? length : 1);
        enum refusal r;

        assert_non_null(exact);
        memcpy(exact, text, length);
        memset(&terms, 0xee, sizeof(terms));
        memset(&push, 0xee, sizeof(push));
        refused = (struct refused){.why = REFUSAL_NONE};
        r = request_parse_push(exact, length, &terms, &push, &refused);
        free(exact);
        assert_int_equal(refused.why, r);
        assert_true(r == REFUSAL_NONE || strlen(refused.message) > 0);
        return r;
}

static inline enum refusal take_revocation_text(const char *text, size_t length) {
        enum refusal r;

        memset(&terms, 0xee, sizeof(terms));
        memset(&revocation, 0xee, sizeof(revocation));
        refused = (struct refused){.why = REFUSAL_NONE};
        r = request_parse_revocation((const uint8_t *)text, length, &terms, &revocation, &refused);
        assert_int_equal(refused.why, r);
        assert_true(r == REFUSAL_NONE || strlen(refused.message) > 0);
        return r;
}

static inline enum refusal take_push(void) {
        static char text[65536];

        return take_push_text(text, write_payload(text, sizeof(text)));
}

static inline enum refusal take_revocation(void) {
        static char text[65536];

        return take_revocation_text(text, write_payload(text, sizeof(text)));
}

static inline void begin(void) {
        n_members = 0;
        add("aud", "\"exc:compute:instance/i-1\"");
        add("iat", "1800000000");
        add("exp", "1800000060");
        add("jti", "\"0123456789abcdef\"");
}

static inline void begin_push(void) {
        begin();
        add("user", "\"alice\"");
        add("keys", "[" KEY "]");
}

static inline int setup(void **state) {
        (void)state;
        begin_push();
        return 0;
}

static inline int setup_revocation(void **state) {
        (void)state;
        begin();
        return 0;
}

static inline void assert_taken(void) {
        if (take_push() != REFUSAL_NONE)
                fail_msg("refused: %s %s", refused.field, refused.message);
        if (request_parse_keys(&push, &refused) != REFUSAL_NONE)
                fail_msg("refused: %s", refused.message);
}

static inline void assert_refused(const char *field) {
        if (take_push() != REFUSAL_INVALID_PAYLOAD)
                fail_msg("%s: accepted", field);
        assert_string_equal(refused.field, field);
}

/* With that text as that member, which is undone after. */
static inline void assert_member_refused(const char *name, const char *text) {
        set(name, text);
        if (take_push() != REFUSAL_INVALID_PAYLOAD)
                fail_msg("%s: accepted: %s", name, text);
        assert_string_equal(refused.field, name);
        begin_push();
}

static inline void assert_revocation_refused(const char *field) {
        if (take_revocation() != REFUSAL_INVALID_PAYLOAD)
                fail_msg("%s: accepted", field);
        assert_string_equal(refused.field, field);
}

#define PUSH(name) cmocka_unit_test_setup(name, setup)
#define REVOCATION(name) cmocka_unit_test_setup(name, setup_revocation)

#endif
