/* SPDX-License-Identifier: Apache-2.0 */
#include "authkeys-helper/lookup.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "tests/unit/scratch.h"

#define MD5 "MD5:00:11:22:33:44:55:66:77:88:99:aa:bb:cc:dd:ee:ff"
#define WALL_S INT64_C(1700000000) /* 2023-11-14 22:13:20 UTC */

static char root[64];
static struct store agent = STORE_INIT, helper = STORE_INIT;
static const struct connection_id first = {100, 1}, second = {101, 1}, third = {102, 1};

/* What the last lookup said. */
static struct answer {
        int result;
        struct lookup found;
} *answer;

static int set_up(void **state) {
        char why[256];

        (void)state;
        scratch_mount_store("mode=0755,size=4m", root);
        scratch_become(SCRATCH_AGENT);
        if (store_open(root, STORE_AGENT, &agent, why) < 0)
                return -1;
        scratch_become(SCRATCH_HELPER);
        if (store_open(root, STORE_HELPER, &helper, why) < 0)
                return -1;
        scratch_become(0);
        return 0;
}

static int tear_down(void **state) {
        (void)state;
        scratch_become(0);
        store_close(&agent);
        store_close(&helper);
        scratch_unmount_store(root);
        return 0;
}

static void publish_as(const struct grant *grant, char id, char fingerprint) {
        struct store_key key = scratch_store_key(fingerprint);
        char name[STORE_ID_MAX];

        scratch_id(id, name);
        scratch_become(SCRATCH_AGENT);
        assert_int_equal(store_publish(&agent, name, grant, &key, 1), 0);
        scratch_become(0);
}

/* Received `age_s` ago. */
static void publish(const char *user, char id, char fingerprint, uint8_t connections, int64_t age_s) {
        struct grant grant = scratch_grant(user, connections, age_s);

        publish_as(&grant, id, fingerprint);
}

/* What sshd asks about the key of that fingerprint. */
static struct arguments asks(const char *user, char fingerprint) {
        static char text[STORE_FINGERPRINT_NAME_MAX + 7];
        char name[STORE_FINGERPRINT_NAME_MAX];

        scratch_fingerprint(fingerprint, name);
        store_fingerprint_text(name, text);
        return (struct arguments){
                .user = user, .fingerprint = text, .has_key = true, .key = scratch_key((uint8_t)fingerprint)};
}

static int look_up(const struct arguments *asked, const struct connection_id *who) {
        memset(answer, 0xa5, sizeof(*answer));
        scratch_become(SCRATCH_HELPER);
        answer->result = lookup_key(&helper, asked, who, &answer->found);
        scratch_become(0);
        return answer->result;
}

static int find(const char *user, char fingerprint, const struct connection_id *who) {
        struct arguments asked = asks(user, fingerprint);

        return look_up(&asked, who);
}

static void assert_found(char id, bool taken_now) {
        assert_int_equal(answer->result, LOOKUP_FOUND);
        assert_int_equal(answer->found.place.id[0], id);
        assert_int_equal(answer->found.first, taken_now);
}

static const char *key_path(const char *user, char fingerprint, char id) {
        static char path[256];
        char fingerprint_name[STORE_FINGERPRINT_NAME_MAX], id_name[STORE_ID_MAX];

        scratch_fingerprint(fingerprint, fingerprint_name);
        scratch_id(id, id_name);
        (void)snprintf(path, sizeof(path), "%s/keys/%s/%s/%s", root, user, fingerprint_name, id_name);
        return path;
}

static const char *claim_path(const char *user, char id) {
        static char path[256];
        char id_name[STORE_ID_MAX];

        scratch_id(id, id_name);
        (void)snprintf(path, sizeof(path), "%s/claims/%s/%s", root, user, id_name);
        return path;
}

static void a_connection_gets_its_key_and_gets_it_again(void **state) {
        struct ssh_key expected = scratch_key('A');

        (void)state;
        publish("ada", '1', 'A', 1, 0);
        assert_int_equal(find("ada", 'A', &first), LOOKUP_FOUND);
        assert_found('1', true);
        assert_string_equal(answer->found.grant.user, "ada");
        assert_memory_equal(answer->found.grant.key.blob, expected.blob, expected.blob_length);
        assert_string_equal(answer->found.place.user, "ada");
        assert_int_equal(answer->found.place.fingerprint[0], 'A');
        assert_int_equal(find("ada", 'A', &first), LOOKUP_FOUND);
        assert_found('1', false);
}

