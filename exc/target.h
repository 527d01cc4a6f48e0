/* SPDX-License-Identifier: Apache-2.0 */
/*
 * [USER@]VM, where VM is an id or a name. A name equals no id, so what is given is first taken for an id, in the request itself;
 * when the API does not know or allow it, the register is asked for a VM of that name:
 *
 *      do
 *              ok = api_call(api, "POST", path_of(target.vm), ..., &answer);
 *      while (!ok && target_is_name(api, &target, &answer));
 */
#ifndef EXC_EXC_TARGET_H
#define EXC_EXC_TARGET_H

#include "exc/api.h"
#include "wire/vm_id.h"

enum { TARGET_NAME_MAX = 256 + 1, TARGET_USER_MAX = 256 + 1 }; /* bytes, with the NUL */

struct target {
        char given[TARGET_NAME_MAX]; /* id or name, for messages */
        char vm[VM_ID_MAX];          /* what to send; "" as long as it can only be a name */
        char user[TARGET_USER_MAX];  /* "": the VM's default user */
        bool looked_up;
};

/*
 * From --vm-id, --user and the first argument where there is one. EXIT_DONE, or EXIT_USAGE when it has complained: both are given
 * and differ, neither is, or it can be no VM. `arguments` beyond the first are the caller's.
 */
int target_from_options(const struct cli_line *line, const struct options *options, struct target *ret);

/* The same for a text: ssh-config's. False: it can be neither id nor name. */
bool target_from_text(const char *text, struct target *ret);

/*
 * Resolves a name that cannot be an id before the first request. EXIT_DONE where target->vm can be sent, or a status when it has
 * complained.
 */
int target_prepare(struct api *api, const struct options *options, struct target *target);

/*
 * After a request about target->vm failed: whether `answer` says NotFound or AccessDenied, and exactly one VM has that name.
 * target->vm is then its id, and `answer` has been cleared for the next call. Where several have it, `answer` lists them.
 */
bool target_is_name(struct api *api, struct target *target, struct api_answer *answer);

/* problem_report() of a request about it. */
int target_report(const struct options *options, struct api *api, const struct target *target,
                  const struct api_answer *answer);

#endif
