/* SPDX-License-Identifier: Apache-2.0 */
#include "cloud/api/instance.h"

#include <stdio.h>
#include <string.h>

#include "cloud/api/auth.h"
#include "cloud/api/handlers.h"
#include "cloud/api/host_reports.h"
#include "cloud/api/member.h"
#include "cloud/api/precondition.h"
#include "wire/name.h"
#include "wire/vm_id.h"

/* --- answers -------------------------------------------------------------------------------------------------------- */

json_t *instance_addresses_json(const struct store_addresses *addresses) {
        return json_pack("{s:o, s:o, s:o, s:o}", "public_ipv4", member_text(addresses->public_ipv4), "private_ipv4",
                         member_text(addresses->private_ipv4), "ipv6", member_text(addresses->ipv6), "port",
                         addresses->port > 0 ? json_integer(addresses->port) : json_null());
}

static bool may_put(const struct request *request, const char *id) {
        char resource[sizeof(request->audit.resource)];

        (void)snprintf(resource, sizeof(resource), "exc:compute:instance/%s", id);
        return auth_evaluate(request, "compute:instance:put", resource, NULL, NULL) == POLICY_ALLOW;
}

json_t *instance_json(const struct request *request, const struct store_instance *instance) {
        json_t *answer = json_pack("{s:s, s:o, s:s, s:o, s:o, s:b, s:o}", "id", instance->id, "name",
                                   member_text(instance->name), "host", instance->host, "default_user",
                                   member_text(instance->default_user), "keypair", member_text(instance->keypair),
                                   "tunnel", (int)instance->tunnel, "created_at", request_time(instance->created));

        if (!answer || !may_put(request, instance->id))
                return answer;
        if (json_object_set_new(answer, "addresses", instance_addresses_json(&instance->addresses)) < 0 ||
            json_object_set_new(answer, "channel", member_text(instance->channel)) < 0 ||
            json_object_set_new(answer, "state", member_text(instance->state)) < 0) {
                json_decref(answer);
                return NULL;
        }
        return answer;
}

static const char *id_of(const struct request *request) {
        return request->target.segment[2];
}

/* --- get and delete ------------------------------------------------------------------------------------------------- */

void instance_get(struct request *request) {
        struct store_instance instance;
        enum store_result result;

        if (!authorise_instance(request, "compute:instance:get", id_of(request), NULL))
                return;
        result = store_instance_get(request->store, id_of(request), &instance);
        if (result != STORE_OK) {
                (void)request_refuse_store(request, result, "instance");
                return;
        }
        request_answer(request, 200, instance_json(request, &instance));
        request->etag = instance.version;
}

/* The version that the caller expects, and what there is, zeros for none. */
static bool expected(struct request *request, int64_t *ret) {
        struct store_instance current = {.version = 0};
        enum store_result result = STORE_OK;

        if (precondition_needs_current(request))
                result = store_instance_get(request->store, id_of(request), &current);
        if (result != STORE_OK && result != STORE_NOT_FOUND)
                return request_refuse_store(request, result, "instance");
        return precondition_expected(request, current.version, ret);
}

void instance_delete(struct request *request) {
        enum store_result result;
        int64_t version;

        if (!authorise_instance(request, "compute:instance:delete", id_of(request), NULL) ||
            !expected(request, &version))
                return;
        result = store_instance_delete(request->store, id_of(request), version);
        if (result == STORE_OK)
                request_answer_nothing(request);
        else
                (void)request_refuse_store(request, result, "instance");
}

/* --- put ------------------------------------------------------------------------------------------------------------ */

struct put {
        struct store_instance instance;
        json_t *addresses;
};

static enum refusal take_host(const struct json_dispatch_field *field, json_t *value, void *member,
                              struct refused *ret_why) {
        const char *text = json_string_value(value);

        if (!text || !name_plain_valid(text))
                return json_dispatch_refuse(field, ret_why);
        memcpy(member, text, strlen(text) + 1);
        return REFUSAL_NONE;
}

