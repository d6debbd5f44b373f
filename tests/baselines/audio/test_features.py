"""Features of a split: from audio or virtual, padded or resized, in half precision, standardised; their settings."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from baselines.audio import features as features_module
from baselines.audio.features import (
    HALF_MAX,
    POWER_SCALE,
    Features,
    FeatureSettings,
    Fit,
    features_of,
    read_feature_settings,
    training_features,
    write_feature_settings,
)
from baselines.audio.scenes import Scenes
from baselines.audio.sources import open_scenes
from baselines.audio.spectrogram import MelSettings, mel_filters, mel_spectrogram, settings_at
from clear_gen.core.errors import InputError
from tests.baselines.conftest import SIZES
from tests.counts import examples
from tests.datasets.runs import RATE
from tests.sounds import one_line

CPU = torch.device("cpu")
HALF_STEP = 2.0**-11  # relative rounding of float16
SMALLEST_HALF = 2.0**-25  # its absolute rounding near zero
QUANTISED = (1 / 32767) ** 2 / 12  # power of the rounding to PCM 16


@dataclass(frozen=True)
class Given:
    """Scenes of given waveforms."""

    given: list[np.ndarray]
    sample_rate: int = 48_000

    @property
    def n_samples(self) -> np.ndarray:
        return np.array([len(one) for one in self.given])

    def waveforms(self, batch: int, device: torch.device) -> Iterator[torch.Tensor]:
        for first in range(0, len(self.given), batch):
            part = self.given[first : first + batch]
            out = torch.zeros((len(part), max(map(len, part))), device=device)
            for row, one in zip(out, part, strict=True):
                row[: len(one)] = torch.from_numpy(one.astype(np.float32))
            yield out


def quiet(_: int) -> None:
    """Progress that nobody reads."""


def noises(*lengths: int, level: float = 0.1) -> Given:
    rng = np.random.default_rng(1)
    return Given([level * rng.standard_normal(n) for n in lengths])


def exact(scenes: Scenes, mel: MelSettings) -> list[np.ndarray]:
    """The spectrogram of each scene, float32 [64, its frames]."""
    found = []
    for number, part in enumerate(scenes.waveforms(1, CPU)):
        n_samples = torch.from_numpy(scenes.n_samples[number : number + 1])
        found.append(mel_spectrogram(part, n_samples, mel)[0].numpy())
    return found


def stored(features: Features) -> np.ndarray:
    """float64 [N, 64, T], the power (or its logarithm) that is kept."""
    return features.power.double().numpy() / (1 if features.settings.mel.log else POWER_SCALE)


def read_back(features: Features) -> np.ndarray:
    n = len(features.n_frames)
    return features.standardised(torch.arange(n)).numpy()


def real_frames(features: Features) -> np.ndarray:
    """bool [N, 64, T]: what is no padding."""
    columns = np.arange(features.power.shape[2]) < features.n_frames.numpy()[:, None]
    return np.broadcast_to(columns[:, None], features.power.shape)


# --- what is kept -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("log", [False, True])
def test_features_are_spectrograms_in_half_precision(log: bool, dataset: Path) -> None:
    scenes, mel = open_scenes(dataset, "train"), settings_at(RATE, log)
    made = training_features(scenes, mel, "pad", CPU, quiet)
    expected = exact(scenes, mel)
    assert made.power.dtype == torch.float16
    assert made.power.shape == (SIZES["train"], 64, max(one.shape[1] for one in expected))
    assert made.settings.n_frames == made.power.shape[2]
    assert made.n_frames.tolist() == [one.shape[1] for one in expected] == (scenes.n_samples // mel.hop + 1).tolist()
    smallest = SMALLEST_HALF / (1 if log else POWER_SCALE)
    for found, one in zip(stored(made), expected, strict=True):
        n = one.shape[1]
        bound = 1.01 * HALF_STEP * np.abs(one) + 1.01 * smallest + 1e-5 * np.abs(one)
        assert (np.abs(found[:, :n] - one) <= bound).all()
        assert not found[:, n:].any()


def test_a_hundred_decibels_below_full_scale_are_kept() -> None:
    time = np.arange(20_000) / 48_000
    scenes = Given([level * np.sin(2 * np.pi * 3000 * time) for level in (1.0, 1e-5)])
    made = training_features(scenes, settings_at(48_000), "pad", CPU, quiet)
    loud, soft = stored(made)[..., 2:-2].max(1)
    assert np.allclose(soft / loud, 1e-10, rtol=0.1)


@pytest.mark.parametrize("period", [2, 3, 4, 5, 6, 8, 10, 16, 100, 1000, 1 << 20])
@pytest.mark.parametrize("rate", [48_000, 192_000])
def test_full_scale_square_waves_do_not_overflow(period: int, rate: int) -> None:
    square = np.where(np.arange(6 * rate // 20) % period < (period + 1) // 2, 1.0, -1.0)
    scenes, mel = Given([square], rate), settings_at(rate)
    made = training_features(scenes, mel, "pad", CPU, quiet)
    assert torch.isfinite(made.power).all()
    assert made.power.max() <= HALF_MAX
    assert np.isfinite(read_back(made)).all()
    if rate == 48_000:
        inner = exact(scenes, mel)[0][:, 1:-1]  # mirrored at its ends, the wave has another period
        np.testing.assert_allclose(stored(made)[0][:, 1:-1], inner, rtol=2 * HALF_STEP, atol=1e-6)


@pytest.mark.parametrize("fit", ["pad", "resize"])
@pytest.mark.parametrize("split", ["train", "test"])
def test_audio_and_virtual_scenes_have_the_same_features(split: str, fit: Fit, dataset: Path, unheard: Path) -> None:
    mel = settings_at(RATE)
    how = FeatureSettings(mel=mel, n_frames=100, fit=fit, mean=0.0, std=1.0)
    heard, virtual = (features_of(open_scenes(folder, split), how, CPU, quiet) for folder in (dataset, unheard))
    assert heard.n_frames.tolist() == virtual.n_frames.tolist()
    one, other = stored(heard), stored(virtual)
    # what rounding adds to a band has a random phase: the roots of the powers differ by its root at most
    added = np.sqrt(QUANTISED * mel_filters(mel).sum(1)[::-1])[None, :, None]
    half = HALF_STEP * np.sqrt(one) + 2 * np.sqrt(SMALLEST_HALF / POWER_SCALE)
    assert (np.abs(np.sqrt(one) - np.sqrt(other)) <= 8 * added + half).all()


@pytest.mark.parametrize("fit", ["pad", "resize"])
def test_batches_do_not_matter(fit: Fit, monkeypatch: pytest.MonkeyPatch) -> None:
    scenes = noises(9000, 40_000, 2000, 25_000, 41_000, 300, 10_000)
    how = FeatureSettings(mel=settings_at(48_000), n_frames=16, fit=fit, mean=0.0, std=1.0)
    made = []
    for batch in (1, 3, 7, 100):
        monkeypatch.setitem(features_module.BATCH, "cpu", batch)
        told: list[int] = []
        made.append(features_of(scenes, how, CPU, told.append))
        assert sum(told) == 7
        assert len(told) == -(-7 // batch)
    for other in made[1:]:
        assert other.n_frames.tolist() == made[0].n_frames.tolist()
        np.testing.assert_allclose(stored(other), stored(made[0]), rtol=2 * HALF_STEP, atol=1e-9)


# --- standardised -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("log", [False, True])
@pytest.mark.parametrize("fit", ["pad", "resize"])
def test_training_features_are_standardised_by_what_the_reference_counts(fit: Fit, log: bool, dataset: Path) -> None:
    """All of the padded spectrograms; of log power, of which zero is no silence, only frames."""
    made = training_features(open_scenes(dataset, "train"), settings_at(RATE, log), fit, CPU, quiet)
    values, real = read_back(made), real_frames(made)
    assert values.dtype == np.float32
    assert values.shape == (SIZES["train"], 1, *made.power.shape[1:])
    assert real.all() == (fit == "resize")
    expected = (stored(made) - made.settings.mean) / made.settings.std
    counted = expected[real] if log else expected
    assert abs(counted.mean()) < 1e-5
    assert counted.std() == pytest.approx(1, abs=1e-5)
    np.testing.assert_allclose(values[:, 0][real], expected[real], rtol=1e-5, atol=1e-5)
    assert (values[:, 0][~real] == 0).all()


def test_moments_of_many_parts() -> None:
    """More scenes than are added up at once."""
    scenes = noises(*range(2000, 2600), level=0.2)
    made = training_features(scenes, settings_at(48_000), "pad", CPU, quiet)
    kept = stored(made)
    assert made.settings.mean == pytest.approx(kept.mean(), rel=1e-9)
    assert made.settings.std == pytest.approx(kept.std(), rel=1e-9)


def test_silent_training_scenes_are_zero() -> None:
    made = training_features(Given([np.zeros(9000), np.zeros(5000)]), settings_at(48_000), "pad", CPU, quiet)
    assert made.settings.mean == 0
    assert made.settings.std > 0
    assert (read_back(made) == 0).all()


def test_the_scenes_asked_for_in_the_order_asked_for() -> None:
    made = training_features(noises(9000, 30_000, 20_000), settings_at(48_000), "pad", CPU, quiet)
    whole = made.standardised(torch.arange(3))
    asked = torch.tensor([2, 0, 2, 1])
    assert torch.equal(made.standardised(asked), whole[asked])


# --- padded, cut, resized ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("n_frames", [1, 5, 13, 14, 30])
def test_shorter_scenes_are_padded_and_longer_ones_cut(n_frames: int) -> None:
    scenes, mel = noises(2048 * 13, 300, 2048 * 4 - 1), settings_at(48_000)
    made = features_of(scenes, FeatureSettings(mel=mel, n_frames=n_frames, fit="pad", mean=0.5, std=2), CPU, quiet)
    assert made.power.shape == (3, 64, n_frames)
    assert made.n_frames.tolist() == [min(n, n_frames) for n in (14, 1, 4)]
    values = read_back(made)[:, 0]
    for found, kept, one in zip(values, stored(made), exact(scenes, mel), strict=True):
        n = min(n_frames, one.shape[1])
        np.testing.assert_allclose(kept[:, :n], one[:, :n], rtol=2 * HALF_STEP, atol=1e-9)
        np.testing.assert_allclose(found[:, :n], (kept[:, :n] - 0.5) / 2, rtol=1e-5)
        assert not found[:, n:].any()


def slow_resize(x: np.ndarray, n_frames: int) -> np.ndarray:
    """Bilinear along time: the middle of a new frame lies between the middles of two old ones."""
    n = x.shape[1]
    out = np.empty((len(x), n_frames))
    for frame in range(n_frames):
        place = min(max((frame + 0.5) * n / n_frames - 0.5, 0), n - 1)
        left = int(place)
        right = min(left + 1, n - 1)
        out[:, frame] = (1 - (place - left)) * x[:, left] + (place - left) * x[:, right]
    return out


@pytest.mark.parametrize("log", [False, True])
@pytest.mark.parametrize("n_frames", [1, 7, 14, 33])
def test_resized_scenes_are_stretched_each_by_itself(n_frames: int, log: bool) -> None:
    scenes, mel = noises(2048 * 13, 300, 2048 * 4 - 1, 2048 * 20), settings_at(48_000, log)
    how = FeatureSettings(mel=mel, n_frames=n_frames, fit="resize", mean=0.0, std=1.0)
    made = features_of(scenes, how, CPU, quiet)
    assert made.power.shape == (4, 64, n_frames)
    assert made.n_frames.tolist() == [n_frames] * 4
    for kept, one in zip(stored(made), exact(scenes, mel), strict=True):
        np.testing.assert_allclose(kept, slow_resize(one.astype(float), n_frames), rtol=2 * HALF_STEP, atol=1e-6)


def test_resized_training_scenes_are_as_long_as_the_longest(dataset: Path) -> None:
    scenes, mel = open_scenes(dataset, "train"), settings_at(RATE)
    made = training_features(scenes, mel, "resize", CPU, quiet)
    assert made.settings.n_frames == scenes.n_samples.max() // mel.hop + 1
    longest = int(scenes.n_samples.argmax())
    np.testing.assert_allclose(stored(made)[longest], exact(scenes, mel)[longest], rtol=2 * HALF_STEP, atol=1e-9)


# --- settings ---------------------------------------------------------------------------------------------------------


def test_another_sample_rate_is_refused(dataset: Path) -> None:
    how = FeatureSettings(mel=settings_at(48_000), n_frames=10, fit="pad", mean=0.0, std=1.0)
    with pytest.raises(InputError) as caught:
        features_of(open_scenes(dataset, "test"), how, CPU, quiet)
    assert "found 8000 Hz, expected 48000 Hz" in one_line(caught)
    with pytest.raises(InputError):
        training_features(open_scenes(dataset, "train"), settings_at(16_000), "pad", CPU, quiet)


@pytest.mark.parametrize("fit", ["pad", "resize"])
def test_a_scene_too_short_for_a_frame(fit: Fit) -> None:
    scenes = noises(9000, 256, 300)
    with pytest.raises(InputError) as caught:
        training_features(scenes, settings_at(48_000), fit, CPU, quiet)
    assert "scene 1: found 256 samples" in one_line(caught)


@examples(40, derandomize=True)
@given(
    how=st.builds(
        FeatureSettings,
        mel=st.builds(settings_at, st.integers(1000, 655_350), st.booleans()),
        n_frames=st.integers(1, 10_000),
        fit=st.sampled_from(["pad", "resize"]),
        mean=st.floats(allow_nan=False, allow_infinity=False),
        std=st.floats(1e-12, 1e12),
    )
)
def test_settings_come_back_from_their_file(how: FeatureSettings, tmp_path_factory: pytest.TempPathFactory) -> None:
    path = tmp_path_factory.getbasetemp() / "feature-settings.json"
    write_feature_settings(how, path)
    assert read_feature_settings(path) == how
    assert json.loads(path.read_text())["mel"]["sample_rate"] == how.mel.sample_rate


GOOD: dict[str, Any] = {
    "mel": {"sample_rate": 48000, "window": 512, "hop": 2048, "n_bands": 64, "log": False},
    "n_frames": 418,
    "fit": "pad",
    "mean": 0.1,
    "std": 0.2,
}


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("fit", "squeeze"),
        ("n_frames", "many"),
        ("n_frames", 1.5),
        ("mean", None),
        ("mean", float("nan")),
        ("std", float("inf")),
        ("std", [1]),
        ("mel", 7),
        ("mel", {}),
        ("mel", {**GOOD["mel"], "window": "wide\nand high"}),
        ("mel", {**GOOD["mel"], "colour": "red"}),
        ("more", 1),
    ],
)
def test_settings_with_a_wrong_field(field: str, value: Any, tmp_path: Path) -> None:
    path = tmp_path / "features.json"
    path.write_text(json.dumps({**GOOD, field: value}, indent=1))
    with pytest.raises(InputError) as caught:
        read_feature_settings(path)
    message = one_line(caught)
    assert message.startswith(f"{path}:")
    assert field in message


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("std", 0),
        ("std", -1),
        ("n_frames", 0),
        ("n_frames", -3),
        *(("mel", {**GOOD["mel"], name: number}) for name in GOOD["mel"] if name != "log" for number in (0, -2)),
        ("mel", {**GOOD["mel"], "window": 511}),  # an odd one has no middle
    ],
)
def test_settings_with_numbers_that_mean_nothing(field: str, value: Any, tmp_path: Path) -> None:
    path = tmp_path / "features.json"
    path.write_text(json.dumps({**GOOD, field: value}, indent=1))
    with pytest.raises(InputError) as caught:
        read_feature_settings(path)
    assert field in one_line(caught)


@pytest.mark.parametrize("field", GOOD)
def test_settings_that_lack_a_field(field: str, tmp_path: Path) -> None:
    path = tmp_path / "features.json"
    path.write_text(json.dumps({name: value for name, value in GOOD.items() if name != field}))
    with pytest.raises(InputError) as caught:
        read_feature_settings(path)
    assert field in one_line(caught)


@pytest.mark.parametrize(
    "text", [b"", b"[]", b"null", b"{", b"\xff\xfe", b"\x00", b"{" * 5000, b"a: &a [*a]", b"1e999"]
)
def test_files_that_hold_no_settings(text: bytes, tmp_path: Path) -> None:
    path = tmp_path / "features.json"
    path.write_bytes(text)
    with pytest.raises(InputError) as caught:
        read_feature_settings(path)
    assert one_line(caught).startswith(str(path))


def test_no_file_a_folder_and_a_pipe(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    for path in (tmp_path / "nothing", tmp_path, tmp_path / "pipe"):
        with pytest.raises(InputError) as caught:
            read_feature_settings(path)
        assert one_line(caught).startswith(str(path))
