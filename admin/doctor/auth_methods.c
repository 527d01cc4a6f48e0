/* SPDX-License-Identifier: Apache-2.0 */
#include "admin/doctor/auth_methods.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "admin/sshd/sshd.h"

#define KEY "publickey"

/* What is said of so many lists that they have no room. */
#define TOO_MUCH "what it lists"

static bool is_kbdint(const char *method) {
        return strncmp(method, "keyboard-interactive", strlen("keyboard-interactive")) == 0;
}

/* sshd leaves out a list with a method that is off (auth2.c, auth2_setup_methods_lists()). */
static const char *off_by_keyword(const char *effective, const char *method) {
        static const struct {
                const char *method, *setting, *why;
        } switches[] = {
                {"password", "passwordauthentication", "PasswordAuthentication is no"},
                {"keyboard-interactive", "kbdinteractiveauthentication", "KbdInteractiveAuthentication is no"},
                {"hostbased", "hostbasedauthentication", "HostbasedAuthentication is no"},
                {"gssapi-", "gssapiauthentication", "GSSAPIAuthentication is no"},
        };

        for (size_t i = 0; i < sizeof(switches) / sizeof(switches[0]); i++)
                if (strncmp(method, switches[i].method, strlen(switches[i].method)) == 0 &&
                    sshd_setting_is(effective, switches[i].setting, "no"))
                        return switches[i].why;
        return NULL;
}

/* auth.c, auth_root_allowed(): root is asked for the method, and refused whatever the answer is. */
static const char *off_for_root(const char *effective, const char *method) {
        if (strcmp(method, KEY) == 0 || strcmp(method, "hostbased") == 0 || strcmp(method, "gssapi-with-mic") == 0)
                return NULL;
        if (sshd_setting_is(effective, "permitrootlogin", "without-password") ||
            sshd_setting_is(effective, "permitrootlogin", "prohibit-password"))
                return "PermitRootLogin is prohibit-password";
        return NULL;
}

/* The setting by which `method` cannot be used, or NULL. */
static const char *why_off(const char *effective, bool root, const char *method) {
        const char *off = off_by_keyword(effective, method);

        /* On Linux PAM alone asks questions. */
        if (!off && is_kbdint(method) && sshd_setting_is(effective, "usepam", "no"))
                off = "UsePAM is no";
        return !off && root ? off_for_root(effective, method) : off;
}

static bool append(char text[static AUTH_METHODS_TEXT_MAX], const char *between, const char *more) {
        size_t n = strlen(text);
        int r = snprintf(text + n, AUTH_METHODS_TEXT_MAX - n, "%s%s", n > 0 ? between : "", more);

        return r >= 0 && (size_t)r < AUTH_METHODS_TEXT_MAX - n;
}

/* sshd takes no key twice (auth2-pubkey.c). */
static bool append_keys(char text[static AUTH_METHODS_TEXT_MAX], unsigned others) {
        char keys[32] = "another key";

        if (others > 1)
                (void)snprintf(keys, sizeof(keys), "%u other keys", others);
        return others == 0 || append(text, " and ", keys);
}

/* One list, which is changed. `ret`: as auth_methods_judge() has it. */
static enum auth_methods judge_list(const char *effective, bool root, char *list,
                                    char ret[static AUTH_METHODS_TEXT_MAX]) {
        const char *off = NULL;
        bool whole = true;
        unsigned keys = 0;
        char *save = NULL;

        ret[0] = '\0';
        for (char *method = strtok_r(list, ",", &save); method; method = strtok_r(NULL, ",", &save)) {
                if (strcmp(method, KEY) == 0) {
                        keys++;
                        continue;
                }
                if (!off)
                        off = why_off(effective, root, method);
                whole = append(ret, " and ", method) && whole;
        }
        if (keys == 0)
                return AUTH_METHODS_NO_KEY;
        if (off) {
                (void)snprintf(ret, AUTH_METHODS_TEXT_MAX, "%s", off);
                return AUTH_METHODS_OFF;
        }
        if (!append_keys(ret, keys - 1) || !whole)
                (void)snprintf(ret, AUTH_METHODS_TEXT_MAX, "%s", TOO_MUCH);
        return ret[0] ? AUTH_METHODS_MORE : AUTH_METHODS_KEY;
}

/* Whether `all`, alternatives with ", or " between them, has `one`. */
static bool has(const char *all, const char *one) {
        for (const char *at = all; (at = strstr(at, one)); at++) {
                const char *end = at + strlen(one);

                if ((at == all || (at - all > 5 && strncmp(at - 5, ", or ", 5) == 0)) &&
                    (*end == '\0' || strncmp(end, ", or ", 5) == 0))
                        return true;
        }
        return false;
}

/* `lists`, which are changed. */
static enum auth_methods judge_lists(const char *effective, bool root, char *lists,
                                     char ret[static AUTH_METHODS_TEXT_MAX]) {
        char one[AUTH_METHODS_TEXT_MAX], off[AUTH_METHODS_TEXT_MAX] = "";
        enum auth_methods best = AUTH_METHODS_NO_KEY;
        bool whole = true;
        char *save = NULL;

        ret[0] = '\0';
        for (char *list = strtok_r(lists, " ", &save); list; list = strtok_r(NULL, " ", &save)) {
                switch (judge_list(effective, root, list, one)) {
                case AUTH_METHODS_KEY:
                        ret[0] = '\0';
                        return AUTH_METHODS_KEY;
                case AUTH_METHODS_MORE:
                        best = AUTH_METHODS_MORE;
                        if (!has(ret, one))
                                whole = append(ret, ", or ", one) && whole;
                        break;
                case AUTH_METHODS_OFF:
                        if (best == AUTH_METHODS_NO_KEY) {
                                best = AUTH_METHODS_OFF;
                                (void)snprintf(off, sizeof(off), "%s", one);
                        }
                        break;
                case AUTH_METHODS_NO_KEY:
                        break;
                }
        }
        if (best == AUTH_METHODS_OFF || !whole)
                (void)snprintf(ret, AUTH_METHODS_TEXT_MAX, "%s", whole ? off : TOO_MUCH);
        return best;
}

int auth_methods_judge(const char *effective, bool root, char ret[static AUTH_METHODS_TEXT_MAX]) {
        size_t size = strlen(effective) + 1;
        char *lists = malloc(size);
        int r = AUTH_METHODS_KEY;

        if (!lists)
                return -ENOMEM;
        ret[0] = '\0';
        if (sshd_setting(effective, "authenticationmethods", 0, lists, size) && strcmp(lists, "any") != 0)
                r = (int)judge_lists(effective, root, lists, ret);
        free(lists);
        return r;
}
