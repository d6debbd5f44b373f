"""Readers of many files say at once what they cannot use, or go on without it."""

from __future__ import annotations

import csv
import logging
import re
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from clear_gen.core.errors import InputError
from clear_gen.core.files import atomic_path

SHOWN = 5  # of the items of one cause
_FIELD = re.compile(r"^(?P<item>.*?): (?P<cause>[a-z_][\w -]*): found ")
_OTHER = re.compile(r"^(?P<item>.*?): (?P<cause>[a-z ]+)")
log = logging.getLogger(__name__)


@dataclass
class Gathering:
    """Recordings that a reader of many could not use, by the reason; with ``skip`` it goes on without them."""

    skip: bool = False
    reasons: list[str] = field(default_factory=list)
    n_items: int = 0

    @contextmanager
    def item(self) -> Iterator[None]:
        """Use one item; an InputError that says why it cannot be used is kept for later."""
        self.n_items += 1
        with self.problem():
            yield

    @contextmanager
    def problem(self) -> Iterator[None]:
        """Check an item that was counted before."""
        try:
            yield
        except InputError as error:
            self.reasons.append(str(error))

    def finish(self) -> None:
        """Raise InputError if items could not be used, unless they are to be skipped; then log a summary.

        One reason is raised as it is; several are summed up by cause.
        """
        if not self.reasons:
            return
        if self.skip:
            log.warning("left out: %s", self.summary())
        elif len(self.reasons) == 1:
            raise InputError(self.reasons[0])
        else:
            raise InputError(f"{self.summary()}; --skip-unusable goes on without them")

    def summary(self) -> str:
        """How many items cannot be used, by cause, in one line."""
        by_cause: defaultdict[str, list[str]] = defaultdict(list)
        for reason in self.reasons:
            by_cause[cause_of(reason)[1]].append(reason)
        parts = []
        for cause, reasons in sorted(by_cause.items(), key=lambda item: (-len(item[1]), item[0])):
            others = [cause_of(reason)[0] for reason in reasons[1:SHOWN]]
            also = f"; also {', '.join(others)}" if others else ""
            more = f" and {len(reasons) - SHOWN:,} more" if len(reasons) > SHOWN else ""
            parts.append(f"{len(reasons):,} by {cause} ({reasons[0]}{also}{more})")
        return f"{len(self.reasons):,} of {self.n_items:,} recordings cannot be used: {', '.join(parts)}"

    def write(self, path: Path) -> None:
        """Write the items with their reasons as CSV: ``item,cause,reason``."""
        with atomic_path(path) as temporary, open(temporary, "w", newline="", encoding="utf-8") as file:
            writer = csv.writer(file)
            writer.writerow(["item", "cause", "reason"])
            writer.writerows([*cause_of(reason), reason] for reason in self.reasons)


def unusable_path(out: Path) -> Path:
    """Where the items are listed that were left out of what was written to ``out``."""
    return out.with_name(f"{out.name}.unusable.csv")


def cause_of(reason: str) -> tuple[str, str]:
    """The item that a message begins with, and the field or the fault that it names.

    >>> cause_of("a/b.wav: duration: found 0.1 s, expected at least 0.7 s")
    ('a/b.wav', 'duration')
    >>> cause_of("a/b.wav: unreadable (unknown format)")
    ('a/b.wav', 'unreadable')
    """
    found = _FIELD.match(reason) or _OTHER.match(reason)
    return (found["item"], found["cause"].strip()) if found else (reason, "other")
