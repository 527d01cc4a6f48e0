/* SPDX-License-Identifier: Apache-2.0 */
#include "common/ssh_key.h"

#include <assert.h>
#include <string.h>

#include "common/ed25519.h"

#define ELEMENTS(array) (sizeof(array) / sizeof((array)[0]))

#define CERTIFICATE_SUFFIX "-cert-v01@openssh.com"
#define APPLICATION_PREFIX "ssh:"

enum {
        POINT_UNCOMPRESSED = 0x04, /* SEC 1 section 2.3.3; sshd accepts no other form */
        RSA_EXPONENT_BITS_MAX = 32,
        PARTS_MAX = 3,
};

enum part {
        PART_ED25519,
        PART_CURVE,
        PART_POINT,
        PART_RSA_EXPONENT,
        PART_RSA_MODULUS,
        PART_APPLICATION,
};

/* A blob is the type's name and these parts, each a string. */
static const struct algorithm {
        const char *name;
        const char *curve;
        size_t point_length;
        size_t n_parts;
        enum part parts[PARTS_MAX];
} algorithms[] = {
        [SSH_KEY_ED25519] = {"ssh-ed25519", NULL, 0, 1, {PART_ED25519}},
        [SSH_KEY_ECDSA_P256] = {"ecdsa-sha2-nistp256", "nistp256", 65, 2, {PART_CURVE, PART_POINT}},
        [SSH_KEY_ECDSA_P384] = {"ecdsa-sha2-nistp384", "nistp384", 97, 2, {PART_CURVE, PART_POINT}},
        [SSH_KEY_ECDSA_P521] = {"ecdsa-sha2-nistp521", "nistp521", 133, 2, {PART_CURVE, PART_POINT}},
        [SSH_KEY_RSA] = {"ssh-rsa", NULL, 0, 2, {PART_RSA_EXPONENT, PART_RSA_MODULUS}},
        [SSH_KEY_SK_ED25519] = {"sk-ssh-ed25519@openssh.com", NULL, 0, 2, {PART_ED25519, PART_APPLICATION}},
        [SSH_KEY_SK_ECDSA_P256] =
                {"sk-ecdsa-sha2-nistp256@openssh.com", "nistp256", 65, 3, {PART_CURVE, PART_POINT, PART_APPLICATION}},
};

static const char *const fault_texts[SSH_KEY_FAULT_MAX_] = {
        [SSH_KEY_OK] = "no fault",
        [SSH_KEY_FAULT_EMPTY] = "the key is empty; send the public key as \"type base64\"",
        [SSH_KEY_FAULT_CONTROL] = "the key has a character that is not printable ASCII, such as a line break; "
                                  "send \"type base64\" without the end of the line",
        [SSH_KEY_FAULT_FORM] = "the key is not of the form \"type base64\"; "
                               "send these two words with one blank between them",
        [SSH_KEY_FAULT_OPTIONS] = "the key has text before its type; send \"type base64\" alone, "
                                  "options are fields of the push",
        [SSH_KEY_FAULT_COMMENT] = "the key has text after its base64; send \"type base64\" alone, "
                                  "without a comment or a blank at the end",
        [SSH_KEY_FAULT_CERTIFICATE] = "the key is a certificate; send its plain public key",
        [SSH_KEY_FAULT_DSS] = "the key is of type ssh-dss, which sshd no longer accepts; send an Ed25519 key",
        [SSH_KEY_FAULT_TYPE] = "the key's type is unknown; send an Ed25519, ECDSA, RSA or security (sk-) key",
        [SSH_KEY_FAULT_BASE64] = "the key's base64 is not canonical; send it as ssh-keygen writes it, "
                                 "padded and without blanks",
        [SSH_KEY_FAULT_SIZE] = "the key is too long; send an Ed25519 or ECDSA key, or RSA of at most 8192 bits",
        [SSH_KEY_FAULT_TRUNCATED] = "the key ends too early; send its base64 to the end",
        [SSH_KEY_FAULT_TRAILING] = "the key has bytes after its last part; send its base64 unchanged",
        [SSH_KEY_FAULT_TYPE_MISMATCH] = "the type before the base64 is not the one in it; "
                                        "send the line as ssh-keygen wrote it",
        [SSH_KEY_FAULT_CURVE_MISMATCH] = "the key's curve does not belong to its type; make a new ECDSA key",
        [SSH_KEY_FAULT_POINT] = "the key's point is not uncompressed, or not of its curve's size; "
                                "send the ECDSA key in uncompressed form",
        [SSH_KEY_FAULT_ED25519_SIZE] = "the Ed25519 key does not have 32 bytes; make a new key",
        [SSH_KEY_FAULT_ED25519_LOW_ORDER] = "the Ed25519 key is a point of low order, for which anybody can sign; "
                                            "make a new key",
        [SSH_KEY_FAULT_MPINT] = "a number of the RSA key is empty, negative or has leading zeros; "
                                "convert the key with ssh-keygen",
        [SSH_KEY_FAULT_RSA_EXPONENT] = "the RSA exponent is even, below 3 or longer than 32 bits; "
                                       "make a key with the exponent 65537",
        [SSH_KEY_FAULT_RSA_MODULUS] = "the RSA modulus is even; make a new key",
        [SSH_KEY_FAULT_RSA_SHORT] = "the RSA key is shorter than 2048 bits; make one of 3072 bits, or an Ed25519 key",
        [SSH_KEY_FAULT_RSA_LONG] = "the RSA key is longer than 8192 bits; make one of 3072 bits, or an Ed25519 key",
        [SSH_KEY_FAULT_APPLICATION] = "the security key's application does not begin with \"ssh:\", is longer than "
                                      "256 bytes or has a control character; make a key with the application "
                                      "\"ssh:\"",
};

