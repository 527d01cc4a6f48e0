/* SPDX-License-Identifier: Apache-2.0 */
#include "exc/request.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/output.h"
#include "cli/table.h"

enum { CELL_MAX = 1024 };

static int call(const struct options *options, struct api *api, const struct request *request, json_t **ret) {
        struct api_answer answer;
        int status = EXIT_DONE;

        if (api_call(api, request->method, request->path, json_incref(request->body), &answer))
                *ret = json_incref(answer.body);
        else
                status = problem_report(options, api, &answer, &request->about);
        api_answer_clear(&answer);
        return status;
}

int request_send(const struct options *options, const struct request *request, json_t **ret) {
        struct api *api;
        int status = api_open(options, &api);

        if (status == EXIT_DONE) {
                status = call(options, api, request, ret);
                api_close(api);
        }
        free(request->path);
        json_decref(request->body);
        return status;
}

static int send_vm(const struct options *options, struct api *api, struct target *target, const char *method,
                   const char *tail, json_t *body, json_t **ret) {
        int status = target_prepare(api, options, target);
        struct api_answer answer;
        bool ok;

        if (status != EXIT_DONE)
                return status;
        do {
                char *path = api_path("compute", "instance", target->vm, tail, NULL);

                ok = api_call(api, method, path, json_incref(body), &answer);
                free(path);
        } while (!ok && target_is_name(api, target, &answer));
        if (ok)
                *ret = json_incref(answer.body);
        else
                status = target_report(options, api, target, &answer);
        api_answer_clear(&answer);
        return status;
}

int request_vm(const struct options *options, struct target *target, const char *method, const char *tail, json_t *body,
               json_t **ret) {
        struct api *api;
        int status = api_open(options, &api);

        if (status == EXIT_DONE) {
                status = send_vm(options, api, target, method, tail, body, ret);
                api_close(api);
        }
        json_decref(body);
        return status;
}

/* --- printing ------------------------------------------------------------------------------------------------------ */

static const json_t *member(const json_t *object, const char *name) {
        const char *dot = strchr(name, '.');
        char first[64];

        if (!dot)
                return json_object_get(object, name);
        (void)snprintf(first, sizeof(first), "%.*s", (int)(dot - name), name);
        return json_object_get(json_object_get(object, first), dot + 1);
}

/* "" for null and what is absent. */
static void cell_text(const json_t *value, char ret[static CELL_MAX]) {
        size_t used = 0;

        ret[0] = '\0';
        if (json_is_string(value))
                (void)snprintf(ret, CELL_MAX, "%s", json_string_value(value));
        else if (json_is_integer(value))
                (void)snprintf(ret, CELL_MAX, "%" JSON_INTEGER_FORMAT, json_integer_value(value));
        else if (json_is_boolean(value))
                (void)snprintf(ret, CELL_MAX, "%s", json_is_true(value) ? "yes" : "no");
        for (size_t i = 0; i < json_array_size(value) && used < CELL_MAX; i++) {
                const char *text = json_string_value(json_array_get(value, i));

                used += (size_t)snprintf(ret + used, CELL_MAX - used, "%s%s", i > 0 ? ", " : "", text ? text : "?");
        }
}

int request_print(const struct options *options, const json_t *object, const struct column *columns, size_t n) {
        char text[CELL_MAX];

        if (options->json)
                return print_json(object);
        for (size_t i = 0; i < n; i++) {
                cell_text(member(object, columns[i].member), text);
                if (columns[i].field && *text)
                        print_field(columns[i].field, "%s", text);
        }
        return EXIT_DONE;
}

int request_show(const struct options *options, const struct request *request, const struct column *columns, size_t n) {
        json_t *object = NULL;
        int status = request_send(options, request, &object);

        if (status == EXIT_DONE)
                status = request_print(options, object, columns, n);
        json_decref(object);
        return status;
}

static int print_table(const json_t *items, const struct column *columns, size_t n) {
        const char *headings[TABLE_COLUMNS_MAX], *cells[TABLE_COLUMNS_MAX];
        char texts[TABLE_COLUMNS_MAX][CELL_MAX];
        struct table table = {.headings = headings};
        int status = EXIT_DONE;

        for (size_t i = 0; i < n; i++)
                if (columns[i].heading)
                        headings[table.columns++] = columns[i].heading;
        for (size_t row = 0; row < json_array_size(items) && status == EXIT_DONE; row++) {
                for (size_t i = 0, cell = 0; i < n; i++) {
                        if (!columns[i].heading)
                                continue;
                        cell_text(member(json_array_get(items, row), columns[i].member), texts[cell]);
                        cells[cell] = texts[cell];
                        cell++;
                }
                if (!table_add(&table, cells)) {
                        complain("out of memory");
                        status = EXIT_OWN_FAILURE;
                }
        }
        if (json_array_size(items) == 0)
                (void)fputs("None that you may see\n", stderr); /* a program that reads the table finds no line */
        table_print(&table);
        return status;
}

int request_list(const struct options *options, char *path, const struct column *columns, size_t n) {
        const struct problem_about about = {.vm = NULL};
        struct api_answer answer;
        json_t *items;
        struct api *api;
        int status = api_open(options, &api);

        if (status != EXIT_DONE) {
                free(path);
                return status;
        }
        items = api_list(api, path, &answer);
        if (!items) {
                status = problem_report(options, api, &answer, &about);
                api_answer_clear(&answer);
        } else
                status = options->json ? print_json(items) : print_table(items, columns, n);
        json_decref(items);
        api_close(api);
        return status;
}
