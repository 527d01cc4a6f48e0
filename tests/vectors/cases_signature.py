# SPDX-License-Identifier: Apache-2.0
"""Envelope, signatures, anchors, PAE and base64: everything that is decided before the payload is read."""
import base64
import hashlib
import json

import curves
from curves import P256, der, der_integer, der_signature
from material import (ANCHORS, DROPPED, INSTANCE, KEY, PUSH, REVOKE, STRANGER, Call, b64, envelope, fingerprint,
                      invalid, ok, pae, push, refused, revoke, revoked, sent, signed, unsigned)

BAD = refused("BadSignature")
UNTRUSTED = refused("Untrusted")
ED = ANCHORS["ed25519"]
SECOND = ANCHORS["ed25519-second"]
EC = ANCHORS["p256"]
GOOD = push()
GOOD_PAE = pae(PUSH, GOOD)
ED_SIG = ED.sign(GOOD_PAE)
EC_RS = EC.rs(GOOD_PAE)


def add_algorithms(v):
    v.add("ed25519", "A push that an Ed25519 anchor signed.", signed(GOOD), ok())
    v.add("p256", "A push that an ECDSA P-256 anchor signed.", signed(GOOD, "p256"), ok())
    v.add("ed25519-second-anchor", "Any anchor may sign: here the last of three.", signed(GOOD, "ed25519-second"), ok(),
          anchors=["ed25519", "p256", "ed25519-second"])
    v.add("ed25519-only-anchor", "One anchor is enough.", signed(GOOD), ok(), anchors=["ed25519"])
    v.add("p256-only-anchor", "One anchor is enough, of either algorithm.", signed(GOOD, "p256"), ok(),
          anchors=["p256"])
    v.add("revoke-ed25519", "A revocation that an Ed25519 anchor signed.",
          signed(revoke(user="alice"), kind=REVOKE), revoked(0))
    v.add("revoke-p256", "A revocation that an ECDSA P-256 anchor signed.",
          signed(revoke(user="alice"), "p256", kind=REVOKE), revoked(0))
    v.add("signed-by-a-stranger", "A good signature by a key that is no anchor.", signed(GOOD, STRANGER), BAD)
    v.add("signed-by-an-anchor-of-others", "A good signature by a key that is an anchor elsewhere.",
          signed(GOOD, "ed25519-second"), BAD)
    v.add("revoke-signed-by-a-stranger", "A revocation by a key that is no anchor.",
          signed(revoke(all=True), STRANGER, kind=REVOKE), BAD)
    v.add("ed25519-under-a-p256-anchor",
          "The algorithm is the anchor's: an Ed25519 signature where only P-256 is trusted.",
          signed(GOOD), BAD, anchors=["p256"])
    v.add("p256-under-an-ed25519-anchor",
          "The algorithm is the anchor's: a P-256 signature where only Ed25519 is trusted.",
          signed(GOOD, "p256"), BAD, anchors=["ed25519"])


def add_anchors(v):
    v.add("no-anchor", "With no anchor every signed push is refused.", signed(GOOD), UNTRUSTED, anchors=[])
    v.add("no-anchor-revoke", "With no anchor every signed revocation is refused.",
          signed(revoke(all=True), kind=REVOKE), UNTRUSTED, anchors=[])
    v.add("no-anchor-trust-channel", "Trust=channel is for an empty list: a signature still needs an anchor.",
          signed(GOOD), UNTRUSTED, anchors=[], trust="channel")
    v.add("no-anchor-admin", "The administration socket spares an empty list alone.", signed(GOOD), UNTRUSTED,
          anchors=[], channel="admin")
    for name, what in (("rsa", "An RSA key"), ("p384", "A P-384 key")):
        v.add(f"{name}-alone-is-no-anchor", f"{what} among the anchors does not become one, so there is none.",
              signed(GOOD, name), UNTRUSTED, anchors=[name])
        v.add(f"{name}-signature",
              f"{what} among the anchors does not become one: its good signature counts for nothing.",
              signed(GOOD, name), BAD, anchors=["ed25519", name, "p256"])
        v.add(f"{name}-beside-an-anchor", f"{what} among the anchors does not stand in the way of the others.",
              signed(GOOD), ok(), anchors=[name, "ed25519"])


