# SPDX-License-Identifier: Apache-2.0
"""The payload: its JSON, its fields, their types and limits."""
from material import (AUD_PREFIX, CHALLENGE, EXP, IAT, INSTANCE, KEY, NOW, OMIT, OTHER_KEY, REVOKE, Raw, dump,
                      ed25519_key, fingerprint, invalid, ok, push, refused, revoke, revoked, signed)

REQUIRED = ("aud", "user", "keys", "iat", "exp", "jti")
KINDS = {
    "aud": "text", "user": "text", "keys": "list", "iat": "number", "exp": "number", "ttl": "number", "jti": "text",
    "challenge": "text", "connections": "number", "source": "list", "restrict": "boolean", "principal": "text",
    "requestId": "text", "crit": "list",
}
WRONG = {
    "text": ("text", "some text of 20 bytes"), "number": ("a number", 60), "boolean": ("true", True),
    "list": ("an array", [1]), "object": ("an object", {}), "null": ("null", None),
}
WRONG_FOR = {
    "text": ("number", "list", "null"), "number": ("text", "boolean", "null"), "list": ("text", "object", "null"),
    "boolean": ("text", "number", "null"),
}
NULL_NOTE = "null is not the field's type; an implementation may still take it as absent."


def invalid_push(v, name, description, payload, at=None, **context):
    v.add(name, description, signed(payload), invalid(at), **context)


def good_push(v, name, description, payload, **expected):
    v.add(name, description, signed(payload), ok(**expected))


def add_missing(v):
    for name in REQUIRED:
        invalid_push(v, f"{name}-missing", f"{name} is required.", push(**{name: OMIT}), name)
    for name in ("aud", "iat", "exp", "jti"):
        v.add(f"revoke-{name}-missing", f"{name} is required in a revocation too.",
              signed(revoke(user="alice", **{name: OMIT}), kind=REVOKE), invalid(name))
    invalid_push(v, "user-in-another-case", "Names are taken as they are written: User is not user.",
                 push(user=OMIT, User="alice"), "user")
    v.add("only-an-empty-object", "An object without any field.", signed(b"{}"), invalid())


def add_mistyped(v):
    for name, kind in KINDS.items():
        for wrong, (what, value) in WRONG.items():
            if wrong not in WRONG_FOR[kind]:
                continue
            case = (f"{name}-is-{wrong}", f"{name} must be of type {kind}, and is {what}.",
                    signed(push(**{name: value})))
            if value is None and name not in REQUIRED:
                v.add_open(*case, invalid(name), "either", NULL_NOTE)
            else:
                v.add(*case, invalid(name))
    for name in ("keys", "source", "crit"):
        for what, value in (("a number", 1), ("null", None)):
            invalid_push(v, f"{name}-holds-{what.split(' ')[-1]}", f"{name} must hold text, and holds {what}.",
                         push(**{name: [value]}), name)
    for name, whole, power in (("iat", "1800000000.0", "18e8"), ("exp", "1800000060.0", "180000006e1"),
                               ("ttl", "60.0", "6e1"), ("connections", "1.0", "1e0")):
        for what, text in (("a-fraction", whole), ("an-exponent", power)):
            invalid_push(v, f"{name}-with-{what}",
                         f"{name} is written as {text}: a whole number, but not an integer in JSON.",
                         push(**{name: Raw(text)}), name)
    invalid_push(v, "ttl-half", "ttl is 1.5.", push(ttl=Raw("1.5")), "ttl")
    invalid_push(v, "real-in-an-unknown-field", "A number that is not an integer refuses the push wherever it stands.",
                 push('"unknown":1.5'))
    for name, what, text in (("iat", "2-to-the-63", str(2**63)), ("iat", "below-minus-2-to-the-63", str(-2**63 - 1)),
                             ("exp", "2-to-the-64-and-more", str(2**64 + EXP)), ("exp", "of-400-digits", "1" * 400),
                             ("connections", "2-to-the-64-and-1", str(2**64 + 1))):
        invalid_push(v, f"{name}-{what}", f"{name} is a number that no 64-bit integer holds.",
                     push(**{name: Raw(text)}))
    for what, text in (("2-to-the-63", str(2**63)), ("2-to-the-64-and-60", str(2**64 + 60)),
                       ("of-400-digits", "1" * 400)):
        v.add_open(f"ttl-{what}", "ttl is a number that no 64-bit integer holds.", signed(push(ttl=Raw(text))),
                   invalid(),
                   "either", "More than MaxTtl is cut to it, but many JSON parsers cannot read such a number.")
    v.add_open("integer-of-400-digits-in-an-unknown-field",
               "A name that is not known holds a number that no 64-bit integer holds.",
               signed(push('"unknown":' + "1" * 400)), invalid(), "either",
               "It is an integer and its name is ignored, but many JSON parsers cannot read it.")
    v.add_open("connections-minus-zero", "connections is -0.", signed(push(connections=Raw("-0"))), ok(connections=0),
               "either", "JSON has -0; whether it is the integer 0 is left to the parser.")


