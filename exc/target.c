/* SPDX-License-Identifier: Apache-2.0 */
#include "exc/target.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/output.h"
#include "cli/value.h"
#include "exc/problem.h"
#include "wire/name.h"

bool target_from_text(const char *text, struct target *ret) {
        size_t n = strlen(text);

        if (n == 0 || n >= sizeof(ret->given) || !value_utf8(text))
                return false;
        for (size_t i = 0; i < n; i++)
                if ((unsigned char)text[i] < ' ' || text[i] == 0x7f)
                        return false;
        *ret = (struct target){.looked_up = false};
        memcpy(ret->given, text, n + 1);
        if (vm_id_valid(text))
                memcpy(ret->vm, text, n + 1);
        return true;
}

/* Takes `text` as USER@VM: at its last '@', since login names may have one and ids have none. */
static int split(const struct cli_line *line, const char *text, char user[static TARGET_USER_MAX],
                 const char **ret_vm) {
        const char *at = strrchr(text, '@');

        user[0] = '\0';
        *ret_vm = text;
        if (!at)
                return EXIT_DONE;
        *ret_vm = at + 1;
        if (at == text || (size_t)(at - text) >= TARGET_USER_MAX)
                return cli_usage(line, "%s: expected [USER@]VM", text);
        memcpy(user, text, (size_t)(at - text));
        user[at - text] = '\0';
        return name_user_valid(user) ? EXIT_DONE
                                     : cli_usage(line,
                                                 "%s: %s is not a login name: it has 1 to 256 bytes, no control "
                                                 "characters, and does not begin with '-'",
                                                 text, user);
}

int target_from_options(const struct cli_line *line, const struct options *options, struct target *ret) {
        const char *argument = line->n_arguments > 0 ? line->arguments[0] : NULL, *vm = options->vm;
        char user[TARGET_USER_MAX] = "";
        int status = EXIT_DONE;

        if (argument)
                status = split(line, argument, user, &vm);
        if (status != EXIT_DONE)
                return status;
        if (argument && options->vm && strcmp(vm, options->vm) != 0)
                return cli_usage(line, "%s and --vm-id %s name two VMs", argument, options->vm);
        if (*user && options->user && strcmp(user, options->user) != 0)
                return cli_usage(line, "%s and --user %s name two users", argument, options->user);
        if (!vm)
                return cli_usage(line, "the VM is missing: name it as [USER@]VM or with --vm-id");
        if (!target_from_text(vm, ret))
                return cli_usage(
                        line, "%s: neither the id nor the name of a VM: 1 to 256 bytes without control characters", vm);
        if (!*user && options->user)
                (void)snprintf(user, sizeof(user), "%s", options->user);
        memcpy(ret->user, user, sizeof(user));
        return EXIT_DONE;
}

/* --- names --------------------------------------------------------------------------------------------------------- */

/* The ids of the VMs with this name: an array that the caller drops, or NULL, with the failed answer in `ret`. */
static json_t *named(struct api *api, const char *name, struct api_answer *ret) {
        return api_list(api, api_path_query(api_path("compute", "instance", NULL), "name", name), ret);
}

static const char *id_at(const json_t *items, size_t i) {
        const char *id = text_or(json_array_get(items, i), "id", "");

        return vm_id_valid(id) ? id : NULL;
}

static void ambiguous(const json_t *items, const char *name, struct api_answer *ret) {
        size_t used;

        ret->end = API_REFUSED;
        (void)snprintf(ret->error, sizeof(ret->error), "AmbiguousName");
        used = (size_t)snprintf(ret->message, sizeof(ret->message),
                                "%zu VMs have the name '%.200s'; name one by its id:", json_array_size(items), name);
        for (size_t i = 0; i < json_array_size(items) && used < sizeof(ret->message); i++)
                used += (size_t)snprintf(ret->message + used, sizeof(ret->message) - used, " %s",
                                         id_at(items, i) ? id_at(items, i) : "?");
}

/* Takes the one VM of that name. False: there is none, or several. */
static bool take_one(const json_t *items, struct target *target, struct api_answer *ret) {
        const char *id = json_array_size(items) == 1 ? id_at(items, 0) : NULL;

        if (id) {
                memcpy(target->vm, id, strlen(id) + 1);
                return true;
        }
        if (json_array_size(items) > 1)
                ambiguous(items, target->given, ret);
        return false;
}

int target_report(const struct options *options, struct api *api, const struct target *target,
                  const struct api_answer *answer) {
        const struct problem_about about = {
                .vm = target->given,
                .user = target->user,
                .as_id = target->looked_up && strcmp(target->vm, target->given) == 0,
        };

        return problem_report(options, api, answer, &about);
}

int target_prepare(struct api *api, const struct options *options, struct target *target) {
        struct api_answer answer;
        int status = EXIT_DONE;
        json_t *items;

        /* What the configuration has stands behind what was given. */
        if (!*target->user)
                memcpy(target->user, api_config(api)->user, sizeof(target->user));
        api_set_purpose(api, "VM %s", target->given);
        if (*target->vm)
                return EXIT_DONE;
        target->looked_up = true;
        items = named(api, target->given, &answer);
        if (items && json_array_size(items) == 0) {
                answer = (struct api_answer){.end = API_REFUSED, .status = 404, .error = "NotFound"};
                status = target_report(options, api, target, &answer);
        } else if (!items || !take_one(items, target, &answer))
                status = target_report(options, api, target, &answer);
        json_decref(items);
        api_answer_clear(&answer);
        return status;
}

bool target_is_name(struct api *api, struct target *target, struct api_answer *answer) {
        struct api_answer other;
        bool found = false;
        json_t *items;

        if (target->looked_up || answer->end != API_REFUSED ||
            (strcmp(answer->error, "NotFound") != 0 && strcmp(answer->error, "AccessDenied") != 0))
                return false;
        target->looked_up = true;
        items = named(api, target->given, &other);
        if (items)
                found = take_one(items, target, answer);
        json_decref(items);
        api_answer_clear(&other);
        if (found)
                api_answer_clear(answer);
        return found;
}
