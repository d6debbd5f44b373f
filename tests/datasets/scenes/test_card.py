"""The dataset card says what is true: its YAML, its licences, its recipe and its code are used as they stand."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Sequence
from contextlib import chdir
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest
import yaml

from clear_gen import __version__
from clear_gen.cli import run
from clear_gen.cli.common import DONE
from clear_gen.core.files import content_path
from clear_gen.datasets.scenes import card
from clear_gen.datasets.scenes.layout import split_sizes
from clear_gen.sounds.bank import Bank
from tests.datasets.runs import RATE, hashes, make_scenes, small_banks

SAMPLING = "sampling: {sounds: {min: 6, max: 8}, reverb: null, noise: {level_dbfs: [-70, -60]}}\n"


def card_of(folder: Path) -> str:
    return (folder / "README.md").read_text(encoding="utf-8")


def front_matter(text: str) -> dict[str, Any]:
    """What the Hub reads: the YAML between the first two lines of dashes."""
    assert text.startswith("---\n")
    return yaml.safe_load(text[4 : text.index("\n---\n", 4)])


def block(text: str, language: str) -> str:
    """The content of the only fenced block in that language."""
    blocks = re.findall(r"^```(\w*)\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)
    (content,) = [content for name, content in blocks if name == language]
    return content


def rows_of_sources(text: str) -> list[list[str]]:
    """The cells of the table of sources, without its head."""
    rows = [line for line in text.splitlines() if line.startswith("|")]
    return [[cell.strip() for cell in row.strip("|").split("|")] for row in rows[2:]]


def test_front_matter_names_files_that_are_there(twelve: Path) -> None:
    front = front_matter(card_of(twelve))
    assert front["license"] == ["cc0-1.0"]
    assert front["size_categories"] == ["n<1K"]
    by_name = {config["config_name"]: config for config in front["configs"]}
    assert by_name["scenes"]["default"] is True
    counts = {}
    for config in by_name.values():
        for entry in config["data_files"]:
            paths = list(twelve.glob(entry["path"]))
            counts[config["config_name"], entry["split"]] = sum(pq.read_metadata(path).num_rows for path in paths)
    scenes = {("scenes", "train"): 8, ("scenes", "validation"): 2, ("scenes", "test"): 2}
    assert counts == {**scenes, ("bank", "train"): 40, ("bank", "test"): 40}


def test_statistics_are_those_of_the_scenes(twelve: Path) -> None:
    rows = [row for path in twelve.glob("scenes/*.parquet") for row in pq.read_table(path).to_pylist()]
    n_sounds = np.array([len(row["sounds"]) for row in rows])
    sound_s = np.array([sound["n_samples"] / RATE for row in rows for sound in row["sounds"]])
    scene_s = np.array([row["n_samples_dry"] / RATE for row in rows])
    text = card_of(twelve)
    for name, values in (("sounds per scene", n_sounds), ("sound duration", sound_s), ("scene duration", scene_s)):
        (line,) = [line for line in text.splitlines() if line.startswith(name)]
        shown = [float(part) for part in line.replace("(s)", "").removeprefix(name).split()[:3]]
        assert np.allclose(shown, [values.min(), values.mean(), values.max()], atol=0.0051), name
    lengths = re.search(r"scenes of each length {2}(.*)", text)
    assert lengths is not None
    counted = dict(pair.split(":") for pair in lengths[1].split())
    assert {int(length): int(count) for length, count in counted.items()} == {
        int(length): int((n_sounds == length).sum()) for length in set(n_sounds)
    }
    hours = sum(row["n_samples"] for row in rows) / RATE / 3600
    assert f"{hours:.1f} hours" in text


def licensed(banks: dict[str, Bank], licences: Sequence[str], sources: Sequence[str]) -> dict[str, Bank]:
    """The banks with these licences and sources in turn."""
    changed = {}
    for side, bank in banks.items():
        sounds = [
            replace(sound, licence=licences[k % len(licences)], source=sources[k % len(sources)])
            for k, sound in enumerate(bank.sounds)
        ]
        changed[side] = replace(bank, sounds=tuple(sounds))
    return changed


def test_every_source_with_its_licence_and_share_alike_carried_over(tmp_path: Path) -> None:
    licences = ["CC-BY-SA-4.0", "CC-BY-4.0", "CC0-1.0", "of the recordist"]
    banks = licensed(small_banks(), licences, ["by A", "by B", "by C", "by D"])
    text = card_of(make_scenes(tmp_path, "--n", "12", "--no-audio", banks=banks))
    assert front_matter(text)["license"] == ["cc-by-4.0", "cc-by-sa-4.0", "cc0-1.0", "other"]
    expected = [
        [side, source, licence, "10"]
        for side in ("test", "train")
        for source, licence in zip(("by A", "by B", "by C", "by D"), licences, strict=True)
    ]
    assert rows_of_sources(text) == expected
    assert "Share alike: scenes hold recordings under CC-BY-SA-4.0, so whoever shares" in text
    assert "- CC-BY-SA-4.0: https://creativecommons.org/licenses/by-sa/4.0/" in text
    assert "- of the recordist: read it at its source before you share this dataset" in text


@pytest.mark.parametrize(
    ("licences", "sentence"),
    [
        (["CC-BY-4.0"], "Whoever shares this dataset, or what is made from it, names the sources above."),
        (["CC-BY-4.0", "CC0-1.0"], "Whoever shares this dataset, or what is made from it, names the sources above."),
        (["CC0-1.0"], None),
    ],
)
def test_attribution_is_asked_for_where_a_licence_asks(
    tmp_path: Path, licences: list[str], sentence: str | None
) -> None:
    text = card_of(make_scenes(tmp_path, "--n", "4", "--no-audio", banks=licensed(small_banks(), licences, ["A"])))
    assert "Share alike" not in text
    assert (sentence or "names the sources") in text or sentence is None
    assert sentence is not None or "names the sources" not in text


HOSTILE = [
    "a | b",
    "<script>alert(1)</script>",
    "two\nlines\r\nand | more",
    "# no heading",
    "---",
    "Ünïcödé “quoted” 'it'",
    "``` fence",
    "| - |\n|---|",
]


def test_strange_names_of_sources_break_nothing(tmp_path: Path) -> None:
    banks = licensed(small_banks(), ["CC-BY-4.0", "mine | <b>all</b>\nmine"], HOSTILE)
    folder = make_scenes(tmp_path, "--n", "12", "--no-audio", banks=banks)
    text = card_of(folder)
    rows = rows_of_sources(text)
    assert [len(row) for row in rows] == [4] * 2 * len(HOSTILE)
    assert sum(int(row[3]) for row in rows) == 80
    assert "<" not in text.split("## Sources and licences")[1].split("## How it was made")[0]
    assert front_matter(text)["license"] == ["cc-by-4.0", "other"]
    assert text.count("\n## ") == 4
    assert "n" in yaml.safe_load(block(text, "yaml"))
    assert run(["validate", str(folder), "--sample", "0", "--workers", "1"]) == DONE


def test_sizes_follow_from_the_shares_that_the_card_writes() -> None:
    rng = np.random.default_rng(0)
    for _ in range(3000):
        sizes = dict(
            zip(("train", "validation", "test"), map(int, rng.integers(0, 10 ** rng.integers(1, 7), 3)), strict=True)
        )
        n = sum(sizes.values())
        if n:
            assert split_sizes(n, [size / n for size in sizes.values()]) == sizes


def follow(folder: Path) -> Path:
    """Do what the card says, in the folder of the dataset; returns the dataset that comes out."""
    text = card_of(folder)
    (folder / "again.yaml").write_text(block(text, "yaml"))
    if shares := re.search(r"`shares.yaml` in the commands below: `(.*?)`", text):
        (folder / "shares.yaml").write_text(shares[1])
    for line in block(text, "").splitlines():
        arguments = shlex.split(line)
        assert arguments[0] == "clear-gen"
        with chdir(folder):
            assert run([*arguments[1:], "--workers", "1"]) == DONE, line
        if "--out" in arguments:
            out = folder / arguments[arguments.index("--out") + 1]
    return out


def test_the_recipe_of_the_card_makes_the_same_files(tmp_path: Path) -> None:
    config = tmp_path / "config.yaml"
    config.write_text(f"seed: 11\nlevels: independent\n{SAMPLING}")
    options = ["--n", "13", "--splits", "0.6,0.4,0", "--config", str(config)]
    folder = make_scenes(tmp_path, *options, banks={"train": small_banks()["train"]})
    expected = hashes(folder)
    assert f"By clear-gen {__version__}, seed 11." in card_of(folder)
    assert hashes(follow(folder)) == expected


def test_the_recipe_of_a_dataset_without_audio(tmp_path: Path) -> None:
    folder = make_scenes(tmp_path, "--n", "101", "--splits", "0.3,0,0.7", "--seed", "5", "--no-audio")
    expected = hashes(folder)
    assert hashes(follow(folder)) == expected


def test_the_recipe_of_a_domain_that_is_not_packaged(tmp_path: Path) -> None:
    domain = tmp_path / "clear2"
    domain.mkdir()
    packaged = content_path("templates", "clear2") / "domain.yaml"
    text = packaged.read_text()
    assert "[bass, " in text
    (domain / "domain.yaml").write_text(text.replace("[bass, ", "[bass, oboe, ", 1))
    folder = make_scenes(tmp_path, "--n", "12", "--no-audio", "--domain", str(domain))
    expected = hashes(folder)
    found = card_of(folder)
    assert "save it as `clear2/domain.yaml` and add `--domain ./clear2`" in found
    (folder / "clear2").mkdir()
    definition = yaml.safe_load((folder / "clear.json").read_text())["identity"]["domain"]["definition"]
    (folder / "clear2/domain.yaml").write_text(yaml.safe_dump(definition, sort_keys=False))
    (folder / "README.md").write_text(found.replace("--out again", "--domain ./clear2 --out again"))
    again = hashes(follow(folder))
    assert {name: sha for name, sha in again.items() if name.endswith(".parquet")} == {
        name: sha for name, sha in expected.items() if name.endswith(".parquet")
    }


def test_the_card_does_not_depend_on_where_the_command_was_run(
    twelve: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "clear2").mkdir()
    text = (content_path("templates", "clear2") / "domain.yaml").read_text()
    (tmp_path / "clear2/domain.yaml").write_text(text.replace("min: 5", "min: 6"))
    (tmp_path / "data").mkdir()
    for name in ("bank", "scenes"):
        (tmp_path / "data" / name).symlink_to(twelve / name)
    (tmp_path / "data/clear.json").write_bytes((twelve / "clear.json").read_bytes())
    monkeypatch.chdir(tmp_path)
    assert run(["finish", "data"]) == DONE  # writes the card that is missing
    assert card_of(tmp_path / "data") == card_of(twelve)


def test_the_python_of_the_card_runs(twelve: Path, tmp_path: Path) -> None:
    pytest.importorskip("datasets")
    code = block(card_of(twelve), "python").replace("this/folder", str(twelve))
    environment = {
        **os.environ,
        "HF_HOME": str(tmp_path),
        "HF_HUB_OFFLINE": "1",
        "HF_DATASETS_OFFLINE": "1",
        "PYTHONPATH": str(Path(__file__).parents[3]),
    }
    decode = """
