# SPDX-License-Identifier: Apache-2.0
"""
cloud/api/openapi.json against the server: each operation, each response that it has, each error by name, each member of answers
and of requests. What the document says and the server never does fails, and the other way round.
"""

import json
import os
import pathlib
import resource
import sqlite3
import subprocess

import api
from contract import Contract, TREE
from recorded import new_key, recorded
from stand_ins import Fault

# Out of memory and the like, which nothing outside brings about.
NEVER = {"Internal"}

ADDRESSES = {"public_ipv4": "192.0.2.42", "private_ipv4": "10.0.0.42", "ipv6": "2001:db8::42", "port": 2222}
DOCUMENT = api.document({**api.allow("compute:instance:get"), "Sid": "s",
                         "Condition": {"IpAddress": {"exc:SourceIp": "10.0.0.0/8"}}})

# Of each operation a request that is right, where account a, token T (its id), policy p, instance 42 and key pair k exist.
REQUESTS = {
    "health": ("/healthz", None),
    "openapi": ("/openapi.json", None),
    "connect": ("/compute/instance/connect", {"vm_id": "42"}),
    "instances": ("/compute/instance", None),
    "instance": ("/compute/instance/42", None),
    "instance_put": ("/compute/instance/42", {"host": "hv1", "default_user": "alice"}),
    "instance_delete": ("/compute/instance/42", None),
    "accept_host_keys": ("/compute/instance/42/accept-host-keys", {}),
    "revoke": ("/compute/instance/42/revoke", {"user": "alice"}),
    "keypairs": ("/compute/keypair", None),
    "keypair_post": ("/compute/keypair", {"name": "k2", "type": "ed25519"}),
    "keypair": ("/compute/keypair/k", None),
    "keypair_delete": ("/compute/keypair/k", None),
    "accounts": ("/iam/account", None),
    "account_post": ("/iam/account", {"name": "a2"}),
    "account": ("/iam/account/a", None),
    "account_delete": ("/iam/account/a", None),
    "attach": ("/iam/account/a/policy/p", {}),
    "detach": ("/iam/account/a/policy/p", None),
    "tokens": ("/iam/token", None),
    "token_post": ("/iam/token", {"account": "a"}),
    "token": ("/iam/token/T", None),
    "token_delete": ("/iam/token/T", None),
    "policies": ("/iam/policy", None),
    "policy_post": ("/iam/policy", {"name": "p2", "document": DOCUMENT}),
    "policy": ("/iam/policy/p", None),
    "policy_put": ("/iam/policy/p", {"document": DOCUMENT}),
    "policy_delete": ("/iam/policy/p", None),
}

# The same, where nothing of that name exists.
ABSENT = {
    "connect": ("/compute/instance/connect", {"vm_id": "absent", "user": "alice"}),
    "instance": ("/compute/instance/absent", None),
    "instance_delete": ("/compute/instance/absent", None),
    "accept_host_keys": ("/compute/instance/absent/accept-host-keys", {}),
    "revoke": ("/compute/instance/absent/revoke", {"all": True}),
    "keypair": ("/compute/keypair/absent", None),
    "keypair_delete": ("/compute/keypair/absent", None),
    "account": ("/iam/account/absent", None),
    "account_delete": ("/iam/account/absent", None),
    "attach": ("/iam/account/a/policy/absent", {}),
    "detach": ("/iam/account/a/policy/absent", None),
    "token_post": ("/iam/token", {"account": "absent"}),
    "token": ("/iam/token/absent00", None),
    "token_delete": ("/iam/token/absent00", None),
    "policy": ("/iam/policy/absent", None),
    "policy_delete": ("/iam/policy/absent", None),
}


def _need(answer, status, error=None):
    assert (answer.status, answer.error) == (status, error), answer
    return answer


def _fill(server):
    """What REQUESTS needs."""
    _need(server.post("/compute/keypair", {"name": "k", "type": "ed25519"}), 201)
    _need(server.put("/compute/instance/42", {"host": "hv1", "default_user": "alice"}), 201)
    _need(server.post("/iam/account", {"name": "a"}), 201)
    _need(server.post("/iam/policy", {"name": "p", "document": DOCUMENT}), 201)
    server.token_id = _need(server.post("/iam/token", {"account": "a"}), 201).json["id"]


