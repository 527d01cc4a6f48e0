# SPDX-License-Identifier: Apache-2.0
"""SSH public keys: each type that is taken, and what is wrong with those that are not."""
import curves
from material import (KEY, OTHER_KEY, b64, ed25519_key, ed25519_octets, ok, push, refused, signed, ssh_blob, ssh_mpint,
                      ssh_point, ssh_string, ssh_text)

NIST = {"nistp256": curves.P256, "nistp384": curves.P384, "nistp521": curves.P521}


def ecdsa(name, point=None, kind=None, curve=None):
    point = curves.uncompressed(NIST[name], ssh_point(NIST[name])) if point is None else point
    return ssh_text(kind or f"ecdsa-sha2-{name}", (curve or name).encode(), point)


def rsa_blob(exponent, modulus):
    """The parts as they are: numbers are encoded, bytes are not."""
    parts = [part if isinstance(part, bytes) else ssh_mpint(part) for part in (exponent, modulus)]
    return ssh_string(b"ssh-rsa") + b"".join(parts)


def rsa(exponent, modulus):
    return "ssh-rsa " + b64(rsa_blob(exponent, modulus))


def modulus(bits):
    return curves.odd_number(f"ssh modulus {bits}", bits) if bits % 8 == 0 else curves.odd_number("ssh modulus",
                                                                                                  bits + 1) >> 1 | 1


SK_ED25519 = "sk-ssh-ed25519@openssh.com"
SK_ECDSA = "sk-ecdsa-sha2-nistp256@openssh.com"
P256_POINT = curves.uncompressed(curves.P256, ssh_point(curves.P256))


def add_good(v):
    def good(name, what, key):
        v.add(f"key-{name}", f"A key of type {what}.", signed(push(keys=[key])), ok(keys=[key]))

    good("ed25519", "Ed25519", ed25519_key(5))
    for name in NIST:
        good(f"ecdsa-{name}", f"ECDSA on {name}", ecdsa(name))
    good("rsa-2048", "RSA of 2048 bits", rsa(65537, modulus(2048)))
    good("sk-ed25519", "Ed25519 on a security key", ssh_text(SK_ED25519, ed25519_octets(6), b"ssh:"))
    good("sk-ecdsa", "ECDSA on a security key", ssh_text(SK_ECDSA, b"nistp256", P256_POINT, b"ssh:"))
    several = [ed25519_key(5), ecdsa("nistp256"), rsa(65537, modulus(2048))]
    v.add("keys-of-several-types", "Fingerprints are answered in the order of the keys.", signed(push(keys=several)),
          ok(keys=several))


def add_bad(v):
    def bad(name, description, key, index=0):
        keys = [KEY, OTHER_KEY, ed25519_key(3)][:index] + [key]
        v.add(f"key-{name}", description, signed(push(keys=keys)), refused("KeyRejected", index=index))

    base64_text = KEY.split(" ")[1]
    blob = ssh_blob("ssh-ed25519", ed25519_octets(4))
    good = ed25519_key(4)

    def of_blob(octets):
        return "ssh-ed25519 " + b64(octets)

    bad("empty", "A key of no text; the index is counted from 0.", "")
    bad("empty-last", "The last of four keys is at fault.", "", 3)
    v.add("key-empty-before-good-ones", "The first of three keys is at fault.", signed(push(keys=["", KEY, OTHER_KEY])),
          refused("KeyRejected", index=0))
    bad("type-alone", "The type without base64.", "ssh-ed25519")
    bad("base64-alone", "The base64 without a type.", base64_text, 1)
    bad("with-comment", "A comment stands behind the key.", good + " alice@example.org", 1)
    bad("with-blank-behind", "A blank stands behind the key.", good + " ", 2)
    bad("with-blank-before", "A blank stands before the key.", " " + good)
    bad("with-two-blanks", "Two blanks between type and base64.", good.replace(" ", "  "))
    bad("with-tab", "A tab between type and base64.", good.replace(" ", "\t"))
    bad("with-line-break", "A line break stands behind the key, as in a file.", good + "\n", 1)
    bad("two-in-one", "A second key on a second line.", good + "\n" + ed25519_key(7), 1)
    bad("with-options", "Options stand before the key.", 'command="/bin/sh" ' + good)
    bad("with-harmless-option", "An option stands before the key: a push has a field for it.", "restrict " + good)
    bad("of-unknown-type", "A type that nobody knows.", ssh_text("ssh-ed25520", ed25519_octets(4)), 1)
    bad("type-in-capitals", "The type in another case.", ssh_text("ssh-ed25519", ed25519_octets(4), name="SSH-ED25519"))
    bad("type-of-another", "The type before the base64 is not the one inside.",
        ssh_text("ssh-ed25519", ed25519_octets(4), name="ssh-rsa"), 1)
    bad("type-inside-of-another", "The type inside the base64 is not the one before it.",
        ssh_text("ssh-rsa", ed25519_octets(4), name="ssh-ed25519"))
    bad("base64-url-safe", "The base64 in the URL-safe alphabet.",
        "ssh-ed25519 " + b64(blob[:-3] + b"\xff\xff\xff").replace("/", "_"))
    bad("base64-cut", "The last character of the base64 is missing.", good[:-1], 1)
    bad("base64-strange", "A character of no alphabet.", good[:-4] + "****")
    bad("blob-cut", "The key ends too early.", of_blob(blob[:-3]))
    bad("blob-longer", "Bytes stand behind the key.", of_blob(blob + b"\0\0\0"), 2)
    bad("blob-with-a-part-more", "A whole part stands behind the key.", of_blob(blob + ssh_string(b"more")))
    bad("blob-empty", "The base64 holds the type alone.", of_blob(ssh_string(b"ssh-ed25519")))
    bad("blob-of-huge-length", "A length that goes beyond 2 GiB.",
        of_blob(ssh_string(b"ssh-ed25519") + b"\xff\xff\xff\xff" + blob[19:]))
    bad("ed25519-of-31", "An Ed25519 key of 31 bytes.", ssh_text("ssh-ed25519", ed25519_octets(4)[:31]))
    bad("ed25519-of-33", "An Ed25519 key of 33 bytes.", ssh_text("ssh-ed25519", ed25519_octets(4) + b"\0"))
    x, y = ssh_point(curves.P256)
    bad("ecdsa-off-the-curve", "A point that does not lie on its curve.",
        ecdsa("nistp256", curves.uncompressed(curves.P256, (x, y ^ 1))), 1)
    bad("ecdsa-zero-point", "The point (0, 0) does not lie on the curve.", ecdsa("nistp256", b"\x04" + bytes(64)))
    bad("ecdsa-infinity", "The point at infinity is no key.", ecdsa("nistp256", b"\0"))
    bad("ecdsa-x-plus-p", "A coordinate that is not below p.",
        ecdsa("nistp256", b"\x04" + b"\xff" * 32 + y.to_bytes(32, "big")))
    bad("ecdsa-short-point", "A point of 64 bytes.", ecdsa("nistp256", P256_POINT[:-1]))
    bad("ecdsa-other-curve-name", "The curve's name is not that of the type.",
        ecdsa("nistp256", P256_POINT, curve="nistp384"))
    bad("ecdsa-point-of-another-curve", "A point of P-384 in a key of P-256.",
        ecdsa("nistp256", curves.uncompressed(curves.P384, ssh_point(curves.P384))))
    bad("sk-without-application", "A security key without its application.", ssh_text(SK_ED25519, ed25519_octets(6)))
    bad("private", "A private key is none to push.", "-----BEGIN OPENSSH PRIVATE KEY-----", 1)
    bad("ssh-1", "A key of the first protocol.", "2048 65537 " + str(modulus(2048))[:200])
    bad("nul-like", "A control character in the key.", good[:20] + "\x01" + good[20:])

    certificate = ssh_text("ssh-ed25519-cert-v01@openssh.com", bytes(32), ed25519_octets(4))
    bad("certificate", "A certificate is no key (its blob is cut, too).", certificate, 2)


