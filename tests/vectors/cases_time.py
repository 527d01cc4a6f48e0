# SPDX-License-Identifier: Apache-2.0
"""Clock, challenge, replay, revocation, and the order in which the checks answer."""
from dataclasses import replace

from material import (ANCHORS, BOOT, CHALLENGE, DEFAULTS, EXP, IAT, INSTANCE, JTI, KEY, NEVER_SYNCHRONIZED, NOW, OTHER_KEY, PUSH, REVOKE,
                      STRANGER, Step,
                      curves, ed25519_key, fingerprint, invalid, ok, pae, push, refused, revoke, revoked, sent, signed,
                      unsigned)

STALE = refused("StaleChallenge")
EXPIRED = refused("Expired")
UNSYNCHRONIZED = refused("ClockUnsynchronized")
OTHER_JTI = "push-0000000000000002"
OTHER_CHALLENGE = "__________-_________-w"


def add_clock(v):
    def at(name, description, now, expected, payload=None, **context):
        v.add(f"clock-{name}", description, signed(payload or push()), expected, now=now, **context)

    at("iat-less-30", "Up to 30 seconds before iat a push is valid: the clocks may differ.", IAT - 30, ok())
    at("iat-less-31", "31 seconds before iat it is not.", IAT - 31, refused("NotYetValid"))
    at("iat", "At iat.", IAT, ok())
    at("exp-less-1", "A second before exp a push is valid; its key ends at exp.", EXP - 1, ok())
    at("exp", "At exp it is not.", EXP, EXPIRED)
    at("exp-and-1", "A second after exp.", EXP + 1, EXPIRED)
    at("exp-less-1-of-300", "A second before exp: exp - iat seconds by the one clock, one by the other.", IAT + 299,
       ok(life=300, wall_end=IAT + 300), push(exp=IAT + 300))
    at("ttl-within-exp", "A ttl that ends before exp.", IAT + 10, ok(life=20), push(ttl=20))
    at("ttl-beyond-exp", "A ttl that ends after exp.", IAT + 50, ok(life=20), push(ttl=20))
    at("early-with-ttl", "Received before iat: life counts from receipt.", IAT - 30, ok(life=20), push(ttl=20))
    at("far-past", "A push of yesterday.", NOW, EXPIRED, push(iat=IAT - 86400, exp=EXP - 86400), boot=BOOT - 10**6)
    at("far-future", "A push of tomorrow.", NOW, refused("NotYetValid"), push(iat=IAT + 86400, exp=EXP + 86400))
    at("boot-edge", "iat - 30 is the second in which the guest booted.", NOW, ok(), boot=IAT - 30)
    at("boot-edge-less-1", "iat - 30 lies a second before the boot: the push may have been used before.", NOW, EXPIRED,
       boot=IAT - 29)
    at("before-boot", "iat lies before the boot.", NOW + 20, EXPIRED, boot=IAT + 10)
    at("booted-long-ago", "A guest that has been up for ten years.", NOW, ok(), boot=NOW - 315360000)
    at("unsynchronized", "The wall clock is not synchronised, and no challenge was signed.", NOW, UNSYNCHRONIZED,
       maxError=NEVER_SYNCHRONIZED)
    at("error-below-5-s", "The kernel's maximum error is below 5 seconds.", NOW, ok(), maxError=4999999)
    at("error-of-5-s", "The kernel's maximum error is 5 seconds.", NOW, UNSYNCHRONIZED, maxError=5000000)
    at("unsync-flag", "STA_UNSYNC is set, as by chronyd without rtcsync, and the maximum error is small.", NOW, ok(),
       unsync=True)
    at("unsync-flag-and-error", "STA_UNSYNC is set, and the maximum error is that of a kernel that was never set.", NOW,
       UNSYNCHRONIZED, unsync=True, maxError=NEVER_SYNCHRONIZED)
    at("memory-edge", "iat - 30 is the second in which the memory of pushes was made.", NOW, ok(), memory=IAT - 30)
    at("memory-edge-less-1", "iat - 30 lies a second before that: another memory may have accepted the push.", NOW,
       EXPIRED, memory=IAT - 29)
    at("memory-made-now", "The store was made again just now.", NOW, EXPIRED, memory=NOW)
    at("memory-made-long-ago", "The store was made a minute after the boot.", NOW, ok(), memory=BOOT + 60)
    v.add("clock-memory-made-now-challenge", "A challenge needs no memory: it is of this connection.",
          signed(push(challenge=CHALLENGE)), ok(wall_end=None), memory=NOW, challenge=CHALLENGE)
    v.add("clock-memory-revoke", "A revocation is timed like a push.", signed(revoke(user="alice"), kind=REVOKE),
          EXPIRED, memory=IAT - 29)
    v.add("clock-revoke-expired", "A revocation is timed like a push.", signed(revoke(user="alice"), kind=REVOKE),
          EXPIRED, now=EXP)
    v.add("clock-revoke-not-yet", "A revocation is timed like a push.", signed(revoke(user="alice"), kind=REVOKE),
          refused("NotYetValid"), now=IAT - 31)
    v.add("clock-revoke-before-boot", "A revocation is timed like a push.", signed(revoke(user="alice"), kind=REVOKE),
          EXPIRED, boot=IAT - 29)
    v.add("clock-revoke-unsynchronized", "A revocation needs a clock or a challenge.",
          signed(revoke(user="alice"), kind=REVOKE), UNSYNCHRONIZED, maxError=NEVER_SYNCHRONIZED)


