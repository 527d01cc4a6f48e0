/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The policy engine for tests in other languages. Each line of standard input is a JSON object
 *
 *      {"documents": [TEXT...], "requests": [[ACTION, RESOURCE, SOURCE_IP or null, OS_USER or null]...]}
 *
 * and each line of standard output its answer
 *
 *      {"faults": [null or PHRASE...], "decisions": [[EFFECT, DOCUMENT, STATEMENT, SID]...]}
 *
 * with a fault for each document, and a decision for each request over those documents that have none: "Allow", "Deny", or
 * "None" with zeros. DOCUMENT counts those too that have a fault.
 */
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cloud/policy/policy.h"

enum { DOCUMENTS_MAX = 64 };

struct line {
        size_t n;
        const struct policy *valid[DOCUMENTS_MAX];
        struct policy *owned[DOCUMENTS_MAX];
        size_t number[DOCUMENTS_MAX]; /* of each valid one */
};

static void die(const char *what) {
        (void)fprintf(stderr, "driver: %s\n", what);
        exit(EXIT_FAILURE);
}

static json_t *parse_all(json_t *documents, struct line *line) {
        json_t *faults = json_array(), *text;
        size_t i;

        line->n = 0;
        if (json_array_size(documents) > DOCUMENTS_MAX)
                die("too many documents");
        json_array_foreach(documents, i, text) {
                char why[POLICY_WHY_MAX];
                struct policy *policy;

                if (!json_is_string(text))
                        die("a document is not a text");
                if (policy_parse(json_string_value(text), json_string_length(text), &policy, why) < 0) {
                        (void)json_array_append_new(faults, json_string(why));
                        continue;
                }
                (void)json_array_append_new(faults, json_null());
                line->number[line->n] = i;
                line->valid[line->n] = policy;
                line->owned[line->n++] = policy;
        }
        return faults;
}

static json_t *decide_all(json_t *requests, const struct line *line) {
        static const char *const names[] = {
                [POLICY_NO_MATCH] = "None", [POLICY_ALLOW] = "Allow", [POLICY_DENY] = "Deny"};
        json_t *decisions = json_array(), *one;
        size_t i;

        json_array_foreach(requests, i, one) {
                struct policy_decision decision;
                struct policy_request request = {
                        .action = json_string_value(json_array_get(one, 0)),
                        .resource = json_string_value(json_array_get(one, 1)),
                        .source_ip = json_string_value(json_array_get(one, 2)),
                        .os_user = json_string_value(json_array_get(one, 3)),
                };

                if (!request.action || !request.resource)
                        die("a request has no action or no resource");
                policy_evaluate(line->valid, line->n, &request, &decision);
                (void)json_array_append_new(decisions, decision.effect == POLICY_NO_MATCH
                                                               ? json_pack("[siis]", names[POLICY_NO_MATCH], 0, 0, "")
                                                               : json_pack("[siis]", names[decision.effect],
                                                                           (int)line->number[decision.policy],
                                                                           (int)decision.statement, decision.sid));
        }
        return decisions;
}

int main(void) {
        char *text = NULL;
        size_t size = 0;
        ssize_t length;

        while ((length = getline(&text, &size, stdin)) > 0) {
                static struct line line;
                json_t *input = json_loadb(text, (size_t)length, JSON_ALLOW_NUL, NULL), *faults, *answer;

                if (!input)
                        die("a line is not JSON");
                faults = parse_all(json_object_get(input, "documents"), &line);
                answer = json_pack("{soso}", "faults", faults, "decisions",
                                   decide_all(json_object_get(input, "requests"), &line));
                if (!answer || json_dumpf(answer, stdout, JSON_COMPACT) < 0 || putchar('\n') == EOF ||
                    fflush(stdout) != 0)
                        die("cannot write");
                for (size_t i = 0; i < line.n; i++)
                        policy_free(line.owned[i]);
                json_decref(answer);
                json_decref(input);
        }
        free(text);
        return EXIT_SUCCESS;
}