static void another_connection_gets_nothing_and_is_told_why(void **state) {
        (void)state;
        publish("ada", '1', 'A', 1, 0);
        assert_int_equal(find("ada", 'A', &first), LOOKUP_FOUND);
        assert_int_equal(find("ada", 'A', &second), LOOKUP_NO_SLOT);
        assert_string_equal(answer->found.grant.user, "ada");
        assert_string_equal(answer->found.place.user, "ada");
        assert_int_equal(answer->found.place.id[0], '1');
        assert_int_equal(find("ada", 'A', &first), LOOKUP_FOUND);
}

static void a_place_that_the_connection_has_comes_before_a_newer_grant(void **state) {
        (void)state;
        publish("ada", '1', 'A', 1, 20);
        assert_int_equal(find("ada", 'A', &first), LOOKUP_FOUND);
        publish("ada", '2', 'A', 1, 10);
        publish("ada", '3', 'A', 0, 0);
        assert_int_equal(find("ada", 'A', &first), LOOKUP_FOUND);
        assert_found('1', false);
}

static void the_newest_grant_with_a_free_place_is_taken(void **state) {
        (void)state;
        publish("ada", '2', 'A', 1, 10);
        publish("ada", '3', 'A', 1, 0);
        publish("ada", '1', 'A', 1, 20);
        assert_int_equal(find("ada", 'A', &first), LOOKUP_FOUND);
        assert_found('3', true);
        assert_int_equal(find("ada", 'A', &second), LOOKUP_FOUND);
        assert_found('2', true);
        assert_int_equal(find("ada", 'A', &third), LOOKUP_FOUND);
        assert_found('1', true);
        assert_int_equal(find("ada", 'A', &(struct connection_id){103, 1}), LOOKUP_NO_SLOT);
        assert_int_equal(answer->found.place.id[0], '3');
        assert_int_equal(find("ada", 'A', &second), LOOKUP_FOUND);
        assert_found('2', false);
}

static void the_order_holds_for_more_grants_than_are_looked_at(void **state) {
        enum { GRANTS = 80, LOOKED_AT = 64 };
        struct store_key key = scratch_store_key('A');

        (void)state;
        scratch_become(SCRATCH_AGENT);
        /* In an order that jumps to and fro: 37 has no divisor in common with 80. */
        for (unsigned i = 0; i < GRANTS; i++) {
                unsigned age = i * 37 % GRANTS;
                struct grant grant = scratch_grant("ada", 1, age);
                char id[STORE_ID_MAX];

                scratch_id('0', id);
                id[0] = "0123456789abcdef"[age / 16];
                id[1] = "0123456789abcdef"[age % 16];
                assert_int_equal(store_publish(&agent, id, &grant, &key, 1), 0);
        }
        for (unsigned i = 0; i < LOOKED_AT; i++) {
                assert_int_equal(find("ada", 'A', &(struct connection_id){1000 + i, 1}), LOOKUP_FOUND);
                assert_int_equal(answer->found.place.id[0], "0123456789abcdef"[i / 16]);
                assert_int_equal(answer->found.place.id[1], "0123456789abcdef"[i % 16]);
        }
        assert_int_equal(find("ada", 'A', &(struct connection_id){2000, 1}), LOOKUP_NO_SLOT);
}

static void a_grant_for_any_number_of_connections_serves_all(void **state) {
        (void)state;
        publish("ada", '1', 'A', 0, 0);
        for (unsigned i = 0; i < 3; i++) {
                assert_int_equal(find("ada", 'A', &first), LOOKUP_FOUND);
                assert_found('1', true);
                assert_int_equal(find("ada", 'A', &second), LOOKUP_FOUND);
        }
}

static void a_key_serves_its_own_user_alone(void **state) {
        (void)state;
        publish("ada", '1', 'A', 1, 0);
        assert_int_equal(find("bob", 'A', &first), LOOKUP_NOTHING);
        assert_int_equal(find("", 'A', &first), LOOKUP_NOTHING);
        assert_int_equal(find("Ada", 'A', &first), LOOKUP_NOTHING);
        assert_int_equal(find("ada/", 'A', &first), LOOKUP_NOTHING);
        assert_int_equal(find("..", 'A', &first), LOOKUP_NOTHING);
        assert_int_equal(find("ada", 'A', &first), LOOKUP_FOUND);
}

