/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How long signed pushes take. Each is of one new key, for the users bench0, bench1 and so on in turn, with a jti of
 * its own and no challenge; all are signed before the first is sent.
 *
 *   signed rate SOCKET SECRET AUD USERS PUSHES CONNECTIONS PID   PUSHES for each user over so many connections at once:
 *                                                                pushes a second of CPU time of the process PID, and
 *                                                                pushes a second
 *   signed each SOCKET SECRET AUD USERS PUSHES                   one after the other, each with a connection of its
 *   own:
 *                                                                median and 99th percentile, in nanoseconds
 *   signed forged SOCKET SECRET AUD                              succeeds when a push is refused whose signature is not
 *                                                                of a key that is trusted
 */
#include <openssl/evp.h>
#include <openssl/pem.h>

#include "tests/bench/message.h"
#include "wire/envelope.h"

enum { CONNECTIONS_MAX = 16, WINDOW = 8, LIFE_S = 300 };

struct batch {
        size_t n;
        struct {
                size_t length;
                char *text;
        } *call;
};

static EVP_PKEY *read_secret(const char *path) {
        FILE *file = fopen(path, "re");
        EVP_PKEY *key = file ? PEM_read_PrivateKey(file, NULL, NULL, NULL) : NULL;

        if (!key)
                die("%s is no secret key", path);
        (void)fclose(file);
        return key;
}

static void write_payload(char *ret, size_t size, const char *aud, size_t user) {
        long long now_s = time(NULL);
        char key[KEY_TEXT_MAX];
        uint64_t jti[2];

        if (getrandom(jti, sizeof(jti), 0) != sizeof(jti))
                die("no random bytes");
        write_key(key);
        (void)snprintf(ret, size,
                       "{\"aud\":\"%s\",\"user\":\"bench%zu\",\"keys\":[%s],\"iat\":%lld,\"exp\":%lld,"
                       "\"jti\":\"%016llx%016llx\"}",
                       aud, user, key, now_s, now_s + LIFE_S, (unsigned long long)jti[0], (unsigned long long)jti[1]);
}

static void sign(struct envelope *envelope, EVP_PKEY *key) {
        const char *digest = EVP_PKEY_is_a(key, "ED25519") ? NULL : "SHA256";
        uint8_t signature[ENVELOPE_SIGNATURE_MAX];
        EVP_MD_CTX *context = EVP_MD_CTX_new();
        size_t n = sizeof(signature);

        if (!context || EVP_DigestSignInit_ex(context, NULL, digest, NULL, NULL, key, NULL) != 1 ||
            EVP_DigestSign(context, signature, &n, envelope->pae, envelope->pae_length) != 1 ||
            envelope_add_signature(envelope, signature, n) < 0)
                die("cannot sign");
        EVP_MD_CTX_free(context);
}

static char *signed_call(EVP_PKEY *key, const char *aud, size_t user) {
        struct envelope envelope;
        char payload[1024], *text;
        json_t *call;

        write_payload(payload, sizeof(payload), aud, user);
        if (envelope_make(PUSH_PAYLOAD_TYPE, payload, strlen(payload), &envelope) < 0)
                die("cannot make an envelope");
        sign(&envelope, key);
        call = json_pack("{ss s{so}}", "method", VARLINK_INTERFACE ".Push", "parameters", "envelope",
                         envelope_to_json(&envelope));
        text = call ? json_dumps(call, JSON_COMPACT) : NULL;
        if (!text)
                die("no memory");
        json_decref(call);
        return text;
}

static struct batch sign_batch(const char *secret, const char *aud, size_t users, size_t pushes) {
        struct batch batch = {.n = users * pushes};
        EVP_PKEY *key = read_secret(secret);

        batch.call = calloc(batch.n, sizeof(*batch.call));
        if (!batch.call)
                die("no memory");
        for (size_t i = 0; i < batch.n; i++) {
                batch.call[i].text = signed_call(key, aud, i % users);
                batch.call[i].length = strlen(batch.call[i].text) + 1;
        }
        EVP_PKEY_free(key);
        return batch;
}

static int64_t cpu_ns(clockid_t clock) {
        struct timespec t;

        if (clock_gettime(clock, &t) < 0)
                die("the process has gone");
        return (int64_t)t.tv_sec * INT64_C(1000000000) + t.tv_nsec;
}

