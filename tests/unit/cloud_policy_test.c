/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What documents say, and what they allow. In the tables ' stands for ", and | separates the documents of an account; a
 * document is written as its statements.
 */
#include "cloud/policy/policy.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { TEXT_MAX = 2 * POLICY_DOCUMENT_MAX, DOCUMENTS_MAX = 8 };

#define CONNECT "compute:instance:connect"
#define I42 "exc:compute:instance/42"
#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

static int parse(const char *text, size_t length, struct policy **ret, char why[static POLICY_WHY_MAX]) {
        /* From memory of exactly that size, so that the sanitizer sees a read past its end. */
        char *copy = malloc(length > 0 ? length : 1);
        int r;

        assert_non_null(copy);
        memcpy(copy, text, length);
        r = policy_parse(copy, length, ret, why);
        free(copy);
        return r;
}

static void quote(char *text) {
        for (; *text; text++)
                if (*text == '\'')
                        *text = '"';
}

static struct policy *document_of(const char *statements, size_t n) {
        static char text[TEXT_MAX];
        char why[POLICY_WHY_MAX];
        struct policy *policy;
        int r;

        (void)snprintf(text, sizeof(text), "{'Version':'2024-03-05','Statements':[%.*s]}", (int)n, statements);
        quote(text);
        r = parse(text, strlen(text), &policy, why);
        if (r < 0)
                fail_msg("%s: %s", text, why);
        return policy;
}

static struct policy_decision decide(const char *documents, const struct policy_request *request) {
        struct policy *policies[DOCUMENTS_MAX] = {NULL};
        struct policy_decision decision;
        size_t n = 0;

        for (const char *at = documents; *at != '\0';) {
                size_t length = strcspn(at, "|");

                assert_true(n < DOCUMENTS_MAX);
                policies[n++] = document_of(at, length);
                at += length + (at[length] == '|');
        }
        memset(&decision, 0xff, sizeof(decision));
        policy_evaluate((const struct policy *const *)policies, n, request, &decision);
        for (size_t i = 0; i < n; i++)
                policy_free(policies[i]);
        return decision;
}

enum expected { NONE = POLICY_NO_MATCH, ALLOW = POLICY_ALLOW, DENY = POLICY_DENY };

struct evaluation {
        const char *documents, *action, *resource, *source_ip, *os_user;
        enum expected effect;
};

#define ALL "{'Effect':'Allow','Action':'*','Resource':'*'}"
#define ALLOW_OF(action, resource) "{'Effect':'Allow','Action':'" action "','Resource':'" resource "'}"
#define DENY_OF(action, resource) "{'Effect':'Deny','Action':'" action "','Resource':'" resource "'}"
#define ALLOW_IF(condition) "{'Effect':'Allow','Action':'*','Resource':'*','Condition':" condition "}"
#define DENY_IF(condition) ALL ",{'Effect':'Deny','Action':'*','Resource':'*','Condition':" condition "}"
#define ALLOW_FROM(ranges) ALLOW_IF("{'IpAddress':{'exc:SourceIp':" ranges "}}")
#define DENY_FROM(ranges) DENY_IF("{'IpAddress':{'exc:SourceIp':" ranges "}}")
#define ALLOW_AS(users) ALLOW_IF("{'StringEquals':{'exc:OsUser':" users "}}")
#define DENY_AS(users) DENY_IF("{'StringEquals':{'exc:OsUser':" users "}}")

static const struct evaluation exact_and_folded[] = {
        /* Nothing. */
        {"", CONNECT, I42, NULL, NULL, NONE},
        /* Exact. */
        {ALLOW_OF(CONNECT, I42), CONNECT, I42, NULL, NULL, ALLOW},
        {ALLOW_OF(CONNECT, I42), "compute:instance:revoke", I42, NULL, NULL, NONE},
        {ALLOW_OF(CONNECT, I42), CONNECT, "exc:compute:instance/43", NULL, NULL, NONE},
        {ALLOW_OF(CONNECT, I42), CONNECT, "exc:compute:keypair/42", NULL, NULL, NONE},
        /* Near misses. */
        {ALLOW_OF(CONNECT, I42), CONNECT, "exc:compute:instance/4", NULL, NULL, NONE},
        {ALLOW_OF(CONNECT, I42), CONNECT, "exc:compute:instance/42x", NULL, NULL, NONE},
        {ALLOW_OF(CONNECT, I42), CONNECT, "exc:compute:instance/420", NULL, NULL, NONE},
        {ALLOW_OF(CONNECT, I42), CONNECT, "exc:compute:instance/042", NULL, NULL, NONE},
        {ALLOW_OF(CONNECT, I42), CONNECT, "exc:compute:instance/2", NULL, NULL, NONE},
        {ALLOW_OF(CONNECT, I42), CONNECT, "exc:compute:instance/", NULL, NULL, NONE},
        {ALLOW_OF(CONNECT, I42), CONNECT, "exc:compute:instance", NULL, NULL, NONE},
        {ALLOW_OF(CONNECT, I42), CONNECT, "", NULL, NULL, NONE},
        {ALLOW_OF(CONNECT, I42), CONNECT, "42", NULL, NULL, NONE},
        {ALLOW_OF(CONNECT, I42), CONNECT, " " I42, NULL, NULL, NONE},
        {ALLOW_OF(CONNECT, I42), CONNECT, I42 " ", NULL, NULL, NONE},
        {ALLOW_OF(CONNECT, I42), CONNECT, I42 "\n", NULL, NULL, NONE},
        {ALLOW_OF(CONNECT, I42), CONNECT, I42 "/", NULL, NULL, NONE},
        {ALLOW_OF(CONNECT, I42), CONNECT, "x" I42, NULL, NULL, NONE},
        {ALLOW_OF(CONNECT, I42), CONNECT, "exc:compute:instance/*", NULL, NULL, NONE},
        {ALLOW_OF(CONNECT, I42), CONNECT, "*", NULL, NULL, NONE},
        {ALLOW_OF(CONNECT, I42), "*", I42, NULL, NULL, NONE},
        {ALLOW_OF(CONNECT, I42), "", I42, NULL, NULL, NONE},
        {ALLOW_OF(CONNECT, I42), "compute:instance:connec", I42, NULL, NULL, NONE},
        {ALLOW_OF(CONNECT, I42), "compute:instance:connect2", I42, NULL, NULL, NONE},
        {ALLOW_OF(CONNECT, I42), "compute:instance:console", I42, NULL, NULL, NONE},
        {ALLOW_OF(CONNECT, I42), I42, CONNECT, NULL, NULL, NONE},
        {ALLOW_OF(CONNECT " ", I42), CONNECT, I42, NULL, NULL, NONE},
        /* Case. */
        {ALLOW_OF("Compute:Instance:Connect", "EXC:COMPUTE:INSTANCE/42"), CONNECT, I42, NULL, NULL, ALLOW},
        {ALLOW_OF(CONNECT, I42), "COMPUTE:INSTANCE:CONNECT", I42, NULL, NULL, ALLOW},
        {ALLOW_OF(CONNECT, I42), CONNECT, "eXc:ComPute:InstancE/42", NULL, NULL, ALLOW},
        {ALLOW_OF(CONNECT, "exc:compute:instance/WEB"), CONNECT, "exc:compute:instance/web", NULL, NULL, ALLOW},
        {ALLOW_OF("compute:keypair:get", "exc:compute:keypair/Ann"), "compute:keypair:get", "exc:compute:keypair/aNN",
         NULL, NULL, ALLOW},
        {DENY_OF("COMPUTE:*", "*") "," ALL, CONNECT, I42, NULL, NULL, DENY},
        {ALLOW_OF(CONNECT, "exc:compute:instance/WEB*"), CONNECT, "exc:compute:instance/web-1", NULL, NULL, ALLOW},
        /* Only the letters of ASCII are folded: not @ and `, [ and {, Ä and ä, nor the Kelvin sign to k. */
        {ALLOW_OF("a@", "*"), "a`", I42, NULL, NULL, NONE},
        {ALLOW_OF("a[", "*"), "a{", I42, NULL, NULL, NONE},
        {ALLOW_OF("a_", "*"), "a\x7f", I42, NULL, NULL, NONE},
        {ALLOW_OF("Z", "*"), "z", I42, NULL, NULL, ALLOW},
        {ALLOW_OF("A", "*"), "a", I42, NULL, NULL, ALLOW},
        {ALLOW_OF("a\xc3\x84", "*"), "a\xc3\xa4", I42, NULL, NULL, NONE},
        {ALLOW_OF("a\xc3\x84", "*"), "A\xc3\x84", I42, NULL, NULL, ALLOW},
        {ALLOW_OF("\xe2\x84\xaa", "*"), "k", I42, NULL, NULL, NONE},
        {ALLOW_OF("\\u0041", "*"), "a", I42, NULL, NULL, ALLOW},
};