def add_ranges(v):
    for name in ("iat", "exp"):
        invalid_push(v, f"{name}-negative", f"{name} is -1.", push(**{name: -1}))
    invalid_push(v, "iat-and-exp-negative", "iat and exp lie before 1970.", push(iat=-120, exp=-60), now=NOW)
    v.add("iat-zero", "iat may be 0: the first second there is.", signed(push(iat=0, exp=60)), refused("Expired"))
    v.add("exp-2-to-the-40", "exp may be 2^40, but that is far ahead.", signed(push(iat=2**40 - 60, exp=2**40)),
          refused("NotYetValid"))
    invalid_push(v, "exp-2-to-the-40-and-1", "exp is beyond 2^40.", push(iat=2**40 - 59, exp=2**40 + 1), "exp")
    invalid_push(v, "iat-2-to-the-40-and-1", "iat and exp are beyond 2^40.", push(iat=2**40 + 1, exp=2**40 + 61))
    invalid_push(v, "iat-and-exp-2-to-the-62", "iat and exp are so large that nanoseconds overflow.",
                 push(iat=2**62, exp=2**62 + 60))
    invalid_push(v, "exp-2-to-the-63-less-1", "exp - iat is the largest there is.", push(iat=0, exp=2**63 - 1))
    invalid_push(v, "iat-is-exp", "iat must lie before exp.", push(exp=IAT))
    invalid_push(v, "iat-after-exp", "iat lies behind exp.", push(iat=EXP, exp=IAT))
    good_push(v, "span-of-1", "exp - iat may be a second.", push(exp=IAT + 1), life=1, wall_end=IAT + 1)
    good_push(v, "span-of-300", "exp - iat may be 300 seconds.", push(exp=IAT + 300), life=300, wall_end=IAT + 300)
    invalid_push(v, "span-of-301", "exp - iat is more than 300 seconds, without a challenge.", push(exp=IAT + 301))
    invalid_push(v, "span-of-3600", "3600 seconds are for a push with a challenge.", push(exp=IAT + 3600))

    for ttl, life in ((1, 1), (59, 59), (60, 60), (61, 60), (301, 60), (2**32 + 1, 60), (2**53 + 1, 60),
                      (2**63 - 1, 60)):
        good_push(v, f"ttl-{ttl}", f"A ttl of {ttl} where exp - iat is 60: {life} seconds of life.", push(ttl=ttl),
                  life=life)
    for ttl, life in ((299, 299), (300, 300), (301, 300)):
        good_push(v, f"ttl-{ttl}-of-300", f"A ttl of {ttl} where exp - iat and MaxTtl are 300: {life} seconds of life.",
                  push(ttl=ttl, exp=IAT + 300), life=life, wall_end=IAT + 300)
    for what, ttl in (("zero", 0), ("negative", -1), ("least", -2**63)):
        invalid_push(v, f"ttl-{what}", f"A ttl of {ttl}.", push(ttl=ttl), "ttl")

    for connections in (0, 1, 2, 100):
        good_push(v, f"connections-{connections}", f"{connections} is within 0 to 100.", push(connections=connections),
                  connections=connections)
    for what, connections in (("101", 101), ("negative", -1), ("256", 256), ("2-to-the-32", 2**32),
                              ("2-to-the-32-and-1", 2**32 + 1)):
        invalid_push(v, f"connections-{what}", f"{connections} is not within 0 to 100.", push(connections=connections),
                     "connections")

    good_push(v, "restrict-true", "A push that asks for a restricted session.", push(restrict=True), restrict=True)
    good_push(v, "restrict-false", "A push that says what is the default.", push(restrict=False), restrict=False)


