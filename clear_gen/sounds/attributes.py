"""What the attributes of elementary sounds are: given with the recording, or measured from it and labelled.

The domain file lists them (``templates/<domain>/domain.yaml``); nothing here knows about music.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Discriminator, Field, StrictInt, StrictStr, Tag, model_validator

from clear_gen.core.config import Strict
from clear_gen.core.rejected import misplaced
from clear_gen.sounds.analysis import NOTES


class GivenAttribute(Strict):
    """An attribute that comes with the recording, from a closed list of values.

    ``is_pitch_class`` marks the attribute that ``bank verify`` compares with the estimated pitch.
    """

    values: list[StrictStr] | list[StrictInt] = Field(min_length=1)
    is_pitch_class: bool = False

    @model_validator(mode="after")
    def _distinct(self) -> GivenAttribute:
        if len(set(self.values)) != len(self.values):
            raise ValueError("distinct values")
        if self.is_pitch_class and not set(self.values) <= set(NOTES):
            raise ValueError(f"values among {', '.join(NOTES)}, because is_pitch_class is set")
        return self


class MeasuredAttribute(Strict):
    """An attribute measured from the recording: ``low`` under the lower threshold, ``high`` above the upper one.

    Between them it is unknown.

    ``dead_zone`` is the distance between the thresholds in the unit of the measure (brightness: points of the timbral
    model's 0 to 100 scale; loudness: LU; duration: s).
    """

    measure: Literal["brightness", "loudness", "duration"]
    low: str
    high: str
    dead_zone: float = Field(gt=0)

    @model_validator(mode="after")
    def _two_labels(self) -> MeasuredAttribute:
        if self.low == self.high:
            raise misplaced("a label distinct from high", self.low, "low")
        return self

    @property
    def values(self) -> list[str]:
        """The labels a sound can have besides unknown."""
        return [self.low, self.high]


def _kind(value: Any) -> str:
    measured = isinstance(value, MeasuredAttribute) or (isinstance(value, dict) and "measure" in value)
    return "measured" if measured else "given"


Attribute = Annotated[
    Annotated[GivenAttribute, Tag("given")] | Annotated[MeasuredAttribute, Tag("measured")], Discriminator(_kind)
]
Thresholds = dict[str, tuple[float, float]]


def given(attributes: dict[str, Attribute]) -> dict[str, GivenAttribute]:
    """The attributes that a recording must bring along."""
    return {name: rule for name, rule in attributes.items() if isinstance(rule, GivenAttribute)}


def measured(attributes: dict[str, Attribute]) -> dict[str, MeasuredAttribute]:
    """The attributes that analysis finds."""
    return {name: rule for name, rule in attributes.items() if isinstance(rule, MeasuredAttribute)}


def label(value: float, rule: MeasuredAttribute, thresholds: tuple[float, float]) -> str | None:
    """The label of a measured value, or None inside the dead zone.

    >>> rule = MeasuredAttribute(measure="loudness", low="quiet", high="loud", dead_zone=1.0)
    >>> [label(value, rule, (-28.0, -27.0)) for value in (-28.1, -27.5, -26.9)]
    ['quiet', None, 'loud']
    """
    lower, upper = thresholds
    if value < lower:
        return rule.low
    return rule.high if value > upper else None
