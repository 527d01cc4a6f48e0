/* SPDX-License-Identifier: Apache-2.0 */
/* Needs root: a configuration has to be root's. */
#include "host/config.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cmocka.h>

static char dir[64];
static char path_buffer[512];
static struct host_config config;
static size_t n_reports;
static char reports[8][1024];

static const char *path(const char *name) {
        (void)snprintf(path_buffer, sizeof(path_buffer), "%s/%s", dir, name);
        return path_buffer;
}

static int setup(void **state) {
        (void)state;
        strcpy(dir, "/tmp/host_config_test.XXXXXX");
        config = (struct host_config){.n_instances = 0};
        return mkdtemp(dir) && mkdir(path("vm.d"), 0755) == 0 ? 0 : -1;
}

static int teardown(void **state) {
        char command[128];

        (void)state;
        host_config_clear(&config);
        (void)snprintf(command, sizeof(command), "rm -rf '%s'", dir);
        return system(command);
}

static void write_text(const char *name, const char *text) {
        FILE *file = fopen(path(name), "w");

        assert_non_null(file);
        assert_true(fputs(text, file) >= 0);
        assert_int_equal(fclose(file), 0);
}

static void on_report(void *context, const char *text) {
        assert_ptr_equal(context, &config);
        assert_true(n_reports < 8);
        (void)snprintf(reports[n_reports++], sizeof(reports[0]), "%s", text);
}

static int load(void) {
        host_config_clear(&config);
        n_reports = 0;
        return host_config_load(dir, on_report, &config, &config);
}

/* The instances' ids, in the order of their files, with a blank after each. */
static const char *ids(void) {
        static char text[512];

        text[0] = '\0';
        for (size_t i = 0; i < config.n_instances; i++) {
                strcat(text, config.instances[i].id);
                strcat(text, " ");
        }
        return text;
}

static void assert_report(size_t i, const char *file, const char *cause) {
        assert_true(i < n_reports);
        if (!strstr(reports[i], path(file)) || !strstr(reports[i], cause))
                fail_msg("%s: expected of %s: %s", reports[i], file, cause);
}

static void nothing_configured_is_no_vm(void **state) {
        (void)state;
        write_text("host.conf", "[Host]\nName=h1\n");
        assert_int_equal(load(), 0);
        assert_int_equal(config.n_instances, 0);
        assert_string_equal(config.api_user, "");
        assert_int_equal(n_reports, 0);
}

static void each_key_is_read(void **state) {
        char text[256];

        (void)state;
        assert_int_equal(mkdir(path("others"), 0755), 0);
        (void)snprintf(text, sizeof(text),
                       "[Host]\nName=host-1.b\nVmDirectory=%s/others\nApiUser=root\nWaiting=20\n"
                       "WaitingPerGuest=0\n",
                       dir);
        write_text("host.conf", text);
        write_text("others/a.conf", "[Instance]\nId=42\nChannel=vsock:5\n");
        write_text("others/b.conf", "# a comment\n[Instance]\nChannel=hybrid:/run/b.vsock:900\nId=web.b-1\n");
        write_text("others/c.conf", "[Instance]\nId=c\nChannel=serial:/run/c.sock\n");
        write_text("others/d.conf", "[Instance]\nId=d\nChannel=unix:/run/d.sock\n");
        assert_int_equal(load(), 0);
        assert_string_equal(config.name, "host-1.b");
        assert_string_equal(config.api_user, "root");
        assert_int_equal(config.limits.waiting, 20);
        assert_int_equal(config.limits.guest_waiting, 0);
        assert_string_equal(ids(), "42 web.b-1 c d ");
        assert_int_equal(config.instances[0].address.kind, ADDRESS_VSOCK);
        assert_int_equal(config.instances[0].address.cid, 5);
        assert_int_equal(config.instances[1].address.kind, ADDRESS_HYBRID);
        assert_int_equal(config.instances[1].address.port, 900);
        assert_int_equal(config.instances[2].address.kind, ADDRESS_SERIAL);
        assert_int_equal(config.instances[3].address.kind, ADDRESS_UNIX);
}