static const struct evaluation wildcards[] = {
        {ALL, CONNECT, I42, NULL, NULL, ALLOW},
        {ALL, "", "", NULL, NULL, ALLOW},
        {ALL, "anything", "at all", "not an address", "", ALLOW},
        {ALLOW_OF("compute:*", "*"), CONNECT, I42, NULL, NULL, ALLOW},
        {ALLOW_OF("compute:*", "*"), "iam:token:create", "exc:iam:account/a", NULL, NULL, NONE},
        {ALLOW_OF("compute:*", "*"), "compute:", I42, NULL, NULL, ALLOW},
        {ALLOW_OF("compute:*", "*"), "compute", I42, NULL, NULL, NONE},
        {ALLOW_OF("compute:instance:*", "*"), "compute:keypair:get", "exc:compute:keypair/a", NULL, NULL, NONE},
        {ALLOW_OF("compute:instance:con*", "*"), CONNECT, I42, NULL, NULL, ALLOW},
        {ALLOW_OF("compute:instance:con*", "*"), "compute:instance:console", I42, NULL, NULL, ALLOW},
        {ALLOW_OF("compute:instance:con*", "*"), "compute:instance:co", I42, NULL, NULL, NONE},
        {ALLOW_OF(CONNECT "*", "*"), CONNECT, I42, NULL, NULL, ALLOW},
        {ALLOW_OF("iam:policy:*", "*"), "iam:policy:create", "exc:iam:policy/p", NULL, NULL, ALLOW},
        {ALLOW_OF("*", "exc:compute:instance/4*"), CONNECT, I42, NULL, NULL, ALLOW},
        {ALLOW_OF("*", "exc:compute:instance/4*"), CONNECT, "exc:compute:instance/4", NULL, NULL, ALLOW},
        {ALLOW_OF("*", "exc:compute:instance/4*"), CONNECT, "exc:compute:instance/", NULL, NULL, NONE},
        {ALLOW_OF("*", "exc:compute:instance/4*"), CONNECT, "exc:compute:instance/54", NULL, NULL, NONE},
        {ALLOW_OF("*", "exc:compute:instance/web-*"), CONNECT, "exc:compute:instance/web-1.a/b:c", NULL, NULL, ALLOW},
        {ALLOW_OF("*", "exc:compute:instance/web-*"), CONNECT, "exc:compute:instance/web", NULL, NULL, NONE},
        {ALLOW_OF("*", "exc:compute:instance/42*"), CONNECT, "exc:compute:instance/42x", NULL, NULL, ALLOW},
        {ALLOW_OF("*", "exc:*"), CONNECT, "EXC:", NULL, NULL, ALLOW},
        {ALLOW_OF("*", "exc:compute:instance/*"), "compute:keypair:get", "exc:compute:keypair/a", NULL, NULL, NONE},
        /* Of the request it is a character. */
        {ALLOW_OF("*", "exc:compute:instance/4*"), CONNECT, "exc:compute:instance/*", NULL, NULL, NONE},
        {ALLOW_OF("*", "exc:compute:instance/*"), CONNECT, "exc:compute:instance/*", NULL, NULL, ALLOW},
        /* Nothing else is special. */
        {ALLOW_OF("*", "exc:compute:instance/?2"), CONNECT, I42, NULL, NULL, NONE},
        {ALLOW_OF("*", "exc:compute:instance/[0-9]2"), CONNECT, I42, NULL, NULL, NONE},
        {ALLOW_OF("*", "exc:compute:instance/.."), CONNECT, I42, NULL, NULL, NONE},
        {ALLOW_OF("*", "exc:compute:instance/%34%32"), CONNECT, I42, NULL, NULL, NONE},
        {ALLOW_OF("*", "exc:compute:instance/${exc:OsUser}"), CONNECT, I42, NULL, "42", NONE},
};

static const struct evaluation arrays[] = {
        {"{'Effect':'Allow','Action':['a','" CONNECT "'],'Resource':'*'}", CONNECT, I42, NULL, NULL, ALLOW},
        {"{'Effect':'Allow','Action':['" CONNECT "','a'],'Resource':'*'}", CONNECT, I42, NULL, NULL, ALLOW},
        {"{'Effect':'Allow','Action':['a','b'],'Resource':'*'}", CONNECT, I42, NULL, NULL, NONE},
        {"{'Effect':'Allow','Action':['a'],'Resource':['b']}", "a", "b", NULL, NULL, ALLOW},
        {"{'Effect':'Allow','Action':'a','Resource':['b','c']}", "a", "c", NULL, NULL, ALLOW},
        {"{'Effect':'Allow','Action':['a','x'],'Resource':['b','c']}", "x", "b", NULL, NULL, ALLOW},
        {"{'Effect':'Allow','Action':['a','x'],'Resource':['b','c']}", "b", "x", NULL, NULL, NONE},
        {"{'Effect':'Allow','Action':['a','x'],'Resource':['b','c*']}", "x", "cd", NULL, NULL, ALLOW},
        {"{'Effect':'Allow','Action':['a','a'],'Resource':['b','b']}", "a", "b", NULL, NULL, ALLOW},
        {"{'Effect':'Deny','Action':['a','x'],'Resource':['b','c']}," ALL, "x", "c", NULL, NULL, DENY},
        {"{'Effect':'Deny','Action':['a','x'],'Resource':['b','c']}," ALL, "x", "d", NULL, NULL, ALLOW},
        /* Each pair of one statement, and no pair of two. */
        {ALLOW_OF("a", "b") "," ALLOW_OF("x", "y"), "a", "y", NULL, NULL, NONE},
        {ALLOW_OF("a", "b") "," ALLOW_OF("x", "y"), "x", "y", NULL, NULL, ALLOW},
};

