/* SPDX-License-Identifier: Apache-2.0 */
#include "cloud/api/client_address.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

static char address[REQUEST_ADDRESS_MAX];

static void last_element_counts(void **state) {
        static const char *const forwarded[][2] = {
                {"192.0.2.1", "192.0.2.1"},
                {" 192.0.2.1\t", "192.0.2.1"},
                {"10.0.0.1, 192.0.2.1", "192.0.2.1"},
                {"spoofed\", 192.0.2.1", "192.0.2.1"},
                {"192.0.2.1,2001:DB8:0::1", "2001:db8::1"},
                {"::ffff:192.0.2.1", "192.0.2.1"},
                {",192.0.2.1", "192.0.2.1"},
        };

        (void)state;
        for (size_t i = 0; i < sizeof(forwarded) / sizeof(forwarded[0]); i++) {
                assert_true(client_address_forwarded(forwarded[i][0], address));
                assert_string_equal(address, forwarded[i][1]);
        }
}

static void what_is_no_address_is_refused(void **state) {
        static const char *const refused[] = {
                "",
                " ",
                ",",
                "192.0.2.1,",
                "192.0.2.1, ",
                "unknown",
                "_hidden",
                "localhost",
                "192.0.2",
                "192.0.2.256",
                "127.1",
                "0300.0.2.1",
                "192.0.2.1:80",
                "[::1]",
                "[::1]:1",
                "fe80::1%eth0",
                "192.0.2.1 10.0.0.1",
                "1111:2222:3333:4444:5555:6666:7777:8888:9999:1111:1111",
        };

        (void)state;
        for (size_t i = 0; i < sizeof(refused) / sizeof(refused[0]); i++)
                if (client_address_forwarded(refused[i], address))
                        fail_msg("%s is taken", refused[i]);
}

static void peers_are_named(void **state) {
        struct sockaddr_storage peer = {.ss_family = AF_UNIX};
        struct sockaddr_in *v4 = (struct sockaddr_in *)&peer;
        struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)&peer;

        (void)state;
        client_address_peer(&peer, address);
        assert_string_equal(address, "");
        assert_true(client_address_local(&peer));
        v4->sin_family = AF_INET;
        v4->sin_addr.s_addr = htonl(0x7f000002);
        client_address_peer(&peer, address);
        assert_string_equal(address, "127.0.0.2");
        assert_true(client_address_local(&peer));
        v4->sin_addr.s_addr = htonl(0x80000001);
        assert_false(client_address_local(&peer));
        v6->sin6_family = AF_INET6;
        assert_int_equal(inet_pton(AF_INET6, "::1", &v6->sin6_addr), 1);
        assert_true(client_address_local(&peer));
        assert_int_equal(inet_pton(AF_INET6, "::ffff:127.0.0.1", &v6->sin6_addr), 1);
        client_address_peer(&peer, address);
        assert_string_equal(address, "127.0.0.1");
        assert_int_equal(inet_pton(AF_INET6, "::", &v6->sin6_addr), 1);
        assert_false(client_address_local(&peer));
}

static void one_client_cannot_have_many_v6_limits(void **state) {
        (void)state;
        client_address_group("2001:db8:1:2:3:4:5:6", address);
        assert_string_equal(address, "2001:db8:1:2::");
        client_address_group("2001:db8:1:2:ffff::", address);
        assert_string_equal(address, "2001:db8:1:2::");
        client_address_group("192.0.2.1", address);
        assert_string_equal(address, "192.0.2.1");
        client_address_group("", address);
        assert_string_equal(address, "");
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(last_element_counts),
                cmocka_unit_test(what_is_no_address_is_refused),
                cmocka_unit_test(peers_are_named),
                cmocka_unit_test(one_client_cannot_have_many_v6_limits),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
