/* SPDX-License-Identifier: Apache-2.0 */
#include "cloud/signer/signer_journal.h"

#include <stdarg.h>
#include <stdio.h>
#include <syslog.h>

#include "common/journal.h"

enum { TEXT_MAX = 1024, WAIT_MS = 100 };

__attribute__((format(printf, 2, 0))) static void make_text(char text[static TEXT_MAX], const char *format,
                                                            va_list arguments) {
        (void)vsnprintf(text, TEXT_MAX, format, arguments);
        for (char *at = text; *at; at++)
                if (*at < ' ' || *at > '~')
                        *at = '?';
}

void signer_note(int priority, const char *format, ...) {
        char text[TEXT_MAX];
        va_list arguments;

        va_start(arguments, format);
        make_text(text, format, arguments);
        va_end(arguments);
        (void)fprintf(stderr, "<%d>%s\n", priority, text);
}

void signer_journal_alarm(const char *format, ...) {
        struct journal_entry entry;
        char text[TEXT_MAX];
        va_list arguments;

        va_start(arguments, format);
        make_text(text, format, arguments);
        va_end(arguments);
        journal_begin(&entry);
        journal_add(&entry, "MESSAGE", text);
        journal_add(&entry, "MESSAGE_ID", SIGNER_EVENT_ALARM);
        journal_add_number(&entry, "PRIORITY", LOG_ALERT);
        journal_add(&entry, "SYSLOG_IDENTIFIER", "exc-signer");
        if (journal_send(&entry, WAIT_MS) < 0)
                (void)fprintf(stderr, "<%d>%s\n", LOG_ALERT, text);
}