static const struct evaluation precedence[] = {
        {ALL "," DENY_OF("*", "*"), CONNECT, I42, NULL, NULL, DENY},
        {DENY_OF("*", "*") "," ALL, CONNECT, I42, NULL, NULL, DENY},
        {DENY_OF("*", "*"), CONNECT, I42, NULL, NULL, DENY},
        {ALL "|" DENY_OF("*", "*"), CONNECT, I42, NULL, NULL, DENY},
        {DENY_OF("*", "*") "|" ALL, CONNECT, I42, NULL, NULL, DENY},
        {ALL "|" ALL "|" ALL "|" DENY_OF(CONNECT, I42) "|" ALL, CONNECT, I42, NULL, NULL, DENY},
        {ALL "|" DENY_OF(CONNECT, I42), CONNECT, "exc:compute:instance/43", NULL, NULL, ALLOW},
        {ALL "|" DENY_OF(CONNECT, I42), "compute:instance:get", I42, NULL, NULL, ALLOW},
        {ALLOW_OF(CONNECT, I42) "|" DENY_OF("*", "exc:compute:instance/4*"), CONNECT, I42, NULL, NULL, DENY},
        /* One that is exact wins no more than one that is not. */
        {ALLOW_OF(CONNECT, I42) "," DENY_OF("*", "*"), CONNECT, I42, NULL, NULL, DENY},
        {ALLOW_OF("*", "*") "," DENY_OF(CONNECT, I42), CONNECT, I42, NULL, NULL, DENY},
        {DENY_OF("compute:instance:console", "*") "," ALL, "compute:instance:console", I42, NULL, NULL, DENY},
        {DENY_OF("compute:instance:console", "*") "," ALL, CONNECT, I42, NULL, NULL, ALLOW},
        {DENY_OF("*", "exc:compute:instance/42x") "," ALL, CONNECT, I42, NULL, NULL, ALLOW},
        {DENY_OF("*", "exc:compute:instance/4") "," ALL, CONNECT, I42, NULL, NULL, ALLOW},
        {ALLOW_OF("a", "b") "|" ALLOW_OF("c", "d"), "c", "d", NULL, NULL, ALLOW},
        {ALLOW_OF("a", "b") "|" ALLOW_OF("c", "d"), "a", "d", NULL, NULL, NONE},
        {DENY_OF("a", "b"), "c", "d", NULL, NULL, NONE},
};

static const struct evaluation addresses[] = {
        {ALLOW_FROM("'192.0.2.0/24'"), CONNECT, I42, "192.0.2.1", NULL, ALLOW},
        {ALLOW_FROM("'192.0.2.0/24'"), CONNECT, I42, "192.0.2.255", NULL, ALLOW},
        {ALLOW_FROM("'192.0.2.0/24'"), CONNECT, I42, "192.0.3.0", NULL, NONE},
        {ALLOW_FROM("'192.0.2.0/24'"), CONNECT, I42, "192.0.1.255", NULL, NONE},
        {ALLOW_FROM("'192.0.2.128/25'"), CONNECT, I42, "192.0.2.127", NULL, NONE},
        {ALLOW_FROM("'192.0.2.128/25'"), CONNECT, I42, "192.0.2.128", NULL, ALLOW},
        {ALLOW_FROM("'192.0.2.4/30'"), CONNECT, I42, "192.0.2.7", NULL, ALLOW},
        {ALLOW_FROM("'192.0.2.4/30'"), CONNECT, I42, "192.0.2.8", NULL, NONE},
        {ALLOW_FROM("'192.0.2.4/31'"), CONNECT, I42, "192.0.2.6", NULL, NONE},
        {ALLOW_FROM("'192.0.2.1/32'"), CONNECT, I42, "192.0.2.1", NULL, ALLOW},
        {ALLOW_FROM("'192.0.2.1'"), CONNECT, I42, "192.0.2.1", NULL, ALLOW},
        {ALLOW_FROM("'192.0.2.1'"), CONNECT, I42, "192.0.2.2", NULL, NONE},
        {ALLOW_FROM("'0.0.0.0/0'"), CONNECT, I42, "203.0.113.9", NULL, ALLOW},
        {ALLOW_FROM("'0.0.0.0/0'"), CONNECT, I42, "2001:db8::1", NULL, NONE},
        {ALLOW_FROM("'128.0.0.0/1'"), CONNECT, I42, "127.255.255.255", NULL, NONE},
        {ALLOW_FROM("'128.0.0.0/1'"), CONNECT, I42, "128.0.0.0", NULL, ALLOW},
        {ALLOW_FROM("'2001:db8::/32'"), CONNECT, I42, "2001:db8:ffff::1", NULL, ALLOW},
        {ALLOW_FROM("'2001:DB8::/32'"), CONNECT, I42, "2001:0db8:0:0:0:0:0:1", NULL, ALLOW},
        {ALLOW_FROM("'2001:db8::/32'"), CONNECT, I42, "2001:db9::1", NULL, NONE},
        {ALLOW_FROM("'2001:db8::/33'"), CONNECT, I42, "2001:db8:8000::", NULL, NONE},
        {ALLOW_FROM("'2001:db8::1'"), CONNECT, I42, "2001:db8::1", NULL, ALLOW},
        {ALLOW_FROM("'2001:db8::1/128'"), CONNECT, I42, "2001:db8::2", NULL, NONE},
        {ALLOW_FROM("'::/0'"), CONNECT, I42, "2001:db8::1", NULL, ALLOW},
        {ALLOW_FROM("'::/0'"), CONNECT, I42, "192.0.2.1", NULL, NONE},
        {ALLOW_FROM("'::/0'"), CONNECT, I42, "::ffff:192.0.2.1", NULL, NONE},
        {ALLOW_FROM("'::/1'"), CONNECT, I42, "::1", NULL, ALLOW},
        /* A mapped IPv4 is IPv4. One that is only compatible is not. */
        {ALLOW_FROM("'192.0.2.0/24'"), CONNECT, I42, "::ffff:192.0.2.1", NULL, ALLOW},
        {ALLOW_FROM("'192.0.2.0/24'"), CONNECT, I42, "::FFFF:c000:201", NULL, ALLOW},
        {ALLOW_FROM("'192.0.2.0/24'"), CONNECT, I42, "::192.0.2.1", NULL, NONE},
        {ALLOW_FROM("'192.0.2.0/24'"), CONNECT, I42, "64:ff9b::192.0.2.1", NULL, NONE},
        {DENY_FROM("'192.0.2.0/24'"), CONNECT, I42, "::ffff:192.0.2.1", NULL, DENY},
        /* Values are ORed. */
        {ALLOW_FROM("['10.0.0.0/8','2001:db8::/32','192.0.2.7']"), CONNECT, I42, "10.1.2.3", NULL, ALLOW},
        {ALLOW_FROM("['10.0.0.0/8','2001:db8::/32','192.0.2.7']"), CONNECT, I42, "2001:db8::7", NULL, ALLOW},
        {ALLOW_FROM("['10.0.0.0/8','2001:db8::/32','192.0.2.7']"), CONNECT, I42, "192.0.2.7", NULL, ALLOW},
        {ALLOW_FROM("['10.0.0.0/8','2001:db8::/32','192.0.2.7']"), CONNECT, I42, "192.0.2.8", NULL, NONE},
        {DENY_FROM("['10.0.0.0/8','2001:db8::/32']"), CONNECT, I42, "10.1.2.3", NULL, DENY},
        {DENY_FROM("['10.0.0.0/8','2001:db8::/32']"), CONNECT, I42, "11.1.2.3", NULL, ALLOW},
        /* The request has no address, or none that can be read. */
        {ALLOW_FROM("'0.0.0.0/0'"), CONNECT, I42, NULL, NULL, NONE},
        {ALLOW_FROM("['0.0.0.0/0','::/0']"), CONNECT, I42, "", NULL, NONE},
        {ALLOW_FROM("['0.0.0.0/0','::/0']"), CONNECT, I42, "unix", NULL, NONE},
        {ALLOW_FROM("['0.0.0.0/0','::/0']"), CONNECT, I42, "192.0.2.1/32", NULL, NONE},
        {ALLOW_FROM("['0.0.0.0/0','::/0']"), CONNECT, I42, "192.0.2.1 ", NULL, NONE},
        {ALLOW_FROM("['0.0.0.0/0','::/0']"), CONNECT, I42, "192.0.2", NULL, NONE},
        {ALLOW_FROM("['0.0.0.0/0','::/0']"), CONNECT, I42, "192.0.2.01", NULL, NONE},
        {ALLOW_FROM("['0.0.0.0/0','::/0']"), CONNECT, I42, "fe80::1%eth0", NULL, NONE},
        {DENY_FROM("'192.0.2.0/24'"), CONNECT, I42, NULL, NULL, DENY},
        {DENY_FROM("'192.0.2.0/24'"), CONNECT, I42, "nonsense", NULL, DENY},
};

