/* SPDX-License-Identifier: Apache-2.0 */
#include "admin/sshd/sshd_clients.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "tests/unit/sshd_world.h"

#define ELSEWHERE "203.0.113.254"

static char why[SSHD_WHY_MAX];

static struct sshd_clients *ask(const char *lines, const char *user, const char *from) {
        struct sshd_clients *clients;

        world_reset(lines);
        assert_int_equal(sshd_clients_ask(NULL, user, from, 902, &clients, why), 0);
        for (size_t i = 0; i < clients->n; i++)
                assert_non_null(clients->client[i].effective);
        return clients;
}

static const struct sshd_client *find(const struct sshd_clients *clients, const char *about) {
        for (size_t i = 0; i < clients->n; i++)
                if (strcmp(clients->client[i].about, about) == 0)
                        return &clients->client[i];
        fail_msg("no client: %s", about);
        return NULL;
}

static void assert_value(const struct sshd_clients *clients, const char *about, enum match_attribute attribute,
                         const char *value) {
        assert_string_equal(find(clients, about)->value[attribute], value);
}

static void where_no_client_is_named_there_is_one(void **state) {
        struct sshd_clients *clients = ask("PubkeyAuthentication yes\nMatch User alice\nMatch all\n", "alice", NULL);

        (void)state;
        assert_int_equal(clients->n, 1);
        assert_false(clients->named);
        assert_value(clients, "any other client", MATCH_ADDRESS, ELSEWHERE);
        assert_value(clients, "any other client", MATCH_HOST, ELSEWHERE);
        assert_value(clients, "any other client", MATCH_LOCAL_PORT, "22");
        sshd_clients_free(clients);
        assert_int_equal(sshd_clients_ask(NULL, "a,b", NULL, 902, &clients, why), -EINVAL);
        assert_string_equal(why, "this login name cannot be asked about");
}

static void each_address_that_is_named_is_asked_about(void **state) {
        struct sshd_clients *clients =
                ask("Match User alice Address 192.0.2.0/24,198.51.100.7,2001:db8::/32,!192.0.2.9\n"
                    "Match address=10.1.*\n",
                    "alice", NULL);

        (void)state;
        assert_true(clients->named);
        assert_int_equal(clients->n, 6);
        assert_string_equal(clients->client[0].about, "any other client");
        assert_value(clients, "address 192.0.2.0/24", MATCH_ADDRESS, "192.0.2.0");
        assert_value(clients, "address 192.0.2.0/24", MATCH_HOST, "192.0.2.0");
        assert_value(clients, "address 198.51.100.7", MATCH_ADDRESS, "198.51.100.7");
        assert_value(clients, "address 2001:db8::/32", MATCH_ADDRESS, "2001:db8::");
        assert_value(clients, "address 192.0.2.9", MATCH_ADDRESS, "192.0.2.9");
        assert_value(clients, "address 10.1.*", MATCH_ADDRESS, "10.1.1.1");
        sshd_clients_free(clients);
}

static void a_client_of_a_network_is_in_no_narrower_one(void **state) {
        struct sshd_clients *clients = ask("Match Address 10.0.0.0/24\nMatch Address 10.0.0.0/8\n", "alice", NULL);

        (void)state;
        assert_int_equal(clients->n, 3);
        assert_value(clients, "address 10.0.0.0/24", MATCH_ADDRESS, "10.0.0.0");
        assert_value(clients, "address 10.0.0.0/8", MATCH_ADDRESS, "10.85.85.85");
        sshd_clients_free(clients);
        /* All but those. */
        clients = ask("Match Address *,!10.0.0.0/8\n", "alice", NULL);
        assert_int_equal(clients->n, 2);
        assert_value(clients, "address 10.0.0.0/8", MATCH_ADDRESS, "10.0.0.0");
        sshd_clients_free(clients);
        /* Nowhere else is an IPv4 client then. */
        clients = ask("Match Address 0.0.0.0/0\n", "alice", NULL);
        assert_value(clients, "any other client", MATCH_ADDRESS, "2001:db8:ffff::fffe");
        sshd_clients_free(clients);
        clients = ask("Match Address 203.0.113.0/24\n", "alice", NULL);
        assert_value(clients, "any other client", MATCH_ADDRESS, "198.51.100.254");
        sshd_clients_free(clients);
}

