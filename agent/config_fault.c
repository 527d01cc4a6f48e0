/* SPDX-License-Identifier: Apache-2.0 */
/* How an error or a warning about a configuration is told. */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>

#include "agent/config_internal.h"

/* Errors and warnings go to terminals, the journal and JSON: one line, printable ASCII. */
static void make_printable(char *text) {
        for (; *text; text++)
                if (*text < ' ' || *text > '~')
                        *text = '?';
}

int config_fail(struct load *load, const char *format, ...) {
        struct config *config = load->config;
        char text[CONFIG_ERROR_MAX / 2];
        va_list arguments;

        va_start(arguments, format);
        (void)vsnprintf(text, sizeof(text), format, arguments);
        va_end(arguments);
        /* The path is cut rather than the reason. */
        if (load->line > 0)
                (void)snprintf(config->error_text, sizeof(config->error_text), "%.230s:%u: %s", load->file, load->line,
                               text);
        else
                (void)snprintf(config->error_text, sizeof(config->error_text), "%.230s: %s", load->file, text);
        make_printable(config->error_text);
        config->error = config->error_text;
        return -EINVAL;
}

void config_warn(struct load *load, const char *format, ...) {
        char text[CONFIG_ERROR_MAX];
        va_list arguments;

        if (!load->warning)
                return;
        va_start(arguments, format);
        (void)vsnprintf(text, sizeof(text), format, arguments);
        va_end(arguments);
        make_printable(text);
        load->warning(load->context, load->file, load->line, text);
}
