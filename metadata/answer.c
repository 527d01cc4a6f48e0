/* SPDX-License-Identifier: Apache-2.0 */
#include "metadata/answer.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

__attribute__((format(printf, 2, 3))) static bool wrong(char ret_why[static ANSWER_WHY_MAX], const char *format, ...) {
        va_list arguments;

        va_start(arguments, format);
        (void)vsnprintf(ret_why, ANSWER_WHY_MAX, format, arguments);
        va_end(arguments);
        return false;
}

/* --- lines -------------------------------------------------------------------------------------------------------- */

struct lines {
        struct bytes from;
        unsigned number; /* of the last one, from 1 */
};

/* The next line, without its end. False at the end. */
static bool next_line(struct lines *lines, struct bytes *ret) {
        const uint8_t *end;
        uint8_t newline;

        if (lines->from.left == 0)
                return false;
        end = memchr(lines->from.at, '\n', lines->from.left);
        (void)bytes_slice(&lines->from, end ? (size_t)(end - lines->from.at) : lines->from.left, ret);
        if (end)
                (void)bytes_u8(&lines->from, &newline);
        if (ret->left > 0 && ret->at[ret->left - 1] == '\r')
                ret->left--;
        lines->number++;
        return true;
}

static bool is_name(struct bytes text) {
        for (size_t i = 0; i < text.left; i++)
                if (text.at[i] <= ' ' || text.at[i] > '~')
                        return false;
        return text.left > 0;
}

/* One line, and nothing after it. */
static bool only_line(const char *body, size_t length, struct bytes *ret) {
        struct lines lines = {.from = {(const uint8_t *)body, length}};
        struct bytes more;

        return next_line(&lines, ret) && is_name(*ret) && !next_line(&lines, &more);
}

/* --- lists -------------------------------------------------------------------------------------------------------- */

static bool is_text(struct bytes line, const char *text) {
        return bytes_equal(line, text, strlen(text));
}