static const struct json_dispatch_field put_fields[] = {
        {"name", member_label, offsetof(struct put, instance.name), .expected = "1 to 256 bytes of text"},
        {"host", take_host, offsetof(struct put, instance.host), .required = true, .expected = MEMBER_NAME_EXPECTED},
        {"default_user", member_user, offsetof(struct put, instance.default_user),
         .expected = "a login name of 1 to 256 bytes that does not begin with '-'"},
        {"keypair", member_name, offsetof(struct put, instance.keypair), .expected = "the name of a key pair of yours"},
        {"addresses", member_object, offsetof(struct put, addresses), .expected = "an object of addresses"},
        {"tunnel", json_dispatch_boolean, offsetof(struct put, instance.tunnel), .expected = "a boolean"},
        {.name = NULL},
};

static const struct json_dispatch_field address_fields[] = {
        {"public_ipv4", member_ipv4, offsetof(struct store_addresses, public_ipv4), .expected = "an IPv4 address"},
        {"private_ipv4", member_ipv4, offsetof(struct store_addresses, private_ipv4), .expected = "an IPv4 address"},
        {"ipv6", member_ipv6, offsetof(struct store_addresses, ipv6), .expected = "an IPv6 address"},
        {"port", json_dispatch_integer, offsetof(struct store_addresses, port), .min = 1, .max = 65535,
         .expected = "1 to 65535"},
        {.name = NULL},
};

/* null is what answers have for what there is not, so that an answer can be edited and put. */
static bool take_addresses(struct request *request, struct put *put) {
        struct refused why = {.why = REFUSAL_NONE};
        char field[REQUEST_FIELD_MAX];
        const char *at_fault;

        if (!put->addresses)
                return true;
        at_fault = json_dispatch(put->addresses, address_fields,
                                 JSON_DISPATCH_REFUSE_UNKNOWN | JSON_DISPATCH_NULL_IS_ABSENT, &put->instance.addresses,
                                 &why);
        if (!at_fault)
                return true;
        (void)snprintf(field, sizeof(field), "addresses.%s", at_fault);
        return request_refuse_field(request, field, "addresses: %s", why.message);
}

static bool take_put(struct request *request, struct put *put) {
        if (!request_body(request, put_fields, put) || !take_addresses(request, put))
                return false;
        if (!vm_id_valid(id_of(request)))
                return request_refuse_field(
                        request, "id",
                        "id: expected a small letter or digit, then up to 63 small letters, digits, "
                        "'.', '_' or '-', and not connect");
        request_note_text(put->instance.id, sizeof(put->instance.id), id_of(request));
        request_note(request, host, put->instance.host);
        if (put->instance.keypair[0] != '\0')
                request_note_text(put->instance.keypair_account, sizeof(put->instance.keypair_account),
                                  request->account);
        return true;
}

void instance_put(struct request *request) {
        struct put put = {.addresses = NULL};
        enum store_result result;
        int64_t version;

        if (!authorise_instance(request, "compute:instance:put", id_of(request), NULL) || !take_put(request, &put) ||
            !expected(request, &version))
                return;
        result = store_instance_put(request->store, &put.instance, version, request->now, &version);
        if (result == STORE_INVALID) {
                (void)request_refuse_field(request, "keypair", "keypair: you have none of that name");
                return;
        }
        if (result == STORE_OK || result == STORE_CREATED) {
                int status = result == STORE_CREATED ? 201 : 200;

                /* With what was kept of an earlier one. */
                result = store_instance_get(request->store, put.instance.id, &put.instance);
                if (result == STORE_OK) {
                        if (put.instance.channel[0] == '\0')
                                host_reports_again(request->api->host_reports, put.instance.host);
                        request_answer(request, status, instance_json(request, &put.instance));
                        request->etag = version;
                        return;
                }
        }
        (void)request_refuse_store(request, result, "instance");
}

/* --- host keys ------------------------------------------------------------------------------------------------------ */

void instance_accept_host_keys(struct request *request) {
        static const struct json_dispatch_field none[] = {{.name = NULL}};
        struct store_instance instance;
        enum store_result result;

        if (!authorise_instance(request, "compute:instance:put", id_of(request), NULL) ||
            !request_body(request, none, NULL))
                return;
        result = store_instance_get(request->store, id_of(request), &instance);
        if (result == STORE_OK)
                result = store_host_keys_accept(request->store, id_of(request));
        if (result == STORE_OK)
                request_answer_nothing(request);
        else if (result == STORE_NOT_FOUND && instance.id[0] != '\0')
                (void)request_refuse(request, API_ERROR_NOT_FOUND, "host keys: none wait to be accepted");
        else
                (void)request_refuse_store(request, result, "instance");
}