static bool ends_with(struct bytes name, const char *suffix) {
        size_t n = strlen(suffix);
        struct bytes before;

        return name.left >= n && bytes_slice(&name, name.left - n, &before) && bytes_equal(name, suffix, n);
}

/* SSH_KEY_OK, or CERTIFICATE, DSS or TYPE. */
static enum ssh_key_fault type_from_name(struct bytes name, enum ssh_key_type *ret) {
        for (size_t i = 0; i < ELEMENTS(algorithms); i++)
                if (bytes_equal(name, algorithms[i].name, strlen(algorithms[i].name))) {
                        *ret = (enum ssh_key_type)i;
                        return SSH_KEY_OK;
                }
        if (ends_with(name, CERTIFICATE_SUFFIX))
                return SSH_KEY_FAULT_CERTIFICATE;
        if (bytes_equal(name, "ssh-dss", strlen("ssh-dss")))
                return SSH_KEY_FAULT_DSS;
        return SSH_KEY_FAULT_TYPE;
}

/*
 * The bytes of a positive number without sign or leading zeros: at least one. RFC 4251 section 5 puts a zero byte in
 * front where the first bit would otherwise be set, and only there. sshd accepts and drops more of them, so its text of
 * such a key would differ.
 */
static bool mpint_magnitude(struct bytes mpint, struct bytes *ret) {
        struct bytes rest = mpint;
        uint8_t first;

        if (!bytes_u8(&rest, &first) || first & 0x80)
                return false;
        if (first == 0 && (rest.left == 0 || !(rest.at[0] & 0x80)))
                return false;
        *ret = first == 0 ? rest : mpint;
        return true;
}

static size_t magnitude_bits(struct bytes magnitude) {
        return 8 * magnitude.left - (size_t)(__builtin_clz(magnitude.at[0]) - 24);
}

static bool magnitude_odd(struct bytes magnitude) {
        return magnitude.at[magnitude.left - 1] & 1;
}

static void put_mpint(struct writer *to, struct bytes magnitude) {
        bool sign = magnitude.at[0] & 0x80;

        writer_u32(to, (uint32_t)(magnitude.left + sign));
        if (sign)
                writer_u8(to, 0);
        writer_put(to, magnitude.at, magnitude.left);
}

static enum ssh_key_fault put_rsa_exponent(struct bytes value, struct writer *to) {
        struct bytes exponent;
        size_t bits;

