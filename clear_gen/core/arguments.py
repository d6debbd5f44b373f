"""Validation of numeric arguments of the Python API."""

from __future__ import annotations

import math
from typing import Any

from clear_gen.core.errors import InputError


def number(name: str, value: Any, low: float = -math.inf, high: float = math.inf) -> float:
    """``value`` as a float. Raises InputError naming the argument unless it is a finite number from low to high.

    >>> number("gain_db", "3", -60, 60)
    Traceback (most recent call last):
    clear_gen.core.errors.InputError: gain_db: found '3', expected a number from -60 to 60
    """
    try:
        is_number = not isinstance(value, bool | str) and math.isfinite(value) and low <= value <= high
    except (TypeError, ValueError, OverflowError):
        is_number = False
    if not is_number:
        raise InputError(f"{name}: found {value!r:.60}, expected a number{_bounds(low, high)}")
    return float(value)


def whole_number(name: str, value: Any, low: int = 0, high: int | None = None) -> int:
    """``value`` as an int. Raises InputError naming the argument unless it is a whole number from low to high.

    >>> whole_number("seed", -1)
    Traceback (most recent call last):
    clear_gen.core.errors.InputError: seed: found -1, expected a whole number of at least 0
    """
    try:
        found = None if isinstance(value, bool | str) or int(value) != value else int(value)
    except (TypeError, ValueError, OverflowError):
        found = None
    if found is None or found < low or (high is not None and found > high):
        bounds = f" of at least {low}" if high is None else f" from {low} to {high}"
        raise InputError(f"{name}: found {value!r:.60}, expected a whole number{bounds}")
    return found


def _bounds(low: float, high: float) -> str:
    """
    >>> _bounds(0, 1), _bounds(20, math.inf), _bounds(-math.inf, -6)
    (' from 0 to 1', ' of at least 20', ' of at most -6')
    """
    if math.isinf(high):
        return "" if math.isinf(low) else f" of at least {low:g}"
    return f" of at most {high:g}" if math.isinf(low) else f" from {low:g} to {high:g}"
