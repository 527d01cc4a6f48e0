/* SPDX-License-Identifier: Apache-2.0 */
/* Paths, and lists. */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/session.h"
#include "exc/api.h"

enum { PAGES_MAX = 1000 }; /* 100,000 items, as the API cuts lists */

/* Appends `text`, percent-encoded, behind `before`. */
static bool append(char **path, const char *before, const char *text) {
        static const char plain[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._~";
        size_t used = *path ? strlen(*path) : 0;
        char *longer = realloc(*path, used + strlen(before) + 3 * strlen(text) + 1);

        if (!longer)
                return false;
        *path = longer;
        used += (size_t)sprintf(longer + used, "%s", before);
        for (; *text; text++)
                if (strchr(plain, *text))
                        longer[used++] = *text;
                else
                        used += (size_t)sprintf(longer + used, "%%%02X", (unsigned char)*text);
        longer[used] = '\0';
        return true;
}

char *api_path(const char *segment, ...) {
        char *path = NULL;
        va_list segments;
        bool ok = true;

        va_start(segments, segment);
        for (; ok && segment; segment = va_arg(segments, const char *))
                ok = *segment && strcmp(segment, ".") != 0 && strcmp(segment, "..") != 0 && append(&path, "/", segment);
        va_end(segments);
        if (ok)
                return path;
        free(path);
        return NULL;
}

char *api_path_query(char *path, const char *name, const char *value) {
        char before[64];

        if (path) {
                (void)snprintf(before, sizeof(before), "%c%s=", strchr(path, '?') ? '&' : '?', name);
                if (append(&path, before, value))
                        return path;
        }
        free(path);
        return NULL;
}

/* Adds the items of one page; `ret_next`: the cursor of the next, which the caller frees, or NULL. */
static bool take_page(json_t *all, const struct api_answer *answer, char **ret_next) {
        json_t *items = json_object_get(answer->body, "items");
        const char *next = json_string_value(json_object_get(answer->body, "next"));

        *ret_next = NULL;
        if (!json_is_array(items) || json_array_extend(all, items) < 0)
                return false;
        if (next && json_array_size(items) > 0) {
                *ret_next = strdup(next);
                return *ret_next;
        }
        return true;
}

json_t *api_list(struct api *api, char *path, struct api_answer *ret) {
        int64_t until_ns = session_now_ns() + 2 * api_deadline(api) * INT64_C(1000000);
        json_t *all = json_array();
        unsigned pages = 0;
        char *next = NULL;
        bool ok;

        do {
                char *page = path ? strdup(path) : NULL;

                if (page && next)
                        page = api_path_query(page, "cursor", next);
                free(next);
                next = NULL;
                ok = api_call(api, "GET", page, NULL, ret);
                free(page);
                if (ok && !take_page(all, ret, &next)) {
                        ok = false;
                        ret->end = API_FOREIGN;
                        (void)snprintf(ret->message, sizeof(ret->message), "the answer is not a list");
                }
                if (ok)
                        api_answer_clear(ret);
                if (ok && next && (++pages == PAGES_MAX || session_now_ns() > until_ns)) {
                        ok = false;
                        *ret = (struct api_answer){.end = API_TIMED_OUT, .message = "the list has no end"};
                }
        } while (ok && next);
        free(next);
        free(path);
        if (ok)
                return all;
        json_decref(all);
        return NULL;
}
