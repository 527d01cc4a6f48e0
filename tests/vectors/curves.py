# SPDX-License-Identifier: Apache-2.0
"""Signatures in plain arithmetic: ECDSA on NIST curves (FIPS 186-4) with the nonces of RFC 6979, Ed25519 (RFC 8032).

Slow, and not safe for real secrets. It shares no line with the libraries that verify what it makes, it can make what
they never would, and it makes the same bytes each time.
"""
import hashlib
import hmac
from dataclasses import dataclass


@dataclass(frozen=True)
class Curve:
    """y^2 = x^3 - 3x + b over the prime p, with a base point of prime order n."""
    p: int
    b: int
    n: int
    gx: int
    gy: int
    digest: str

    @property
    def size(self):
        return (self.p.bit_length() + 7) // 8


P256 = Curve(
    p=0xffffffff00000001000000000000000000000000ffffffffffffffffffffffff,
    b=0x5ac635d8aa3a93e7b3ebbd55769886bc651d06b0cc53b0f63bce3c3e27d2604b,
    n=0xffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551,
    gx=0x6b17d1f2e12c4247f8bce6e563a440f277037d812deb33a0f4a13945d898c296,
    gy=0x4fe342e2fe1a7f9b8ee7eb4a7c0f9e162bce33576b315ececbb6406837bf51f5,
    digest="sha256")
P384 = Curve(
    p=2**384 - 2**128 - 2**96 + 2**32 - 1,
    b=int("b3312fa7e23ee7e4988e056be3f82d19181d9c6efe814112"
        "0314088f5013875ac656398d8a2ed19d2a85c8edd3ec2aef", 16),
    n=int("ffffffffffffffffffffffffffffffffffffffffffffffff"
        "c7634d81f4372ddf581a0db248b0a77aecec196accc52973", 16),
    gx=int("aa87ca22be8b05378eb1c71ef320ad746e1d3b628ba79b98"
        "59f741e082542a385502f25dbf55296c3a545e3872760ab7", 16),
    gy=int("3617de4a96262c6f5d9e98bf9292dc29f8f41dbd289a147c"
        "e9da3113b5f0b8c00a60b1ce1d7e819d7a431d7c90ea0e5f", 16),
    digest="sha384")
P521 = Curve(
    p=2**521 - 1,
    b=int("0051953eb9618e1c9a1f929a21a0b68540eea2da725b99b315f3b8b489918ef109"
        "e156193951ec7e937b1652c0bd3bb1bf073573df883d2c34f1ef451fd46b503f00", 16),
    n=(2**265 - 6) << 256 | 0x51868783bf2f966b7fcc0148f709a5d03bb5c9b8899c47aebb6fb71e91386409,
    gx=int("00c6858e06b70404e9cd9e3ecb662395b4429c648139053fb521f828af606b4d3d"
        "baa14b5e77efe75928fe1dc127a2ffa8de3348b3c1856a429bf97e7e31c2e5bd66", 16),
    gy=int("011839296a789a3bc0045c8a5fb42c7d1bd998f54449579b446817afbd17273e66"
        "2c97ee72995ef42640c550b9013fad0761353c7086a272c24088be94769fd16650", 16),
    digest="sha512")


def add(curve, one, other):
    """The sum of two affine points; None is the point at infinity."""
    if one is None:
        return other
    if other is None:
        return one
    (x1, y1), (x2, y2), p = one, other, curve.p
    if x1 == x2:
        if (y1 + y2) % p == 0:
            return None
        slope = (3 * x1 * x1 - 3) * pow(2 * y1, -1, p) % p
    else:
        slope = (y2 - y1) * pow(x2 - x1, -1, p) % p
    x = (slope * slope - x1 - x2) % p
    return x, (slope * (x1 - x) - y1) % p


def multiply(curve, scalar, point):
    result = None
    for bit in bin(scalar)[2:]:
        result = add(curve, result, result)
        if bit == "1":
            result = add(curve, result, point)
    return result


def secret_number(curve, name):
    return int.from_bytes(hashlib.sha512(name.encode()).digest(), "big") % (curve.n - 1) + 1


def public_point(curve, secret):
    return multiply(curve, secret, (curve.gx, curve.gy))


def uncompressed(curve, point):
    return b"\x04" + point[0].to_bytes(curve.size, "big") + point[1].to_bytes(curve.size, "big")