GOOD_LABELS = {
    "principal": (("of-256", "p" * 256), ("empty", ""), ("with-quotes", 'a"b\\c\'d')),
    "requestId": (("of-256-four-byte", "\U0001f600" * 256),),
}
BAD_LABELS = {
    "principal": (("of-257", "p" * 257), ("with-line-break", "alice\nroot"), ("with-carriage-return", "alice\rroot"),
                  ("with-escape", "alice\x1b[2J"), ("with-delete", "alice\x7f"), ("with-c1-control", "alice\u009b2J")),
    "requestId": (("of-257-two-byte", "\u00e9" * 257), ("with-line-break", "request\n1")),
}


def add_texts(v):
    for length in (16, 128):
        good_push(v, f"jti-of-{length}", f"A jti of {length} characters.", push(jti="j" * length))
    for length in (0, 15, 129):
        invalid_push(v, f"jti-of-{length}", f"A jti of {length} characters.", push(jti="j" * length), "jti")
    printable = "".join(chr(c) for c in range(0x21, 0x7f))
    good_push(v, "jti-of-all-characters", "A jti of every printable ASCII character but the blank.",
              push(jti=printable))
    good_push(v, "jti-like-a-path", "A jti is no path.", push(jti="../../../../etc/passwd"))
    for what, text in (("tab", "push\t00000000001"), ("line-break", "push\n00000000001"),
                       ("delete", "push\x7f00000000001"),
                       ("not-ascii", "pushé00000000001"), ("two-byte-characters", "\u00e9" * 16),
                       ("nul", "push\u000000000000001")):
        at = None if what == "nul" else "jti"
        invalid_push(v, f"jti-with-{what}", "A jti with a character that is not printable ASCII.",
                     push(jti=Raw('"push\\u000000000000001"') if what == "nul" else text), at)
    v.add_open("jti-with-a-blank", "A jti with a blank.", signed(push(jti="push 0000000000001")), ok(), "either",
               "Whether the blank is a printable character is left open.")

    good_push(v, "user-of-256", "A login name of 256 bytes.", push(user="u" * 256), user="u" * 256)
    invalid_push(v, "user-of-257", "A login name of 257 bytes.", push(user="u" * 257), "user")
    good_push(v, "user-of-256-in-two-byte-characters", "A login name of 128 characters, which are 256 bytes.",
              push(user="\u00e9" * 128), user="\u00e9" * 128)
    invalid_push(v, "user-of-258-in-two-byte-characters", "A login name of 129 characters, which are 258 bytes.",
                 push(user="\u00e9" * 129), "user")
    good_push(v, "user-with-a-backslash", "A login name as directories have them.", push(user="CORP\\alice"),
              user="CORP\\alice")
    good_push(v, "user-with-an-at", "A login name as directories have them.", push(user="alice@example.org"),
              user="alice@example.org")
    v.add_open("user-empty", "An empty login name.", signed(push(user="")), invalid("user"), "refuse",
               "There is no such user; whether the field or the user is at fault is left open.")
    for what, user in (("dots", ".."), ("a-path", "../../etc/cron.d/x"), ("a-line-break", "alice\nroot"),
                       ("a-blank-behind", "alice ")):
        v.add_open(f"user-is-{what}", "A login name that hardly any guest has: here every user exists.",
                   signed(push(user=user)), ok(user=user), "either",
                   "push.md has no rule for the characters of a login name; the name service decides.")

    for name in ("principal", "requestId"):
        for what, text in GOOD_LABELS[name]:
            good_push(v, f"{name}-{what}", f"{name} may have 256 printable characters, of any length in bytes.",
                      push(**{name: text}), **{name: text})
        for what, text in BAD_LABELS[name]:
            invalid_push(v, f"{name}-{what}", f"{name} has at most 256 characters, all printable.",
                         push(**{name: text}), name)
    for what, text in (("right-to-left-override", "alice\u202etoor"), ("zero-width-space", "ali\u200bce"),
                       ("line-separator", "alice\u2028root")):
        v.add_open(f"principal-with-{what}", "principal with a character that deceives the eye.",
                   signed(push(principal=text)),
                   invalid("principal"), "either", "Whether such a character is printable is left open.")