static const struct evaluation users[] = {
        {ALLOW_AS("'alice'"), CONNECT, I42, NULL, "alice", ALLOW},
        {ALLOW_AS("'alice'"), CONNECT, I42, NULL, "bob", NONE},
        {ALLOW_AS("['alice','bob']"), CONNECT, I42, NULL, "bob", ALLOW},
        {ALLOW_AS("['alice','bob']"), CONNECT, I42, NULL, "carol", NONE},
        /* Exact: no case folded, no prefix, no domain. */
        {ALLOW_AS("'alice'"), CONNECT, I42, NULL, "Alice", NONE},
        {ALLOW_AS("'Alice'"), CONNECT, I42, NULL, "alice", NONE},
        {ALLOW_AS("'alice'"), CONNECT, I42, NULL, "alice2", NONE},
        {ALLOW_AS("'alice'"), CONNECT, I42, NULL, "alic", NONE},
        {ALLOW_AS("'alice'"), CONNECT, I42, NULL, "alice ", NONE},
        {ALLOW_AS("'alice'"), CONNECT, I42, NULL, "", NONE},
        {ALLOW_AS("'alice'"), CONNECT, I42, NULL, "alice@corp.example", NONE},
        {ALLOW_AS("'alice@corp.example'"), CONNECT, I42, NULL, "alice@corp.example", ALLOW},
        {ALLOW_AS("'CORP\\\\alice'"), CONNECT, I42, NULL, "CORP\\alice", ALLOW},
        {ALLOW_AS("'\xc3\xa4nn'"), CONNECT, I42, NULL, "\xc3\xa4nn", ALLOW},
        {ALLOW_AS("'\\u00e4nn'"), CONNECT, I42, NULL, "\xc3\xa4nn", ALLOW},
        {DENY_AS("'root'"), CONNECT, I42, NULL, "root", DENY},
        {DENY_AS("'root'"), CONNECT, I42, NULL, "alice", ALLOW},
        {DENY_AS("['root','toor']"), CONNECT, I42, NULL, "toor", DENY},
        /* The request has none. */
        {ALLOW_AS("'alice'"), CONNECT, I42, NULL, NULL, NONE},
        {DENY_AS("'root'"), CONNECT, I42, NULL, NULL, DENY},
        {DENY_AS("'root'"), "compute:instance:get", I42, "192.0.2.1", NULL, DENY},
        /* It says nothing of other actions and resources. */
        {ALL ",{'Effect':'Deny','Action':'" CONNECT
             "','Resource':'*','Condition':{'StringEquals':{'exc:OsUser':'root'}}}",
         "compute:instance:get", I42, NULL, NULL, ALLOW},
        {ALL ",{'Effect':'Deny','Action':'*','Resource':'" I42 "','Condition':{'StringEquals':{'exc:OsUser':'root'}}}",
         CONNECT, "exc:compute:instance/43", NULL, "root", ALLOW},
};

#define BOTH "{'IpAddress':{'exc:SourceIp':'10.0.0.0/8'},'StringEquals':{'exc:OsUser':'alice'}}"
#define OTHER_OPERATOR "{'StringLike':{'exc:OsUser':'al*'}}"
#define OTHER_KEY "{'StringEquals':{'exc:Weekday':'monday'}}"
#define OTHER_PAIR "{'StringEquals':{'exc:SourceIp':'10.0.0.1'}}"
#define KNOWN_AND_OTHER "{'IpAddress':{'exc:SourceIp':'10.0.0.0/8'},'StringLike':{'exc:OsUser':'al*'}}"
#define KEY_AND_OTHER "{'StringEquals':{'exc:OsUser':'alice','exc:Weekday':'monday'}}"

