"""Results published in the paper, shown next to ours.

Source: J. Abdelnour, J. Rouat, G. Salvi, "NAAQA: A Neural Architecture for Acoustic Question Answering", TPAMI 2023,
Table 3: accuracy in per cent on the test split of CLEAR2, mean and standard deviation of five runs. "Optimized
Parallel" is the network with a question GRU of 256 units (supplement H; the text of section 6.1.3 says 512).
"""

from __future__ import annotations

from dataclasses import dataclass, field

SOURCE = "NAAQA, TPAMI 2023, Table 3"
TYPES = (
    "instrument",
    "note",
    "brightness",
    "loudness",
    "exist",
    "absolute_position",
    "global_position",
    "relative_position",
    "count",
    "count_compare",
    "count_instruments",
)


@dataclass(frozen=True)
class Published:
    """A row of the table in per cent: ``accuracy`` over all, ``spread`` its standard deviation where there is one.

    ``by_type``: the types that are printed.
    """

    accuracy: float
    spread: float | None = None
    by_type: dict[str, float] = field(default_factory=dict)


def _row(accuracy: float, spread: float, *by_type: float) -> Published:
    return Published(accuracy, spread, dict(zip(TYPES, by_type, strict=True)))


# By the names of ``clear-bench models``
TABLE_3: dict[str, Published] = {
    "random": Published(1.75),
    # Over all; the text says 7.5. The types are those that it answers "yes".
    "most-common": Published(7.3, by_type={"exist": 55.62, "count_compare": 47.27}),
    "visual-film-resnet101": _row(62.3, 0.78, 61.9, 37.8, 83.9, 81.9, 73.2, 51.7, 73.1, 48.4, 41.5, 59.8, 39.9),
    "naaqa-2d": _row(77.6, 0.72, 80.6, 73.4, 90.5, 86.5, 81.3, 74.7, 87.5, 54.0, 53.8, 60.8, 49.0),
    "naaqa-interleaved-freq": _row(67.2, 0.98, 63.0, 48.0, 84.5, 81.1, 72.1, 65.1, 80.1, 49.3, 42.5, 56.6, 46.5),
    "naaqa-interleaved-time": _row(78.0, 0.51, 81.8, 70.6, 90.9, 87.9, 81.6, 75.9, 87.4, 60.0, 53.6, 61.2, 50.0),
    "naaqa-parallel": _row(78.5, 0.45, 80.4, 72.6, 91.2, 87.1, 80.4, 78.7, 88.8, 55.4, 52.6, 59.8, 50.2),
    "naaqa-parallel-optimized": _row(79.5, 0.05, 81.7, 74.2, 91.9, 87.4, 81.2, 79.3, 90.0, 58.0, 53.8, 60.6, 50.4),
    "visual-film-resnet101-malimo": Published(63.6, 1.20),
    "naaqa-2d-malimo": Published(77.1, 1.12),
    "naaqa-interleaved-freq-malimo": Published(64.8, 3.91),
    "naaqa-interleaved-time-malimo": Published(77.1, 0.63),
    "naaqa-parallel-malimo": Published(77.3, 0.93),
    "naaqa-parallel-optimized-malimo": Published(78.2, 0.06),
}


def share_of_type(published: Published | None, question_type: str | None) -> float | None:
    """Published accuracy as a fraction 0..1, of all types if ``question_type`` is None; None if not reported.

    That of all types is a mean under the published shares of the types: only a mean under the same may stand beside it.
    """
    if published is None:
        return None
    percent = published.accuracy if question_type is None else published.by_type.get(question_type)
    return None if percent is None else percent / 100