struct stream {
        int fd;
        size_t under_way, used;
        char text[MESSAGE_MAX];
};

/* Takes the answers that are there. */
static size_t take_answers(struct stream *stream) {
        ssize_t n = recv(stream->fd, stream->text + stream->used, sizeof(stream->text) - stream->used, MSG_DONTWAIT);
        size_t answers = 0, taken = 0;
        char *end;

        if (n < 0 && errno == EAGAIN)
                return 0;
        if (n <= 0)
                die("no answer");
        stream->used += (size_t)n;
        while ((end = memchr(stream->text + taken, '\0', stream->used - taken))) {
                must_be_done(stream->text + taken);
                taken = (size_t)(end - stream->text) + 1;
                answers++;
        }
        memmove(stream->text, stream->text + taken, stream->used - taken);
        stream->used -= taken;
        stream->under_way -= answers;
        return answers;
}

/*
 * Enough are under way at any time to keep the agent busy. The process that reads the answers is not woken by each of
 * them, since waking it would be work of the agent that does not belong to a push.
 */
static int rate(const struct sockaddr_un *agent, const struct batch *batch, size_t connections, pid_t pid) {
        static struct stream streams[CONNECTIONS_MAX];
        const struct timespec moment = {.tv_nsec = 1000 * 1000};
        size_t sent = 0, answered = 0;
        int64_t start, cpu_start, ns;
        clockid_t clock;

        if (connections > CONNECTIONS_MAX || clock_getcpuclockid(pid, &clock) != 0)
                die("too many connections, or there is no process %d", pid);
        for (size_t i = 0; i < connections; i++)
                streams[i].fd = connect_to(agent);

        start = now_ns();
        cpu_start = cpu_ns(clock);
        while (answered < batch->n) {
                for (size_t i = 0; i < connections; i++) {
                        answered += take_answers(&streams[i]);
                        for (; streams[i].under_way < WINDOW && sent < batch->n; streams[i].under_way++, sent++)
                                send_all(streams[i].fd, batch->call[sent].text, batch->call[sent].length);
                }
                (void)nanosleep(&moment, NULL);
        }
        ns = now_ns() - start;
        printf("%.0f %.0f\n", (double)batch->n * 1e9 / (double)(cpu_ns(clock) - cpu_start),
               (double)batch->n * 1e9 / (double)ns);
        return EXIT_SUCCESS;
}

static int each(const struct sockaddr_un *agent, const struct batch *batch) {
        int64_t *ns = calloc(batch->n, sizeof(*ns));
        struct message answer;

        if (!ns)
                die("no memory");
        for (size_t i = 0; i < batch->n; i++) {
                ns[i] = ask(agent, batch->call[i].text, batch->call[i].length, &answer);
                must_be_done(answer.text);
        }
        printf("%lld", (long long)median_ns(ns, batch->n));
        printf(" %lld\n", (long long)ns[batch->n * 99 / 100]);
        free(ns);
        return EXIT_SUCCESS;
}

static int forged(const struct sockaddr_un *agent, const struct batch *batch) {
        struct message answer;

        (void)ask(agent, batch->call[0].text, batch->call[0].length, &answer);
        errno = 0;
        if (!strstr(answer.text, VARLINK_INTERFACE ".BadSignature"))
                die("not refused for its signature: %s", answer.text);
        return EXIT_SUCCESS;
}

int main(int argc, char *argv[]) {
        struct sockaddr_un agent;
        struct batch batch;

        if (argc < 5)
                die("usage: signed rate SOCKET SECRET AUD USERS PUSHES CONNECTIONS PID | each SOCKET SECRET AUD USERS "
                    "PUSHES | forged SOCKET SECRET AUD");
        agent = address_of(argv[2]);
        batch = sign_batch(argv[3], argv[4], argc > 6 ? count_argument(argv[5]) : 1,
                           argc > 6 ? count_argument(argv[6]) : 1);
        if (strcmp(argv[1], "rate") == 0 && argc == 9)
                return rate(&agent, &batch, count_argument(argv[7]), (pid_t)count_argument(argv[8]));
        if (strcmp(argv[1], "each") == 0 && argc == 7)
                return each(&agent, &batch);
        if (strcmp(argv[1], "forged") == 0 && argc == 5)
                return forged(&agent, &batch);
        die("signed: what is asked for is not known");
}
