/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cloud/policy/policy.h"
#include "cloud/policy/policy_internal.h"
#include "wire/json.h"

struct parser {
        struct policy *policy;
        size_t pattern_room, network_room; /* items that are allocated */
        size_t statement;                  /* its number from 1; 0 outside of any */
        char *why;
};

__attribute__((format(printf, 2, 3))) static int fault(struct parser *parser, const char *format, ...) {
        va_list arguments;
        int n = 0;

        if (parser->statement > 0)
                n = snprintf(parser->why, POLICY_WHY_MAX, "statement %zu: ", parser->statement);
        va_start(arguments, format);
        (void)vsnprintf(parser->why + n, POLICY_WHY_MAX - (size_t)n, format, arguments);
        va_end(arguments);
        return -EINVAL;
}

enum { SHOWN_MAX = 48 + 1 };

/* A name of the document's for a phrase. */
static const char *shown(const char *name, char buffer[static SHOWN_MAX]) {
        size_t i;

        for (i = 0; i < SHOWN_MAX - 1 && name[i] != '\0'; i++)
                buffer[i] = name[i] >= ' ' && name[i] <= '~' ? name[i] : '?';
        buffer[i] = '\0';
        return buffer;
}

static bool has_control_character(const char *text) {
        for (; *text != '\0'; text++)
                if ((unsigned char)*text < ' ' || *text == '\x7f')
                        return true;
        return false;
}

/* Room for one more item. False: no memory. */
static bool make_room(void **array, size_t *room, size_t n, size_t item) {
        size_t more = *room > 0 ? 2 * *room : 16;
        void *larger;

        if (n < *room)
                return true;
        larger = reallocarray(*array, more, item);
        if (!larger)
                return false;
        *array = larger;
        *room = more;
        return true;
}

/* Texts of a document take no more room than the document: its quotes are more than a NUL each, an escape is not shorter. */
static uint32_t add_text(struct policy *policy, const char *text, size_t length) {
        size_t offset = policy->text_size;

        memcpy(policy->text + offset, text, length);
        policy->text[offset + length] = '\0';
        policy->text_size += length + 1;
        return (uint32_t)offset;
}

static struct policy_pattern *add_pattern(struct parser *parser, const char *text, size_t length) {
        struct policy *policy = parser->policy;
        void *patterns = policy->patterns;
        struct policy_pattern *pattern;

        if (!make_room(&patterns, &parser->pattern_room, policy->n_patterns, sizeof(*pattern)))
                return NULL;
        policy->patterns = patterns;
        pattern = &policy->patterns[policy->n_patterns++];
        *pattern = (struct policy_pattern){.offset = add_text(policy, text, length),
                                           .length = (uint32_t)length & INT32_MAX};
        return pattern;
}

/* --- values: each function adds one to the arrays of the policy ----------------------------------------------------- */

typedef int (*take_value)(struct parser *parser, const char *member, const char *text);

static int take_folded(struct parser *parser, const char *member, const char *text) {
        size_t length = strlen(text);
        struct policy_pattern *pattern;
        const char *star = strchr(text, '*');

        if (length == 0)
                return fault(parser, "%s: expected a text that is not empty", member);
        if (star && star[1] != '\0')
                return fault(parser, "%s: '*' is allowed as the last character alone", member);
        pattern = add_pattern(parser, text, star ? length - 1 : length);
        if (!pattern)
                return -ENOMEM;
        pattern->prefix = star != NULL;
        for (char *at = parser->policy->text + pattern->offset; *at != '\0'; at++)
                if (*at >= 'A' && *at <= 'Z')
                        *at = (char)(*at - 'A' + 'a');
        return 0;
}

static int take_network(struct parser *parser, const char *member, const char *text) {
        struct policy *policy = parser->policy;
        void *networks = policy->networks;
        struct source network;

        if (!source_from_text(text, &network))
                return fault(parser, "%s: expected an IPv4 or IPv6 address, or a range with its host bits zero",
                             member);
        if (!make_room(&networks, &parser->network_room, policy->n_networks, sizeof(network)))
                return -ENOMEM;
        policy->networks = networks;
        policy->networks[policy->n_networks++] = network;
        return 0;
}

static int take_user(struct parser *parser, const char *member, const char *text) {
        size_t length = strlen(text);

        if (length == 0 || length > POLICY_USER_MAX)
                return fault(parser, "%s: expected a name of 1 to %d bytes", member, POLICY_USER_MAX);
        if (strchr(text, '*'))
                return fault(parser, "%s: names are exact; '*' is not allowed", member);
        return add_pattern(parser, text, length) ? 0 : -ENOMEM;
}

/* What is not known has no effect but that it is there. */
static int take_any(struct parser *parser, const char *member, const char *text) {
        (void)parser;
        (void)member;
        (void)text;
        return 0;
}