        if (!mpint_magnitude(value, &exponent))
                return SSH_KEY_FAULT_MPINT;
        bits = magnitude_bits(exponent);
        /* An odd number of one bit is 1. */
        if (bits < 2 || bits > RSA_EXPONENT_BITS_MAX || !magnitude_odd(exponent))
                return SSH_KEY_FAULT_RSA_EXPONENT;
        put_mpint(to, exponent);
        return SSH_KEY_OK;
}

static enum ssh_key_fault put_rsa_modulus(struct bytes value, struct writer *to) {
        struct bytes modulus;
        size_t bits;

        if (!mpint_magnitude(value, &modulus))
                return SSH_KEY_FAULT_MPINT;
        bits = magnitude_bits(modulus);
        if (bits < SSH_KEY_RSA_BITS_MIN)
                return SSH_KEY_FAULT_RSA_SHORT;
        if (bits > SSH_KEY_RSA_BITS_MAX)
                return SSH_KEY_FAULT_RSA_LONG;
        if (!magnitude_odd(modulus))
                return SSH_KEY_FAULT_RSA_MODULUS;
        put_mpint(to, modulus);
        return SSH_KEY_OK;
}

static bool application_valid(struct bytes application) {
        struct bytes prefix;

        if (application.left > SSH_KEY_APPLICATION_MAX)
                return false;
        for (size_t i = 0; i < application.left; i++)
                if (application.at[i] < 0x20 || application.at[i] == 0x7f)
                        return false;
        return bytes_slice(&application, strlen(APPLICATION_PREFIX), &prefix) &&
               bytes_equal(prefix, APPLICATION_PREFIX, strlen(APPLICATION_PREFIX));
}

static enum ssh_key_fault put_part(const struct algorithm *algorithm, enum part part, struct bytes value,
                                   struct writer *to) {
        switch (part) {
        case PART_ED25519:
                if (value.left != ED25519_KEY_SIZE)
                        return SSH_KEY_FAULT_ED25519_SIZE;
                if (ed25519_is_low_order(value.at))
                        return SSH_KEY_FAULT_ED25519_LOW_ORDER;
                break;
        case PART_CURVE:
                if (!bytes_equal(value, algorithm->curve, strlen(algorithm->curve)))
                        return SSH_KEY_FAULT_CURVE_MISMATCH;
                break;
        case PART_POINT:
                if (value.left != algorithm->point_length || value.at[0] != POINT_UNCOMPRESSED)
                        return SSH_KEY_FAULT_POINT;
                break;
        case PART_RSA_EXPONENT:
                return put_rsa_exponent(value, to);
        case PART_RSA_MODULUS:
                return put_rsa_modulus(value, to);
        case PART_APPLICATION:
                if (!application_valid(value))
                        return SSH_KEY_FAULT_APPLICATION;
                break;
        }
        writer_string(to, value.at, value.left);
        return SSH_KEY_OK;
}

/* `expected`: the type before the base64, or NULL. */
static enum ssh_key_fault key_from_blob(struct bytes from, const enum ssh_key_type *expected, struct ssh_key *ret) {
        struct ssh_key key = {0};
        struct writer out = {.data = key.blob, .size = sizeof(key.blob)};
        const size_t length = from.left;
        const struct algorithm *algorithm;
        struct bytes name, values[PARTS_MAX];
        enum ssh_key_fault fault;

        if (length > SSH_KEY_BLOB_MAX)
                return SSH_KEY_FAULT_SIZE;
        if (!bytes_string(&from, &name))
                return SSH_KEY_FAULT_TRUNCATED;
        fault = type_from_name(name, &key.type);
        if (expected && (fault == SSH_KEY_OK ? key.type != *expected : fault == SSH_KEY_FAULT_TYPE))
                return SSH_KEY_FAULT_TYPE_MISMATCH;
        if (fault != SSH_KEY_OK)
                return fault;
        algorithm = &algorithms[key.type];

