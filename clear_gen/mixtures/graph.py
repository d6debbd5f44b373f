"""The mixture graph: the complete description of events over a background, and its Parquet form (one row a mixture).

Times are in seconds and stand on the grid of samples: ``round(time * sample_rate)`` is exact. All that rendering needs
besides the recordings is here. The graph of the same mixture at another SNR differs in ``gain_db``, ``snr_nominal_db``
and ``snr_achieved_db`` of its events, and in nothing else.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import pyarrow as pa

from clear_gen.core.parquet import AUDIO, dataset_schema
from clear_gen.core.records import RENDERED_TYPE, Rendered
from clear_gen.dsp.levels import Measure

FORMAT = 1


@dataclass(frozen=True, slots=True)
class PlacedBackground:
    """The excerpt of a recording that lies under the whole mixture.

    It begins ``offset_s`` into the recording. With ``crossfade_s`` the recording is a loop whose end fades into its
    beginning over that time, and the excerpt begins ``offset_s`` into the loop; None: it is heard once.
    """

    source_id: str
    offset_s: float
    gain_db: float
    crossfade_s: float | None


@dataclass(frozen=True, slots=True)
class PlacedEvent:
    """A stretch of a labelled recording, from ``source_time_s`` on, heard from ``onset_s`` to ``offset_s``.

    ``snr_nominal_db`` is what was asked for, ``snr_achieved_db`` the level of the stretch as placed, with gain and
    fades, over that of the background under it; None where one of the two is silent.
    """

    label: str
    source_id: str
    source_time_s: float
    onset_s: float
    offset_s: float
    gain_db: float
    snr_nominal_db: float
    snr_achieved_db: float | None
    fade_in_s: float
    fade_out_s: float


@dataclass(frozen=True, slots=True)
class MixtureGraph:
    """One mixture: all that ``render_mixture`` needs besides the recordings. ``fold`` counts from 1.

    ``recipe`` says how the stems become a mixture, ``snr_measure`` in what the SNRs are measured.
    """

    mixture_id: str
    fold: int
    recipe: str
    sample_rate: int
    n_samples: int
    snr_measure: Measure
    background: PlacedBackground
    events: tuple[PlacedEvent, ...]

    @property
    def weak_labels(self) -> tuple[str, ...]:
        """The labels of the mixture's events, each once, in alphabetical order."""
        return tuple(sorted({event.label for event in self.events}))

    def extent(self, event: PlacedEvent) -> slice:
        """The samples of the mixture on which ``event`` is heard."""
        return slice(round(event.onset_s * self.sample_rate), round(event.offset_s * self.sample_rate))


def mixture_of_row(row: Mapping[str, Any]) -> MixtureGraph:
    """The graph of one row of the mixtures' Parquet table (``Table.to_pylist``)."""
    return MixtureGraph(
        mixture_id=row["mixture_id"],
        fold=row["fold"],
        recipe=row["recipe"],
        sample_rate=row["sample_rate"],
        n_samples=row["n_samples"],
        snr_measure=row["snr_measure"],
        background=PlacedBackground(**row["background"]),
        events=tuple(PlacedEvent(**event) for event in row["events"]),
    )


def row_of_mixture(
    graph: MixtureGraph, rendered: Rendered | None = None, audio: Mapping[str, Any] | None = None
) -> dict[str, Any]:
    """One row of ``mixture_schema``; the inverse of ``mixture_of_row``. ``audio``: ``{bytes, path}``."""
    return asdict(graph) | {"rendered": asdict(rendered) if rendered else None, "audio": audio}


BACKGROUND_TYPE = pa.struct(
    [("source_id", pa.string()), *((name, pa.float64()) for name in ("offset_s", "gain_db", "crossfade_s"))]
)
EVENT_TYPE = pa.struct(
    [
        ("label", pa.string()),
        ("source_id", pa.string()),
        *((name, pa.float64()) for name in ("source_time_s", "onset_s", "offset_s", "gain_db")),
        *((name, pa.float64()) for name in ("snr_nominal_db", "snr_achieved_db", "fade_in_s", "fade_out_s")),
    ]
)


def mixture_schema(sample_rate: int, identity_sha256: str | None = None) -> pa.Schema:
    """Schema of the configs ``mixtures-snr<k>``; a file's says to which dataset it belongs. ``sample_rate`` in Hz."""
    fields = [
        pa.field("mixture_id", pa.string()),
        pa.field("fold", pa.int32()),
        pa.field("recipe", pa.string()),
        pa.field("sample_rate", pa.int32()),
        pa.field("n_samples", pa.int64()),
        pa.field("snr_measure", pa.string()),
        pa.field("background", BACKGROUND_TYPE),
        pa.field("events", pa.list_(pa.field("element", EVENT_TYPE))),
        pa.field("rendered", RENDERED_TYPE),
        pa.field("audio", AUDIO),
    ]
    extra = {"kind": "mixtures", "format": FORMAT, "identity_sha256": identity_sha256}
    return dataset_schema(fields, sample_rate, extra)
