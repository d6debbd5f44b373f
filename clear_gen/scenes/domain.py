"""The domain: attributes, relations, question types and sampling rules of one kind of sound, read from a data file."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, Field, StrictInt, StrictStr, model_validator

from clear_gen.core.config import Range, Strict, load_yaml
from clear_gen.core.errors import InputError
from clear_gen.core.files import content_names, content_path
from clear_gen.core.names import not_among
from clear_gen.core.rejected import misplaced
from clear_gen.core.text import seen_text
from clear_gen.scenes.graph import MAX_IMPULSE_RESPONSE_S
from clear_gen.sounds.attributes import Attribute, MeasuredAttribute, given


def _at_least(least: float) -> AfterValidator:
    def check(bounds: tuple[float, float]) -> tuple[float, float]:
        if not least <= bounds[0] <= bounds[1]:
            raise ValueError(f"[low, high] with {least} <= low <= high")
        return bounds

    return AfterValidator(check)


NotNegativeRange = Annotated[tuple[float, float], _at_least(0)]
# Shorter than this, or damped from a lower frequency on, a tail is no longer a decaying noise but a click.
DecayRange = Annotated[tuple[float, float], _at_least(0.02)]
AudibleRange = Annotated[tuple[float, float], _at_least(20)]
MAX_INT32 = 2**31 - 1  # as the tables of scenes and banks store an attribute's numbers
MAX_PARTS = 10
FILE = "domain.yaml"
# Names that the tables of scenes and banks use for something else
RESERVED = {"sound_id", "onset_sample", "n_samples", "gain_db", "duration_s", "brightness_points", "loudness_lufs"} | {
    "licence",
    "source",
    "pcm_sha256",
    "audio",
}


class SoundCount(Strict):
    """Least and greatest number of sounds in a scene; every number between is equally likely."""

    min: StrictInt = Field(ge=1)
    max: StrictInt = Field(ge=1, le=64)

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        if self.max < self.min:
            raise ValueError("max of at least min")
        return self


class Constraint(Strict):
    """A requirement on the values of one attribute in a scene.

    Either ``values_at_least`` different values occur ``times_at_least`` times each, or each value of the attribute is
    on more than the share ``each_share_over`` of the scene's sounds.
    """

    attribute: str
    values_at_least: StrictInt | None = Field(default=None, ge=1)
    times_at_least: StrictInt = Field(default=1, ge=1)
    each_share_over: float | None = Field(default=None, ge=0, lt=1)

    @model_validator(mode="after")
    def _one_kind(self) -> Self:
        if (self.values_at_least is None) == (self.each_share_over is None):
            raise ValueError("either values_at_least or each_share_over")
        return self


class Silence(Strict):
    """Total silence: ``per_sound_s`` times the number of sounds, plus a share of their summed durations."""

    per_sound_s: float = Field(ge=0)
    share: NotNegativeRange


class ReverbRanges(Strict):
    """Ranges of the room: reverberation time, direct-to-reverberant ratio, pre-delay, and where damping starts."""

    rt60_s: DecayRange
    drr_db: Range
    pre_delay_s: NotNegativeRange
    damping_hz: AudibleRange

    @model_validator(mode="after")
    def _impulse_response_fits(self) -> Self:
        if self.rt60_s[1] + self.pre_delay_s[1] > MAX_IMPULSE_RESPONSE_S:
            raise ValueError(f"rt60_s + pre_delay_s of at most {MAX_IMPULSE_RESPONSE_S} s")
        return self


class NoiseRange(Strict):
    """Range of the microphone noise's level (RMS, 0 dBFS = full-scale square wave)."""

    level_dbfs: Range

    @model_validator(mode="after")
    def _below_full_scale(self) -> Self:
        if self.level_dbfs[1] > -6:
            raise ValueError("levels of at most -6 dBFS")
        return self


class IndependentLevels(Strict):
    """How ``--levels independent`` draws: the label by a fair coin, the level 0..span beyond that label's threshold."""

    attribute: str
    span_db: NotNegativeRange


class Sampling(Strict):
    """Parameters for sampling scenes."""

    sounds: SoundCount
    constraints: list[Constraint]
    silence: Silence
    reverb: ReverbRanges | None
    noise: NoiseRange | None
    independent_levels: IndependentLevels | None = None