def add_empty_lists(v):
    v.add("unsigned-host", "No signature from the host, where one is needed.", unsigned(GOOD), UNTRUSTED)
    v.add("unsigned-host-revoke", "A revocation without a signature, where one is needed.",
          unsigned(revoke(all=True), REVOKE), UNTRUSTED)
    v.add("unsigned-trust-channel", "Trust=channel takes an empty list from the host.", unsigned(GOOD), ok(),
          trust="channel")
    v.add("unsigned-trust-channel-no-anchor", "Trust=channel needs no anchor for an empty list.", unsigned(GOOD), ok(),
          trust="channel", anchors=[])
    v.add("unsigned-trust-channel-revoke", "Trust=channel takes a revocation with an empty list.",
          unsigned(revoke(all=True), REVOKE), revoked(0), trust="channel")
    v.add("unsigned-admin", "The administration socket takes an empty list.", unsigned(GOOD), ok(), channel="admin")
    v.add("unsigned-admin-no-anchor", "The administration socket needs no anchor for an empty list.", unsigned(GOOD),
          ok(), channel="admin", anchors=[])
    v.add("unsigned-admin-revoke", "The administration socket takes a revocation with an empty list.",
          unsigned(revoke(all=True), REVOKE), revoked(0), channel="admin")
    for where, context in (("trust-channel", {"trust": "channel"}), ("admin", {"channel": "admin"})):
        v.add(f"bad-signature-{where}", "Where an empty list would do, one that is not empty is verified.",
              signed(GOOD, STRANGER), BAD, **context)
        v.add(f"good-signature-{where}", "Where an empty list would do, a good signature does too.", signed(GOOD), ok(),
              **context)
        v.add(f"unsigned-wrong-instance-{where}", "An empty list skips the signature alone: the instance is checked.",
              unsigned(push(aud=INSTANCE + "0")), refused("WrongInstance"), **context)
        v.add(f"unsigned-no-instance-{where}",
              "An empty list skips the signature alone: a guest without an id takes nothing.",
              unsigned(GOOD), refused("WrongInstance"), instance=None, **context)
        v.add(f"unsigned-expired-{where}", "An empty list skips the signature alone: the clock is checked.",
              unsigned(push(iat=1799999000, exp=1799999060)), refused("Expired"), **context)
        v.add(f"unsigned-wrong-type-{where}", "An empty list skips the signature alone: the payload type is checked.",
              sent(GOOD, kind=REVOKE, method="Push"), invalid(), **context)


