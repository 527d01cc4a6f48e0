# SPDX-License-Identifier: Apache-2.0
"""The engine and the evaluator of evaluator.py over the same random documents and requests."""

import collections
import os
import random

import evaluator
import random_policies
from policies import Engine

ROUNDS = 10_000 if os.environ.get("EXC_SHORT") else 100_000


def _parsed(text):
    try:
        return evaluator.parse(text)
    except evaluator.Invalid:
        return None


def _compare(engine, r, counts):
    texts = [random_policies.document_text(r) for _ in range(r.choice((1, 1, 2, 4)))]
    requests = [random_policies.request(r) for _ in range(3)]
    documents = [_parsed(text) for text in texts]
    faults, decisions = engine.ask(texts, requests)
    for text, document, fault in zip(texts, documents, faults, strict=True):
        assert (document is None) == (fault is not None), (fault, text)
        counts["valid" if fault is None else "invalid"] += 1
    for one, decision in zip(requests, decisions, strict=True):
        expected = evaluator.evaluate(documents, *one)
        assert decision == expected, (decision, expected, one, texts)
        counts[decision[0]] += 1


def both_give_the_same_answers():
    seed = int(os.environ.get("EXC_SEED") or random.SystemRandom().randrange(2**32))
    print(f"# EXC_SEED={seed}", flush=True)
    r = random.Random(seed)
    counts = collections.Counter()
    engine = Engine()
    for _ in range(ROUNDS):
        _compare(engine, r, counts)
    engine.close()
    print(f"# {dict(counts)}")
    # Or the comparison would show little.
    for kind in "Allow", "Deny", "None":
        assert counts[kind] > ROUNDS * 3 // 20, counts
    for kind in "valid", "invalid":
        assert counts[kind] > ROUNDS // 10, counts


both_give_the_same_answers.slow = True
