# SPDX-License-Identifier: Apache-2.0
"""What the cases are made of: anchors and their secrets, SSH keys, payloads, envelopes, and the list they go into."""
import base64
import hashlib
import json
from dataclasses import dataclass, field

import curves

PUSH = "application/vnd.excloud.instance-connect.push.v1+json"
REVOKE = "application/vnd.excloud.instance-connect.revoke.v1+json"

AUD_PREFIX = "exc:compute:instance/"
INSTANCE = AUD_PREFIX + "i-0a1b2c3d"
NOW = 1800000000
BOOT = NOW - 86400
NEVER_SYNCHRONIZED = 16000000  # microseconds, the kernel's NTP_PHASE_LIMIT
IAT = NOW
EXP = NOW + 60
CHALLENGE = "AAECAwQFBgcICQoLDA0ODw"
JTI = "push-0000000000000001"
MAX_TTL = 300
KEYS_PER_USER = 32

DEFAULTS = {
    "instance": INSTANCE,
    "anchors": ["ed25519", "p256"],
    "trust": "signed",
    "channel": "host",
    "now": NOW,
    "maxError": 1000,
    "unsync": False,
    "boot": BOOT,
    "memory": None,
    "challenge": None,
    "challengeAge": 0,
    "denyUsers": [],
}


def b64(octets):
    return base64.b64encode(octets).decode()


# Anchors.

@dataclass(frozen=True)
class Anchor:
    """A key pair. `parts` are what its kind takes to sign; `public` what its kind takes to verify."""
    kind: str
    parts: object
    public: object
    spki: bytes

    def sign(self, message):
        if self.kind == "ed25519":
            return curves.ed_sign(self.parts, message)
        if self.kind == "rsa":
            return curves.rsa_sign(self.parts, message)
        return curves.der_signature(*self.rs(message))

    def rs(self, message, extra=b"", digest=None):
        curve = {"p256": curves.P256, "p384": curves.P384}[self.kind]
        return curves.ecdsa_sign(curve, self.parts, message, extra, digest)

    def pem(self):
        text = b64(self.spki)
        lines = [text[i:i + 64] for i in range(0, len(text), 64)]
        return "\n".join(["-----BEGIN PUBLIC KEY-----", *lines, "-----END PUBLIC KEY-----", ""])


EC_PUBLIC_KEY = "06072a8648ce3d0201"
CURVE_IDS = {"p256": "06082a8648ce3d030107", "p384": "06052b81040022"}


def spki(algorithm_hex, key):
    """SubjectPublicKeyInfo (RFC 5280 section 4.1.2.7)."""
    return curves.der(0x30, curves.der(0x30, bytes.fromhex(algorithm_hex)) + curves.der(3, b"\x00" + key))


def ed25519_anchor(name):
    secret = curves.ed_secret(name)
    public = curves.ed_public(secret)
    return Anchor("ed25519", secret, public, spki("06032b6570", public))


def ec_anchor(kind, curve, name):
    secret = curves.secret_number(curve, name)
    public = curves.public_point(curve, secret)
    return Anchor(kind, secret, public, spki(EC_PUBLIC_KEY + CURVE_IDS[kind], curves.uncompressed(curve, public)))


def rsa_anchor(name):
    key = curves.rsa_key(name, 2048)
    public = curves.der(0x30, curves.der_integer(key[0]) + curves.der_integer(65537))
    return Anchor("rsa", key, key[0], spki("06092a864886f70d0101010500", public))


ANCHORS = {
    "ed25519": ed25519_anchor("anchor ed25519"),
    "ed25519-second": ed25519_anchor("anchor ed25519-second"),
    "p256": ec_anchor("p256", curves.P256, "anchor p256"),
    "p384": ec_anchor("p384", curves.P384, "anchor p384"),
    "rsa": rsa_anchor("anchor rsa"),
}
STRANGER = ed25519_anchor("a key that no guest trusts")


# SSH public keys. Nobody has their secrets: they are hashes, or points from hashes.

def ssh_string(octets):
    return len(octets).to_bytes(4, "big") + octets