static void what_is_at_this_end_is_asked_about_too(void **state) {
        struct sshd_clients *clients;

        (void)state;
        world_reset("Match LocalPort 2222\nMatch LocalAddress 192.0.2.1 Address 10.0.0.0/8\nMatch RDomain mgmt\n");
        world_write("/run/test/says", "port 2200\nlistenaddress [::]:2200\nlistenaddress 0.0.0.0:2200\n");
        assert_int_equal(sshd_clients_ask(NULL, "alice", NULL, 902, &clients, why), 0);
        assert_int_equal(clients->n, 4);
        assert_value(clients, "any other client", MATCH_LOCAL_PORT, "2200");
        assert_value(clients, "any other client", MATCH_LOCAL_ADDRESS, ELSEWHERE);
        assert_value(clients, "local port 2222", MATCH_LOCAL_PORT, "2222");
        assert_value(clients, "address 10.0.0.0/8, local address 192.0.2.1", MATCH_LOCAL_ADDRESS, "192.0.2.1");
        assert_value(clients, "address 10.0.0.0/8, local address 192.0.2.1", MATCH_ADDRESS, "10.0.0.0");
        assert_value(clients, "routing domain mgmt", MATCH_RDOMAIN, "mgmt");
        sshd_clients_free(clients);
        world_write("/run/test/says", "listenaddress 192.0.2.1:22\n");
        assert_int_equal(sshd_clients_ask(NULL, "alice", NULL, 902, &clients, why), 0);
        assert_value(clients, "any other client", MATCH_LOCAL_ADDRESS, "192.0.2.1");
        sshd_clients_free(clients);
}

/* Without UseDNS sshd compares the address. */
static void a_client_has_a_name_where_sshd_looks_it_up(void **state) {
        struct sshd_clients *clients = ask("Match Host *.example.org,192.0.2.*\n", "alice", NULL);

        (void)state;
        assert_int_equal(clients->n, 2);
        assert_value(clients, "host 192.0.2.*", MATCH_HOST, "192.0.2.1");
        assert_value(clients, "host 192.0.2.*", MATCH_ADDRESS, "192.0.2.1");
        assert_int_equal(clients->not_asked.n, 0);
        sshd_clients_free(clients);
        world_reset("Match Host *.example.org\n");
        world_write("/run/test/says", "usedns yes\n");
        assert_int_equal(sshd_clients_ask(NULL, "alice", NULL, 902, &clients, why), 0);
        assert_int_equal(clients->n, 2);
        assert_value(clients, "host *.example.org", MATCH_HOST, ".example.org");
        assert_value(clients, "host *.example.org", MATCH_ADDRESS, ELSEWHERE);
        sshd_clients_free(clients);
}

static void lists_of_users_name_clients(void **state) {
        struct sshd_clients *clients;

        (void)state;
        world_reset("");
        world_write("/run/test/says",
                    "allowusers alice@192.0.2.0/24,198.51.100.7\nallowusers bob@10.0.0.1\nallowusers carol\n"
                    "denyusers *@*.example.org\ndenyusers a*@10.0.0.2\n");
        assert_int_equal(sshd_clients_ask(NULL, "alice", NULL, 902, &clients, why), 0);
        assert_true(clients->named);
        assert_int_equal(clients->n, 4);
        (void)find(clients, "address 192.0.2.0/24");
        (void)find(clients, "address 198.51.100.7");
        (void)find(clients, "address 10.0.0.2");
        sshd_clients_free(clients);
}

static void an_address_that_is_given_is_the_only_one(void **state) {
        struct sshd_clients *clients =
                ask("Match Address 10.0.0.0/8\nMatch Address 192.0.2.0/24 LocalPort 2222\n", "alice", "192.0.2.7");

        (void)state;
        assert_true(clients->named);
        assert_int_equal(clients->n, 2);
        assert_value(clients, "any other client", MATCH_ADDRESS, "192.0.2.7");
        assert_value(clients, "any other client", MATCH_HOST, "192.0.2.7");
        assert_string_equal(clients->client[1].value[MATCH_ADDRESS], "192.0.2.7");
        assert_string_equal(clients->client[1].value[MATCH_LOCAL_PORT], "2222");
        assert_string_equal(clients->client[1].about, "local port 2222");
        sshd_clients_free(clients);
}

static void what_cannot_be_asked_is_reported(void **state) {
        struct sshd_clients *clients = ask("Match Address office*\n", "alice", NULL);
        char lines[4096] = "";

        (void)state;
        assert_int_equal(clients->n, 1);
        assert_int_equal(clients->not_asked.n, 1);
        assert_string_equal(clients->not_asked.item[0], "Match Address office*: no client is known that meets it");
        sshd_clients_free(clients);
        for (int i = 0; i < 40; i++)
                (void)snprintf(lines + strlen(lines), 64, "Match Address 192.0.2.%d\n", i);
        clients = ask(lines, "alice", NULL);
        assert_int_equal(clients->n, SSHD_CLIENTS_MAX);
        assert_int_equal(clients->not_asked.n, 40 - (SSHD_CLIENTS_MAX - 1));
        assert_string_equal(clients->not_asked.item[0], "address 192.0.2.23: there are too many");
        sshd_clients_free(clients);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(where_no_client_is_named_there_is_one),
                cmocka_unit_test(each_address_that_is_named_is_asked_about),
                cmocka_unit_test(a_client_of_a_network_is_in_no_narrower_one),
                cmocka_unit_test(what_is_at_this_end_is_asked_about_too),
                cmocka_unit_test(a_client_has_a_name_where_sshd_looks_it_up),
                cmocka_unit_test(lists_of_users_name_clients),
                cmocka_unit_test(an_address_that_is_given_is_the_only_one),
                cmocka_unit_test(what_cannot_be_asked_is_reported),
        };

        world_make();
        return cmocka_run_group_tests(tests, NULL, NULL);
}
