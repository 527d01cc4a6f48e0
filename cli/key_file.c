/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/key_file.h"

#include <errno.h>
#include <stdarg.h>
#include <string.h>

#include "common/bytes.h"

static bool blank(uint8_t c) {
        return c == ' ' || c == '\t';
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

static bool holds(struct bytes line, const char *text) {
        return line.left > 0 && memmem(line.at, line.left, text, strlen(text));
}

/* What stands before the key is named only where no option of a push takes its place. */
static const char *options_fault(struct bytes line) {
        if (holds(line, "no-touch-required"))
                return "the option no-touch-required stands before the key, and a pushed key always needs the touch: "
                       "remove "
                       "it from the line";
        return "options stand before the key: remove them from the line, and say what is needed with --source or "
               "--restrict";
}

/* The keys' sizes are far above those of any type that is taken, so that is not what is wrong with them. */
static const char *type_fault(struct bytes type) {
        struct ssh_key ignored;
        char text[SSH_KEY_TYPE_MAX + 2];
        enum ssh_key_fault fault;

        if (begins_with(type, "ssh-mldsa"))
                return "a post-quantum key (ML-DSA), which guests do not take yet: give an Ed25519 or ECDSA key";
        fault = ssh_key_from_text(text, (size_t)snprintf(text, sizeof(text), "%.*s A", (int)type.left, type.at),
                                  &ignored);
        return ssh_key_fault_text(fault == SSH_KEY_FAULT_TYPE || fault == SSH_KEY_FAULT_CERTIFICATE ||
                                                  fault == SSH_KEY_FAULT_DSS
                                          ? fault
                                          : SSH_KEY_FAULT_SIZE);
}

/* Whether the rest of a line, which sshd takes for a comment, is another key. */
static bool holds_key(struct bytes rest) {
        struct bytes word = next_word(&rest), after;

        for (; word.left > 0; word = after) {
                after = next_word(&rest);
                if (names_type(word) && begins_with(after, "AAAA"))
                        return true;
        }
        return false;
}

/* Takes `line`, which is not blank, for a key. NULL, or what is wrong with it. */
static const char *parse_line(struct bytes line, struct ssh_key *ret) {
        struct bytes whole = line, type = next_word(&line), base64 = next_word(&line), rest = line, word;
        char text[SSH_KEY_TEXT_MAX];
        struct writer key = {.data = (uint8_t *)text, .size = sizeof(text)};
        enum ssh_key_fault fault;

        if (begins_with(type, "PuTTY-User-Key-File-"))
                return "a private key of PuTTY: give its public key, which puttygen shows as \"Public key for "
                       "pasting\"";
        if (begins_with(type, "----"))
                return "a private key, or not in OpenSSH's format: give the .pub file, or convert it with ssh-keygen "
                       "-i";
        /* Options may hold blanks in quotes: wherever a type follows, what is before it are options. */
        if (!names_type(type))
                for (word = base64; word.left > 0; word = next_word(&line))
                        if (names_type(word))
                                return options_fault(whole);
        if (holds_key(rest))
                return "two keys on one line: write each on a line of its own";
        writer_put(&key, type.at, type.left);
        if (base64.left > 0) {
                writer_u8(&key, ' ');
                writer_put(&key, base64.at, base64.left);
        }
        if (key.full || begins_with(type, "ssh-mldsa"))
                return type.left < SSH_KEY_TYPE_MAX ? type_fault(type) : ssh_key_fault_text(SSH_KEY_FAULT_TYPE);
        fault = ssh_key_from_text(text, key.used, ret);
        return fault == SSH_KEY_OK ? NULL : ssh_key_fault_text(fault);
}

/* The next line, which ends in LF, CR or both. */
static struct bytes next_line(struct bytes *rest) {
        struct bytes line, end;
        size_t n = 0;

        while (n < rest->left && rest->at[n] != '\n' && rest->at[n] != '\r')
                n++;
        (void)bytes_slice(rest, n, &line);
        n = rest->left > 1 && rest->at[0] == '\r' && rest->at[1] == '\n' ? 2 : rest->left > 0 ? 1 : 0;
        (void)bytes_slice(rest, n, &end);
        return line;
}

/* As Windows' tools write text: with a byte order mark, or ASCII with a NUL beside each character. */
static bool is_utf16(struct bytes content) {
        return content.left >= 2 && (memcmp(content.at, "\xff\xfe", 2) == 0 || memcmp(content.at, "\xfe\xff", 2) == 0 ||
                                     content.at[0] == '\0' || content.at[1] == '\0');
}

static void drop_byte_order_mark(struct bytes *content) {
        struct bytes dropped;

        if (content->left >= 3 && memcmp(content->at, "\xef\xbb\xbf", 3) == 0)
                (void)bytes_slice(content, 3, &dropped);
}

__attribute__((format(printf, 2, 3))) static bool fail(char why[static KEY_FILE_WHY_MAX], const char *format, ...) {
        va_list arguments;

        va_start(arguments, format);
        (void)vsnprintf(why, KEY_FILE_WHY_MAX, format, arguments);
        va_end(arguments);
        return false;
}

bool key_file_read(FILE *from, const char *name, struct key_list *to, char ret_why[static KEY_FILE_WHY_MAX]) {
        uint8_t content[KEY_FILE_MAX + 1];
        struct bytes rest = {content, fread(content, 1, sizeof(content), from)};
        size_t before = to->n;

        if (ferror(from))
                return fail(ret_why, "%s: cannot read it: %s", name, strerror(errno));
        if (rest.left > KEY_FILE_MAX)
                return fail(ret_why, "%s: more than %d bytes: give a file with the keys alone", name, KEY_FILE_MAX);
        if (is_utf16(rest))
                return fail(ret_why, "%s: text in UTF-16: save it as ASCII or UTF-8", name);
        drop_byte_order_mark(&rest);
        for (unsigned number = 1; rest.left > 0; number++) {
                struct bytes line = next_line(&rest), ahead = line, word = next_word(&ahead);
                const char *fault;

                if (word.left == 0 || *word.at == '#')
                        continue;
                if (to->n == KEY_LIST_MAX)
                        return fail(ret_why, "%s:%u: one key too many: a push takes at most %d", name, number,
                                    KEY_LIST_MAX);
                fault = parse_line(line, &to->at[to->n].key);
                if (fault)
                        return fail(ret_why, "%s:%u: %s", name, number, fault);
                to->at[to->n].file = name;
                to->at[to->n].line = number;
                to->n++;
        }
        if (to->n == before)
                return fail(ret_why, "%s: no key in it: give a public key file, as ssh-keygen writes it", name);
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
