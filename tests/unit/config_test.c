/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Needs root: a configuration has to be root's. Linked with --wrap for the functions below that begin with __wrap_, so
 * that each of their calls can be made to fail.
 */
#include "agent/config.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "tests/unit/file_time.h"

enum { DAY_S = 86400 };

struct warned {
        unsigned n;
        unsigned line[8];
        char file[8][128];
        char text[8][256];
};

static char dir[64];
static char path_buffer[512];
static struct warned warned;
static struct config *config;

/* Calls that still go well before one fails; negative: all do. */
static int until_failure = -1;

static bool fails(int error) {
        if (until_failure < 0 || until_failure-- > 0)
                return false;
        errno = error;
        return true;
}

/* How far the clock is ahead, as if the test had waited after what it wrote. */
static time_t ahead_s;

int __real_clock_gettime(clockid_t id, struct timespec *ret);
int __wrap_clock_gettime(clockid_t id, struct timespec *ret);
int __wrap_clock_gettime(clockid_t id, struct timespec *ret) {
        int r = __real_clock_gettime(id, ret);

        ret->tv_sec += ahead_s;
        return r;
}

/* clang-format off */
#define WRAP(type, failed, error, name, parameters, arguments)                                                         \
        type __real_##name parameters;                                                                                 \
        type __wrap_##name parameters;                                                                                 \
        type __wrap_##name parameters {                                                                                \
                return fails(error) ? failed : __real_##name arguments;                                                \
        }

WRAP(void *, NULL, ENOMEM, malloc, (size_t n), (n))
WRAP(void *, NULL, ENOMEM, calloc, (size_t n, size_t size), (n, size))
WRAP(void *, NULL, ENOMEM, reallocarray, (void *old, size_t n, size_t size), (old, n, size))
WRAP(char *, NULL, ENOMEM, strdup, (const char *text), (text))
WRAP(int, -1, EIO, fstat, (int fd, struct stat *ret), (fd, ret))
WRAP(ssize_t, -1, EIO, read, (int fd, void *buffer, size_t n), (fd, buffer, n))
WRAP(DIR *, NULL, ENOMEM, fdopendir, (int fd), (fd))
WRAP(struct dirent *, NULL, EIO, readdir, (DIR *d), (d))
/* clang-format on */

static const char *path(const char *name) {
        (void)snprintf(path_buffer, sizeof(path_buffer), "%s/%s", dir, name);
        return path_buffer;
}

static int setup(void **state) {
        (void)state;
        strcpy(dir, "/tmp/config_test.XXXXXX");
        config = NULL;
        ahead_s = 0;
        return mkdtemp(dir) && mkdir(path("agent.conf.d"), 0755) == 0 ? 0 : -1;
}

static int teardown(void **state) {
        char command[128];

        (void)state;
        config_free(config);
        (void)snprintf(command, sizeof(command), "rm -rf '%s'", dir);
        return system(command);
}

static void write_bytes(const char *name, const void *text, size_t n) {
        int fd = open(path(name), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);

        assert_true(fd >= 0);
        assert_int_equal(write(fd, text, n), n);
        assert_int_equal(close(fd), 0);
}

static void write_text(const char *name, const char *text) {
        write_bytes(name, text, strlen(text));
}

static void on_warning(void *context, const char *file, unsigned line, const char *text) {
        assert_ptr_equal(context, &warned);
        assert_true(warned.n < 8);
        (void)snprintf(warned.file[warned.n], sizeof(warned.file[0]), "%s", file);
        (void)snprintf(warned.text[warned.n], sizeof(warned.text[0]), "%s", text);
        warned.line[warned.n++] = line;
}

static void load(void) {
        config_free(config);
        config = NULL;
        warned = (struct warned){.n = 0};
        assert_int_equal(config_load(dir, on_warning, &warned, &config), 0);
        assert_non_null(config);
}

static void load_well(void) {
        load();
        if (config->error)
                fail_msg("%s", config->error);
}

static void load_text(const char *text) {
        write_text("agent.conf", text);
        load_well();
}

/* The error must begin with `where`, a name in the directory and perhaps a line, and have `what` in it. */
static void assert_error(const char *where, const char *what) {
        char start[512];

        load();
        assert_non_null(config->error);
        (void)snprintf(start, sizeof(start), "%s/%s: ", dir, where);
        if (strncmp(config->error, start, strlen(start)) != 0 || !strstr(config->error, what))
                fail_msg("\"%s\" should begin with \"%s\" and contain \"%s\"", config->error, start, what);
}

static void assert_refused(const char *text, unsigned line, const char *what) {
        char where[64];

        write_text("agent.conf", text);
        (void)snprintf(where, sizeof(where), "agent.conf:%u", line);
        assert_error(where, what);
}