def add_crit(v):
    known = [name for name in KINDS if name != "crit"]
    good_push(v, "crit-empty", "An empty crit asks for nothing.", push(crit=[]))
    good_push(v, "crit-of-all-names", "Every name of the table is understood.", push(crit=known))
    good_push(v, "crit-of-a-name-that-is-there", "The name in crit is known and there.",
              push(source=["192.0.2.7"], crit=["source"]), source=["192.0.2.7"])
    good_push(v, "crit-of-a-name-that-is-absent", "The name in crit is known, and its field absent.",
              push(crit=["source"]))
    invalid_push(v, "crit-unknown", "A name in crit that is not known refuses the push.", push(crit=["notBefore"]))
    invalid_push(v, "crit-unknown-and-there", "An unknown field is ignored, but not when crit has its name.",
                 push('"notBefore":1', crit=["notBefore"]))
    invalid_push(v, "crit-unknown-behind-known", "The last name in crit is not known.",
                 push(crit=["source", "user", "notBefore"]))
    invalid_push(v, "crit-in-another-case", "Names are taken as they are written.", push(crit=["Source"]))
    invalid_push(v, "crit-of-an-empty-name", "An empty name is not known.", push(crit=[""]))
    invalid_push(v, "crit-with-a-blank", "A name with a blank behind it is not known.", push(crit=["source "]))
    invalid_push(v, "crit-of-17", "At most 16 names.", push(crit=(known * 2)[:17]), "crit")
    invalid_push(v, "crit-of-16-unknown", "16 names are read, and the last is not known.",
                 push(crit=(known * 2)[:15] + ["x"]))
    v.add_open("crit-of-16", "16 names; since there are not so many, some stand there twice.",
               signed(push(crit=(known * 2)[:16])),
               ok(), "either", "Whether a name may stand in crit twice is left open.")
    v.add_open("crit-of-crit", "crit itself is in the table.", signed(push(crit=["crit"])), ok(), "either",
               "Whether crit is a name that may stand in crit is left open.")
    v.add_open("revoke-crit-unknown", "A revocation with a crit that is not known.",
               signed(revoke(user="alice", crit=["notBefore"]), kind=REVOKE), invalid(), "either",
               "crit is in the table of a push alone.")


def add_unknown(v):
    good_push(v, "unknown-field", "A name that is neither known nor in crit is ignored.", push('"notBefore":1'))
    good_push(v, "unknown-fields-of-all-types", "Whatever an unknown name holds is ignored.",
              push('"a":null,"b":true,"c":[1,"x",{}],"d":{"user":"root","exp":1},"e":"x","":-1'))
    good_push(v, "unknown-field-in-another-case", "TTL is not ttl, so it is ignored.", push('"TTL":1'))
    v.add_open("revoke-unknown-field", "A revocation with a name that is not known.",
               signed(revoke('"reason":"test"', user="alice"), kind=REVOKE), revoked(0), "either",
               "That an unknown name is ignored is said of a push alone.")

    good_push(v, "depth-4", "An object in which three brackets are nested.", push('"unknown":[[[1]]]'))
    good_push(v, "depth-4-of-objects", "An object in which three more are nested.", push('"unknown":{"a":{"b":{}}}'))
    for what, text in (("arrays", "[[[[1]]]]"), ("objects", '{"a":{"b":{"c":{}}}}'), ("both", '[{"a":[{}]}]')):
        v.add_open(f"depth-5-of-{what}", "Brackets nested five deep, the payload's own counted.",
                   signed(push(f'"unknown":{text}')),
                   invalid(), "refuse", "Not deeper than 4: that the payload's own bracket counts is a reading.")
    invalid_push(v, "depth-6", "Brackets nested too deep, even if the payload's own are not counted.",
                 push('"unknown":[[[[[1]]]]]'))
    invalid_push(v, "depth-of-1000", "Brackets nested so deep that a parser which recurses may fall.",
                 push('"unknown":' + "[" * 1000 + "]" * 1000))
    good_push(v, "brackets-in-text", "Brackets in text are not nested.", push('"unknown":"[[[[[[[[{{{{{{{{\\"[[[[[["'))


