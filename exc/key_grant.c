/* SPDX-License-Identifier: Apache-2.0 */
#include "exc/key_grant.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <openssl/crypto.h>
#include <string.h>
#include <strings.h>
#include <sys/prctl.h>
#include <time.h>
#include <unistd.h>

#include "cli/output.h"
#include "cli/session.h"
#include "exc/problem.h"

enum { SECURE_HEAP_SIZE = 32 * 1024, SECURE_PIECE_MIN = 32 }; /* bytes; both are powers of two, as OpenSSL wants */

void key_grant_protect(void) {
        (void)prctl(PR_SET_DUMPABLE, 0);
        (void)CRYPTO_secure_malloc_init(SECURE_HEAP_SIZE, SECURE_PIECE_MIN);
}

/* --- addresses --------------------------------------------------------------------------------------------------- */

static const char *const address_words[CONNECT_ADDRESSES_MAX] = {"public", "private", "ipv6"};

static bool is_literal(const char *text) {
        struct in6_addr address;

        return inet_pton(AF_INET, text, &address) == 1 || inet_pton(AF_INET6, text, &address) == 1;
}

bool key_grant_take_address(const struct cli_option *option, const char *text, void *member) {
        (void)option;
        *(const char **)member = text;
        for (size_t i = 0; i < CONNECT_ADDRESSES_MAX; i++)
                if (strcmp(text, address_words[i]) == 0)
                        return true;
        return is_literal(text);
}

/* `asked`: a word, an address, or NULL for all that the register has. */
static void find_route(const struct connect_answer *answer, const char *asked, struct ssh_route *ret) {
        *ret = (struct ssh_route){.port = (int)answer->port};
        for (size_t i = 0; i < CONNECT_ADDRESSES_MAX; i++)
                if (answer->address[i][0] != '\0' && (!asked || strcmp(asked, address_words[i]) == 0))
                        ret->address[ret->n++] = answer->address[i];
        if (ret->n == 0 && asked && is_literal(asked))
                ret->address[ret->n++] = asked;
}

static int no_route(const struct key_grant *grant, const char *asked) {
        if (asked)
                complain("VM %s: it has no %s address; see exc compute instance show %s", grant->target.given, asked,
                         grant->answer.vm_id);
        else if (grant->answer.tunnel)
                complain("VM %s: it is reached by a tunnel alone; use the console, or name an address with --address",
                         grant->target.given);
        else
                complain(
                        "VM %s: it has no address in the register; name one with --address, or ask an administrator to "
                        "add it",
                        grant->target.given);
        return EXIT_GUEST_UNREACHABLE;
}

/* --- the request ------------------------------------------------------------------------------------------------- */

static json_t *make_body(const struct target *target, const char *key) {
        json_t *body = json_pack("{ss sI}", "vm_id", target->vm, "connections", (json_int_t)1);

        if (body && *target->user)
                (void)json_object_set_new(body, "user", json_string(target->user));
        if (body && key)
                (void)json_object_set_new(body, "public_key", json_string(key));
        return body;
}

/* What was refused for its number alone was not carried out: it may be sent again. Waits until then. */
static bool wait_for_turn(const struct options *options, int64_t until_ns, struct api_answer *answer) {
        struct timespec left = {.tv_sec = answer->retry_after};

        if (answer->end != API_REFUSED || strcmp(answer->error, "TooManyRequests") != 0 || left.tv_sec < 1 ||
            session_now_ns() + left.tv_sec * INT64_C(1000000000) > until_ns)
                return false;
        verbose(options, "too many requests: asking again in %ld s", answer->retry_after);
        while (nanosleep(&left, &left) < 0 && errno == EINTR)
                ;
        api_answer_clear(answer);
        return true;
}

static int ask(const struct options *options, struct api *api, struct key_grant *grant, const char *key, int patience_s,
               struct api_answer *ret) {
        int64_t until_ns = session_now_ns() + patience_s * INT64_C(1000000000);
        struct target *target = &grant->target;
        int status = target_prepare(api, options, target);
        bool ok;

        if (status != EXIT_DONE)
                return status;
        verbose(options, "VM %s: asking for a connection", target->given);
        do
                ok = api_call(api, "POST", "/compute/instance/connect", make_body(target, key), ret);
        while (!ok && (target_is_name(api, target, ret) || wait_for_turn(options, until_ns, ret)));
        return ok ? EXIT_DONE : target_report(options, api, target, ret);
}

/* The file is new, and readable for its owner alone. */
static int save(const char *path, const char *text) {
        int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600), r = fd < 0 ? -errno : 0;
        size_t n = strlen(text);

        if (r == 0 && write(fd, text, n) != (ssize_t)n)
                r = errno ? -errno : -EIO;
        if (fd >= 0 && close(fd) < 0 && r == 0)
                r = -errno;
        if (r == 0)
                return EXIT_DONE;
        complain("%s: cannot write the private key: %s", path, strerror(-r));
        return EXIT_OWN_FAILURE;
}

static int take(const struct options *options, const struct key_grant_want *want, const struct ssh_key *sent,
                json_t *body, struct key_grant *grant) {
        const struct connect_asked asked = {.vm_id = grant->target.vm, .key = sent};
        struct problem problem;
        struct refused why;

        if (!connect_answer_take(body, &asked, &grant->answer, &why)) {
                complain("the server's answer: %s; is the endpoint that of your cloud?", why.message);
                return EXIT_UNAVAILABLE;
        }
        if (grant->answer.host_keys_changed) {
                problem_of_host_keys(grant->target.given, &problem);
                return problem_print(options, &problem, NULL);
        }
        if (grant->answer.n_host_keys == 0) {
                complain("VM %s: it shows no SSH host keys, so it cannot be told from another machine; on the VM, run "
                         "exc-instance-connect doctor",
                         grant->target.given);
                return EXIT_GUEST_UNREACHABLE;
        }
        find_route(&grant->answer, options->address, &grant->route);
        if (grant->route.n == 0)
                return no_route(grant, options->address);
        return want->save_private ? save(want->save_private, json_string_value(json_object_get(body, "private_key")))
                                  : EXIT_DONE;
}

/* The pair that the agent's socket serves. */
static void adopt_pair(const struct key_grant_want *want, struct key_grant *grant) {
        if (!want->server_key)
                return;
        grant->pair = grant->answer.pair;
        grant->answer.pair = (struct key_pair){.private_half = NULL};
}

int key_grant_get(const struct options *options, struct api *api, const struct key_grant_want *want,
                  struct key_grant *ret) {
        struct api_answer answer = {.body = NULL};
        const struct ssh_key *sent = want->own_key;
        char key[SSH_KEY_TEXT_MAX];
        int status;

        if (!sent && !want->server_key) {
                if (key_pair_make(&ret->pair) < 0) {
                        complain("cannot make a key pair; try again");
                        return EXIT_OWN_FAILURE;
                }
                sent = &ret->pair.public_half;
        }
        if (sent)
                ssh_key_to_text(sent, key);
        status = ask(options, api, ret, sent ? key : NULL, want->patience_s, &answer);
        if (status == EXIT_DONE) {
                status = take(options, want, sent, answer.body, ret);
                adopt_pair(want, ret);
        }
        api_answer_clear(&answer);
        return status;
}

void key_grant_end(struct key_grant *grant) {
        key_pair_wipe(&grant->pair);
        connect_answer_wipe(&grant->answer);
}