def _ask(server, operation, request, **more):
    path, body = request
    if operation.id in ("token", "token_delete"):
        path = path.replace("/T", f"/{getattr(server, 'token_id', 'absent00')}")
    return server.call(operation.method, path, body, **more)


# --- what succeeds ---------------------------------------------------------------------------------------------------


def _register(server):
    _need(server.get("/healthz", token=None), 200)
    assert _need(server.get("/openapi.json", token=None), 200).json == json.loads((TREE / "cloud/api/openapi.json").read_text())
    for name, more in ("work", {"type": "ed25519"}), ("old", {"type": "rsa"}), ("mine", {"public_key": new_key()}):
        _need(server.post("/compute/keypair", {"name": name, **more}), 201)
    _need(server.get("/compute/keypair/work"), 200)
    body = {"host": "hv1", "name": "web", "default_user": "alice", "addresses": ADDRESSES, "keypair": "work"}
    tag = _need(server.put("/compute/instance/42", body), 201).headers["ETag"]
    _need(server.put("/compute/instance/42", body, headers={"If-Match": tag}), 200)
    _need(server.put("/compute/instance/43", {"host": "hv1", "tunnel": True}, headers={"If-None-Match": "*"}), 201)
    api.eventually(lambda: server.get("/compute/instance/42").json["state"] == "reachable", "the host's report")
    for path in "instance", "instance?name=web", "keypair":
        _need(server.get(f"/compute/{path}"), 200)
    page = _need(server.get("/compute/instance?limit=1"), 200).json
    assert [one["id"] for one in page["items"]] == ["42"]
    page = _need(server.get(f"/compute/instance?limit=1&cursor={page['next']}"), 200).json
    assert [one["id"] for one in page["items"]] == ["43"]


def _connect(server):
    answer = _need(server.post("/compute/instance/connect", {"vm_id": 42}), 200).json
    assert answer["private_key"].startswith("-----BEGIN OPENSSH PRIVATE KEY-----\n") and answer["user"] == "alice"
    answer = _need(server.post("/compute/instance/connect", {
        "vm_id": "42", "user": "alice", "public_key": new_key() + " comment", "connections": 1, "ttl": 30,
        "source": ["10.0.0.0/8"], "restrict": True}), 200).json
    assert answer["private_key"] is None and answer["connections"] == 1
    answer = _need(server.post("/compute/instance/connect", {"vm_id": "42", "return_private_key": False}), 200).json
    assert answer["public_key"] is answer["known_hosts"] is None
    _need(server.post("/compute/instance/42/accept-host-keys"), 404, "NotFound")
    server.host.host_key = new_key()
    assert _need(server.post("/compute/instance/connect", {"vm_id": "42"}), 200).json["host_keys_changed"] is True
    _need(server.post("/compute/instance/42/accept-host-keys"), 204)
    for body in {"user": "alice"}, {"fingerprint": "SHA256:" + "A" * 43}, {"all": True}:
        assert _need(server.post("/compute/instance/42/revoke", body), 200).json["outcome"] == "done"
    server.host.faults["Deliver"] = Fault("GuestUnreachable")
    assert _need(server.post("/compute/instance/42/revoke", {"all": True}), 200).json["outcome"] == "unreachable"
    del server.host.faults["Deliver"]
    answer = _need(server.delete("/compute/keypair/work"), 200).json
    assert [one["id"] for one in answer["instances"]] == ["42"]


