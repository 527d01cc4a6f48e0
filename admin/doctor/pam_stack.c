/* SPDX-License-Identifier: Apache-2.0 */
#include "admin/doctor/pam_stack.h"

#include <ctype.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>

#include "admin/sshd/text_file.h"

#define BLANKS " \n\t"
#define UNIX "pam_unix.so"

enum { ACTION_UNSET = INT_MIN };

const char *const pam_directories[] = {"/etc/pam.d", "/usr/lib/pam.d", NULL};

/* In libpam's order (libpam/pam_tokens.h). */
static const char *const codes[PAM_RETURN_VALUES] = {
        "success",
        "open_err",
        "symbol_err",
        "service_err",
        "system_err",
        "buf_err",
        "perm_denied",
        "auth_err",
        "cred_insufficient",
        "authinfo_unavail",
        "user_unknown",
        "maxtries",
        "new_authtok_reqd",
        "acct_expired",
        "session_err",
        "cred_unavail",
        "cred_expired",
        "cred_err",
        "no_module_data",
        "conv_err",
        "authtok_err",
        "authtok_recover_err",
        "authtok_lock_busy",
        "authtok_disable_aging",
        "try_again",
        "ignore",
        "abort",
        "authtok_expired",
        "module_unknown",
        "bad_item",
        "conv_again",
        "incomplete",
};

static const char *const actions[] = {"ignore", "ok", "done", "bad", "die", "reset"}; /* 0, -1 and so on */

/* What is written in a word, as in pam.conf(5). */
static const struct control {
        const char *word;
        int success, otherwise; /* PAM_SUCCESS and PAM_NEW_AUTHTOK_REQD; all but PAM_IGNORE */
} controls[] = {
        {"required", PAM_ACTION_OK, PAM_ACTION_BAD},
        {"requisite", PAM_ACTION_OK, PAM_ACTION_DIE},
        {"optional", PAM_ACTION_OK, PAM_ACTION_IGNORE},
        {"sufficient", PAM_ACTION_DONE, PAM_ACTION_IGNORE},
};

struct reading {
        const char *const *directories;
        struct pam_stack *stack;
        char *why; /* PAM_WHY_MAX */
};

/* What a line is read in. */
struct context {
        char file[PAM_PATH_MAX];
        unsigned line;
        bool account_only; /* included for the account stage: lines of other stages do not count */
        int depth;
};

static int fail(const struct reading *reading, int error, const struct context *context, const char *what) {
        (void)snprintf(reading->why, PAM_WHY_MAX, "%s line %u: %s", context->file, context->line, what);
        return error;
}

/*
 * The next line of a file, in place: without what stands behind a '#', and with the lines that a backslash at the end joins.
 * NULL at the end (libpam_internal/pam_line.c).
 */
static char *take_line(char **at, unsigned *line) {
        char *start = *at, *to = *at;
        bool more;

        if (!**at)
                return NULL;
        do {
                size_t length = strcspn(*at, "\n"), used = strcspn(*at, "\n#");
                bool comment = used < length;

                while (used > 0 && strchr(BLANKS, (*at)[used - 1]))
                        used--;
                more = !comment && used > 0 && (*at)[used - 1] == '\\';
                memmove(to, *at, used);
                to += used;
                if (more)
                        to[-1] = ' ';
                *at += length + ((*at)[length] == '\n');
                (*line)++;
        } while (more && **at);
        *to = '\0'; /* before `at`, or at the end of the text */
        return start;
}

/* The next word, in place; "[…]" is one, without the brackets. NULL at the end (_pam_tokenize() in libpam/pam_misc.c). */
static char *take_word(char **at) {
        char *word, *to;

        *at += strspn(*at, BLANKS);
        if (!**at)
                return NULL;
        if (**at != '[') {
                word = *at;
                *at += strcspn(word, BLANKS);
                to = *at;
        } else {
                word = to = ++*at;
                for (; **at && **at != ']'; (*at)++) {
                        if ((*at)[0] == '\\' && (*at)[1] == ']')
                                (*at)++;
                        *to++ = **at;
                }
        }
        if (**at)
                (*at)++;
        *to = '\0';
        return word;
}

static void set_rest(struct pam_entry *entry, int action) {
        for (size_t i = 0; i < PAM_RETURN_VALUES; i++)
                if (entry->action[i] == ACTION_UNSET)
                        entry->action[i] = action;
}

static const char *skip_blanks(const char *text) {
        while (isspace((unsigned char)*text))
                text++;
        return text;
}

/* The word that stands at `*at`, which is moved behind it; -1: none of them. */
static int take_one_of(const char *const words[], int n, const char **at) {
        for (int i = 0; i < n; i++) {
                size_t length = strlen(words[i]);

                if (strncmp(*at, words[i], length) != 0)
                        continue;
                *at += length;
                return i;
        }
        return -1;
}

