#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Makes vectors.json and anchors/, the same bytes each time (README.md says what is in them).

make.py            writes them
make.py --check    says whether they are what would be written
make.py --show NAME  prints a case with its payload in plain text

Each time two others look at every case: guest.py answers it, and must answer what is expected; and OpenSSL, through
python3-cryptography, verifies every signature, and must agree with the arithmetic here.
"""
import argparse
import base64
import hashlib
import json
import sys
from collections import Counter
from pathlib import Path

sys.dont_write_bytecode = True
sys.path.insert(0, str(Path(__file__).parent))

from cryptography.exceptions import InvalidSignature  # noqa: E402
from cryptography.hazmat.primitives import hashes, serialization  # noqa: E402
from cryptography.hazmat.primitives.asymmetric import ec  # noqa: E402

import cases_keys  # noqa: E402
import cases_payload  # noqa: E402
import cases_signature  # noqa: E402
import cases_time  # noqa: E402
import guest  # noqa: E402
from material import ANCHORS, DEFAULTS, KEYS_PER_USER, MAX_TTL, Vectors, pae  # noqa: E402

HERE = Path(__file__).parent
SIZE_MAX = 640000


def collect():
    vectors = Vectors()
    for part in (cases_signature, cases_payload, cases_keys, cases_time):
        part.add_all(vectors)
    return vectors


def one_line(value):
    return json.dumps(value, ensure_ascii=False)


def block(case):
    """A case, one member to a line; a list of earlier steps has a line for each."""
    lines = []
    for name, value in case.items():
        if name in ("context", "before") and not value:
            continue
        if name == "before":
            lines.append('"before": [\n    ' + ",\n    ".join(one_line(step) for step in value) + "\n  ]")
        else:
            lines.append(f'"{name}": {one_line(value)}')
    return "{\n  " + ",\n  ".join(lines) + "\n}"


def share(cases):
    """Envelopes that several steps send, named after their content, and the cases with these names."""
    steps = [step for case in cases for step in case["before"] + [case] if "envelope" in step]
    texts = Counter(one_line(step["envelope"]) for step in steps)
    names = {text: hashlib.sha256(text.encode()).hexdigest()[:8] for text, number in texts.items() if number > 1}
    assert len(set(names.values())) == len(names)

    def shared(step):
        name = names.get(one_line(step["envelope"])) if "envelope" in step else None
        if not name:
            return step
        return {"use" if key == "envelope" else key: name if key == "envelope" else value for key,
                value in step.items()}

    return ({name: json.loads(text) for text, name in sorted(names.items(), key=lambda item: item[1])},
            [shared({**case, "before": [shared(step) for step in case["before"]]}) for case in cases])


def render(vectors):
    envelopes, cases = share(vectors.cases + vectors.open_cases)
    head = {
        "format": 2,
        "policy": {"maxTtl": MAX_TTL, "keysPerUser": KEYS_PER_USER, "hostKeys": []},
        "defaults": DEFAULTS,
        "anchors": {name: anchor.pem() for name, anchor in ANCHORS.items()},
    }
    parts = [f'"{name}": ' + json.dumps(value, indent=2) for name, value in head.items()]
    parts.append('"envelopes": {\n  ' + ",\n  ".join(f'"{name}": {one_line(envelope)}' for name,
                                                     envelope in envelopes.items()) + "\n}")
    for name, some in (("cases", cases[:len(vectors.cases)]), ("implementation-defined", cases[len(vectors.cases):])):
        parts.append(f'"{name}": [\n' + ",\n".join(block(case) for case in some) + "\n]")
    return "{\n" + ",\n".join(parts) + "\n}\n"


def files(vectors):
    made = {"vectors.json": render(vectors)}
    for name, anchor in ANCHORS.items():
        made[f"anchors/{name}.pem"] = anchor.pem()
    return made


# Others look at it.

def openssl_verifies(pem, message, signature):
    key = serialization.load_pem_public_key(pem.encode())
    try:
        if isinstance(key, ec.EllipticCurvePublicKey):
            key.verify(signature, message, ec.ECDSA(hashes.SHA256()))
        else:
            key.verify(signature, message)
    except InvalidSignature:
        return False
    return True


def check_signatures(step, anchors):
    """Yields what OpenSSL says otherwise, for every anchor that can be one and every signature that can be read."""
    try:
        kind, payload, signatures = guest.read_envelope(step.get("envelope"))
    except guest.Refused:
        return
    message = pae(kind.decode(), payload)
    for name in ("ed25519", "ed25519-second", "p256"):
        for signature in signatures:
            ours = guest.verifies(guest.read_anchor(anchors[name]), message, signature)
            if ours != openssl_verifies(anchors[name], message, signature):
                yield f"OpenSSL does not agree that a signature by {name} is {'good' if ours else 'bad'}"


def differs(expected, answer):
    """Whether the answer lacks something that is expected; it may say more."""
    if isinstance(expected, dict) and isinstance(answer, dict):
        return any(name not in answer or differs(value, answer[name]) for name, value in expected.items())
    return type(expected) is not type(answer) or expected != answer


def faults(case, document):
    context = {**document["defaults"], **case.get("context", {})}
    model = guest.Guest(context, document["anchors"])
    for step in case.get("before", []) + [case]:
        if "use" in step:
            step = {**step, "envelope": document["envelopes"][step["use"]]}
        answer = model.answer(step)
        if differs(step["expected"], answer):
            yield f"expected {step['expected']}, the guest answers {answer}"
        yield from check_signatures(step, document["anchors"])


def examine(text):
    """Everything that is wrong with the file, as sentences. It is read back: it must stand on its own."""
    document = json.loads(text)
    names = set()
    for case in document["cases"] + document["implementation-defined"]:
        if case["name"] in names:
            yield f"{case['name']}: there are two of this name"
        names.add(case["name"])
        for fault in faults(case, document):
            yield f"{case['name']}: {fault}"
    if len(text.encode()) > SIZE_MAX:
        yield f"vectors.json has {len(text.encode())} bytes, more than {SIZE_MAX}"


def show(vectors, name):
    for case in vectors.cases + vectors.open_cases:
        if case["name"] != name:
            continue
        print(json.dumps(case, indent=2))
        for step in case["before"] + [case]:
            try:
                print(base64.b64decode(step["envelope"]["payload"]))
            except (KeyError, TypeError, ValueError):
                print("(no payload that can be read)")
        return 0
    print(f"There is no case {name}.", file=sys.stderr)
    return 1


def main():
    parser = argparse.ArgumentParser(description="Makes the test vectors.")
    what = parser.add_mutually_exclusive_group()
    what.add_argument("--check", action="store_true", help="say whether the files are what would be written")
    what.add_argument("--show", metavar="NAME", help="print a case with its payload in plain text")
    arguments = parser.parse_args()

    vectors = collect()
    if arguments.show:
        return show(vectors, arguments.show)
    made = files(vectors)
    wrong = list(examine(made["vectors.json"]))
    if arguments.check:
        wrong += [f"{name} is not what would be written" for name, text in made.items()
                  if not (HERE / name).is_file() or (HERE / name).read_text(encoding="utf-8") != text]
        wrong += [f"anchors/{path.name} is not one of ours" for path in (HERE / "anchors").iterdir()
                  if f"anchors/{path.name}" not in made]
    for sentence in wrong:
        print(sentence, file=sys.stderr)
    if wrong:
        return 1
    if not arguments.check:
        (HERE / "anchors").mkdir(exist_ok=True)
        for name, text in made.items():
            (HERE / name).write_text(text, encoding="utf-8")
    print(f"{len(vectors.cases)} cases, {len(vectors.open_cases)} more that are implementation-defined")
    return 0


if __name__ == "__main__":
    sys.exit(main())
