/* SPDX-License-Identifier: Apache-2.0 */
#include "admin/enable/sshd_report.h"

#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "admin/sshd/sshd_reload.h"
#include "admin/sshd/systemd.h"
#include "admin/sshd/text_file.h"
#include "cli/output.h"
#include "wire/refusal.h"
#include "wire/terminal.h"

int report_begin(const char *command) {
        if (geteuid() != 0) {
                complain("%s: only root can look at sshd's configuration and change it", command);
                return EXIT_OWN_FAILURE;
        }
        return EXIT_DONE;
}

void report(const char *format, ...) {
        char *text = NULL;
        va_list arguments;
        int n;

        va_start(arguments, format);
        n = vasprintf(&text, format, arguments);
        va_end(arguments);
        if (n >= 0) {
                terminal_print(stdout, text);
                free(text);
        }
        (void)fputc('\n', stdout);
        /* Complaints come in between, where they belong. */
        (void)fflush(stdout);
}

void report_text(FILE *to, const char *text) {
        while (*text) {
                char *line = text_line(&text);

                if (line)
                        terminal_print(to, line);
                (void)fputc('\n', to);
                free(line);
        }
}

void report_notes(const struct plan *plan) {
        for (size_t i = 0; i < plan->n_notes; i++)
                report("Note: %s", plan->notes[i]);
}

static size_t count_lines(const char *text) {
        size_t n = 0;

        for (; *text; text += strcspn(text, "\n"), text += *text == '\n')
                n++;
        return n;
}

static void print_lines(char mark, const char *text) {
        while (*text) {
                size_t length = strcspn(text, "\n");

                (void)fputc(mark, stdout);
                terminal_print_bytes(stdout, text, length);
                (void)fputs(text[length] ? "\n" : "\n\\ No newline at end of file\n", stdout);
                text += length + (text[length] != '\0');
        }
}

void report_diff(const struct own_files *from, const struct own_files *to) {
        for (int i = 0; i < DROP_IN_FILES; i++) {
                const char *before = from->text[i], *after = to->text[i];

                if (before && after ? strcmp(before, after) == 0 : before == after)
                        continue;
                (void)printf("--- %s\n+++ %s\n", before ? drop_in_paths[i] : "/dev/null",
                             after ? drop_in_paths[i] : "/dev/null");
                before = before ? before : "";
                after = after ? after : "";
                (void)printf("@@ -%d,%zu +%d,%zu @@\n", *before != '\0', count_lines(before), *after != '\0',
                             count_lines(after));
                print_lines('-', before);
                print_lines('+', after);
        }
}

void report_changes(const struct own_files *from, const struct own_files *to) {
        for (int i = 0; i < DROP_IN_FILES; i++) {
                const char *before = from->text[i], *after = to->text[i];

                if (after && (!before || strcmp(before, after) != 0))
                        report("Written: %s", drop_in_paths[i]);
                if (before && !after)
                        report("Removed: %s", drop_in_paths[i]);
        }
}

int report_reload(const struct plan *plan, bool only_due) {
        int status = EXIT_DONE;
        bool restarted;
        char path[PATH_MAX], why[SSHD_WHY_MAX];

        if (!systemd_runs()) {
                if (!only_due && sshd_reload_by_pid_file() == 0)
                        report("Reloaded: the sshd that runs here");
                return EXIT_DONE;
        }
        for (size_t i = 0; i < plan->n_sshds; i++) {
                const struct sshd_service *service = plan->sshds[i].service;

                /* One of which it is not known is reloaded. */
                if (!service || !plan->sshds[i].asks || !service->active ||
                    (only_due && sshd_reload_due(service, path, why) == 0))
                        continue;
                /* A reload of what is broken would end it. */
                if (sshd_test(service->arguments, why) < 0) {
                        complain("%s is not reloaded, since its configuration is broken: %s", service->name, why);
                        complain("fix it and run: systemctl reload %s", service->name);
                        status = EXIT_OWN_FAILURE;
                } else if (sshd_reload(service, &restarted, why) < 0) {
                        complain("%s could not be reloaded: %s", service->name, why);
                        complain("run: systemctl reload %s", service->name);
                        status = EXIT_OWN_FAILURE;
                } else
                        report(restarted ? "Restarted: %s, whose socket systemd holds; its connections stay"
                                         : "Reloaded: %s",
                               service->name);
        }
        return status;
}
