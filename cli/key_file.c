/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/key_file.h"

#include <errno.h>
#include <string.h>

#include "common/bytes.h"

static bool blank(uint8_t c) {
        return c == ' ' || c == '\t' || c == '\r';
}

/* The next word of a line; an empty one at its end. */
static struct bytes next_word(struct bytes *line) {
        struct bytes word;
        size_t n = 0;

        while (line->left > 0 && blank(*line->at))
                (void)bytes_slice(line, 1, &word);
        while (n < line->left && !blank(line->at[n]))
                n++;
        (void)bytes_slice(line, n, &word);
        return word;
}

static bool begins_with(struct bytes word, const char *prefix) {
        size_t n = strlen(prefix);

        return word.left >= n && memcmp(word.at, prefix, n) == 0;
}

/* Whether a word is meant as a key's type: certificates and types that nobody takes any more included. */
static bool names_type(struct bytes word) {
        return begins_with(word, "ssh-") || begins_with(word, "ecdsa-") || begins_with(word, "sk-");
}

/* Takes `line`, which is not blank, for a key. NULL, or what is wrong with it. */
static const char *parse_line(struct bytes line, struct ssh_key *ret) {
        struct bytes type = next_word(&line), base64 = next_word(&line), word;
        char text[SSH_KEY_TEXT_MAX];
        struct writer key = {.data = (uint8_t *)text, .size = sizeof(text)};
        enum ssh_key_fault fault;

        if (begins_with(type, "----"))
                return "a private key, or not in OpenSSH's format: give the .pub file, or convert it with ssh-keygen "
                       "-i";
        /* Options may hold blanks in quotes: wherever a type follows, what is before it are options. */
        if (!names_type(type))
                for (word = base64; word.left > 0; word = next_word(&line))
                        if (names_type(word))
                                return "options stand before the key: remove them from the line, and say what is "
                                       "needed with --source or --restrict";
        writer_put(&key, type.at, type.left);
        if (base64.left > 0) {
                writer_u8(&key, ' ');
                writer_put(&key, base64.at, base64.left);
        }
        if (key.full)
                return ssh_key_fault_text(SSH_KEY_FAULT_SIZE);
        fault = ssh_key_from_text(text, key.used, ret);
        return fault == SSH_KEY_OK ? NULL : ssh_key_fault_text(fault);
}

bool key_file_read(FILE *from, const char *name, struct key_list *to, char ret_why[static KEY_FILE_WHY_MAX]) {
        uint8_t content[KEY_FILE_MAX + 1];
        struct bytes rest = {content, fread(content, 1, sizeof(content), from)};
        size_t before = to->n;

        if (ferror(from)) {
                (void)snprintf(ret_why, KEY_FILE_WHY_MAX, "%s: cannot read it: %s", name, strerror(errno));
                return false;
        }
        if (rest.left > KEY_FILE_MAX) {
                (void)snprintf(ret_why, KEY_FILE_WHY_MAX, "%s: more than %d bytes: give a file with the keys alone",
                               name, KEY_FILE_MAX);
                return false;
        }
        for (unsigned number = 1; rest.left > 0; number++) {
                const uint8_t *end = memchr(rest.at, '\n', rest.left);
                struct bytes line, ahead, word;
                const char *fault;

                (void)bytes_slice(&rest, end ? (size_t)(end - rest.at) : rest.left, &line);
                (void)bytes_slice(&rest, end ? 1 : 0, &word);
                ahead = line;
                word = next_word(&ahead);
                if (word.left == 0 || *word.at == '#')
                        continue;
                if (to->n == KEY_LIST_MAX) {
                        (void)snprintf(ret_why, KEY_FILE_WHY_MAX, "%s:%u: one key too many: a push takes at most %d",
                                       name, number, KEY_LIST_MAX);
                        return false;
                }
                fault = parse_line(line, &to->at[to->n].key);
                if (fault) {
                        (void)snprintf(ret_why, KEY_FILE_WHY_MAX, "%s:%u: %s", name, number, fault);
                        return false;
                }
                to->at[to->n].file = name;
                to->at[to->n].line = number;
                to->n++;
        }
        if (to->n == before) {
                (void)snprintf(ret_why, KEY_FILE_WHY_MAX,
                               "%s: no key in it: give a public key file, as ssh-keygen writes it", name);
                return false;
        }
        return true;
}

bool key_file_read_path(const char *path, struct key_list *to, char ret_why[static KEY_FILE_WHY_MAX]) {
        bool from_stdin = strcmp(path, "-") == 0, ok;
        FILE *file = from_stdin ? stdin : fopen(path, "re");

        if (!file) {
                (void)snprintf(ret_why, KEY_FILE_WHY_MAX, "%s: cannot open it: %s", path, strerror(errno));
                return false;
        }
        ok = key_file_read(file, from_stdin ? "standard input" : path, to, ret_why);
        if (!from_stdin)
                (void)fclose(file);
        return ok;
}
