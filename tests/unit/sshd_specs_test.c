/* SPDX-License-Identifier: Apache-2.0 */
#include "admin/sshd/sshd_specs.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "tests/unit/sshd_world.h"

static const struct own_files none;
static char why[SSHD_WHY_MAX];

static void find(const char *user, struct sshd_specs *ret) {
        assert_int_equal(sshd_specs_find(NULL, &none, user, ret, why), 0);
}

static const char *text_of(const struct sshd_specs *specs, const char *about) {
        for (size_t i = 0; i < specs->text.n; i++)
                if (strcmp(specs->about.item[i], about) == 0)
                        return specs->text.item[i];
        return NULL;
}

/* Of one Match line: what is asked; NULL: why nothing is. */
static void assert_match(const char *condition, const char *text, const char *not_compared) {
        char lines[512], about[512], expected[512];
        struct sshd_specs specs;

        (void)snprintf(lines, sizeof(lines), "Match %s\n", condition);
        (void)snprintf(about, sizeof(about), "Match %s", condition);
        world_reset(lines);
        find(NULL, &specs);
        if (text) {
                assert_non_null(text_of(&specs, about));
                assert_string_equal(text_of(&specs, about), text);
                assert_int_equal(specs.not_compared.n, 0);
        } else {
                assert_null(text_of(&specs, about));
                assert_int_equal(specs.not_compared.n, 1);
                (void)snprintf(expected, sizeof(expected), "/etc/ssh/sshd_config line 2: \"Match %s\": %s", condition,
                               not_compared);
                assert_string_equal(specs.not_compared.item[0], expected);
        }
        sshd_specs_clear(&specs);
}

static void without_a_match_line_nobody_is_asked_about(void **state) {
        struct sshd_specs specs;

        (void)state;
        world_reset("AllowUsers alice\n");
        find("alice", &specs);
        assert_int_equal(specs.text.n, 0);
        sshd_specs_clear(&specs);
        world_remove("/etc/ssh/sshd_config");
        assert_int_equal(sshd_specs_find(NULL, &none, NULL, &specs, why), -ENOENT);
}

static void root_and_32_login_users_are_asked_about(void **state) {
        char text[4096] = "root:x:0:0::/:\ndaemon:x:1:1::/:\nnobody:x:65534:65534::/:\n";
        struct sshd_specs specs;

        (void)state;
        world_reset("Match User x\n");
        find("alice", &specs);
        assert_int_equal(specs.n_users, 2);
        assert_string_equal(specs.about.item[0], "user alice");
        assert_string_equal(specs.text.item[0],
                            "user=alice,host=localhost,addr=127.0.0.1,laddr=127.0.0.1,lport=22,rdomain=");
        assert_string_equal(specs.about.item[1], "user root");
        sshd_specs_clear(&specs);
        for (int i = 0; i < 40; i++)
                (void)snprintf(text + strlen(text), 64, "u%d:x:%d:100::/:\n", i, 1000 + i);
        world_write("/usr/sbin/many", text);
        assert_int_equal(mount("/usr/sbin/many", "/etc/passwd", NULL, MS_BIND, NULL), 0);
        /* Those first that a line names. */
        world_write("/run/test/says-too",
                    "allowusers u38@192.0.2.*,10.0.0.1\nallowusers none*\ndenyusers u39\ndenyusers d@ex@192.0.2.1\n");
        find(NULL, &specs);
        assert_int_equal(umount("/etc/passwd"), 0);
        assert_int_equal(specs.n_users, SPECS_USERS_MAX);
        assert_string_equal(specs.about.item[0], "user root");
        assert_string_equal(specs.about.item[1], "Match User x");
        assert_string_equal(specs.about.item[2], "user u38");
        assert_string_equal(specs.about.item[3], "user none");
        assert_string_equal(specs.about.item[4], "user u39");
        assert_string_equal(specs.about.item[5], "user d");
        assert_string_equal(specs.about.item[6], "user d@ex");
        assert_string_equal(specs.about.item[7], "user u0");
        assert_null(text_of(&specs, "user u35"));
        sshd_specs_clear(&specs);
}

