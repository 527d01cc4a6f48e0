# SPDX-License-Identifier: Apache-2.0
"""
cloud/api/openapi.json as a judge of answers: whether one is as the document has it, with nothing that the document does not
have, and which responses and members have been seen.
"""

import copy
import json
import pathlib
import re

import jsonschema

TREE = pathlib.Path(__file__).resolve().parent.parent.parent
METHODS = ("get", "put", "post", "delete")


def _close(value):
    """Members that the document does not have are faults here, other than for clients."""
    if isinstance(value, list):
        for item in value:
            _close(item)
    elif isinstance(value, dict):
        if "properties" in value and value.get("type") == "object":
            value.setdefault("additionalProperties", False)
        for item in value.values():
            _close(item)


class Operation:
    def __init__(self, contract, path, method, item):
        self.contract, self.path, self.method, self.item = contract, path, method, item
        self.id = item["operationId"]
        self.public = item.get("security") == []
        self.statuses = {int(status): contract.resolve(response) for status, response in item["responses"].items()}
        body = item.get("requestBody")
        self.body = body and contract.resolve(body["content"]["application/json"]["schema"])

    def errors(self, status):
        """The names of the errors that the status may be."""
        schema = self.statuses[status]["content"]["application/json"]["schema"]
        return {one["$ref"].rsplit("/", 1)[1] for one in schema.get("oneOf", [schema])}


class Contract:
    def __init__(self):
        self.document = json.loads((TREE / "cloud/api/openapi.json").read_text())
        self.strict = copy.deepcopy(self.document)
        _close(self.strict["components"]["schemas"])
        self.resolver = jsonschema.RefResolver("", self.strict)
        self.operations = {}
        for path, item in self.document["paths"].items():
            for method in METHODS:
                if method in item:
                    operation = Operation(self, path, method.upper(), item[method])
                    assert operation.id not in self.operations
                    self.operations[operation.id] = operation
        self.seen = set()  # (operation, status), (operation, status, error), (schema, member)

    def resolve(self, value, document=None):
        while "$ref" in value:
            at = document or self.document
            for part in value["$ref"].removeprefix("#/").split("/"):
                at = at[part]
            value = at
        return value

    def find(self, method, target):
        """The operation of a request: a literal path before one with parameters."""
        path = target.split("?")[0]
        found = [one for one in self.operations.values() if one.method == method and
                 re.fullmatch(re.sub(r"\{[^}]+\}", "[^/]+", one.path), path)]
        return min(found, key=lambda one: one.path.count("{")) if found else None

    def validator(self, schema):
        return jsonschema.Draft202012Validator(schema, resolver=self.resolver,
                                               format_checker=jsonschema.Draft202012Validator.FORMAT_CHECKER)

    def check(self, exchange):
        """An exchange of recorded.Recorded: AssertionError where it is not as the document has it."""
        operation = self.find(exchange["method"], exchange["path"])
        if not operation:
            # A path or a method that is not there.
            assert exchange["status"] in (400, 404, 405), exchange
            response = self.document["components"]["responses"][
                {400: "InvalidRequest", 404: "NotFound", 405: "MethodNotAllowed"}[exchange["status"]]]
        else:
            assert exchange["status"] in operation.statuses, f"{operation.id}: {exchange}"
            response = operation.statuses[exchange["status"]]
            self.seen.add((operation.id, exchange["status"]))
        self._check_headers(response, exchange)
        content = response.get("content")
        if not content:
            assert exchange["data"] == "", exchange
            return
        assert exchange["answer_headers"]["Content-Type"] == "application/json", exchange
        body, schema = json.loads(exchange["data"]), content["application/json"]["schema"]
        faults = list(self.validator(schema).iter_errors(body))
        assert not faults, f"{exchange['method']} {exchange['path']}: {faults[0]}"
        self._note(schema, body)
        if operation and exchange["status"] >= 400:
            self.seen.add((operation.id, exchange["status"], body["error"]))

    def _check_headers(self, response, exchange):
        got = {name.lower(): value for name, value in exchange["answer_headers"].items()}
        for name, header in response.get("headers", {}).items():
            header = self.resolve(header)
            if name.lower() not in got:
                assert not header.get("required"), f"no {name}: {exchange}"
                continue
            value = got[name.lower()]
            if header["schema"].get("type") == "integer":
                value = int(value)
            self.validator(header["schema"]).validate(value)

    def _note(self, schema, value):
        """Which members of which schema have been seen with a value."""
        if "$ref" in schema:
            name = schema["$ref"].rsplit("/", 1)[1]
            target = self.resolve(schema, self.strict)
            if isinstance(value, dict):
                self.seen |= {(name, member) for member, item in value.items() if item is not None}
            self._note(target, value)
        for one in (*schema.get("oneOf", ()), *schema.get("anyOf", ())):
            if self.validator(one).is_valid(value):
                self._note(one, value)
        if isinstance(value, dict):
            for member, item in value.items():
                if member in schema.get("properties", {}):
                    self._note(schema["properties"][member], item)
        if isinstance(value, list) and "items" in schema:
            for item in value:
                self._note(schema["items"], item)

    def answer_members(self):
        """(schema, member) of all that answers may have."""
        members, waiting, done = set(), [], set()
        for operation in self.operations.values():
            for response in operation.statuses.values():
                waiting += [content["schema"] for content in response.get("content", {}).values()]
        while waiting:
            schema = waiting.pop()
            if "$ref" in schema:
                name = schema["$ref"].rsplit("/", 1)[1]
                if name not in done:
                    done.add(name)
                    target = self.resolve(schema)
                    members |= {(name, member) for member in target.get("properties", {})}
                    waiting.append(target)
            waiting += [*schema.get("oneOf", ()), *schema.get("anyOf", ()), *schema.get("properties", {}).values()]
            waiting += [schema["items"]] if "items" in schema else []
        return members