static void assert_words(const struct strv *words, const char *expected) {
        char joined[4096] = "";

        for (size_t i = 0; i < words->n; i++) {
                assert_true(strlen(joined) + strlen(words->item[i]) + 2 < sizeof(joined));
                if (i > 0)
                        strcat(joined, " ");
                strcat(joined, words->item[i]);
        }
        assert_string_equal(joined, expected);
}

static void assert_defaults(void) {
        assert_words(&config->allow_users, "");
        assert_words(&config->deny_users, "");
        assert_words(&config->allow_groups, "");
        assert_words(&config->deny_groups, "");
        assert_words(&config->host_key_files, "");
        assert_int_equal(config->min_uid, 0);
        assert_int_equal(config->max_ttl_s, 300);
        assert_int_equal(config->default_ttl_s, 60);
        assert_int_equal(config->rate_limit, 50);
        assert_int_equal(config->trust, CONFIG_TRUST_SIGNED);
        assert_string_equal(config->instance_id, "");
}

static void missing_files_mean_defaults(void **state) {
        (void)state;
        load_well();
        assert_defaults();
        assert_int_equal(rmdir(path("agent.conf.d")), 0);
        load_well();
        assert_defaults();
        assert_int_equal(rmdir(dir), 0);
        load_well();
        assert_defaults();
        assert_int_equal(mkdir(dir, 0755), 0);
}

static void every_key_is_read(void **state) {
        (void)state;
        load_text("# a comment\n"
                  "; another = one\n"
                  "[Agent]\n"
                  "AllowUsers=alice bob\n"
                  "DenyUsers = root\tmallory\n"
                  "AllowGroups=ssh\n"
                  "DenyGroups=DOMAIN\\guests svc@corp machine$\n"
                  "MinUid=1000\n"
                  "MaxTtl=86400\n"
                  "DefaultTtl=3600\n"
                  "HostKeyFiles=/etc/ssh/a.pub /etc/ssh/b.pub\n"
                  "InstanceId=exc:compute:instance/i-1=2;3#4\n"
                  "Trust=channel\n"
                  "RateLimit=0\n");
        assert_words(&config->allow_users, "alice bob");
        assert_words(&config->deny_users, "root mallory");
        assert_words(&config->allow_groups, "ssh");
        assert_words(&config->deny_groups, "DOMAIN\\guests svc@corp machine$");
        assert_int_equal(config->min_uid, 1000);
        assert_int_equal(config->max_ttl_s, DAY_S);
        assert_int_equal(config->default_ttl_s, 3600);
        assert_words(&config->host_key_files, "/etc/ssh/a.pub /etc/ssh/b.pub");
        assert_string_equal(config->instance_id, "exc:compute:instance/i-1=2;3#4");
        assert_int_equal(config->trust, CONFIG_TRUST_CHANNEL);
        assert_int_equal(config->rate_limit, 0);
        assert_int_equal(warned.n, 0);
}

static void lists_add_up_and_last_value_wins(void **state) {
        (void)state;
        write_text("agent.conf.d/b.conf", "[Agent]\nAllowUsers=fourth\nMinUid=4\n");
        write_text("agent.conf.d/a.conf", "[Agent]\nAllowUsers=third\nMinUid=3\nTrust=channel\n");
        write_text("agent.conf.d/Z.conf", "[Agent]\nAllowUsers=second\nMinUid=2\n");
        write_text("agent.conf.d/c.config", "[Agent]\nAllowUsers=nobody\n");
        write_text("agent.conf.d/.hidden.conf", "[Agent]\nAllowUsers=nobody\n");
        write_text("agent.conf.d/.conf", "[Agent]\nAllowUsers=nobody\n");
        load_text("[Agent]\nAllowUsers=first\nMinUid=1\nTrust=signed\nAllowUsers=again\n");
        assert_words(&config->allow_users, "first again second third fourth");
        assert_int_equal(config->min_uid, 4);
        assert_int_equal(config->trust, CONFIG_TRUST_CHANNEL);
}

static void indented_line_continues_list(void **state) {
        (void)state;
        load_text("[Agent]\nAllowUsers=\n  alice\n\n# not carol\n  # nor dave\n\tbob eve\nMinUid=7\n");
        assert_words(&config->allow_users, "alice bob eve");
        assert_int_equal(config->min_uid, 7);
}