def challenged(**changes):
    return push(**{"challenge": CHALLENGE, **changes})


def add_challenge(v):
    fine = ok(wall_end=None)

    def with_hello(name, description, payload, expected, before=(), **context):
        v.add(f"challenge-{name}", description, signed(payload), expected, before=before,
              **{"challenge": CHALLENGE, **context})

    with_hello("right", "The challenge of this connection's Hello: no clock is asked.", challenged(), fine)
    with_hello("unsynchronized", "A challenge needs no synchronised clock.", challenged(), fine, maxError=NEVER_SYNCHRONIZED)
    with_hello("clock-behind", "A challenge needs no clock at all: here it says 1970.", challenged(), fine,
               maxError=NEVER_SYNCHRONIZED, now=1000, boot=-85400)
    with_hello("past-exp", "With a challenge exp is no point in time, only iat and exp apart count.", challenged(),
               fine, now=EXP + 10**6)
    with_hello("before-iat", "With a challenge iat is no point in time.", challenged(), fine, now=IAT - 10**6,
               boot=BOOT - 2 * 10**6)
    with_hello("before-boot", "With a challenge iat may lie before the boot.", challenged(), fine, boot=NOW - 5)
    with_hello("iat-zero", "With a challenge iat may be 0.", challenged(iat=0, exp=60), fine)
    with_hello("exp-2-to-the-40", "With a challenge exp may be 2^40.", challenged(iat=2**40 - 60, exp=2**40), fine)
    with_hello("exp-2-to-the-40-and-1", "With a challenge exp may not be beyond 2^40 either.",
               challenged(iat=2**40 - 59, exp=2**40 + 1), invalid("exp"))
    with_hello("span-of-301", "With a challenge exp - iat may be more than 300; MaxTtl still cuts.",
               challenged(exp=IAT + 301), ok(life=300, wall_end=None))
    with_hello("span-of-3600", "With a challenge exp - iat may be 3600; MaxTtl still cuts.", challenged(exp=IAT + 3600),
               ok(life=300, wall_end=None))
    with_hello("span-of-3601", "With a challenge exp - iat may not be 3601.", challenged(exp=IAT + 3601), invalid())
    with_hello("ttl", "With a challenge ttl counts as ever.", challenged(ttl=20), ok(life=20, wall_end=None))
    with_hello("ttl-3600", "With a challenge MaxTtl cuts a ttl.", challenged(ttl=3600, exp=IAT + 3600),
               ok(life=300, wall_end=None))
    with_hello("at-120", "A challenge is good for 120 seconds.", challenged(), fine, challengeAge=120)
    with_hello("at-121", "A challenge is 121 seconds old.", challenged(), STALE, challengeAge=121)
    with_hello("wrong", "Another challenge than this connection's.", challenged(challenge=OTHER_CHALLENGE), STALE)
    with_hello("wrong-by-a-letter", "A challenge that differs in the last letter.",
               challenged(challenge=CHALLENGE[:-1] + "g"), STALE)
    with_hello("padded", "A challenge with padding.", challenged(challenge=CHALLENGE + "=="), STALE)
    with_hello("cut", "The beginning of the challenge.", challenged(challenge=CHALLENGE[:8]), STALE)
    with_hello("longer", "The challenge with something behind it.", challenged(challenge=CHALLENGE + "A"), STALE)
    with_hello("empty", "An empty challenge.", challenged(challenge=""), STALE)
    with_hello("not-signed", "There was a Hello, but the push goes by the clock.", push(), ok())
    with_hello("not-signed-unsynchronized", "There was a Hello, but the push does not sign its challenge.", push(),
               UNSYNCHRONIZED, maxError=NEVER_SYNCHRONIZED)
    with_hello("not-signed-expired", "There was a Hello, but the push does not sign its challenge.", push(), EXPIRED,
               now=EXP)
    with_hello("without-hello", "No Hello on this connection.", challenged(), STALE, challenge=None)
    with_hello("empty-without-hello", "An empty challenge is not that of a Hello that never was.",
               challenged(challenge=""), STALE, challenge=None)
    with_hello("without-hello-unsynchronized", "No Hello, and no clock.", challenged(), STALE, challenge=None,
               maxError=NEVER_SYNCHRONIZED)

    first = Step(signed(challenged()), fine)
    with_hello("twice", "A push uses the challenge up.", challenged(jti=OTHER_JTI), STALE, [first])
    with_hello("twice-unsynchronized", "A push uses the challenge up, whatever the clock.", challenged(jti=OTHER_JTI),
               STALE, [first], maxError=NEVER_SYNCHRONIZED)
    with_hello("used-by-a-revocation", "A revocation uses the challenge up.", challenged(), STALE,
               [Step(signed(revoke(user="bob", challenge=CHALLENGE), kind=REVOKE), revoked(0))])
    with_hello("not-used-by-a-bad-signature", "A push that does not verify leaves the challenge as it is.",
               challenged(), fine, [Step(signed(challenged(jti=OTHER_JTI), STRANGER), refused("BadSignature"))])
    with_hello("not-used-by-a-timed-push", "A push without a challenge leaves it as it is.", challenged(), fine,
               [Step(signed(push(jti=OTHER_JTI)), ok())])
    v.add("challenge-of-a-revocation", "A revocation with a challenge needs no clock.",
          signed(revoke(all=True, challenge=CHALLENGE), kind=REVOKE), revoked(0), challenge=CHALLENGE,
          maxError=NEVER_SYNCHRONIZED)
    v.add("challenge-of-a-revocation-stale", "A revocation's challenge is 121 seconds old.",
          signed(revoke(all=True, challenge=CHALLENGE), kind=REVOKE), STALE, challenge=CHALLENGE, challengeAge=121)
    v.add("challenge-unsigned-admin", "An empty list skips the signature alone: the challenge is checked.",
          unsigned(challenged(challenge=OTHER_CHALLENGE)), STALE, challenge=CHALLENGE, channel="admin")