def add_duplicates(v):
    for name, value in (("user", "root"), ("keys", [OTHER_KEY]), ("exp", EXP), ("aud", INSTANCE)):
        again = push().decode()[:-1] + f',"{name}":{dump(value)}'
        invalid_push(v, f"duplicate-{name}", f"{name} stands there twice.", (again + "}").encode())
    invalid_push(v, "duplicate-by-an-escape", "user stands there twice, once with an escape in its name.",
                 push('"\\u0075ser":"root"'))
    invalid_push(v, "duplicate-by-an-escape-in-front", "The same, the other way round.",
                 push().replace(b"{", b'{"us\\u0065r":"root",', 1))
    invalid_push(v, "duplicate-optional", "ttl stands there twice.", push('"ttl":1', ttl=30))
    invalid_push(v, "duplicate-same-value", "A name twice refuses the push even with the same value.",
                 push('"user":"alice"'))
    invalid_push(v, "duplicate-unknown", "An unknown name stands there twice.", push('"x":1,"x":1'))
    invalid_push(v, "duplicate-empty-name", "The empty name stands there twice.", push('"":1,"":2'))
    invalid_push(v, "duplicate-nested", "A name twice in an object inside an unknown field.", push('"x":{"a":1,"a":2}'))
    invalid_push(v, "duplicate-nested-by-an-escape", "The same, once with an escape.", push('"x":{"a":1,"\\u0061":2}'))
    invalid_push(v, "duplicate-nested-in-an-array", "A name twice in an object inside an array.",
                 push('"x":[{"a":1,"a":2}]'))
    good_push(v, "same-name-in-other-objects", "The same name in several objects is no duplicate.",
              push('"x":{"user":"root","x":1},"y":[{"a":1},{"a":1}]'))
    v.add_open("revoke-duplicate", "A revocation in which user stands twice.",
               signed(revoke('"user":"bob"', user="alice"), kind=REVOKE), invalid(), "refuse",
               "That a duplicate name refuses is said of a push alone.")


