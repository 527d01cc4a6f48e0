/* SPDX-License-Identifier: Apache-2.0 */
#include "metadata/handover.h"

#include <stdio.h>
#include <string.h>

#include "wire/client.h"
#include "wire/refusal.h"

static void make_printable(char *text) {
        for (; *text; text++)
                if (*text < ' ' || *text > '~')
                        *text = '?';
}

/* One call on a connection of its own. `ret_reply` is filled for HANDOVER_DONE and HANDOVER_REFUSED, and the caller's to drop. */
static enum handover call(const char *socket, const char *method, json_t *parameters, struct client_reply *ret_reply,
                          char ret_why[static HANDOVER_WHY_MAX]) {
        enum client_result result;
        struct client client;

        result = client_connect(&client, socket, CLIENT_TIMEOUT_MS);
        if (result == CLIENT_DONE)
                result = client_call(&client, method, parameters, ret_reply);
        else
                json_decref(parameters);
        if (result == CLIENT_REFUSED) {
                const char *message = json_string_value(json_object_get(ret_reply->parameters, "message"));

                (void)snprintf(ret_why, HANDOVER_WHY_MAX, "%s: %s", ret_reply->error, message ? message : "refused");
                make_printable(ret_why);
        } else if (result != CLIENT_DONE)
                (void)snprintf(ret_why, HANDOVER_WHY_MAX, "%s", client.why);
        client_close(&client);
        return result == CLIENT_DONE      ? HANDOVER_DONE
               : result == CLIENT_REFUSED ? HANDOVER_REFUSED
                                          : HANDOVER_NOT_REACHED;
}

static json_t *texts_of(const struct answer_keys *keys) {
        json_t *list = json_array();
        char text[SSH_KEY_TEXT_MAX];

        for (size_t i = 0; i < keys->n; i++) {
                ssh_key_to_text(&keys->key[i], text);
                if (json_array_append_new(list, json_string(text)) < 0) {
                        json_decref(list);
                        return NULL;
                }
        }
        return list;
}

/* Which key was rejected; -1: that was not it. */
static int rejected_index(const struct client_reply *reply, const struct answer_keys *keys) {
        const json_t *index = json_object_get(reply->parameters, "index");

        if (strcmp(reply->error, VARLINK_INTERFACE ".KeyRejected") != 0 || !json_is_integer(index) ||
            json_integer_value(index) < 0 || json_integer_value(index) >= (json_int_t)keys->n)
                return -1;
        return (int)json_integer_value(index);
}

enum handover handover_keys(const char *socket, const struct answer_keys *keys, size_t *ret_n_rejected,
                            char ret_why[static HANDOVER_WHY_MAX]) {
        struct answer_keys left = *keys;
        struct client_reply reply;
        enum handover result;
        int index;

        *ret_n_rejected = 0;
        do {
                result = call(socket, VARLINK_INTERFACE ".SetLaunchKeys", json_pack("{so}", "keys", texts_of(&left)),
                              &reply, ret_why);
                if (result == HANDOVER_NOT_REACHED)
                        return result;
                index = result == HANDOVER_REFUSED ? rejected_index(&reply, &left) : -1;
                json_decref(reply.parameters);
                if (index >= 0) {
                        left.n--;
                        memmove(&left.key[index], &left.key[index + 1], (left.n - (size_t)index) * sizeof(left.key[0]));
                        (*ret_n_rejected)++;
                }
        } while (index >= 0);
        return result;
}

enum handover handover_instance_id(const char *socket, const char *id, char ret_why[static HANDOVER_WHY_MAX]) {
        struct client_reply reply;
        enum handover result;

        result = call(socket, VARLINK_INTERFACE ".SetInstanceId", json_pack("{ss}", "id", id), &reply, ret_why);
        if (result != HANDOVER_NOT_REACHED)
                json_decref(reply.parameters);
        return result;
}
