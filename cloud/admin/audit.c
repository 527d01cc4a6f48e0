/* SPDX-License-Identifier: Apache-2.0 */
#include "cloud/audit/audit.h"

#include <inttypes.h>
#include <stdio.h>

#include "cli/output.h"
#include "cloud/admin/become.h"
#include "cloud/admin/command.h"
#include "cloud/admin/database.h"
#include "wire/refusal.h"

static void print_fault(void *context, const struct audit_fault *fault) {
        const struct options *options = context;

        if (options->given & OPTION_JSON)
                (void)print_object(json_pack("{ss sI ss}", "file", fault->file, "line", (json_int_t)fault->line,
                                             "fault", fault->what));
        else if (fault->line > 0)
                complain("%s:%" PRIu64 ": %s", fault->file, fault->line, fault->what);
        else
                complain("%s: %s", fault->file, fault->what);
}

static int print_report(const struct options *options, const struct audit_report *report) {
        if (options->given & OPTION_JSON)
                return print_object(json_pack("{sI sI sI sI sI}", "lines", (json_int_t)report->lines, "decisions",
                                              (json_int_t)report->decisions, "outcomes", (json_int_t)report->outcomes,
                                              "signed_requests", (json_int_t)report->signed_requests, "faults",
                                              (json_int_t)report->faults));
        print_field("Lines", "%" PRIu64, report->lines);
        print_field("Decisions", "%" PRIu64, report->decisions);
        print_field("Outcomes", "%" PRIu64, report->outcomes);
        if (options->given & OPTION_NO_SIGNER_LOG)
                print_field("Signed", "not compared: lines that were cut off at the end are not found");
        else
                print_field("Signed", "%" PRIu64, report->signed_requests);
        print_field("Faults", "%" PRIu64, report->faults);
        return EXIT_DONE;
}

static int audit(const struct options *options, const char *const *arguments) {
        const char *signer_log = options->given & OPTION_NO_SIGNER_LOG ? NULL : options->signer_log;
        char why[AUDIT_WHY_MAX];
        struct audit_report report;
        int status;

        (void)arguments;
        /* The signer's log is not the API's to read, and so root's right to read is kept. */
        status = become(options->user, signer_log != NULL);
        if (status != EXIT_DONE)
                return status;
        if (audit_verify(options->audit, signer_log, print_fault, (void *)(uintptr_t)options, &report, why) < 0) {
                complain("%s", why);
                return EXIT_OWN_FAILURE;
        }
        status = print_report(options, &report);
        return status == EXIT_DONE && report.faults > 0 ? EXIT_FAULTS : status;
}

const struct command audit_verify_command = {
        .name = "audit",
        .verb = "verify",
        .arguments = "",
        .summary = "check the audit log, also against the signer's log",
        .no_database = true,
        .takes = OPTION_AUDIT | OPTION_SIGNER_LOG | OPTION_NO_SIGNER_LOG,
        .run = audit,
};