import io, soundfile
row = next(iter(scenes))
print(row["scene_id"], *soundfile.read(io.BytesIO(row["audio"]["bytes"]))[0].shape)
"""
    done = subprocess.run([sys.executable, "-c", code + decode], env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert [line.split()[0] for line in lines[:8]] == [f"train-{k:06d}" for k in range(8)]
    assert "'instrument'" in lines[0]
    first = pq.read_table(twelve / "scenes/train-00000-of-00001.parquet").to_pylist()[0]
    assert lines[8:] == [f"train-000000 {first['n_samples']}"]


@pytest.mark.parametrize(
    ("n", "category"),
    [
        (1, "n<1K"),
        (999, "n<1K"),
        (1000, "1K<n<10K"),
        (10_000, "10K<n<100K"),
        (999_999, "100K<n<1M"),
        (1_000_000, "n>1M"),
    ],
)
def test_size_categories(n: int, category: str) -> None:
    from clear_gen.datasets.scenes.statistics import Statistics

    found = Statistics({}, {"train": n}, {}, 0.0, 0)
    assert card._front_matter({}, found, card.Counter())["size_categories"] == [category]


def test_limitations_follow_the_dataset(twelve: Path, tmp_path: Path) -> None:
    config = tmp_path / "config.yaml"
    config.write_text(SAMPLING)
    train = {"train": small_banks()["train"]}
    options = ["--n", "4", "--splits", "1,0,0", "--no-audio", "--levels", "independent", "--config", str(config)]
    alone = card_of(make_scenes(tmp_path, *options, banks=train))
    both = card_of(twelve)
    for sentence, in_both, in_alone in (
        ("only test scenes use recordings of their own", True, False),
        ("nothing here measures how a model does on unheard recordings", False, True),
        ("Levels are as recorded", True, False),
        ("The room is one exponentially decaying noise", True, False),
        ("train 40, test 40", True, False),
        ("train 40)", False, True),
    ):
        assert (sentence in both, sentence in alone) == (in_both, in_alone), sentence


# --- questions --------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def asked(twelve: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same scenes, with questions."""
    folder = shutil.copytree(twelve, tmp_path_factory.mktemp("asked") / "data")
    assert run(["questions", str(folder), "--workers", "1"]) == DONE
    return folder


