"""A trained network as a predictor: of a split's questions, or of one question about any recording."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from baselines.audio.features import features_of
from baselines.audio.sources import open_scenes
from baselines.core.predictions import Prediction
from baselines.models.aqa.tokenizer import Tokenizer, words_of
from baselines.tasks.aqa.questions import Questions
from baselines.tasks.aqa.run import load_run, logits_of, split_of
from clear_gen.core.errors import InputError
from clear_gen.core.progress import progress
from clear_gen.core.text import shown
from clear_gen.dsp.resample import resampled

log = logging.getLogger(__name__)

UNKNOWN_SHARE = 1 / 3  # of a question's words, from which on it is not answered
LISTED = 10  # unknown words in a message
EXPECTED = "one in English, such as the training questions; --force answers anyway"


class TrainedPredictor:
    """Answers the questions of a split with the best model of a run."""

    def __init__(self, run: Path, device: str | None = None) -> None:
        """Raises InputError naming the file that is missing or malformed."""
        self._trained = load_run(run, device)

    @property
    def name(self) -> str:
        """Of the model."""
        return self._trained.config.model

    def predict(self, split: Questions) -> Iterator[Prediction]:
        """The most probable answer to every question. Raises InputError if model and dataset do not fit together."""
        trained = self._trained
        scenes = open_scenes(split.folder, split.split, trained.config.source)
        with progress(len(scenes.n_samples), len(scenes.n_samples), "features of scenes") as advance:
            features = features_of(scenes, trained.features, trained.device, advance)
        classes = logits_of(trained.model, split_of(split, features, trained.tokenizer)).argmax(1).tolist()
        for question_id, number in zip(split.item_ids, classes, strict=True):
            yield Prediction(question_id, {"answer": trained.tokenizer.answers[number]})


@dataclass(frozen=True)
class Answer:
    """The most probable answer to a question, and the probabilities of all answers in descending order."""

    answer: str
    probabilities: dict[str, float]

    def table(self) -> list[list[str]]:
        """Rows of a table, headers first."""
        return [["answer", "probability"], *([name, f"{value:.4f}"] for name, value in self.probabilities.items())]

    def as_dict(self) -> dict[str, Any]:
        """JSON values."""
        return {"answer": self.answer, "probabilities": self.probabilities}


class AskedModel:
    """A trained model that answers questions about any recording."""

    def __init__(self, run: Path, device: str | None = None) -> None:
        """Raises InputError naming the file that is missing or malformed."""
        self._trained = load_run(run, device)

    @torch.no_grad()
    def __call__(self, waveform: np.ndarray, sample_rate: int, question: str = "", force: bool = False) -> Answer:
        """Answer a question about a recording; words that no training question has are named in the log.

        ``waveform``: float [n_samples], full scale 1; ``sample_rate``: its rate in Hz, which may differ from the
        training's. ``force``: answer any question, also one that is unlike the training questions.

        Raises InputError if the recording is not finite or shorter than a window of the spectrogram, and, unless
        ``force``, if the question has no words, or UNKNOWN_SHARE of them are unknown.
        """
        unknown = _unknown_words(self._trained.tokenizer, question, force)
        trained, mel = self._trained, self._trained.features.mel
        samples = resampled(np.asarray(waveform, np.float32), sample_rate, mel.sample_rate).astype(np.float32)
        if samples.ndim != 1 or len(samples) <= mel.window or not np.isfinite(samples).all():
            expected = f"finite samples [n], more than {mel.window}"
            raise InputError(
                f"waveform: found shape {list(samples.shape)} at {mel.sample_rate} Hz, expected {expected}"
            )
        features = features_of(_Recording(samples, mel.sample_rate), trained.features, trained.device, lambda _: None)
        ids, lengths = (torch.tensor(one, device=trained.device) for one in trained.tokenizer.encode([question]))
        first = torch.zeros(1, dtype=torch.int64, device=trained.device)
        probabilities = trained.model(features.standardised(first), ids, lengths).float().softmax(1)[0].tolist()
        by_answer = dict(zip(trained.tokenizer.answers, probabilities, strict=True))
        ranked = dict(sorted(by_answer.items(), key=lambda pair: (-pair[1], pair[0])))
        if unknown:
            log.warning("question: the model does not know %s", unknown)
        return Answer(next(iter(ranked)), ranked)


def _unknown_words(tokenizer: Tokenizer, question: str, force: bool) -> str:
    """The unknown words of a question, for a message.

    Raises InputError, unless ``force``, if there are no words, or UNKNOWN_SHARE of them are unknown.
    """
    words = words_of(question)
    unknown = tokenizer.unknown(words)
    names = [*dict.fromkeys(unknown)]
    listed = ", ".join(map(shown, names[:LISTED])) + (", …" if len(names) > LISTED else "")
    if len(unknown) >= UNKNOWN_SHARE * len(words) and not force:
        found = f"{len(unknown)} of {len(words)} words that the model does not know ({listed})" if words else "none"
        raise InputError(f"question: found {found}, expected {EXPECTED}")
    return listed


class _Recording:
    """One recording as a source of scenes."""

    def __init__(self, samples: np.ndarray, sample_rate: int) -> None:
        self.sample_rate, self.n_samples = sample_rate, np.array([len(samples)])
        self._samples = torch.from_numpy(samples)

    def waveforms(self, batch: int, device: torch.device) -> Iterator[torch.Tensor]:
        """See ``baselines.audio.scenes.Scenes``."""
        yield self._samples[None].to(device)