def add_replay(v):
    first = Step(signed(push()), ok())
    again = ok(duplicate=True)

    def case(name, description, call, expected, before=(first,), **context):
        v.add(f"replay-{name}", description, call, expected, before=before, **context)

    r, s = ANCHORS["p256"].rs(pae(PUSH, push()))
    high = curves.der_signature(r, max(s, curves.P256.n - s))
    low = curves.der_signature(r, min(s, curves.P256.n - s))
    case("same-envelope", "The same again: success, and nothing changes.", signed(push()), again)
    case("other-anchor", "The same payload, signed by another anchor, is the same push.", signed(push(), "p256"), again)
    case("high-s", "The same payload with the other s is the same push.", sent(push(), high), again,
         (Step(sent(push(), low), ok()),))
    case("other-nonce", "The same payload with another nonce is the same push.",
         sent(push(), curves.der_signature(*ANCHORS["p256"].rs(pae(PUSH, push()), b"again"))), again,
         (Step(signed(push(), "p256"), ok()),))
    case("more-signatures", "The same payload with a second signature is the same push.",
         sent(push(), STRANGER.sign(pae(PUSH, push())), ANCHORS["ed25519"].sign(pae(PUSH, push()))), again)
    case("unsigned-admin", "The same payload without a signature, where none is needed, is the same push.",
         unsigned(push()), again, channel="admin")
    case("bad-signature", "The same payload with a bad signature is refused.", signed(push(), STRANGER),
         refused("BadSignature"))
    case("other-user", "The same jti for another user.", signed(push(user="root")), refused("Replayed"))
    case("other-key", "The same jti with another key.", signed(push(keys=[OTHER_KEY])), refused("Replayed"))
    case("later-exp", "The same jti with a later end.", signed(push(exp=EXP + 60)), refused("Replayed"))
    case("blank-more", "The same jti and fields, with a blank more: other bytes.", signed(push() + b" "),
         refused("Replayed"))
    case("unknown-field-more", "The same jti and fields, with an unknown one more.", signed(push('"x":1')),
         refused("Replayed"))
    case("escaped", "The same jti, written with an escape.",
         signed(push(user="root").replace(b"push-", b"\\u0070ush-")), refused("Replayed"))
    case("other-jti", "Everything the same but the jti: a push of its own.", signed(push(jti=OTHER_JTI)), ok())
    case("jti-in-another-case", "A jti in another case is another jti.", signed(push(jti=JTI.upper())), ok())
    case("longer-jti", "A jti that begins with one that was used is another.", signed(push(jti=JTI + "0")), ok())
    case("after-a-bad-signature", "A push that did not verify takes no jti.", signed(push()), ok(),
         (Step(signed(push(user="root"), STRANGER), refused("BadSignature")),))
    case("after-wrong-instance", "A push for another guest takes no jti.", signed(push()), ok(),
         (Step(signed(push(aud=INSTANCE + "0")), refused("WrongInstance")),))
    case("after-not-yet-valid", "The same push, refused when it was too early, is new when its time has come.",
         signed(push()), ok(), (Step(signed(push()), refused("NotYetValid"), IAT - 31),))
    case("at-exp", "The memory is asked before the clock: a repeat at exp is a repeat.", signed(push()),
         ok(duplicate=True, expiresIn=None), (Step(signed(push()), ok(), IAT),), now=EXP)
    case("jti-until-exp-and-29", "A jti is remembered after exp.", signed(push(iat=EXP, exp=EXP + 60)),
         refused("Replayed"), (Step(signed(push()), ok(), IAT - 30),), now=EXP + 29)
    case("jti-until-boot-time-too",
         "A jti is remembered for exp - iat + 60 seconds since it came, also when exp + 30 has passed.",
         signed(push(iat=EXP + 60, exp=EXP + 120)), refused("Replayed"), (Step(signed(push()), ok(), EXP - 1),),
         now=EXP + 60)
    case("with-challenge", "The same push with a challenge that is used up is a repeat.", signed(challenged()),
         ok(wall_end=None, duplicate=True), (Step(signed(challenged()), ok(wall_end=None)),), challenge=CHALLENGE)
    case("jti-with-challenge", "The same jti in another push with a challenge, while the keys live.",
         signed(challenged(user="root")),
         refused("Replayed"), (Step(signed(challenged()), ok(wall_end=None)),), challenge=CHALLENGE)
    case("same-jti-timed-and-challenged", "The same jti, once with a challenge and once without.", signed(push()),
         refused("Replayed"), (Step(signed(challenged()), ok(wall_end=None)),), challenge=CHALLENGE)
    case("revocation-then-other-jti", "A revocation's jti stands for its own bytes: others are a replay.",
         signed(revoke(user="bob"), kind=REVOKE), refused("Replayed"),
         (Step(signed(revoke(user="alice"), kind=REVOKE), revoked(0)),))
    v.add_open("replay-revocation-twice", "The same revocation again.", signed(revoke(user="alice"), kind=REVOKE),
               {"ok": {}}, "either",
               "That a repeat succeeds is said of a push; what a repeated revocation answers is left open.",
               before=(Step(signed(revoke(user="alice"), kind=REVOKE), revoked(0)),))
    v.add_open("replay-jti-of-a-push-in-a-revocation", "A revocation with the jti of a push.",
               signed(revoke(user="bob", jti=JTI), kind=REVOKE), refused("Replayed"), "either",
               "Whether pushes and revocations share one memory is left open.", before=(first,))


