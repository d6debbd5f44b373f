"""How often a property or a random fault is tried: a few times in ``make test``, in full in ``make nightly``."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Any, TypeVar

from hypothesis import settings

NIGHTLY = bool(os.environ.get("CLEAR_NIGHTLY"))
Item = TypeVar("Item")
FEW = 15  # examples of a property in make test

settings.register_profile("ci", max_examples=FEW, deadline=None)
settings.register_profile("nightly", max_examples=100, deadline=None)
settings.load_profile("nightly" if NIGHTLY else "ci")  # for properties that say no number


def thinned(items: Sequence[Item], step: int = 3) -> Sequence[Item]:
    """Cases that are much alike: all of them in ``make nightly``, else every ``step``-th and the last."""
    return items if NIGHTLY or len(items) < step else [*items[:-1:step], items[-1]]


def examples(full: int, few: int = FEW, **options: Any) -> settings:
    """Settings of a property: ``full`` examples in ``make nightly``; else a twentieth of them, at least ``few``.

    ``few``: lower than usual where one example takes long.
    """
    return settings(max_examples=full if NIGHTLY else min(full, max(few, full // 20)), deadline=None, **options)