def test_the_front_matter_of_questions_names_files_that_are_there(asked: Path) -> None:
    text = card_of(asked)
    configs = {config["config_name"]: config for config in front_matter(text)["configs"]}
    assert list(configs) == ["scenes", "questions", "bank"]
    assert [name for name, config in configs.items() if config.get("default")] == ["scenes"]
    counts = {}
    for entry in configs["questions"]["data_files"]:
        counts[entry["split"]] = sum(pq.read_metadata(path).num_rows for path in asked.glob(entry["path"]))
    assert counts.keys() == {"train", "validation", "test"}
    assert f"- questions: {', '.join(f'{split} {n}' for split, n in counts.items())}, of 11 types" in text
    assert f"# clear2: 12 acoustic scenes and {sum(counts.values())} questions" in text
    assert text.count("\n## ") == 5


def test_the_table_of_questions_counts_them(asked: Path) -> None:
    lines = card_of(asked).split("## Questions")[1].split("```")[1].splitlines()[1:]
    head, *rows = [line.split() for line in lines[: lines.index("")]]
    assert head == ["type", "train", "validation", "test", "%", "CLEAR2", "%"]
    for place, split in enumerate(head[1:4], 1):
        types = pq.read_table(asked / f"questions/{split}-00000-of-00001.parquet")["question_type"].to_pylist()
        for row in rows:
            assert int(row[place]) == (len(types) if row[0] == "all" else types.count(row[0]))