def message_number(curve, message, digest):
    """The leftmost bits of the digest (FIPS 186-4 section 6.4)."""
    hashed = hashlib.new(digest, message).digest()
    excess = max(0, 8 * len(hashed) - curve.n.bit_length())
    return int.from_bytes(hashed, "big") >> excess


def nonce(curve, secret, e, digest, extra):
    """RFC 6979 section 3.2; `extra` (section 3.6) makes another signature of the same message."""
    size = (curve.n.bit_length() + 7) // 8
    seed = secret.to_bytes(size, "big") + (e % curve.n).to_bytes(size, "big") + extra
    k = bytes(hashlib.new(digest).digest_size)
    v = b"\x01" * len(k)
    for step in (b"\x00", b"\x01"):
        k = hmac.new(k, v + step + seed, digest).digest()
        v = hmac.new(k, v, digest).digest()
    while True:
        t = b""
        while len(t) < size:
            v = hmac.new(k, v, digest).digest()
            t += v
        candidate = int.from_bytes(t[:size], "big") >> (8 * size - curve.n.bit_length())
        if 0 < candidate < curve.n:
            return candidate
        k = hmac.new(k, v + b"\x00", digest).digest()
        v = hmac.new(k, v, digest).digest()


def ecdsa_sign(curve, secret, message, extra=b"", digest=None):
    """(r, s), with s as it comes: neither made low nor high."""
    digest = digest or curve.digest
    e = message_number(curve, message, digest)
    k = nonce(curve, secret, e, digest, extra)
    r = public_point(curve, k)[0] % curve.n
    s = pow(k, -1, curve.n) * (e + r * secret) % curve.n
    assert r and s
    return r, s


def ecdsa_verify(curve, public, message, r, s):
    if not (0 < r < curve.n and 0 < s < curve.n):
        return False
    w = pow(s, -1, curve.n)
    e = message_number(curve, message, curve.digest)
    point = add(curve, multiply(curve, e * w % curve.n, (curve.gx, curve.gy)), multiply(curve, r * w % curve.n, public))
    return point is not None and point[0] % curve.n == r