static void quoted_item_may_have_blanks(void **state) {
        static const char *const wrong[] = {"\"a b", "\"a b\"c", "\"\"", "x \"", "\"a\"\"b\"", "\"a\tb\"=c"};
        char text[128];

        (void)state;
        load_text("[Agent]\nDenyGroups=\"domain admins\" x\n  \"EXAMPLE\\dom users\"\t\"y\"\n"
                  "HostKeyFiles=\"/etc/my keys/a.pub\" /b\n");
        assert_int_equal(config->deny_groups.n, 4);
        assert_string_equal(config->deny_groups.item[0], "domain admins");
        assert_string_equal(config->deny_groups.item[1], "x");
        assert_string_equal(config->deny_groups.item[2], "EXAMPLE\\dom users");
        assert_string_equal(config->deny_groups.item[3], "y");
        assert_int_equal(config->host_key_files.n, 2);
        assert_string_equal(config->host_key_files.item[0], "/etc/my keys/a.pub");
        for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
                (void)sprintf(text, "[Agent]\nDenyUsers=%s\n", wrong[i]);
                assert_refused(text, 2, "DenyUsers: invalid quotes");
        }
        assert_refused("[Agent]\nDenyUsers=\"a,b c\"\n", 2, "invalid name");
        assert_refused("[Agent]\nDenyUsers='a b'\n", 2, "in double quotes");
}

static void line_of_any_length_is_read(void **state) {
        char names[1200], text[4096];

        (void)state;
        for (size_t length = 1; length < 450; length++) {
                size_t n = 0;

                for (int i = 0; n < length; i++)
                        n += (size_t)sprintf(names + n, "%su%.*s", i > 0 ? " " : "", i % 17, "#A#B#C#D#E#F#G#H#");
                (void)sprintf(text, "[Agent]\nDenyUsers=%s\nMinUid=5\nAllowUsers=x\n  %s\n", names, names);
                load_text(text);
                assert_words(&config->deny_users, names);
                (void)sprintf(text, "x %s", names);
                assert_words(&config->allow_users, text);
                assert_int_equal(config->min_uid, 5);
        }
}

static void thousand_names_fit_one_line(void **state) {
        enum { NAMES = 1000 };
        static char text[16 * 1024];
        size_t n = (size_t)sprintf(text, "[Agent]\nDenyUsers=");
        char name[32];

        (void)state;
        for (int i = 0; i < NAMES; i++)
                n += (size_t)sprintf(text + n, "%suser-%05d", i > 0 ? " " : "", i);
        assert_true(n > 10 * 1024);
        (void)snprintf(text + n, sizeof(text) - n, "\nMinUid=x\n");
        assert_refused(text, 3, "MinUid: invalid value 'x'");
        (void)snprintf(text + n, sizeof(text) - n, "\nMinUid=9\n");
        load_text(text);
        assert_int_equal(config->deny_users.n, NAMES);
        for (int i = 0; i < NAMES; i++) {
                (void)sprintf(name, "user-%05d", i);
                assert_string_equal(config->deny_users.item[i], name);
        }
        assert_int_equal(config->min_uid, 9);
}

static void longest_word_is_read(void **state) {
        char id[CONFIG_INSTANCE_ID_MAX + 2], text[1024];

        (void)state;
        for (size_t i = 0; i < CONFIG_INSTANCE_ID_MAX; i++)
                id[i] = (char)('!' + i % 94);
        id[CONFIG_INSTANCE_ID_MAX] = '\0';
        for (int blanks = 0; blanks < 30; blanks++) {
                (void)sprintf(text, "[Agent]\nInstanceId%*s=%*s%s\nDenyUsers=x\n", blanks, "", blanks / 2, "", id);
                load_text(text);
                assert_string_equal(config->instance_id, id);
                assert_words(&config->deny_users, "x");
        }

        memset(id, 'n', CONFIG_NAME_MAX);
        (void)sprintf(text, "[Agent]\nDenyUsers=a %s b\n", id);
        load_text(text);
        assert_int_equal(config->deny_users.n, 3);
        assert_string_equal(config->deny_users.item[1], id);
}

static void too_long_word_is_refused(void **state) {
        char word[700], text[1024];

        (void)state;
        memset(word, 'n', CONFIG_NAME_MAX + 1);
        word[CONFIG_NAME_MAX + 1] = '\0';
        (void)sprintf(text, "[Agent]\nDenyUsers=a\n  %s\n", word);
        assert_refused(text, 3, "too long: expected at most 256 bytes");
        (void)sprintf(text, "[Agent]\nInstanceId=%s\n", word);
        assert_refused(text, 2, "expected 1..256 printable");
        memset(word, '#', 600);
        word[600] = '\0';
        (void)sprintf(text, "[Agent]\n\nDenyUsers=x%s\n", word);
        assert_refused(text, 3, "too long");
}

static void long_comment_is_ignored(void **state) {
        static char text[4096];
        size_t n = (size_t)sprintf(text, "[Agent]\nAllowUsers=alice\n  # ");

        (void)state;
        for (int i = 0; i < 300; i++)
                n += (size_t)sprintf(text + n, "mallory ");
        (void)sprintf(text + n, "\n");
        load_text(text);
        assert_words(&config->allow_users, "alice");
}

static void crlf_blanks_bom_and_missing_newline_are_accepted(void **state) {
        (void)state;
        load_text("\xef\xbb\xbf[Agent]\r\nAllowUsers=alice \t \r\n\r\n   \r\nMinUid: 3");
        assert_words(&config->allow_users, "alice");
        assert_int_equal(config->min_uid, 3);
}

