"""What a recipe provides, and the recipes there are. A new one is a file in this folder and a row of ``RECIPES``."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import numpy as np

from clear_gen.core.errors import InputError
from clear_gen.core.names import not_among
from clear_gen.mixtures.graph import MixtureGraph, PlacedEvent
from clear_gen.mixtures.recipes.default import DefaultRecipe
from clear_gen.mixtures.recipes.kong2018 import Kong2018
from clear_gen.mixtures.recordings.cache import Sources
from clear_gen.mixtures.recordings.types import Background, Event
from clear_gen.mixtures.rules import MixtureRules
from clear_gen.mixtures.spec import FoldAssignment, MixturePlan, MixtureSpec


class Recipe(Protocol):
    """One way to draw mixtures, place their events and combine the stems.

    ``summary``: for ``clear-gen mix --help``. ``options``: those of its options that this recipe takes, of the ones
    that not every recipe takes. ``fixed_rules``: where rules and seed are not the user's to choose.
    ``keeps_table_order``: the order of the recordings decides which meet. ``folds_by_group``: folds share no group,
    else only no recording. ``loops_backgrounds``: one too short for the clip becomes a loop. ``snr_is_exact``: an
    event as placed has its nominal SNR. ``stem_divisor``: the mixture is the sum of its stems divided by this.
    ``note``: what ``clear-gen mix`` says at its end, or "".
    """

    summary: str
    options: frozenset[str]
    fixed_rules: MixtureRules | None
    keeps_table_order: bool
    folds_by_group: bool
    loops_backgrounds: bool
    snr_is_exact: bool
    stem_divisor: int
    note: str

    def assign_folds(
        self, events: Sequence[Event], backgrounds: Sequence[Background], spec: MixtureSpec
    ) -> tuple[FoldAssignment, ...]:
        """Which recordings meet in the mixtures of each fold. Raises InputError where they do not suffice."""

    def plan(self, assignment: FoldAssignment, spec: MixtureSpec, index: int) -> MixturePlan:
        """Every other random choice of one mixture. Raises InputError if events find no room."""

    def may_not_fit(self, spec: MixtureSpec) -> bool:
        """Whether only planning finds out if the events of every mixture find room."""

    def place_events(self, plan: MixturePlan, snr_db: float | None, sources: Sources) -> list[PlacedEvent]:
        """The events of a plan on the grid of samples. Raises InputError for a recording that cannot be used."""

    def set_gains(self, graph: MixtureGraph, under_db: Sequence[float], sources: Sources) -> list[PlacedEvent]:
        """The events with their final gains; ``under_db``: level of the background under each event."""

    def mix(self, background: np.ndarray, events: np.ndarray) -> tuple[np.ndarray, float]:
        """The mixture, float32 [n_samples], and the gain by which both stems are scaled, in place."""

    def command_options(self, spec: MixtureSpec) -> list[str]:
        """For the card: the options of ``clear-gen mix`` that repeat the choices of ``spec``."""

    def description(self, spec: MixtureSpec) -> str:
        """For the card: how mixtures are drawn, in Markdown."""

    def limitations(self, spec: MixtureSpec) -> list[str]:
        """For the card: sentences on what the labels do not say."""


RECIPES: dict[str, Recipe] = {
    "default": DefaultRecipe(),
    "kong2018": Kong2018(),
}


def recipe_named(name: str) -> Recipe:
    """The recipe of that name. Raises InputError naming those that there are."""
    if name not in RECIPES:
        raise InputError(f"recipe: {not_among(name, RECIPES)}")
    return RECIPES[name]