/* One "code=action" of what stands in brackets. False: PAM does not understand it. */
static bool take_pair(struct pam_entry *entry, const char **at) {
        static const char *const all[] = {"default"};
        int code = take_one_of(codes, PAM_RETURN_VALUES, at), action;

        if (code < 0 && take_one_of(all, 1, at) < 0)
                return false;
        *at = skip_blanks(*at);
        if (**at != '=')
                return false;
        *at = skip_blanks(*at + 1);
        action = -take_one_of(actions, sizeof(actions) / sizeof(actions[0]), at);
        if (action > 0) {
                char *end = NULL;
                unsigned long skip = isdigit((unsigned char)**at) ? strtoul(*at, &end, 10) : 0;

                if (skip == 0 || skip > INT_MAX)
                        return false;
                action = (int)skip;
                *at = end;
        }
        if (code >= 0)
                entry->action[code] = action;
        else
                set_rest(entry, action);
        return true;
}

static void parse_control(struct pam_entry *entry, const char *word) {
        for (size_t i = 0; i < sizeof(controls) / sizeof(controls[0]); i++) {
                if (strcasecmp(word, controls[i].word) != 0)
                        continue;
                entry->action[PAM_SUCCESS] = entry->action[PAM_NEW_AUTHTOK_REQD] = controls[i].success;
                entry->action[PAM_IGNORE] = PAM_ACTION_IGNORE;
                set_rest(entry, controls[i].otherwise);
                return;
        }
        for (word = skip_blanks(word); *word; word = skip_blanks(word))
                if (!take_pair(entry, &word)) {
                        for (size_t i = 0; i < PAM_RETURN_VALUES; i++)
                                entry->action[i] = PAM_ACTION_BAD;
                        return;
                }
        set_rest(entry, PAM_ACTION_BAD);
}

/* `control` or `module` NULL: a line that is not complete. */
static int add(const struct reading *reading, const struct context *context, const char *control, const char *module,
               const char *arguments) {
        struct pam_stack *stack = reading->stack;
        struct pam_entry *entry = &stack->entry[stack->n];

        if (stack->n == PAM_ENTRIES_MAX)
                return fail(reading, -E2BIG, context, "too many modules");
        if ((module && strlen(module) >= PAM_NAME_MAX) || strlen(arguments) >= PAM_ARGUMENTS_MAX)
                return fail(reading, -E2BIG, context, "the line is too long");
        *entry = (struct pam_entry){.line = context->line};
        (void)snprintf(entry->file, sizeof(entry->file), "%s", context->file);
        for (size_t i = 0; i < PAM_RETURN_VALUES; i++)
                entry->action[i] = ACTION_UNSET;
        if (control && module) {
                (void)snprintf(entry->module, sizeof(entry->module), "%s", module);
                (void)snprintf(entry->arguments, sizeof(entry->arguments), "%s", arguments);
                parse_control(entry, control);
        } else
                set_rest(entry, PAM_ACTION_BAD);
        stack->n++;
        return 0;
}

static int read_file(const struct reading *reading, const char *name, bool account_only, int depth);

/* A file that is not there, or too deep, is a module that fails. */
static int include(const struct reading *reading, const struct context *context, const char *name, bool account_only) {
        int r = -ENOENT;

        if (name && context->depth + 1 < PAM_DEPTH_MAX)
                r = read_file(reading, name, account_only, context->depth + 1);
        return r == -ENOENT ? add(reading, context, NULL, NULL, "") : r;
}

static int read_line(const struct reading *reading, const struct context *context, char *text) {
        char *at = text, *type = take_word(&at), *control, *module;

        if (!type)
                return 0;
        /* Of Debian (debian/patches/031_pam_include). */
        if (strcasecmp(type, "@include") == 0)
                return include(reading, context, take_word(&at), context->account_only);
        if (strcasecmp(type + (type[0] == '-'), "account") != 0)
                return 0;
        control = take_word(&at);
        module = control ? take_word(&at) : NULL;
        if (control && (strcasecmp(control, "include") == 0 || strcasecmp(control, "substack") == 0))
                return include(reading, context, module, true);
        return add(reading, context, control, module, at + strspn(at, BLANKS));
}