static void unknown_keys_and_sections_are_warnings(void **state) {
        (void)state;
        write_text("agent.conf.d/50.conf", "[Relay]\nMinUid=5\n");
        load_text("[Agent]\n"
                  "Colour=red\n"
                  "  green\n"
                  "A-key-that-is-longer-than-fifty-characters-and-is-printed-whole=1\n"
                  "  2\n"
                  "Gr\xc3\xbc\xc3\x9f"
                  "e=1\n"
                  "MinUid=1\n");
        assert_int_equal(warned.n, 4);
        assert_string_equal(warned.file[0], path("agent.conf"));
        assert_int_equal(warned.line[0], 2);
        assert_non_null(strstr(warned.text[0], "Colour"));
        assert_int_equal(warned.line[1], 4);
        assert_non_null(strstr(warned.text[1], "and-is-printed-whole"));
        assert_int_equal(warned.line[2], 6);
        assert_non_null(strstr(warned.text[2], "Gr????e"));
        assert_string_equal(warned.file[3], path("agent.conf.d/50.conf"));
        assert_int_equal(warned.line[3], 1);
        assert_non_null(strstr(warned.text[3], "[Relay]"));
        assert_int_equal(config->min_uid, 1);
}

static void warning_callback_is_optional(void **state) {
        (void)state;
        write_text("agent.conf", "[Agent]\nColour=red\nMinUid=1\n");
        assert_int_equal(config_load(dir, NULL, NULL, &config), 0);
        assert_null(config->error);
        assert_int_equal(config->min_uid, 1);
}

static void error_names_file_and_line(void **state) {
        (void)state;
        write_text("agent.conf", "[Agent]\nAllowUsers=alice\n\n\n");
        write_text("agent.conf.d/10.conf", "[Agent]\nAllowUsers=bob\n");
        write_text("agent.conf.d/20.conf", "# one\n[Agent]\n\nMaxTtl=0\nMinUid=x\n");
        write_text("agent.conf.d/30.conf", "[Agent]\nMaxTtl=0\n");
        assert_error("agent.conf.d/20.conf:4", "MaxTtl: invalid value '0': expected 1..86400 seconds");
}

static void error_leaves_defaults(void **state) {
        (void)state;
        write_text("agent.conf",
                   "[Agent]\nAllowUsers=a\nDenyUsers=b\nAllowGroups=c\nDenyGroups=d\nHostKeyFiles=/e\nMinUid=1\n"
                   "MaxTtl=2\nDefaultTtl=1\nRateLimit=0\nTrust=channel\nInstanceId=f\nMinUid=x\n");
        load();
        assert_non_null(config->error);
        assert_defaults();
}

static void invalid_numbers_are_refused(void **state) {
        (void)state;
        assert_refused("[Agent]\nMinUid=\n", 2, "MinUid: invalid value '': expected 0..4294967294");
        assert_refused("[Agent]\nMinUid=-1\n", 2, "MinUid: invalid value '-1'");
        assert_refused("[Agent]\nMinUid=1 2\n", 2, "MinUid: invalid value '1 2'");
        assert_refused("[Agent]\nMinUid=0x10\n", 2, "MinUid: invalid value '0x10'");
        assert_refused("[Agent]\nMinUid=4294967295\n", 2, "MinUid");
        assert_refused("[Agent]\nMinUid=18446744073709551617\n", 2, "MinUid");
        assert_refused("[Agent]\nMaxTtl=86401\n", 2, "MaxTtl");
        assert_refused("[Agent]\nDefaultTtl=0\n", 2, "DefaultTtl");
        assert_refused("[Agent]\nRateLimit=10001\n", 2, "expected 0..10000 pushes a second");
        load_text("[Agent]\nMinUid=4294967294\nRateLimit=10000\nMaxTtl=1\nDefaultTtl=1\n");
        assert_int_equal(config->min_uid, UINT32_MAX - 1);
}

static void credential_is_trusted_unless_it_is_turned_off(void **state) {
        (void)state;
        load_text("[Agent]\n");
        assert_true(config->trust_credential);
        load_text("[Agent]\nTrustCredential=no\n");
        assert_false(config->trust_credential);
        load_text("[Agent]\nTrustCredential=no\nTrustCredential=yes\n");
        assert_true(config->trust_credential);
        assert_refused("[Agent]\nTrustCredential=false\n", 2, "expected yes or no");
}

static void default_ttl_is_compared_with_final_max_ttl(void **state) {
        (void)state;
        write_text("agent.conf.d/1.conf", "[Agent]\nMaxTtl=100\n");
        assert_refused("[Agent]\nDefaultTtl=50\nDefaultTtl=101\n", 3, "DefaultTtl: 101 is above MaxTtl, which is 100");
        load_text("[Agent]\nDefaultTtl=100\n");
        assert_int_equal(config->default_ttl_s, 100);
        write_text("agent.conf.d/1.conf", "[Agent]\nMaxTtl=20\n");
        load_text("");
        assert_int_equal(config->max_ttl_s, 20);
        assert_int_equal(config->default_ttl_s, 20);
}

