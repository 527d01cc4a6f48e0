/* SPDX-License-Identifier: Apache-2.0 */
#include "admin/doctor/selinux_denial.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

/* As the kernel and auditd of Debian 12 and 13 write them. */
#define AGENT "scontext=system_u:system_r:exc_instance_connect_t:s0"
#define SHADOW "tcontext=system_u:object_r:shadow_t:s0"
#define DENIED "avc:  denied  { read open } for  pid=415 comm=\"exc-instance-co\" name=\"shadow\" dev=\"vda\" ino=17 "
#define END_OF_IT " tclass=file permissive=0"

static struct selinux_denial denial;

static bool is_denial(const char *line) {
        denial = (struct selinux_denial){.domain = ""};
        return selinux_denial_parse(line, &denial);
}

static void line_of_the_kernel_is_taken_apart(void **state) {
        (void)state;
        assert_true(is_denial("audit: type=1400 audit(1796053213.340:23): " DENIED AGENT " " SHADOW END_OF_IT));
        assert_string_equal(denial.domain, "exc_instance_connect_t");
        assert_string_equal(denial.accesses, "read open");
        assert_string_equal(denial.class, "file");
        assert_string_equal(denial.target, "shadow_t");
}

static void line_of_auditd_is_taken_apart(void **state) {
        (void)state;
        assert_true(is_denial(
                "type=AVC msg=audit(1796053213.340:23): avc:  denied  { name_connect } for  pid=1 "
                "comm=\"exc-instance-co\" dest=22 scontext=system_u:system_r:exc_instance_connect_metadata_t:s0 "
                "tcontext=system_u:object_r:ssh_port_t:s0 tclass=tcp_socket permissive=0\n"));
        assert_string_equal(denial.domain, "exc_instance_connect_metadata_t");
        assert_string_equal(denial.accesses, "name_connect");
        assert_string_equal(denial.target, "ssh_port_t");
}

static void same_denials_are_the_same_bytes(void **state) {
        static const char line[] = DENIED AGENT " " SHADOW END_OF_IT;
        struct selinux_denial first, second;

        (void)state;
        memset(&first, 'x', sizeof(first));
        memset(&second, 'y', sizeof(second));
        assert_true(selinux_denial_parse(line, &first) && selinux_denial_parse(line, &second));
        assert_memory_equal(&first, &second, sizeof(first));
}

/* Without the labels of the module, sshd itself is denied. */
static void what_others_are_denied_at_our_types_counts(void **state) {
        (void)state;
        assert_true(is_denial("avc:  denied  { search } for  pid=1 comm=\"sshd\" "
                              "scontext=system_u:system_r:sshd_t:s0-s0:c0.c1023 "
                              "tcontext=system_u:object_r:exc_instance_connect_keys_t:s0 tclass=dir permissive=0"));
        assert_string_equal(denial.domain, "sshd_t");
        assert_false(is_denial("avc:  denied  { search } for  pid=1 comm=\"sshd\" scontext=system_u:system_r:sshd_t:s0 "
                               "tcontext=system_u:object_r:shadow_t:s0 tclass=dir permissive=0"));
}

static void what_was_not_denied_does_not_count(void **state) {
        (void)state;
        assert_false(is_denial("type=AVC msg=audit(1.0:1): " DENIED AGENT " " SHADOW " tclass=file permissive=1"));
        assert_false(is_denial("avc:  granted  { read } for  pid=1 comm=\"x\" " AGENT " " SHADOW END_OF_IT));
        assert_false(is_denial("type=SYSCALL msg=audit(1.0:1): comm=\"exc-instance-co\" subj=" AGENT));
}

static void damaged_lines_do_not_count(void **state) {
        static const char whole[] = DENIED AGENT " " SHADOW " tclass=file";
        char line[sizeof(whole)];

        (void)state;
        for (size_t n = 0; n < sizeof(whole) - 2; n++) {
                memcpy(line, whole, n);
                line[n] = '\0';
                if (is_denial(line))
                        assert_true(n > sizeof(whole) - sizeof("file"));
        }
        assert_false(is_denial("avc:  denied  { re\033[31m } for  pid=1 " AGENT " " SHADOW END_OF_IT));
        assert_false(is_denial("avc:  denied  { } for  pid=1 " AGENT " " SHADOW END_OF_IT));
        assert_false(is_denial(DENIED AGENT " " SHADOW " tclass=fi\033le permissive=0"));
        assert_false(is_denial(DENIED AGENT " tcontext=system_u:object_r:$(id) tclass=file permissive=0"));
        assert_false(is_denial(DENIED "scontext=exc_instance_connect_t " SHADOW END_OF_IT));
}

static void names_that_do_not_fit_do_not_count(void **state) {
        char line[512];

        (void)state;
        (void)snprintf(line, sizeof(line), DENIED AGENT " tcontext=system_u:object_r:%0*d:s0" END_OF_IT,
                       SELINUX_NAME_MAX - 1, 0);
        assert_true(is_denial(line));
        (void)snprintf(line, sizeof(line), DENIED AGENT " tcontext=system_u:object_r:%0*d:s0" END_OF_IT,
                       SELINUX_NAME_MAX, 0);
        assert_false(is_denial(line));
}

static void a_load_of_a_policy_is_recognized(void **state) {
        (void)state;
        assert_true(selinux_policy_was_loaded("type=MAC_POLICY_LOAD msg=audit(1.0:1): auid=0 ses=1 lsm=selinux res=1"));
        assert_true(selinux_policy_was_loaded("audit: type=1403 audit(1.0:1): auid=0 ses=1 lsm=selinux res=1"));
        assert_false(selinux_policy_was_loaded("audit: type=1400 audit(1.0:1): comm=\"type=MAC_POLICY_LOAD\""));
}

static void time_is_that_of_the_record(void **state) {
        (void)state;
        assert_int_equal(selinux_line_time("type=AVC msg=audit(1796053213.340:23): avc:"), 1796053213);
        assert_int_equal(selinux_line_time("type=AVC msg=audit(x): avc:"), -1);
        assert_int_equal(selinux_line_time("of a line that was cut"), -1);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(line_of_the_kernel_is_taken_apart),
                cmocka_unit_test(line_of_auditd_is_taken_apart),
                cmocka_unit_test(same_denials_are_the_same_bytes),
                cmocka_unit_test(what_others_are_denied_at_our_types_counts),
                cmocka_unit_test(what_was_not_denied_does_not_count),
                cmocka_unit_test(damaged_lines_do_not_count),
                cmocka_unit_test(names_that_do_not_fit_do_not_count),
                cmocka_unit_test(a_load_of_a_policy_is_recognized),
                cmocka_unit_test(time_is_that_of_the_record),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
