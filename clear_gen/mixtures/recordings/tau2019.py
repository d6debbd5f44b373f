"""TAU Urban Acoustic Scenes 2019, development set: backgrounds.

Source: Mesaros, Heittola and Virtanen, https://zenodo.org/records/2589280
"""

from __future__ import annotations

from clear_gen.mixtures.recordings import dcase_scenes
from clear_gen.mixtures.recordings.corpus import Corpus

CORPUS = Corpus(
    name="tau2019",
    title="TAU Urban Acoustic Scenes 2019, development",
    holds="backgrounds",
    licence=dcase_scenes.LICENCE,
    redistribution=False,
    labels=dcase_scenes.LABELS,
    form=dcase_scenes.FORM,
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
    recognise=dcase_scenes.recognise,
    read=dcase_scenes.read,
    check_folds=dcase_scenes.check_folds,
    archive="TAU-urban-acoustic-scenes-2019-development",
    layout="in the folder that its archives unpack to",
    sign="fold1_train.csv",
)
