"""What is published about the corpora that mixtures are made of.

FSDKaggle2018 (Fonseca et al. 2018, https://zenodo.org/records/2552860), TUT Urban Acoustic Scenes 2018 and TAU Urban
Acoustic Scenes 2019 (Mesaros, Heittola and Virtanen, https://zenodo.org/records/1228142 and 2589280); of the latter two
the development sets.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from clear_gen.core.errors import InputError
from clear_gen.core.text import shown

FSD_LABELS = """Acoustic_guitar Applause Bark Bass_drum Burping_or_eructation Bus Cello Chime Clarinet Computer_keyboard
    Cough Cowbell Double_bass Drawer_open_or_close Electric_piano Fart Finger_snapping Fireworks Flute Glockenspiel Gong
    Gunshot_or_gunfire Harmonica Hi-hat Keys_jangling Knock Laughter Meow Microwave_oven Oboe Saxophone Scissors Shatter
    Snare_drum Squeak Tambourine Tearing Telephone Trumpet Violin_or_fiddle Writing"""
SCENES = "airport bus metro metro_station park public_square shopping_mall street_pedestrian street_traffic tram"
TAMPERE = "Tampere University, non-commercial research only, audio not to be redistributed"

Holds = Literal["events", "backgrounds"]


@dataclass(frozen=True)
class Form:
    """The audio of a corpus. ``duration_s``: of every recording, or None if it varies."""

    sample_rate: int
    channels: int
    subtype: str
    duration_s: float | None = None


@dataclass(frozen=True)
class Corpus:
    """What is published about a corpus. ``redistribution``: whether its audio, and audio made of it, may be published.

    ``archive``: the folder that its archives unpack to, if there is one. ``figures``: counts by what is counted, of the
    tables and of the recordings, as ``corpus_check`` names them. ``folds``: suffix of the fold tables.
    """

    name: str
    title: str
    holds: Holds
    licence: str
    redistribution: bool
    labels: tuple[str, ...]
    form: Form
    figures: Mapping[str, int]
    archive: str = ""
    folds: str = ""


_SCENE_FORM = Form(48_000, 2, "PCM_24", 10.0)

FSDKAGGLE2018 = Corpus(
    name="fsdkaggle2018",
    title="FSDKaggle2018",
    holds="events",
    licence="Creative Commons, by clip: CC0, CC BY (name the author), and three CC BY-NC",
    redistribution=True,
    labels=tuple(FSD_LABELS.split()),
    form=Form(44_100, 1, "PCM_16"),
    figures={
        "clips": 9473,
        "verified": 3710,
        "labels": 41,
        "fewest of a label": 94,
        "most of a label": 300,
        "Freesound ids": 9473,
        "licence Attribution": 5210,
        "licence Creative Commons 0": 4260,
        "licence Attribution Noncommercial": 3,
        "recordings": 9473,
        "test clips": 1600,
        "test labels": 41,
        "test fewest of a label": 25,
        "test most of a label": 110,
        "test recordings": 1600,
    },
)
TUT2018 = Corpus(
    name="tut2018",
    title="TUT Urban Acoustic Scenes 2018, development",
    holds="backgrounds",
    licence=TAMPERE,
    redistribution=False,
    labels=tuple(SCENES.split()),
    form=_SCENE_FORM,
    figures={
        "clips": 8640,
        "labels": 10,
        "fewest of a label": 864,
        "most of a label": 864,
        "cities": 6,
        "recordings": 8640,
    },
    archive="TUT-urban-acoustic-scenes-2018-development",
    folds=".txt",
)
TAU2019 = Corpus(
    name="tau2019",
    title="TAU Urban Acoustic Scenes 2019, development",
    holds="backgrounds",
    licence=TAMPERE,
    redistribution=False,
    labels=tuple(SCENES.split()),
    form=_SCENE_FORM,
    figures={
        "clips": 14400,
        "labels": 10,
        "fewest of a label": 1440,
        "most of a label": 1440,
        "cities": 10,
        "recordings": 14400,
        "fold 1 train": 9185,
        "fold 1 test": 4185,
        "fold 1 evaluate": 4185,
    },
    archive="TAU-urban-acoustic-scenes-2019-development",
    folds=".csv",
)
CORPORA = {corpus.name: corpus for corpus in (FSDKAGGLE2018, TUT2018, TAU2019)}


def corpus_of(name: str) -> Corpus:
    """The corpus of that name. Raises InputError naming those that there are."""
    if name not in CORPORA:
        raise InputError(f"corpus: found {shown(name)}, expected one of: {', '.join(CORPORA)}")
    return CORPORA[name]
