# SPDX-License-Identifier: Apache-2.0
"""Each document and each question of docs/policies.md."""

import json
import re

import evaluator
from policies import Engine, TREE

TEXT = (TREE / "docs/policies.md").read_text()
ANSWERS = {"allowed": ["Allow"], "denied": ["Deny", "None"]}


def _documents(section):
    return re.findall(r"^```json\n(.*?)^```$", section, re.MULTILINE | re.DOTALL)


def _questions(section):
    """(action, resource, address, user, answer) of each row of the tables of requests."""
    for row in re.findall(r"^\| `[a-z:]+` on .*$", section, re.MULTILINE):
        match = re.fullmatch(r"\| `(\S+)` on `(\S+)`(?: from `(\S+)`)?(?: as `(\S+)`)? \| (allowed|denied) \|", row)
        assert match, f"not understood: {row}"
        yield match.groups()


def each_document_is_accepted():
    engine = Engine()
    documents = _documents(TEXT)
    assert len(documents) >= 11
    faults, _ = engine.ask(documents, [])
    assert not any(faults), faults
    for document in documents:
        evaluator.parse(document)
    engine.close()


def each_example_answers_as_described():
    engine = Engine()
    examples = re.split(r"^### ", TEXT, flags=re.MULTILINE)[1:]
    assert len(examples) == 10
    for example in examples:
        documents, questions = _documents(example), list(_questions(example))
        assert documents and len(questions) >= 2, example
        _, decisions = engine.ask(documents, [one[:4] for one in questions])
        for (*request, answer), decision in zip(questions, decisions, strict=True):
            assert decision[0] in ANSWERS[answer], (request, answer, decision, example)
            expected = evaluator.evaluate([evaluator.parse(text) for text in documents], *request)
            assert decision == expected, (request, decision, expected)
    engine.close()


def each_refusal_is_one():
    engine = Engine()
    table = TEXT.split("**Refused at upload**")[1].split("## Actions")[0]
    rows = re.findall(r"^\| `(\".*?)` \|", table, re.MULTILINE)
    assert len(rows) >= 9
    for row in rows:
        statement = {"Effect": "Allow", "Action": "a", "Resource": "b"}
        statement.update(json.loads("{" + row + "}"))
        (fault,), _ = engine.ask([json.dumps({"Version": "2024-03-05", "Statements": [statement]})], [])
        member = re.match(r'"(\w+)"', row)[1]
        assert fault and fault.startswith("statement 1: ") and member in fault, (row, fault)
    engine.close()