/* As the names of files, with a slash behind those of directories. */
static bool is_list_name(struct bytes line) {
        static const char other[] = "-_.";

        for (size_t i = 0; i < line.left; i++) {
                uint8_t c = line.at[i];

                if (!((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                      memchr(other, c, sizeof(other) - 1) || (c == '/' && i > 0 && i == line.left - 1)))
                        return false;
        }
        return line.left > 0;
}

bool answer_take_list(const char *body, size_t length, bool *ret_keys, char ret_why[static ANSWER_WHY_MAX]) {
        struct lines lines = {.from = {(const uint8_t *)body, length}};
        bool keys = false, id = false;
        struct bytes line;

        while (next_line(&lines, &line)) {
                if (line.left > 0 && !is_list_name(line))
                        return wrong(ret_why, "line %u: expected a name of the list", lines.number);
                keys = keys || is_text(line, "public-keys/") || is_text(line, "public-keys");
                id = id || is_text(line, "instance-id");
        }
        if (!id)
                return wrong(ret_why, "no instance-id is in the list, so it is not one of a metadata service");
        *ret_keys = keys;
        return true;
}

static bool take_number(struct bytes *line, unsigned *ret) {
        unsigned number = 0;
        size_t digits = 0;
        uint8_t c = 0;

        while (bytes_u8(line, &c) && c >= '0' && c <= '9') {
                if (digits++ > 0 && number == 0)
                        return false;
                number = number * 10 + (unsigned)(c - '0');
                if (number > ANSWER_INDEX_MAX)
                        return false;
        }
        *ret = number;
        return digits > 0 && c == '=';
}

bool answer_take_index(const char *body, size_t length, struct answer_index *ret, char ret_why[static ANSWER_WHY_MAX]) {
        struct lines lines = {.from = {(const uint8_t *)body, length}};
        struct bytes line;
        unsigned number;

        ret->n = 0;
        while (next_line(&lines, &line)) {
                if (!is_name(line) || !take_number(&line, &number))
                        return wrong(ret_why, "line %u: expected NUMBER=NAME", lines.number);
                for (size_t i = 0; i < ret->n; i++)
                        if (ret->number[i] == number)
                                return wrong(ret_why, "line %u: the same number as before", lines.number);
                if (ret->n == ANSWER_KEYS_MAX)
                        return wrong(ret_why, "more than %d keys", ANSWER_KEYS_MAX);
                ret->number[ret->n++] = number;
        }
        return true;
}

/* --- keys --------------------------------------------------------------------------------------------------------- */

static bool is_blank(uint8_t c) {
        return c == ' ' || c == '\t';
}

static struct bytes trim(struct bytes line) {
        uint8_t blank;

        while (line.left > 0 && is_blank(line.at[0]))
                (void)bytes_u8(&line, &blank);
        while (line.left > 0 && is_blank(line.at[line.left - 1]))
                line.left--;
        return line;
}

/* The type and the base64, without what is behind the second blank. */
static struct bytes without_comment(struct bytes line) {
        size_t blanks = 0;

        for (size_t i = 0; i < line.left; i++)
                if (is_blank(line.at[i]) && ++blanks == 2)
                        return (struct bytes){line.at, i};
        return line;
}

/* A type that is not known, and what begins as the blob of each key does: its first length is below 2^18. */
static bool looks_like_key(struct bytes line) {
        static const char blob[] = "AAAA";
        size_t n = 0;

        while (n < line.left && ((line.at[n] >= 'a' && line.at[n] <= 'z') || (line.at[n] >= '0' && line.at[n] <= '9') ||
                                 memchr("-@.", line.at[n], 3)))
                n++;
        return n > 0 && line.left > n + sizeof(blob) - 1 && line.at[n] == ' ' &&
               memcmp(line.at + n + 1, blob, sizeof(blob) - 1) == 0;
}

static enum ssh_key_fault parse_line(struct bytes line, struct ssh_key *ret) {
        struct bytes key = without_comment(line);
        enum ssh_key_fault fault = ssh_key_from_text((const char *)key.at, key.left, ret);
        struct ssh_key ignored;

        /* Options may have blanks. */
        if (fault == SSH_KEY_FAULT_TYPE &&
            ssh_key_from_text((const char *)line.at, line.left, &ignored) == SSH_KEY_FAULT_OPTIONS)
                return SSH_KEY_FAULT_OPTIONS;
        return fault;
}

static bool is_known(const struct answer_keys *keys, const struct ssh_key *key) {
        for (size_t i = 0; i < keys->n; i++)
                if (keys->key[i].blob_length == key->blob_length &&
                    memcmp(keys->key[i].blob, key->blob, key->blob_length) == 0)
                        return true;
        return false;
}

static bool add_line(struct bytes line, unsigned number, struct answer_keys *keys,
                     char ret_why[static ANSWER_WHY_MAX]) {
        struct ssh_key key;
        enum ssh_key_fault fault = parse_line(line, &key);

        if (fault == SSH_KEY_OK) {
                if (is_known(keys, &key))
                        return true;
                if (keys->n == ANSWER_KEYS_MAX)
                        return wrong(ret_why, "more than %d keys", ANSWER_KEYS_MAX);
                keys->key[keys->n++] = key;
                return true;
        }
        if (fault == SSH_KEY_FAULT_EMPTY || fault == SSH_KEY_FAULT_CONTROL || fault == SSH_KEY_FAULT_FORM ||
            (fault == SSH_KEY_FAULT_TYPE && !looks_like_key(line)))
                return wrong(ret_why, "line %u: expected a public key", number);
        if (keys->n_left_out++ == 0)
                keys->left_out = fault;
        return true;
}

bool answer_take_keys(const char *body, size_t length, struct answer_keys *keys, char ret_why[static ANSWER_WHY_MAX]) {
        struct lines lines = {.from = {(const uint8_t *)body, length}};
        struct bytes line;

        while (next_line(&lines, &line)) {
                line = trim(line);
                if (line.left > 0 && !add_line(line, lines.number, keys, ret_why))
                        return false;
        }
        return true;
}

/* --- a token, an id ----------------------------------------------------------------------------------------------- */

bool answer_take_token(const char *body, size_t length, char ret[static HTTP_TOKEN_MAX],
                       char ret_why[static ANSWER_WHY_MAX]) {
        struct bytes line;

        if (!only_line(body, length, &line) || !bytes_to_text(line, ret, HTTP_TOKEN_MAX))
                return wrong(ret_why, "expected 1..%d printable ASCII characters without blanks", HTTP_TOKEN_MAX - 1);
        return true;
}

bool answer_take_instance_id(enum metadata_format format, const char *body, size_t length,
                             char ret[static METADATA_INSTANCE_ID_MAX], char ret_why[static ANSWER_WHY_MAX]) {
        char id[METADATA_INSTANCE_ID_MAX];
        struct bytes line;

        if (!only_line(body, length, &line) || !bytes_to_text(line, id, sizeof(id)) ||
            !metadata_instance_id_valid(format, id))
                return wrong(ret_why, "expected %s",
                             format == METADATA_EC2 ? "i- and 8 to 32 hexadecimal digits" : "a UUID, or i-N-N-VM");
        memcpy(ret, id, sizeof(id));
        return true;
}
