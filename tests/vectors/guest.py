# SPDX-License-Identifier: Apache-2.0
"""A guest that does what push.md says, and nothing else: it keeps no key, it only answers.

It takes one case of vectors.json at a time, knows nothing of how the cases are made, and shares with them the
arithmetic of curves.py alone. Where push.md leaves something open it does what this project's agent does.
"""
import base64
import binascii
import hashlib
import ipaddress
import json
import unicodedata

import curves

MAX_TTL = 300
KEYS_PER_USER = 32
TYPES = {
    "Push": "application/vnd.excloud.instance-connect.push.v1+json",
    "Revoke": "application/vnd.excloud.instance-connect.revoke.v1+json",
}
PUSH_FIELDS = {"aud", "user", "keys", "iat", "exp", "ttl", "jti", "challenge", "connections", "source", "restrict",
               "principal", "requestId", "crit"}
REVOKE_FIELDS = {"aud", "iat", "exp", "jti", "challenge", "fingerprint", "user", "all", "crit"}


class Refused(Exception):
    def __init__(self, error, **more):
        super().__init__(error)
        self.answer = {"error": error, **{name: value for name, value in more.items() if value is not None}}


class Dropped(Exception):
    pass


def invalid(field=None):
    return Refused("InvalidPayload", field=field)


# JSON.

class Real:
    """A number that is written with a fraction or an exponent."""


def no_constant(name):
    raise ValueError(name)


def unique(pairs):
    names = [name for name, _ in pairs]
    if len(set(names)) != len(names):
        raise ValueError("a name twice")
    return dict(pairs)


def inside(value):
    """The value and all within it, each with its depth; a member's name counts as a value."""
    todo = [(value, 0)]
    while todo:
        value, outer = todo.pop()
        depth = outer + isinstance(value, (dict, list))
        yield value, depth
        if isinstance(value, dict):
            todo += [(name, depth) for name in value] + [(item, depth) for item in value.values()]
        elif isinstance(value, list):
            todo += [(item, depth) for item in value]


def read_json(octets, depth_max):
    """ValueError for what is not taken. Reals are left in, so that the field can be named."""
    try:
        value = json.loads(octets.decode("utf-8"), object_pairs_hook=unique, parse_float=lambda text: Real(),
                           parse_constant=no_constant)
    except RecursionError as error:
        raise ValueError("too deep") from error
    if not isinstance(value, (dict, list)):
        raise ValueError("no object")
    for item, depth in inside(value):
        if depth > depth_max:
            raise ValueError("too deep")
        if isinstance(item, str):
            item.encode("utf-8")  # half a surrogate pair is a UnicodeEncodeError, which is a ValueError
            if "\0" in item:
                raise ValueError("NUL")
        if isinstance(item, int) and not -2**63 <= item < 2**63:
            raise ValueError("number too large")
    return value


# The envelope.

def decode_base64(text):
    """RFC 4648 section 4, and the only text for these bytes."""
    if not isinstance(text, str) or not text.isascii():
        raise ValueError("no base64")
    octets = base64.b64decode(text, validate=True)
    if base64.b64encode(octets).decode() != text:
        raise ValueError("not canonical")
    return octets


def decode_either(text):
    """The same, or in the URL-safe alphabet of section 5."""
    if isinstance(text, str) and set("-_") & set(text) and not set("+/") & set(text):
        text = text.replace("-", "+").replace("_", "/")
    return decode_base64(text)


def read_envelope(envelope):
    if not isinstance(envelope, dict) or not {"payloadType", "payload", "signatures"} <= set(envelope):
        raise invalid()
    kind, signatures = envelope["payloadType"], envelope["signatures"]
    if not isinstance(kind, str) or not isinstance(signatures, list) or len(signatures) > 8:
        raise invalid()
    try:
        payload = decode_either(envelope["payload"])
        decoded = [read_signature(signature) for signature in signatures]
    except (ValueError, binascii.Error) as error:
        raise invalid() from error
    return kind.encode(), payload, decoded


def read_signature(signature):
    if not isinstance(signature, dict) or not isinstance(signature.get("sig"), str):
        raise ValueError("no signature")
    if not isinstance(signature.get("keyid"), (str, type(None))):
        raise ValueError("keyid")
    # Of an algorithm that has longer ones than ours.
    return b"" if len(signature["sig"]) > 1000 else decode_either(signature["sig"])


