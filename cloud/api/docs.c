/* SPDX-License-Identifier: Apache-2.0 */
#include "cloud/api/docs.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cloud/api/api.h"
#include "cloud/api/handlers.h"

#define INDEX "index.html"

static const struct {
        const char *name, *type;
} names[] = {
        {INDEX, "text/html; charset=utf-8"},
        {"init.js", "text/javascript; charset=utf-8"},
        {"page.css", "text/css; charset=utf-8"},
        {"swagger-ui-bundle.js", "text/javascript; charset=utf-8"},
        {"swagger-ui.css", "text/css; charset=utf-8"},
        {"favicon-32x32.png", "image/png"},
        {"LICENSE", "text/plain; charset=utf-8"},
        {"NOTICE", "text/plain; charset=utf-8"},
        {"swagger-ui-bundle.js.LICENSE.txt", "text/plain; charset=utf-8"},
};

enum { N_FILES = sizeof(names) / sizeof(names[0]) };

struct docs {
        struct docs_file file[N_FILES];
};

/* --- at the start --------------------------------------------------------------------------------------------------- */

static int read_all(int fd, char *data, size_t length) {
        for (size_t done = 0; done < length;) {
                ssize_t n = read(fd, data + done, length - done);

                if (n < 0 && errno == EINTR)
                        continue;
                if (n <= 0)
                        return n < 0 ? -errno : -EIO; /* it became shorter */
                done += (size_t)n;
        }
        return 0;
}

static int read_file(int fd, struct docs_file *file) {
        struct stat st;

        if (fstat(fd, &st) < 0)
                return -errno;
        if (!S_ISREG(st.st_mode))
                return -EINVAL;
        if (st.st_size > DOCS_FILE_MAX)
                return -EFBIG;
        file->length = (size_t)st.st_size;
        file->data = malloc(file->length + 1); /* malloc(0) may be NULL */
        if (!file->data)
                return -ENOMEM;
        return read_all(fd, file->data, file->length);
}

static int load_file(int directory, struct docs_file *file) {
        int fd = openat(directory, file->name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK), r;

        if (fd < 0)
                return -errno;
        r = read_file(fd, file);
        (void)close(fd);
        return r;
}

static int load_files(int directory, struct docs *docs, const char **ret_name) {
        for (size_t i = 0; i < N_FILES; i++) {
                int r;

                docs->file[i] = (struct docs_file){.name = names[i].name, .type = names[i].type};
                r = load_file(directory, &docs->file[i]);
                if (r < 0) {
                        *ret_name = names[i].name;
                        return r == -ENOENT ? -ENODATA : r; /* the directory is there */
                }
        }
        return 0;
}

int docs_load(const char *directory, struct docs **ret, const char **ret_name) {
        int fd = open(directory, O_PATH | O_DIRECTORY | O_CLOEXEC), r;
        struct docs *docs;

        *ret_name = "";
        if (fd < 0)
                return -errno;
        docs = calloc(1, sizeof(*docs));
        r = docs ? load_files(fd, docs, ret_name) : -ENOMEM;
        (void)close(fd);
        if (r < 0)
                docs_free(docs);
        else
                *ret = docs;
        return r;
}

void docs_free(struct docs *docs) {
        for (size_t i = 0; docs && i < N_FILES; i++)
                free(docs->file[i].data);
        free(docs);
}

/* --- requests ------------------------------------------------------------------------------------------------------- */

const struct docs_file *docs_find(const struct docs *docs, const char *name) {
        for (size_t i = 0; docs && i < N_FILES; i++)
                if (strcmp(docs->file[i].name, name) == 0)
                        return &docs->file[i];
        return NULL;
}

static void answer(struct request *request, const char *name) {
        const struct docs_file *file = docs_find(request->api->docs, name);

        if (file)
                request_answer_file(request, file);
        else if (request->api->docs)
                (void)request_refuse(request, API_ERROR_NOT_FOUND, "there is no such file; see /docs");
        else
                (void)request_refuse(request, API_ERROR_NOT_FOUND,
                                     "this server has no page for its API; see /openapi.json, and DocsDirectory in "
                                     "exc-compute-api.conf(5)");
}

void docs_get(struct request *request) {
        answer(request, INDEX);
}

void docs_file_get(struct request *request) {
        answer(request, request->target.segment[1]);
}