def _iam(server):
    _need(server.post("/iam/account", {"name": "ann@example.org"}), 201)
    tag = _need(server.post("/iam/policy", {"name": "get", "document": DOCUMENT}), 201).headers["ETag"]
    _need(server.put("/iam/policy/get", {"document": DOCUMENT}, headers={"If-Match": tag}), 200)
    _need(server.put("/iam/policy/new", {"document": DOCUMENT}), 201)
    assert _need(server.get("/iam/policy/get"), 200).json["document"] == DOCUMENT
    for status in 201, 200:
        _need(server.put("/iam/account/ann@example.org/policy/get"), status)
    assert _need(server.get("/iam/account/ann@example.org"), 200).json["policies"] == ["get"]
    token = _need(server.post("/iam/token", {"account": "ann@example.org", "expires_in": 60}), 201).json
    _need(server.get(f"/iam/token/{token['id']}"), 200)
    for path in "account", "account?limit=1", "token", "token?account=ann@example.org", "token?limit=1", "policy", "policy?limit=1":
        _need(server.get(f"/iam/{path}"), 200)
    _need(server.get("/compute/keypair?limit=1"), 200)
    _need(server.delete("/iam/account/ann@example.org/policy/get"), 204)
    _need(server.delete(f"/iam/token/{token['id']}"), 204)
    _need(server.delete("/iam/account/ann@example.org"), 204)
    _need(server.delete("/iam/policy/get"), 204)
    _need(server.delete("/compute/instance/43"), 204)


# --- what is refused -------------------------------------------------------------------------------------------------


def _each_refusal(server, contract):
    """Those that any operation of a kind has."""
    for operation in contract.operations.values():
        request = REQUESTS[operation.id]
        path, body = request
        _need(_ask(server, operation, (path + "?x=1", body)), 400, "InvalidRequest")
        if not operation.public:
            answer = _need(_ask(server, operation, request, token=None), 401, "Unauthenticated")
            assert answer.headers["WWW-Authenticate"] == "Bearer"
            _need(_ask(server, operation, request, token="exc_abcdefgh_" + "A" * 43), 401, "Unauthenticated")
        if 403 in operation.statuses:
            answer = _need(_ask(server, operation, request, token=server.nobody), 403, "AccessDenied")
            assert answer.json["resource"].startswith("exc:")
        if operation.body:
            _need(_ask(server, operation, (path, b" " * 65537)), 413, "ContentTooLarge")
            _need(_ask(server, operation, request, headers={"Content-Encoding": "gzip"}), 415, "UnsupportedMediaType")
        if 404 in operation.statuses:
            _need(_ask(server, operation, ABSENT[operation.id]), 404, "NotFound")
    _need(server.get("/nothing"), 404, "NotFound")
    _need(server.call("PATCH", "/healthz"), 405, "MethodNotAllowed")


def _conflicts(server):
    _need(server.post("/compute/keypair", {"name": "k", "type": "ed25519"}), 409, "Conflict")
    _need(server.put("/compute/instance/43", {"host": "hv1"}), 409, "Conflict")
    _need(server.post("/iam/account", {"name": "a"}), 409, "Conflict")
    _need(server.post("/iam/policy", {"name": "p", "document": DOCUMENT}), 409, "Conflict")
    _need(server.delete("/iam/policy/Admin"), 409, "Conflict")
    stale = {"If-Match": '"999999"'}
    _need(server.put("/compute/instance/42", {"host": "hv1"}, headers=stale), 412, "PreconditionFailed")
    _need(server.delete("/compute/instance/42", headers=stale), 412, "PreconditionFailed")
    _need(server.put("/iam/policy/p", {"document": DOCUMENT}, headers=stale), 412, "PreconditionFailed")
    _need(server.delete("/iam/policy/p", headers=stale), 412, "PreconditionFailed")


CONNECT_FAULTS = [
    ("signer", "SignPush", Fault("Denied", field="user"), 403, "SignerRefused"),
    ("signer", "SignPush", Fault("RateLimited", retryAfterMs=1500), 429, "TooManyRequests"),
    ("signer", "SignPush", Fault("KeyUnavailable"), 503, "SignerUnavailable"),
    ("host", "Deliver", Fault("GuestRefused", name="UserDenied"), 422, "GuestRefused"),
    ("host", "Deliver", Fault("GuestRefused", name="RateLimited", retryAfterMs=20), 429, "TooManyRequests"),
    ("host", "Deliver", Fault("Busy", retryAfterMs=20), 429, "TooManyRequests"),
    ("host", "Deliver", Fault("GuestUnreachable"), 502, "GuestUnreachable"),
    ("host", "Deliver", Fault("PermissionDenied"), 503, "HostUnreachable"),
    ("host", "Deliver", Fault("GuestTimeout"), 504, "GuestTimeout"),
]


