/* SPDX-License-Identifier: Apache-2.0 */
#include "admin/doctor/doctor_clients.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { NOT_ASKED_MAX = 4 };

_Static_assert(SSHD_CLIENTS_MAX <= 32, "a bit for each client");

static bool same(const struct finding *a, const struct finding *b) {
        return a->status == b->status && strcmp(a->text, b->text) == 0;
}

__attribute__((format(printf, 2, 3))) static void append(char text[static FINDING_TEXT_MAX], const char *format, ...) {
        size_t n = strlen(text);
        va_list arguments;

        va_start(arguments, format);
        (void)vsnprintf(text + n, FINDING_TEXT_MAX - n, format, arguments);
        va_end(arguments);
}

/* "TEXT (CLIENT or CLIENT); TEXT (CLIENT)": those that are let in come first. */
static void say_each(const struct sshd_clients *clients, const struct finding *each,
                     char text[static FINDING_TEXT_MAX]) {
        const char *between = "";

        (void)snprintf(text, FINDING_TEXT_MAX, DOCTOR_DEPENDS);
        for (int refused = 0; refused < 2; refused++)
                for (size_t i = 0; i < clients->n; i++) {
                        size_t before = 0;

                        while (!same(&each[before], &each[i]))
                                before++;
                        if (before < i || (each[i].status == FINDING_FAILURE) != refused)
                                continue;
                        append(text, "%s%s (%s", between, each[i].text, clients->client[i].about);
                        for (size_t j = i + 1; j < clients->n; j++)
                                if (same(&each[i], &each[j]))
                                        append(text, " or %s", clients->client[j].about);
                        append(text, ")");
                        between = "; ";
                }
}

static void merge(struct examination *examination, const struct sshd_clients *clients, const struct finding *each) {
        enum finding_status worst = FINDING_PASS;
        char text[FINDING_TEXT_MAX];
        size_t refused = 0, alike = 0;

        for (size_t i = 0; i < clients->n; i++) {
                alike += same(&each[0], &each[i]);
                refused += each[i].status == FINDING_FAILURE;
                if (each[i].status > worst)
                        worst = each[i].status;
                examination->clients |= UINT32_C(1) << i;
                if (each[i].status == FINDING_FAILURE)
                        examination->clients_refused |= UINT32_C(1) << i;
        }
        if (alike == clients->n) {
                bool limited = examination->from && clients->named;

                found(&examination->findings, each[0].status, each[0].name, limited ? NO_REMEDY : each[0].remedy, "%s",
                      each[0].text);
                return;
        }
        if (refused > 0 && refused < clients->n)
                worst = FINDING_CLIENT_WARNING;
        say_each(clients, each, text);
        found(&examination->findings, worst, each[0].name, NO_REMEDY, "%s", text);
}

void doctor_clients_judge(struct examination *examination, const struct sshd_clients *clients, doctor_judge judge,
                          void *context) {
        struct finding *each = calloc(clients->n, sizeof(*each));
        struct findings *one = calloc(1, sizeof(*one));
        bool any = each && one;

        for (size_t i = 0; i < clients->n && any; i++) {
                one->n = 0;
                judge(context, &clients->client[i], one);
                any = one->n > 0;
                each[i] = one->at[0];
        }
        if (any)
                merge(examination, clients, each);
        free(one);
        free(each);
}

void doctor_clients_not_asked(struct examination *examination, const struct sshd_clients *clients) {
        for (size_t i = 0; i < clients->not_asked.n && i < NOT_ASKED_MAX; i++)
                warn(&examination->findings, "sshd-clients", NO_REMEDY,
                     "it is not known what sshd says to some clients: %s; name one with --from",
                     clients->not_asked.item[i]);
}

void doctor_clients_end(struct examination *examination) {
        if (examination->clients != 0 && examination->clients_refused == examination->clients &&
            findings_first(&examination->findings, FINDING_CLIENT_WARNING))
                fail(&examination->findings, "sshd-clients", NO_REMEDY,
                     "sshd lets no client in: where one check passes, another fails");
}