static void wrong_main_file_is_an_error_with_its_line(void **state) {
        static const struct {
                const char *line, *cause;
        } bad[] = {
                {"Name=Big", "Name: invalid value 'Big'"},  {"Name=connect", "Name: invalid value"},
                {"VmDirectory=vm.d", "an absolute path"},   {"Waiting=0", "expected 1..200 calls"},
                {"ApiUser=a,b", "invalid name 'a,b'"},      {"ApiUser=", "invalid name ''"},
                {"WaitingPerGuest=101", "expected 0..100"},
        };

        (void)state;
        for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
                char text[256];

                (void)snprintf(text, sizeof(text), "[Host]\n%s\n", bad[i].line);
                write_text("host.conf", text);
                assert_int_equal(load(), -EINVAL);
                if (!strstr(config.error, "host.conf:2: ") || !strstr(config.error, bad[i].cause))
                        fail_msg("%s", config.error);
        }
}

static void vm_that_is_wrong_leaves_out_itself_alone(void **state) {
        static const struct {
                const char *text, *line, *cause;
        } bad[] = {
                {"[Instance]\nId=4 2\nChannel=vsock:5\n", "bad.conf:2", "Id: invalid value '4 2'"},
                {"[Instance]\nId=connect\nChannel=vsock:5\n", "bad.conf:2", "Id: invalid value"},
                {"[Instance]\nId=42\nChannel=vsock:2\n", "bad.conf:3", "the CID of a VM is 3 or more"},
                {"[Instance]\nId=42\nChannel=vsock:x\n", "bad.conf:3", "a CID is a number"},
                {"[Instance]\nId=42\nChannel=unix:relative\n", "bad.conf:3", "write an absolute path"},
                {"[Instance]\nId=42\nChannel=tcp:10.0.0.1\n", "bad.conf:3", "begins with none of"},
                {"[Instance]\nId=42\n", "bad.conf:", "Channel is missing"},
                {"[Instance]\nChannel=vsock:5\n", "bad.conf:", "Id is missing"},
                {"Id=42\n", "bad.conf:1", "key outside a section"},
        };

        (void)state;
        write_text("host.conf", "[Host]\nName=h1\n");
        write_text("vm.d/good.conf", "[Instance]\nId=good\nChannel=vsock:7\n");
        for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
                write_text("vm.d/bad.conf", bad[i].text);
                assert_int_equal(load(), 0);
                assert_string_equal(ids(), "good ");
                assert_int_equal(n_reports, 1);
                if (!strstr(reports[0], bad[i].line) || !strstr(reports[0], bad[i].cause))
                        fail_msg("%s", reports[0]);
        }
}

static void vm_file_of_another_owner_is_left_out(void **state) {
        (void)state;
        write_text("host.conf", "[Host]\nName=h1\n");
        write_text("vm.d/a.conf", "[Instance]\nId=a\nChannel=vsock:5\n");
        write_text("vm.d/b.conf", "[Instance]\nId=b\nChannel=vsock:6\n");
        assert_int_equal(chown(path("vm.d/a.conf"), 60001, 0), 0);
        assert_int_equal(load(), 0);
        assert_string_equal(ids(), "b ");
        assert_report(0, "vm.d/a.conf", "expected root");
        assert_int_equal(chmod(path("vm.d"), 0777), 0);
        assert_int_equal(load(), -EINVAL);
        assert_non_null(strstr(config.error, "writable by others"));
}

static void empty_file_turns_a_vm_off(void **state) {
        (void)state;
        write_text("host.conf", "[Host]\nName=h1\n");
        assert_int_equal(symlink("/dev/null", path("vm.d/a.conf")), 0);
        assert_int_equal(load(), 0);
        assert_int_equal(config.n_instances, 0);
        assert_int_equal(n_reports, 0);
}