def flipped(signature, bit):
    octets = bytearray(signature)
    octets[bit // 8] ^= 1 << bit % 8
    return bytes(octets)


def add_ed25519(v):
    def bad(name, description, signature):
        v.add(f"ed25519-{name}", description, sent(GOOD, signature), BAD)

    s = int.from_bytes(ED_SIG[32:], "little")
    identity = curves.ed_encode(curves.NEUTRAL)
    bad("flipped-in-r", "One bit of R is another.", flipped(ED_SIG, 7))
    bad("flipped-in-s", "One bit of S is another.", flipped(ED_SIG, 256))
    bad("highest-bit-of-s", "The highest bit of S is set (RFC 8032 section 5.1.7).", flipped(ED_SIG, 511))
    bad("s-plus-l", "S + L satisfies the equation, but S must be below L.",
        ED_SIG[:32] + (s + curves.L).to_bytes(32, "little"))
    bad("short", "The last byte is missing.", ED_SIG[:-1])
    bad("long", "A zero byte stands behind the signature.", ED_SIG + b"\0")
    bad("twice", "The signature stands there twice.", ED_SIG + ED_SIG)
    bad("halves-swapped", "S stands before R.", ED_SIG[32:] + ED_SIG[:32])
    bad("empty", "A signature of no bytes is in the list.", b"")
    bad("all-zero", "64 zero bytes: R is a point of small order, S is 0.", bytes(64))
    bad("identity-and-zero", "R is the neutral point and S is 0.", identity + bytes(32))
    bad("r-not-on-the-curve", "R is no point.", (2).to_bytes(32, "little") + ED_SIG[32:])
    bad("r-not-canonical",
        "R is the neutral point in its second encoding, y = p + 1, which RFC 8032 section 5.1.3 refuses; "
        "the equation holds.", curves.ed_sign_with(ED.parts, GOOD_PAE, 0, (curves.Q + 1).to_bytes(32, "little")))
    bad("over-the-payload", "Signed is the payload, not its PAE.", ED.sign(GOOD))
    bad("over-the-base64", "Signed is the base64 of the payload.", ED.sign(b64(GOOD).encode()))
    bad("over-the-hash", "Signed is the SHA-256 of the PAE.", ED.sign(hashlib.sha256(GOOD_PAE).digest()))
    bad("prehash", "Ed25519ph (RFC 8032 section 5.1) is another algorithm.",
        curves.ed_sign(ED.parts, hashlib.sha512(GOOD_PAE).digest(), b"SigEd25519 no Ed25519 collisions\x01\0"))
    bad("context", "Ed25519ctx with a context is another algorithm.",
        curves.ed_sign(ED.parts, GOOD_PAE, b"SigEd25519 no Ed25519 collisions\0\x04DSSE"))
    bad("of-another-payload", "A good signature, but of another push.", ED.sign(pae(PUSH, push(user="root"))))

    eight = curves.ed_torsion_point()
    r = curves.ed_hash(b"nonce") % curves.L
    mixed = curves.ed_encode(curves.ed_add(curves.ed_multiply(r, curves.BASE), eight))
    v.add_open("ed25519-torsion-in-r", "R has a part of small order; only the holder of the secret key can make this.",
               sent(GOOD, curves.ed_sign_with(ED.parts, GOOD_PAE, r, mixed)), BAD, "either",
               "RFC 8032 section 5.1.7 allows the check with and without the cofactor; with it this verifies.")
    v.add_open("ed25519-neutral-r",
               "R is the neutral point and the equation holds; only the holder of the secret key can make "
               "this.", sent(GOOD, curves.ed_sign_with(ED.parts, GOOD_PAE, 0, identity)), ok(), "either",
               "Valid by RFC 8032; some libraries refuse an R of small order.")


def extra(number):
    return number.to_bytes(4, "big")


def rs_with(wanted):
    """Another signature of the same message whose numbers are as wanted."""
    number = 1
    while not wanted(*EC.rs(GOOD_PAE, extra(number))):
        number += 1
    return EC.rs(GOOD_PAE, extra(number))


def add_p256(v):
    n = P256.n
    r, s = EC_RS
    low, high = min(s, n - s), max(s, n - s)

    def good(name, description, signature):
        v.add(f"p256-{name}", description, sent(GOOD, signature), ok())

    def bad(name, description, signature):
        v.add(f"p256-{name}", description, sent(GOOD, signature), BAD)

    def raw_integer(octets):
        return der(2, octets)

    good("low-s", "The s below n/2.", der_signature(r, low))
    good("high-s", "The s above n/2: key-management services send either.", der_signature(r, high))
    short_r = EC.rs(GOOD_PAE, extra(SHORT_R))
    assert short_r[0] < 2**247
    good("short-r", "An r of 31 bytes, so that the signature is shorter.", der_signature(*short_r))
    good("other-nonce", "Another nonce gives another signature, as good as the first.",
         der_signature(*EC.rs(GOOD_PAE, extra(0))))

    signature = der_signature(r, s)
    body = der_integer(r) + der_integer(s)
    big = rs_with(lambda r, s: r >= 2**255 and s >= 2**255)
    bad("flipped", "One bit of s is another.", flipped(signature, 8 * len(signature) - 1))
    bad("raw", "r and s as 64 plain bytes (IEEE P1363), not DER.", r.to_bytes(32, "big") + s.to_bytes(32, "big"))
    bad("der-empty", "A signature of no bytes is in the list.", b"")
    bad("der-empty-sequence", "A SEQUENCE of nothing.", der(0x30, b""))
    bad("der-cut", "The last byte is missing.", signature[:-1])
    bad("der-trailing-after", "A zero byte stands behind the SEQUENCE.", signature + b"\0")
    bad("der-trailing-null-after", "A whole element, NULL, stands behind the SEQUENCE.", signature + b"\x05\0")
    bad("der-trailing-inside", "A zero byte stands inside the SEQUENCE, behind s.", der(0x30, body + b"\0"))
    bad("der-third-integer", "The SEQUENCE holds a third INTEGER.", der(0x30, body + der_integer(1)))
    bad("der-one-integer", "The SEQUENCE holds r alone.", der(0x30, der_integer(r)))
    bad("der-long-length", "The SEQUENCE's length in the long form, 0x81, where the short form does.",
        b"\x30\x81" + bytes([len(body)]) + body)
    bad("der-longer-length", "The SEQUENCE's length in two bytes, 0x82.", b"\x30\x82\0" + bytes([len(body)]) + body)
    long_r = b"\x02\x81" + der_integer(r)[1:]
    bad("der-long-length-of-r", "The length of r in the long form.", der(0x30, long_r + der_integer(s)))
    bad("der-indefinite", "The indefinite length of BER.", b"\x30\x80" + body + b"\0\0")
    bad("der-length-too-small", "The SEQUENCE's length is one too small.", b"\x30" + bytes([len(body) - 1]) + body)
    bad("der-length-too-large", "The SEQUENCE's length is one too large.", b"\x30" + bytes([len(body) + 1]) + body)
    bad("der-padded-r", "A needless zero byte in front of r.",
        der(0x30, raw_integer(b"\0" + der_integer(r)[2:]) + der_integer(s)))
    bad("der-padded-s", "A needless zero byte in front of s.",
        der(0x30, der_integer(r) + raw_integer(b"\0" + der_integer(s)[2:])))
    bad("der-negative-r", "r without the zero byte that keeps it from being negative.",
        der(0x30, raw_integer(big[0].to_bytes(32, "big")) + der_integer(big[1])))
    bad("der-negative-s", "s without the zero byte that keeps it from being negative.",
        der(0x30, der_integer(big[0]) + raw_integer(big[1].to_bytes(32, "big"))))
    bad("der-empty-integer", "r is an INTEGER of no bytes.", der(0x30, raw_integer(b"") + der_integer(s)))
    bad("der-set", "A SET where the SEQUENCE belongs.", der(0x31, body))
    bad("der-enumerated", "r is an ENUMERATED.", der(0x30, der(10, der_integer(r)[2:]) + der_integer(s)))
    bad("der-octet-string", "The signature is wrapped in an OCTET STRING.", der(4, signature))
    bad("der-bit-string", "The signature is wrapped in a BIT STRING, as in a certificate.", der(3, b"\0" + signature))
    bad("zero-r", "r is 0.", der_signature(0, s))
    bad("zero-s", "s is 0.", der_signature(r, 0))
    bad("zero-both", "r and s are 0.", der_signature(0, 0))
    bad("one-both", "r and s are 1.", der_signature(1, 1))
    bad("r-is-n", "r is n.", der_signature(n, s))
    bad("s-is-n", "s is n.", der_signature(r, n))
    bad("r-plus-n", "r + n is the same modulo n, but r must be below n.", der_signature(r + n, s))
    bad("s-plus-n", "s + n is the same modulo n, but s must be below n.", der_signature(r, s + n))
    bad("r-is-p-minus-n", "r is p - n, the least that stands for a second x.", der_signature(P256.p - n, s))
    bad("swapped", "s stands before r.", der_signature(s, r))
    bad("sha384", "Hashed with SHA-384.", der_signature(*EC.rs(GOOD_PAE, digest="sha384")))
    bad("sha512", "Hashed with SHA-512.", der_signature(*EC.rs(GOOD_PAE, digest="sha512")))
    bad("sha1", "Hashed with SHA-1.", der_signature(*EC.rs(GOOD_PAE, digest="sha1")))
    bad("hashed-twice", "Hashed twice.", EC.sign(hashlib.sha256(GOOD_PAE).digest()))
    bad("over-the-payload", "Signed is the payload, not its PAE.", EC.sign(GOOD))


SHORT_R = 278  # the least number whose nonce gives an r of 31 bytes


def add_lists(v):
    stranger = STRANGER.sign(GOOD_PAE)
    strange = [flipped(stranger, bit) for bit in range(8)]
    v.add("second-of-two-signatures", "One good signature is enough: here the second.", sent(GOOD, stranger, ED_SIG),
          ok())
    v.add("first-of-two-signatures", "One good signature is enough: here the first.", sent(GOOD, ED_SIG, stranger),
          ok())
    v.add("two-good-signatures", "Two anchors signed.", sent(GOOD, ED_SIG, der_signature(*EC_RS)), ok())
    v.add("same-signature-twice", "The same good signature, twice.", sent(GOOD, ED_SIG, ED_SIG), ok())
    v.add("eight-signatures", "Eight signatures, of which the last is good.", sent(GOOD, *strange[:7], ED_SIG), ok())
    v.add("eight-bad-signatures", "Eight signatures, of which none is good.", sent(GOOD, *strange), BAD)
    v.add("empty-beside-a-good-signature", "A signature of no bytes beside a good one.", sent(GOOD, b"", ED_SIG), ok())
    v.add_open("nine-signatures", "Nine signatures, of which the first is good.", sent(GOOD, ED_SIG, *strange),
               invalid(), "refuse", "At most 8 signatures; the error is not named.")

    def keyid(value, signature=ED_SIG):
        return {"keyid": value, "sig": b64(signature)}

    v.add("keyid-of-another-anchor", "keyid names another anchor than the one that signed.", sent(GOOD, keyid("p256")),
          ok())
    v.add("keyid-of-nobody", "keyid names no anchor.", sent(GOOD, keyid("no such key")), ok())
    v.add("keyid-empty", "keyid is empty.", sent(GOOD, keyid("")), ok())
    v.add("keyid-null", "keyid is null, which in varlink is as good as absent.", sent(GOOD, keyid(None)), ok())
    v.add("keyid-of-an-anchor-under-a-strange-signature", "keyid names an anchor, but a stranger signed.",
          sent(GOOD, keyid("ed25519", stranger)), BAD)
    v.add("keyid-is-a-path", "keyid is no path to a key.", sent(GOOD, keyid("../../../tmp/mine.pem", stranger)), BAD)
    v.add_open("keyid-is-a-number", "keyid is a number.", sent(GOOD, keyid(1)), invalid(), "refuse",
               "The .varlink file says ?string; the error is not named.")
    v.add("alg-in-a-signature", "A member that is not known, of a good signature, is ignored.",
          sent(GOOD, {"sig": b64(ED_SIG), "alg": "none"}), ok())
    v.add("extension-in-a-signature", "A member that is not known is ignored whatever it holds.",
          sent(GOOD, {"sig": b64(ED_SIG), "extension": {"kind": "x", "ext": {"list": [{"a": [1.5, None]}]}}}), ok())
    v.add("alg-none-in-a-signature", "A member that says that no signature is needed is not known.",
          sent(GOOD, {"sig": b64(stranger), "alg": "none"}), BAD)
    v.add("key-in-a-signature", "The signer's own public key comes along: nothing that a peer sends becomes an anchor.",
          sent(GOOD, {"sig": b64(stranger), "cert": STRANGER.pem(), "key": STRANGER.pem()}), BAD)


def add_unknown_signatures(v):
    """Signatures of algorithms that an anchor of ours cannot have: they count as signatures that do not verify."""
    other = hashlib.shake_256(b"ML-DSA-44").digest(2420)
    v.add("unknown-ml-dsa-44-beside-a-good-one", "A signature as long as one of ML-DSA-44, beside a good one.",
          sent(GOOD, other, ED_SIG), ok())
    long = hashlib.shake_256(b"long").digest(513)
    v.add("unknown-alone", "A signature that is longer than any of ours.", sent(GOOD, long), BAD)
    v.add("unknown-seven-before-a-good-one", "Seven signatures that are too long, and the eighth is good.",
          sent(GOOD, *[long] * 7, ED_SIG), ok())
    v.add("unknown-begins-with-a-good-one", "A good signature with something behind it.",
          sent(GOOD, ED_SIG + long), BAD)
    v.add("unknown-without-anchors", "A signature that is too long, where no key is trusted.", sent(GOOD, long),
          refused("Untrusted"), anchors=[])
    v.add("unknown-unsigned-admin", "A list that is not empty is verified also where none is needed.",
          sent(GOOD, long), BAD, channel="admin")


def add_types(v):
    def refuse(name, description, kind, method="Push", payload=GOOD):
        v.add(name, description, signed(payload, kind=kind, method=method), invalid())

    refuse("push-type-to-revoke", "A well-signed push is no revocation.", PUSH, "Revoke")
    refuse("revoke-type-to-push", "A well-signed revocation is no push.", REVOKE, "Push", revoke(all=True))
    refuse("push-payload-of-revoke-type", "A push's payload, signed as a revocation, is sent as a push.", REVOKE)
    refuse("revoke-payload-of-push-type", "A revocation's payload, signed as a push, is sent as a revocation.", PUSH,
           "Revoke", revoke(all=True))
    refuse("type-in-capitals", "The payload type in another case.", PUSH.upper())
    refuse("type-with-one-capital", "One letter of the payload type in another case.", PUSH.replace("push", "Push"))
    refuse("type-trailing-blank", "A blank behind the payload type.", PUSH + " ")
    refuse("type-leading-blank", "A blank before the payload type.", " " + PUSH)
    refuse("type-trailing-newline", "A line break behind the payload type.", PUSH + "\n")
    refuse("type-with-parameter", "A media type's parameter behind the payload type.", PUSH + "; charset=utf-8")
    refuse("type-without-suffix", "The payload type without +json.", PUSH.removesuffix("+json"))
    refuse("type-cut", "The payload type without its last letter.", PUSH[:-1])
    refuse("type-of-version-2", "The payload type of a version that does not exist.", PUSH.replace("v1", "v2"))
    refuse("type-empty", "An empty payload type.", "")
    refuse("type-of-255-bytes", "A payload type that goes on after what is expected.", PUSH + "x" * (255 - len(PUSH)))
    refuse("type-look-alike", "A payload type with a Cyrillic letter in it.", PUSH.replace("e", "\u0435", 1))
    v.add("type-changed-after-signing", "A revocation's envelope whose payload type was made a push's.",
          sent(revoke(all=True), ED.sign(pae(REVOKE, revoke(all=True)))), BAD)
    v.add("type-changed-to-revoke", "A push's envelope whose payload type was made a revocation's.",
          sent(GOOD, ED_SIG, kind=REVOKE), BAD)
    v.add_open("type-of-300-bytes", "A payload type that is too long for some buffer.",
               signed(GOOD, kind=PUSH + "x" * (300 - len(PUSH)), method="Push"), invalid(), "refuse",
               "Wrong type is InvalidPayload, but whether the signature is looked at before the length is left open.")


def add_pae(v):
    header = b"DSSEv1 %d %s %d " % (len(PUSH), PUSH.encode(), len(GOOD))

    def bad(name, description, signed_octets, payload=GOOD, kind=PUSH, method="Push"):
        v.add(f"pae-{name}", description, sent(payload, ED.sign(signed_octets), kind=kind, method=method), BAD)

    assert GOOD_PAE == header + GOOD
    bad("without-lengths", "Signed without the lengths.", b"DSSEv1 " + PUSH.encode() + b" " + GOOD)
    bad("leading-zero", "A length has a zero in front.",
        header.replace(b" %d " % len(GOOD), b" 0%d " % len(GOOD)) + GOOD)
    bad("trailing-newline", "A line break stands behind the payload.", GOOD_PAE + b"\n")
    bad("other-version", "Another version in front.", GOOD_PAE.replace(b"DSSEv1", b"DSSEv2", 1))
    bad("small-letters", "The version in small letters.", GOOD_PAE.replace(b"DSSEv1", b"dssev1", 1))
    bad("hexadecimal", "Lengths in hexadecimal.", b"DSSEv1 %x %s %x %s" % (len(PUSH), PUSH.encode(), len(GOOD), GOOD))
    bad("binary-lengths", "Lengths as 64-bit numbers, as in PASETO's PAE.",
        b"".join(len(part).to_bytes(8, "little") + part for part in (b"DSSEv1", PUSH.encode(), GOOD)))
    bad("over-base64-payload", "The payload in base64, inside the PAE.", pae(PUSH, b64(GOOD).encode()))
    bad("other-whitespace", "The same JSON, written with other blanks.",
        pae(PUSH, json.dumps(json.loads(GOOD)).encode()))

    accents = push(principal="J\u00fcrgen Gro\u00df")
    v.add("pae-lengths-are-bytes", "The length of the payload is counted in bytes, not in characters.", signed(accents),
          ok(principal="J\u00fcrgen Gro\u00df"))
    bad("lengths-in-characters", "The length of the payload was counted in characters.",
        b"DSSEv1 %d %s %d %s" % (len(PUSH), PUSH.encode(), len(accents.decode()), accents), accents)

    tail = b" %d " % len(GOOD) + GOOD
    bad("type-takes-the-payload",
        "The type that was signed, a blank, and the start of the payload, moved into the type.",
        GOOD_PAE, GOOD[20:], PUSH + " " + (b"%d " % len(GOOD) + GOOD[:20]).decode())
    bad("payload-takes-the-type", "Signed for a type that ends in what looks like a length and a payload.",
        pae(PUSH + " 2 {}", GOOD), b"{}" + tail)
    bad("shorter-payload", "The payload was cut after signing, at a place where it is JSON no longer.", GOOD_PAE,
        GOOD[:-1])
    bad("longer-payload", "A blank was put behind the payload after signing.", GOOD_PAE, GOOD + b" ")
    bad("empty-payload-of-another", "The payload was taken away after signing.", GOOD_PAE, b"")
    v.add("pae-type-with-blanks",
          "A well-signed type that holds blanks, a length and a payload is still the wrong type.",
          signed(GOOD, kind=PUSH + " 2 {}", method="Push"), invalid())
    v.add("pae-header-in-the-payload", "A well-signed payload that begins with the header of a PAE is no JSON.",
          signed(header + GOOD), invalid())
    v.add("pae-whole-as-payload", "The signature of a PAE's PAE does not count for the inner payload.",
          sent(GOOD, ED.sign(pae(PUSH, GOOD_PAE))), BAD)
    v.add("pae-header-in-a-label", "A header of a PAE inside a field is text like any other.",
          signed(push(principal=header.decode())), ok(principal=header.decode()))


ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"


def with_pad_bits(text):
    """Other base64 of the same bytes, for text that ends in "=="."""
    return text[:-3] + ALPHABET[ALPHABET.index(text[-3]) | 1] + "=="


def add_base64(v):
    url = push(principal="\u00ff\u00bf\u00fb\u00ef\u00be?>?>?>")
    text = b64(url)
    assert "+" in text and "/" in text
    url_safe = text.replace("+", "-").replace("/", "_")
    padded = {length % 3: payload for length, payload in
              ((len(p), p) for p in (push(requestId="x" * n) for n in range(1, 4)))}
    note = "payload and sig are base64 (RFC 4648 section 4 or 5); the error is not named."

    def payload(name, description, payload_text, octets, must="refuse", why=note):
        v.add_open(f"base64-payload-{name}", description, sent(payload_text, ED.sign(pae(PUSH, octets))), invalid(),
                   must, why)

    def sig(name, description, signature_text, must="refuse", why=note):
        v.add_open(f"base64-sig-{name}", description, sent(GOOD, signature_text), invalid(), must, why)

    v.add("base64-plus-and-slash", "A payload whose base64 has both + and /.", signed(url),
          ok(principal="\u00ff\u00bf\u00fb\u00ef\u00be?>?>?>"))
    for rest, signs in ((0, "no"), (1, "two"), (2, "one")):
        v.add(f"base64-padding-{signs}", f"A payload whose base64 has {signs} padding character(s).",
              signed(padded[rest]), ok(requestId=json.loads(padded[rest])["requestId"]))

    v.add("base64-payload-url-safe", "The payload in the URL-safe alphabet (RFC 4648 section 5).",
          sent(url_safe, ED.sign(pae(PUSH, url))), ok(principal="\u00ff\u00bf\u00fb\u00ef\u00be?>?>?>"))
    payload("of-two-alphabets", "The payload in both alphabets.", text.replace("+", "-"), url)
    payload("url-safe-without-padding", "The payload in the URL-safe alphabet, as JOSE has it.",
            b64(padded[1]).replace("+", "-").replace("/", "_").rstrip("="), padded[1])
    two = b64(padded[1])
    payload("without-padding", "The payload's padding is missing.", two.rstrip("="), padded[1])
    payload("half-padding", "One of two padding characters is missing.", two[:-1], padded[1])
    payload("too-much-padding", "Padding behind base64 that needs none.", b64(padded[0]) + "====", padded[0])
    payload("line-break", "The payload's base64 is broken into lines.", two[:76] + "\n" + two[76:], padded[1])
    payload("blank-behind", "A blank behind the payload's base64.", two + " ", padded[1])
    payload("blank-before", "A blank before the payload's base64.", " " + two, padded[1])
    payload("joined", "Two pieces of base64, each with its padding.", b64(GOOD[:10]) + b64(GOOD[10:]), GOOD)
    payload("strange-character", "A character of no alphabet.", two[:8] + "*" + two[9:], padded[1])
    pad_bits = with_pad_bits(two)
    may = "RFC 4648 section 3.5 lets a decoder refuse this, or not."
    payload("pad-bits", "Bits that the padding leaves unused are not zero.", pad_bits, padded[1], "either", may)
    assert base64.b64decode(pad_bits) == padded[1]

    text = b64(ED_SIG)
    assert text.endswith("==") and ("+" in text or "/" in text)
    v.add("base64-sig-url-safe", "A good signature in the URL-safe alphabet.",
          sent(GOOD, text.replace("+", "-").replace("/", "_")), ok())
    v.add("base64-sig-url-safe-and-standard", "Each member may be in an alphabet of its own.",
          sent(url, "".join(b64(STRANGER.sign(pae(PUSH, url)))), b64(ED.sign(pae(PUSH, url))).replace("+", "-")
               .replace("/", "_")), ok(principal="\u00ff\u00bf\u00fb\u00ef\u00be?>?>?>"))
    sig("without-padding", "A good signature without its padding.", text.rstrip("="))
    sig("line-break", "A good signature with a line break behind it.", text + "\n")
    sig("blank-inside", "A good signature with a blank in the middle.", text[:44] + " " + text[44:])
    v.add("base64-sig-hexadecimal", "A good signature in hexadecimal, which is base64 of other bytes.",
          sent(GOOD, ED_SIG.hex()), BAD)
    sig("pad-bits", "Bits that the padding leaves unused are not zero.", with_pad_bits(text), "either", may)
    v.add_open("base64-sig-bad-beside-a-good-one", "A signature that is no base64 beside a good one.",
               sent(GOOD, "*", ED_SIG), invalid(), "either", "One good signature is enough, but a sig must be base64.")


def add_envelopes(v):
    good = envelope(PUSH, GOOD, ED_SIG)
    note = "The .varlink file has the envelope's members and types; the error for another is not named."

    def bad(name, description, changed, must="refuse", why=note):
        v.add_open(f"envelope-{name}", description, Call("Push", changed), invalid(), must, why)

    for member in ("payloadType", "payload", "signatures"):
        bad(f"without-{member}", f"{member} is missing.",
            {name: value for name, value in good.items() if name != member})
        bad(f"{member}-null", f"{member} is null.", {**good, member: None})
        bad(f"{member}-number", f"{member} is a number.", {**good, member: 1})
        bad(f"{member}-object", f"{member} is an object.", {**good, member: {}})
    bad("payload-is-json", "The payload stands there as JSON, not as base64.", {**good, "payload": json.loads(GOOD)})
    bad("signatures-is-one", "signatures is one signature, not a list.", {**good, "signatures": {"sig": b64(ED_SIG)}})
    bad("signature-is-text", "A signature is text, not an object.", {**good, "signatures": [b64(ED_SIG)]})
    bad("signature-null", "A signature is null.", {**good, "signatures": [None]})
    bad("signature-without-sig", "A signature has no sig.", {**good, "signatures": [{"keyid": "ed25519"}]})
    bad("sig-null", "A sig is null.", {**good, "signatures": [{"sig": None}]})
    bad("sig-number", "A sig is a number.", {**good, "signatures": [{"sig": 1}]})
    bad("is-null", "The envelope is null.", None)
    bad("is-an-array", "The envelope is an array.", [good])
    bad("is-text", "The envelope is text.", json.dumps(good))
    v.add("envelope-unknown-member", "A member of the envelope that is not known is ignored.",
          Call("Push", {**good, "extra": 1, "more": {"a": [{}]}}), ok())

    method = "in.excloud.InstanceConnect.Push"
    text = json.dumps({"method": method, "parameters": {"envelope": good}}, separators=(",", ":"))
    other = b64(push(user="root"))
    raw_note = "Whether such a call is malformed, which closes the connection, or refused is left open."

    def raw(name, description, changed):
        v.add_open(f"call-{name}", description, Call("Push", raw=changed), DROPPED, "refuse", raw_note)

    v.add("call-as-text",
          "A call that is given as text, to show that the text of the following ones is right but for one thing.",
          Call("Push", raw=text), ok())
    raw("payload-twice", "The envelope has two payloads, of which the second is signed.",
        text.replace('"payload":', f'"payload":"{other}","payload":', 1))
    raw("payload-twice-other-order", "The envelope has two payloads, of which the first is signed.",
        text.replace('"signatures":', f'"payload":"{other}","signatures":', 1))
    raw("payload-twice-escaped", "The same, with one of the names written with an escape.",
        text.replace('"payload":', f'"p\\u0061yload":"{other}","payload":', 1))
    raw("payload-type-twice", "The envelope has two payload types.",
        text.replace('"payloadType":', f'"payloadType":"{REVOKE}","payloadType":', 1))
    raw("signatures-twice", "The envelope has two lists of signatures, of which one is empty.",
        text.replace('"signatures":', '"signatures":[],"signatures":', 1))
    raw("sig-twice", "A signature has two sigs.", text.replace('"sig":', '"sig":"","sig":', 1))
    raw("envelope-twice", "The call has two envelopes.", text.replace('"envelope":', '"envelope":{},"envelope":', 1))
    raw("nul-in-the-type", "A NUL, as an escape, ends the payload type.", text.replace(PUSH, PUSH + "\\u0000", 1))
    raw("nul-in-the-payload", "A NUL, as an escape, ends the payload's base64.",
        text.replace('","signatures":', '\\u0000","signatures":', 1))
    raw("trailing", "Something stands behind the call.", text + "{}")
    v.add("call-escaped-slashes", "The call's JSON may write a slash with an escape: it is the same text.",
          Call("Push", raw=text.replace("/", "\\/")), ok())


def add_large(v):
    large = push("\"unknown\":\"" + "x" * 11000 + "\"")
    v.add("large-payload", "A payload of 11 KB: the whole call is below the 16 KiB of a message.", signed(large), ok())


def add_all(v):
    assert fingerprint(KEY).startswith("SHA256:")
    for part in (add_algorithms, add_anchors, add_empty_lists, add_ed25519, add_p256, add_lists, add_unknown_signatures, add_types, add_pae,
                 add_base64, add_envelopes, add_large):
        part(v)