        /* All parts first, so that a truncated key is reported as such, and not by its last part. */
        for (size_t i = 0; i < algorithm->n_parts; i++)
                if (!bytes_string(&from, &values[i]))
                        return SSH_KEY_FAULT_TRUNCATED;
        if (from.left > 0)
                return SSH_KEY_FAULT_TRAILING;

        writer_text(&out, algorithm->name);
        for (size_t i = 0; i < algorithm->n_parts; i++) {
                fault = put_part(algorithm, algorithm->parts[i], values[i], &out);
                if (fault != SSH_KEY_OK)
                        return fault;
                if (algorithm->parts[i] == PART_POINT) {
                        key.point_length = algorithm->point_length;
                        key.point_offset = out.used - algorithm->point_length;
                }
        }

        /* Each part has one encoding and there are no others, so this is the input and fits. */
        assert(!out.full && out.used == length);
        key.blob_length = out.used;
        *ret = key;
        return SSH_KEY_OK;
}

static bool is_printable(struct bytes text) {
        for (size_t i = 0; i < text.left; i++)
                if (text.at[i] < 0x20 || text.at[i] > 0x7e)
                        return false;
        return true;
}

/* Takes the text before the next blank, and the blank. False, and nothing taken, when there is none. */
static bool take_word(struct bytes *from, struct bytes *ret) {
        const uint8_t *blank = from->left > 0 ? memchr(from->at, ' ', from->left) : NULL;
        uint8_t dropped;

        return blank && bytes_slice(from, (size_t)(blank - from->at), ret) && bytes_u8(from, &dropped);
}

static bool names_a_type(struct bytes text) {
        enum ssh_key_type type;
        struct bytes word;

        while (take_word(&text, &word))
                if (type_from_name(word, &type) != SSH_KEY_FAULT_TYPE)
                        return true;
        return type_from_name(text, &type) != SSH_KEY_FAULT_TYPE;
}

enum ssh_key_fault ssh_key_from_text(const char *text, size_t length, struct ssh_key *ret) {
        struct bytes from = {(const uint8_t *)text, length}, name, base64;
        uint8_t blob[BASE64_LENGTH(SSH_KEY_BLOB_MAX) / 4 * 3];
        enum ssh_key_type type;
        enum ssh_key_fault fault;
        size_t blob_length;

        if (length == 0)
                return SSH_KEY_FAULT_EMPTY;
        if (!is_printable(from))
                return SSH_KEY_FAULT_CONTROL;
        if (!take_word(&from, &name))
                return SSH_KEY_FAULT_FORM;

        fault = type_from_name(name, &type);
        if (fault == SSH_KEY_FAULT_TYPE && names_a_type(from))
                return SSH_KEY_FAULT_OPTIONS;
        if (name.left == 0 || from.left == 0 || from.at[0] == ' ')
                return SSH_KEY_FAULT_FORM;
        if (fault != SSH_KEY_OK)
                return fault;
        if (take_word(&from, &base64))
                return SSH_KEY_FAULT_COMMENT;

        if (from.left > BASE64_LENGTH(SSH_KEY_BLOB_MAX))
                return SSH_KEY_FAULT_SIZE;
        if (!base64_decode((const char *)from.at, from.left, blob, sizeof(blob), &blob_length))
                return SSH_KEY_FAULT_BASE64;
        return key_from_blob((struct bytes){blob, blob_length}, &type, ret);
}

enum ssh_key_fault ssh_key_from_blob(const uint8_t *blob, size_t length, struct ssh_key *ret) {
        return key_from_blob((struct bytes){blob, length}, NULL, ret);
}

const char *ssh_key_type_name(enum ssh_key_type type) {
        return algorithms[type].name;
}

void ssh_key_to_text(const struct ssh_key *key, char ret[static SSH_KEY_TEXT_MAX]) {
        const char *name = ssh_key_type_name(key->type);
        size_t n = strlen(name);

        memcpy(ret, name, n);
        ret[n] = ' ';
        base64_encode(key->blob, key->blob_length, ret + n + 1);
}

const char *ssh_key_fault_text(enum ssh_key_fault fault) {
        return fault_texts[fault];
}
