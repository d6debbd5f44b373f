"""``clear-gen mix`` and what one does with mixtures, as a user types it: output, exit codes, one line per mistake."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

import clear_gen
from clear_gen.cli import run
from clear_gen.cli.common import DONE, FAILED, WRONG_INPUT
from clear_gen.core.pcm import decode_flac, sha256_pcm, to_pcm16
from clear_gen.datasets.mixtures.load import load_mixture
from tests.datasets.runs import hashes
from tests.mixtures.data import LABELS, RATE, RULES, write_corpus

SMALL = ["--folds", "3", "--sample-rate", str(RATE), "--workers", "1"]


@pytest.fixture(scope="module")
def sources(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    return write_corpus(tmp_path_factory.mktemp("corpus") / "corpus")


@pytest.fixture(scope="module")
def rules(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    path = tmp_path_factory.mktemp("rules") / "rules.yaml"
    path.write_text("".join(f"{name}: {value}\n" for name, value in RULES.items()))
    return ["--config", str(path)]


def refused(arguments: list[str], *parts: str, capsys: pytest.CaptureFixture[str]) -> None:
    """The command ends with code 2 and one line, or two where click adds its usage, that has these parts."""
    assert run(arguments) == WRONG_INPUT
    message = capsys.readouterr().err
    for part in parts:
        assert part in message, message
    lines = [line for line in message.splitlines() if line and not line.startswith(("Usage:", "Try "))]
    assert len(lines) == 1, message


def test_mix_then_everything_one_does_with_it(
    sources: list[str], rules: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "data"
    assert run(["mix", *sources, *SMALL, *rules, "--n", "6", "--snr", "10", "--snr", "-5", "--out", str(out)]) == DONE
    shown = capsys.readouterr()
    assert "fold1 2, fold2 2, fold3 2 mixtures of 3 labels" in shown.out
    assert "labels, 1 recording of each" in shown.out
    assert [line.split()[:3] for line in shown.out.splitlines() if line.startswith("mixtures-snr")] == [
        ["mixtures-snr-5", "-5", "-5.00"],
        ["mixtures-snr10", "10", "10.00"],
    ]
    assert "12/12" in shown.err
    assert run(["finish", str(out)]) == DONE
    assert run(["validate", str(out), "--workers", "1", *sources]) == DONE
    shown = capsys.readouterr()
    assert "identical 12, within rounding 0, different 0" in shown.out
    assert sum(1 for _ in clear_gen.open_dataset(out).mixtures(-5)) == 6
    (out / "annotations/fold1.weak.tsv").write_text("x")
    assert run(["validate", str(out), "--workers", "1"]) == FAILED
    assert run(["finish", str(out)]) == FAILED


def test_show_and_export(
    sources: list[str], rules: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = str(tmp_path / "data")
    assert run(["mix", *sources, *SMALL, *rules, "--n", "6", "--snr", "10", "--snr", "-5", "--out", out]) == DONE
    assert run(["show", out, "--mixture", "fold2-000001", "--snr", "10", "--out", str(tmp_path / "one.png")]) == DONE
    assert (tmp_path / "one.png").stat().st_size > 10_000
    for layout in ("dcase", "jams"):
        assert run(["export", out, str(tmp_path / layout), "--format", layout]) == DONE
    (graph, _, _), *_ = clear_gen.open_dataset(out).mixtures(10, 2)
    name = graph.mixture_id
    audio = (tmp_path / f"dcase/mixtures-snr10/audio/fold2/{name}.flac").read_bytes()
    assert (tmp_path / f"jams/mixtures-snr10/fold2/{name}.flac").read_bytes() == audio
    assert sha256_pcm(decode_flac(audio, name)[0]) == sha256_pcm(to_pcm16(load_mixture(Path(out), 10, name).waveform))
    for kind in ("strong", "weak"):
        table = (tmp_path / f"dcase/mixtures-snr-5/metadata/fold2.{kind}.tsv").read_text()
        assert table == (tmp_path / f"data/annotations/fold2.{kind}.tsv").read_text()
    jams = json.loads((tmp_path / f"jams/mixtures-snr10/fold2/{name}.jams").read_text())
    foreground = [one["value"] for one in jams["annotations"][0]["data"] if one["value"]["role"] == "foreground"]
    assert [(one["label"], one["event_time"], one["snr"]) for one in foreground] == [
        (event.label, event.onset_s, 10) for event in sorted(graph.events, key=lambda event: event.onset_s)
    ]
    assert len(list((tmp_path / "jams").rglob("*.jams"))) == 12
    capsys.readouterr()
    before = hashes(tmp_path / "jams")
    assert run(["export", out, str(tmp_path / "jams"), "--format", "jams"]) == DONE
    capsys.readouterr()
    refused(["export", out, str(tmp_path / "jams"), "--format", "dcase"], "found an export of another", capsys=capsys)
    assert hashes(tmp_path / "jams") == before
    assert run(["export", out, str(tmp_path / "jams"), "--format", "jams", "--overwrite"]) == DONE
    capsys.readouterr()
    refused(["export", out, str(tmp_path / "x"), "--format", "clear"], "expected dcase or jams", capsys=capsys)
    for option, value in (("--mixture", "fold9-000000"), ("--snr", "3"), ("--out", "a.gif")):
        refused(["show", out, option, value], f"found '{value.removeprefix('a')}'", capsys=capsys)
    refused(["show", out, "--scene", "x"], "--scene: found one", capsys=capsys)


def test_flags_stand_over_the_file_of_rules(
    sources: list[str], rules: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    more = ["--duration", "2", "--snr-measure", "lufs", "--max-polyphony", "2", "--seed", "7", "--stems"]
    command = ["mix", *sources, *SMALL, *rules, *more, "--n", "3", "--snr", "0", "--out", str(tmp_path / "data")]
    assert run(command) == DONE
    identity = json.loads((tmp_path / "data/clear.json").read_text())["identity"]
    assert identity["seed"] == 7
    expected = {"duration_s": 2.0, "snr_measure": "lufs", "max_polyphony": 2, "min_gap_s": 0.05}
    assert {name: identity["rules"][name] for name in expected} == expected
    assert run(["validate", str(tmp_path / "data"), "--workers", "1", *sources]) == DONE
    capsys.readouterr()
    refused([*command, "--seed", "8"], "seed: found 7, asked 8", "--overwrite", capsys=capsys)
    assert run([*command, "--seed", "8", "--overwrite"]) == DONE
    assert run([*command, "--seed", "8", "--workers", "2"]) == DONE


def test_dry_run_prints_the_plan_and_writes_nothing(
    sources: list[str], rules: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    size = ["--n", "9000", "--stems", "--snr", "0", "--snr", "5", "--out", str(tmp_path / "data"), "--dry-run"]
    command = ["mix", *sources, *SMALL, *rules, *size]
    assert run([*command, "--num-shards", "2", "--shard-index", "1"]) == DONE
    shown = capsys.readouterr().out
    assert "9,000 mixtures at each SNR: fold1 3,000, fold2 3,000, fold3 3,000; in mixtures-snr0, stems-snr0" in shown
    assert "18 files of up to 1,200 mixtures; this shard: 8 files, 8,400 mixtures" in shown
    assert "mixtures-snr5/fold1-00001-of-00003.parquet  1,200 mixtures" in shown
    assert not list(tmp_path.iterdir())
    assert "every fold has all 3 labels, 1 recording of each" in shown
    refused([*command, "--folds", "4"], "3 labels: found bell, dog, horn in 3 groups, expected 4", capsys=capsys)
    assert run([*command, "--folds", "4", "--allow-missing"]) == DONE
    folds = [line for line in capsys.readouterr().out.splitlines() if "; without " in line]
    assert [line.partition(": ")[0] for line in folds] == ["fold2", "fold3", "fold4"]
    assert sum(line.count(label) for line in folds for label in LABELS) == 4 * 3 - 3 * 3  # of 3 recordings each
    (tmp_path / "data").mkdir()
    (tmp_path / "data/notes.txt").write_text("mine")
    refused(command, "found files that are no clear-gen dataset", capsys=capsys)


@pytest.mark.parametrize(
    ("arguments", "parts"),
    [
        (["--n", "10"], ["--n: found 10, expected a multiple of the 3 folds, such as 9 or 12"]),
        (["--n", "2"], ["--n: found 2", "such as 3"]),
        (["--snr", "0", "--snr", "0.0"], ["--snr: found 0 twice"]),
        (["--snr", "200"], ["--snr: found 200, expected a number of dB from -120 to 120"]),
        (["--snr", "nan"], ["--snr: found nan"]),
        (
            ["--folds", "5", "--n", "1000"],
            [
                "found bell, dog, horn in 3 groups",
                ", expected 5, one a fold (--folds 3, more recordings, --allow-missing)",
            ],
        ),
        (["--folds", "0"], ["--folds: found 0, expected 1 to 100"]),
        (["--sample-rate", "7"], ["--sample-rate: found 7, expected 8000 to 192000"]),
        (["--duration", "-1"], ["--duration: found -1"]),
        (["--duration", "600", "--sample-rate", "48000"], ["--duration: found 600 s at 48000 Hz", "at most"]),
        (["--max-polyphony", "0"], ["--max-polyphony: found 0"]),
        (["--legacy-repeat"], ["--legacy-repeat: found with the recipe default"]),
        (
            ["--recipe", "kong2018", "--seed", "1"],
            ["--seed: found with the recipe kong2018"],
        ),
        (
            ["--recipe", "kong2018", "--duration", "5"],
            ["--duration: found with the recipe kong2018", "expected --recipe default"],
        ),
        (["--recipe", "kong2018"], ["backgrounds: found 6, expected at least 999"]),
        (["--num-shards", "2", "--shard-index", "2"], ["--shard-index: found 2, expected 0 to 1"]),
        (["--num-shards", "2", "--shard-index", "1", "--overwrite"], ["--overwrite: found with several shards"]),
        (["--config", "no.yaml"], ["no.yaml: not found"]),
    ],
)
def test_mistakes(
    sources: list[str], tmp_path: Path, arguments: list[str], parts: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    command = ["mix", *sources, *SMALL, "--n", "999", "--out", str(tmp_path / "data"), *arguments]
    refused(command, *parts, capsys=capsys)
    assert not (tmp_path / "data").exists()


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("snr_db: 5\n", ["--snr: found one beside the snr_db of the rules"]),
        ("n_events: 2\nn_event: 3\n", ["rules.yaml:2: n_event"]),
        ("event_duration_s: 3\nn_events: 9\n", ["rules.yaml:2: n_events", "fewer or shorter events"]),
        ("fade_in_s: {choose: []}\n", ["rules.yaml:1: fade_in_s"]),
    ],
)
def test_mistakes_in_rules(
    sources: list[str], tmp_path: Path, text: str, parts: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "rules.yaml").write_text(text)
    command = ["mix", *sources, *SMALL, "--n", "3", "--snr", "0", "--config", str(tmp_path / "rules.yaml")]
    refused([*command, "--out", str(tmp_path / "data")], *parts, capsys=capsys)
    assert not (tmp_path / "data").exists()


def test_mistakes_with_finished_datasets(
    sources: list[str], rules: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "data"
    assert run(["mix", *sources, *SMALL, *rules, "--n", "3", "--snr", "0", "--out", str(out)]) == DONE
    capsys.readouterr()
    refused(["questions", str(out)], "found a dataset of mixtures", capsys=capsys)
    refused(["render", str(out)], str(out), capsys=capsys)
    refused(["validate", str(out), *sources[:2]], "--events and --backgrounds: found one of them", capsys=capsys)
    other = ["validate", str(out), "--events", sources[1], "--backgrounds", sources[1], "--workers", "1"]
    refused(other, "--backgrounds: found other recordings", capsys=capsys)
    (out / "clear.json").unlink()
    assert run(["validate", str(out)]) == FAILED  # as for scenes
    assert "clear.json: missing; run the clear-gen command" in capsys.readouterr().err
    assert run(["mix", *sources, *SMALL, *rules, "--n", "3", "--snr", "0", "--out", str(out)]) == DONE


@pytest.mark.shared
def test_the_real_recordings(shared: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    sources = ["--events", str(shared / "sounds/events.csv"), "--backgrounds", str(shared / "sounds/backgrounds")]
    out = ["--workers", "1", "--out", str(tmp_path / "data")]
    command = ["mix", *sources, "--folds", "2", "--n", "12", "--stems", *out]
    refused(command, "19 labels: found car_horn, cash_till, ", "in 1 group, expected 2", "--folds 1", capsys=capsys)
    command += ["--allow-missing", "--snr", "0", "--snr", "20"]
    assert run(command) == DONE
    assert run(["validate", str(tmp_path / "data"), "--workers", "1", *sources]) == DONE
    graphs = [graph for graph, _, _ in clear_gen.open_dataset(tmp_path / "data").mixtures(20)]
    assert {graph.n_samples for graph in graphs} == {320_000}
    achieved = [event.snr_achieved_db for graph in graphs for event in graph.events]
    assert len(achieved) == 36
    assert achieved == pytest.approx([20] * 36, abs=0.05)
    assert str(shared) not in (tmp_path / "data/clear.json").read_text()