static void a_match_line_is_met_in_all_that_it_asks_for(void **state) {
        (void)state;
        assert_match("User bob,alice",
                     "user=alice,host=localhost,addr=127.0.0.1,laddr=127.0.0.1,lport=22,rdomain=", NULL);
        assert_match("User b?b-*", "user=bxb-,host=localhost,addr=127.0.0.1,laddr=127.0.0.1,lport=22,rdomain=", NULL);
        assert_match("User *,!root",
                     "user=nobody,host=localhost,addr=127.0.0.1,laddr=127.0.0.1,lport=22,rdomain=", NULL);
        assert_match(
                "user=alice Address 192.0.2.0/24,10.0.0.1 LocalAddress 2001:db8::/32 LocalPort 2222 Host *.example "
                "RDomain mgmt",
                "user=alice,host=.example,addr=192.0.2.0,laddr=2001:db8::,lport=2222,rdomain=mgmt", NULL);
        assert_match("Address *", "user=root,host=localhost,addr=127.0.0.1,laddr=127.0.0.1,lport=22,rdomain=", NULL);
}

static void a_group_is_met_by_a_member(void **state) {
        (void)state;
        world_write("/usr/sbin/group", "staff:x:50:alice\nops:x:51:nobody,alice\nprimary:x:1000:\nempty:x:52:\n");
        assert_int_equal(mount("/usr/sbin/group", "/etc/group", NULL, MS_BIND, NULL), 0);
        assert_match("Group staff", "user=alice,host=localhost,addr=127.0.0.1,laddr=127.0.0.1,lport=22,rdomain=", NULL);
        assert_match("Group primary",
                     "user=alice,host=localhost,addr=127.0.0.1,laddr=127.0.0.1,lport=22,rdomain=", NULL);
        assert_match("Group ops,!staff",
                     "user=nobody,host=localhost,addr=127.0.0.1,laddr=127.0.0.1,lport=22,rdomain=", NULL);
        assert_match("Group ops User a*",
                     "user=alice,host=localhost,addr=127.0.0.1,laddr=127.0.0.1,lport=22,rdomain=", NULL);
        assert_match("Group empty", NULL, "no user in /etc/passwd is in such a group");
        assert_match("Group staff User root", NULL, "no user in /etc/passwd is in such a group");
        assert_int_equal(umount("/etc/group"), 0);
}

static void what_cannot_be_met_is_not_compared(void **state) {
        struct sshd_specs specs;

        (void)state;
        assert_match("Exec /bin/true", NULL, "it asks for what cannot be given");
        assert_match("final", NULL, "it asks for what cannot be given");
        assert_match("User", NULL, "it cannot be read");
        for (size_t i = 0; i < 3; i++)
                assert_match((const char *const[]){"Group root Group staff", "Group=root Group=staff",
                                                   "User root Address 192.0.2.1 user=alice"}[i],
                             NULL, "it names one attribute twice, and both lists must be met");
        assert_match("User !alice", NULL, "it has no name to try");
        assert_match("Address !192.0.2.1", NULL, "it has no plain value to try");
        assert_match("Address 10.0.0.0/8,!10.0.0.0/24", NULL, "it has no plain value to try");
        assert_match("Host a,!a", NULL, "it has no plain value to try");
        /* A line in a file that another block includes asks for both. */
        world_reset("Match User alice\nInclude more\n");
        world_write("/etc/ssh/more", "Match Address 192.0.2.1\n");
        find(NULL, &specs);
        assert_non_null(text_of(&specs, "Match User alice"));
        assert_int_equal(specs.not_compared.n, 1);
        assert_string_equal(specs.not_compared.item[0],
                            "/etc/ssh/more line 1: \"Match Address 192.0.2.1\": it is in a file "
                            "that another Match line includes");
        sshd_specs_clear(&specs);
}

static void there_is_an_end_to_what_is_asked(void **state) {
        char lines[4096] = "";
        struct sshd_specs specs;

        (void)state;
        for (int i = 0; i < 100; i++)
                (void)snprintf(lines + strlen(lines), 32, "Match User u%d\n", i);
        world_reset(lines);
        find(NULL, &specs);
        assert_true(specs.text.n <= SPECS_MAX);
        assert_int_equal(specs.n_users, 2);
        assert_int_equal(specs.text.n - specs.n_users + specs.not_compared.n, 100);
        assert_non_null(strstr(specs.not_compared.item[0], "there are too many"));
        sshd_specs_clear(&specs);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(without_a_match_line_nobody_is_asked_about),
                cmocka_unit_test(root_and_32_login_users_are_asked_about),
                cmocka_unit_test(a_match_line_is_met_in_all_that_it_asks_for),
                cmocka_unit_test(a_group_is_met_by_a_member),
                cmocka_unit_test(what_cannot_be_met_is_not_compared),
                cmocka_unit_test(there_is_an_end_to_what_is_asked),
        };

        world_make();
        return cmocka_run_group_tests(tests, NULL, NULL);
}
