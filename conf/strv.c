/* SPDX-License-Identifier: Apache-2.0 */
#include "conf/strv.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

int strv_add(struct strv *strv, const char *text) {
        if (strv->n == strv->room) {
                size_t room = strv->room > 0 ? strv->room * 2 : 8;
                char **larger = reallocarray(strv->item, room, sizeof(*larger));

                if (!larger)
                        return -ENOMEM;
                strv->item = larger;
                strv->room = room;
        }
        strv->item[strv->n] = strdup(text);
        if (!strv->item[strv->n])
                return -ENOMEM;
        strv->n++;
        return 0;
}

static int compare(const void *a, const void *b) {
        return strcmp(*(char *const *)a, *(char *const *)b);
}

void strv_sort(struct strv *strv) {
        if (strv->n > 1)
                qsort(strv->item, strv->n, sizeof(*strv->item), compare);
}

bool strv_contains(const struct strv *strv, const char *text) {
        return strv->n > 0 && bsearch(&text, strv->item, strv->n, sizeof(*strv->item), compare);
}

void strv_clear(struct strv *strv) {
        for (size_t i = 0; i < strv->n; i++)
                free(strv->item[i]);
        free(strv->item);
        *strv = (struct strv){.n = 0};
}
