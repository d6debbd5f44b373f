"""How often each type is asked: the cycle of types keeps the shares, and files of shares are checked."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from clear_gen.core.errors import InputError
from clear_gen.questions.generation.type_shares import CYCLE, normalised, published_shares, read_type_shares, type_cycle
from clear_gen.scenes.domain import Domain

WEIGHTS = st.lists(st.integers(1, 1000), min_size=1, max_size=12)


@given(WEIGHTS)
def test_every_run_of_slots_has_the_shares(weights: list[int]) -> None:
    shares = list(normalised(dict(enumerate(weights))).values())  # type: ignore[arg-type]
    cycle = type_cycle(shares)
    counts = np.cumsum(cycle[:, None] == np.arange(len(shares)), axis=0)
    apart = counts - np.arange(1, len(cycle) + 1)[:, None] * np.array(shares)
    assert np.abs(apart[-1]).max() <= 1
    assert np.abs(apart).max() < len(shares)  # from the first slot on, not only at the end
    assert set(np.unique(cycle)) <= set(range(len(shares)))


@pytest.mark.parametrize("n", [1, 3, 11])
def test_equal_shares_take_turns(n: int) -> None:
    assert type_cycle([1.0] * n).tolist() == list(range(n))
    assert len(type_cycle([1.0] * n + [1.5])) == CYCLE


@given(WEIGHTS)
def test_shares_that_sum_to_one_stay_as_they_are(weights: list[int]) -> None:
    once = normalised({str(place): weight for place, weight in enumerate(weights)})
    assert normalised(once) == once
    assert sum(once.values()) == pytest.approx(1)


def test_the_published_shares_give_the_printed_overall_accuracy(clear2: Domain) -> None:
    """NAAQA, Table 3, row "Parallel": the mean of its types is 72.5 unweighted, 78.6 weighted, printed 78.5."""
    by_type = {
        "instrument": 80.4,
        "note": 72.6,
        "brightness": 91.2,
        "loudness": 87.1,
        "exist": 80.4,
        "absolute_position": 78.7,
        "global_position": 88.8,
        "relative_position": 55.4,
        "count": 52.6,
        "count_compare": 59.8,
        "count_instruments": 50.2,
    }
    shares = read_type_shares("clear2", clear2)
    assert sum(shares[name] * share for name, share in by_type.items()) == pytest.approx(78.5, abs=0.15)


def test_a_domain_with_fewer_types_has_their_shares(clear2: Domain) -> None:
    fewer = clear2.model_copy(update={"question_types": ["note", "exist"]})
    assert published_shares(fewer) == pytest.approx({"note": 8.8 / 14.6, "exist": 5.8 / 14.6})


# --- files ------------------------------------------------------------------------------------------------------------


def test_a_file_and_its_types(clear2: Domain, tmp_path: Path) -> None:
    path = tmp_path / "shares.yaml"
    path.write_text("note: 3\nexist: 1\ncount: 0\n")
    assert read_type_shares(str(path), clear2) == {"note": 0.75, "exist": 0.25}
    assert read_type_shares("uniform", clear2) == {}


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        ("notes: 1\n", "found 'notes' (did you mean note?), expected one of: note, instrument,"),
        ("note: many\n", "note: found 'many', expected a number from 0 on"),
        ("note: true\n", "note: found True, expected a number"),
        ("note: -1\n", "note: found -1, expected a number"),
        ("note: .inf\n", "note: found inf, expected a number"),
        ("note: .nan\n", "note: found nan, expected a number"),
        ("note: 0\n", "found only zeros, expected a share above 0"),
        ("{}\n", "found no shares, expected uniform, clear2 or a YAML file"),
        ("- note\n", "found no mapping"),
    ],
)
def test_a_file_that_cannot_be_used(clear2: Domain, tmp_path: Path, content: str, expected: str) -> None:
    path = tmp_path / "shares.yaml"
    path.write_text(content)
    with pytest.raises(InputError) as raised:
        read_type_shares(str(path), clear2)
    assert str(raised.value).startswith(str(path))
    assert expected in str(raised.value)


@pytest.mark.parametrize(
    ("asked", "expected"),
    [
        ("shares.yaml", "--type-shares shares.yaml: no such file, expected uniform, clear2 or a YAML file"),
        ("environmental", "--type-shares environmental: found no shares"),
        ("clear3", "clear3"),
    ],
)
def test_neither_a_file_nor_a_domain_with_shares(clear2: Domain, asked: str, expected: str) -> None:
    with pytest.raises(InputError, match=expected):
        read_type_shares(asked, clear2)
