# SPDX-License-Identifier: Apache-2.0
"""
Random documents and requests from few words, so that they often meet, and often only nearly.
"""

import json
import string

ACTIONS = ["compute:instance:connect", "compute:instance:console", "compute:instance:get", "compute:keypair:get",
           "iam:policy:create"]
RESOURCES = ["exc:compute:instance/42", "exc:compute:instance/4", "exc:compute:instance/42x",
             "exc:compute:instance/web-1", "exc:compute:keypair/Work", "exc:iam:policy/p"]
ADDRESSES = ["10.0.0.1", "10.0.0.2", "10.0.1.1", "192.0.2.7", "::ffff:10.0.0.1", "::ffff:a00:2", "::10.0.0.1", "::1",
             "2001:db8::1", "2001:DB8:0:0::1", "2001:db8:1::1", "fe80::1%eth0", "010.0.0.1", "10.0.0", "unix", ""]
RANGES = ["10.0.0.0/8", "10.0.0.0/24", "10.0.0.0/31", "10.0.0.1", "10.0.0.1/32", "0.0.0.0/0", "192.0.2.0/25", "::/0",
          "2001:db8::/32", "2001:db8::/47", "2001:db8:0::1", "::1/128", "::/96"]
BAD_RANGES = ["10.0.0.1/8", "10.0.0.0/33", "10.0.0.0/08", "10.0.0.0/", "::ffff:10.0.0.0/104", "::ffff:0:0/96", "2001:db8::1/64",
              "10.0.0.0/255.0.0.0", "10.0.0", "host", "", "*", "::1%lo", "10.0.0.0/+8", "1:2:3:4:5:6:7:8:9", "10.0.0.0/8/8"]
USERS = ["alice", "Alice", "alice2", "root", "alic", "\u00e4nn", "alice@corp.example", "CORP\\alice"]
SIDS = ["one", "two \u2603", "*", "x" * 128, "\u00e4" * 64]
BAD_SIDS = ["", "x" * 129, "\u00e4" * 65, "a\nb", "\x7f", 1, None, ["a"]]
WRONG = [None, 1, -0.5, True, "", "x", [], {}, ["x"], [[]], [1], {"x": "y"}, [None]]


def some_case(r, text):
    way = r.random()
    if way < 0.6:
        return text
    if way < 0.8:
        return text.upper()
    return "".join(r.choice((c.upper(), c.lower())) if c in string.ascii_letters else c for c in text)


def pattern(r, words):
    text = r.choice(words)
    way = r.random()
    if way < 0.25:
        text = text[: r.randint(0, len(text))] + "*"
    elif way < 0.33:
        text = "*"
    elif way < 0.37:
        text = text[:-1] or "x"
    elif way < 0.41:
        text += r.choice("x0/ \u00e4*")
    return some_case(r, text)


def one_or_more(r, make):
    way = r.random()
    if way < 0.6:
        return make()
    return [make() for _ in range(r.choice((1, 2, 2, 3, 8)))]


def condition(r):
    result = {}
    for _ in range(r.choice((1, 1, 2, 3))):
        way = r.random()
        if way < 0.4:
            key, value = ("IpAddress", "exc:SourceIp"), one_or_more(r, lambda: r.choice(RANGES))
        elif way < 0.8:
            key, value = ("StringEquals", "exc:OsUser"), one_or_more(r, lambda: r.choice(USERS))
        else:
            operator = r.choice(("StringLike", "IpAddress", "StringEquals", "ipaddress", "NotIpAddress", ""))
            name = r.choice(("exc:OsUser", "exc:SourceIp", "exc:Other", "exc:osuser", ""))
            if (operator, name) in (("IpAddress", "exc:SourceIp"), ("StringEquals", "exc:OsUser")):
                continue
            key, value = (operator, name), one_or_more(r, lambda: r.choice((*USERS, *RANGES, "*", "a*b", "")))
        result.setdefault(key[0], {})[key[1]] = value
    return result or {"Other": {"k": "v"}}