/* Two names of 256 bytes whose FNV-1a is the same, so that they share a folder. */
static void two_users_whose_names_share_a_folder_share_no_key(void **state) {
        static const char ends[2][15] = {
                "\046\155\061\012\120\035\355\052\071\012\203\015\035\003",
                "\046\120\106\027\133\072\347\031\032\006\217\026\037\071",
        };
        char users[2][GRANT_USER_MAX], names[2][STORE_USER_NAME_MAX];

        (void)state;
        for (size_t i = 0; i < 2; i++) {
                memset(users[i], 'a', 242);
                memcpy(users[i] + 242, ends[i], 15);
                assert_true(store_user_name(users[i], names[i]));
        }
        assert_string_equal(names[0], names[1]);
        assert_string_not_equal(users[0], users[1]);
        publish(users[0], '1', 'A', 0, 0);
        assert_int_equal(find(users[0], 'A', &first), LOOKUP_FOUND);
        assert_int_equal(find(users[1], 'A', &first), LOOKUP_NOTHING);
        {
                char *text = NULL;
                size_t length;
                FILE *to = open_memstream(&text, &length);

                scratch_become(SCRATCH_HELPER);
                assert_int_equal(lookup_list(&helper, users[1], false, to), 0);
                scratch_become(0);
                assert_int_equal(fclose(to), 0);
                assert_int_equal(length, 0);
                free(text);
        }
}

static void another_key_finds_nothing(void **state) {
        struct arguments asked = asks("ada", 'A');

        (void)state;
        publish("ada", '1', 'A', 1, 0);
        assert_int_equal(find("ada", 'B', &first), LOOKUP_NOTHING);
        /* The right fingerprint with another key, as if two keys had one. */
        asked.key = scratch_key('B');
        assert_int_equal(look_up(&asked, &first), LOOKUP_NOTHING);
        /* And the right key with another fingerprint: that is where the helper looks. */
        asked = asks("ada", 'B');
        asked.key = scratch_key('A');
        assert_int_equal(look_up(&asked, &first), LOOKUP_NOTHING);
}

static void a_key_is_found_by_its_fingerprint_alone(void **state) {
        struct arguments asked = asks("ada", 'A');

        (void)state;
        asked.has_key = false;
        publish("ada", '1', 'A', 1, 0);
        assert_int_equal(look_up(&asked, &first), LOOKUP_FOUND);
        assert_found('1', true);
}

static void another_kind_of_fingerprint_is_looked_through_by_the_key(void **state) {
        struct arguments asked = asks("ada", 'B');

        (void)state;
        asked.fingerprint = MD5;
        publish("ada", '1', 'A', 1, 0);
        publish("ada", '2', 'B', 1, 5);
        publish("ada", '3', 'C', 1, 0);
        assert_int_equal(look_up(&asked, &first), LOOKUP_FOUND);
        assert_found('2', true);
        asked.has_key = false;
        assert_int_equal(look_up(&asked, &first), LOOKUP_NOTHING);
}

static void a_key_that_cannot_be_ours_finds_nothing(void **state) {
        struct arguments asked = asks("ada", 'A');

        (void)state;
        asked.has_key = false;
        asked.foreign_key = true;
        publish("ada", '1', 'A', 0, 0);
        assert_int_equal(look_up(&asked, &first), LOOKUP_NOTHING);
}

static void a_dead_key_finds_nothing(void **state) {
        struct grant grant = scratch_grant("ada", 1, 10);

        (void)state;
        grant.life.boot_end_ns = grant.life.received.boot_ns + NS_PER_S;
        publish_as(&grant, '1', 'A');
        grant = scratch_grant("ada", 1, -30); /* received in the future */
        publish_as(&grant, '2', 'A');
        grant = scratch_grant("ada", 1, 10);
        grant.life.wall_end_ns = grant.life.received.wall_ns + NS_PER_S;
        publish_as(&grant, '3', 'A');
        grant = scratch_grant("ada", 1, 10);
        grant.life.received.wall_ns += 3600 * NS_PER_S; /* the clock was set back since */
        publish_as(&grant, '4', 'A');
        assert_int_equal(find("ada", 'A', &first), LOOKUP_NOTHING);
        publish("ada", '5', 'A', 1, 20);
        assert_int_equal(find("ada", 'A', &first), LOOKUP_FOUND);
        assert_found('5', true);
}

