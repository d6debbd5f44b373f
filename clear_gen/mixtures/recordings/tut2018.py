"""TUT Urban Acoustic Scenes 2018, development set: backgrounds.

Source: Mesaros, Heittola and Virtanen, https://zenodo.org/records/1228142
"""

from __future__ import annotations

from clear_gen.mixtures.recordings import dcase_scenes
from clear_gen.mixtures.recordings.corpus import Corpus

CORPUS = Corpus(
    name="tut2018",
    title="TUT Urban Acoustic Scenes 2018, development",
    holds="backgrounds",
    licence=dcase_scenes.LICENCE,
    redistribution=False,
    labels=dcase_scenes.LABELS,
    form=dcase_scenes.FORM,
    figures={
        "clips": 8640,
        "labels": 10,
        "fewest of a label": 864,
        "most of a label": 864,
        "cities": 6,
        "recordings": 8640,
    },
    recognise=dcase_scenes.recognise,
    read=dcase_scenes.read,
    check_folds=dcase_scenes.check_folds,
    archive="TUT-urban-acoustic-scenes-2018-development",
    layout="in the folder that its archives unpack to",
    sign="fold1_train.txt",
)
