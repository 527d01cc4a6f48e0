/* SPDX-License-Identifier: Apache-2.0 */
/* What the agent in a VM refuses, for people who may not be its administrators. */
#include <stdio.h>
#include <string.h>

#include "exc/problem.h"
#include "wire/refusal.h"

#define CLOCK_STEP                                                                                                     \
        "On the VM, look at: timedatectl\n"                                                                            \
        "and let it keep time: sudo timedatectl set-ntp true"

/* `cause` follows "VM 42: ". %s in it is the user. */
static const struct {
        enum refusal why;
        const char *cause, *step;
        int status;
} refusals[] = {
        {REFUSAL_NO_SUCH_USER, "it has no user '%s'",
         "Name another with --user. On the VM, look with: getent passwd %s", EXIT_GUEST_REFUSED},
        {REFUSAL_USER_DENIED, "its configuration lets no key in for the user '%s'",
         "Name another with --user, or see AllowUsers, DenyUsers, AllowGroups, DenyGroups and MinUid in\n"
         "exc-instance-connect.conf(5) on the VM",
         EXIT_GUEST_REFUSED},
        {REFUSAL_UNTRUSTED, "it trusts no signing key of this control plane",
         "Its administrator brings the public half of the signing key to the VM, and runs there:\n"
         "sudo exc-instance-connect trust add FILE; if that does not help: sudo exc-instance-connect doctor",
         EXIT_GUEST_REFUSED},
        {REFUSAL_BAD_SIGNATURE, "it trusts another signing key than that of this control plane",
         "Its administrator brings the public half of the current signing key to the VM, and runs there:\n"
         "sudo exc-instance-connect trust add FILE; if that does not help: sudo exc-instance-connect doctor",
         EXIT_GUEST_REFUSED},
        {REFUSAL_WRONG_INSTANCE, "what answers in its place has another instance id",
         "Its host's configuration leads to another VM, or /etc/exc-instance-connect/instance-id in it is wrong",
         EXIT_GUEST_REFUSED},
        {REFUSAL_NOT_YET_VALID, "its clock is slow", CLOCK_STEP, EXIT_GUEST_REFUSED},
        {REFUSAL_EXPIRED, "its clock is fast, or the key was revoked meanwhile", CLOCK_STEP, EXIT_GUEST_REFUSED},
        {REFUSAL_CLOCK_UNSYNCHRONIZED, "its clock is not synchronized", CLOCK_STEP, EXIT_GUEST_REFUSED},
        {REFUSAL_STALE_CHALLENGE, "its clock or its agent does not keep up", CLOCK_STEP, EXIT_GUEST_REFUSED},
        {REFUSAL_REPLAYED, "it has seen this push before", "Run the command again", EXIT_GUEST_REFUSED},
        {REFUSAL_KEY_REJECTED, "it does not take this key",
         "Use another type of key, as ssh-keygen -t ed25519 makes it; see KeyTypes in exc-instance-connect.conf(5)",
         EXIT_GUEST_REFUSED},
        {REFUSAL_STORE_FULL, "it keeps as many keys as it can",
         "Wait until keys expire, or drop them with: exc compute revoke %v --all", EXIT_GUEST_REFUSED},
        {REFUSAL_STORAGE_FAILURE, "it cannot keep keys", "On the VM, see: journalctl -t exc-instance-connect-agent",
         EXIT_GUEST_REFUSED},
        {REFUSAL_PERMISSION_DENIED, "its agent does not take pushes on this channel",
         "Its host's configuration leads to the wrong socket of the VM", EXIT_GUEST_REFUSED},
        {REFUSAL_TOO_LARGE, "the push is too large for its agent",
         "Use a smaller key, as ssh-keygen -t ed25519 makes it", EXIT_GUEST_REFUSED},
        {REFUSAL_INVALID_PAYLOAD, "its agent does not understand the push",
         "It may be older than the control plane: on the VM, update the package exc-instance-connect",
         EXIT_GUEST_REFUSED},
        {REFUSAL_RATE_LIMITED, "its agent takes no more pushes now", "Wait some seconds, and run the command again",
         EXIT_LIMITED},
};

/* Copies `template` with the user for %s and the VM for %v. */
static void fill(char *ret, size_t size, const char *template, const char *user, const char *vm) {
        size_t used = 0;

        for (; *template && used + 1 < size; template ++) {
                const char *text = template[0] == '%' && template[1] == 's'   ? user
                                   : template[0] == '%' && template[1] == 'v' ? vm
                                                                              : NULL;

                if (!text) {
                        ret[used++] = *template;
                        continue;
                }
                template ++;
                while (*text && used + 1 < size)
                        ret[used++] = *text++;
        }
        ret[used] = '\0';
}

bool problem_of_guest(const char *guest_error, const struct problem_about *about, struct problem *ret) {
        const char *user = about->user && *about->user ? about->user : "of the VM's default";
        const char *vm = about->vm ? about->vm : "VM";
        enum refusal why = refusal_from_name(guest_error);
        char cause[512];

        for (size_t i = 0; i < sizeof(refusals) / sizeof(refusals[0]); i++) {
                if (refusals[i].why != why || why == REFUSAL_NONE)
                        continue;
                fill(cause, sizeof(cause), refusals[i].cause, user, vm);
                (void)snprintf(ret->text, sizeof(ret->text), "VM %s: %s", vm, cause);
                fill(ret->step, sizeof(ret->step), refusals[i].step, user, vm);
                ret->status = refusals[i].status;
                return true;
        }
        return false;
}
