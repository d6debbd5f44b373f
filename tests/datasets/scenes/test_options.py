"""Flags over a configuration file over defaults; every mistake named with its line or its flag."""

from __future__ import annotations

from pathlib import Path

import pytest

from clear_gen.core.errors import InputError
from clear_gen.datasets.scenes.options import Options, read_options, settings_from
from clear_gen.scenes.domain import Domain


def write(folder: Path, text: str) -> Path:
    path = folder / "config.yaml"
    path.write_text(text, encoding="utf-8")
    return path


def test_flags_win_over_the_file_and_the_file_over_defaults(tmp_path: Path) -> None:
    options, _ = read_options({"seed": 7}, write(tmp_path, "seed: 5\nn: 300\n"))
    assert (options.seed, options.n, options.sample_rate) == (7, 300, 48000)


def test_banks_in_the_file_are_relative_to_the_file(tmp_path: Path) -> None:
    options, _ = read_options({"test_bank": Path("here.parquet")}, write(tmp_path, "bank: banks/train.parquet\n"))
    assert options.bank == tmp_path / "banks/train.parquet"
    assert options.test_bank == Path("here.parquet")


def test_sampling_rules_are_replaced_part_by_part(tmp_path: Path, clear2: Domain) -> None:
    path = write(tmp_path, "sampling:\n  sounds: {max: 8}\n  reverb: null\n")
    options, node = read_options({}, path)
    changed = settings_from(options, clear2, True, path, node).domain.sampling
    assert (changed.sounds.min, changed.sounds.max, changed.reverb) == (5, 8, None)
    assert changed.noise == clear2.sampling.noise
    assert changed.constraints == clear2.sampling.constraints


@pytest.mark.parametrize(
    ("text", "line", "field"),
    [
        ("n: 10\nseeds: 4\n", 2, "seeds"),
        ("n: 0\n", 1, "n"),
        ("n: 10\nsplits: [0.5, 0.5]\n", 2, "splits"),
        ("\n\nsplits: [0.5, 0.2, 0.2]\n", 3, "splits"),
        ("levels: loud\n", 1, "levels"),
        ("n: 5\nsampling:\n  sounds:\n    min: 9\n    max: 3\n", 3, "sampling.sounds"),
        ("n: 5\nsampling:\n  noise:\n    level_dbfs: [-50, -80]\n", 4, "sampling.noise.level_dbfs"),
        ("n: 5\nsampling:\n  reverberation: null\n", 3, "sampling.reverberation"),
        ("sampling:\n  reverb: {rt60_s: [0.5, 2.0]}\n", 2, "sampling.reverb"),
    ],
)
def test_a_mistake_in_the_file_is_named_with_its_line(
    tmp_path: Path, clear2: Domain, text: str, line: int, field: str
) -> None:
    path = write(tmp_path, text)
    with pytest.raises(InputError) as error:
        settings_from(read_options({}, path)[0], clear2, True, path, read_options({}, path)[1])
    assert str(error.value).startswith(f"{path}:{line}: {field}"), error.value
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        ({"n": -3}, "--n: found -3, expected"),
        ({"sample_rate": 100}, "--sample-rate: found 100, expected"),
        ({"splits": (0.9, 0.9, 0.9)}, "--splits: found (0.9, 0.9, 0.9), expected: three shares"),
    ],
)
def test_a_mistake_in_a_flag_is_named_with_the_flag(flags: dict, message: str) -> None:
    with pytest.raises(InputError) as error:
        read_options(flags, None)
    assert str(error.value).startswith(message)


def test_defaults_are_those_that_help_prints() -> None:
    assert Options().model_dump(include={"n", "splits", "seed", "sample_rate", "levels"}) == {
        "n": 1000,
        "splits": (0.7, 0.15, 0.15),
        "seed": 0,
        "sample_rate": 48000,
        "levels": "recorded",
    }
