/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a decision costs: policy [ROUNDS]. Prints medians in nanoseconds: with 1 statement and with 1,000 in 10 documents, where
 * all of them are compared: the one that matches is the last, and most differ only in the last characters. Then what it takes
 * to parse a document of 100 statements, and to get one out of the cache.
 */
#include <inttypes.h>

#include "cloud/policy/policy.h"
#include "cloud/policy/policy_cache.h"
#include "tests/bench/bench.h"

enum { DOCUMENTS = 10, STATEMENTS = 100, BATCH = 50 };

static char text[POLICY_DOCUMENT_MAX + 1];

/* Statements for instances with ids of the same length, by the document's number. */
static size_t make_text(int document, int statements) {
        int n = snprintf(text, sizeof(text), "{\"Version\":\"2024-03-05\",\"Statements\":[");

        for (int i = 0; i < statements; i++)
                n += snprintf(
                        text + n, sizeof(text) - (size_t)n,
                        "%s{\"Effect\":\"%s\",\"Action\":\"compute:instance:%s\","
                        "\"Resource\":\"exc:compute:instance/web-%04d\",\"Condition\":{\"IpAddress\":{\"exc:SourceIp\":"
                        "[\"10.0.0.0/8\",\"2001:db8::/32\"]},\"StringEquals\":{\"exc:OsUser\":\"alice\"}}}",
                        i > 0 ? "," : "", i % 10 == 5 ? "Deny" : "Allow", i % 2 ? "connect" : "console",
                        document * STATEMENTS + i);
        n += snprintf(text + n, sizeof(text) - (size_t)n, "]}");
        return (size_t)n;
}

static struct policy *parse(size_t length) {
        char why[POLICY_WHY_MAX];
        struct policy *policy;

        if (policy_parse(text, length, &policy, why) < 0)
                die("%s", why);
        return policy;
}

static int64_t evaluate(struct policy *const *policies, size_t n, const char *resource, size_t rounds, int64_t *ns) {
        struct policy_request request = {"compute:instance:connect", resource, "10.1.2.3", "alice"};
        struct policy_decision decision;

        for (size_t round = 0; round < rounds; round++) {
                int64_t start = now_ns();

                for (int i = 0; i < BATCH; i++)
                        policy_evaluate((const struct policy *const *)policies, n, &request, &decision);
                ns[round] = (now_ns() - start) / BATCH;
                if (decision.effect != POLICY_ALLOW)
                        die("not allowed: %s", resource);
        }
        return median_ns(ns, rounds);
}

int main(int argc, char **argv) {
        size_t rounds = argc > 1 ? count_argument(argv[1]) : 2000, length;
        struct policy *policies[DOCUMENTS], *one;
        struct policy_cache *cache = policy_cache_new(1000, SIZE_MAX);
        int64_t *ns = calloc(rounds, sizeof(*ns));

        if (!ns || !cache)
                die("memory");
        for (int i = 0; i < DOCUMENTS; i++)
                policies[i] = parse(make_text(i, STATEMENTS));
        /* The last of its document, and an even number would be a console's. */
        one = parse(make_text(9, 2));
        printf("1 statement: %" PRId64 " ns\n", evaluate(&one, 1, "exc:compute:instance/web-0901", rounds, ns));
        printf("1000 statements in 10 documents: %" PRId64 " ns\n",
               evaluate(policies, DOCUMENTS, "exc:compute:instance/web-0999", rounds, ns));

        length = make_text(0, STATEMENTS);
        for (size_t round = 0; round < rounds; round++) {
                int64_t start = now_ns();
                struct policy *policy = parse(length);

                ns[round] = now_ns() - start;
                policy_free(policy);
        }
        printf("parse 100 statements, %zu bytes: %" PRId64 " ns; %zu bytes in memory\n", length, median_ns(ns, rounds),
               policy_size(policies[0]));

        for (int i = 0; i < DOCUMENTS; i++)
                policy_cache_add(cache, i + 1, policies[i]);
        for (size_t round = 0; round < rounds; round++) {
                int64_t start = now_ns();

                for (int i = 0; i < BATCH; i++)
                        policy_free(policy_cache_get(cache, i % DOCUMENTS + 1));
                ns[round] = (now_ns() - start) / BATCH;
        }
        printf("get from the cache: %" PRId64 " ns\n", median_ns(ns, rounds));
        return EXIT_SUCCESS;
}
