"""Imports datasets in the layout of the published CLEAR generator.

The audio's bytes stay as they are. The elementary sounds, the room and the noise are unknown unless our own export
wrote them beside the published fields, so an imported dataset is read and shown, but not rendered again.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import Any

import pyarrow as pa

from clear_gen.core.errors import InputError
from clear_gen.core.files import sha256_json
from clear_gen.core.parquet import parquet_writer
from clear_gen.core.pcm import decode_flac, sha256_pcm
from clear_gen.core.progress import Advance, Progress
from clear_gen.datasets.scenes.clear_format.layout import OWN_KEY, PUBLISHED_SPLITS, audio_folder_path, check_names
from clear_gen.datasets.scenes.clear_format.question_files import (
    are_there,
    check_no_others,
    section_of,
    write_questions,
)
from clear_gen.datasets.scenes.clear_format.scenes import published_scene_of, row_of, wrong
from clear_gen.datasets.scenes.clear_format.source import Survey, place, read_object, sorted_scenes, survey_split
from clear_gen.datasets.scenes.kind import KIND
from clear_gen.datasets.scenes.layout import scene_files
from clear_gen.datasets.scenes.manifest import Settings, identity_of
from clear_gen.datasets.scenes.records import SceneMaker
from clear_gen.scenes.domain import Domain
from clear_gen.scenes.sampler import SceneSpec
from clear_gen.store import chunks
from clear_gen.store.build import claim
from clear_gen.store.chunks import BuildContext
from clear_gen.store.exports import check_exported
from clear_gen.store.finish import finish_locked, is_finished, tidy
from clear_gen.store.layout import DataFile
from clear_gen.store.lock import at_work
from clear_gen.store.manifest import begin, check_unchanged

DEFAULT_RATE_HZ = 48000  # of the published generator's audio, for a source that has none


@dataclass(frozen=True)
class ImportSummary:
    """What was imported: scenes per split, how many of them have audio, how many questions there are about them."""

    out: Path
    scenes: dict[str, int]
    with_audio: dict[str, int]
    questions: int
    with_unused: int

    def __str__(self) -> str:
        counts = [(split, n, self.with_audio[split]) for split, n in self.scenes.items() if n]
        lines = [f"{self.out}: scenes: " + ", ".join(f"{split} {n:,} ({k:,} with audio)" for split, n, k in counts)]
        if self.questions:
            lines.append(f"questions: {self.questions:,}, answers as they were found")
        if self.with_unused:
            lines.append(f"steps that no other step reads were left out of {self.with_unused:,} programs")
        lines.append("imported scenes cannot be rendered again: their elementary sounds are not in the dataset")
        return "\n".join(lines)


def import_clear_layout(
    source: Path, out: Path, domain: Domain, progress: Progress, overwrite: bool = False
) -> ImportSummary:
    """Read the published layout in ``source`` and write a finished dataset to ``out``.

    Questions that the source has come along, with the answers that they have there, right or wrong: ``validate`` tells.
    Everything but the audio's samples is checked before anything is written. The same call again makes what is
    missing; with ``overwrite`` a dataset that is in ``out`` is removed first.

    Raises InputError naming file, scene and field of what is not as it must be, or if ``out`` holds something else;
    CheckFailed if another run is at work in ``out``.
    """
    check_names(domain.attributes)
    check_exported(source)
    if out.resolve().is_relative_to(source.resolve()):
        raise InputError(f"{out}: lies inside {source}, expected a folder outside of it")
    surveys = {split: survey_split(source, split, domain) for split in PUBLISHED_SPLITS}
    settings = _settings(source, surveys, domain)
    identity = identity_of(settings, {})
    questions = {split: survey.questions for split, survey in surveys.items() if survey.questions}
    section = section_of(source, identity, questions)
    claim(out, identity, overwrite)
    check_no_others(out, section)
    _complete(source, out, settings, identity, surveys, section, progress)
    with_audio = {split: len(survey.flac) for split, survey in surveys.items()}
    n_questions = sum(some.records.num_rows for some in questions.values())
    with_unused = sum(some.with_unused for some in questions.values())
    return ImportSummary(out, settings.sizes, with_audio, n_questions, with_unused)


def _settings(source: Path, surveys: dict[str, Survey], domain: Domain) -> Settings:
    there = [survey for survey in surveys.values() if survey.n_scenes]
    if not there:
        expected = "at least one in scenes/CLEAR_train_scenes.json, CLEAR_val_scenes.json or CLEAR_test_scenes.json"
        raise InputError(f"{source}: found no scenes, expected {expected}")
    rates = {rate: at for survey in reversed(there) for rate, at in survey.rates.items()}
    if len(rates) > 1:
        (first, at), (second, elsewhere), *_ = rates.items()
        raise InputError(f"{at}: sample rate: found {first} Hz, expected {second} Hz as in {elsewhere}")
    about = {name: _joined(survey.info[name] for survey in there) for name in ("name", "version", "licence")}
    audio = sorted((str(survey.path.name), name, size) for survey in there for name, size in survey.flac.items())
    return Settings(
        sizes={split: survey.n_scenes for split, survey in surveys.items()},
        seed=None,
        sample_rate=next(iter(rates), DEFAULT_RATE_HZ),
        levels=None,
        audio=bool(audio),
        domain=domain,
        imported={
            "layout": "clear",
            **about,
            "files": {str(survey.path.relative_to(source)): survey.sha256 for survey in there},
            "audio_files": {"n": len(audio), "names_and_sizes_sha256": sha256_json(audio)},
        },
    )


def _joined(values: Iterator[str | None]) -> str | None:
    return ", ".join(sorted({value for value in values if value})) or None


def _complete(
    source: Path,
    out: Path,
    settings: Settings,
    identity: dict[str, Any],
    surveys: dict[str, Survey],
    section: dict[str, Any] | None,
    progress: Progress,
) -> None:
    files = scene_files(settings.sizes)
    spec = SceneSpec(
        0, settings.sample_rate
    )  # nothing is sampled: the build context says which files are this dataset's
    context = BuildContext(out, SceneMaker(settings.domain, spec), settings.audio, sha256_json(identity), "")
    if is_finished(out) and not chunks.missing_files(context, files) and are_there(out, section, settings):
        tidy(out)
        return
    with at_work(out):
        check_unchanged(out, identity)
        check_no_others(out, section)
        chunks.missing_files(context, files)  # before anything is written: it refuses files of another dataset
        begin(out, identity)
        chunks.remove_damaged(context, files)
        left = chunks.missing_files(context, files)
        n_left, n = (sum(file.stop - file.first for file in some) for some in (left, files))
        with progress(n_left, n) as advance, chunks.interrupt_between() as check:
            for split, some in groupby(left, key=lambda file: file.split):
                scenes = _Scenes(source, split, surveys[split], settings)
                for file in some:
                    _write_file(file, scenes, context, advance, check)
        if section is not None:
            write_questions(out, section, {split: survey.questions for split, survey in surveys.items()}, settings)
        finish_locked(out, KIND)


def _write_file(
    file: DataFile, scenes: _Scenes, context: BuildContext, advance: Advance, check: Callable[[], None]
) -> None:
    schema = context.schema(file)
    with chunks.recorded_path(context.folder, file.name) as path, parquet_writer(path, schema, context.audio) as writer:
        for chunk in file.chunks:
            rows = []
            for index in range(chunk.first, chunk.stop):
                rows.append(scenes.row(index))
                check()
            writer.write_table(pa.Table.from_pylist(rows, schema))
            advance(len(rows))


class _Scenes:
    """The scenes of one split by index, their JSON read once more: only one split is in memory at a time."""

    def __init__(self, source: Path, split: str, survey: Survey, settings: Settings) -> None:
        self.split, self.domain, self.sample_rate = split, settings.domain, settings.sample_rate
        self.folder, self.path, self.flac = audio_folder_path(source, split), survey.path, survey.flac
        content, digest = read_object(survey.path)
        if digest != survey.sha256:
            raise InputError(f"{survey.path}: changed while it was read; run again")
        self.raw = sorted_scenes(content, survey.path)

    def row(self, index: int) -> dict[str, Any]:
        """The complete row of one scene."""
        scene = published_scene_of(self.raw[index], index, place(self.path, index), self.domain)
        if scene.filename not in self.flac:
            return {**row_of(scene, self.split, self.domain, self.sample_rate, None), "rendered": None, "audio": None}
        path = self.folder / scene.filename
        try:
            data = path.read_bytes()
        except OSError as error:
            raise InputError(f"{path}: cannot be read ({error.strerror})") from None
        pcm, rate = decode_flac(data, str(path))
        if rate != self.sample_rate:
            raise wrong(str(path), "sample rate", rate, f"{self.sample_rate} Hz, as the others")
        row = row_of(scene, self.split, self.domain, self.sample_rate, len(pcm))
        rendered = {"scale_db": None, "peak_dbfs": None, "pcm_sha256": sha256_pcm(pcm)}
        known = (scene.exact or {}).get("rendered")
        if known is not None and known["pcm_sha256"] != rendered["pcm_sha256"]:
            at = f"{scene.at}: {OWN_KEY}"
            raise wrong(at, "rendered.pcm_sha256", known["pcm_sha256"], f"{rendered['pcm_sha256']!r}, that of {path}")
        return {**row, "rendered": known or rendered, "audio": {"bytes": data, "path": scene.filename}}
