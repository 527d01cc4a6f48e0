/* SPDX-License-Identifier: Apache-2.0 */
#include "host/log.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "wire/vm_id.h"

enum { LINE_MAX_BYTES = 1024 };

/* One write(2) for a line: several threads log. */
void log_line(int priority, const char *format, ...) {
        bool journal = getenv("JOURNAL_STREAM") != NULL;
        char text[LINE_MAX_BYTES];
        va_list arguments;

        va_start(arguments, format);
        (void)vsnprintf(text, sizeof(text), format, arguments);
        va_end(arguments);
        if (journal)
                (void)fprintf(stderr, "<%d>%s\n", priority, text); /* sd-daemon(3) */
        else
                (void)fprintf(stderr, "exc-host: %s\n", text);
}

/* The guest's refusal. Its name has letters and digits alone (host/outcome.h). */
static const char *refusal_of(const struct outcome *outcome) {
        const char *name = json_string_value(json_object_get(outcome->parameters, "name"));

        return outcome->error && strcmp(outcome->error, HOST_GUEST_REFUSED) == 0 && name ? name : "";
}

void log_delivery(const char *instance, const char *call_id, bool pushes, const struct outcome *outcome,
                  int64_t took_ms) {
        const char *error = outcome->error ? outcome->error + strlen(HOST_INTERFACE ".") : "done";
        const char *refusal = refusal_of(outcome);

        log_line(LOG_INFO, "%s: %s, call %s: %s%s%s, %" PRId64 " ms", vm_id_valid(instance) ? instance : "(no such VM)",
                 pushes ? "push" : "revocation", call_id, error, *refusal ? " " : "", refusal, took_ms);
}