def add_json(v):
    good = push()

    def bad(name, description, payload):
        invalid_push(v, f"json-{name}", description, payload)

    def fine(name, description, payload, **expected):
        good_push(v, f"json-{name}", description, payload, **expected)

    for name, payload in (("empty", b""), ("blank", b" "), ("null", b"null"), ("true", b"true"), ("a-number", b"1"),
                          ("a-string", b'"push"'), ("an-array", b"[" + good + b"]"), ("an-empty-array", b"[]")):
        bad(f"is-{name}", f"The payload is {name.replace('-', ' ')}, not an object.", payload)
    bad("trailing-object", "A second object stands behind the first.", good + b"{}")
    bad("trailing-bracket", "A bracket stands behind the object.", good + b"}")
    bad("trailing-text", "Something stands behind the object.", good + b" x")
    bad("trailing-nul", "A NUL byte stands behind the object.", good + b"\0")
    bad("cut", "The last bracket is missing.", good[:-1])
    bad("trailing-comma", "A comma stands before the last bracket.", good[:-1] + b",}")
    bad("comment", "JSON has no comments.", b"/* push */" + good)
    bad("single-quotes", "JSON has no single quotes.", good.replace(b'"', b"'"))
    bad("unquoted-name", "A name without quotes.", good.replace(b'"user"', b"user"))
    bad("nan", "JSON has no NaN.", push(ttl=Raw("NaN")))
    bad("infinity", "JSON has no Infinity.", push(ttl=Raw("Infinity")))
    bad("leading-zero", "A number with a zero in front.", push(ttl=Raw("060")))
    bad("plus-sign", "A number with a plus sign.", push(ttl=Raw("+60")))
    bad("hexadecimal", "A number in hexadecimal.", push(ttl=Raw("0x3c")))
    bad("raw-line-break", "A line break inside a text, not as an escape.", push(principal=Raw('"a\nb"')))
    bad("raw-tab", "A tab inside a text, not as an escape.", push(principal=Raw('"a\tb"')))
    bad("unknown-escape", "An escape that JSON does not have.", push(principal=Raw('"\\x41"')))
    bad("half-escape", "An escape of three digits.", push(principal=Raw('"\\u004"')))
    bad("lone-high-surrogate", "Half a surrogate pair, as an escape, is no character.",
        push(principal=Raw('"\\ud83d"')))
    bad("lone-low-surrogate", "The other half.", push(principal=Raw('"\\ude00"')))
    bad("swapped-surrogates", "Both halves, the wrong way round.", push(principal=Raw('"\\ude00\\ud83d"')))
    bad("utf-16", "The payload in UTF-16.", good.decode().encode("utf-16-le"))
    bad("utf-16-with-mark", "The payload in UTF-16 with a byte order mark.", good.decode().encode("utf-16"))
    v.add_open("json-byte-order-mark", "A UTF-8 byte order mark before the object.", signed(b"\xef\xbb\xbf" + good),
               invalid(), "either", "RFC 8259 section 8.1 forbids sending one, and lets a parser ignore it.")

    for name, where in (("user", "user"), ("principal", "principal"), ("aud", "aud"), ("an-unknown-field", "x"),
                        ("crit", "crit")):
        text = Raw('["a\\u0000"]' if where == "crit" else '"alice\\u0000root"')
        bad(f"nul-in-{name}", f"A NUL, as an escape, in {name.replace('-', ' ')}.", push(**{where: text}))
    bad("nul-in-a-name", "A NUL, as an escape, in a member's name.", push('"user\\u0000x":"root"'))
    bad("nul-name", "A member whose name is a NUL alone.", push('"\\u0000":1'))
    bad("nul-raw", "A NUL byte inside a text.", push(principal="@").replace(b"@", b"a\0b"))
    for what, octets in (("ff", b"\xff"), ("overlong-slash", b"\xc0\xaf"), ("overlong-nul", b"\xc0\x80"),
                         ("surrogate", b"\xed\xa0\x80"), ("cut-character", b"\xe2\x82"), ("lone-continuation", b"\x80"),
                         ("above-the-last", b"\xf4\x90\x80\x80"), ("latin-1", b"J\xfcrgen")):
        bad(f"not-utf-8-{what}", f"Bytes that are not UTF-8 ({octets.hex(' ')}) in principal.",
            push(principal="@").replace(b"@", octets))
    bad("not-utf-8-in-an-unknown-field", "Bytes that are not UTF-8 in an unknown field.",
        push('"x":"@"').replace(b"@", b"\xff"))
    bad("not-utf-8-in-a-name", "Bytes that are not UTF-8 in a member's name.", push('"@":1').replace(b"@", b"\xff"))

    fine("white-space", "White space around and between is nobody's business.",
         b" \t\r\n" + good.replace(b",", b" ,\n").replace(b"{", b"{\n\t") + b"\n")
    fine("escaped-letters", "Letters may be written as escapes, in names too.",
         push(user=Raw('"\\u0061lice"')).replace(b'"user"', b'"\\u0075ser"'))
    fine("escaped-slash", "A slash may be written with an escape, in aud too.",
         push(aud=Raw('"' + INSTANCE.replace("/", "\\/") + '"')))
    fine("surrogate-pair", "A character beyond 16 bits as a pair of escapes.", push(principal=Raw('"\\ud83d\\ude00"')),
         principal="\U0001f600")
    fine("other-order", "The order of the members is nobody's business.",
         push(jti=OMIT, exp=OMIT).replace(b"{", f'{{"exp":{EXP},"jti":"push-0000000000000001",'.encode(), 1))


