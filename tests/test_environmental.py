"""The second packaged domain: its language, and what it has that clear2 has not."""

from __future__ import annotations

import numpy as np
import pytest

from clear_gen.questions.language.program import Node, question_type
from clear_gen.questions.templates.collection import read_templates, words_of_templates
from clear_gen.questions.templates.lint import lint
from clear_gen.scenes.domain import Domain, packaged_domain
from clear_gen.sounds.bank import build_bank
from clear_gen.sounds.recording import Recording
from clear_gen.sounds.verify import verify

RATE = 16000


@pytest.fixture(scope="module")
def domain() -> Domain:
    return packaged_domain("environmental")


def test_the_linter_finds_nothing(domain: Domain) -> None:
    templates = read_templates(domain, [])
    assert {template.question_type for template in templates} == set(domain.question_types)
    assert lint(templates, domain, words_of_templates(domain, [])) == []


def test_durations_are_measured_and_labelled(domain: Domain) -> None:
    rng = np.random.default_rng(0)
    lengths_s = {"bird": 0.5, "car": 1.0, "train": 1.6}
    recordings = [
        Recording(
            name,
            {"sound": name, "kind": "machine"},
            (0.05 * rng.standard_normal(round(length_s * RATE))).astype(np.float32),
            RATE,
            "test",
            "CC0",
        )
        for name, length_s in lengths_s.items()
    ]
    bank = build_bank(recordings, domain.name, domain.attributes)
    assert bank.thresholds["length"] == (0.8, 1.2)
    assert {sound.sound_id: sound.attributes["length"] for sound in bank.sounds} == {
        "bird": "short",
        "car": None,
        "train": "long",
    }
    assert verify({"train": bank}, domain.attributes) == []


@pytest.mark.parametrize(
    ("attribute", "expected"), [("instrument", "count_instruments"), ("category", "count_categories")]
)
def test_the_type_of_counts_of_different_values(attribute: str, expected: str) -> None:
    assert question_type([Node("scene"), Node(f"count_different_{attribute}", (0,))]) == expected