def _connect_refusals(server):
    for peer, method, fault, status, error in CONNECT_FAULTS:
        faults = getattr(server, peer).faults
        faults[method] = fault
        _need(server.post("/compute/instance/connect", {"vm_id": "42"}), status, error)
        del faults[method]
    answer = server.host.Deliver

    def revoke_meanwhile(parameters):
        if ".revoke." in parameters["envelope"]["payloadType"]:  # of a connect before this, in the background
            return answer(parameters)
        server.host.Deliver = answer
        _need(server.post("/compute/instance/42/revoke", {"all": True}), 200)
        return answer(parameters)

    server.host.Deliver = revoke_meanwhile
    _need(server.post("/compute/instance/connect", {"vm_id": "42"}), 409, "Revoked")
    server.signer.faults["SignRevoke"] = Fault("Denied", field="instance")
    _need(server.post("/compute/instance/42/revoke", {"all": True}), 403, "SignerRefused")
    del server.signer.faults["SignRevoke"]
    server.host.faults["Deliver"] = Fault("GuestRefused", name="NoSuchUser")
    _need(server.post("/compute/instance/42/revoke", {"user": "x"}), 422, "GuestRefused")
    del server.host.faults["Deliver"]


def _without_audit(server, contract):
    """No file of the server's may grow."""
    resource.prlimit(server.process.pid, resource.RLIMIT_FSIZE, (1, 1))
    for operation in contract.operations.values():
        if 503 in operation.statuses and "AuditUnavailable" in operation.errors(503):
            _need(_ask(server, operation, REQUESTS[operation.id]), 503, "AuditUnavailable")


def _without_store(server, contract):
    with sqlite3.connect(server.database, timeout=60) as database:
        database.execute("DROP TABLE token")
        database.execute("DROP TABLE revocation")
    for operation in contract.operations.values():
        if 503 in operation.statuses:
            _need(_ask(server, operation, REQUESTS[operation.id]), 503, "StoreUnavailable")


def _too_often(server, contract):
    """Each operation from an address of its own."""
    for number, operation in enumerate(contract.operations.values()):
        headers = {"X-Forwarded-For": f"192.0.2.{number}"}
        for _ in range(100):
            answer = _ask(server, operation, ABSENT.get(operation.id, REQUESTS[operation.id]), headers=headers)
            if answer.status == 429:
                break
        _need(answer, 429, "TooManyRequests")


# --- the tests -------------------------------------------------------------------------------------------------------


def _missing(contract):
    for operation in contract.operations.values():
        for status, response in operation.statuses.items():
            if (operation.id, status) not in contract.seen and not (status >= 400 and operation.errors(status) <= NEVER):
                yield operation.id, status
            for error in operation.errors(status) if status >= 400 else ():
                if (operation.id, status, error) not in contract.seen and error not in NEVER:
                    yield operation.id, status, error
            assert response["description"]
    for schema, member in contract.answer_members():
        if (schema, member) not in contract.seen and schema not in NEVER:
            yield schema, member


def _openapi_core_tree():
    script = '. "$1/shell.sh"; . "$1/debian13.sh"; debian13_tree python3-openapi-core /usr/lib/python3/dist-packages/openapi_core'
    done = subprocess.run(["bash", "-c", script, "contract_test", TREE / "tests/lib"], check=True, text=True,
                          stdout=subprocess.PIPE, env={**os.environ, "EXC_BUILD": str(api.BUILD)})
    return pathlib.Path(done.stdout.strip())


def _check_by_openapi_core(exchanges):
    """A second judge, by python3-openapi-core of Debian 13 on the libraries of its own system."""
    tree = _openapi_core_tree()
    command, environment = [tree / "usr/bin/python3"], dict(os.environ)
    if tree != pathlib.Path("/"):
        (loader,) = tree.glob("usr/lib/*-linux-gnu/ld-linux-*.so.*")
        command = [loader, "--library-path", loader.parent, *command]
        environment["PYTHONHOME"] = tree / "usr"
    text = "".join(json.dumps(one) + "\n" for one in exchanges)
    done = subprocess.run([*command, "-B", TREE / "tests/api/openapi_core_check.py", TREE / "cloud/api/openapi.json"],
                          input=text, text=True, capture_output=True, env=environment, timeout=600)
    assert done.returncode == 0, done.stdout + done.stderr
    print("#", done.stdout.strip())


