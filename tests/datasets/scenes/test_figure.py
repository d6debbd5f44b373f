"""The picture of a scene: the spectrogram's numbers, which scene is read, and where the texts lie."""

from __future__ import annotations

import struct
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from clear_gen.core.errors import InputError
from clear_gen.datasets.drawing import (
    FLOOR_DB,
    HOP,
    N_BANDS,
    band_centres_hz,
    colour_of,
    frequency_ticks,
    mel_spectrogram,
)
from clear_gen.datasets.scenes.build import create
from clear_gen.datasets.scenes.figure import LEAST_UPRIGHT_POINTS, draw_scene, scene_figure
from clear_gen.datasets.scenes.load import load_scenes
from clear_gen.datasets.scenes.manifest import Settings
from clear_gen.datasets.scenes.scene import Scene
from clear_gen.scenes.domain import load_domain
from clear_gen.scenes.graph import Noise, Reverb, SceneGraph, Sound
from clear_gen.sounds.attributes import GivenAttribute
from clear_gen.store.build import Execution
from tests.banks import tone_bank
from tests.pictures import is_clipped, overlapping_words

RATE = 16_000
CLEAR2 = load_domain("clear2")


# --- spectrogram -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("rate", [16_000, 48_000])
@pytest.mark.parametrize("frequency_hz", [150, 1000, 6000])
def test_a_sine_peaks_in_the_band_nearest_to_it(rate, frequency_hz):
    sine = 0.1 * np.sin(2 * np.pi * frequency_hz * np.arange(rate) / rate)
    times_s, centres_hz, level_db = mel_spectrogram(sine, rate)
    assert times_s.shape == (1 + rate // HOP,)
    assert level_db.shape == (N_BANDS, len(times_s))
    inside = (times_s > 0.2) & (times_s < 0.8)
    peaks = np.abs(centres_hz[level_db[:, inside].argmax(axis=0)] - frequency_hz)
    assert peaks.max() <= np.sort(np.abs(centres_hz - frequency_hz))[1]  # halfway between two, either is right
    assert level_db.max() == 0
    assert level_db.min() == FLOOR_DB


def test_levels_are_in_db_and_frames_in_their_place():
    steps = np.repeat([0.0, 1.0, 0.1], RATE)
    times_s, centres_hz, level_db = mel_spectrogram(steps * np.sin(2 * np.pi * 1000 * np.arange(3 * RATE) / RATE), RATE)
    band = level_db[np.abs(centres_hz - 1000).argmin()]
    silent, full, tenth = (band[(times_s > start + 0.1) & (times_s < start + 0.9)] for start in (0, 1, 2))
    assert (silent == FLOOR_DB).all()
    assert full == pytest.approx(full[0], abs=0.1)
    assert tenth == pytest.approx(full[0] - 20, abs=0.1)


def test_silence_is_all_floor():
    _, _, level_db = mel_spectrogram(np.zeros(RATE), RATE)
    assert (level_db == FLOOR_DB).all()


@pytest.mark.parametrize("at", [HOP, 10 * HOP, RATE // HOP * HOP])
def test_frames_are_centred_on_their_times(at):
    click = np.zeros(RATE)
    click[at - 1] = 1
    times_s, _, level_db = mel_spectrogram(click, RATE)
    assert times_s[level_db.sum(axis=0).argmax()] == at / RATE


@pytest.mark.parametrize("rate", [8000, 16_000, 44_100, 48_000, 96_000])
def test_bands_are_of_equal_width_in_mel_and_all_filled(rate):
    noise = np.random.default_rng(0).normal(size=4 * rate)
    _, centres_hz, level_db = mel_spectrogram(noise, rate)
    mel = 1127.01048 * np.log1p(np.array([0, *centres_hz, rate / 2]) / 700)
    np.testing.assert_allclose(np.diff(mel), mel[-1] / (N_BANDS + 1), rtol=1e-5)
    power_per_hz = np.mean(10 ** (level_db / 10), axis=1) / (centres_hz + 700)  # a band's width grows with f + 700 Hz
    assert np.ptp(10 * np.log10(power_per_hz[1:])) < 3  # the first band holds 0 Hz, which noise fills half


# --- files -----------------------------------------------------------------------------------------------------------


def make_dataset(folder: Path, sizes: dict[str, int], audio: bool) -> Path:
    settings = Settings(sizes=sizes, seed=0, sample_rate=RATE, levels="recorded", audio=audio, domain=CLEAR2)
    create(folder, settings, {"train": tone_bank()}, Execution())
    return folder


@pytest.fixture(scope="module")
def dataset(tmp_path_factory) -> Path:
    return make_dataset(tmp_path_factory.mktemp("audio") / "out", {"train": 2, "validation": 0, "test": 0}, True)


@pytest.fixture(scope="module")
def silent(tmp_path_factory) -> Path:
    """A dataset without audio, with an empty first split, and with more scenes than a row group or a file holds."""
    return make_dataset(tmp_path_factory.mktemp("silent") / "out", {"train": 0, "validation": 1302, "test": 0}, False)


def png_size(path: Path) -> tuple[int, int]:
    data = path.read_bytes()
    assert data[:8] == b"\x89PNG\r\n\x1a\n"
    return struct.unpack(">II", data[16:24])


def test_png_has_its_size_in_pixels(dataset, silent, tmp_path):
    path = tmp_path / "new" / "scene.PNG"
    draw_scene(dataset, None, path)
    assert png_size(path) == (1600, 900)
    assert path.stat().st_size < 500_000
    draw_scene(silent, "validation-000001", path)
    assert png_size(path) == (1600, 360)
    assert [entry.name for entry in path.parent.iterdir()] == ["scene.PNG"]


@pytest.mark.parametrize(("suffix", "start"), [("svg", b"<?xml"), ("pdf", b"%PDF")])
def test_other_formats(silent, tmp_path, suffix, start):
    path = tmp_path / f"scene.{suffix}"
    draw_scene(silent, None, path)
    assert path.read_bytes().startswith(start)


@pytest.mark.parametrize("scene_id", ["train-000000", "train-000001"])
def test_the_scene_asked_for_is_drawn(dataset, tmp_path, monkeypatch, scene_id):
    drawn = drawn_scenes(monkeypatch)
    draw_scene(dataset, scene_id, tmp_path / "scene.png")
    (scene,) = (scene for scene in load_scenes(dataset, "train") if scene.graph.scene_id == scene_id)
    assert drawn[0].graph == scene.graph
    np.testing.assert_array_equal(drawn[0].waveform, scene.waveform)


@pytest.mark.parametrize("index", [0, 99, 100, 1199, 1200, 1301])
def test_scenes_are_found_across_row_groups_and_files(silent, tmp_path, monkeypatch, index):
    drawn = drawn_scenes(monkeypatch)
    draw_scene(silent, f"validation-{index:06d}" if index else None, tmp_path / "scene.png")
    assert drawn[0].graph.scene_id == f"validation-{index:06d}"
    assert not drawn[0].has_stored_audio


def drawn_scenes(monkeypatch) -> list[Scene]:
    """The scenes that are drawn from now on; the picture itself is a blank one."""
    from matplotlib.figure import Figure

    drawn = []
    monkeypatch.setattr("clear_gen.datasets.scenes.figure.scene_figure", lambda scene: drawn.append(scene) or Figure())
    return drawn


@pytest.mark.parametrize("scene_id", ["train-000002", "train-2", "test-000000", "train-0000000", "../train-000000", ""])
def test_unknown_scene(dataset, tmp_path, scene_id):
    with pytest.raises(InputError) as error:
        draw_scene(dataset, scene_id, tmp_path / "scene.png")
    assert str(error.value) == f"{dataset}: scene: found {scene_id!r}, expected train-000000 to train-000001"
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("name", ["scene.jpg", "scene", "png"])
def test_unknown_suffix(dataset, tmp_path, name):
    with pytest.raises(InputError, match=r"suffix: found .*, expected one of: png, svg, pdf"):
        draw_scene(dataset, None, tmp_path / name)


def test_no_dataset(tmp_path):
    with pytest.raises(InputError, match="found no dataset"):
        draw_scene(tmp_path, None, tmp_path / "scene.png")


# --- texts -----------------------------------------------------------------------------------------------------------


def crowded(shortest_s: float, instrument: str = "clarinet") -> Scene:
    """15 sounds of 1.2 s without a gap, every fifth of them short instead, in a room with the shortest tail."""
    sounds, onset = [], 0
    for k in range(15):
        n_samples = round(RATE * (shortest_s if k % 5 == 0 else 1.2))
        values = {"instrument": instrument, "note": "C#", "octave": 4, "brightness": "bright", "loudness": None}
        sounds.append(Sound(f"s{k}", onset, n_samples, 0.0, values))
        onset += n_samples
    room, noise = Reverb(0.15, 3.0, 0.0, 4000.0, 1), Noise(-63.2, 1)
    graph = SceneGraph("train-000000", "train", "clear2", RATE, onset + 2400, onset, tuple(sounds), room, noise)
    attributes = {**CLEAR2.attributes, "instrument": GivenAttribute(values=[instrument])}
    return Scene(graph, CLEAR2.model_copy(update={"attributes": attributes}), "recorded")


@pytest.mark.parametrize(("shortest_s", "rotation"), [(1.2, 0), (0.9, 0), (0.4, 90), (0.2, 90)])
@pytest.mark.parametrize("instrument", ["clarinet", "contrabass clarinet"])
def test_texts_lie_within_their_blocks(shortest_s, rotation, instrument):
    scene = crowded(shortest_s, instrument)
    panel = scene_figure(scene).axes[0]
    scale = panel.get_window_extent().width / panel.get_xlim()[1]
    origin = panel.get_window_extent().x0
    texts = iter(panel.texts)
    for sound in scene.graph.sounds:
        cells = [next(texts) for _ in range(4)]
        words = [cell.get_text() for cell in cells]
        assert words == [instrument if instrument == "clarinet" else "contrabass …", "C#4", "bright", "?"]
        assert {cell.get_rotation() for cell in cells} == {rotation if instrument == "clarinet" else 90}
        boxes = [cell.get_window_extent() for cell in cells]
        left, right = (origin + scale * at / RATE for at in (sound.onset_sample, sound.onset_sample + sound.n_samples))
        assert left < min(box.x0 for box in boxes)
        assert max(box.x1 for box in boxes) < right
        assert all(above.y0 > below.y1 for above, below in pairwise(boxes))
    tail = next(texts)
    assert tail.get_text() == "reverberation tail"


def test_title_says_what_the_scene_is_in():
    title = scene_figure(crowded(1.0)).get_suptitle()
    for part in ("train-000000", "15 sounds", "RT60 0.15 s, DRR 3.0 dB", "−63 dBFS", "no audio"):
        assert part in title


@pytest.mark.parametrize("shortest_s", [1.2, 0.3, 0.05])
def test_words_that_are_too_long_are_cut_and_stay_legible(shortest_s):
    figure = scene_figure(crowded(shortest_s, "a contrabass clarinet of the nineteenth century"))
    panel = figure.axes[0]
    box = panel.get_window_extent()
    cells = [text for text in panel.texts[:60] if text.get_visible()]
    assert len(cells) >= 48  # of very short sounds nothing can be read
    assert len({text.get_rotation() for text in cells}) == 1
    for text in cells:
        extent = text.get_window_extent()
        assert box.y0 <= extent.y0
        assert extent.y1 <= box.y1
        assert text.get_fontsize() >= LEAST_UPRIGHT_POINTS
    assert "…" in cells[0].get_text() or cells[0].get_text() == "C#4"
    assert not is_clipped(figure)
    assert not overlapping_words(figure)


def test_a_legend_where_eight_colours_are_not_enough():
    scene = crowded(1.2)
    assert not scene_figure(scene).legends
    names = [f"noise ${k}$" for k in range(12)]
    sounds = [
        replace(sound, attributes={**sound.attributes, "instrument": names[k % 12]})
        for k, sound in enumerate(scene.graph.sounds)
    ]
    attributes = {**CLEAR2.attributes, "instrument": GivenAttribute(values=names)}
    graph, domain = replace(scene.graph, sounds=tuple(sounds)), CLEAR2.model_copy(update={"attributes": attributes})
    figure = scene_figure(Scene(graph, domain, "recorded"))
    (legend,) = figure.legends
    assert [text.get_text() for text in legend.get_texts()] == names
    assert len({patch.get_facecolor() for patch in legend.get_patches()}) == 12
    assert not is_clipped(figure)
    assert not overlapping_words(figure)


@pytest.mark.parametrize("rate", [8000, 16_000, 44_100, 96_000])
def test_named_frequencies_have_room(rate):
    ticks = frequency_ticks(band_centres_hz(rate))
    assert len(ticks) >= 4
    assert min(np.diff([band for _, band in ticks])) >= 0.08 * N_BANDS


def test_no_two_colours_are_alike():
    assert len({colour_of(number) for number in range(300)}) == 300