# Anchors and signatures.

ED25519_SPKI = bytes.fromhex("302a300506032b6570032100")
P256_SPKI = bytes.fromhex("3059301306072a8648ce3d020106082a8648ce3d030107034200")


def read_anchor(pem):
    """("ed25519", key), ("p256", point), or None for a key of any other kind."""
    octets = base64.b64decode("".join(line for line in pem.splitlines() if not line.startswith("-----")))
    if octets.startswith(ED25519_SPKI):
        return "ed25519", octets[len(ED25519_SPKI):]
    if octets.startswith(P256_SPKI):
        point = octets[len(P256_SPKI) + 1:]
        return "p256", (int.from_bytes(point[:32], "big"), int.from_bytes(point[32:], "big"))
    return None


def verifies(anchor, message, signature):
    kind, public = anchor
    if kind == "ed25519":
        return curves.ed_verify(public, message, signature)
    numbers = curves.read_der_signature(signature)
    return numbers is not None and curves.ecdsa_verify(curves.P256, public, message, *numbers)


# The payload's fields.

def text(payload, name, required=False):
    if name not in payload:
        if required:
            raise invalid(name)
        return None
    if not isinstance(payload[name], str):
        raise invalid(name)
    return payload[name]


def whole(payload, name, least, most, default=None):
    value = payload.get(name, default) if default is not None else payload.get(name)
    if not isinstance(value, int) or isinstance(value, bool) or not least <= value <= most:
        raise invalid(name)
    return value


def texts(payload, name, least, most):
    value = payload.get(name, [])
    if not isinstance(value, list) or not least <= len(value) <= most or not all(isinstance(v, str) for v in value):
        raise invalid(name)
    return value


def login_name(payload, required):
    user = text(payload, "user", required)
    if user is not None and not 1 <= len(user.encode()) <= 256:
        raise invalid("user")
    return user


def label(payload, name):
    value = text(payload, name)
    if value is not None and (len(value) > 256 or any(unicodedata.category(c) in ("Cc", "Cf", "Zl", "Zp")
                                                      for c in value)):
        raise invalid(name)


def sources(payload):
    for value in texts(payload, "source", 1 if "source" in payload else 0, 16):
        try:
            network = ipaddress.ip_network(value)
        except ValueError as error:
            raise invalid("source") from error
        mapped = network.version == 6 and network.network_address.ipv4_mapped is not None
        prefix = value.partition("/")[2]
        if mapped or "%" in value or ("/" in value and str(network.prefixlen) != prefix):
            raise invalid("source")


def common_fields(payload):
    aud, jti = text(payload, "aud", True), text(payload, "jti", True)
    if not 16 <= len(jti) <= 128 or any(not " " <= c <= "~" for c in jti):
        raise invalid("jti")
    text(payload, "challenge")
    iat, exp = whole(payload, "iat", 0, 2**40), whole(payload, "exp", 0, 2**40)
    if not iat < exp <= iat + (3600 if "challenge" in payload else 300):
        raise invalid()
    texts(payload, "crit", 0, 16)
    return aud


def push_fields(payload):
    common_fields(payload)
    login_name(payload, True)
    texts(payload, "keys", 1, 8)
    if "ttl" in payload:
        whole(payload, "ttl", 1, 2**63)
    whole(payload, "connections", 0, 100, 1)
    sources(payload)
    if not isinstance(payload.get("restrict", False), bool):
        raise invalid("restrict")
    label(payload, "principal")
    label(payload, "requestId")


def revoke_fields(payload):
    common_fields(payload)
    login_name(payload, False)
    fingerprint = text(payload, "fingerprint")
    if fingerprint is not None:
        try:
            good = fingerprint.startswith("SHA256:") and len(decode_base64(fingerprint[7:] + "=")) == 32
        except (ValueError, binascii.Error):
            good = False
        if not good:
            raise invalid("fingerprint")
    if "all" in payload and payload["all"] is not True:
        raise invalid("all")
    if len({"fingerprint", "user", "all"} & set(payload)) != 1:
        raise invalid()


# SSH keys.