def statement(r):
    result = {"Effect": r.choice(("Allow", "Allow", "Allow", "Deny")),
              "Action": one_or_more(r, lambda: pattern(r, ACTIONS)),
              "Resource": one_or_more(r, lambda: pattern(r, RESOURCES))}
    if r.random() < 0.5:
        result["Sid"] = r.choice(SIDS)
    if r.random() < 0.4:
        result["Condition"] = condition(r)
    return shuffled(r, result)


def shuffled(r, members):
    return dict(r.sample(list(members.items()), len(members)))


def document(r):
    n = r.choice((1, 1, 2, 3, 5, 12))
    return shuffled(r, {"Version": "2024-03-05", "Statements": [statement(r) for _ in range(n)]})


# --- what goes wrong -------------------------------------------------------------------------------------------------


def parts(value, path=()):
    """Each part of a value, as the path to it."""
    yield path
    if isinstance(value, dict):
        for name, item in value.items():
            yield from parts(item, (*path, name))
    elif isinstance(value, list):
        for i, item in enumerate(value):
            yield from parts(item, (*path, i))


def break_structure(r, value):
    """Changes one part of the document."""
    path = r.choice(list(parts(value)))
    if not path:
        return r.choice(WRONG)
    holder = value
    for step in path[:-1]:
        holder = holder[step]
    last, way = path[-1], r.random()
    if way < 0.25:
        del holder[last]
    elif way < 0.5:
        holder[last] = r.choice(WRONG)
    elif way < 0.6 and isinstance(holder, dict):
        holder[r.choice(("x", "NotAction", "action", "Sid", "", "Version"))] = r.choice(("x", holder[last]))
    elif way < 0.7 and isinstance(holder[last], str):
        text = holder[last]
        at = r.randint(0, len(text))
        holder[last] = text[:at] + r.choice("*\n\x7fx") + text[at:]
    elif way < 0.8:
        holder[last] = r.choice((BAD_RANGES, USERS, SIDS))[0] if r.random() < 0.2 else r.choice(BAD_RANGES)
    elif way < 0.9:
        value["Statements"] = value.get("Statements") or [{}]
        if isinstance(value["Statements"], list) and isinstance(value["Statements"][0], dict):
            value["Statements"][0]["Sid"] = r.choice(BAD_SIDS)
    else:
        holder[last] = [holder[last]]
    return value


def break_text(r, text):
    """Changes a few characters of the document, or repeats a piece of it."""
    for _ in range(r.choice((1, 1, 2, 4))):
        at = r.randrange(len(text) + 1)
        way = r.random()
        if way < 0.3:
            text = text[:at] + text[at + 1:]
        elif way < 0.7:
            text = text[:at] + r.choice('{}[]",:*\\ \t\n\r0e.-u\x00\x01\x7f\u00e4tfn') + text[at:]
        elif way < 0.8:
            text = text[:at] + r.choice(("\\u0000", "\\u002a", "\\ud83d\\ude00", "\\ud83d", "\\udead", "\\/", "\\x")) + text[at:]
        else:
            end = min(len(text), at + r.randint(1, 60))
            text = text[:at] + text[at:end] * 2 + text[end:]
    return text


def document_text(r):
    value = document(r)
    broken = r.random()
    if broken < 0.12:
        value = break_structure(r, value)
    text = json.dumps(value, ensure_ascii=r.random() < 0.3, indent=r.choice((None, None, None, 1)))
    if 0.12 < broken < 0.24:
        text = break_text(r, text)
    return text


def request(r):
    action, resource = some_case(r, r.choice(ACTIONS)), some_case(r, r.choice(RESOURCES))
    if r.random() < 0.1:
        action = r.choice((action[:-1], action + "x", "", "*"))
    if r.random() < 0.1:
        resource = r.choice((resource[:-1], resource + "\n", "", "*", resource + "\u00e4"))
    return [action, resource, r.choice((None, *ADDRESSES)) if r.random() < 0.9 else None,
            r.choice((None, *USERS, "")) if r.random() < 0.8 else None]