static void same_id_twice_leaves_out_both(void **state) {
        (void)state;
        write_text("host.conf", "[Host]\nName=h1\n");
        write_text("vm.d/a.conf", "[Instance]\nId=42\nChannel=vsock:5\n");
        write_text("vm.d/b.conf", "[Instance]\nId=42\nChannel=vsock:6\n");
        write_text("vm.d/c.conf", "[Instance]\nId=43\nChannel=vsock:7\n");
        assert_int_equal(load(), 0);
        assert_string_equal(ids(), "43 ");
        assert_int_equal(n_reports, 1);
        assert_report(0, "vm.d/a.conf", "its Id");
        assert_report(0, "vm.d/b.conf", "both VMs are left out");
}

/* One VM under two ids would get the keys of both. */
static void same_channel_twice_leaves_out_both(void **state) {
        static const struct {
                const char *a, *b;
        } doubles[] = {
                {"vsock:5", "vsock:5"},
                {"vsock:5:842", "vsock:5:900"}, /* of one VM, whatever the port */
                {"hybrid:/run/x", "hybrid:/run/x:900"},
                {"unix:/run/x", "serial:/run/x"},
        };

        (void)state;
        write_text("host.conf", "[Host]\nName=h1\n");
        for (size_t i = 0; i < sizeof(doubles) / sizeof(doubles[0]); i++) {
                char text[256];

                (void)snprintf(text, sizeof(text), "[Instance]\nId=1\nChannel=%s\n", doubles[i].a);
                write_text("vm.d/a.conf", text);
                (void)snprintf(text, sizeof(text), "[Instance]\nId=2\nChannel=%s\n", doubles[i].b);
                write_text("vm.d/b.conf", text);
                assert_int_equal(load(), 0);
                assert_int_equal(config.n_instances, 0);
                assert_int_equal(n_reports, 1);
                assert_report(0, "vm.d/a.conf", "its Channel");
                assert_report(0, "vm.d/b.conf", "its Channel");
        }
}

static void other_path_to_the_same_socket_is_the_same_channel(void **state) {
        struct sockaddr_un at = {.sun_family = AF_UNIX};
        int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
        char text[256];

        (void)state;
        (void)snprintf(at.sun_path, sizeof(at.sun_path), "%s/socket", dir);
        assert_int_equal(bind(fd, (struct sockaddr *)&at, sizeof(at)), 0);
        assert_int_equal(symlink("socket", path("link")), 0);
        write_text("host.conf", "[Host]\nName=h1\n");
        (void)snprintf(text, sizeof(text), "[Instance]\nId=1\nChannel=unix:%s/socket\n", dir);
        write_text("vm.d/a.conf", text);
        (void)snprintf(text, sizeof(text), "[Instance]\nId=2\nChannel=unix:%s/link\n", dir);
        write_text("vm.d/b.conf", text);
        assert_int_equal(load(), 0);
        assert_int_equal(config.n_instances, 0);
        assert_int_equal(n_reports, 1);
        (void)close(fd);
}

static void unknown_key_is_reported_and_ignored(void **state) {
        (void)state;
        write_text("host.conf", "[Host]\nName=h1\n");
        write_text("vm.d/a.conf", "[Instance]\nId=1\nColour=red\nChannel=vsock:5\n");
        assert_int_equal(load(), 0);
        assert_string_equal(ids(), "1 ");
        assert_report(0, "vm.d/a.conf", ":3: unknown key Colour");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void) {
        const struct CMUnitTest tests[] = {
                TEST(nothing_configured_is_no_vm),
                TEST(each_key_is_read),
                TEST(wrong_main_file_is_an_error_with_its_line),
                TEST(vm_that_is_wrong_leaves_out_itself_alone),
                TEST(vm_file_of_another_owner_is_left_out),
                TEST(empty_file_turns_a_vm_off),
                TEST(same_id_twice_leaves_out_both),
                TEST(same_channel_twice_leaves_out_both),
                TEST(other_path_to_the_same_socket_is_the_same_channel),
                TEST(unknown_key_is_reported_and_ignored),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