CURVES = {"nistp256": curves.P256, "nistp384": curves.P384, "nistp521": curves.P521}
SHAPES = {
    "ssh-ed25519": ["octets32"],
    "ssh-rsa": ["exponent", "modulus"],
    "ecdsa-sha2-nistp256": ["nistp256", "point"],
    "ecdsa-sha2-nistp384": ["nistp384", "point"],
    "ecdsa-sha2-nistp521": ["nistp521", "point"],
    "sk-ssh-ed25519@openssh.com": ["octets32", "application"],
    "sk-ecdsa-sha2-nistp256@openssh.com": ["nistp256", "point", "application"],
}


def mpint(octets):
    """A positive number in its fewest octets; 0 for anything else."""
    value = int.from_bytes(octets, "big")
    return value if value and octets == value.to_bytes(value.bit_length() // 8 + 1, "big") else 0


def part_ok(shape, part, curve):
    if shape in CURVES:
        return part == shape.encode()
    if shape == "octets32":
        return len(part) == 32
    if shape == "exponent":
        return 3 <= mpint(part) < 2**32 and mpint(part) % 2 == 1
    if shape == "modulus":
        return 2048 <= mpint(part).bit_length() <= 8192 and mpint(part) % 2 == 1
    if shape == "application":
        return part.startswith(b"ssh:") and len(part) <= 256 and all(c >= 0x20 and c != 0x7f for c in part)
    if len(part) != 1 + 2 * curve.size or part[0] != 4:
        return False
    x, y = int.from_bytes(part[1:1 + curve.size], "big"), int.from_bytes(part[1 + curve.size:], "big")
    return x < curve.p and y < curve.p and (y * y - x**3 + 3 * x - curve.b) % curve.p == 0


def key_fingerprint(line):
    """None when it is no key of "type base64"."""
    words = line.split(" ")
    if len(words) != 2 or words[0] not in SHAPES:
        return None
    try:
        blob = decode_base64(words[1])
    except (ValueError, binascii.Error):
        return None
    rest, parts = blob, []
    while rest:
        length = int.from_bytes(rest[:4], "big")
        if len(rest) < 4 + length:
            return None
        parts.append(rest[4:4 + length])
        rest = rest[4 + length:]
    shapes = SHAPES[words[0]]
    curve = next((CURVES[shape] for shape in shapes if shape in CURVES), None)
    if len(parts) != 1 + len(shapes) or parts[0] != words[0].encode():
        return None
    if not all(part_ok(shape, part, curve) for shape, part in zip(shapes, parts[1:])):
        return None
    return "SHA256:" + base64.b64encode(hashlib.sha256(blob).digest()).decode().rstrip("=")


# The guest itself.

class Guest:
    def __init__(self, context, anchors):
        self.context = context
        found = [read_anchor(anchors[name]) for name in context["anchors"]]
        self.anchors = [anchor for anchor in found if anchor]
        self.hello_boottime = context["now"] - context["boot"] - context["challengeAge"]
        self.challenge = context["challenge"]
        self.remembered = {}   # jti: (hash, answer, seconds on the wall and since boot until which it is kept)
        self.revocations = []  # (selector, value, time)
        self.grants = []       # [user, fingerprint, end since boot, end on the wall]

    def answer(self, step):
        self.now = step.get("now", self.context["now"])
        self.boottime = self.now - self.context["boot"]
        self.synchronized = step.get("maxError", self.context["maxError"]) < 5000000
        try:
            return {"ok": self.take(step)}
        except Refused as refused:
            return refused.answer
        except Dropped:
            return {"dropped": True}

    def take(self, step):
        if "call" not in step:
            return self.envelope(step["method"], step["envelope"])
        try:
            call = read_json(step["call"].encode(), 5)
        except ValueError as error:
            raise Dropped from error
        if not isinstance(call, dict) or set(call) != {"method", "parameters"}:
            raise Dropped
        return self.envelope(call["method"].rpartition(".")[2], call["parameters"].get("envelope"))

    def envelope(self, method, envelope):
        kind, payload, signatures = read_envelope(envelope)
        pae = b"DSSEv1 %d %s %d %s" % (len(kind), kind, len(payload), payload)
        self.signature(pae, signatures)
        if kind.decode() != TYPES[method]:
            raise invalid()
        try:
            payload = read_json(payload, 4)
        except ValueError as error:
            raise invalid() from error
        if not isinstance(payload, dict):
            raise invalid()
        (push_fields if method == "Push" else revoke_fields)(payload)
        if any(isinstance(value, Real) for value, _ in inside(payload)):
            raise invalid()
        if not set(payload.get("crit", [])) <= (PUSH_FIELDS if method == "Push" else REVOKE_FIELDS):
            raise invalid()
        if not self.context["instance"] or payload["aud"] != self.context["instance"]:
            raise Refused("WrongInstance")
        digest = hashlib.sha256(pae).digest()
        repeated = self.repeated(payload["jti"], digest)
        if repeated is not None:
            return repeated
        self.fresh(payload)
        answer = self.push(payload) if method == "Push" else self.revoke(payload)
        self.remember(payload, digest, answer)
        return answer

    def signature(self, pae, signatures):
        lax = self.context["channel"] == "admin" or self.context["trust"] == "channel"
        if not signatures and lax:
            return
        if not self.anchors or not signatures:
            raise Refused("Untrusted")
        if not any(verifies(anchor, pae, signature) for anchor in self.anchors for signature in signatures):
            raise Refused("BadSignature")

    def repeated(self, jti, digest):
        if jti not in self.remembered:
            return None
        known, answer, wall, boottime = self.remembered[jti]
        if self.now > wall and self.boottime > boottime:
            del self.remembered[jti]
            return None
        if known != digest:
            raise Refused("Replayed")
        return {**answer, "duplicate": True}

    def fresh(self, payload):
        if "challenge" in payload:
            age = self.boottime - self.hello_boottime
            if self.challenge is None or payload["challenge"] != self.challenge or age > 120:
                raise Refused("StaleChallenge")
            self.challenge = None
            return
        if not self.synchronized:
            raise Refused("ClockUnsynchronized")
        if self.now < payload["iat"] - 30:
            raise Refused("NotYetValid")
        memory = self.context["boot"] if self.context["memory"] is None else self.context["memory"]
        if self.now >= payload["exp"] or payload["iat"] - 30 < memory:
            raise Refused("Expired")

    def push(self, payload):
        user = payload["user"]
        if user in self.context["denyUsers"]:
            raise Refused("UserDenied")
        fingerprints = []
        for index, line in enumerate(payload["keys"]):
            found = key_fingerprint(line)
            if found is None or found in fingerprints:
                raise Refused("KeyRejected", index=index)
            fingerprints.append(found)
        if "challenge" not in payload and any(self.held_back(payload, *revocation[:2], fingerprints)
                                              for revocation in self.revocations if payload["iat"] <= revocation[2]):
            raise Refused("Expired")
        span = payload["exp"] - payload["iat"]
        life = min(payload.get("ttl", span), span, MAX_TTL)
        wall_end = None if "challenge" in payload else payload["exp"]
        if sum(self.live(grant) and grant[0] == user for grant in self.grants) + len(fingerprints) > KEYS_PER_USER:
            raise Refused("StoreFull")
        self.grants += [[user, name, self.boottime + life, wall_end] for name in fingerprints]
        answer = {"user": user, "fingerprints": fingerprints, "life": life, "wallEnd": wall_end,
                  "connections": payload.get("connections", 1), "duplicate": False,
                  "expiresIn": life if wall_end is None else min(life, wall_end - self.now)}
        return {**answer, **{name: payload[name] for name in ("source", "restrict", "principal", "requestId")
                             if name in payload}}

    @staticmethod
    def held_back(payload, selector, value, fingerprints):
        return selector == "all" or (selector == "user" and value == payload["user"]) or value in fingerprints

    def revoke(self, payload):
        selector = next(name for name in ("fingerprint", "user", "all") if name in payload)
        value = payload[selector]
        chosen = [grant for grant in self.grants if self.live(grant) and
                  (selector == "all" or grant[("user", "fingerprint").index(selector)] == value)]
        self.grants = [grant for grant in self.grants if grant not in chosen]
        self.revocations.append(
            (selector, value, self.now if self.synchronized else min(payload["iat"], self.now + 300)))
        return {"revoked": len(chosen)}

    def live(self, grant):
        return self.boottime < grant[2] and (grant[3] is None or self.now < grant[3])

    def remember(self, payload, digest, answer):
        span = payload["exp"] - payload["iat"]
        if "challenge" in payload:
            keep = (-1, self.boottime + answer.get("life", span))
        else:
            keep = (payload["exp"] + 30, self.boottime + span + 60)
        self.remembered[payload["jti"]] = (digest, answer, *keep)
