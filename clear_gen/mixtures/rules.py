"""The rules of the default recipe: how many events, where, how long, how loud. Read from YAML or taken as they are.

A parameter is a number, or a distribution of those that Scaper has: ``{choose: [0, 10, 20]}``,
``{uniform: [low, high]}``, ``{normal: {mean, std}}``, ``{truncnorm: {mean, std, min, max}}``. A parameter with limits
takes only distributions that keep within them: nothing is moved to where it fits after it was drawn.

Source: Salamon, MacConnell, Cartwright, Li and Bello, "Scaper: a library for soundscape synthesis and augmentation",
WASPAA 2017.
"""

from __future__ import annotations

import math
from pathlib import Path
from typing import Annotated, Any, Self

import numpy as np
from pydantic import BeforeValidator, Discriminator, Field, StrictBool, StrictInt, Tag, model_validator

from clear_gen.core.config import Range, Strict, load_yaml
from clear_gen.core.rejected import misplaced
from clear_gen.dsp.levels import Measure
from clear_gen.mixtures.recordings.types import MIN_EVENT_S

MAX_EVENTS = 64
MAX_FADE_S = 1.0


class Constant(Strict):
    """Always the same number."""

    constant: float

    @property
    def support(self) -> tuple[float, float]:
        """Least and greatest number that can be drawn."""
        return self.constant, self.constant

    def sample(self, rng: np.random.Generator) -> float:
        """The number; nothing is drawn from ``rng``."""
        return self.constant


class Choose(Strict):
    """One of some numbers, each equally likely."""

    choose: list[float] = Field(min_length=1)

    @property
    def support(self) -> tuple[float, float]:
        """Least and greatest number that can be drawn."""
        return min(self.choose), max(self.choose)

    def sample(self, rng: np.random.Generator) -> float:
        """One number."""
        return self.choose[int(rng.integers(len(self.choose)))]


class Uniform(Strict):
    """Any number between two, each equally likely."""

    uniform: Range

    @property
    def support(self) -> tuple[float, float]:
        """Least and greatest number that can be drawn."""
        return self.uniform

    def sample(self, rng: np.random.Generator) -> float:
        """One number."""
        low, high = self.uniform
        return min(high, low + (high - low) * float(rng.random()))


class NormalShape(Strict):
    """Mean and standard deviation."""

    mean: float
    std: float = Field(gt=0)


class Normal(Strict):
    """A Gaussian."""

    normal: NormalShape

    @property
    def support(self) -> tuple[float, float]:
        """Least and greatest number that can be drawn: there are none."""
        return -math.inf, math.inf

    def sample(self, rng: np.random.Generator) -> float:
        """One number."""
        return float(rng.normal(self.normal.mean, self.normal.std))


class TruncatedShape(NormalShape):
    """Mean and standard deviation of the Gaussian before it is truncated, and the range that is left of it."""

    min: float
    max: float

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        if self.min > self.max:
            raise misplaced("a number of at least min", self.max, "max")
        return self


class TruncatedNormal(Strict):
    """A Gaussian on the condition that it falls into a range."""

    truncnorm: TruncatedShape

    @property
    def support(self) -> tuple[float, float]:
        """Least and greatest number that can be drawn."""
        return self.truncnorm.min, self.truncnorm.max

    def sample(self, rng: np.random.Generator) -> float:
        """One number, by inversion: in logarithms and mirrored to the left, so that ranges far from the mean are right.

        So far from it that there is no mass in double precision, the number is the end of the range next to the mean.
        """
        from scipy.special import log_ndtr, ndtri_exp

        shape = self.truncnorm
        low, high = (shape.min - shape.mean) / shape.std, (shape.max - shape.mean) / shape.std
        mirrored = low > 0
        left, right = (-high, -low) if mirrored else (low, high)
        share = float(rng.random())
        with np.errstate(all="ignore"):
            log_left, log_right = log_ndtr(left), log_ndtr(right)
            z = ndtri_exp(log_right + np.log(share + (1 - share) * np.exp(log_left - log_right)))
        if not math.isfinite(z):
            z = right
        value = shape.mean + shape.std * float(-z if mirrored else z)
        return min(shape.max, max(shape.min, value))


_FORMS = "a number, or one of {choose: [..]}, {uniform: [low, high]}, {normal: {..}} and {truncnorm: {..}}"


def _wrapped(value: Any) -> Any:
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    return {"constant": value} if is_number else value


def _kind(value: Any) -> str | None:
    if isinstance(value, Strict):
        value = type(value).model_fields
    names = ("constant", "choose", "uniform", "normal", "truncnorm")
    return next((f"a {name}" for name in names if isinstance(value, dict) and name in value), None)


# The tags are no fields' names, so that a message names no field twice.
Distribution = Annotated[
    Annotated[Constant, Tag("a constant")]
    | Annotated[Choose, Tag("a choose")]
    | Annotated[Uniform, Tag("a uniform")]
    | Annotated[Normal, Tag("a normal")]
    | Annotated[TruncatedNormal, Tag("a truncnorm")],
    Discriminator(_kind, custom_error_type="distribution", custom_error_message=_FORMS),
    BeforeValidator(_wrapped),
]