/* A text, or an array of one or more. */
static int each_value(struct parser *parser, const char *member, json_t *value, take_value take) {
        json_t *item;
        size_t i;

        if (json_is_string(value))
                return take(parser, member, json_string_value(value));
        if (!json_is_array(value))
                return fault(parser, "%s: expected a text or an array of texts", member);
        if (json_array_size(value) == 0)
                return fault(parser, "%s: the array is empty", member);
        json_array_foreach(value, i, item) {
                int r;

                if (!json_is_string(item))
                        return fault(parser, "%s: expected a text or an array of texts", member);
                r = take(parser, member, json_string_value(item));
                if (r < 0)
                        return r;
        }
        return 0;
}

static int parse_folded(struct parser *parser, const char *member, json_t *value, struct policy_list *ret) {
        int r;

        if (!value)
                return fault(parser, "%s: is missing", member);
        ret->first = (uint32_t)parser->policy->n_patterns;
        r = each_value(parser, member, value, take_folded);
        ret->n = (uint32_t)parser->policy->n_patterns - ret->first;
        return r;
}

/* --- conditions ----------------------------------------------------------------------------------------------------- */

static int parse_source_ip(struct parser *parser, const char *member, json_t *value, struct policy_statement *ret) {
        int r;

        ret->networks.first = (uint32_t)parser->policy->n_networks;
        r = each_value(parser, member, value, take_network);
        ret->networks.n = (uint32_t)parser->policy->n_networks - ret->networks.first;
        return r;
}

static int parse_os_user(struct parser *parser, const char *member, json_t *value, struct policy_statement *ret) {
        int r;

        ret->users.first = (uint32_t)parser->policy->n_patterns;
        r = each_value(parser, member, value, take_user);
        ret->users.n = (uint32_t)parser->policy->n_patterns - ret->users.first;
        return r;
}

static int parse_unknown(struct parser *parser, const char *member, json_t *value, struct policy_statement *ret) {
        ret->unknown = true;
        return each_value(parser, member, value, take_any);
}

/* Which keys each operator is known with. */
static const struct {
        const char *operator, * key;
        int (*parse)(struct parser *parser, const char *member, json_t *value, struct policy_statement *ret);
} conditions[] = {
        {"IpAddress", "exc:SourceIp", parse_source_ip},
        {"StringEquals", "exc:OsUser", parse_os_user},
};

static int parse_operator(struct parser *parser, const char *operator, json_t * keys, struct policy_statement *ret) {
        char member[2 * SHOWN_MAX + 16], one[SHOWN_MAX], two[SHOWN_MAX];
        const char *key;
        json_t *value;

        (void)snprintf(member, sizeof(member), "Condition.%s", shown(operator, one));
        if (!json_is_object(keys) || json_object_size(keys) == 0)
                return fault(parser, "%s: expected an object with one or more keys", member);
        json_object_foreach(keys, key, value) {
                size_t i = 0;
                int r;

                while (i < sizeof(conditions) / sizeof(conditions[0]) &&
                       (strcmp(conditions[i].operator, operator) != 0 || strcmp(conditions[i].key, key) != 0))
                        i++;
                (void)snprintf(member, sizeof(member), "Condition.%s.%s", one, shown(key, two));
                r = i < sizeof(conditions) / sizeof(conditions[0]) ? conditions[i].parse(parser, member, value, ret)
                                                                   : parse_unknown(parser, member, value, ret);
                if (r < 0)
                        return r;
        }
        return 0;
}

static int parse_condition(struct parser *parser, json_t *condition, struct policy_statement *ret) {
        const char *operator;
        json_t *keys;
        int r;

        if (!condition)
                return 0;
        if (!json_is_object(condition) || json_object_size(condition) == 0)
                return fault(parser, "Condition: expected an object with one or more operators");
        json_object_foreach(condition, operator, keys) {
                r = parse_operator(parser, operator, keys, ret);
                if (r < 0)
                        return r;
        }
        return 0;
}

/* --- statements ----------------------------------------------------------------------------------------------------- */

static int refuse_others(struct parser *parser, json_t *object, const char *const *known) {
        char buffer[SHOWN_MAX];
        const char *name;
        json_t *value;

        json_object_foreach(object, name, value) {
                size_t i = 0;

                while (known[i] && strcmp(known[i], name) != 0)
                        i++;
                if (!known[i])
                        return fault(parser, "unknown member '%s'", shown(name, buffer));
        }
        return 0;
}

static int parse_sid(struct parser *parser, json_t *sid, struct policy_statement *ret) {
        const char *text = json_string_value(sid);

        if (!sid)
                text = "";
        else if (!text || text[0] == '\0' || strlen(text) >= POLICY_SID_MAX || has_control_character(text))
                return fault(parser, "Sid: expected a text of 1 to %d bytes without control characters",
                             POLICY_SID_MAX - 1);
        ret->sid = add_text(parser->policy, text, strlen(text));
        return 0;
}

static int parse_effect(struct parser *parser, json_t *effect, struct policy_statement *ret) {
        const char *text = json_string_value(effect);

        if (text && strcmp(text, "Allow") == 0)
                ret->effect = POLICY_ALLOW;
        else if (text && strcmp(text, "Deny") == 0)
                ret->effect = POLICY_DENY;
        else
                return fault(parser, "Effect: expected Allow or Deny");
        return 0;
}

