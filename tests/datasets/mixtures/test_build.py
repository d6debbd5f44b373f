"""Datasets of mixtures are the same bytes however they are made; nothing is lost, nothing overwritten."""

from __future__ import annotations

import json
import shutil
import signal
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
import soundfile

from clear_gen.core.errors import CheckFailed, InputError
from clear_gen.datasets.mixtures.build import create_mixtures
from clear_gen.datasets.mixtures.kind import KIND
from clear_gen.datasets.mixtures.manifest import MixtureSettings, per_fold
from clear_gen.datasets.mixtures.records import MixtureMaker
from clear_gen.datasets.mixtures.source_tables import read_sources, write_sources
from clear_gen.mixtures.recordings.read import read_backgrounds, read_events
from clear_gen.store import chunks
from clear_gen.store.build import Execution, Shard, claim
from clear_gen.store.finish import finish
from clear_gen.store.layout import shard_of
from tests.datasets.runs import Runner, hashes, inodes, runner
from tests.mixtures.data import RATE, RULES, make, small_settings, write_corpus

LATE = (
    "scipy.signal",
    "scipy.special",
    *(f"clear_gen.datasets.mixtures.{name}" for name in ("build", "console", "options", "outlook")),
)
FILE = "{config}/fold{fold}-00000-of-00001.parquet"


# --- however it is made -----------------------------------------------------------------------------------------------


def test_two_workers_make_the_same(reference: Path, corpus: Path, settings: MixtureSettings, tmp_path: Path) -> None:
    assert hashes(make(tmp_path / "data", corpus, settings, workers=2)) == hashes(reference)


@pytest.mark.parametrize(("of", "order"), [(2, (1, 0)), (3, (2, 0, 1)), (5, (4, 3, 0, 2, 1))])
def test_shards_in_any_order_make_the_same(
    reference: Path, corpus: Path, settings: MixtureSettings, tmp_path: Path, of: int, order: tuple[int, ...]
) -> None:
    folder = tmp_path / "data"
    for number, index in enumerate(order):
        make(folder, corpus, settings, Shard(index, of))
        assert (folder / "clear.json").exists() or number < of - 1
    assert hashes(folder) == hashes(reference)


def test_the_default_recipe_makes_the_same_whatever_the_order_of_the_recordings(
    reference: Path, corpus: Path, settings: MixtureSettings, tmp_path: Path
) -> None:
    sounds, under = read_events(corpus / "events"), read_backgrounds(corpus / "under")
    create_mixtures(tmp_path / "data", settings, sounds[::-1], under[::-1], Execution())
    assert hashes(tmp_path / "data") == hashes(reference)


def test_a_shard_has_all_configs_of_its_mixtures(settings: MixtureSettings) -> None:
    shards = [shard_of(settings.files, 2, index) for index in range(2)]
    assert sorted(file.name for shard in shards for file in shard) == sorted(file.name for file in settings.files)
    assert [{file.split for file in shard} for shard in shards] == [{"fold1", "fold3"}, {"fold2"}]
    assert all(len({file.config for file in shard}) == 4 for shard in shards)


def test_chunks_do_not_depend_on_what_was_made_before(corpus: Path, settings: MixtureSettings, reference: Path) -> None:
    sounds, under = read_events(corpus / "events"), read_backgrounds(corpus / "under")
    work = MixtureMaker(settings, tuple(sounds), tuple(under))
    work.start()
    file = next(file for file in settings.files if file.config == "mixtures-snr10" and file.split == "fold3")
    alone = work.with_audio(reference, None, file.chunks[1])
    stored = pq.ParquetFile(reference / file.name).read_row_group(1)
    assert alone.to_pylist() == stored.to_pylist()
    graphs = work.graphs(reference, file.chunks[1])
    assert (
        graphs.drop_columns(["rendered", "audio"]).to_pylist() == stored.drop_columns(["rendered", "audio"]).to_pylist()
    )


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Runner]:
    with runner(tmp_path_factory.mktemp("runner"), late=LATE) as it:
        yield it


def mix(corpus: Path, folder: Path) -> list[str]:
    """The command for six mixtures in three folds at two SNRs: six chunks and six files."""
    rules = folder.parent / "rules.yaml"
    rules.write_text("".join(f"{name}: {value}\n" for name, value in RULES.items()))
    sources = ["--events", str(corpus / "events"), "--backgrounds", str(corpus / "under")]
    size = ["--n", "6", "--folds", "3", "--sample-rate", str(RATE), "--config", str(rules)]
    return ["mix", *sources, *size, "--snr", "10", "--snr", "0", "--workers", "1", "--out", str(folder)]


