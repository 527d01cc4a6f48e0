/* SPDX-License-Identifier: Apache-2.0 */
#include "cloud/audit/audit.h"

#include <assert.h>
#include <errno.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "cloud/audit/line_log.h"

enum {
        TEXT_MAX = 512,     /* bytes of a peer's text in a line */
        EVENT_ID_SIZE = 16, /* bytes */
        CLASS_UID = 6003,   /* OCSF: API Activity */
};

static_assert((int)AUDIT_HASH_MAX == (int)LINE_LOG_HASH_MAX, "the hash of a line");

struct audit {
        struct line_log *log;
        char node[LINE_LOG_NAME_MAX];
};

int audit_open(const char *directory, const char *node, struct audit **ret, char ret_why[static AUDIT_WHY_MAX]) {
        struct audit *audit;
        int r;

        static_assert((int)AUDIT_WHY_MAX == (int)LINE_LOG_WHY_MAX, "the same buffer");
        audit = calloc(1, sizeof(*audit));
        if (!audit) {
                (void)snprintf(ret_why, AUDIT_WHY_MAX, "%.100s: out of memory", directory);
                return -ENOMEM;
        }
        r = line_log_open(directory, node, LINE_LOG_FILE_SIZE, &audit->log, ret_why);
        if (r < 0) {
                free(audit);
                return r;
        }
        (void)snprintf(audit->node, sizeof(audit->node), "%s", node); /* line_log_open() takes none that is longer */
        *ret = audit;
        return 0;
}

void audit_close(struct audit *audit) {
        if (!audit)
                return;
        line_log_close(audit->log);
        free(audit);
}

/* Bytes of `text` that are kept: no character is cut in the middle. */
static size_t kept(const char *text) {
        size_t n = strnlen(text, TEXT_MAX + 1);

        if (n <= TEXT_MAX)
                return n;
        n = TEXT_MAX;
        while (n > 0 && ((unsigned char)text[n] & 0xc0) == 0x80)
                n--;
        return n;
}

/* Text that is not UTF-8 is no reason to write nothing: its other bytes become \xNN. */
static json_t *escaped(const char *text, size_t n) {
        char to[4 * TEXT_MAX + 1], *at = to;

        for (size_t i = 0; i < n; i++) {
                unsigned char c = (unsigned char)text[i];

                if (c < 0x80)
                        *at++ = text[i];
                else
                        at += snprintf(at, 5, "\\x%02x", c);
        }
        return json_stringn(to, (size_t)(at - to));
}

static json_t *text_value(const char *text) {
        size_t n = kept(text);
        json_t *value = json_stringn(text, n);

        return value ? value : escaped(text, n);
}

/* An object whose members are added in order. Without memory it fails once, at the end. */
struct line {
        json_t *object;
        bool failed;
};

static void add(struct line *to, const char *name, json_t *value) {
        if (json_object_set_new(to->object, name, value) < 0)
                to->failed = true;
}

static void add_text(struct line *to, const char *name, const char *text) {
        if (text && *text)
                add(to, name, text_value(text));
}

static void add_number(struct line *to, const char *name, int64_t number) {
        if (number != 0)
                add(to, name, json_integer(number));
}

/* Takes the inner object, unless it is empty. */
static void add_object(struct line *to, const char *name, struct line *inner) {
        to->failed |= inner->failed;
        if (json_object_size(inner->object) > 0)
                add(to, name, inner->object); /* transferred */
        else
                json_decref(inner->object);
}

static const char *kind_text(enum audit_kind kind) {
        switch (kind) {
        case AUDIT_DECISION:
                return "decision";
        case AUDIT_OUTCOME:
                return "outcome";
        default:
                return "note";
        }
}

/* 128 random bits in hexadecimal. */
static bool make_event_id(char ret[static 2 * EVENT_ID_SIZE + 1]) {
        uint8_t raw[EVENT_ID_SIZE];

        /* So few bytes are never interrupted (getrandom(2)). */
        if (getrandom(raw, sizeof(raw), 0) != (ssize_t)sizeof(raw))
                return false;
        for (size_t i = 0; i < sizeof(raw); i++)
                (void)snprintf(ret + 2 * i, 3, "%02x", raw[i]);
        return true;
}

/* The order is compute-api.md's; line_log puts time, seq and prev first. */
static void fill(struct line *to, const struct audit *audit, const char *event_id, const struct audit_event *event) {
        struct line decision = {json_object(), false}, outcome = {json_object(), false};

        add_text(to, "node", audit->node);
        add_text(to, "event_id", event_id);
        add_number(to, "class_uid", CLASS_UID);
        add_text(to, "kind", kind_text(event->kind));
        add_text(to, "request_id", event->request_id);
        add_text(to, "session", event->session);
        add_text(to, "account", event->account);
        add_text(to, "token_id", event->token_id);
        add_text(to, "source_ip", event->source_ip);
        add_text(to, "user_agent", event->user_agent);
        add_text(to, "action", event->action);
        add_text(to, "resource", event->resource);
        add_text(to, "vm_id", event->vm_id);
        add_text(to, "host", event->host);
        add_text(to, "os_user", event->os_user);
        add_text(to, "fingerprint", event->fingerprint);

        add_text(&decision, "effect", event->effect);
        add_text(&decision, "sid", event->sid);
        add_object(to, "decision", &decision);

        add_number(&outcome, "status", event->status);
        add_text(&outcome, "error", event->error);
        add_text(&outcome, "guest_error", event->guest_error);
        add_object(to, "outcome", &outcome);

        add_number(to, "duration_ms", event->duration_ms);
        add_text(to, "message", event->message);
}

int audit_write(struct audit *audit, const struct audit_event *event, char ret_head[static AUDIT_HASH_MAX]) {
        char event_id[2 * EVENT_ID_SIZE + 1];
        struct line line = {.failed = false};
        struct line_log_head head;
        int r;

        if (!make_event_id(event_id))
                return -EIO;
        line.object = json_object();
        if (!line.object)
                return -ENOMEM;
        fill(&line, audit, event_id, event);
        r = line.failed ? -ENOMEM : line_log_append(audit->log, line.object, &head);
        json_decref(line.object);
        if (r >= 0)
                memcpy(ret_head, head.hash, sizeof(head.hash));
        return r < 0 ? r : 0;
}