static void other_invalid_values_are_refused(void **state) {
        (void)state;
        assert_refused("[Agent]\nTrust=Signed\n", 2, "Trust: invalid value 'Signed': expected signed or channel");
        assert_refused("[Agent]\nInstanceId=\n", 2, "printable");
        assert_refused("[Agent]\nInstanceId=a b\n", 2, "printable");
        assert_refused("[Agent]\nInstanceId=\xc3\xbc\n", 2, "printable");
        assert_refused("[Agent]\nHostKeyFiles=/a etc/b\n", 2, "HostKeyFiles: invalid path 'etc/b'");
        assert_refused("[Agent]\nHostKeyFiles=/etc/ssh/*.pub\n", 2, "without patterns");
}

static void name_that_cannot_exist_is_refused(void **state) {
        static const char *const words[] = {"root,bob", "adm*",   "adm?",  "ro\"ot\"", "'root'",      "!root",
                                            "%wheel",   "+group", "@grp",  "#1000",    "&users",      "root;",
                                            "a=b",      "a:b",    "[root", "root]",    "root@10.0/8", "MinUid=3"};
        char text[128];

        (void)state;
        for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
                (void)sprintf(text, "[Agent]\nDenyUsers=%s\n", words[i]);
                assert_refused(text, 2, words[i]);
                assert_non_null(strstr(config->error, "DenyUsers: invalid name '"));
        }
        assert_refused("[Agent]\nAllowUsers=alice\n  DenyUsers=root\n", 3, "AllowUsers: invalid name 'DenyUsers=root'");
        assert_refused("[Agent]\nAllowUsers=alice\n  [Agent]\n", 3, "AllowUsers: invalid name '[Agent]'");
        assert_refused("[Agent]\nDenyUsers=\xc3\xbc,x\n", 2, "DenyUsers: invalid name '??,x'");
}

static void empty_list_is_refused(void **state) {
        (void)state;
        assert_refused("[Agent]\nAllowUsers=\n", 2, "AllowUsers: the list is empty");
        assert_refused("[Agent]\nAllowUsers=\nDenyUsers=root\n", 2, "AllowUsers: the list is empty");
        assert_refused("[Agent]\nAllowUsers=alice\nAllowUsers=\n\n[Other]\nx=y\n", 3, "AllowUsers: the list is empty");
}

static void comment_after_value_is_refused(void **state) {
        (void)state;
        assert_refused("[Agent]\nDenyUsers=root ; and\n", 2, "line of its own");
        assert_refused("[Agent]\nDenyUsers=root # and\n", 2, "line of its own");
        assert_refused("[Agent]\nDenyUsers= ;root\n", 2, "line of its own");
        assert_refused("[Agent] ; comment\n", 1, "line of its own");
        assert_refused("[Agent]\nDenyUsers=x\n  root\t#and\n", 3, "line of its own");
}

static void line_without_key_is_refused(void **state) {
        (void)state;
        assert_refused("[Agent]\n\nDenyUsers root\nMinUid=1\n", 3, "no '='");
        assert_refused("[Agent]\nMinUid=1\nDenyUsers root", 3, "no '='");
        assert_refused("[Agent]\n=root\n", 2, "no key before '='");
        assert_refused("[Agent]\n  DenyUsers=root\n", 2, "indented line without a key");
        assert_refused("[Agent]\nMinUid=5\n  1000\n", 3, "MinUid: value continued on the next line");
        assert_refused("[Agent]\nMinUid=5\n[Agent]\n  1000\n", 4, "indented line without a key");
        assert_refused("[Agent]\ndenyusers=root\n", 2, "denyusers: invalid key; write DenyUsers");
        assert_refused("DenyUsers=root\n", 1, "DenyUsers: key outside a section");
}

static void invalid_section_is_refused(void **state) {
        char text[128];

        (void)state;
        assert_refused("[Agent] DenyUsers=root\n", 1, "invalid section; write [Agent]");
        assert_refused("[Agent\nMinUid=1\n", 1, "invalid section; write [Agent]");
        assert_refused("\n[Agent]]\n", 2, "invalid section; write [Agent]");
        assert_refused("[]\n", 1, "invalid section; write [Agent]");
        assert_refused("[\n", 1, "invalid section; write [Agent]");
        assert_refused("[ Agent ]\n", 1, "invalid section; write [Agent]");
        assert_refused("[agent]\n", 1, "invalid section [agent]; write [Agent]");
        (void)sprintf(text, "[%050d]\n", 0);
        assert_refused(text, 1, "too long");
        (void)sprintf(text, "[%049d]\nkey=value\n  more\n", 0);
        load_text(text);
        assert_int_equal(warned.n, 1);
}