def test_a_run_killed_before_every_file_in_turn_goes_on_to_the_same_bytes(
    run: Runner, corpus: Path, tmp_path: Path
) -> None:
    whole = hashes(make(tmp_path / "whole", corpus, small_settings(2, stems=False)))
    folder, trace = tmp_path / "data", tmp_path / "trace"
    assert run(*mix(corpus, folder), fault={"folder": str(folder), "trace": str(trace)}).code == 0
    assert hashes(folder) == whole
    steps = [step for step in dict.fromkeys(trace.read_text().splitlines()) if step.startswith("replace")]
    steps = [step for step in steps if ".sha256" not in step]
    assert len(steps) > 20
    shutil.rmtree(folder)
    left: dict[str, tuple[int, int]] = {}
    for step in [*steps[1:-1:3], steps[-1]]:
        done = run(*mix(corpus, folder), fault={"folder": str(folder), "action": "kill", "step": step, "number": 1})
        assert done.code == -signal.SIGKILL, (step, done)
        there = {name: inode for name, inode in inodes(folder).items() if not Path(name).name.startswith(".")}
        assert not [name for name in left if name in there and there[name] != left[name]], step
        left = there
    assert run(*mix(corpus, folder)).code == 0
    assert hashes(folder) == whole


def test_a_damaged_chunk_is_made_again(
    corpus: Path, settings: MixtureSettings, reference: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "data"

    def stop(context: object, file: object) -> int:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(chunks, "write_file", stop)
        with pytest.raises(KeyboardInterrupt):
            make(folder, corpus, settings)
    stored = sorted((folder / ".partial").glob("*.arrow"))
    assert len(stored) == 8  # two chunks of the first fold in four configs
    data = bytearray(stored[5].read_bytes())
    data[len(data) // 2] ^= 1
    stored[5].write_bytes(data)
    make(folder, corpus, settings)
    assert hashes(folder) == hashes(reference)


def test_a_damaged_file_is_made_again(
    corpus: Path, settings: MixtureSettings, reference: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    folder = tmp_path / "data"
    shutil.copytree(reference, folder)
    cut = folder / FILE.format(config="stems-snr10", fold=2)
    cut.write_bytes(cut.read_bytes()[:-9])
    before = inodes(folder)
    make(folder, corpus, settings)
    assert hashes(folder) == hashes(reference)
    assert [name for name, inode in inodes(folder).items() if before[name] != inode] == [str(cut.relative_to(folder))]
    assert str(cut) in caplog.text


def test_what_was_altered_within_is_made_again_with_what_is_missing(
    corpus: Path, settings: MixtureSettings, reference: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "data"
    shutil.copytree(reference, folder)
    (folder / FILE.format(config="mixtures-snr0", fold=1)).unlink()
    altered = folder / FILE.format(config="stems-snr10", fold=3)
    data = bytearray(altered.read_bytes())
    data[len(data) // 3] ^= 1
    altered.write_bytes(data)
    make(folder, corpus, settings)
    assert hashes(folder) == hashes(reference)


def test_tables_of_other_sources_are_refused(
    corpus: Path, settings: MixtureSettings, reference: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "data"
    shutil.copytree(reference, folder)
    identity = json.loads((folder / "clear.json").read_text())["identity"]
    (folder / ".partial").mkdir()
    (folder / ".partial/clear.json").write_text(json.dumps(identity))
    (folder / "clear.json").unlink()
    path = folder / "sources/events.parquet"
    write_sources(tuple(replace(row, group="mine") for row in read_sources(path)), path)
    with pytest.raises(CheckFailed, match="found other sources than the mixtures were made from"):
        finish(folder, KIND)
    with pytest.raises(InputError, match="found other sources than the dataset's"):
        make(folder, corpus, settings)


def test_lost_tables_and_a_lost_card_are_written_again(
    corpus: Path, settings: MixtureSettings, reference: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "data"
    shutil.copytree(reference, folder)
    (folder / "sources/events.parquet").unlink()
    make(folder, corpus, settings)
    assert hashes(folder) == hashes(reference)
    (folder / "README.md").unlink()
    finish(folder, KIND)
    assert hashes(folder) == hashes(reference)


def test_finish_says_what_is_missing(corpus: Path, settings: MixtureSettings, tmp_path: Path) -> None:
    folder = tmp_path / "data"
    make(folder, corpus, settings, Shard(1, 2))
    with pytest.raises(CheckFailed, match=r"8 of 12 files missing, first mixtures-snr0/fold1-00000-of-00001.parquet"):
        finish(folder, KIND)


# --- what is refused --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"seed": 5}, "seed: found 0, asked 5"),
        ({"snrs": (0.0, 20.0)}, r"snrs: found \[0.0, 10.0\], asked \[0.0, 20.0\]"),
        ({"stems": False}, "stems: found true, asked false"),
        ({"event_duration_s": 0.2}, "rules.event_duration_s.constant: found 0.25, asked 0.2"),
        ({"n_per_fold": 104}, "n_per_fold: found 105, asked 104"),
    ],
)
def test_another_dataset_in_the_folder_is_refused(corpus: Path, reference: Path, changes: dict, message: str) -> None:
    before = hashes(reference)
    with pytest.raises(InputError, match=message):
        make(reference, corpus, small_settings(**changes))
    assert hashes(reference) == before


def test_other_recordings_are_refused(corpus: Path, reference: Path, settings: MixtureSettings, tmp_path: Path) -> None:
    other = tmp_path / "corpus"
    shutil.copytree(corpus, other)
    soundfile.write(other / "events/dog/2.wav", 0.1 * np.sin(np.arange(4000.0)), RATE)
    with pytest.raises(InputError, match=r"sources\.events: found"):
        make(reference, other, settings)


def test_recordings_of_the_same_names_and_sizes_are_refused(
    corpus: Path, reference: Path, settings: MixtureSettings, tmp_path: Path
) -> None:
    """Half as loud, which leaves the size of a WAV file as it is."""
    other = tmp_path / "corpus"
    shutil.copytree(corpus, other)
    path = other / "under/3.wav"
    samples, rate = soundfile.read(path, dtype="int16")
    soundfile.write(path, samples // 2, rate)
    assert path.stat().st_size == (corpus / "under/3.wav").stat().st_size > 1 << 16
    with pytest.raises(InputError, match="sources"):
        make(reference, other, settings)


def test_overwrite_removes_a_dataset_of_either_kind_and_nothing_else(corpus: Path, tmp_path: Path) -> None:
    folder = tmp_path / "data"
    few = small_settings(2, snrs=(0.0,))
    make(folder, corpus, few)
    (folder / "mixtures-snr0/notes.txt").write_text("mine")
    more = small_settings(1, snrs=(-2.5,), stems=False)
    with pytest.raises(InputError, match="holds another dataset"):
        make(folder, corpus, more)
    make(folder, corpus, more, overwrite=True)
    names = {name.split("/")[0] for name in hashes(folder)}
    assert names == {"README.md", "clear.json", "annotations", "sources", "mixtures-snr-2.5", "mixtures-snr0"}
    assert [path.name for path in (folder / "mixtures-snr0").iterdir()] == ["notes.txt"]
    scenes = {"kind": "scenes", "format": 2, "audio": True, "scenes": {"train": 1}}
    with pytest.raises(InputError, match="holds another dataset"):
        claim(folder, scenes, overwrite=False)
    claim(folder, scenes, overwrite=True)
    assert {name for name in hashes(folder) if not name.startswith(".partial")} == {"mixtures-snr0/notes.txt"}


def test_numbers_that_do_not_divide_evenly() -> None:
    assert per_fold(8000, 4) == 2000
    with pytest.raises(InputError, match="--n: found 10, expected a multiple of the 4 folds, such as 8 or 12"):
        per_fold(10, 4)


def test_a_label_with_a_comma_and_a_label_in_too_few_folds(tmp_path: Path) -> None:
    write_corpus(tmp_path / "corpus")
    (tmp_path / "corpus/events/dog").rename(tmp_path / "corpus/events/dog, barking")
    with pytest.raises(InputError, match="label 'dog, barking': found a comma"):
        make(tmp_path / "data", tmp_path / "corpus", small_settings(1))
    (tmp_path / "corpus/events/dog, barking").rename(tmp_path / "corpus/events/dog")
    (tmp_path / "corpus/events/dog/0.wav").unlink()
    with pytest.raises(InputError, match="label dog: found 2 groups, expected 3"):
        make(tmp_path / "data", tmp_path / "corpus", small_settings(1))
    assert not (tmp_path / "data").exists()


def test_a_recording_that_cannot_be_used_is_named(tmp_path: Path) -> None:
    write_corpus(tmp_path / "corpus")
    soundfile.write(tmp_path / "corpus/events/dog/1.wav", np.zeros(4000), RATE)
    with pytest.raises(InputError, match=r"events/dog/1.wav: samples: found silence"):
        make(tmp_path / "data", tmp_path / "corpus", small_settings(8))