static void a_damaged_neighbour_hides_nothing(void **state) {
        struct arguments by_key = asks("ada", 'A');

        (void)state;
        by_key.fingerprint = MD5;
        publish("ada", '1', 'A', 1, 20);
        publish("ada", '2', 'A', 1, 0);
        publish("ada", '3', 'B', 1, 0);
        assert_int_equal(truncate(key_path("ada", 'A', '2'), 20), 0);
        assert_int_equal(unlink(key_path("ada", 'B', '3')), 0);
        assert_int_equal(mkfifo(key_path("ada", 'B', '3'), 0640), 0);
        assert_int_equal(find("ada", 'A', &first), LOOKUP_FOUND);
        assert_found('1', true);
        assert_int_equal(look_up(&by_key, &first), LOOKUP_FOUND);
        assert_found('1', false);
}

/* One that was revoked, or not yet stored as a whole, is not "used up". */
static void a_grant_without_its_claim_file_does_not_count(void **state) {
        (void)state;
        publish("ada", '1', 'A', 1, 0);
        publish("ada", '2', 'B', 0, 0);
        assert_int_equal(unlink(claim_path("ada", '1')), 0);
        assert_int_equal(unlink(claim_path("ada", '2')), 0);
        assert_int_equal(find("ada", 'A', &first), LOOKUP_NOTHING);
        assert_int_equal(find("ada", 'B', &first), LOOKUP_NOTHING);
}

static void a_claim_file_of_another_size_has_no_place(void **state) {
        (void)state;
        publish("ada", '1', 'A', 1, 0);
        assert_int_equal(truncate(claim_path("ada", '1'), 3 * CLAIM_SLOT_SIZE), 0);
        assert_int_equal(find("ada", 'A', &first), LOOKUP_NO_SLOT);
        assert_int_equal(truncate(claim_path("ada", '1'), 0), 0);
        assert_int_equal(find("ada", 'A', &first), LOOKUP_NO_SLOT);
}

static void a_claim_file_that_cannot_be_used_is_an_error_unless_another_grant_serves(void **state) {
        (void)state;
        publish("ada", '1', 'A', 1, 0);
        assert_int_equal(chmod(claim_path("ada", '1'), 0600), 0);
        assert_int_equal(find("ada", 'A', &first), -EBADMSG);
        publish("ada", '2', 'A', 1, 10);
        assert_int_equal(find("ada", 'A', &first), LOOKUP_FOUND);
        assert_found('2', true);
        assert_int_equal(find("ada", 'A', &second), LOOKUP_NO_SLOT);
        assert_int_equal(answer->found.place.id[0], '2');
}

static void a_store_that_cannot_be_read_is_an_error(void **state) {
        struct arguments asked = asks("ada", 'A');
        struct store closed = STORE_INIT;

        (void)state;
        assert_int_equal(lookup_key(&closed, &asked, &first, &answer->found), -EBADF);
}

/* Whether somebody waits for a lock of the file. */
static bool lock_awaited(const char *path) {
        FILE *locks = fopen("/proc/locks", "re");
        char line[256], inode[32];
        struct stat st;
        bool found = false;

        assert_non_null(locks);
        assert_int_equal(stat(path, &st), 0);
        (void)snprintf(inode, sizeof(inode), ":%lu ", (unsigned long)st.st_ino);
        while (fgets(line, sizeof(line), locks))
                if (strstr(line, "-> ") && strstr(line, "OFDLCK") && strstr(line, inode))
                        found = true;
        assert_int_equal(fclose(locks), 0);
        return found;
}

/* The newest grant is full and locked; while the lookup waits for it, the key of the next one is exchanged. */
static void the_key_that_was_compared_is_the_one_given_out(void **state) {
        struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
        char other[256];
        pid_t child;
        int fd, status;

        (void)state;
        publish("ada", '1', 'A', 1, 10);
        publish("ada", '2', 'A', 1, 0);
        publish("ada", '1', 'B', 1, 10);
        assert_int_equal(find("ada", 'A', &second), LOOKUP_FOUND);
        assert_found('2', true);

        fd = open(claim_path("ada", '2'), O_RDWR | O_CLOEXEC);
        assert_true(fd >= 0);
        assert_int_equal(fcntl(fd, F_OFD_SETLKW, &lock), 0);
        child = scratch_fork();
        if (child == 0) {
                (void)close(fd);
                (void)find("ada", 'A', &first);
                scratch_exit(EXIT_SUCCESS);
        }
        assert_true(child > 0);
        while (!lock_awaited(claim_path("ada", '2')))
                assert_int_equal(waitpid(child, &status, WNOHANG), 0);
        (void)snprintf(other, sizeof(other), "%s", key_path("ada", 'B', '1'));
        assert_int_equal(rename(other, key_path("ada", 'A', '1')), 0);
        assert_int_equal(close(fd), 0);
        assert_int_equal(waitpid(child, &status, 0), child);
        assert_int_equal(status, 0);
        assert_found('1', true);
        assert_int_equal(answer->found.grant.key.blob[19], 'A');
}