static const struct evaluation combined[] = {
        /* Operators are ANDed. */
        {ALLOW_IF(BOTH), CONNECT, I42, "10.0.0.1", "alice", ALLOW},
        {ALLOW_IF(BOTH), CONNECT, I42, "11.0.0.1", "alice", NONE},
        {ALLOW_IF(BOTH), CONNECT, I42, "10.0.0.1", "bob", NONE},
        {ALLOW_IF(BOTH), CONNECT, I42, "10.0.0.1", NULL, NONE},
        {ALLOW_IF(BOTH), CONNECT, I42, NULL, "alice", NONE},
        {DENY_IF(BOTH), CONNECT, I42, "10.0.0.1", "alice", DENY},
        {DENY_IF(BOTH), CONNECT, I42, "11.0.0.1", "alice", ALLOW},
        {DENY_IF(BOTH), CONNECT, I42, "10.0.0.1", "bob", ALLOW},
        {DENY_IF(BOTH), CONNECT, I42, NULL, "alice", DENY},
        {DENY_IF(BOTH), CONNECT, I42, "10.0.0.1", NULL, DENY},
        {DENY_IF(BOTH), CONNECT, I42, NULL, NULL, DENY},
        /* What fails, fails, whatever the other would be. */
        {DENY_IF(BOTH), CONNECT, I42, "11.0.0.1", NULL, ALLOW},
        {DENY_IF(BOTH), CONNECT, I42, NULL, "bob", ALLOW},
        /* Not known: an Allow does not match, a Deny does. */
        {ALLOW_IF(OTHER_OPERATOR), CONNECT, I42, "10.0.0.1", "alice", NONE},
        {DENY_IF(OTHER_OPERATOR), CONNECT, I42, "10.0.0.1", "bob", DENY},
        {ALLOW_IF(OTHER_KEY), CONNECT, I42, "10.0.0.1", "alice", NONE},
        {DENY_IF(OTHER_KEY), CONNECT, I42, "10.0.0.1", "alice", DENY},
        {ALLOW_IF(OTHER_PAIR), CONNECT, I42, "10.0.0.1", "alice", NONE},
        {DENY_IF(OTHER_PAIR), CONNECT, I42, "11.0.0.1", "alice", DENY},
        {ALLOW_IF("{'IpAddress':{'exc:OsUser':'alice'}}"), CONNECT, I42, "10.0.0.1", "alice", NONE},
        {DENY_IF("{'IpAddress':{'exc:OsUser':'alice'}}"), CONNECT, I42, "10.0.0.1", "bob", DENY},
        /* Names of operators and keys are exact. */
        {ALLOW_IF("{'ipaddress':{'exc:SourceIp':'10.0.0.0/8'}}"), CONNECT, I42, "10.0.0.1", NULL, NONE},
        {ALLOW_IF("{'IpAddress':{'exc:sourceip':'10.0.0.0/8'}}"), CONNECT, I42, "10.0.0.1", NULL, NONE},
        {DENY_IF("{'IpAddress':{'exc:sourceip':'10.0.0.0/8'}}"), CONNECT, I42, "11.0.0.1", NULL, DENY},
        {ALLOW_IF("{'IpAddress ':{'exc:SourceIp':'10.0.0.0/8'}}"), CONNECT, I42, "10.0.0.1", NULL, NONE},
        {ALLOW_IF("{'NotIpAddress':{'exc:SourceIp':'10.0.0.0/8'}}"), CONNECT, I42, "11.0.0.1", NULL, NONE},
        {ALLOW_IF("{'':{'':''}}"), CONNECT, I42, "10.0.0.1", NULL, NONE},
        /* Next to one that is known. */
        {ALLOW_IF(KNOWN_AND_OTHER), CONNECT, I42, "10.0.0.1", "alice", NONE},
        {DENY_IF(KNOWN_AND_OTHER), CONNECT, I42, "10.0.0.1", "alice", DENY},
        {DENY_IF(KNOWN_AND_OTHER), CONNECT, I42, "11.0.0.1", "alice", ALLOW},
        {ALLOW_IF(KEY_AND_OTHER), CONNECT, I42, NULL, "alice", NONE},
        {DENY_IF(KEY_AND_OTHER), CONNECT, I42, NULL, "alice", DENY},
        {DENY_IF(KEY_AND_OTHER), CONNECT, I42, NULL, "bob", ALLOW},
        /* An Allow that cannot match leaves the others as they are. */
        {ALLOW_IF(OTHER_KEY) "," ALLOW_OF(CONNECT, I42), CONNECT, I42, NULL, NULL, ALLOW},
        {ALLOW_IF(OTHER_KEY) "|" ALLOW_OF(CONNECT, I42), CONNECT, I42, NULL, NULL, ALLOW},
        {"{'Effect':'Deny','Action':'a','Resource':'*','Condition':" OTHER_KEY "}," ALL, CONNECT, I42, NULL, NULL,
         ALLOW},
};

static void all_of(const struct evaluation *cases, size_t n) {
        for (size_t i = 0; i < n; i++) {
                const struct evaluation *one = &cases[i];
                struct policy_request request = {one->action, one->resource, one->source_ip, one->os_user};
                struct policy_decision decision = decide(one->documents, &request);

                if ((int)decision.effect != (int)one->effect)
                        fail_msg("case %zu: %s: %s on %s from %s as %s: %d, not %d", i, one->documents, one->action,
                                 one->resource, one->source_ip ? one->source_ip : "nowhere",
                                 one->os_user ? one->os_user : "nobody", (int)decision.effect, (int)one->effect);
        }
}

static void action_and_resource_are_exact_with_ascii_case_folded(void **state) {
        (void)state;
        all_of(exact_and_folded, COUNT(exact_and_folded));
}

static void star_at_the_end_is_any_rest(void **state) {
        (void)state;
        all_of(wildcards, COUNT(wildcards));
}

static void one_of_an_array_is_enough(void **state) {
        (void)state;
        all_of(arrays, COUNT(arrays));
}

static void deny_wins(void **state) {
        (void)state;
        all_of(precedence, COUNT(precedence));
}

static void source_address_is_in_a_range(void **state) {
        (void)state;
        all_of(addresses, COUNT(addresses));
}

static void os_user_is_exact(void **state) {
        (void)state;
        all_of(users, COUNT(users));
}

static void unknown_conditions_deny(void **state) {
        (void)state;
        all_of(combined, COUNT(combined));
}

static void decision_names_the_first_statement(void **state) {
        static const char documents[] = "{'Sid':'one','Effect':'Allow','Action':'a','Resource':'*'},"
                                        "{'Effect':'Allow','Action':'b*','Resource':'*'}|"
                                        "{'Sid':'x','Effect':'Allow','Action':'bb','Resource':'*'},"
                                        "{'Sid':'\xc3\xa4 *','Effect':'Deny','Action':'bb','Resource':'c'},"
                                        "{'Sid':'last','Effect':'Deny','Action':'*','Resource':'c'}";
        static const struct {
                const char *action, *resource;
                enum expected effect;
                size_t policy, statement;
                const char *sid;
        } cases[] = {
                {"a", "b", ALLOW, 0, 0, "one"},        {"b", "b", ALLOW, 0, 1, ""},    {"bb", "b", ALLOW, 0, 1, ""},
                {"bb", "c", DENY, 1, 1, "\xc3\xa4 *"}, {"a", "C", DENY, 1, 2, "last"}, {"c", "d", NONE, 0, 0, ""},
        };

        (void)state;
        for (size_t i = 0; i < COUNT(cases); i++) {
                struct policy_request request = {cases[i].action, cases[i].resource, NULL, NULL};
                struct policy_decision decision = decide(documents, &request);

                assert_int_equal(decision.effect, cases[i].effect);
                assert_string_equal(decision.sid, cases[i].sid);
                assert_int_equal(decision.policy, cases[i].policy);
                assert_int_equal(decision.statement, cases[i].statement);
        }
}

/* --- upload --------------------------------------------------------------------------------------------------------- */

#define DOCUMENT(statements) "{'Version':'2024-03-05','Statements':[" statements "]}"
#define WITH(members) DOCUMENT("{'Effect':'Allow','Action':'a','Resource':'b'," members "}")

static int upload(const char *text, char why[static POLICY_WHY_MAX]) {
        static char copy[TEXT_MAX];
        struct policy *policy = NULL;
        int r;

        (void)snprintf(copy, sizeof(copy), "%s", text);
        quote(copy);
        r = parse(copy, strlen(copy), &policy, why);
        assert_int_equal(r == 0, policy != NULL);
        policy_free(policy);
        return r;
}