static void control_characters_are_refused(void **state) {
        (void)state;
        write_bytes("agent.conf", "[Agent]\nDenyUsers=a\0b\n", 22);
        assert_error("agent.conf:2", "control character");
        assert_refused("[Agent]\nDenyUsers=a\rb\n", 2, "control character");
        assert_refused("[Agent]\nDenyUsers=a\x7f\n", 2, "control character");
        assert_refused("[Agent]\nDenyUsers=a\x0b"
                       "b\n",
                       2, "control character");
}

static void empty_file_and_dev_null_add_nothing(void **state) {
        (void)state;
        write_text("agent.conf.d/1.conf", "");
        assert_int_equal(symlink("/dev/null", path("agent.conf.d/2.conf")), 0);
        write_text("agent.conf.d/3.conf", "[Agent]\nMinUid=3\n");
        assert_int_equal(symlink("/dev/null", path("agent.conf")), 0);
        load_well();
        assert_int_equal(config->min_uid, 3);
}

static void symlink_is_followed_and_dangling_one_refused(void **state) {
        (void)state;
        write_text("elsewhere", "[Agent]\nMinUid=3\n");
        assert_int_equal(symlink("../elsewhere", path("agent.conf.d/2.conf")), 0);
        load_well();
        assert_int_equal(config->min_uid, 3);
        assert_int_equal(symlink("nowhere", path("agent.conf.d/3.conf")), 0);
        assert_error("agent.conf.d/3.conf", "No such file");
        assert_int_equal(unlink(path("agent.conf.d/3.conf")), 0);
        assert_int_equal(symlink("nowhere", path("agent.conf")), 0);
        assert_error("agent.conf", "No such file");
}

static void dangling_directory_symlink_is_refused(void **state) {
        (void)state;
        assert_int_equal(rmdir(path("agent.conf.d")), 0);
        assert_int_equal(symlink("nowhere", path("agent.conf.d")), 0);
        assert_error("agent.conf.d", "cannot open");
}

static void unsafe_owner_or_mode_is_refused(void **state) {
        (void)state;
        write_text("agent.conf", "[Agent]\nMinUid=3\n");
        assert_int_equal(chmod(path("agent.conf"), 0664), 0);
        assert_error("agent.conf", "chmod go-w");
        assert_int_equal(chmod(path("agent.conf"), 0646), 0);
        assert_error("agent.conf", "chmod go-w");
        assert_int_equal(chmod(path("agent.conf"), 0600), 0);
        load_well();
        assert_int_equal(chown(path("agent.conf"), 12345, 0), 0);
        assert_error("agent.conf", "owned by user id 12345");
        assert_int_equal(unlink(path("agent.conf")), 0);

        assert_int_equal(chmod(path("agent.conf.d"), 0775), 0);
        assert_error("agent.conf.d", "chmod go-w");
        assert_int_equal(chmod(path("agent.conf.d"), 0755), 0);
        assert_int_equal(chown(path("agent.conf.d"), 12345, 0), 0);
        assert_error("agent.conf.d", "owned by user id 12345");
        assert_int_equal(chown(path("agent.conf.d"), 0, 0), 0);

        assert_int_equal(chmod(dir, 0777), 0);
        load();
        assert_non_null(config->error);
        assert_int_equal(chmod(dir, 0755), 0);
        load_well();
}

static void unreadable_file_is_refused(void **state) {
        (void)state;
        write_text("agent.conf", "[Agent]\nMinUid=3\n");
        assert_int_equal(chmod(dir, 0755), 0);
        assert_int_equal(chmod(path("agent.conf"), 0600), 0);
        assert_int_equal(seteuid(65534), 0);
        load();
        assert_int_equal(seteuid(0), 0);
        assert_non_null(config->error);
        assert_non_null(strstr(config->error, "agent.conf: cannot open: Permission denied"));
}

static void fifo_and_directory_are_refused(void **state) {
        (void)state;
        assert_int_equal(mkfifo(path("agent.conf"), 0600), 0);
        assert_error("agent.conf", "not a regular file");
        assert_int_equal(unlink(path("agent.conf")), 0);
        assert_int_equal(mkdir(path("agent.conf"), 0700), 0);
        assert_error("agent.conf", "not a regular file");
        assert_int_equal(rmdir(path("agent.conf")), 0);
        assert_int_equal(rmdir(path("agent.conf.d")), 0);
        write_text("agent.conf.d", "");
        assert_error("agent.conf.d", "expected a directory");
}