/* -ENOENT where there is none. */
static int read_file(const struct reading *reading, const char *name, bool account_only, int depth) {
        struct context context = {.account_only = account_only, .depth = depth};
        char *text, *at, *line;
        struct stat st;
        int r = -ENOENT;

        for (size_t i = 0; r == -ENOENT && reading->directories[i]; i++) {
                int n = name[0] == '/' ? snprintf(context.file, PAM_PATH_MAX, "%s", name)
                                       : snprintf(context.file, PAM_PATH_MAX, "%s/%s", reading->directories[i], name);

                r = n < PAM_PATH_MAX ? text_file_read(context.file, &text, &st) : -ENAMETOOLONG;
        }
        if (r == -ENOENT)
                return r;
        if (r < 0) {
                (void)snprintf(reading->why, PAM_WHY_MAX, "%s: %s", context.file,
                               r == -EBADF ? "is no file" : strerror(-r));
                return r;
        }
        at = text;
        if (strlen(text) != (size_t)st.st_size)
                r = fail(reading, -EBADMSG, &context, "has a NUL in it");
        while (r >= 0 && (line = take_line(&at, &context.line)))
                r = read_line(reading, &context, line);
        free(text);
        return r;
}

int pam_stack_read(const char *const directories[], const char *service, struct pam_stack *ret,
                   char ret_why[static PAM_WHY_MAX]) {
        struct reading reading = {.directories = directories, .stack = ret, .why = ret_why};
        int r;

        ret->n = 0;
        r = read_file(&reading, service, false, 0);
        if (ret->n == 0 && (r >= 0 || r == -ENOENT))
                r = read_file(&reading, "other", false, 0);
        return r == -ENOENT ? 0 : r;
}

static bool is_one_of(const struct pam_entry *entry, const char *const modules[]) {
        for (size_t i = 0; modules[i]; i++)
                if (strcmp(entry->module, modules[i]) == 0)
                        return true;
        return false;
}

const struct pam_entry *pam_stack_with_effects(const struct pam_stack *stack) {
        /* Of Linux-PAM 1.5 and 1.7, as their pam_sm_acct_mgmt() says. A module with a path may be another of that name. */
        static const char *const none[] = {
                "",
                "pam_access.so",
                "pam_deny.so",
                "pam_listfile.so",
                "pam_localuser.so",
                "pam_nologin.so",
                "pam_permit.so",
                "pam_rootok.so",
                "pam_shells.so",
                "pam_succeed_if.so",
                "pam_time.so",
                UNIX,
                "pam_usertype.so",
                NULL,
        };

        for (size_t i = 0; i < stack->n; i++)
                if (!is_one_of(&stack->entry[i], none))
                        return &stack->entry[i];
        return NULL;
}

const struct pam_entry *pam_stack_about_client(const struct pam_stack *stack) {
        static const char *const by_argument[] = {"pam_listfile.so", "pam_succeed_if.so", NULL};

        for (size_t i = 0; i < stack->n; i++) {
                const struct pam_entry *entry = &stack->entry[i];

                if (strcmp(entry->module, "pam_access.so") == 0 ||
                    (is_one_of(entry, by_argument) && strstr(entry->arguments, "rhost")))
                        return entry;
        }
        return NULL;
}

bool pam_entry_is_plain(const struct pam_entry *entry) {
        static const char *const plain[] = {"", "pam_deny.so", "pam_nologin.so", "pam_permit.so", UNIX, NULL};

        return is_one_of(entry, plain);
}

/* Whether something that this module returns ends the stack, or skips others, so that they do not count. */
static bool may_end_it(const struct pam_entry *entry) {
        for (size_t i = 0; i < PAM_RETURN_VALUES; i++)
                if (entry->action[i] == PAM_ACTION_DONE || entry->action[i] > 0)
                        return true;
        return false;
}

static bool may_reset(const struct pam_stack *stack, size_t from) {
        for (size_t i = from; i < stack->n; i++)
                for (size_t j = 0; j < PAM_RETURN_VALUES; j++)
                        if (stack->entry[i].action[j] == PAM_ACTION_RESET)
                                return true;
        return false;
}

/* _pam_dispatch_aux() in libpam/pam_dispatch.c. */
bool pam_stack_heeds(const struct pam_stack *stack, int code) {
        for (size_t i = 0; i < stack->n; i++) {
                const struct pam_entry *entry = &stack->entry[i], *next = i + 1 < stack->n ? entry + 1 : NULL;

                if (strcmp(entry->module, UNIX) != 0) {
                        if (may_end_it(entry))
                                return false;
                        continue;
                }
                if (entry->action[code] > 0 || may_reset(stack, i))
                        return false;
                if (entry->action[code] != PAM_ACTION_IGNORE)
                        return true;
                /* As Debian has it: when none of the modules above has succeeded, pam_deny comes next. */
                return next && strcmp(next->module, "pam_deny.so") == 0 &&
                       (next->action[PAM_AUTH_ERR] == PAM_ACTION_BAD || next->action[PAM_AUTH_ERR] == PAM_ACTION_DIE);
        }
        return false;
}