static void documents_are_refused(void **state) {
        static const struct {
                const char *text, *why;
        } cases[] = {
                {"", "expected a JSON object"},
                {"nonsense", "expected a JSON object"},
                {"[]", "expected a JSON object"},
                {"'text'", "expected a JSON object"},
                {"{}", "Version"},
                {"{'Version':'2024-03-05'}", "Statements"},
                {"{'Statements':[" ALL "]}", "Version"},
                {"{'Version':'2024-03-06','Statements':[" ALL "]}", "Version"},
                {"{'Version':'2024-03-05 ','Statements':[" ALL "]}", "Version"},
                {"{'Version':'2012-10-17','Statements':[" ALL "]}", "Version"},
                {"{'Version':20240305,'Statements':[" ALL "]}", "Version"},
                {"{'Version':['2024-03-05'],'Statements':[" ALL "]}", "Version"},
                {"{'Version':null,'Statements':[" ALL "]}", "Version"},
                {"{'version':'2024-03-05','Statements':[" ALL "]}", "unknown member 'version'"},
                {"{'Version':'2024-03-05','Statement':[" ALL "]}", "unknown member 'Statement'"},
                {"{'Version':'2024-03-05','Id':'x','Statements':[" ALL "]}", "unknown member 'Id'"},
                {"{'Version':'2024-03-05','Version':'2024-03-05','Statements':[" ALL "]}", "once"},
                {"{'Version':'2024-03-05','Statements':[" ALL "]} x", "expected a JSON object"},
                {"{'Version':'2024-03-05','Statements':" ALL "}", "Statements"},
                {"{'Version':'2024-03-05','Statements':null}", "Statements"},
                {DOCUMENT(""), "Statements"},
                {DOCUMENT("[]"), "statement 1: expected an object"},
                {DOCUMENT(ALL ",null"), "statement 2: expected an object"},
                {DOCUMENT("{}"), "statement 1: Effect"},
                {DOCUMENT("{'Action':'a','Resource':'b'}"), "statement 1: Effect"},
                {DOCUMENT("{'Effect':'allow','Action':'a','Resource':'b'}"), "Effect"},
                {DOCUMENT("{'Effect':'DENY','Action':'a','Resource':'b'}"), "Effect"},
                {DOCUMENT("{'Effect':['Allow'],'Action':'a','Resource':'b'}"), "Effect"},
                {DOCUMENT("{'Effect':true,'Action':'a','Resource':'b'}"), "Effect"},
                {DOCUMENT(ALL "," ALL ",{'Effect':'Allow','Resource':'b'}"), "statement 3: Action: is missing"},
                {DOCUMENT("{'Effect':'Allow','Action':'a'}"), "Resource: is missing"},
                {DOCUMENT("{'Effect':'Allow','Action':[],'Resource':'b'}"), "Action: the array is empty"},
                {DOCUMENT("{'Effect':'Allow','Action':'a','Resource':[]}"), "Resource: the array is empty"},
                {DOCUMENT("{'Effect':'Allow','Action':'','Resource':'b'}"),
                 "Action: expected a text that is not empty"},
                {DOCUMENT("{'Effect':'Allow','Action':'a','Resource':['b','']}"), "Resource: expected a text"},
                {DOCUMENT("{'Effect':'Allow','Action':null,'Resource':'b'}"), "Action: expected a text or"},
                {DOCUMENT("{'Effect':'Allow','Action':1,'Resource':'b'}"), "Action: expected a text or"},
                {DOCUMENT("{'Effect':'Allow','Action':{'a':'b'},'Resource':'b'}"), "Action: expected a text or"},
                {DOCUMENT("{'Effect':'Allow','Action':['a',1],'Resource':'b'}"), "Action: expected a text or"},
                {DOCUMENT("{'Effect':'Allow','Action':[['a']],'Resource':'b'}"), "Action: expected a text or"},
                /* `*` elsewhere. */
                {DOCUMENT("{'Effect':'Allow','Action':'*:get','Resource':'b'}"), "Action: '*'"},
                {DOCUMENT("{'Effect':'Allow','Action':'**','Resource':'b'}"), "Action: '*'"},
                {DOCUMENT("{'Effect':'Allow','Action':'a*b','Resource':'b'}"), "Action: '*'"},
                {DOCUMENT("{'Effect':'Allow','Action':'a','Resource':'exc:*:instance/42'}"), "Resource: '*'"},
                {DOCUMENT("{'Effect':'Allow','Action':'a','Resource':'exc:*/*'}"), "Resource: '*'"},
                {DOCUMENT("{'Effect':'Allow','Action':'a','Resource':['*','*b']}"), "Resource: '*'"},
                {DOCUMENT("{'Effect':'Allow','Action':'a','Resource':'\\u002a\\u002a'}"), "Resource: '*'"},
                /* Members. */
                {WITH("'action':'a'"), "statement 1: unknown member 'action'"},
                {WITH("'NotAction':'a'"), "unknown member 'NotAction'"},
                {WITH("'NotResource':'a'"), "unknown member 'NotResource'"},
                {WITH("'Principal':'*'"), "unknown member 'Principal'"},
                {WITH("'':'a'"), "unknown member ''"},
                {WITH("'a\\u0001\\u00e4\\n':'a'"), "unknown member 'a?"},
                {WITH("'Effect':'Deny'"), "once"},
                {WITH("'Action':'x'"), "once"},
                {WITH("'Sid':'a','Sid':'a'"), "once"},
                {WITH("'Condition':{'IpAddress':{'exc:SourceIp':'::1'},'IpAddress':{'exc:SourceIp':'::1'}}"), "once"},
                {WITH("'Condition':{'IpAddress':{'exc:SourceIp':'::1','exc:SourceIp':'::1'}}"), "once"},
                {WITH("'Condition':{'A':{'b':'c','b':'c'}}"), "once"},
                /* Sid. */
                {WITH("'Sid':''"), "Sid"},
                {WITH("'Sid':1"), "Sid"},
                {WITH("'Sid':null"), "Sid"},
                {WITH("'Sid':['a']"), "Sid"},
                {WITH("'Sid':'a\\nb'"), "Sid"},
                {WITH("'Sid':'a\\u007f'"), "Sid"},
                {WITH("'Sid':'a\\u0000'"), "expected a JSON object"},
                /* Conditions. */
                {WITH("'Condition':null"), "Condition: expected an object"},
                {WITH("'Condition':{}"), "Condition: expected an object"},
                {WITH("'Condition':[]"), "Condition: expected an object"},
                {WITH("'Condition':'x'"), "Condition: expected an object"},
                {WITH("'Condition':{'IpAddress':{}}"), "Condition.IpAddress: expected an object"},
                {WITH("'Condition':{'IpAddress':'10.0.0.0/8'}"), "Condition.IpAddress: expected an object"},
                {WITH("'Condition':{'IpAddress':null}"), "Condition.IpAddress: expected an object"},
                {WITH("'Condition':{'IpAddress':{'exc:SourceIp':[]}}"), "Condition.IpAddress.exc:SourceIp: the array"},
                {WITH("'Condition':{'IpAddress':{'exc:SourceIp':null}}"), "exc:SourceIp: expected a text"},
                {WITH("'Condition':{'IpAddress':{'exc:SourceIp':[1]}}"), "exc:SourceIp: expected a text"},
                {WITH("'Condition':{'IpAddress':{'exc:SourceIp':''}}"), "exc:SourceIp: expected an IPv4"},
                {WITH("'Condition':{'IpAddress':{'exc:SourceIp':'*'}}"), "exc:SourceIp: expected an IPv4"},
                {WITH("'Condition':{'IpAddress':{'exc:SourceIp':'10.0.0.1/8'}}"), "host bits"},
                {WITH("'Condition':{'IpAddress':{'exc:SourceIp':'2001:db8::1/64'}}"), "host bits"},
                {WITH("'Condition':{'IpAddress':{'exc:SourceIp':'10.0.0.0/33'}}"), "exc:SourceIp: expected an IPv4"},
                {WITH("'Condition':{'IpAddress':{'exc:SourceIp':'10.0.0.0/'}}"), "exc:SourceIp: expected an IPv4"},
                {WITH("'Condition':{'IpAddress':{'exc:SourceIp':'10.0.0.0/08'}}"), "exc:SourceIp: expected an IPv4"},
                {WITH("'Condition':{'IpAddress':{'exc:SourceIp':'10.0.0.0/255.0.0.0'}}"), "expected an IPv4"},
                {WITH("'Condition':{'IpAddress':{'exc:SourceIp':'10.0/16'}}"), "exc:SourceIp: expected an IPv4"},
                {WITH("'Condition':{'IpAddress':{'exc:SourceIp':' 10.0.0.0/8'}}"), "expected an IPv4"},
                {WITH("'Condition':{'IpAddress':{'exc:SourceIp':'::ffff:10.0.0.0/104'}}"), "expected an IPv4"},
                {WITH("'Condition':{'IpAddress':{'exc:SourceIp':'2001:db8::/129'}}"), "expected an IPv4"},
                {WITH("'Condition':{'IpAddress':{'exc:SourceIp':'example.org'}}"), "expected an IPv4"},
                {WITH("'Condition':{'IpAddress':{'exc:SourceIp':['10.0.0.0/8','x']}}"), "expected an IPv4"},
                {WITH("'Condition':{'StringEquals':{'exc:OsUser':''}}"), "exc:OsUser: expected a name"},
                {WITH("'Condition':{'StringEquals':{'exc:OsUser':'*'}}"), "exc:OsUser: names are exact"},
                {WITH("'Condition':{'StringEquals':{'exc:OsUser':['a','adm*']}}"), "exc:OsUser: names are exact"},
                {WITH("'Condition':{'StringEquals':{'exc:OsUser':[]}}"), "exc:OsUser: the array is empty"},
                {WITH("'Condition':{'StringEquals':{'exc:OsUser':7}}"), "exc:OsUser: expected a text"},
                /* Of what is not known, the form. */
                {WITH("'Condition':{'StringLike':{}}"), "Condition.StringLike: expected an object"},
                {WITH("'Condition':{'StringLike':'x'}"), "Condition.StringLike: expected an object"},
                {WITH("'Condition':{'StringLike':{'exc:OsUser':[]}}"), "StringLike.exc:OsUser: the array is empty"},
                {WITH("'Condition':{'Bool':{'exc:Mfa':true}}"), "Bool.exc:Mfa: expected a text"},
                {WITH("'Condition':{'StringEquals':{'exc:Other':{'a':'b'}}}"), "exc:Other: expected a text"},
                {WITH("'Condition':{'A':{'b':[['c']]}}"), "levels deep"},
        };

        (void)state;
        for (size_t i = 0; i < COUNT(cases); i++) {
                char why[POLICY_WHY_MAX] = "";
                int r = upload(cases[i].text, why);

                if (r != -EINVAL || !strstr(why, cases[i].why))
                        fail_msg("%s: %d: '%s' has no '%s'", cases[i].text, r, why, cases[i].why);
        }
}

