"""Folds of recordings that share nothing: no group of events and no group of backgrounds is in two of them."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from clear_gen.core.errors import InputError
from clear_gen.core.text import shown
from clear_gen.mixtures.recordings.types import Background, Event

ANY = ""  # what backgrounds have for a label


@dataclass(frozen=True)
class Fold:
    """The recordings of one fold, in the order of the corpus. ``number`` counts from 1."""

    number: int
    events: tuple[Event, ...]
    backgrounds: tuple[Background, ...]


def grouped_folds(
    events: Sequence[Event],
    backgrounds: Sequence[Background],
    n_folds: int,
    *,
    allow_missing: bool = False,
    advice: str = "",
) -> tuple[Fold, ...]:
    """Every recording in one of ``n_folds`` folds, recordings of a group in the same, labels shared out evenly.

    Largest groups first, each goes where its labels are rarest: the result depends on the groups alone, neither on a
    seed nor on the order of the recordings.

    Raises InputError for labels that not every fold can have, unless ``allow_missing``, and for a fold without any
    event or background. ``advice``: a further way to get more recordings, for that message.
    """
    where = _shared_out(((event.group, event.label) for event in events), n_folds)
    under = _shared_out(((background.group, ANY) for background in backgrounds), n_folds)
    if not allow_missing:
        _check_labels(events, where, n_folds, advice)
    for kind, recordings, numbers in (("events", events, where), ("backgrounds", backgrounds, under)):
        if len(set(numbers.values())) < n_folds:
            found = f"{len({recording.group for recording in recordings})} groups"
            raise InputError(f"{kind}: found {found}, expected at least {n_folds}, one for each fold (--folds)")
    return tuple(
        Fold(
            number,
            tuple(event for event in events if where[event.group] == number),
            tuple(background for background in backgrounds if under[background.group] == number),
        )
        for number in range(1, n_folds + 1)
    )


def _shared_out(members: Iterable[tuple[str, str]], n_folds: int) -> dict[str, int]:
    """The fold of every group, from the (group, label) of every recording.

    Greedy for the least sum over labels and folds of the squared share that a fold has of a label.
    """
    sizes: defaultdict[str, Counter[str]] = defaultdict(Counter)
    for group, label in members:
        sizes[group][label] += 1
    totals: Counter[str] = Counter()
    for counts in sizes.values():
        totals.update(counts)
    loads = [Counter[str]() for _ in range(n_folds)]
    where: dict[str, int] = {}
    for group in sorted(sizes, key=lambda name: (-sizes[name].total(), name)):
        counts = sizes[group]
        costs = [
            (sum(n * load[label] / totals[label] ** 2 for label, n in counts.items()), load.total()) for load in loads
        ]
        fold = costs.index(min(costs))
        loads[fold].update(counts)
        where[group] = fold + 1
    _mend(where, sizes, n_folds)
    return where


def _mend(where: dict[str, int], sizes: Mapping[str, Counter[str]], n_folds: int) -> None:
    """Move a group, or exchange two, in place, as long as that brings labels to more folds than it takes them from.

    Only groups of several labels can leave a label out that has enough groups. Not every such puzzle is solved, nor has
    each a solution.
    """
    present = Counter((where[group], label) for group, counts in sizes.items() for label in counts)
    while change := _helpful_change(where, sizes, present, n_folds):
        present.update(_difference(change, where, sizes))
        where.update(change)


_Present = Counter[tuple[int, str]]  # groups that a fold has of a label


def _helpful_change(
    where: Mapping[str, int], sizes: Mapping[str, Counter[str]], present: _Present, n_folds: int
) -> dict[str, int] | None:
    """New folds for one or two groups, after which fewer labels are missing in fewer folds."""
    of_label: defaultdict[str, list[str]] = defaultdict(list)
    for group in sorted(sizes):
        for label in sizes[group]:
            of_label[label].append(group)
    solvable = sorted(label for label, groups in of_label.items() if len(groups) >= n_folds)
    folds = range(1, n_folds + 1)
    for fold, label in ((fold, label) for label in solvable for fold in folds if not present[fold, label]):
        inside = [group for group in sorted(sizes) if where[group] == fold]
        for group in of_label[label]:
            for partner in (None, *inside):
                change = {group: fold} | ({partner: where[group]} if partner else {})
                difference = _difference(change, where, sizes)
                gained = sum(not present[key] and n > 0 for key, n in difference.items())
                if gained > sum(present[key] > 0 and present[key] + n == 0 for key, n in difference.items()):
                    return change
    return None


def _difference(change: Mapping[str, int], where: Mapping[str, int], sizes: Mapping[str, Counter[str]]) -> _Present:
    """What a change adds to, or takes from, the groups that folds have of labels."""
    difference: _Present = Counter()
    for group, fold in change.items():
        for label in sizes[group]:
            difference[fold, label] += 1
            difference[where[group], label] -= 1
    return difference


def _check_labels(events: Sequence[Event], where: Mapping[str, int], n_folds: int, advice: str) -> None:
    """Raise InputError naming every label that some fold lacks, and the options that help."""
    groups: defaultdict[str, set[str]] = defaultdict(set)
    for event in events:
        groups[event.label].add(event.group)
    short: defaultdict[str, list[str]] = defaultdict(list)
    for label in sorted(groups):
        n_found = len({where[group] for group in groups[label]})
        if n_found < n_folds:
            short[_what_it_has(len(groups[label]), n_found, n_folds)].append(label)
    if not short:
        return
    labels = [label for some in short.values() for label in some]
    if len(labels) == 1:
        found = f"label {shown(labels[0])}: found {next(iter(short))}"
    else:
        parts = (f"{', '.join(map(shown, some))} in {has}" for has, some in short.items())
        found = f"{len(labels)} labels: found {'; '.join(parts)}"
    fewest = min(n_folds - 1, *(len(groups[label]) for label in labels))
    options = [f"--folds {fewest}", "more recordings", "--allow-missing", *([advice] if advice else [])]
    raise InputError(f"events: {found}, expected {n_folds}, one a fold ({', '.join(options)})")


def _what_it_has(n_groups: int, n_found: int, n_folds: int) -> str:
    """The groups of a label, and why they are in too few folds if they are not too few."""
    found = f"{n_groups} group{'s' * (n_groups > 1)}"
    if n_groups >= n_folds:
        found += f" in {n_found} fold{'s' * (n_found > 1)}, because they hold other labels too"
    return found
