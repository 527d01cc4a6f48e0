/* SPDX-License-Identifier: Apache-2.0 */
#include "authkeys-helper/identity.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "tests/unit/scratch.h"

/* What the children of a test report. */
static struct shared {
        atomic_uint done[1];
        int result[2];
        struct caller caller;
} *shared;

/* Runs `body` in a child and returns what it returned. */
static int in_child(int (*body)(void)) {
        pid_t child;
        int status;

        memset(shared, 0, sizeof(*shared));
        child = scratch_fork();
        if (child == 0) {
                shared->result[0] = body();
                scratch_exit(EXIT_SUCCESS);
        }
        assert_true(child > 0);
        assert_int_equal(waitpid(child, &status, 0), child);
        assert_int_equal(status, 0);
        return shared->result[0];
}

/* Field 22 of proc(5), found from the end: there is no parenthesis behind the name. */
static uint64_t own_start_ticks(void) {
        char text[4096], *at, *save = NULL;
        uint64_t value = 0;
        FILE *file = fopen("/proc/self/stat", "re");
        size_t n;

        assert_non_null(file);
        n = fread(text, 1, sizeof(text) - 1, file);
        text[n] = '\0';
        assert_int_equal(fclose(file), 0);
        at = text + n;
        while (*at != ')')
                at--;
        at = strtok_r(at + 1, " ", &save);
        for (int field = 3; field <= 22; field++) {
                assert_non_null(at);
                value = strtoull(at, NULL, 10);
                at = strtok_r(NULL, " ", &save);
        }
        return value;
}

static int look_at_parent(void) {
        caller_identify(&shared->caller);
        return shared->caller.result;
}

static void connection_is_the_parents_pid_and_start_time(void **state) {
        (void)state;
        assert_int_equal(in_child(look_at_parent), 0);
        assert_int_equal(shared->caller.id.pid, getpid());
        assert_int_equal(shared->caller.id.start_ticks, own_start_ticks());
        assert_true(shared->caller.id.start_ticks > 0);
}

static void odd_process_name_does_not_shift_the_start_time(void **state) {
        static const char *const names[] = {"a b", ") 1 (2) 3", "((((", "))))) ) ) )", ") S 1 2 3 4 5 6", "x\n) S 1 1"};
        uint64_t expected = own_start_ticks();
        char before[16];

        (void)state;
        assert_int_equal(prctl(PR_GET_NAME, before), 0);
        for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
                assert_int_equal(prctl(PR_SET_NAME, names[i]), 0);
                assert_int_equal(in_child(look_at_parent), 0);
                assert_int_equal(shared->caller.id.pid, getpid());
                assert_int_equal(shared->caller.id.start_ticks, expected);
        }
        assert_int_equal(prctl(PR_SET_NAME, before), 0);
}

/* The first process of a pid namespace: its parent is outside, and it adopts orphans. */
static int first_of_namespace(int (*body)(void)) {
        pid_t child;

        if (unshare(CLONE_NEWPID) < 0)
                return -errno;
        child = scratch_fork();
        if (child == 0) {
                shared->result[1] = body();
                scratch_exit(EXIT_SUCCESS);
        }
        return child > 0 && waitpid(child, NULL, 0) == child ? shared->result[1] : -ECHILD;
}

static int outside(void) {
        return first_of_namespace(look_at_parent);
}

static void parent_outside_of_the_namespace_is_none(void **state) {
        (void)state;
        assert_int_equal(in_child(outside), -ESRCH);
}

static int orphan(void) {
        pid_t parent = scratch_fork();

        if (parent == 0) {
                pid_t self = getpid();

                if (scratch_fork() == 0) {
                        while (getppid() == self)
                                (void)sched_yield();
                        shared->result[0] = look_at_parent();
                        atomic_store(&shared->done[0], 1);
                        scratch_exit(EXIT_SUCCESS);
                }
                scratch_exit(EXIT_SUCCESS);
        }
        while (atomic_load(&shared->done[0]) == 0)
                (void)sched_yield();
        while (wait(NULL) > 0)
                ;
        return shared->result[0];
}

static int orphan_in_namespace(void) {
        return first_of_namespace(orphan);
}

static void dead_parent_is_none(void **state) {
        (void)state;
        assert_int_equal(in_child(orphan_in_namespace), -ESRCH);
}

static int behind_hidepid(const char *options) {
        int r;

        scratch_mount_namespace();
        if (mount("proc", "/proc", "proc", MS_NOSUID | MS_NODEV | MS_NOEXEC, options) < 0)
                return -errno;
        scratch_become(SCRATCH_HELPER);
        r = look_at_parent();
        scratch_become(0);
        return r;
}