/* The same, and the next one is revoked meanwhile: its claim file goes first. */
static void a_grant_that_ends_meanwhile_is_not_given_out(void **state) {
        struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
        pid_t child;
        int fd, status;

        (void)state;
        publish("ada", '1', 'A', 1, 10);
        publish("ada", '2', 'A', 1, 0);
        assert_int_equal(find("ada", 'A', &second), LOOKUP_FOUND);
        assert_found('2', true);

        fd = open(claim_path("ada", '2'), O_RDWR | O_CLOEXEC);
        assert_true(fd >= 0);
        assert_int_equal(fcntl(fd, F_OFD_SETLKW, &lock), 0);
        child = scratch_fork();
        if (child == 0) {
                (void)close(fd);
                (void)find("ada", 'A', &first);
                scratch_exit(EXIT_SUCCESS);
        }
        assert_true(child > 0);
        while (!lock_awaited(claim_path("ada", '2')))
                assert_int_equal(waitpid(child, &status, WNOHANG), 0);
        assert_int_equal(unlink(claim_path("ada", '1')), 0);
        assert_int_equal(close(fd), 0);
        assert_int_equal(waitpid(child, &status, 0), child);
        assert_int_equal(status, 0);
        assert_int_equal(answer->result, LOOKUP_NO_SLOT);
        assert_int_equal(answer->found.place.id[0], '2');
}

/* Lines. */

static struct grant line_grant(void) {
        struct grant grant = {
                .user = "ada",
                .life = {{1000 * NS_PER_S, WALL_S * NS_PER_S}, 1060 * NS_PER_S, INT64_MAX, true},
                .key = scratch_key('A'),
                .principal = "nobody is to see this",
        };

        return grant;
}

static const struct instant line_now = {1000 * NS_PER_S, WALL_S *NS_PER_S};

#define KEY_TEXT "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIEFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFB\n"

static void assert_line(const struct grant *grant, const struct instant *now, bool expiry_time, const char *expected) {
        char line[LOOKUP_LINE_MAX];
        size_t length;

        memset(line, 0x5a, sizeof(line));
        length = lookup_line(grant, now, expiry_time, line);
        assert_int_equal(length, strlen(expected));
        if (length > 0)
                assert_string_equal(line, expected);
}

static void a_line_is_built_from_its_parts_alone(void **state) {
        struct grant grant = line_grant();

        (void)state;
        assert_line(&grant, &line_now, false, KEY_TEXT);
        assert_line(&grant, &line_now, true, "expiry-time=\"20231114221420Z\" " KEY_TEXT);
        grant.restricted = true;
        assert_line(&grant, &line_now, false, "restrict,pty " KEY_TEXT);
        assert_line(&grant, &line_now, true, "restrict,pty,expiry-time=\"20231114221420Z\" " KEY_TEXT);
        grant.n_sources = 1;
        assert_true(source_from_text("192.0.2.0/24", &grant.sources[0]));
        assert_true(source_from_text("2001:db8::1", &grant.sources[1]));
        assert_line(&grant, &line_now, false, "restrict,pty,from=\"192.0.2.0/24\" " KEY_TEXT);
        grant.n_sources = 2;
        assert_line(&grant, &line_now, true,
                    "restrict,pty,from=\"192.0.2.0/24,2001:db8::1\",expiry-time=\"20231114221420Z\" " KEY_TEXT);
        grant.restricted = false;
        assert_line(&grant, &line_now, false, "from=\"192.0.2.0/24,2001:db8::1\" " KEY_TEXT);
        assert_line(&grant, &line_now, true,
                    "from=\"192.0.2.0/24,2001:db8::1\",expiry-time=\"20231114221420Z\" " KEY_TEXT);
}

