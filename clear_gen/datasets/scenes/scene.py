"""One scene to work with: its waveform, its questions, changed copies. Generated here or read from a dataset."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Any, Literal

import numpy as np

from clear_gen.core.arguments import whole_number
from clear_gen.core.errors import InputError
from clear_gen.core.names import not_among
from clear_gen.core.pcm import decode_flac, from_pcm16
from clear_gen.core.records import SPLITS
from clear_gen.questions.generation.one_scene import questions_of_scene
from clear_gen.questions.language.execute import IllPosed, execute
from clear_gen.questions.language.program import parse_program
from clear_gen.questions.templates.collection import read_templates
from clear_gen.questions.templates.template import Template
from clear_gen.scenes.domain import Domain, load_domain
from clear_gen.scenes.edit import with_gains, with_noise, with_reverb
from clear_gen.scenes.graph import Noise, Reverb, SceneGraph, graph_of_row
from clear_gen.scenes.render import render_pcm
from clear_gen.scenes.sampler import SceneSpec, sample_scenes
from clear_gen.sounds import default
from clear_gen.sounds.bank import Bank, check_attributes, read_bank, resampled_bank

Levels = Literal["recorded", "independent"]
SAMPLE_RATES = (8000, 192_000)  # Hz, lowest and highest
MAX_INDEX = 100_000_000
KEPT_BANKS = 2  # one of either side
UNCHANGED: Any = object()


@dataclass(frozen=True, repr=False)
class Scene:
    """A scene graph with what is needed to hear it and to ask about it.

    ``domain``: its attributes and relations. ``levels``: how the gains were drawn, None if unknown (imported scenes).
    """

    graph: SceneGraph
    domain: Domain
    levels: Levels | None
    bank_source: Bank | Path | None = field(default=None, compare=False)
    flac: bytes | None = field(default=None, compare=False)
    templates_folder: str | None = field(default=None, compare=False)

    def __repr__(self) -> str:
        length_s = self.graph.n_samples / self.sample_rate
        return (
            f"<Scene {self.graph.scene_id}: {len(self.graph.sounds)} sounds, {length_s:.2f} s at {self.sample_rate} Hz>"
        )

    @property
    def sample_rate(self) -> int:
        """Samples per second."""
        return self.graph.sample_rate

    @property
    def has_stored_audio(self) -> bool:
        """Whether the waveform was stored in the dataset; otherwise it is rendered from the bank."""
        return self.flac is not None

    @cached_property
    def waveform(self) -> np.ndarray:
        """float32 [graph.n_samples], full scale 1, rounded to PCM 16 as in a dataset. It is yours to change.

        Decoded or rendered when first asked for. Raises InputError if there is neither audio nor a bank.
        """
        if self.flac is not None:
            return from_pcm16(decode_flac(self.flac, self.graph.scene_id)[0])
        if self.bank_source is None:
            where = f"{self.graph.scene_id}: audio: found none"
            raise InputError(f"{where}, and no bank to render it from; import the dataset again with its audio")
        return from_pcm16(render_pcm(self.graph, self._bank("render it"))[0])

    def replace(
        self,
        *,
        reverb: Reverb | Mapping[str, Any] | None = UNCHANGED,
        noise: Noise | Mapping[str, Any] | None = UNCHANGED,
        gains_db: Sequence[float] = UNCHANGED,
    ) -> Scene:
        """A copy with another room, noise or gains, rendered anew; lengths and labels follow.

        ``reverb`` and ``noise``: None for none; a mapping changes only the fields that it names. ``gains_db``: one
        number per sound. Raises InputError for values that no scene can have, and if there is no bank to render from.
        """
        bank, graph = self._bank("render a changed copy"), self.graph
        if reverb is not UNCHANGED:
            graph = with_reverb(graph, reverb)
        if noise is not UNCHANGED:
            graph = with_noise(graph, noise)
        if gains_db is not UNCHANGED:
            graph = with_gains(graph, gains_db, bank, self.domain)
        return replace(self, graph=graph, flac=None)

    def questions(
        self, n: int = 4, seed: int = 0, types: Sequence[str] | None = None, templates: Sequence[str | Path] = ()
    ) -> list[Question]:
        """Up to ``n`` well-posed questions that need the audio; a scene that has fewer gives fewer.

        ``types``: question types, all of the domain's if None. ``templates``: files instead of the domain's own.
        Answers are balanced within this scene only: ``clear-gen questions`` balances a dataset's.
        Raises InputError for a number or type that is not possible, and if there is no bank (imported scenes).
        """
        bank = self._bank("know what else a question could be about")
        paths = tuple(Path(path) for path in templates)
        found = _templates(self.domain.model_dump_json(), paths, self.templates_folder)
        levels = self.levels or "recorded"
        records = questions_of_scene(self.graph, self.domain, bank, found, n, seed, types, levels)
        return [Question.of_record(record, self) for record in records]

    def ask(self, program: Sequence[Mapping[str, Any]]) -> str | IllPosed:
        """The answer of a program, a list of ``{"function", "inputs", "values"}``, or why it has no certain one.

        Raises InputError, naming node, found and expected, before anything runs if it is not a program of the domain.
        """
        return execute(parse_program(program, self.domain), self.graph, self.domain)

    def _bank(self, purpose: str) -> Bank:
        if self.bank_source is None:
            raise InputError(f"{self.graph.scene_id}: bank: found none, expected one to {purpose}")
        bank = read_bank_once(self.bank_source) if isinstance(self.bank_source, Path) else self.bank_source
        return _at_rate(bank, self.sample_rate)


@dataclass(frozen=True)
class Question:
    """One question about a scene. ``program``: nodes as in the files, which ``scene.ask`` takes."""

    question_id: str
    scene_id: str
    text: str
    answer: str
    question_type: str
    template_id: str
    n_relations: int
    program: list[dict[str, Any]] = field(repr=False)
    scene_source: Scene | Callable[[str], Scene] = field(repr=False, compare=False)

    @cached_property
    def scene(self) -> Scene:
        """The scene, read when it is first asked for. Raises InputError if its file is missing or damaged."""
        return self.scene_source if isinstance(self.scene_source, Scene) else self.scene_source(self.scene_id)

    @classmethod
    def of_record(cls, record: Mapping[str, Any], scene: Scene | Callable[[str], Scene]) -> Question:
        """The question of a record of the question files; ``scene``, or what reads it by its id."""
        names = ("question_id", "scene_id", "answer", "question_type", "template_id", "n_relations", "program")
        return cls(text=record["question"], scene_source=scene, **{name: record[name] for name in names})


def default_bank(side: Literal["train", "test"] = "train") -> Bank:
    """The embedded bank of one side, of the domain ``clear2``; synthesised at first use, then kept in the user's cache.

    Raises InputError for another side.
    """
    if side not in default.SIDES:
        raise InputError(f"side: {not_among(side, default.SIDES)}")
    return default.default_banks(load_domain(default.DOMAIN).attributes)[side]


def generate_scene(
    bank: Bank | str | Path,
    domain: Domain | str | Path = "clear2",
    seed: int = 0,
    split: str = "train",
    index: int = 0,
    sample_rate: int | None = None,
    levels: Levels = "recorded",
) -> Scene:
    """The scene that ``clear-gen scenes`` gives for this seed, split and index, with the same bank and sample rate.

    ``bank``: a bank or the path of one. ``domain``: a packaged name, a folder with a ``domain.yaml``, or a ``Domain``.
    ``sample_rate`` in Hz: the bank's if None. Raises InputError naming the argument that is wrong.
    """
    bank = bank if isinstance(bank, Bank) else read_bank_once(Path(bank))
    rules = domain if isinstance(domain, Domain) else load_domain(str(domain))
    if bank.domain != rules.name:
        raise InputError(f"bank: domain: found {bank.domain}, expected {rules.name}")
    check_attributes(bank, rules.attributes, "bank")
    rate = bank.sample_rate if sample_rate is None else whole_number("sample_rate", sample_rate, *SAMPLE_RATES)
    for name, value, known in (("split", split, SPLITS), ("levels", levels, ("recorded", "independent"))):
        if value not in known:
            raise InputError(f"{name}: {not_among(value, known)}")
    spec = SceneSpec(whole_number("seed", seed), rate, levels)
    table = sample_scenes(_at_rate(bank, rate), rules, spec, split, [whole_number("index", index, 0, MAX_INDEX)])
    folder = None if isinstance(domain, Domain) else str(domain)
    return Scene(graph_of_row(table.to_pylist()[0]), rules, levels, bank, templates_folder=folder)


def read_bank_once(path: Path) -> Bank:
    """The bank of a file, kept in memory as long as the file is the same."""
    return _read_bank(path, path.stat().st_mtime_ns if path.is_file() else None)


@lru_cache(maxsize=KEPT_BANKS)
def _read_bank(path: Path, _modified_ns: int | None) -> Bank:
    return read_bank(path)


_resampled: OrderedDict[tuple[str, int], Bank] = OrderedDict()


def _at_rate(bank: Bank, sample_rate: int) -> Bank:
    """The bank at a sample rate in Hz; the last few that were resampled are kept."""
    if bank.sample_rate == sample_rate:
        return bank
    key = (bank.sha256, sample_rate)
    if key not in _resampled:
        _resampled[key] = resampled_bank(bank, sample_rate)
        if len(_resampled) > KEPT_BANKS:
            _resampled.popitem(last=False)
    return _resampled[key]


@lru_cache(maxsize=4)
def _templates(definition: str, paths: tuple[Path, ...], folder: str | None) -> tuple[Template, ...]:
    """The templates of a domain, given as JSON, compiled once."""
    return tuple(read_templates(Domain.model_validate_json(definition), paths, folder))