def each_response_is_as_described():
    api.START = "trap '' XFSZ; " + api.START
    contract, exchanges = Contract(), []
    assert REQUESTS.keys() == contract.operations.keys()
    with recorded() as server:
        _register(server)
        _connect(server)
        _iam(server)
        exchanges += server.exchanges
    with recorded() as server:
        _fill(server)
        _need(server.put("/compute/instance/43", {"host": "hv1"}), 201)
        _need(server.delete("/compute/instance/43"), 204)
        _each_refusal(server, contract)
        _conflicts(server)
        _connect_refusals(server)
        _without_audit(server, contract)
        exchanges += server.exchanges
    with recorded() as server:
        _fill(server)
        _without_store(server, contract)
        exchanges += server.exchanges
    with recorded("AddressLimit=1") as server:
        _too_often(server, contract)
        exchanges += server.exchanges
    for exchange in exchanges:
        contract.check(exchange)
    missing = list(_missing(contract))
    assert not missing, missing
    _check_by_openapi_core(exchanges)
    print(f"# {len(exchanges)} answers")


each_response_is_as_described.slow = True

# Among these each schema of a member finds some that it does not allow.
CANDIDATES = [None, True, 0, -1, 1.5, 2**53 + 1, "", " ", "x", "-x", "a b", "A*", "\u00e4", "\x01", "\x7f", "a/b", "x" * 65,
              "x" * 257, "x" * 9000, [], ["x"], [1], ["10.0.0.0/8"] * 17, [[]], {}, {"x": 1}]


def _variants(contract, operation):
    """Of the body's schema: (schema of an object, a body that is right)."""
    body = REQUESTS[operation.id][1]
    if "oneOf" not in operation.body:
        yield operation.body, body
        return
    for one in operation.body["oneOf"]:
        one = contract.resolve(one)
        yield one, {"name": "k2", "type": "rsa"} if "type" in one["properties"] else {"name": "k2", "public_key": new_key()}


def _assert_refused(server, operation, body, *fields):
    answer = _need(_ask(server, operation, (REQUESTS[operation.id][0], body)), 400, "InvalidRequest")
    assert answer.json["field"].split(".")[0] in fields, (answer, body)


def each_member_of_requests_is_checked():
    contract, n = Contract(), 0
    with recorded() as server:
        _fill(server)
        for operation in contract.operations.values():
            for schema, body in _variants(contract, operation) if operation.body else ():
                contract.validator(schema).validate(body)
                _assert_refused(server, operation, {**body, "unknown": 1}, "unknown")
                for member in schema.get("required", ()):
                    # Where a body has one of two members, either may be named.
                    _assert_refused(server, operation, {name: body[name] for name in body if name != member}, member, "type")
                for member, part in schema["properties"].items():
                    wrong = [one for one in CANDIDATES if not contract.validator(part).is_valid(one)]
                    assert len(wrong) > 5, (operation.id, member)
                    others = {} if operation.id == "revoke" else body
                    for one in wrong:
                        _assert_refused(server, operation, {**others, member: one}, member)
                        n += 1
        for exchange in server.exchanges:
            contract.check(exchange)
    print(f"# {n} values")


def each_query_parameter_is_checked():
    contract = Contract()
    with recorded() as server:
        lists = [one for one in contract.operations.values() if "parameters" in one.item and one.method == "GET"]
        assert {"instances", "keypairs", "accounts", "tokens", "policies"} == {one.id for one in lists}
        for operation in lists:
            names = [contract.resolve(one)["name"] for one in operation.item["parameters"]]
            assert names[-2:] == ["limit", "cursor"]
            for limit in "0", "1001", "x", "", "1.5", "-1":
                _assert_refused_query(server, operation, "limit", limit)
            _assert_refused_query(server, operation, "cursor", "x" * 65)
            for name in names:
                _need(server.get(f"{operation.path}?{name}={'1' if name == 'limit' else 'x'}"), 200)
        for exchange in server.exchanges:
            contract.check(exchange)


def _assert_refused_query(server, operation, name, value):
    answer = _need(server.get(f"{operation.path}?{name}={value}"), 400, "InvalidRequest")
    assert answer.json["field"] == name, answer
