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

    ``by_type``, ``type_spread``: of the types that are printed.
    """

    accuracy: float
    spread: float | None = None
    by_type: dict[str, float] = field(default_factory=dict)
    type_spread: dict[str, float] = field(default_factory=dict)


def _row(printed: str) -> Published:
    """A row from its printed cells, such as ``77.6±0.72``: over all, then of each type."""
    cells = [tuple(map(float, cell.split("±"))) for cell in printed.split()]
    means, spreads = ([cell[k] for cell in cells] for k in (0, 1))
    types = (dict(zip(TYPES, values[1:], strict=True)) for values in (means, spreads))
    return Published(means[0], spreads[0], *types)


# By the names of ``clear-bench models``
TABLE_3: dict[str, Published] = {
    "random": Published(1.75),
    # Over all; the text says 7.5. The types are those that it answers "yes".
    "most-common": Published(7.3, by_type={"exist": 55.62, "count_compare": 47.27}),
    "visual-film-resnet101": _row(
        "62.3±0.78 61.9±0.85 37.8±1.30 83.9±0.58 81.9±0.61 73.2±0.70 51.7±1.40"
        " 73.1±2.29 48.4±1.82 41.5±0.42 59.8±0.57 39.9±3.03"
    ),
    "naaqa-2d": _row(
        "77.6±0.72 80.6±0.66 73.4±1.28 90.5±1.44 86.5±0.76 81.3±0.57 74.7±2.50"
        " 87.5±0.42 54.0±1.43 53.8±1.01 60.8±1.34 49.0±3.53"
    ),
    "naaqa-interleaved-freq": _row(
        "67.2±0.98 63.0±1.93 48.0±2.14 84.5±1.07 81.1±0.52 72.1±1.24 65.1±1.04"
        " 80.1±0.66 49.3±1.59 42.5±1.51 56.6±2.45 46.5±1.57"
    ),
    "naaqa-interleaved-time": _row(
        "78.0±0.51 81.8±1.06 70.6±1.24 90.9±0.78 87.9±0.94 81.6±0.66 75.9±1.08"
        " 87.4±0.25 60.0±4.07 53.6±0.63 61.2±0.73 50.0±2.23"
    ),
    "naaqa-parallel": _row(
        "78.5±0.45 80.4±0.83 72.6±1.19 91.2±0.74 87.1±0.28 80.4±0.16 78.7±1.26"
        " 88.8±0.53 55.4±1.63 52.6±0.43 59.8±2.13 50.2±3.49"
    ),
    "naaqa-parallel-optimized": _row(
        "79.5±0.05 81.7±0.20 74.2±0.58 91.9±0.17 87.4±0.31 81.2±0.10 79.3±0.77"
        " 90.0±0.15 58.0±1.32 53.8±1.40 60.6±0.89 50.4±1.10"
    ),
    "visual-film-resnet101-malimo": _row(
        "63.6±1.20 61.8±1.40 36.3±1.41 83.5±0.86 82.3±0.59 73.4±1.06 57.1±3.58"
        " 76.1±1.94 47.4±2.98 41.6±0.80 56.7±4.23 43.2±3.64"
    ),
    "naaqa-2d-malimo": _row(
        "77.1±1.12 79.2±1.01 71.3±1.54 90.5±0.81 86.1±0.73 80.3±0.77 75.7±2.08"
        " 87.8±0.74 52.7±1.94 51.9±2.73 59.0±3.00 50.2±2.48"
    ),
    "naaqa-interleaved-freq-malimo": _row(
        "64.8±3.91 55.3±8.33 43.1±8.77 83.2±1.33 80.0±1.75 70.3±2.74 63.6±4.72"
        " 78.7±3.27 45.8±3.53 41.4±1.96 55.1±2.75 48.7±2.05"
    ),
    "naaqa-interleaved-time-malimo": _row(
        "77.1±0.63 79.9±0.86 70.8±1.10 90.5±1.00 86.7±0.89 80.3±0.34 74.5±1.06"
        " 87.6±0.35 55.2±2.39 53.8±0.43 59.9±2.32 50.0±0.93"
    ),
    "naaqa-parallel-malimo": _row(
        "77.3±0.93 78.2±1.50 71.3±1.00 89.9±0.66 85.8±0.67 79.7±0.45 77.7±2.02"
        " 87.6±0.53 53.6±1.84 51.9±1.82 59.0±2.29 48.1±1.65"
    ),
    "naaqa-parallel-optimized-malimo": _row(
        "78.2±0.06 80.8±0.41 72.4±0.33 89.6±0.62 86.2±0.04 79.7±0.10 79.3±0.22"
        " 88.4±0.36 54.0±0.33 52.2±0.70 58.8±0.45 45.6±0.00"
    ),
}


def share_of_type(published: Published | None, question_type: str | None) -> float | None:
    """Published accuracy as a fraction 0..1, of all types if ``question_type`` is None; None if not reported.

    That of all types is a mean under the published shares of the types: only a mean under the same may stand beside it.
    """
    if published is None:
        return None
    percent = published.accuracy if question_type is None else published.by_type.get(question_type)
    return None if percent is None else percent / 100