def test_the_recipe_of_the_card_makes_the_same_questions(tmp_path: Path) -> None:
    folder = make_scenes(tmp_path, "--n", "60", "--no-audio")
    shares = tmp_path / "shares.yaml"
    shares.write_text("note: 1\nexist: 3\ncount: 3.5\n")
    options = ["--per-scene", "3", "--seed", "9", "--rules", "paper", "--types", "note,exist,count"]
    options += ["--holdout", "instrument=violin,note=C#", "--type-shares", str(shares)]
    assert run(["questions", str(folder), "--workers", "1", *options]) == DONE
    expected, text = hashes(folder), card_of(folder)
    assert "The paper's rules" in text
    assert "No training question needs a sound with instrument violin and note C#" in text
    assert '"questions", streaming=True)["train"]' in block(text, "python")
    assert "with_audio" not in text  # there is none
    assert hashes(follow(folder)) == expected


def test_the_python_of_the_card_joins_questions_and_scenes(asked: Path, tmp_path: Path) -> None:
    pytest.importorskip("datasets")
    code = block(card_of(asked), "python").replace("this/folder", str(asked))
    environment = {
        **os.environ,
        "HF_HOME": str(tmp_path),
        "HF_HUB_OFFLINE": "1",
        "HF_DATASETS_OFFLINE": "1",
        "PYTHONPATH": str(Path(__file__).parents[3]),
    }
    join = """
import hashlib, numpy
print(len(questions), questions[0]["program"][0])
for row in questions:
    pcm = (32768 * numpy.array(row["waveform"])).astype("<i2")
    assert hashlib.sha256(pcm.tobytes()).hexdigest() == scenes[row_of[row["scene_id"]]]["rendered"]["pcm_sha256"]
"""
    done = subprocess.run([sys.executable, "-c", code + join], env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    rows = pq.read_table(asked / "questions/train-00000-of-00001.parquet").to_pylist()
    lines = done.stdout.splitlines()
    assert [line.split()[0] for line in lines[:-1]] == [row["question_id"] for row in rows]
    assert all(line.endswith(f"{row['question']} {row['answer']}") for line, row in zip(lines, rows, strict=False))
    assert lines[-1].startswith(f"{len(rows)} {{'function': 'scene'")
