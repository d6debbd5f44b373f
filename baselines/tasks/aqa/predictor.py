"""A trained network as a predictor: of a split's questions, or of one question about any recording."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from baselines.audio.features import features_of
from baselines.audio.sources import open_scenes
from baselines.core.predictions import Prediction
from baselines.tasks.aqa.questions import Questions
from baselines.tasks.aqa.run import load_run, logits_of, split_of
from clear_gen.core.errors import InputError
from clear_gen.core.progress import progress
from clear_gen.dsp.resample import resampled


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
        with progress(len(scenes.n_samples), len(scenes.n_samples)) as advance:
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
    def __call__(self, waveform: np.ndarray, sample_rate: int, question: str = "") -> Answer:
        """Answer a question about a recording.

        ``waveform``: float [n_samples], full scale 1; ``sample_rate``: its rate in Hz, which may differ from the
        training's. Raises InputError if there is no question, or the recording is not finite or shorter than a window
        of the spectrogram.
        """
        if not question.strip():
            raise InputError("question: found none, expected one in English, such as the training questions")
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
        return Answer(next(iter(ranked)), ranked)


class _Recording:
    """One recording as a source of scenes."""

    def __init__(self, samples: np.ndarray, sample_rate: int) -> None:
        self.sample_rate, self.n_samples = sample_rate, np.array([len(samples)])
        self._samples = torch.from_numpy(samples)

    def waveforms(self, batch: int, device: torch.device) -> Iterator[torch.Tensor]:
        """See ``baselines.audio.scenes.Scenes``."""
        yield self._samples[None].to(device)