def add_revocation(v):
    print_1, print_2 = fingerprint(KEY), fingerprint(OTHER_KEY)

    def revocation(count=0, by="ed25519", expected=None, **changes):
        return Step(signed(revoke(**changes), by, kind=REVOKE), expected or revoked(count))

    for name, selector in (("fingerprint", {"fingerprint": print_1}), ("user", {"user": "alice"}),
                           ("all", {"all": True})):
        def case(what, description, payload, expected, before=None, **context):
            v.add(f"revoked-{name}-{what}", description, signed(payload), expected,
                  before=before or (revocation(**selector),), **context)

        case("then-earlier", "A push that was held back: its iat lies before the revocation's.",
             push(iat=IAT - 10, exp=EXP - 10), EXPIRED)
        case("then-same-second", "A push with the revocation's iat.", push(), EXPIRED)
        case("then-later", "A push whose iat is later than the revocation's.", push(iat=IAT + 1, exp=EXP + 1),
             ok(wall_end=EXP + 1))
        case("then-challenge", "A push with a challenge cannot have been held back.",
             challenged(iat=IAT - 10, exp=EXP - 10), ok(wall_end=None), challenge=CHALLENGE)
        case("by-challenge-then-earlier", "The revocation itself was signed with a challenge.",
             push(iat=IAT - 10, exp=EXP - 10), EXPIRED,
             (revocation(challenge=CHALLENGE, **selector),), challenge=CHALLENGE)
        if name != "user":
            continue
        case("badly-signed-then-earlier", "A revocation that does not verify holds nothing back.",
             push(iat=IAT - 10, exp=EXP - 10),
             ok(wall_end=EXP - 10), (revocation(by=STRANGER, expected=refused("BadSignature"), **selector),))
        case("dated-long-ago", "The time of a revocation is that of its receipt, not its iat.",
             push(iat=IAT - 10, exp=EXP - 10), EXPIRED,
             (revocation(challenge=CHALLENGE, iat=IAT - 600, exp=EXP - 600, **selector),), challenge=CHALLENGE)
        case("dated-long-ago-same-second", "A push of the second in which a revocation came.", push(), EXPIRED,
             (revocation(challenge=CHALLENGE, iat=IAT - 600, exp=EXP - 600, **selector),), challenge=CHALLENGE)
        case("dated-ahead", "A revocation whose iat is far ahead refuses no push of after its receipt.",
             push(iat=IAT + 1, exp=EXP + 1), ok(wall_end=EXP + 1),
             (revocation(challenge=CHALLENGE, iat=IAT + 10**6, exp=EXP + 10**6, **selector),), challenge=CHALLENGE)
        case("twice-newest-counts", "An older revocation takes nothing from a newer one.",
             push(iat=IAT + 5, exp=EXP + 5), EXPIRED,
             (replace(revocation(jti="revoke-00000000000002", iat=IAT - 20, exp=EXP - 20, **selector), now=IAT - 20),
              replace(revocation(**selector), now=IAT + 5)), now=IAT + 6)

    def unsynchronized(name, description, iat, pushed, expected):
        v.add(f"revoked-unsynchronized-{name}", description, signed(push(iat=pushed, exp=pushed + 60)), expected,
              before=(replace(revocation(user="alice", challenge=CHALLENGE, iat=iat, exp=iat + 60),
                              max_error=NEVER_SYNCHRONIZED, now=NOW),),
              challenge=CHALLENGE, now=NOW + 10)

    unsynchronized("then-earlier", "A revocation of a guest without a clock is of its iat: a push of before is refused.",
                   IAT + 5, IAT + 5, EXPIRED)
    unsynchronized("then-later", "A push of later than that is taken.", IAT + 5, IAT + 6, ok(wall_end=IAT + 66))
    unsynchronized("dated-ahead", "An iat that is far ahead counts for 300 seconds, and no more.", IAT + 10**6,
                   IAT + 40, EXPIRED)
    v.add("revoked-unsynchronized-dated-ahead-over", "A push of 301 seconds after such a revocation.",
          signed(push(iat=IAT + 301, exp=EXP + 301)), ok(wall_end=EXP + 301),
          before=(replace(revocation(user="alice", challenge=CHALLENGE, iat=IAT + 10**6, exp=EXP + 10**6),
                          max_error=NEVER_SYNCHRONIZED, now=NOW),), challenge=CHALLENGE, now=NOW + 301)

    v.add("revoked-other-fingerprint", "A revocation of another key.", signed(push()), ok(),
          before=(revocation(fingerprint=print_2),))
    v.add("revoked-other-user", "A revocation of another user.", signed(push()), ok(), before=(revocation(user="bob"),))
    v.add("revoked-fingerprint-of-any-user", "A fingerprint is revoked for every user.", signed(push(user="bob")),
          EXPIRED, before=(revocation(fingerprint=print_1),))
    v.add("revoked-user-with-any-key", "A user is revoked with every key.", signed(push(keys=[OTHER_KEY])), EXPIRED,
          before=(revocation(user="alice"),))

    two = Step(signed(push(keys=[KEY, OTHER_KEY])), ok(keys=[KEY, OTHER_KEY]))
    bob = Step(signed(push(user="bob", jti=OTHER_JTI)), ok(user="bob"))
    for name, selector, count in (("user", {"user": "alice"}, 2), ("fingerprint-of-one", {"fingerprint": print_2}, 1),
                                  ("all", {"all": True}, 3)):
        v.add(f"revoke-counts-{name}", "How many keys went, of three: two of alice's and one of bob's.",
              signed(revoke(**selector), kind=REVOKE), revoked(count), before=(two, bob))
    v.add("revoke-counts-no-dead-keys", "A key that has expired does not go.",
          signed(revoke(user="alice", iat=EXP, exp=EXP + 60), kind=REVOKE),
          revoked(0), before=(Step(signed(push()), ok(), NOW),), now=EXP)
    v.add_open("revoked-one-of-several-keys", "A push of two keys, of which one was revoked meanwhile.",
               signed(push(keys=[OTHER_KEY, KEY])),
               EXPIRED, "refuse", "That a push is refused as a whole follows from its being one grant.",
               before=(revocation(fingerprint=print_1),))
    v.add_open("revoked-then-the-same-again", "A push that was accepted and then revoked is repeated.", signed(push()),
               ok(duplicate=True, expiresIn=None), "either",
               "A repeat is a success that changes nothing; a push not later than the revocation is refused.",
               before=(Step(signed(push()), ok()), revocation(1, user="alice")))