static int parse_statement(struct parser *parser, json_t *object, struct policy_statement *ret) {
        static const char *const members[] = {"Sid", "Effect", "Action", "Resource", "Condition", NULL};
        int r;

        if (!json_is_object(object))
                return fault(parser, "expected an object");
        r = refuse_others(parser, object, members);
        if (r < 0)
                return r;
        r = parse_sid(parser, json_object_get(object, "Sid"), ret);
        if (r < 0)
                return r;
        r = parse_effect(parser, json_object_get(object, "Effect"), ret);
        if (r < 0)
                return r;
        r = parse_folded(parser, "Action", json_object_get(object, "Action"), &ret->actions);
        if (r < 0)
                return r;
        r = parse_folded(parser, "Resource", json_object_get(object, "Resource"), &ret->resources);
        if (r < 0)
                return r;
        return parse_condition(parser, json_object_get(object, "Condition"), ret);
}

static int parse_document(struct parser *parser, json_t *document) {
        static const char *const members[] = {"Version", "Statements", NULL};
        struct policy *policy = parser->policy;
        const char *version;
        json_t *statements;
        size_t n;
        int r;

        r = refuse_others(parser, document, members);
        if (r < 0)
                return r;
        version = json_string_value(json_object_get(document, "Version"));
        if (!version || strcmp(version, POLICY_VERSION) != 0)
                return fault(parser, "Version: expected %s", POLICY_VERSION);
        statements = json_object_get(document, "Statements");
        n = json_array_size(statements);
        if (n == 0 || n > POLICY_STATEMENTS_MAX)
                return fault(parser, "Statements: expected an array of 1 to %d statements", POLICY_STATEMENTS_MAX);

        policy->statements = calloc(n, sizeof(*policy->statements));
        if (!policy->statements)
                return -ENOMEM;
        policy->n_statements = n;
        for (size_t i = 0; i < n; i++) {
                parser->statement = i + 1;
                r = parse_statement(parser, json_array_get(statements, i), &policy->statements[i]);
                if (r < 0)
                        return r;
        }
        return 0;
}

/* Documents stay in memory for long. One that cannot be made smaller stays as it is. */
static void trim(struct policy *policy) {
        void *smaller;

        smaller = realloc(policy->text, policy->text_size);
        if (smaller)
                policy->text = smaller;
        smaller = reallocarray(policy->patterns, policy->n_patterns, sizeof(*policy->patterns));
        if (smaller)
                policy->patterns = smaller;
        if (policy->n_networks == 0)
                return;
        smaller = reallocarray(policy->networks, policy->n_networks, sizeof(*policy->networks));
        if (smaller)
                policy->networks = smaller;
}

int policy_parse(const char *text, size_t length, struct policy **ret, char ret_why[static POLICY_WHY_MAX]) {
        struct parser parser = {.why = ret_why};
        json_t *document;
        int r;

        ret_why[0] = '\0';
        if (length > POLICY_DOCUMENT_MAX) {
                (void)fault(&parser, "the document has more than %d bytes", POLICY_DOCUMENT_MAX);
                return -E2BIG;
        }
        document = json_read(text, length, POLICY_DEPTH_MAX);
        if (!json_is_object(document)) {
                json_decref(document);
                return fault(&parser, "expected a JSON object in UTF-8, at most %d levels deep, with each member once",
                             POLICY_DEPTH_MAX);
        }

        r = -ENOMEM;
        parser.policy = calloc(1, sizeof(*parser.policy));
        if (parser.policy) {
                atomic_init(&parser.policy->references, 1);
                parser.policy->text = malloc(length);
                if (parser.policy->text)
                        r = parse_document(&parser, document);
        }
        json_decref(document);
        if (r < 0) {
                policy_free(parser.policy);
                return r;
        }
        trim(parser.policy);
        *ret = parser.policy;
        return 0;
}

struct policy *policy_ref(struct policy *policy) {
        (void)atomic_fetch_add_explicit(&policy->references, 1, memory_order_relaxed);
        return policy;
}

void policy_free(struct policy *policy) {
        if (!policy || atomic_fetch_sub_explicit(&policy->references, 1, memory_order_acq_rel) > 1)
                return;
        free(policy->text);
        free(policy->patterns);
        free(policy->networks);
        free(policy->statements);
        free(policy);
}

size_t policy_size(const struct policy *policy) {
        return sizeof(*policy) + policy->text_size + policy->n_patterns * sizeof(*policy->patterns) +
               policy->n_networks * sizeof(*policy->networks) + policy->n_statements * sizeof(*policy->statements);
}

size_t policy_unknown_condition(const struct policy *policy) {
        for (size_t i = 0; i < policy->n_statements; i++)
                if (policy->statements[i].unknown)
                        return i + 1;
        return 0;
}
