"""Scenes as columns: every mask is what a loop over the sounds gives, wherever they lie and whatever is unknown."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from clear_gen.questions.language.scene_batch import ABSENT, UNKNOWN, SceneBatch, scene_batch
from clear_gen.questions.language.scene_facts import Facts, facts_of
from clear_gen.questions.language.vocabulary import label_kinds, values_of
from clear_gen.scenes.domain import Domain, packaged_domain
from clear_gen.scenes.graph import graph_of_row, scene_schema
from tests.counts import examples
from tests.questions.oracle import Row
from tests.questions.test_oracle import scene, scenes

CLEAR2 = packaged_domain("clear2")
RATE = 1000
# Some within the margins of each other, some not
LENGTHS = (250, 300, 301, 349, 350, 351, 400, 500, 550, 556, 700, 777, 778, 1000)


def changed(domain: Domain, **fields: Any) -> Domain:
    """The domain with other fields."""
    return Domain.model_validate({**domain.model_dump(exclude_none=True), **fields})


def random_rows(rng: np.random.Generator, n: int, unknown: float, most: int = 15, values: int = 7) -> list[Row]:
    """``n`` scenes of 1 to ``most`` sounds, stored in any order; ``values`` at most of an attribute occur."""
    return [_random_row(rng, number, unknown, int(rng.integers(1, most + 1)), values) for number in range(n)]


def _random_row(rng: np.random.Generator, number: int, unknown: float, n: int, values: int) -> Row:
    sounds, now = [], 0
    for place in range(n):
        labels: Row = {name: rule.values[rng.integers(min(values, len(rule.values)))] for name, rule in ATTRIBUTES}
        labels |= {name: None for name in ("brightness", "loudness") if rng.random() < unknown}
        n_samples = int(rng.choice(LENGTHS))
        onset = now + int(rng.integers(0, 200))
        now = onset + n_samples
        times = {"onset_sample": onset, "n_samples": n_samples, "duration_s": n_samples / RATE}
        sounds.append({"sound_id": str(place), "gain_db": 0.0, **times, **labels})
    order = rng.permutation(n)
    dry = now + int(rng.integers(0, 300))
    row = {"scene_id": f"train-{number:06d}", "split": "train", "sample_rate": RATE, "n_samples_dry": dry}
    return {**row, "sounds": [sounds[place] for place in order]}


ATTRIBUTES = list(CLEAR2.attributes.items())


def table_of(rows: list[Row], domain: Domain = CLEAR2) -> pa.Table:
    """The rows in the form of the config ``scenes``."""
    rest = {"domain": domain.name, "reverb": None, "noise": None, "rendered": None, "audio": None}
    whole = [{**row, **rest, "n_samples": row["n_samples_dry"] + 100} for row in rows]
    return pa.Table.from_pylist(whole, schema=scene_schema(domain.attributes, RATE))


def all_facts(table: pa.Table, domain: Domain = CLEAR2) -> list[Facts]:
    """What programs see of each scene."""
    return [facts_of(graph_of_row({**row, "rendered": None}), domain) for row in table.to_pylist()]


def places(mask: Any) -> list[int]:
    """The sounds in a mask."""
    return [place for place in range(64) if int(mask) >> place & 1]


def check(columns: SceneBatch, facts: list[Facts], domain: Domain) -> None:
    """Every column against a loop over the sounds."""
    assert len(columns.n_sounds) == len(facts)
    for number, of in enumerate(facts):
        n = len(of.n_samples)
        assert columns.n_sounds[number] == n
        assert columns.n_samples[number, :n].tolist() == of.n_samples
        assert places(columns.everything[number]) == list(range(n))
        assert (columns.labels[number, :, n:] == ABSENT).all()
        for kind, name in enumerate(label_kinds(domain)):
            labels, values = of.labels[name], values_of(name, domain)
            codes = [UNKNOWN if label is None else values.index(label) for label in labels]
            assert columns.labels[number, kind, :n].tolist() == codes
            must, may = columns.must[number, kind], columns.may[number, kind]
            for code, value in enumerate(values):
                assert places(must[code]) == [place for place in range(n) if labels[place] == value]
                assert places(may[code]) == [place for place in range(n) if labels[place] in (value, None)]
            for any_value in (columns.n_values, -1):
                assert places(must[any_value]) == places(may[any_value]) == list(range(n))
            for place, label in enumerate(labels):
                if label is not None:
                    same = [other for other in range(n) if labels[other] == label]
                    assert places(columns.same_must[number, kind, place]) == same
                    same = [other for other in range(n) if labels[other] in (label, None)]
                    assert places(columns.same_may[number, kind, place]) == same


@examples(60)
@given(st.lists(scenes(), min_size=1, max_size=5), st.randoms(use_true_random=False))
def test_masks_are_those_of_a_loop(rows: list[Row], random: Any) -> None:
    for row in rows:
        random.shuffle(row["sounds"])
    table = table_of(rows)
    check(scene_batch(table, CLEAR2), all_facts(table), CLEAR2)


@pytest.mark.parametrize("unknown", [0.0, 0.4, 1.0])
def test_masks_of_scenes_of_up_to_64_sounds(unknown: float) -> None:
    rng = np.random.default_rng(3)
    rows = [*random_rows(rng, 6, unknown, 64), _random_row(rng, 0, unknown, 64, 7), _random_row(rng, 0, 1.0, 1, 7)]
    table = table_of(rows)
    assert max(len(row["sounds"]) for row in rows) == 64
    check(scene_batch(table, CLEAR2), all_facts(table), CLEAR2)


def test_parts_of_a_table_and_several_chunks_are_read_alike() -> None:
    rows = random_rows(np.random.default_rng(4), 12, 0.3)
    table = table_of(rows)
    whole, facts = scene_batch(table, CLEAR2), all_facts(table)
    check(scene_batch(table.slice(5, 3), CLEAR2), facts[5:8], CLEAR2)
    several = pa.concat_tables([table.slice(0, 5), table.slice(5, 0), table.slice(5)])
    check(scene_batch(several, CLEAR2), facts, CLEAR2)
    assert np.array_equal(scene_batch(several, CLEAR2).labels, whole.labels)
    assert len(scene_batch(table.slice(0, 0), CLEAR2).n_sounds) == 0


def test_sounds_that_begin_together_keep_the_order_in_which_they_are_stored() -> None:
    row = scene("flute A4 dark loud 500", "cello C3 ? quiet 500", "bass D2 dark ? 500")
    for sound in row["sounds"]:
        sound["onset_sample"] = 250
    table = table_of([row, {**row, "sounds": row["sounds"][::-1]}])
    check(scene_batch(table, CLEAR2), all_facts(table), CLEAR2)


# ---- parts of the scene ----------------------------------------------------------------------------------------------


def exact_part(twice_the_middle: int, dry: int, n: int) -> int:
    """The number of the part in rational numbers, UNKNOWN within 2 % of the dry scene from a boundary."""
    middle = Fraction(twice_the_middle, 2)
    if any(abs(middle - Fraction(boundary * dry, n)) <= Fraction(dry, 50) for boundary in range(1, n)):
        return UNKNOWN
    return min(int(middle * n / dry), n - 1)


@pytest.mark.parametrize("n_parts", [1, 2, 3, 5])
def test_parts_at_every_middle(n_parts: int) -> None:
    names = [f"part {number}" for number in range(n_parts)]
    domain = changed(CLEAR2, parts=names, wording={})
    for dry in (50, 150, 299, 300, 1100, 480000):
        step = max(1, dry // 300)
        near = [boundary * 2 * dry // n_parts + side * dry // 25 for boundary in range(n_parts) for side in (-1, 1)]
        asked = sorted({*range(2, 2 * dry, step), *(place + by for place in near for by in range(-2, 3))})
        asked = [twice for twice in asked if twice >= 2]
        rows = []
        for start in range(0, len(asked), 60):
            row = scene(*["flute A4 dark loud"] * len(asked[start : start + 60]), dry=dry)
            for sound, twice in zip(row["sounds"], asked[start : start + 60], strict=True):
                sound |= {"onset_sample": (twice - 1) // 2, "n_samples": 2 - twice % 2}
            rows.append(row)
        columns = scene_batch(table_of(rows, domain), domain)
        found = [label for labels, n in zip(columns.labels, columns.n_sounds, strict=True) for label in labels[-1, :n]]
        assert found == [exact_part(twice, dry, n_parts) for twice in asked], dry


def test_a_domain_without_parts_has_no_such_kind() -> None:
    domain = changed(CLEAR2, parts=[], wording={})
    table = table_of(random_rows(np.random.default_rng(5), 3, 0.3), domain)
    assert label_kinds(domain) == list(CLEAR2.attributes)
    check(scene_batch(table, domain), all_facts(table, domain), domain)


def test_a_domain_of_many_values() -> None:
    """Values beyond the 127th are values like others."""
    attributes = {**CLEAR2.model_dump(exclude_none=True)["attributes"], "octave": {"values": list(range(1, 301))}}
    domain = changed(CLEAR2, attributes=attributes)
    row = scene("flute A4 dark loud", "cello A4 dark loud", "bass A4 dark ?", "bass A4 dark loud")
    for sound, octave in zip(row["sounds"], (127, 128, 255, 300), strict=True):
        sound["octave"] = octave
    table = table_of([row], domain)
    check(scene_batch(table, domain), all_facts(table, domain), domain)