static void documents_are_accepted(void **state) {
        static const char *const cases[] = {
                DOCUMENT(ALL),
                "\n{\t'Statements' : [ " ALL " ] , 'Version' : '2024-03-05' }\r\n",
                DOCUMENT(ALL "," ALL),
                WITH("'Sid':'a * \xc3\xa4 \\u263a'"),
                WITH("'Condition':{'StringLike':{'exc:OsUser':['a*','*','']}}"),
                WITH("'Condition':{'StringEquals':{'exc:Other':'*'}}"),
                WITH("'Condition':{'IpAddress':{'exc:Other':'not an address'}}"),
                WITH("'Condition':{'IpAddress':{'exc:SourceIp':['0.0.0.0/0','::/0','10.1.2.3','::1/128']}}"),
        };
        char why[POLICY_WHY_MAX];

        (void)state;
        for (size_t i = 0; i < COUNT(cases); i++)
                if (upload(cases[i], why) != 0)
                        fail_msg("%s: %s", cases[i], why);
}

static void bytes_that_are_not_text_are_refused(void **state) {
        static const char nul[] = "{\"Version\":\"2024-03-05\",\"Statements\":[]}\0";
        static const char invalid[] =
                "{\"Version\":\"2024-03-05\",\"Statements\":[{\"Effect\":\"Allow\",\"Action\":\"\xff\","
                "\"Resource\":\"b\"}]}";
        char why[POLICY_WHY_MAX];
        struct policy *policy;

        (void)state;
        assert_int_equal(parse(nul, sizeof(nul), &policy, why), -EINVAL);
        assert_int_equal(parse(invalid, strlen(invalid), &policy, why), -EINVAL);
}

static void phrases_have_nothing_unprintable_and_fit(void **state) {
        char text[4096], name[1024], why[POLICY_WHY_MAX];

        (void)state;
        for (size_t i = 0; i + 4 < sizeof(name); i += 2)
                memcpy(name + i, "\xc3\xa4", 3);
        (void)snprintf(text, sizeof(text), WITH("'%s':'x'"), name);
        assert_int_equal(upload(text, why), -EINVAL);
        assert_true(strlen(why) < 100);
        (void)snprintf(text, sizeof(text), WITH("'Condition':{'%s':{'%s':1}}"), name, name);
        assert_int_equal(upload(text, why), -EINVAL);
        assert_true(strlen(why) < POLICY_WHY_MAX - 1);
        for (const char *at = why; *at; at++)
                assert_true(*at >= ' ' && *at <= '~');
}

/* --- limits --------------------------------------------------------------------------------------------------------- */

static void statements_are_at_most_100(void **state) {
        static char text[TEXT_MAX];
        struct policy_request request = {"last", "x", NULL, NULL};
        struct policy_decision decision;
        char why[POLICY_WHY_MAX];

        (void)state;
        for (size_t n = 100; n <= 101; n++) {
                struct policy *policy = NULL;

                (void)strcpy(text, "{'Version':'2024-03-05','Statements':[");
                for (size_t i = 0; i < n; i++)
                        (void)snprintf(text + strlen(text), sizeof(text) - strlen(text),
                                       "%s{'Effect':'Allow','Action':'%s','Resource':'*'}", i > 0 ? "," : "",
                                       i == n - 1 ? "last" : "a");
                (void)strcat(text, "]}");
                quote(text);
                if (n > 100) {
                        assert_int_equal(parse(text, strlen(text), &policy, why), -EINVAL);
                        assert_string_equal(why, "Statements: expected an array of 1 to 100 statements");
                        continue;
                }
                assert_int_equal(parse(text, strlen(text), &policy, why), 0);
                policy_evaluate((const struct policy *const[]){policy}, 1, &request, &decision);
                assert_int_equal(decision.effect, POLICY_ALLOW);
                assert_int_equal(decision.statement, 99);
                policy_free(policy);
        }
}

