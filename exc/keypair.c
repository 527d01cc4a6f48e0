/* SPDX-License-Identifier: Apache-2.0 */
/* exc compute keypair: create, import, list, show, delete. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "cli/key_file.h"
#include "cli/output.h"
#include "exc/request.h"

static const struct column columns[] = {
        {"name", "NAME", "Name"},
        {"type", "TYPE", "Type"},
        {"fingerprint", "FINGERPRINT", "Fingerprint"},
        {"fingerprint_md5", NULL, "MD5"},
        {"public_key", NULL, "Public key"},
        {"created_at", "CREATED", "Created"},
};
enum { COLUMNS = sizeof(columns) / sizeof(columns[0]) };

static struct request request(const char *method, const char *name, json_t *body, char object[static 128]) {
        if (name)
                (void)snprintf(object, 128, "key pair %.100s", name);
        return (struct request){
                .method = method,
                .path = name && !body ? api_path("compute", "keypair", name, NULL)
                                      : api_path("compute", "keypair", NULL),
                .body = body,
                .about = {.object = name ? object : NULL},
        };
}

/* --- create -------------------------------------------------------------------------------------------------------- */

/* The file is there before the pair is: a private half that cannot be stored would be lost. */
static int create_file(const char *path, int *ret) {
        *ret = open(path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
        if (*ret >= 0)
                return EXIT_DONE;
        if (errno == EEXIST)
                complain("%s: it exists, and is not overwritten; name another file with --file", path);
        else
                complain("%s: cannot make it: %s; name another file with --file", path, strerror(errno));
        return EXIT_OWN_FAILURE;
}

static int write_all(int fd, const char *path, const char *text) {
        size_t left = strlen(text);

        while (left > 0) {
                ssize_t n = write(fd, text, left);

                if (n < 0 && errno == EINTR)
                        continue;
                if (n < 0) {
                        complain("%s: cannot write the private half: %s; delete the pair, and create it again", path,
                                 strerror(errno));
                        return EXIT_OWN_FAILURE;
                }
                text += n;
                left -= (size_t)n;
        }
        if (fsync(fd) < 0 && errno != EINVAL) {
                complain("%s: cannot write the private half: %s; delete the pair, and create it again", path,
                         strerror(errno));
                return EXIT_OWN_FAILURE;
        }
        return EXIT_DONE;
}

static int store_private_half(const struct options *options, int fd, const char *path, json_t *pair) {
        const char *text = text_or(pair, "private_key", NULL);
        int status;

        if (!text) {
                complain("the answer has no private half; see: exc compute keypair show --help");
                return EXIT_NOT_REACHED;
        }
        status = write_all(fd, path, text);
        if (status != EXIT_DONE)
                return status;
        (void)json_object_del(pair, "private_key");
        if (options->json)
                (void)json_object_set_new(pair, "file", json_string(path));
        status = request_print(options, pair, columns, COLUMNS);
        if (!options->json)
                print_field("Private key", "%s", path);
        return status;
}

static int create(const struct cli_line *line, const void *context) {
        const struct options *options = context;
        const char *name = line->arguments[0], *path = options->file ? options->file : name;
        char object[128];
        json_t *pair = NULL;
        int fd, status;

        status = create_file(path, &fd);
        if (status != EXIT_DONE)
                return status;
        {
                const struct request asked = request(
                        "POST", name,
                        json_pack("{ss ss}", "name", name, "type", options->type ? options->type : "ed25519"), object);

                status = request_send(options, &asked, &pair);
        }
        if (status == EXIT_DONE)
                status = store_private_half(options, fd, path, pair);
        else
                (void)unlink(path);
        (void)close(fd);
        json_decref(pair);
        return status;
}

/* --- the others ---------------------------------------------------------------------------------------------------- */

static int import(const struct cli_line *line, const void *context) {
        const struct options *options = context;
        struct key_list keys = {.n = 0};
        char why[KEY_FILE_WHY_MAX], key[SSH_KEY_TEXT_MAX], object[128];
        struct request asked;

        if (!key_file_read_path(options->public_key, &keys, why)) {
                complain("%s", why);
                return EXIT_USAGE;
        }
        if (keys.n != 1) {
                complain("%s: it has %zu keys: give a file with one", options->public_key, keys.n);
                return EXIT_USAGE;
        }
        ssh_key_to_text(&keys.at[0].key, key);
        asked = request("POST", line->arguments[0], json_pack("{ss ss}", "name", line->arguments[0], "public_key", key),
                        object);
        return request_show(options, &asked, columns, COLUMNS);
}

static int list(const struct cli_line *line, const void *context) {
        (void)line;
        return request_list(context, api_path("compute", "keypair", NULL), columns, COLUMNS);
}

static int show(const struct cli_line *line, const void *context) {
        char object[128];
        const struct request asked = request("GET", line->arguments[0], NULL, object);

        return request_show(context, &asked, columns, COLUMNS);
}

/* Deleting revokes the key on the instances that name it. */
static int print_instances(const struct options *options, const json_t *answer) {
        json_t *instances = json_object_get(answer, "instances"), *value;
        size_t i;

        if (options->json)
                return print_json(answer);
        json_array_foreach(instances, i, value)
                print_field("Revoked on", "%s (%s)", text_or(value, "id", "?"), text_or(value, "outcome", "?"));
        return EXIT_DONE;
}

static int delete(const struct cli_line *line, const void *context) {
        char object[128];
        const struct request asked = request("DELETE", line->arguments[0], NULL, object);
        json_t *answer = NULL;
        int status = request_send(context, &asked, &answer);

        if (status == EXIT_DONE)
                status = print_instances(context, answer);
        json_decref(answer);
        return status;
}

static bool take_type(const struct cli_option *option, const char *text, void *member) {
        (void)option;
        *(const char **)member = text;
        return strcmp(text, "ed25519") == 0 || strcmp(text, "rsa") == 0;
}

static const struct cli_option create_options[] = {
        {.name = "type",
         .value = "TYPE",
         .take = take_type,
         .offset = offsetof(struct options, type),
         .expected = "ed25519 or rsa",
         .completes = "ed25519 rsa",
         .help = "ed25519 (default) or rsa"},
        {.name = "file",
         .value = "FILE",
         .take = cli_take_text,
         .offset = offsetof(struct options, file),
         .flags = CLI_BYTES,
         .completes = "files",
         .help = "where the private half is written; default: NAME, here"},
        {.name = NULL},
};
static const struct cli_option import_options[] = {
        {.name = "public-key",
         .value = "FILE",
         .take = cli_take_text,
         .offset = offsetof(struct options, public_key),
         .flags = CLI_NEEDED | CLI_BYTES,
         .completes = "files",
         .help = "a file with one public key, - for standard input"},
        {.name = NULL},
};

const struct cli_command keypair_create_command = {
        .words = "compute keypair create",
        .arguments = "NAME",
        .summary = "make a key pair; the private half is in a new file, and nowhere else",
        .least = 1,
        .most = 1,
        .tables = {create_options},
        .run = create,
};
const struct cli_command keypair_import_command = {
        .words = "compute keypair import",
        .arguments = "NAME",
        .summary = "register the public half of a key pair of your own",
        .least = 1,
        .most = 1,
        .tables = {import_options},
        .run = import,
};
const struct cli_command keypair_list_command = {
        .words = "compute keypair list",
        .summary = "list your key pairs",
        .run = list,
};
const struct cli_command keypair_show_command = {
        .words = "compute keypair show",
        .arguments = "NAME",
        .summary = "show a key pair",
        .least = 1,
        .most = 1,
        .run = show,
};
const struct cli_command keypair_delete_command = {
        .words = "compute keypair delete",
        .arguments = "NAME",
        .summary = "delete a key pair, and revoke it on the VMs that name it",
        .least = 1,
        .most = 1,
        .run = delete,
};
