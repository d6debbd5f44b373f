"""How often each question type is asked: equally often, as a published dataset does, or as a file says.

A scene's slots take their types from one cycle, in which every type comes as evenly spread as its share allows.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import inf
from pathlib import Path

import numpy as np

from clear_gen.core.config import parse_yaml, plain
from clear_gen.core.errors import InputError
from clear_gen.core.names import not_among
from clear_gen.scenes.domain import Domain, packaged_domain

UNIFORM = "uniform"
ROUNDING = 1e-9
CYCLE = 1000  # slots until the types repeat, where they are not asked equally often


def published_shares(domain: Domain) -> dict[str, float]:
    """The shares of the published dataset that a domain resembles, of the domain's types, summing to 1.

    Empty if it has none.
    """
    shares = domain.published.type_shares if domain.published else {}
    return normalised({name: share for name, share in shares.items() if name in domain.question_types})


def normalised(shares: Mapping[str, float]) -> dict[str, float]:
    """The same proportions, summing to 1. Those that do already stay as they are, to the last bit."""
    total = sum(shares.values())
    if abs(total - 1) < ROUNDING:
        return dict(shares)
    return {name: share / total for name, share in shares.items()}


def read_type_shares(asked: str, domain: Domain) -> dict[str, float]:
    """The shares that ``--type-shares`` asks for: ``uniform`` (none), a packaged domain's name, or a YAML file.

    Raises InputError naming file, type, found and expected.
    """
    if asked == UNIFORM:
        return {}
    path, where = Path(asked), f"--type-shares {asked}"
    if path.is_file():
        stored, where = plain(parse_yaml(path), path), str(path)
    elif path.name == asked and not path.suffix:
        stored = published_shares(packaged_domain(asked))
    else:
        raise InputError(f"{where}: no such file, expected {UNIFORM}, clear2 or a YAML file")
    if not stored:
        raise InputError(f"{where}: found no shares, expected {UNIFORM}, clear2 or a YAML file of types and shares")
    for name, share in stored.items():
        if name not in domain.question_types:
            raise InputError(f"{where}: {not_among(name, domain.question_types)}")
        if isinstance(share, bool) or not isinstance(share, int | float) or not 0 <= share < inf:
            raise InputError(f"{where}: {name}: found {share!r:.60}, expected a number from 0 on")
    if not any(stored.values()):
        raise InputError(f"{where}: found only zeros, expected a share above 0")
    return normalised({name: float(share) for name, share in stored.items() if share})


def type_cycle(shares: Sequence[float]) -> np.ndarray:
    """The number of the type that each slot asks of, after whose last the first comes again: int64 [n].

    Every slot goes to the type that lags most behind its share, the first such; equal shares give 0, 1, 2 ...

    >>> type_cycle([1 / 3, 1 / 3, 1 / 3]).tolist(), type_cycle([0.5, 0.25, 0.25])[:4].tolist()
    ([0, 1, 2], [0, 1, 2, 0])
    """
    wanted = np.array(shares)
    if np.all(wanted == wanted[0]):
        return np.arange(len(wanted))
    given = np.zeros(len(wanted))
    cycle = np.empty(CYCLE, np.int64)
    for slot in range(CYCLE):
        cycle[slot] = np.argmax(np.round(wanted * (slot + 1) - given, 9))
        given[cycle[slot]] += 1
    return cycle