def add_instance(v):
    def wrong(name, description, aud, **context):
        v.add(f"aud-{name}", description, signed(push(aud=aud)), refused("WrongInstance"), **context)

    wrong("of-another", "A push for another guest.", AUD_PREFIX + "i-ffffffff")
    wrong("in-capitals", "The id in another case.", AUD_PREFIX + "I-0A1B2C3D")
    wrong("trailing-blank", "A blank behind the id.", INSTANCE + " ")
    wrong("leading-blank-in-id", "A blank before the id.", AUD_PREFIX + " i-0a1b2c3d")
    wrong("trailing-line-break", "A line break behind the id.", INSTANCE + "\n")
    wrong("cut", "The id without its last character.", INSTANCE[:-1])
    wrong("longer", "The id with a character more.", INSTANCE + "0")
    wrong("trailing-slash", "A slash behind the id.", INSTANCE + "/")
    wrong("double-slash", "Two slashes before the id.", AUD_PREFIX + "/i-0a1b2c3d")
    wrong("dot-segment", "A path that leads to the same id.", AUD_PREFIX + "./i-0a1b2c3d")
    wrong("percent-encoded", "The id with a percent-encoded character.", INSTANCE.replace("-", "%2D"))
    wrong("with-query", "The id with a query behind it.", INSTANCE + "?x")
    wrong("look-alike", "The id with a Cyrillic letter.", INSTANCE.replace("a", "\u0430"))
    wrong("wildcard", "A wildcard is no id.", AUD_PREFIX + "*")
    wrong("without-an-own-id", "A guest without an id takes no push.", INSTANCE, instance=None)
    wrong("nothing-without-an-own-id", "A guest without an id takes no push for nobody either.", AUD_PREFIX,
          instance=None)
    wrong("of-a-longer-own-id", "The guest's id goes on after what the push says.", INSTANCE, instance=INSTANCE + "0")
    note = "Whether an aud without the prefix is the wrong form or the wrong guest is left open."
    for name, aud in (("without-prefix", INSTANCE.removeprefix(AUD_PREFIX)),
                      ("prefix-in-capitals", INSTANCE.replace("exc", "EXC")),
                      ("leading-blank", " " + INSTANCE), ("empty", "")):
        v.add_open(f"aud-{name}", "An aud that does not begin as it must.", signed(push(aud=aud)),
                   refused("WrongInstance"), "refuse", note)
    v.add("revoke-aud-of-another", "A revocation for another guest.",
          signed(revoke(user="alice", aud=INSTANCE + "0"), kind=REVOKE), refused("WrongInstance"))
    v.add("revoke-without-an-own-id", "A guest without an id takes no revocation.",
          signed(revoke(user="alice"), kind=REVOKE), refused("WrongInstance"), instance=None)


def add_sources(v):
    def good(name, *values):
        good_push(v, f"source-{name}", "Addresses and ranges with their host bits zero.", push(source=list(values)),
                  source=list(values))

    def bad(name, *values):
        invalid_push(v, f"source-{name}", "Not an address or a range with its host bits zero.",
                     push(source=list(values)), "source")

    good("ipv4", "192.0.2.7")
    good("ipv4-range", "192.0.2.0/24")
    good("ipv4-host-range", "192.0.2.7/32")
    good("ipv4-all", "0.0.0.0/0")
    good("ipv6", "2001:db8::1")
    good("ipv6-range", "2001:db8::/32")
    good("ipv6-all", "::/0")
    good("both-families", "192.0.2.7", "2001:db8::/32")
    good("of-16", *[f"192.0.2.{i}" for i in range(16)])
    bad("of-17", *[f"192.0.2.{i}" for i in range(17)])
    for name, value in (("ipv4-host-bits", "192.0.2.7/24"), ("ipv6-host-bits", "2001:db8::1/32"),
                        ("ipv4-all-host-bits", "0.0.0.1/0"),
                        ("ipv4-prefix-33", "192.0.2.7/33"), ("ipv6-prefix-129", "2001:db8::1/129"),
                        ("prefix-empty", "192.0.2.0/"),
                        ("prefix-plus", "192.0.2.0/+24"), ("prefix-2-to-the-32-and-24", "192.0.2.0/4294967320"),
                        ("netmask", "192.0.2.0/255.255.255.0"),
                        ("empty", ""), ("name", "host.example.org"), ("wildcard", "192.0.2.*"),
                        ("negation", "!192.0.2.7"), ("list-in-one", "192.0.2.7,192.0.2.8"),
                        ("blank-behind", "192.0.2.7 "), ("line-break", "192.0.2.7\n"),
                        ("option-injection", '192.0.2.7",command="/bin/sh'), ("three-parts", "192.0.2"),
                        ("part-256", "192.0.2.256"), ("one-number", "3221225991"), ("octal", "192.0.02.07"),
                        ("with-port", "192.0.2.7:22"), ("ipv6-in-brackets", "[2001:db8::1]"),
                        ("ipv6-zone", "fe80::1%eth0")):
        bad(name, value)
    bad("good-and-bad", "192.0.2.7", "192.0.2.*")
    v.add_open("source-none", "An empty list: from nowhere, or from anywhere?", signed(push(source=[])),
               invalid("source"), "either",
               "At most 16; whether an empty list is allowed is left open. Refusing cannot be misunderstood.")
    v.add_open("source-ipv4-in-ipv6", "An IPv4 address as an IPv6 one.", signed(push(source=["::ffff:192.0.2.7"])),
               invalid("source"),
               "either", "It is an address, but sshd compares such a client as IPv4, so it would never match.")
    v.add_open("source-prefix-leading-zero", "A prefix length with a zero in front.",
               signed(push(source=["10.0.0.0/08"])),
               invalid("source"), "either", "push.md does not say how a prefix length is written.")


