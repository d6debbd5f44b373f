"""Which recordings mixtures can be made of, found out before they are made."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from clear_gen.core.errors import InputError
from clear_gen.core.gathering import Gathering
from clear_gen.core.progress import progress
from clear_gen.datasets.mixtures.manifest import MixtureSettings
from clear_gen.mixtures.recordings.cache import read_source
from clear_gen.mixtures.recordings.types import Background, Event
from clear_gen.store.build import Execution
from clear_gen.store.workers import Call, Died, run_calls

BATCH = 32  # recordings in a call


@dataclass(frozen=True)
class Need:
    """What mixtures ask of a recording: ``sample_rate`` in Hz, ``trim_db`` of events."""

    sample_rate: int
    trim_db: float | None


def usable_recordings(
    settings: MixtureSettings,
    events: Sequence[Event],
    backgrounds: Sequence[Background],
    execution: Execution,
    gathering: Gathering,
) -> tuple[list[Event], list[Background]]:
    """The events and the backgrounds that can be used; ``gathering`` gets the others. All of them are read."""
    need = Need(settings.sample_rate, settings.spec.rules.trim_db)
    reasons = _reasons(events, True, need, execution) | _reasons(backgrounds, False, need, execution)
    sounds = [event for event in events if event.path not in reasons]
    gathering.n_items += len(events) + len(backgrounds)
    gathering.reasons += reasons.values()
    return sounds, [under for under in backgrounds if under.path not in reasons]


def _reasons(
    recordings: Sequence[Event] | Sequence[Background], are_events: bool, need: Need, execution: Execution
) -> dict[Path, str]:
    paths = [one.path for one in recordings]
    batches = [tuple(paths[start : start + BATCH]) for start in range(0, len(paths), BATCH)]
    calls = [Call(str(batch[0]), problems, (batch, are_events)) for batch in batches]
    with progress(len(paths), len(paths), "events read" if are_events else "backgrounds read") as advance:

        def done(call: Call, _: object) -> None:
            advance(len(call.arguments[0]))

        results = run_calls(calls, execution.workers, execution.engine, _start, need, done)
    found: dict[Path, str] = {}
    for call in calls:
        result = results[call]
        found.update(dict.fromkeys(call.arguments[0], result.of(call)) if isinstance(result, Died) else result)
    return found


def _start(need: Need) -> Need:
    return need


def problems(need: Need, paths: tuple[Path, ...], are_events: bool) -> dict[Path, str]:
    """Why recordings cannot be used, by path; those that can are not in it."""
    found = {}
    for path in paths:
        try:
            source = read_source(path, need.sample_rate)
            if are_events:
                source.check_event(need.trim_db)
        except InputError as error:
            found[path] = str(error)
    return found
