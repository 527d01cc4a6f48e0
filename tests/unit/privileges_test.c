/* SPDX-License-Identifier: Apache-2.0 */
/* What a process of root's has left. The tests run as root. */
#include "confine/privileges.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "tests/unit/scratch.h"

/* In hexadecimal, from /proc/self/status; ULONG_MAX: it is not there. */
static unsigned long status_field(const char *name) {
        FILE *file = fopen("/proc/self/status", "re");
        unsigned long found = (unsigned long)-1;
        char line[256];

        while (file && fgets(line, sizeof(line), file))
                if (strncmp(line, name, strlen(name)) == 0 && line[strlen(name)] == ':')
                        found = strtoul(line + strlen(name) + 1, NULL, 16);
        if (file)
                (void)fclose(file);
        return found;
}

/* 0, or the number of what is wrong. */
static int drop_as_root(void) {
        static const char *const sets[] = {"CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"};
        int fd = memfd_create("own", MFD_CLOEXEC);

        if (status_field("CapEff") == 0 || privileges_drop() != 0 || status_field("NoNewPrivs") != 1)
                return 1;
        for (int i = 0; i < 5; i++)
                if (status_field(sets[i]) != 0)
                        return 2 + i;
        return fchown(fd, 1, 1) < 0 && errno == EPERM ? 0 : 7;
}

static int drop_as_user(void) {
        if (setresuid(SCRATCH_OTHER, SCRATCH_OTHER, SCRATCH_OTHER) < 0 || status_field("CapEff") != 0)
                return 1;
        return privileges_drop() != 0 || status_field("NoNewPrivs") != 1 ? 2 : 0;
}

static int tries(int (*act)(void)) {
        pid_t pid = scratch_fork();
        int status;

        if (pid == 0)
                _exit(act());
        assert_true(pid > 0);
        assert_int_equal(waitpid(pid, &status, 0), pid);
        assert_true(WIFEXITED(status));
        return WEXITSTATUS(status);
}

static void root_has_no_capability_left(void **state) {
        (void)state;
        assert_int_equal(tries(drop_as_root), 0);
}

static void another_user_drops_what_it_can(void **state) {
        (void)state;
        assert_int_equal(tries(drop_as_user), 0);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(root_has_no_capability_left),
                cmocka_unit_test(another_user_drops_what_it_can),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
