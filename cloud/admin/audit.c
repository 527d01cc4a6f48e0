/* SPDX-License-Identifier: Apache-2.0 */
#include "cloud/audit/audit.h"

#include <inttypes.h>
#include <stdio.h>

#include "cli/output.h"
#include "cloud/admin/become.h"
#include "cloud/admin/command.h"
#include "cloud/admin/database.h"
#include "cloud/admin/paths.h"
#include "cloud/api/config.h"
#include "cloud/signer/signer_config.h"
#include "wire/refusal.h"

static void print_fault(void *context, const struct audit_fault *fault) {
        const struct options *options = context;

        if (options->json)
                (void)print_json_new(json_pack("{ss sI ss}", "file", fault->file, "line", (json_int_t)fault->line,
                                               "fault", fault->what));
        else if (fault->line > 0)
                complain("%s:%" PRIu64 ": %s", fault->file, fault->line, fault->what);
        else
                complain("%s: %s", fault->file, fault->what);
}

static int print_report(const struct options *options, const struct audit_report *report) {
        if (options->json)
                return print_json_new(json_pack("{sI sI sI sI sI}", "lines", (json_int_t)report->lines, "decisions",
                                                (json_int_t)report->decisions, "outcomes", (json_int_t)report->outcomes,
                                                "signed_requests", (json_int_t)report->signed_requests, "faults",
                                                (json_int_t)report->faults));
        print_field("Lines", "%" PRIu64, report->lines);
        print_field("Decisions", "%" PRIu64, report->decisions);
        print_field("Outcomes", "%" PRIu64, report->outcomes);
        if (options->no_signer_log)
                print_field("Signed", "not compared: lines that were cut off at the end are not found");
        else
                print_field("Signed", "%" PRIu64, report->signed_requests);
        print_field("Faults", "%" PRIu64, report->faults);
        return EXIT_DONE;
}

static int audit(const struct cli_line *line, const void *context) {
        const struct options *options = context;
        const char *directory = paths_audit(options), *signer_log = NULL;
        char why[AUDIT_WHY_MAX];
        struct audit_report report;
        int status;

        (void)line;
        if (directory && !options->no_signer_log)
                signer_log = paths_signer_log(options);
        if (!directory || (!signer_log && !options->no_signer_log))
                return EXIT_OWN_FAILURE;
        /* The signer's log is not the API's to read, and so root's right to read is kept. */
        status = become(options->user, signer_log != NULL);
        if (status != EXIT_DONE)
                return status;
        if (audit_verify(directory, signer_log, print_fault, (void *)(uintptr_t)options, &report, why) < 0) {
                complain("%s", why);
                return EXIT_OWN_FAILURE;
        }
        status = print_report(options, &report);
        return status == EXIT_DONE && report.faults > 0 ? EXIT_FAULTS : status;
}

const struct cli_option admin_audit_options[] = {
        {.name = "audit",
         .value = "DIRECTORY",
         .take = cli_take_text,
         .offset = offsetof(struct options, audit),
         .help = "the audit log, not that of " API_CONFIG_FILE},
        {.name = NULL},
};

static const struct cli_option verify_options[] = {
        {.name = "signer-log",
         .value = "DIRECTORY",
         .take = cli_take_text,
         .offset = offsetof(struct options, signer_log),
         .help = "the signer's log, not that of " SIGNER_CONFIG_FILE},
        {.name = "no-signer-log",
         .take = cli_take_flag,
         .offset = offsetof(struct options, no_signer_log),
         .help = "do not compare with the signer's log"},
        {.name = NULL},
};

const struct cli_command audit_verify_command = {
        .words = "audit verify",
        .summary = "check the audit log, also against the signer's log",
        .tables = {admin_audit_options, verify_options},
        .run = audit,
};