def add_revoke_fields(v):
    def call(**changes):
        return signed(revoke(**changes), kind=REVOKE)

    print_1 = fingerprint(KEY)
    v.add("revoke-user", "By user.", call(user="alice"), revoked(0))
    v.add("revoke-fingerprint", "By fingerprint.", call(fingerprint=print_1), revoked(0))
    v.add("revoke-all", "All.", call(all=True), revoked(0))
    v.add("revoke-nothing", "Neither fingerprint nor user nor all.", call(), invalid())
    v.add("revoke-all-false", "all: false is not all: true, so there is nothing to revoke.", call(all=False), invalid())
    for name, changes in (("fingerprint-and-user", {"fingerprint": print_1, "user": "alice"}),
                          ("fingerprint-and-all", {"fingerprint": print_1, "all": True}),
                          ("user-and-all", {"user": "alice", "all": True}),
                          ("all-three", {"fingerprint": print_1, "user": "alice", "all": True})):
        v.add(f"revoke-{name}", "Exactly one of fingerprint, user, all: true.", call(**changes), invalid())
    for name, kinds in (("fingerprint", ("number", "list", "null")), ("user", ("number", "boolean", "null")),
                        ("all", ("number", "text", "null"))):
        for kind in kinds:
            what, value = WRONG[kind]
            v.add(f"revoke-{name}-is-{kind}", f"{name} of a revocation is {what}.", call(**{name: value}),
                  invalid(None if kind == "null" else name))
    v.add_open("revoke-user-and-all-false", "A user, and all: false.", call(user="alice", all=False), invalid(),
               "either", "Exactly one of fingerprint, user, all: true; whether all: false counts is left open.")
    for name, value in (("md5", "MD5:" + ":".join(["00"] * 16)), ("padded", print_1 + "="), ("bare", print_1[7:]),
                        ("cut", print_1[:-1]), ("empty", ""), ("small-letters", print_1.replace("SHA256", "sha256"))):
        v.add_open(f"revoke-fingerprint-{name}", "A fingerprint that sshd would not write.", call(fingerprint=value),
                   invalid("fingerprint"), "either",
                   "push.md does not say how a fingerprint is checked; it matches no key.")
    v.add("revoke-span-of-300", "exp - iat of a revocation may be 300 seconds.", call(user="alice", exp=IAT + 300),
          revoked(0))
    v.add("revoke-span-of-301", "exp - iat of a revocation is more than 300 seconds.",
          call(user="alice", exp=IAT + 301), invalid())
    v.add("revoke-span-of-3600-with-challenge", "With a challenge, 3600.",
          call(user="alice", exp=IAT + 3600, challenge=CHALLENGE), revoked(0), challenge=CHALLENGE)
    v.add("revoke-span-of-3601-with-challenge", "With a challenge, not 3601.",
          call(user="alice", exp=IAT + 3601, challenge=CHALLENGE), invalid(), challenge=CHALLENGE)
    v.add("revoke-jti-of-15", "A revocation's jti is too short.", call(user="alice", jti="j" * 15), invalid("jti"))
    v.add("revoke-iat-with-a-fraction", "A revocation's iat is not an integer.",
          call(user="alice", iat=Raw("1800000000.0")), invalid("iat"))
    v.add("revoke-is-an-array", "A revocation that is an array.", signed(b"[]", kind=REVOKE), invalid())


def add_keys_list(v):
    eight = [ed25519_key(number) for number in range(1, 9)]
    good_push(v, "keys-of-8", "Eight keys, one grant.", push(keys=eight), keys=eight)
    invalid_push(v, "keys-of-9", "At most eight keys.", push(keys=eight + [ed25519_key(9)]), "keys")
    invalid_push(v, "keys-of-0", "At least one key.", push(keys=[]), "keys")


def add_all(v):
    for part in (add_missing, add_mistyped, add_ranges, add_texts, add_crit, add_unknown, add_duplicates, add_json,
                 add_instance, add_sources, add_revoke_fields, add_keys_list):
        part(v)