def der_length(length):
    if length < 0x80:
        return bytes([length])
    octets = length.to_bytes((length.bit_length() + 7) // 8, "big")
    return bytes([0x80 | len(octets)]) + octets


def der(tag, content):
    return bytes([tag]) + der_length(len(content)) + content


def der_integer(value):
    """Of a number that is not negative, in the fewest octets."""
    return der(2, value.to_bytes(value.bit_length() // 8 + 1, "big"))


def der_signature(r, s):
    return der(0x30, der_integer(r) + der_integer(s))


def read_der_signature(signature):
    """(r, s), or None for what is not exactly one DER signature: that is made again, and compared."""
    def integer(at):
        if len(signature) < at + 2 or signature[at] != 2:
            return None, at
        end = at + 2 + signature[at + 1]
        return int.from_bytes(signature[at + 2:end], "big"), end

    r, at = integer(2)
    s, at = integer(at)
    if r is None or s is None or der_signature(r, s) != signature:
        return None
    return r, s


# Ed25519: -x^2 + y^2 = 1 + d x^2 y^2, points as (X, Y, Z, T) with x = X/Z, y = Y/Z, x y = T/Z.

Q = 2**255 - 19
L = 2**252 + 27742317777372353535851937790883648493
D = -121665 * pow(121666, -1, Q) % Q
NEUTRAL = (0, 1, 1, 0)


def ed_add(one, other):
    a = (one[1] - one[0]) * (other[1] - other[0]) % Q
    b = (one[1] + one[0]) * (other[1] + other[0]) % Q
    c = 2 * one[3] * other[3] * D % Q
    d = 2 * one[2] * other[2] % Q
    e, f, g, h = b - a, d - c, d + c, b + a
    return e * f % Q, g * h % Q, f * g % Q, e * h % Q


def ed_multiply(scalar, point):
    result = NEUTRAL
    while scalar > 0:
        if scalar & 1:
            result = ed_add(result, point)
        point = ed_add(point, point)
        scalar >>= 1
    return result


def ed_encode(point):
    inverse = pow(point[2], -1, Q)
    x, y = point[0] * inverse % Q, point[1] * inverse % Q
    return (y | (x & 1) << 255).to_bytes(32, "little")


def ed_decode(octets):
    """RFC 8032 section 5.1.3; None where decoding fails."""
    y = int.from_bytes(octets, "little")
    sign, y = y >> 255, y & (2**255 - 1)
    if y >= Q:
        return None
    square = (y * y - 1) * pow(D * y * y + 1, -1, Q) % Q
    x = pow(square, (Q + 3) // 8, Q)
    if x * x % Q != square:
        x = x * pow(2, (Q - 1) // 4, Q) % Q
    if x * x % Q != square or (x == 0 and sign):
        return None
    if x & 1 != sign:
        x = Q - x
    return x, y, 1, x * y % Q


BASE = ed_decode((4 * pow(5, -1, Q) % Q).to_bytes(32, "little"))


def ed_secret(name):
    """(scalar, prefix) from a name's hash as the 32-byte secret."""
    digest = hashlib.sha512(hashlib.sha256(name.encode()).digest()).digest()
    scalar = int.from_bytes(digest[:32], "little")
    return scalar & (2**254 - 8) | 2**254, digest[32:]


def ed_hash(*parts):
    return int.from_bytes(hashlib.sha512(b"".join(parts)).digest(), "little")


def ed_public(secret):
    return ed_encode(ed_multiply(secret[0], BASE))


def ed_sign(secret, message, dom=b""):
    """`dom`: what Ed25519ctx and Ed25519ph put in front (dom2); nothing for Ed25519."""
    r = ed_hash(dom, secret[1], message) % L
    return ed_sign_with(secret, message, r, ed_encode(ed_multiply(r, BASE)), dom)


def ed_sign_with(secret, message, r, commitment, dom=b""):
    """With a chosen r, and whatever shall stand for R."""
    h = ed_hash(dom, commitment, ed_public(secret), message) % L
    return commitment + ((r + h * secret[0]) % L).to_bytes(32, "little")


def ed_verify(public, message, signature):
    """Without the cofactor, as most libraries do; RFC 8032 section 5.1.7 allows both."""
    if len(signature) != 64:
        return False
    s = int.from_bytes(signature[32:], "little")
    key, commitment = ed_decode(public), ed_decode(signature[:32])
    if key is None or commitment is None or s >= L:
        return False
    h = ed_hash(signature[:32], public, message) % L
    return ed_encode(ed_multiply(s, BASE)) == ed_encode(ed_add(commitment, ed_multiply(h, key)))


def ed_torsion_point():
    """A point of order 8, the same each time."""
    y = 2
    while True:
        point = ed_decode(y.to_bytes(32, "little"))
        if point:
            point = ed_multiply(L, point)
            if ed_encode(ed_multiply(4, point)) != ed_encode(NEUTRAL):
                return point
        y += 1


# RSA, only to show that it is not taken.

def probably_prime(number):
    if any(number % small == 0 for small in (3, 5, 7, 11, 13, 17, 19, 23, 29, 31, 37, 41, 43, 47)):
        return False
    odd, twos = number - 1, 0
    while odd % 2 == 0:
        odd, twos = odd // 2, twos + 1
    for base in (2, 3, 5, 7, 11, 13):
        x = pow(base, odd, number)
        if x in (1, number - 1):
            continue
        for _ in range(twos - 1):
            x = x * x % number
            if x == number - 1:
                break
        else:
            return False
    return True


def odd_number(name, bits):
    """Of exactly that many bits, the two highest set."""
    octets = hashlib.shake_256(name.encode()).digest(bits // 8)
    return int.from_bytes(octets, "big") | 3 << (bits - 2) | 1


def prime(name, bits):
    candidate = odd_number(name, bits)
    while not probably_prime(candidate):
        candidate += 2
    return candidate


def rsa_key(name, bits):
    """(modulus, private exponent) for the public exponent 65537."""
    p, q = prime(name + " p", bits // 2), prime(name + " q", bits // 2)
    return p * q, pow(65537, -1, (p - 1) * (q - 1))


def rsa_sign(key, message):
    """PKCS #1 v1.5 with SHA-256 (RFC 8017 section 8.2)."""
    size = (key[0].bit_length() + 7) // 8
    named = bytes.fromhex("3031300d060960864801650304020105000420") + hashlib.sha256(message).digest()
    padded = b"\x00\x01" + b"\xff" * (size - 3 - len(named)) + b"\x00" + named
    return pow(int.from_bytes(padded, "big"), key[1], key[0]).to_bytes(size, "big")