def filled():
    """Four pushes of eight keys: all that a user may have."""
    return tuple(Step(signed(push(jti=f"fill-00000000000{i}", keys=keys)), {"ok": {"duplicate": False}})
                 for i in range(4) for keys in [[ed25519_key(100 + 8 * i + j) for j in range(8)]])


def add_order(v):
    denied = {"denyUsers": ["mallory"]}
    first = Step(signed(push()), ok())
    bad_key = ["ssh-ed25519 AAAA"]

    def case(name, description, call, expected, before=(), **context):
        v.add(f"order-{name}", description, call, expected, before=before, **context)

    case("untrusted-before-type", "No anchor, and the wrong payload type.", signed(push(), kind=REVOKE, method="Push"),
         refused("Untrusted"), anchors=[])
    case("untrusted-before-json", "No anchor, and no JSON.", signed(b"{"), refused("Untrusted"), anchors=[])
    case("signature-before-type", "A bad signature, and the wrong payload type.",
         signed(push(), STRANGER, REVOKE, "Push"), refused("BadSignature"))
    case("signature-before-json", "A bad signature, and no JSON.", signed(b"{", STRANGER), refused("BadSignature"))
    case("signature-before-schema", "A bad signature, and a field of the wrong type.", signed(push(user=1), STRANGER),
         refused("BadSignature"))
    case("signature-before-crit", "A bad signature, and a crit that is not known.", signed(push(crit=["x"]), STRANGER),
         refused("BadSignature"))
    case("signature-before-aud", "A bad signature, and another guest.", signed(push(aud=INSTANCE + "0"), STRANGER),
         refused("BadSignature"))
    case("signature-before-jti", "A bad signature, and a jti that was used.", signed(push(user="bob"), STRANGER),
         refused("BadSignature"), (first,))
    case("signature-before-clock", "A bad signature, and too late.", signed(push(), STRANGER), refused("BadSignature"),
         now=EXP)
    case("signature-before-challenge", "A bad signature, and a wrong challenge.", signed(challenged(), STRANGER),
         refused("BadSignature"))
    case("signature-before-policy", "A bad signature, and a user who is denied.",
         signed(push(user="mallory"), STRANGER), refused("BadSignature"), **denied)
    case("signature-before-keys", "A bad signature, and a bad key.", signed(push(keys=bad_key), STRANGER),
         refused("BadSignature"))
    case("type-before-aud", "The wrong payload type, and another guest.",
         signed(push(aud=INSTANCE + "0"), kind=PUSH + "x", method="Push"), invalid())
    case("type-before-clock", "The wrong payload type, and too late.", signed(push(), kind=PUSH + "x", method="Push"),
         invalid(), now=EXP)
    case("schema-before-crit", "A field of the wrong type, and a crit that is not known: the field is named.",
         signed(push(user=1, crit=["x"])), invalid("user"))
    case("schema-before-aud", "A field of the wrong type, and another guest.", signed(push(user=1, aud=INSTANCE + "0")),
         invalid("user"))
    case("schema-before-jti", "A field of the wrong type, and a jti that was used.", signed(push(user=1)),
         invalid("user"), (first,))
    case("schema-before-clock", "A field of the wrong type, and too late.", signed(push(user=1)), invalid("user"),
         now=EXP)
    case("schema-before-clock-span", "exp - iat of 301, and too late.", signed(push(exp=IAT + 301)), invalid(),
         now=IAT + 400)
    case("schema-before-unsynchronized", "A field of the wrong type, and no clock.", signed(push(ttl=0)),
         invalid("ttl"), maxError=NEVER_SYNCHRONIZED)
    case("schema-before-challenge", "A field of the wrong type, and a wrong challenge.", signed(challenged(ttl=0)),
         invalid("ttl"))
    case("schema-before-policy", "A field of the wrong type, and a user who is denied.",
         signed(push(user="mallory", ttl=0)), invalid("ttl"), **denied)
    case("schema-before-keys", "A bad key, and a later field of the wrong type.", signed(push(keys=bad_key, ttl=0)),
         invalid("ttl"))
    case("crit-before-aud", "A crit that is not known, and another guest.",
         signed(push(crit=["x"], aud=INSTANCE + "0")), invalid())
    case("crit-before-jti", "A crit that is not known, and a jti that was used.", signed(push(crit=["x"])), invalid(),
         (first,))
    case("crit-before-clock", "A crit that is not known, and too late.", signed(push(crit=["x"])), invalid(), now=EXP)
    case("crit-before-keys", "A crit that is not known, and a bad key.", signed(push(crit=["x"], keys=bad_key)),
         invalid())
    case("aud-before-jti", "Another guest, and a jti that was used.", signed(push(aud=INSTANCE + "0")),
         refused("WrongInstance"), (first,))
    case("aud-before-clock", "Another guest, and too late.", signed(push(aud=INSTANCE + "0")), refused("WrongInstance"),
         now=EXP)
    case("aud-before-unsynchronized", "Another guest, and no clock.", signed(push(aud=INSTANCE + "0")),
         refused("WrongInstance"), maxError=NEVER_SYNCHRONIZED)
    case("aud-before-challenge", "Another guest, and a wrong challenge.", signed(challenged(aud=INSTANCE + "0")),
         refused("WrongInstance"))
    case("aud-before-policy", "Another guest, and a user who is denied.",
         signed(push(user="mallory", aud=INSTANCE + "0")), refused("WrongInstance"), **denied)
    case("aud-before-keys", "Another guest, and a bad key.", signed(push(keys=bad_key, aud=INSTANCE + "0")),
         refused("WrongInstance"))
    case("jti-before-clock", "A jti that was used, and too late.", signed(push(user="bob")), refused("Replayed"),
         (Step(signed(push()), ok(), NOW),), now=EXP)
    case("jti-before-challenge", "A jti that was used, and a challenge that is used up.",
         signed(challenged(user="bob")),
         refused("Replayed"), (Step(signed(challenged()), ok(wall_end=None)),), challenge=CHALLENGE)
    case("jti-before-policy", "A jti that was used, and a user who is denied.", signed(push(user="mallory")),
         refused("Replayed"), (first,), **denied)
    case("jti-before-keys", "A jti that was used, and a bad key.", signed(push(keys=bad_key)), refused("Replayed"),
         (first,))
    case("jti-before-store", "A repeat of a push succeeds although there is no more room.", filled()[0].call,
         ok(keys=[ed25519_key(100 + j) for j in range(8)], duplicate=True), filled())
    case("unsynchronized-before-clock", "No clock, and too late.", signed(push()), UNSYNCHRONIZED, now=EXP,
         maxError=NEVER_SYNCHRONIZED)
    case("unsynchronized-before-policy", "No clock, and a user who is denied.", signed(push(user="mallory")),
         UNSYNCHRONIZED, maxError=NEVER_SYNCHRONIZED, **denied)
    case("clock-before-policy", "Too late, and a user who is denied.", signed(push(user="mallory")), EXPIRED, now=EXP,
         **denied)
    case("clock-before-keys", "Too late, and a bad key.", signed(push(keys=bad_key)), EXPIRED, now=EXP)
    case("challenge-before-policy", "A wrong challenge, and a user who is denied.", signed(challenged(user="mallory")),
         STALE, **denied)
    case("challenge-before-keys", "A wrong challenge, and a bad key.", signed(challenged(keys=bad_key)), STALE)
    case("policy", "A user who is denied.", signed(push(user="mallory")), refused("UserDenied"), **denied)
    case("policy-before-keys", "A user who is denied, and a bad key.", signed(push(user="mallory", keys=bad_key)),
         refused("UserDenied"), **denied)
    case("policy-of-others", "Another user is denied.", signed(push()), ok(), **denied)
    case("keys-before-store", "A bad key, and no more room.", signed(push(keys=bad_key)),
         refused("KeyRejected", index=0), filled())
    case("store", "No more room: a user may have 32 keys.", signed(push()), refused("StoreFull"), filled())
    case("store-after-expiry", "A key that has expired takes no room.", signed(push(iat=EXP, exp=EXP + 60)),
         ok(wall_end=EXP + 60), [replace(step, now=NOW) for step in filled()], now=EXP)


def add_all(v):
    assert set(DEFAULTS) >= {"now", "boot", "challenge"}
    for part in (add_clock, add_challenge, add_replay, add_revocation, add_order):
        part(v)
