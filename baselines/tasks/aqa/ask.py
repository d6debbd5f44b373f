"""A question about any recording, put to a trained model."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch

from baselines.audio.features import features_of
from baselines.tasks.aqa.run import load_run
from clear_gen.core.errors import InputError
from clear_gen.dsp.resample import resampled
from clear_gen.sounds.files import read_audio


class _Recording:
    """One recording as a source of scenes."""

    def __init__(self, samples: np.ndarray, sample_rate: int) -> None:
        self.sample_rate, self.n_samples = sample_rate, np.array([len(samples)])
        self._samples = torch.from_numpy(samples)

    def waveforms(self, batch: int, device: torch.device) -> Iterator[torch.Tensor]:
        """See ``baselines.audio.scenes.Scenes``."""
        yield self._samples[None].to(device)


@torch.no_grad()
def predicted(run: Path, audio: Path, question: str, top: int, as_json: bool, device: str | None) -> list[str]:
    """The most probable answers of a trained model to a question about a recording, as lines of text or of JSON.

    Raises InputError if run or recording cannot be read, or the recording is too short.
    """
    trained = load_run(run, device)
    samples, rate = read_audio(audio)
    mel = trained.features.mel
    samples = resampled(samples, rate, mel.sample_rate).astype(np.float32)
    if len(samples) <= mel.window or not np.isfinite(samples).all():
        raise InputError(f"{audio}: found {len(samples)} samples, expected finite ones, more than {mel.window}")
    features = features_of(_Recording(samples, mel.sample_rate), trained.features, trained.device, lambda _: None)
    ids, lengths = (torch.tensor(one, device=trained.device) for one in trained.tokenizer.encode([question]))
    first = torch.zeros(1, dtype=torch.int64, device=trained.device)
    probabilities = trained.model(features.standardised(first), ids, lengths).float().softmax(1)[0].tolist()
    ranked = sorted(zip(probabilities, trained.tokenizer.answers, strict=True), key=lambda pair: (-pair[0], pair[1]))
    if as_json:
        return [json.dumps({"answer": ranked[0][1], "probabilities": {name: value for value, name in ranked}})]
    return [f"{value:6.1%}  {name}" for value, name in ranked[:top]]
