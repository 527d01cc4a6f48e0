/* SPDX-License-Identifier: Apache-2.0 */
#include "cloud/api/head.h"

#include <inttypes.h>
#include <string.h>
#include <strings.h>

/* RFC 9110 section 5.6.2. */
static bool is_token(const char *text, size_t n) {
        for (size_t i = 0; i < n; i++) {
                char c = text[i];

                if (!((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                      (c != '\0' && strchr("!#$%&'*+-.^_`|~", c))))
                        return false;
        }
        return n > 0;
}

static bool is_plain(const char *text, size_t n) {
        for (size_t i = 0; i < n; i++)
                if (((unsigned char)text[i] < ' ' && text[i] != '\t') || text[i] == 0x7f)
                        return false;
        return true;
}

static const struct {
        const char *name;
        size_t offset;
} single[] = {
        {"Content-Length", offsetof(struct head, content_length)},
        {"Transfer-Encoding", offsetof(struct head, transfer_encoding)},
        {"Content-Encoding", offsetof(struct head, content_encoding)},
        {"Authorization", offsetof(struct head, authorization)},
        {"Origin", offsetof(struct head, origin)},
        {"Upgrade", offsetof(struct head, upgrade)},
        {"User-Agent", offsetof(struct head, user_agent)},
        {"Host", offsetof(struct head, host)},
        {"If-Match", offsetof(struct head, if_match)},
        {"If-None-Match", offsetof(struct head, if_none_match)},
};

void head_add(struct head *head, const char *name, size_t name_length, const char *value, size_t value_length) {
        if (!is_token(name, name_length))
                head->malformed = "the name of a header field is no token";
        else if (!is_plain(value, value_length))
                head->malformed = "a control character in a header field";
        if (head->malformed)
                return;
        if (strcasecmp(name, "X-Forwarded-For") == 0)
                head->forwarded = value;
        for (size_t i = 0; i < sizeof(single) / sizeof(single[0]); i++) {
                const char **field = (const char **)(void *)((char *)head + single[i].offset);

                if (strcasecmp(name, single[i].name) != 0)
                        continue;
                if (*field)
                        head->malformed = "a header field twice that must be one";
                *field = value;
        }
}

static struct head_fault fault(enum api_error error, const char *field, const char *message, bool close) {
        return (struct head_fault){.error = error, .field = field, .message = message, .close = close};
}

static const struct head_fault no_fault = {.error = API_ERROR_NONE};

/* The digits of a number, at most 18: above any length that is accepted. */
static bool number(const char *text, uint64_t *ret) {
        size_t n = strspn(text, "0123456789");
        uint64_t value = 0;

        if (n == 0 || text[n] != '\0' || n > 18)
                return false;
        for (size_t i = 0; i < n; i++)
                value = value * 10 + (uint64_t)(text[i] - '0');
        *ret = value;
        return true;
}

static struct head_fault check_framing(const struct head *head, struct head_body *ret) {
        *ret = (struct head_body){.chunked = head->transfer_encoding != NULL};
        if (head->malformed)
                return fault(API_ERROR_INVALID_REQUEST, NULL, head->malformed, true);
        if (head->content_length && head->transfer_encoding)
                return fault(API_ERROR_INVALID_REQUEST, "Transfer-Encoding",
                             "both Content-Length and Transfer-Encoding; send one", true);
        if (head->transfer_encoding && strcasecmp(head->transfer_encoding, "chunked") != 0)
                return fault(API_ERROR_INVALID_REQUEST, "Transfer-Encoding", "expected chunked", true);
        if (head->content_length && !number(head->content_length, &ret->length))
                return fault(API_ERROR_INVALID_REQUEST, "Content-Length", "expected a number of bytes", true);
        if (head->upgrade && strcasecmp(head->upgrade, "websocket") != 0)
                return fault(API_ERROR_INVALID_REQUEST, "Upgrade", "expected websocket", true);
        return no_fault;
}

struct head_fault head_check(const struct head *head, const char *public_url, struct head_body *ret_body) {
        struct head_fault framing = check_framing(head, ret_body);

        if (framing.error != API_ERROR_NONE)
                return framing;
        if (ret_body->length > REQUEST_BODY_MAX)
                return fault(API_ERROR_CONTENT_TOO_LARGE, NULL, "the body is larger than 64 KiB", true);
        if (head->content_encoding && strcasecmp(head->content_encoding, "identity") != 0)
                return fault(API_ERROR_UNSUPPORTED_MEDIA_TYPE, NULL,
                             "a Content-Encoding is not supported; send the JSON as it is", true);
        /* Never compared with Host, which a page that rebinds its name to this server's address chooses. */
        if (head->origin && public_url[0] == '\0')
                return fault(API_ERROR_ACCESS_DENIED, "Origin",
                             "requests of pages are refused without PublicUrl= in exc-compute-api.conf(5)", false);
        if (head->origin && strcmp(head->origin, public_url) != 0)
                return fault(API_ERROR_ACCESS_DENIED, "Origin", "requests of pages from elsewhere are refused", false);
        return no_fault;
}

/* An entity tag of ours: "N". */
static bool version(const char *text, int64_t *ret) {
        char digits[24];
        size_t n = strlen(text);
        uint64_t value;

        if (n < 3 || n > 20 || text[0] != '"' || text[n - 1] != '"')
                return false;
        memcpy(digits, text + 1, n - 2);
        digits[n - 2] = '\0';
        if (!number(digits, &value) || value == 0)
                return false;
        *ret = (int64_t)value;
        return true;
}

struct head_fault head_match(const struct head *head, enum request_match *ret, int64_t *ret_version) {
        *ret = MATCH_NONE;
        if (head->if_match && head->if_none_match)
                return fault(API_ERROR_INVALID_REQUEST, "If-None-Match", "not together with If-Match", false);
        if (head->if_none_match) {
                if (strcmp(head->if_none_match, "*") != 0)
                        return fault(API_ERROR_INVALID_REQUEST, "If-None-Match", "expected *", false);
                *ret = MATCH_ABSENT;
        } else if (head->if_match && strcmp(head->if_match, "*") == 0)
                *ret = MATCH_ANY;
        else if (head->if_match) {
                if (!version(head->if_match, ret_version))
                        return fault(API_ERROR_INVALID_REQUEST, "If-Match",
                                     "expected * or one ETag that this server has sent", false);
                *ret = MATCH_VERSION;
        }
        return no_fault;
}