def add_open(v):
    def left_open(name, description, key, note, good=False):
        v.add_open(f"key-{name}", description, signed(push(keys=[key])),
                   ok(keys=[key]) if good else refused("KeyRejected", index=0), "either", note)

    bits = "push.md does not say which keys are taken; these are this project's limits."
    left_open("rsa-8192", "The largest RSA key that is taken.", rsa(65537, modulus(8192)), bits, True)
    left_open("rsa-8193", "An RSA key that is too large, by a bit.", rsa(65537, modulus(8193)), bits)
    left_open("rsa-2047", "An RSA key that is too small, by a bit.", rsa(65537, modulus(2047)), bits)
    left_open("rsa-exponent-3", "The least exponent.", rsa(3, modulus(2048)), bits, True)
    left_open("rsa-exponent-32-bits", "The longest exponent.", rsa(2**32 - 1, modulus(2048)), bits, True)
    left_open("rsa-exponent-33-bits", "An exponent that is too long.", rsa(2**32 + 1, modulus(2048)), bits)
    left_open("rsa-exponent-1", "The exponent 1 does nothing.", rsa(1, modulus(2048)), bits)
    left_open("rsa-exponent-even", "An even exponent.", rsa(65536, modulus(2048)), bits)
    number = modulus(2048).to_bytes(256, "big")
    canonical = "RFC 4251 section 5 wants the fewest bytes; sshd forgives."
    left_open("rsa-modulus-padded", "A needless zero byte before the modulus.",
              rsa(65537, ssh_string(b"\0\0" + number)), canonical)
    left_open("rsa-modulus-negative", "A modulus without the zero byte that keeps it from being negative.",
              rsa(65537, ssh_string(number)), canonical)
    left_open("dss", "sshd takes no DSA keys any more.",
              ssh_text("ssh-dss", number[:128], number[:20], number[:128], number[:128]), bits)
    x, y = ssh_point(curves.P256)
    left_open("ecdsa-compressed", "A compressed point: RFC 5656 allows it, sshd does not.",
              ecdsa("nistp256", bytes([2 + y % 2]) + x.to_bytes(32, "big")), bits)
    left_open("sk-other-application", "A security key for a web site.",
              ssh_text(SK_ED25519, ed25519_octets(6), b"https://example.org"), bits)
    left_open("sk-long-application", "A security key with an application of 257 bytes.",
              ssh_text(SK_ED25519, ed25519_octets(6), b"ssh:" + b"x" * 253), bits)
    sk = ssh_blob(SK_ED25519, ed25519_octets(6), b"ssh:")
    text = b64(sk)
    assert text.endswith("=")
    left_open("base64-without-padding", "The key's base64 without its padding.", f"{SK_ED25519} {text.rstrip('=')}",
              "ssh-keygen writes the padding; sshd demands it.")
    v.add_open("key-twice", "The same key twice in one push.", signed(push(keys=[KEY, OTHER_KEY, KEY])),
               refused("KeyRejected", index=2), "either", "push.md does not say whether a push may hold a key twice.")


def add_all(v):
    for part in (add_good, add_bad, add_open):
        part(v)
