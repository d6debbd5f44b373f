"""Plans of mixtures: every random choice, made once, before any recording is read.

Two steps, both carried out by the recipe of the specification. ``assign_folds`` says for whole folds which recordings
meet in which mixture; it is quick, and the same on every machine. ``plan_mixtures`` draws the rest of each mixture from
that mixture's own stream, so that a plan does not depend on how the work is divided.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from clear_gen.core.errors import InputError
from clear_gen.core.text import shown
from clear_gen.mixtures.recipes.registry import recipe_named
from clear_gen.mixtures.recordings.types import Background, Event
from clear_gen.mixtures.spec import FoldAssignment, MixturePlan, MixtureSpec


def assign_folds(
    events: Sequence[Event], backgrounds: Sequence[Background], spec: MixtureSpec
) -> tuple[FoldAssignment, ...]:
    """Which recordings meet in which mixture, for every fold.

    Raises InputError where the recordings do not suffice, or two have the same id.
    """
    _check_ids("events", events)
    _check_ids("backgrounds", backgrounds)
    return recipe_named(spec.recipe).assign_folds(events, backgrounds, spec)


def plan_mixtures(assignment: FoldAssignment, spec: MixtureSpec, indices: Sequence[int]) -> list[MixturePlan]:
    """The plans of the mixtures ``indices`` (from 0) of a fold; no recording is read.

    Mixture i depends on corpus, rules, seed, fold and i alone. Raises InputError if events find no room.
    """
    recipe = recipe_named(spec.recipe)
    return [recipe.plan(assignment, spec, index) for index in indices]


def _check_ids(kind: str, recordings: Sequence[Event | Background]) -> None:
    for source_id, times in Counter(recording.source_id for recording in recordings).items():
        if times > 1:
            raise InputError(f"{kind}: source_id: found {shown(source_id)} {times} times, expected once")