def _constant(value: float) -> Any:
    return Field(default=Constant(constant=value))


class MixtureRules(Strict):
    """How mixtures of the default recipe are drawn. Times in seconds.

    ``event_duration_s``: events are cut to this; one that is shorter without the silence at its ends stays as it is.
    ``source_place``: where the cut is taken from what is longer, 0 its first sound, 1 as late as possible.
    ``onset_s``: None, wherever the events find room, every such arrangement equally likely with ``max_polyphony`` 1.
    ``max_polyphony``: most events at a time; ``min_gap_s`` after its end an event still counts. Events of one label
    never overlap, whatever the polyphony.
    ``trim_db``: 10 ms whose RMS lies further below that of the recording's loudest 10 ms are silence; None keeps it.
    ``snr_db``: per event; None where it is chosen for a whole dataset. ``snr_measure``: difference of RMS levels, or of
    integrated loudness (ITU-R BS.1770-4), between the event as placed and the background under it.
    ``background_dbfs``: RMS of the background over the clip. ``crossfade_s``: of a background too short for the clip.
    """

    duration_s: float = Field(default=10.0, ge=0.5, le=600)
    n_events: Distribution = _constant(3)
    event_duration_s: Distribution = _constant(2.0)
    source_place: Distribution = _constant(0.0)
    onset_s: Distribution | None = None
    max_polyphony: StrictInt = Field(default=1, ge=1, le=MAX_EVENTS)
    min_gap_s: float = Field(default=0.25, ge=0)
    fade_in_s: Distribution = _constant(0.01)
    fade_out_s: Distribution = _constant(0.01)
    trim_db: float | None = Field(default=-40.0, ge=-100, le=-6)
    snr_db: Distribution | None = None
    snr_measure: Measure = "rms"
    background_dbfs: Distribution = _constant(-35.0)
    crossfade_s: Distribution = _constant(0.5)
    verified_only: StrictBool = True

    @model_validator(mode="after")
    def _within_limits(self) -> Self:
        limits = {
            "n_events": (0, MAX_EVENTS),
            "event_duration_s": (MIN_EVENT_S, self.duration_s),
            "source_place": (0, 1),
            "onset_s": (0, self.duration_s),
            "fade_in_s": (0, MAX_FADE_S),
            "fade_out_s": (0, MAX_FADE_S),
            "snr_db": (-120, 120),
            "background_dbfs": (-90, 0),
            "crossfade_s": (0.01, 60),
        }
        for name, (least, most) in limits.items():
            distribution = getattr(self, name)
            if distribution is None or (name == "snr_db" and isinstance(distribution, Normal)):
                continue
            low, high = distribution.support
            if not least <= low <= high <= most:
                found = f"{low:g}" if low == high else f"{low:g} to {high:g}"
                raise misplaced(f"numbers from {least:g} to {most:g}", found, name)
        return self

    @model_validator(mode="after")
    def _whole_numbers_of_events(self) -> Self:
        rule = self.n_events
        if isinstance(rule, Normal | TruncatedNormal):
            raise misplaced("a whole number, or choose or uniform of whole numbers", _kind(rule), "n_events")
        numbers = rule.choose if isinstance(rule, Choose) else rule.support
        for number in numbers:
            if number != int(number):
                raise misplaced("whole numbers", number, "n_events")
        return self

    @model_validator(mode="after")
    def _events_fit(self) -> Self:
        """With the most and longest events; the bound is exact for one at a time, and holds for any way of filling."""
        n_events, longest = self.n_events.support[1], self.event_duration_s.support[1]
        if self.onset_s is not None:
            if self.onset_s.support[0] + self.event_duration_s.support[0] > self.duration_s:
                expected = f"onsets that leave room for an event of {self.event_duration_s.support[0]:g} s"
                raise misplaced(expected, f"{self.onset_s.support[0]:g} at the least", "onset_s")
            return self
        needed_s = longest + max(0, n_events - 1) * (longest + self.min_gap_s) / self.max_polyphony
        if needed_s > self.duration_s + 1e-9:
            found = f"{n_events:g} events of up to {longest:g} s, for which {needed_s:.4g} s are needed"
            raise misplaced(f"fewer or shorter events, so that they fit in {self.duration_s:g} s", found, "n_events")
        return self

    def sample_n_events(self, rng: np.random.Generator) -> int:
        """A number of events; of ``uniform: [low, high]`` every whole number is equally likely, both ends included."""
        if isinstance(self.n_events, Uniform):
            low, high = self.n_events.uniform
            return int(rng.integers(int(low), int(high), endpoint=True))
        return int(self.n_events.sample(rng))


def load_rules(path: Path) -> MixtureRules:
    """The rules of a YAML file; what it does not name keeps its default.

    Raises InputError naming file, line, field, found and expected.
    """
    return load_yaml(path, MixtureRules)