static void sizes_are_limited(void **state) {
        static char text[CONFIG_FILE_MAX + 1];
        char name[64];

        (void)state;
        memset(text, '\n', sizeof(text));
        write_bytes("agent.conf", text, CONFIG_FILE_MAX);
        load_well();
        write_bytes("agent.conf", text, CONFIG_FILE_MAX + 1);
        assert_error("agent.conf", "larger than 65536 bytes");
        write_text("agent.conf", "");

        for (int i = 0; i < CONFIG_FILES_MAX; i++) {
                (void)sprintf(name, "agent.conf.d/%02d.conf", i);
                write_text(name, "[Agent]\nAllowUsers=x\n");
        }
        load_well();
        assert_int_equal(config->allow_users.n, CONFIG_FILES_MAX);
        write_text("agent.conf.d/more.conf", "");
        assert_error("agent.conf.d", "more than 64");
}

static void file_is_read_within_its_bounds(void **state) {
        char *text;

        (void)state;
        for (size_t n = 1; n < 420; n++) {
                text = malloc(n);
                assert_non_null(text);
                memset(text, 'a', n);
                write_bytes("agent.conf", text, n);
                free(text);
                assert_error("agent.conf:1", "no '='");
        }
}

/* Loads long after the last change. */
static void settle(void) {
        file_time_tick();
        ahead_s = 60;
        load();
}

static void settle_well(void) {
        settle();
        assert_null(config->error);
        assert_false(config_changed(config));
        assert_true(config_looks_same(config));
}

static void assert_changed(void) {
        assert_true(config_changed(config));
        assert_false(config_looks_same(config));
}

static void edited_file_is_seen(void **state) {
        static const char *const names[] = {"agent.conf", "agent.conf.d/1.conf"};

        (void)state;
        write_text("agent.conf", "[Agent]\nMinUid=3\n");
        write_text("agent.conf.d/1.conf", "[Agent]\nMinUid=3\n");
        settle_well();
        assert_false(config_changed(config));
        for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
                write_text(names[i], "[Agent]\nMinUid=4\n");
                assert_changed();
                settle_well();
                write_text(names[i], "[Agent]\nMinUid=44\n");
                assert_changed();
                settle_well();
        }
}

static void new_and_removed_files_are_seen(void **state) {
        char away[512];

        (void)state;
        settle_well();
        write_text("agent.conf", "[Agent]\nMinUid=3\n");
        assert_changed();
        settle_well();
        write_text("agent.conf.d/1.conf", "");
        assert_changed();
        settle_well();
        strcpy(away, path("1.conf"));
        assert_int_equal(rename(path("agent.conf.d/1.conf"), away), 0);
        assert_changed();
        settle_well();
        assert_int_equal(unlink(path("agent.conf")), 0);
        assert_changed();
        settle_well();
        assert_int_equal(rmdir(path("agent.conf.d")), 0);
        assert_changed();
        settle_well();
        assert_int_equal(unlink(away), 0);
        settle_well();
        assert_int_equal(rmdir(dir), 0);
        assert_changed();
        settle_well();
        assert_int_equal(mkdir(dir, 0755), 0);
        assert_changed();
}

static void changed_link_is_seen(void **state) {
        static const char *const names[] = {"agent.conf", "agent.conf.d/1.conf"};
        char from[512], target[512];

        (void)state;
        write_text("one", "[Agent]\nMinUid=3\n");
        write_text("two", "[Agent]\nMinUid=4\n");
        for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
                strcpy(target, path("one"));
                assert_int_equal(symlink(target, path(names[i])), 0);
                settle_well();
                strcpy(target, path("two"));
                assert_int_equal(symlink(target, path("new")), 0);
                strcpy(from, path("new"));
                assert_int_equal(rename(from, path(names[i])), 0);
                assert_changed();
                settle_well();
                write_text("two", "[Agent]\nMinUid=5\n");
                assert_changed();
                settle_well();
        }
}

static void chmod_and_chown_are_seen(void **state) {
        static const char *const names[] = {".", "agent.conf", "agent.conf.d", "agent.conf.d/1.conf"};

        (void)state;
        write_text("agent.conf", "[Agent]\nMinUid=3\n");
        write_text("agent.conf.d/1.conf", "[Agent]\nMinUid=3\n");
        for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
                settle_well();
                assert_int_equal(chmod(path(names[i]), 0777), 0);
                assert_changed();
                assert_int_equal(chmod(path(names[i]), 0755), 0);
                settle_well();
                assert_int_equal(chown(path(names[i]), 12345, 0), 0);
                assert_changed();
                assert_int_equal(chown(path(names[i]), 0, 0), 0);
        }
}

/* The cause may be a passing one, as a lack of memory. */
static void files_are_read_again_after_error(void **state) {
        (void)state;
        write_text("agent.conf", "[Agent]\nMinUid=x\n");
        settle();
        assert_non_null(config->error);
        assert_true(config_changed(config));
        assert_true(config_looks_same(config));
}