static int behind_hidepid_1(void) {
        return behind_hidepid("hidepid=1");
}

static int behind_hidepid_2(void) {
        return behind_hidepid("hidepid=2");
}

static int behind_no_hidepid(void) {
        return behind_hidepid("hidepid=0");
}

static void hidden_parent_is_not_a_dead_one(void **state) {
        (void)state;
        assert_int_equal(in_child(behind_hidepid_1), -EACCES);
        assert_int_equal(in_child(behind_hidepid_2), -EACCES);
        assert_int_equal(in_child(behind_no_hidepid), 0);
}

static void assert_text(const struct caller *caller, const char *expected) {
        char text[CALLER_TEXT_MAX];
        struct caller back;

        caller_to_text(caller, text);
        assert_string_equal(text, expected);
        assert_true(caller_from_text(text, &back));
        assert_int_equal(back.result, caller->result);
        assert_int_equal(back.id.pid, caller->id.pid);
        assert_int_equal(back.id.start_ticks, caller->id.start_ticks);
}

static void caller_is_text_and_comes_back(void **state) {
        (void)state;
        assert_text(&(struct caller){0, {4711, 812345}}, "4711:812345");
        assert_text(&(struct caller){0, {2, 0}}, "2:0");
        assert_text(&(struct caller){0, {UINT64_MAX, UINT64_MAX}}, "18446744073709551615:18446744073709551615");
        assert_text(&(struct caller){-EACCES, {0, 0}}, "errno:13");
        assert_text(&(struct caller){-ESRCH, {0, 0}}, "errno:3");
}

static void other_text_is_no_caller(void **state) {
        static const char *const texts[] = {
                "",
                ":",
                "4711",
                "4711:",
                ":1",
                "1:5",
                "0:5",
                "4711:5 ",
                " 4711:5",
                "4711: 5",
                "4711:5:6",
                "+4711:5",
                "-1:5",
                "4711:-5",
                "0x10:5",
                "4711:0x10",
                "errno:",
                "errno:0",
                "errno:-1",
                "errno:x",
                "errno:13 ",
                "errno",
                "Errno:13",
                "errno:4096",
                "18446744073709551616:1",
                "2:18446744073709551616",
        };

        (void)state;
        for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
                struct caller caller = {.result = 77};

                if (caller_from_text(texts[i], &caller))
                        fail_msg("\"%s\" is taken", texts[i]);
                assert_int_equal(caller.result, 77);
        }
}

static void sibling_is_next_to_the_program(void **state) {
        char directory[] = "/tmp/identity_test.XXXXXX", program[64], link[64], expected[64], sibling[PATH_MAX],
             name[PATH_MAX];
        int fd;

        (void)state;
        assert_non_null(mkdtemp(directory));
        (void)snprintf(program, sizeof(program), "%s/program", directory);
        (void)snprintf(link, sizeof(link), "%s.link", directory);
        (void)snprintf(expected, sizeof(expected), "%s/other", directory);
        fd = open(program, O_WRONLY | O_CREAT | O_CLOEXEC, 0755);
        assert_true(fd >= 0 && close(fd) == 0);
        assert_int_equal(symlink(program, link), 0);
        assert_int_equal(identity_sibling(program, "other", sibling), 0);
        assert_string_equal(sibling, expected);
        assert_int_equal(identity_sibling(link, "other", sibling), 0);
        assert_string_equal(sibling, expected);
        memset(name, 'x', sizeof(name));
        name[sizeof(name) - 1] = '\0';
        assert_int_equal(identity_sibling(program, name, sibling), -ENAMETOOLONG);
        assert_int_equal(unlink(link), 0);
        assert_int_equal(unlink(program), 0);
        assert_int_equal(identity_sibling(program, "other", sibling), -ENOENT);
        assert_int_equal(rmdir(directory), 0);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(connection_is_the_parents_pid_and_start_time),
                cmocka_unit_test(odd_process_name_does_not_shift_the_start_time),
                cmocka_unit_test(parent_outside_of_the_namespace_is_none),
                cmocka_unit_test(dead_parent_is_none),
                cmocka_unit_test(hidden_parent_is_not_a_dead_one),
                cmocka_unit_test(caller_is_text_and_comes_back),
                cmocka_unit_test(other_text_is_no_caller),
                cmocka_unit_test(sibling_is_next_to_the_program),
        };

        shared = mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
        if (shared == MAP_FAILED)
                return EXIT_FAILURE;
        return cmocka_run_group_tests(tests, NULL, NULL);
}