/* In UTC whatever the time zone is, and by the end that comes first. */
static void the_expiry_time_is_the_second_in_which_the_life_ends(void **state) {
        struct grant grant = line_grant();
        struct instant now = {1000 * NS_PER_S, WALL_S * NS_PER_S + NS_PER_S / 2};

        (void)state;
        assert_int_equal(setenv("TZ", "Asia/Kolkata", 1), 0);
        assert_line(&grant, &line_now, true, "expiry-time=\"20231114221420Z\" " KEY_TEXT);
        assert_line(&grant, &now, true, "expiry-time=\"20231114221420Z\" " KEY_TEXT);
        now.wall_ns += NS_PER_S / 2;
        assert_line(&grant, &now, true, "expiry-time=\"20231114221421Z\" " KEY_TEXT);
        grant.life.wall_end_ns = (WALL_S + 30) * NS_PER_S + 999999999;
        assert_line(&grant, &line_now, true, "expiry-time=\"20231114221350Z\" " KEY_TEXT);
        grant.life.boot_end_ns = 1010 * NS_PER_S;
        assert_line(&grant, &line_now, true, "expiry-time=\"20231114221330Z\" " KEY_TEXT);
        assert_int_equal(unsetenv("TZ"), 0);
}

/* Against the C library's calendar: each day of 2023 to 2025, leap days of centuries, and the last second of all. */
static void the_expiry_time_is_that_of_the_calendar(void **state) {
        static const int64_t others[] = {0,          951782399,  951782400,  951868800,
                                         4107542399, 4107542400, 7289654399, 9223372036};
        struct grant grant = line_grant();

        (void)state;
        grant.life.synchronized = false;
        for (int64_t i = 0; i < 3 * 365 + (int64_t)(sizeof(others) / sizeof(others[0])); i++) {
                time_t end = i < 3 * 365 ? 1672531200 + i * 86400 + i * 79 : others[i - 3 * 365];
                struct instant now = {grant.life.received.boot_ns, end * NS_PER_S};
                char expected[64], line[LOOKUP_LINE_MAX];
                struct tm utc;

                grant.life.boot_end_ns = now.boot_ns + 1;
                assert_non_null(gmtime_r(&end, &utc));
                assert_true(strftime(expected, sizeof(expected), "expiry-time=\"%Y%m%d%H%M%SZ\" ", &utc) > 0);
                assert_true(lookup_line(&grant, &now, true, line) > 0);
                assert_memory_equal(line, expected, strlen(expected));
        }
}

static void a_dead_grant_has_no_line(void **state) {
        struct grant grant = line_grant();
        struct instant now = {1060 * NS_PER_S - 1, (WALL_S + 60) * NS_PER_S};

        (void)state;
        assert_line(&grant, &now, false, KEY_TEXT);
        now.boot_ns++;
        assert_line(&grant, &now, false, "");
        assert_line(&grant, &now, true, "");
        now.boot_ns = 1000 * NS_PER_S - 1;
        assert_line(&grant, &now, false, "");
}

static void an_end_beyond_all_clocks_has_no_expiry_text(void **state) {
        struct grant grant = line_grant();

        (void)state;
        grant.life.boot_end_ns = INT64_MAX;
        assert_line(&grant, &line_now, false, KEY_TEXT);
        assert_line(&grant, &line_now, true, "");
}

static void the_longest_line_fits(void **state) {
        struct grant grant = line_grant();
        uint8_t raw[2048], modulus[1025];
        struct writer to = {.data = raw, .size = sizeof(raw)};
        char line[LOOKUP_LINE_MAX];
        size_t length;

        (void)state;
        memset(modulus, 0xff, sizeof(modulus));
        modulus[0] = 0;
        writer_text(&to, "ssh-rsa");
        writer_string(&to, "\0\xff\xff\xff\xff", 5);
        writer_string(&to, modulus, sizeof(modulus));
        assert_int_equal(ssh_key_from_blob(raw, to.used, &grant.key), SSH_KEY_OK);
        grant.restricted = true;
        grant.n_sources = GRANT_SOURCES_MAX;
        for (size_t i = 0; i < GRANT_SOURCES_MAX; i++)
                assert_true(source_from_text("ffff:ffff:ffff:ffff:ffff:ffff:ffff:fffe/127", &grant.sources[i]));
        length = lookup_line(&grant, &line_now, true, line);
        assert_in_range(length, 2000, LOOKUP_LINE_MAX - 1);
        assert_int_equal(line[length - 1], '\n');
        assert_int_equal(line[length], '\0');
        assert_ptr_equal(strchr(line, '\n'), line + length - 1);
}

