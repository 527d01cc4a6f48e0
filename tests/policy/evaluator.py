# SPDX-License-Identifier: Apache-2.0
"""
A second policy engine, for comparison with cloud/policy: written from the contract (compute-api.md, Policies) and from what
the head of cloud/policy/policy.h decides, with other means. It is made to be read next to the contract, not to be fast.
"""

import ipaddress
import json
import re

VERSION = "2024-03-05"
BYTES_MAX = 32 * 1024
STATEMENTS_MAX = 100


class Invalid(Exception):
    """The document is refused at upload."""


def need(condition, what):
    if not condition:
        raise Invalid(what)


# --- documents -------------------------------------------------------------------------------------------------------


def _members_once(pairs):
    names = [name for name, _ in pairs]
    need(len(set(names)) == len(names), "a member twice")
    return dict(pairs)


def _all_texts(value):
    if isinstance(value, str):
        yield value
    elif isinstance(value, list):
        for item in value:
            yield from _all_texts(item)
    elif isinstance(value, dict):
        for name, item in value.items():
            yield name
            yield from _all_texts(item)


def _load(text):
    need(len(text.encode("utf-8", "surrogatepass")) <= BYTES_MAX, "too long")
    try:
        document = json.loads(text, object_pairs_hook=_members_once)
    except (ValueError, RecursionError) as fault:
        raise Invalid("not JSON") from fault
    for part in _all_texts(document):
        need("\0" not in part, "a NUL")
        need(not re.search("[\ud800-\udfff]", part), "half a surrogate pair")
    return document


def _has_members(value, required, optional=()):
    need(isinstance(value, dict), "not an object")
    need(set(required) <= set(value), "a member is missing")
    need(set(value) <= set(required) | set(optional), "an unknown member")


def _values(value):
    """A text, or a non-empty array of texts."""
    values = value if isinstance(value, list) else [value]
    need(values and all(isinstance(one, str) for one in values), "not a text or a non-empty array of texts")
    return values


def _check_pattern(text):
    need(text != "", "an empty text")
    need("*" not in text[:-1], "a star elsewhere")


def _network(text):
    """As (network of the ipaddress module), strict about everything that the module is lenient about."""
    address, slash, prefix = text.partition("/")
    try:
        parsed = ipaddress.ip_address(address)
        need("%" not in address, "a zone")
        if slash:
            need(re.fullmatch("0|[1-9][0-9]{0,2}", prefix), "not a prefix length")
            network = ipaddress.ip_network(f"{parsed}/{prefix}")
        else:
            network = ipaddress.ip_network(f"{parsed}/{parsed.max_prefixlen}")
    except ValueError as fault:
        raise Invalid("not a range") from fault
    if network.version == 6:
        need(network.network_address.ipv4_mapped is None, "IPv4 in the notation of IPv6")
    return network


def _check_condition(condition):
    need(isinstance(condition, dict) and condition, "not an object with operators")
    for operator, keys in condition.items():
        need(isinstance(keys, dict) and keys, "not an object with keys")
        for key, value in keys.items():
            for one in _values(value):
                if (operator, key) == ("IpAddress", "exc:SourceIp"):
                    _network(one)
                if (operator, key) == ("StringEquals", "exc:OsUser"):
                    need(1 <= len(one.encode()) <= 256, "not a name")
                    need("*" not in one, "a star elsewhere")


def parse(text):
    """The document, or Invalid."""
    document = _load(text)
    _has_members(document, ["Version", "Statements"])
    need(document["Version"] == VERSION, "another version")
    statements = document["Statements"]
    need(isinstance(statements, list) and 1 <= len(statements) <= STATEMENTS_MAX, "not 1 to 100 statements")
    for statement in statements:
        _has_members(statement, ["Effect", "Action", "Resource"], ["Sid", "Condition"])
        need(statement["Effect"] in ("Allow", "Deny"), "not an effect")
        for pattern in _values(statement["Action"]) + _values(statement["Resource"]):
            _check_pattern(pattern)
        if "Sid" in statement:
            sid = statement["Sid"]
            need(isinstance(sid, str) and 1 <= len(sid.encode()) <= 128, "not a Sid")
            need(not re.search("[\0-\x1f\x7f]", sid), "a control character")
        if "Condition" in statement:
            _check_condition(statement["Condition"])
    return document


# --- requests --------------------------------------------------------------------------------------------------------


def _matches_one(patterns, text):
    for pattern in _values(patterns):
        form = re.escape(pattern[:-1]) + ".*" if pattern.endswith("*") else re.escape(pattern)
        if re.fullmatch(form.encode(), text.encode(), re.IGNORECASE | re.DOTALL):
            return True
    return False


def _client(text):
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        return None
    if "%" in text:
        return None
    if address.version == 6 and address.ipv4_mapped:
        return address.ipv4_mapped
    return address


def _holds(operator, key, values, source_ip, os_user):
    """True, False, or None where that cannot be known."""
    if (operator, key) == ("IpAddress", "exc:SourceIp"):
        address = None if source_ip is None else _client(source_ip)
        return None if address is None else any(address in _network(one) for one in _values(values))
    if (operator, key) == ("StringEquals", "exc:OsUser"):
        return None if os_user is None else os_user in _values(values)
    return None


def _applies(statement, action, resource, source_ip, os_user):
    if not _matches_one(statement["Action"], action) or not _matches_one(statement["Resource"], resource):
        return False
    results = [
        _holds(operator, key, values, source_ip, os_user)
        for operator, keys in statement.get("Condition", {}).items()
        for key, values in keys.items()
    ]
    if statement["Effect"] == "Allow":
        return all(result is True for result in results)
    return all(result is not False for result in results)


def evaluate(documents, action, resource, source_ip=None, os_user=None):
    """
    The answer of parsed documents (None for one that counts for nothing): effect, document, statement and Sid, with "None",
    0, 0 and "" where no statement matches.
    """
    found = [
        (statement["Effect"], d, s, statement.get("Sid", ""))
        for d, document in enumerate(documents)
        if document is not None
        for s, statement in enumerate(document["Statements"])
        if _applies(statement, action, resource, source_ip, os_user)
    ]
    for effect in "Deny", "Allow":
        for one in found:
            if one[0] == effect:
                return one
    return "None", 0, 0, ""