def ssh_mpint(value):
    return ssh_string(value.to_bytes(value.bit_length() // 8 + 1, "big")) if value else ssh_string(b"")


def ssh_text(kind, *parts, name=None):
    """The key's line; `name` is what stands before the base64 where that is not the kind inside."""
    return f"{name or kind} {b64(ssh_blob(kind, *parts))}"


def ssh_blob(kind, *parts):
    return ssh_string(kind.encode()) + b"".join(ssh_string(part) for part in parts)


def ed25519_octets(number):
    return curves.ed_public(curves.ed_secret(f"ssh key {number}"))


def ed25519_key(number):
    return ssh_text("ssh-ed25519", ed25519_octets(number))


def ssh_point(curve):
    return curves.public_point(curve, curves.secret_number(curve, "ssh key"))


def fingerprint(text):
    digest = hashlib.sha256(base64.b64decode(text.split(" ")[1])).digest()
    return "SHA256:" + b64(digest).rstrip("=")


KEY = ed25519_key(1)
OTHER_KEY = ed25519_key(2)


# Payloads.

class Raw(str):
    """Stands in JSON as it is."""


OMIT = object()


def dump(value):
    if isinstance(value, Raw):
        return str(value)
    if isinstance(value, dict):
        return "{" + ",".join(f"{dump(name)}:{dump(item)}" for name, item in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ",".join(dump(item) for item in value) + "]"
    return json.dumps(value, ensure_ascii=False)


def members(defaults, changes, more):
    """One JSON object: the defaults with the changes, and `more`, members as text, behind them."""
    merged = {name: value for name, value in {**defaults, **changes}.items() if value is not OMIT}
    parts = [f"{dump(name)}:{dump(value)}" for name, value in merged.items()]
    return ("{" + ",".join(parts + ([more] if more else [])) + "}").encode()


def push(more="", **changes):
    defaults = {"aud": INSTANCE, "user": "alice", "keys": [KEY], "iat": IAT, "exp": EXP, "jti": JTI}
    return members(defaults, changes, more)


def revoke(more="", **changes):
    defaults = {"aud": INSTANCE, "iat": IAT, "exp": EXP, "jti": "revoke-00000000000001"}
    return members(defaults, changes, more)


# Envelopes.

def pae(payload_type, payload):
    """DSSE v1; lengths are of bytes."""
    kind = payload_type.encode()
    return b"DSSEv1 %d %s %d %s" % (len(kind), kind, len(payload), payload)


def envelope(payload_type, payload, *signatures):
    """A signature is bytes, text that already is (or shall pass for) base64, or a whole object."""
    def one(signature):
        if isinstance(signature, bytes):
            return {"sig": b64(signature)}
        return {"sig": signature} if isinstance(signature, str) else signature

    payload = payload if isinstance(payload, str) else b64(payload)
    return {"payloadType": payload_type, "payload": payload, "signatures": [one(s) for s in signatures]}


def method_of(payload_type):
    return "Revoke" if payload_type == REVOKE else "Push"


@dataclass(frozen=True)
class Call:
    method: str
    envelope: object = None
    raw: str = None

    def to_json(self):
        if self.raw is not None:
            return {"method": self.method, "call": self.raw}
        return {"method": self.method, "envelope": self.envelope}


def sent(payload, *signatures, kind=PUSH, method=None):
    return Call(method or method_of(kind), envelope(kind, payload, *signatures))


def signed(payload, by="ed25519", kind=PUSH, method=None):
    anchor = ANCHORS[by] if isinstance(by, str) else by
    return sent(payload, anchor.sign(pae(kind, payload)), kind=kind, method=method)


def unsigned(payload, kind=PUSH):
    return sent(payload, kind=kind)


# Outcomes.

def ok(user="alice", keys=(KEY,), life=60, wall_end=EXP, connections=1, duplicate=False, **more):
    return {"ok": {"user": user, "fingerprints": [fingerprint(key) for key in keys], "life": life, "wallEnd": wall_end,
                   "connections": connections, "duplicate": duplicate, **more}}


def revoked(number):
    return {"ok": {"revoked": number}}


def refused(error, **more):
    return {"error": error, **more}


def invalid(at=None):
    return refused("InvalidPayload", field=at) if at else refused("InvalidPayload")


DROPPED = {"dropped": True}


# The list.

@dataclass(frozen=True)
class Step:
    """Something that is sent before: at another time, or with another error of the clock, where that is said."""
    call: Call
    expected: dict
    now: int = None
    max_error: int = None


@dataclass
class Vectors:
    cases: list = field(default_factory=list)
    open_cases: list = field(default_factory=list)

    def add(self, name, description, call, expected, before=(), **context):
        self.cases.append(self.case(name, description, call, expected, before, context))

    def add_open(self, name, description, call, expected, must, note, before=(), **context):
        """A case that push.md leaves open. `must`: "refuse" where only the error's name is open, else "either"."""
        case = self.case(name, description, call, expected, before, context)
        self.open_cases.append({**case, "must": must, "note": note})

    @staticmethod
    def case(name, description, call, expected, before, context):
        strange = set(context) - set(DEFAULTS)
        assert not strange, strange
        now = context.get("now", NOW)
        return {
            "name": name,
            "description": description,
            **call.to_json(),
            "context": {key: value for key, value in context.items() if value != DEFAULTS[key]},
            "before": [{**({} if step.now is None else {"now": step.now}),
                        **({} if step.max_error is None else {"maxError": step.max_error}), **step.call.to_json(),
                        "expected": with_expiry(step.expected, now if step.now is None else step.now)}
                       for step in before],
            "expected": with_expiry(expected, now),
        }


def with_expiry(expected, now):
    """What Push answers as expiresIn follows from the two ends."""
    grant = expected.get("ok", {})
    if "life" not in grant:
        return expected
    if "expiresIn" in grant:
        return {"ok": {name: value for name, value in grant.items() if name != "expiresIn" or value is not None}}
    ends = [grant["life"]] + ([grant["wallEnd"] - now] if grant["wallEnd"] is not None else [])
    return {"ok": {**grant, "expiresIn": min(ends)}}