/* Listing. */

static char *list(const char *user, bool expiry_time) {
        char *text = NULL;
        size_t length;
        FILE *to = open_memstream(&text, &length);

        assert_non_null(to);
        scratch_become(SCRATCH_HELPER);
        assert_int_equal(lookup_list(&helper, user, expiry_time, to), 0);
        scratch_become(0);
        assert_int_equal(fclose(to), 0);
        return text;
}

static void a_listing_shows_the_live_keys_of_one_user_and_takes_no_place(void **state) {
        struct grant dead = scratch_grant("ada", 1, 10);
        char *text;

        (void)state;
        dead.life.boot_end_ns = dead.life.received.boot_ns + 1;
        publish("ada", '1', 'A', 1, 0);
        publish("ada", '2', 'B', 1, 0);
        publish("bob", '3', 'C', 1, 0);
        publish_as(&dead, '4', 'D');
        publish("ada", '5', 'E', 1, 0);
        assert_int_equal(unlink(claim_path("ada", '5')), 0);
        publish("ada", '6', 'F', 1, 0);
        assert_int_equal(truncate(key_path("ada", 'F', '6'), 1), 0);

        text = list("ada", false);
        assert_int_equal(strlen(text), 2 * strlen(KEY_TEXT));
        assert_non_null(strstr(text, KEY_TEXT));
        free(text);
        text = list("ada", true);
        assert_non_null(strstr(text, "expiry-time=\""));
        free(text);
        text = list("eve", false);
        assert_string_equal(text, "");
        free(text);
        text = list("", false);
        assert_string_equal(text, "");
        free(text);
        assert_int_equal(find("ada", 'A', &first), LOOKUP_FOUND);
        assert_found('1', true);
}

#define LOOKUP_TEST(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void) {
        const struct CMUnitTest tests[] = {
                LOOKUP_TEST(a_connection_gets_its_key_and_gets_it_again),
                LOOKUP_TEST(another_connection_gets_nothing_and_is_told_why),
                LOOKUP_TEST(a_place_that_the_connection_has_comes_before_a_newer_grant),
                LOOKUP_TEST(the_newest_grant_with_a_free_place_is_taken),
                LOOKUP_TEST(the_order_holds_for_more_grants_than_are_looked_at),
                LOOKUP_TEST(a_grant_for_any_number_of_connections_serves_all),
                LOOKUP_TEST(a_key_serves_its_own_user_alone),
                LOOKUP_TEST(two_users_whose_names_share_a_folder_share_no_key),
                LOOKUP_TEST(another_key_finds_nothing),
                LOOKUP_TEST(a_key_is_found_by_its_fingerprint_alone),
                LOOKUP_TEST(another_kind_of_fingerprint_is_looked_through_by_the_key),
                LOOKUP_TEST(a_key_that_cannot_be_ours_finds_nothing),
                LOOKUP_TEST(a_dead_key_finds_nothing),
                LOOKUP_TEST(a_damaged_neighbour_hides_nothing),
                LOOKUP_TEST(a_grant_without_its_claim_file_does_not_count),
                LOOKUP_TEST(a_claim_file_of_another_size_has_no_place),
                LOOKUP_TEST(a_claim_file_that_cannot_be_used_is_an_error_unless_another_grant_serves),
                LOOKUP_TEST(a_store_that_cannot_be_read_is_an_error),
                LOOKUP_TEST(the_key_that_was_compared_is_the_one_given_out),
                LOOKUP_TEST(a_grant_that_ends_meanwhile_is_not_given_out),
                LOOKUP_TEST(a_listing_shows_the_live_keys_of_one_user_and_takes_no_place),
                cmocka_unit_test(a_line_is_built_from_its_parts_alone),
                cmocka_unit_test(the_expiry_time_is_the_second_in_which_the_life_ends),
                cmocka_unit_test(the_expiry_time_is_that_of_the_calendar),
                cmocka_unit_test(a_dead_grant_has_no_line),
                cmocka_unit_test(an_end_beyond_all_clocks_has_no_expiry_text),
                cmocka_unit_test(the_longest_line_fits),
        };

        answer = mmap(NULL, sizeof(*answer), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
        if (answer == MAP_FAILED)
                return EXIT_FAILURE;
        scratch_mount_namespace();
        return cmocka_run_group_tests(tests, NULL, NULL);
}