static void replaced_file_of_same_size_and_time_is_seen(void **state) {
        static const struct timespec then[2] = {{.tv_sec = 1000000000}, {.tv_sec = 1000000000}};
        char from[512];

        (void)state;
        write_text("agent.conf", "[Agent]\nMinUid=3\n");
        write_text("other", "[Agent]\nMinUid=4\n");
        assert_int_equal(utimensat(AT_FDCWD, path("agent.conf"), then, 0), 0);
        assert_int_equal(utimensat(AT_FDCWD, path("other"), then, 0), 0);
        settle();
        strcpy(from, path("other"));
        assert_int_equal(rename(from, path("agent.conf")), 0);
        assert_true(config_changed(config));
}

static void recently_changed_file_is_read_again(void **state) {
        (void)state;
        write_text("agent.conf", "[Agent]\nMinUid=3\n");
        load_well();
        assert_true(config_changed(config));
        settle();
        assert_false(config_changed(config));
}

static void fixed_file_ends_error(void **state) {
        (void)state;
        assert_refused("[Agent]\nMinUid=x\n", 2, "MinUid: invalid value 'x'");
        load_text("[Agent]\nMinUid=2\n");
        assert_int_equal(config->min_uid, 2);
}

static void long_path_leaves_room_for_cause(void **state) {
        char file[300];

        (void)state;
        (void)sprintf(file, "agent.conf.d/%0200d.conf", 0);
        write_text(file, "[Agent]\nDenyUsers=a,b\n");
        load();
        assert_non_null(config->error);
        assert_non_null(strstr(config->error, ":2: DenyUsers: invalid name 'a,b'"));
}

static void failed_call_leaves_no_partial_configuration(void **state) {
        unsigned errors = 0;
        bool failed = true;

        (void)state;
        write_text("agent.conf.d/1.conf", "[Agent]\nDenyUsers=mallory\nMinUid=7\n");
        write_text("agent.conf", "[Agent]\nDefaultTtl=30\nDenyUsers=root\nHostKeyFiles=/a\n");
        ahead_s = 60;
        for (int n = 0; failed; n++) {
                int r;

                config = NULL;
                until_failure = n;
                r = config_load(dir, NULL, NULL, &config);
                failed = until_failure < 0;
                until_failure = -1;
                if (r < 0) {
                        assert_int_equal(r, -ENOMEM);
                        assert_null(config);
                } else if (config->error) {
                        errors++;
                        assert_defaults();
                } else {
                        /* Not even what the files look like may be taken for known then. */
                        assert_int_equal(config_changed(config), failed);
                        assert_words(&config->deny_users, "root mallory");
                        assert_int_equal(config->min_uid, 7);
                }
                config_free(config);
        }
        config = NULL;
        assert_true(errors > 10);
}

static void free_accepts_null(void **state) {
        (void)state;
        config_free(NULL);
}

#define TEST(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void) {
        const struct CMUnitTest tests[] = {
                TEST(missing_files_mean_defaults),
                TEST(every_key_is_read),
                TEST(lists_add_up_and_last_value_wins),
                TEST(indented_line_continues_list),
                TEST(line_of_any_length_is_read),
                TEST(thousand_names_fit_one_line),
                TEST(longest_word_is_read),
                TEST(too_long_word_is_refused),
                TEST(long_comment_is_ignored),
                TEST(quoted_item_may_have_blanks),
                TEST(crlf_blanks_bom_and_missing_newline_are_accepted),
                TEST(unknown_keys_and_sections_are_warnings),
                TEST(warning_callback_is_optional),
                TEST(error_names_file_and_line),
                TEST(error_leaves_defaults),
                TEST(invalid_numbers_are_refused),
                TEST(default_ttl_is_compared_with_final_max_ttl),
                TEST(other_invalid_values_are_refused),
                TEST(name_that_cannot_exist_is_refused),
                TEST(empty_list_is_refused),
                TEST(comment_after_value_is_refused),
                TEST(line_without_key_is_refused),
                TEST(invalid_section_is_refused),
                TEST(control_characters_are_refused),
                TEST(empty_file_and_dev_null_add_nothing),
                TEST(symlink_is_followed_and_dangling_one_refused),
                TEST(dangling_directory_symlink_is_refused),
                TEST(unsafe_owner_or_mode_is_refused),
                TEST(unreadable_file_is_refused),
                TEST(fifo_and_directory_are_refused),
                TEST(sizes_are_limited),
                TEST(file_is_read_within_its_bounds),
                TEST(edited_file_is_seen),
                TEST(new_and_removed_files_are_seen),
                TEST(changed_link_is_seen),
                TEST(chmod_and_chown_are_seen),
                TEST(files_are_read_again_after_error),
                TEST(replaced_file_of_same_size_and_time_is_seen),
                TEST(recently_changed_file_is_read_again),
                TEST(fixed_file_ends_error),
                TEST(long_path_leaves_room_for_cause),
                TEST(failed_call_leaves_no_partial_configuration),
                TEST(free_accepts_null),
                TEST(credential_is_trusted_unless_it_is_turned_off),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