class Relation(Strict):
    """Which sounds a relation leads to: those before or after a sound, all of them or the ``nearest`` so many."""

    side: Literal["before", "after"]
    nearest: StrictInt | None = Field(default=None, ge=1)


class Published(Strict):
    """A published dataset that this domain is to resemble.

    ``ranges``: minimum, mean and maximum of its quantities. ``type_shares``: how often it asks each question type, in
    per cent. ``without_relations``: types that it never asks with a relation. ``words_per_question``: their mean.
    ``vocabulary``: different words of all questions.
    """

    name: str
    ranges: dict[str, tuple[float, float, float]]
    type_shares: dict[str, Annotated[float, Field(gt=0, le=100)]] = Field(default_factory=dict)
    without_relations: list[str] = Field(default_factory=list)
    words_per_question: float | None = Field(default=None, gt=0)
    vocabulary: int | None = Field(default=None, gt=0)


class Domain(Strict):
    """One kind of sound: what its attributes are, and how scenes are drawn."""

    name: str = Field(pattern=r"^[a-z][a-z0-9_-]*$")
    attributes: dict[str, Attribute] = Field(min_length=1)
    relations: dict[str, Relation]
    relative_position_among: str | None = None
    parts: list[StrictStr] = Field(default_factory=list, max_length=MAX_PARTS)
    wording: dict[str, str] = Field(default_factory=dict)
    question_types: list[str]
    sampling: Sampling
    published: Published | None = None

    @model_validator(mode="after")
    def _attributes_are_usable(self) -> Self:
        if not given(self.attributes):
            raise misplaced("at least one attribute with a list of values", "none", "attributes")
        for name, rule in self.attributes.items():
            if name in RESERVED or not name.isidentifier():
                raise misplaced(f"a name other than {', '.join(sorted(RESERVED))}", name, "attributes", name)
            for place, value in enumerate(rule.values):
                if isinstance(value, int) and not -MAX_INT32 - 1 <= value <= MAX_INT32:
                    raise misplaced("a number of at most 32 bits", value, "attributes", name, "values", place)
        return self

    @model_validator(mode="after")
    def _rules_name_attributes(self) -> Self:
        names = f"an attribute of this domain: {', '.join(self.attributes)}"
        for place, constraint in enumerate(self.sampling.constraints):
            if constraint.attribute not in self.attributes:
                raise misplaced(names, constraint.attribute, "sampling", "constraints", place, "attribute")
        if levels := self.sampling.independent_levels:
            rule = self.attributes.get(levels.attribute)
            if not isinstance(rule, MeasuredAttribute) or rule.measure != "loudness":
                expected = "an attribute measured as loudness"
                raise misplaced(expected, levels.attribute, "sampling", "independent_levels", "attribute")
        among = self.relative_position_among
        if among is not None and among not in given(self.attributes):
            expected = f"an attribute with a list of values: {', '.join(given(self.attributes))}"
            raise misplaced(expected, among, "relative_position_among")
        if len(set(self.parts)) != len(self.parts):
            raise misplaced("distinct names", ", ".join(self.parts), "parts")
        return self


def load_domain(name_or_folder: str) -> Domain:
    """The domain of a packaged name (``clear2``) or of a folder that holds a ``domain.yaml``.

    Raises InputError naming file and line, or the names that there are.
    """
    folder = Path(name_or_folder)
    if (folder / FILE).is_file():
        return load_yaml(folder / FILE, Domain, seen_text)
    if name_or_folder in content_names("templates"):
        return packaged_domain(name_or_folder)
    raise no_domain(name_or_folder, FILE)


def no_domain(name_or_folder: str, file: str) -> InputError:
    """Error for what is neither a packaged domain nor a folder that holds ``file``."""
    if Path(name_or_folder).is_dir():
        return InputError(f"{name_or_folder}: found no {file}, expected the folder or the name of a domain")
    expected = f"a folder that holds a {file}, or one of"
    return InputError(f"domain: {not_among(name_or_folder, content_names('templates'), expected)}")


def packaged_domain(name: str) -> Domain:
    """The domain that the package brings along. Raises InputError if there is none of this name."""
    return load_yaml(content_path("templates", name) / FILE, Domain)