static void bytes_are_at_most_32768(void **state) {
        static char text[POLICY_DOCUMENT_MAX + 2];
        char why[POLICY_WHY_MAX];
        struct policy *policy;

        (void)state;
        memset(text, ' ', sizeof(text));
        (void)snprintf(text, 256, DOCUMENT(ALL));
        quote(text);
        text[strlen(text)] = ' ';
        assert_int_equal(parse(text, POLICY_DOCUMENT_MAX, &policy, why), 0);
        policy_free(policy);
        assert_int_equal(parse(text, POLICY_DOCUMENT_MAX + 1, &policy, why), -E2BIG);
        assert_string_equal(why, "the document has more than 32768 bytes");
}

/* As long as a document allows. */
static void huge_pattern_is_compared_to_its_end(void **state) {
        static char text[POLICY_DOCUMENT_MAX + 1], resource[TEXT_MAX];
        static const char end[] = "']}]}";
        struct policy_request request = {"A", resource, NULL, NULL};
        struct policy_decision decision;
        char why[POLICY_WHY_MAX];
        struct policy *policy;
        size_t start, length;

        (void)state;
        for (int star = 0; star < 2; star++) {
                (void)strcpy(text,
                             "{'Version':'2024-03-05','Statements':[{'Effect':'Allow','Action':'a','Resource':['");
                start = strlen(text);
                length = POLICY_DOCUMENT_MAX - start - strlen(end);
                memset(text + start, 'r', length);
                if (star)
                        text[start + length - 1] = '*';
                memcpy(text + start + length, end, sizeof(end));
                quote(text);
                assert_int_equal(parse(text, strlen(text), &policy, why), 0);

                memset(resource, 'R', sizeof(resource));
                for (size_t n = length - 3; n < length + 3; n++) {
                        resource[n] = '\0';
                        policy_evaluate((const struct policy *const[]){policy}, 1, &request, &decision);
                        assert_int_equal(decision.effect == POLICY_ALLOW, star ? n >= length - 1 : n == length);
                        resource[n] = 'R';
                }
                /* Longer than a document, and different in the last character that counts. */
                resource[sizeof(resource) - 1] = '\0';
                policy_evaluate((const struct policy *const[]){policy}, 1, &request, &decision);
                assert_int_equal(decision.effect == POLICY_ALLOW, star);
                resource[length - 2] = 'x';
                policy_evaluate((const struct policy *const[]){policy}, 1, &request, &decision);
                assert_int_equal(decision.effect, POLICY_NO_MATCH);
                policy_free(policy);
        }
}

static void arrays_may_fill_a_document(void **state) {
        static char text[TEXT_MAX];
        struct policy_request request = {"last", "x", "10.255.0.1", "z"};
        struct policy_decision decision;
        char why[POLICY_WHY_MAX];
        struct policy *policy;

        (void)state;
        (void)strcpy(text, "{'Version':'2024-03-05','Statements':[{'Effect':'Allow','Action':['a'");
        for (size_t i = strlen(text); i < 12000; i += 4)
                (void)strcpy(text + i, ",'b'");
        (void)strcat(text, ",'last'],'Resource':['*'],'Condition':{'IpAddress':{'exc:SourceIp':['::'");
        for (size_t i = strlen(text); i < 22000; i += 6)
                (void)strcpy(text + i, ",'1::'");
        (void)strcat(text, ",'10.255.0.0/16']},'StringEquals':{'exc:OsUser':['y'");
        for (size_t i = strlen(text); i < 32000; i += 4)
                (void)strcpy(text + i, ",'c'");
        (void)strcat(text, ",'z']}}}]}");
        quote(text);
        assert_true(strlen(text) <= POLICY_DOCUMENT_MAX);
        assert_int_equal(parse(text, strlen(text), &policy, why), 0);
        policy_evaluate((const struct policy *const[]){policy}, 1, &request, &decision);
        assert_int_equal(decision.effect, POLICY_ALLOW);
        assert_true(policy_size(policy) < 6 * POLICY_DOCUMENT_MAX);
        policy_free(policy);
}

static void sid_and_user_have_their_limits(void **state) {
        char text[1024], name[300], why[POLICY_WHY_MAX];

        (void)state;
        memset(name, 'n', sizeof(name));
        for (size_t n = POLICY_SID_MAX - 1; n <= POLICY_SID_MAX; n++) {
                (void)snprintf(text, sizeof(text), WITH("'Sid':'%.*s'"), (int)n, name);
                assert_int_equal(upload(text, why), n < POLICY_SID_MAX ? 0 : -EINVAL);
        }
        for (size_t n = POLICY_USER_MAX; n <= POLICY_USER_MAX + 1; n++) {
                (void)snprintf(text, sizeof(text), WITH("'Condition':{'StringEquals':{'exc:OsUser':'%.*s'}}"), (int)n,
                               name);
                assert_int_equal(upload(text, why), n <= POLICY_USER_MAX ? 0 : -EINVAL);
        }
}

static void unknown_condition_is_reported(void **state) {
        static const char text[] = ALL "," ALLOW_IF(BOTH) "," ALLOW_IF(OTHER_KEY) "," ALLOW_IF(OTHER_OPERATOR);
        struct policy *policy = document_of(text, strlen(text));

        (void)state;
        assert_int_equal(policy_unknown_condition(policy), 3);
        policy_free(policy);
        policy = document_of(ALL, strlen(ALL));
        assert_int_equal(policy_unknown_condition(policy), 0);
        policy_free(policy);
}

static void references_keep_a_document(void **state) {
        struct policy *policy = document_of(ALL, strlen(ALL)), *again = policy_ref(policy);
        struct policy_request request = {"a", "b", NULL, NULL};
        struct policy_decision decision;

        (void)state;
        policy_free(policy);
        policy_evaluate((const struct policy *const[]){again}, 1, &request, &decision);
        assert_int_equal(decision.effect, POLICY_ALLOW);
        policy_free(again);
        policy_free(NULL);
}

int main(void) {
        static const struct CMUnitTest tests[] = {
                cmocka_unit_test(action_and_resource_are_exact_with_ascii_case_folded),
                cmocka_unit_test(star_at_the_end_is_any_rest),
                cmocka_unit_test(one_of_an_array_is_enough),
                cmocka_unit_test(deny_wins),
                cmocka_unit_test(source_address_is_in_a_range),
                cmocka_unit_test(os_user_is_exact),
                cmocka_unit_test(unknown_conditions_deny),
                cmocka_unit_test(decision_names_the_first_statement),
                cmocka_unit_test(documents_are_refused),
                cmocka_unit_test(documents_are_accepted),
                cmocka_unit_test(bytes_that_are_not_text_are_refused),
                cmocka_unit_test(phrases_have_nothing_unprintable_and_fit),
                cmocka_unit_test(statements_are_at_most_100),
                cmocka_unit_test(bytes_are_at_most_32768),
                cmocka_unit_test(huge_pattern_is_compared_to_its_end),
                cmocka_unit_test(arrays_may_fill_a_document),
                cmocka_unit_test(sid_and_user_have_their_limits),
                cmocka_unit_test(unknown_condition_is_reported),
                cmocka_unit_test(references_keep_a_document),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
