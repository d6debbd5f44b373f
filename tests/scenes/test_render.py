"""Rendering against a slow obvious renderer, and the physics and promises of the result."""

from __future__ import annotations

import hashlib
import json
import multiprocessing
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from clear_gen.core.errors import InputError
from clear_gen.scenes.domain import load_domain
from clear_gen.scenes.graph import Noise, Reverb, SceneGraph, Sound, graph_of_row, tail_samples
from clear_gen.scenes.render import render, render_pcm
from clear_gen.scenes.room import reverb_tail
from clear_gen.scenes.sampler import SceneSpec, sample_scenes
from clear_gen.sounds.bank import Bank
from tests.banks import bank_of, sound_of, tone_bank
from tests.counts import NIGHTLY, examples

RATE = 16000
FIXTURE = Path(__file__).resolve().parents[1] / "data" / "render_fixture.json"
ROOM = Reverb(0.4, 6.0, 0.02, 4000.0, 1234)
NOISE = Noise(-60.0, 99)


def scene(
    bank: Bank,
    placed: list[tuple[str, int, float]],
    reverb: Reverb | None = None,
    noise: Noise | None = None,
    n_dry: int = 24000,
) -> SceneGraph:
    """A graph of (sound id, onset, gain in dB)."""
    sounds = tuple(Sound(name, onset, len(bank.by_id[name].pcm), gain_db, {}) for name, onset, gain_db in placed)
    tail = int(tail_samples(reverb.rt60_s, reverb.pre_delay_s, bank.sample_rate)) if reverb else 0
    return SceneGraph("s", "train", "clear2", bank.sample_rate, n_dry + tail, n_dry, sounds, reverb, noise)


def sampled(seed: int, n: int, bank: Bank | None = None, levels="recorded") -> list[SceneGraph]:
    bank = bank or tone_bank()
    spec = SceneSpec(seed, bank.sample_rate, levels)
    rows = sample_scenes(bank, load_domain("clear2"), spec, "train", range(n)).to_pylist()
    return [graph_of_row(row) for row in rows]


def slow_signal(graph: SceneGraph, bank: Bank) -> np.ndarray:
    """The sounds in their room in float64, before anti-clip and noise."""
    dry = np.zeros(graph.n_samples_dry)
    for sound in graph.sounds:
        samples = bank.by_id[sound.sound_id].pcm / 32767
        for k, sample in enumerate(samples * 10 ** (sound.gain_db / 20)):
            dry[sound.onset_sample + k] += sample
    if graph.reverb is None:
        return dry
    start, tail = reverb_tail(graph.reverb, graph.sample_rate)
    response = np.zeros(start + len(tail))
    response[0], response[start:] = 1, tail
    return np.convolve(dry, response)


def slow_render(graph: SceneGraph, bank: Bank) -> np.ndarray:
    """Sounds, room, one gain if the peak would not fit, noise."""
    signal = slow_signal(graph, bank)
    room_left = 1 - (np.sqrt(3) * 10 ** (graph.noise.level_dbfs / 20) if graph.noise else 0)
    signal = signal * min(1, room_left / max(np.abs(signal).max(), 1e-300))
    if graph.noise:
        uniform = np.random.Generator(np.random.SFC64(graph.noise.seed)).random(len(signal), np.float32)
        signal = signal + (2 * uniform.astype(float) - 1) * np.sqrt(3) * 10 ** (graph.noise.level_dbfs / 20)
    return signal


@pytest.mark.parametrize("levels", ["recorded", "independent"])
def test_whole_scenes_are_those_of_the_slow_renderer(levels):
    bank = tone_bank()
    for graph in sampled(1, 6 if NIGHTLY else 1, levels=levels):
        found = render(graph, bank)
        assert found.shape == (graph.n_samples,)
        assert found.dtype == np.float32
        assert np.abs(found - slow_render(graph, bank)).max() < 1e-5


def test_loud_scenes_too_are_those_of_the_slow_renderer():
    bank = tone_bank()
    for graph in sampled(2, 3 if NIGHTLY else 1):
        loud = replace(graph, sounds=tuple(replace(sound, gain_db=25.0) for sound in graph.sounds))
        assert np.abs(slow_signal(loud, bank)).max() > 2
        assert np.abs(render(loud, bank) - slow_render(loud, bank)).max() < 1e-5


# --- noise ------------------------------------------------------------------------------------------------------------


def noise_of(noise: Noise, n_samples: int, sample_rate: int = RATE) -> np.ndarray:
    """What is heard in a scene of one silent sound."""
    bank = bank_of([sound_of("silence", np.zeros(4000), sample_rate)])
    return render(scene(bank, [("silence", 0, 0.0)], noise=noise, n_dry=n_samples), bank).astype(float)


def level_dbfs(x: np.ndarray) -> float:
    return 20 * np.log10(np.sqrt(np.mean(np.square(x, dtype=float))))


@examples(30, derandomize=True)
@given(level=st.floats(-80, -50), seed=st.integers(0, 2**53 - 1))
def test_noise_is_as_loud_as_asked_uniform_and_centred(level, seed):
    x = noise_of(Noise(level, seed), 48000)
    amplitude = np.sqrt(3) * 10 ** (level / 20)
    assert level_dbfs(x) == pytest.approx(level, abs=0.1)
    assert np.abs(x).max() <= amplitude * (1 + 1e-6)
    assert abs(x.mean()) < 5 * x.std() / np.sqrt(len(x))
    assert stats.kstest(x, stats.uniform(-amplitude, 2 * amplitude).cdf).pvalue > 1e-4


def test_noise_is_white():
    x = noise_of(Noise(-60, 7), 200_000)
    power = np.abs(np.fft.rfft(x)[1:]) ** 2
    bands_db = 10 * np.log10([band.mean() for band in np.array_split(power, 16)])
    assert np.ptp(bands_db) < 0.5
    padded = np.abs(np.fft.rfft(x, 2 * len(x))) ** 2
    correlation = np.fft.irfft(padded)[:2000] / np.sum(x * x)
    assert np.abs(correlation[1:]).max() < 5 / np.sqrt(len(x))


def test_noise_of_different_scenes_is_unrelated():
    drawn = [noise_of(graph.noise, 50_000) for graph in sampled(3, 12)]
    related = np.corrcoef(drawn) - np.eye(12)
    assert np.abs(related).max() < 5 / np.sqrt(50_000)
    assert len({round(level_dbfs(x), 1) for x in drawn}) > 6


def test_noise_lasts_through_the_tail_and_the_silences():
    bank = tone_bank()
    graph = scene(bank, [("tone-000", 8000, 0.0)], ROOM, Noise(-50, 3))
    x = render(graph, bank)
    assert level_dbfs(x[:7900]) == pytest.approx(-50, abs=0.2)
    assert level_dbfs(x[-2000:]) == pytest.approx(-50, abs=0.5)


def test_noise_is_not_reverberated():
    bank = bank_of([sound_of("silence", np.zeros(4000), RATE)])
    in_room = render(scene(bank, [("silence", 0, 0.0)], ROOM, NOISE), bank)
    assert in_room[:24000].tobytes() == render(scene(bank, [("silence", 0, 0.0)], None, NOISE), bank).tobytes()


# --- sounds and room --------------------------------------------------------------------------------------------------


def test_without_room_and_noise_the_sounds_are_there_as_they_are():
    bank = tone_bank()
    placed = [("tone-003", 100, 0.0), ("tone-007", 9000, 0.0)]
    x = render(scene(bank, placed), bank)
    for name, onset, _ in placed:
        pcm = bank.by_id[name].pcm
        assert np.abs(x[onset : onset + len(pcm)] - pcm / 32767).max() < 1e-7
        x[onset : onset + len(pcm)] = 0
    assert not x.any()


@pytest.mark.parametrize("reverb", [None, ROOM])
def test_silence_in_is_silence_out(reverb):
    bank = bank_of([sound_of("silence", np.zeros(5000), RATE)])
    graph = scene(bank, [("silence", 300, 6.0), ("silence", 9000, -6.0)], reverb)
    assert not render(graph, bank).any()
    pcm, rendered = render_pcm(graph, bank)
    assert not pcm.any()
    assert rendered.peak_dbfs is None
    assert rendered.scale_db == 0


@examples(20)
@given(gain_db=st.floats(-60, 3), seed=st.integers(0, 2**53 - 1))
def test_a_gain_on_every_sound_is_that_gain_on_the_scene(gain_db, seed):
    bank = tone_bank()
    placed = [("tone-001", 500, -10.0), ("tone-002", 9000, -4.0)]
    room = replace(ROOM, seed=seed)
    reference = render(scene(bank, placed, room), bank)
    louder = render(scene(bank, [(name, onset, own + gain_db) for name, onset, own in placed], room), bank)
    assert np.abs(louder - reference * 10 ** (gain_db / 20)).max() < 1e-5 * np.abs(louder).max()


@pytest.mark.parametrize("reverb", [None, ROOM])
def test_two_scenes_add_up(reverb):
    bank = tone_bank()
    one, two = [("tone-010", 0, -6.0), ("tone-011", 8000, -3.0)], [("tone-012", 4000, -6.0)]
    together = render(scene(bank, one + two, reverb), bank)
    apart = render(scene(bank, one, reverb), bank) + render(scene(bank, two, reverb), bank)
    assert np.abs(together - apart).max() < 1e-6


def test_a_later_onset_only_shifts_the_scene():
    bank = tone_bank()
    early = render(scene(bank, [("tone-005", 100, 0.0)], ROOM), bank)
    late = render(scene(bank, [("tone-005", 1237, 0.0)], ROOM), bank)
    assert np.abs(late[1237:] - early[100 : len(early) - 1137]).max() < 1e-6


def test_the_tail_of_the_last_sound_is_kept_whole():
    bank = tone_bank()
    n_sound = len(bank.by_id["tone-004"].pcm)
    x = render(scene(bank, [("tone-004", 24000 - n_sound, 0.0)], ROOM), bank)
    longer = render(scene(bank, [("tone-004", 24000 - n_sound, 0.0)], ROOM, n_dry=48000), bank)
    assert len(x) == 24000 + round(0.42 * RATE)
    assert level_dbfs(x[24000:26000]) > level_dbfs(x[:24000]) - 30
    assert np.abs(longer[: len(x)] - x).max() < 1e-6
    assert np.abs(longer[len(x) :]).max() < 1e-6, "nothing is cut off"
    assert level_dbfs(x[-200:]) < level_dbfs(x[24000:24200]) - 40, "it has died away at the end"


def clicks_bank(n: int, sample_rate: int) -> Bank:
    """Clicks with a soft end of sound behind them: an onset that can be found to the sample."""
    rng = np.random.default_rng(0)
    sounds = []
    for k in range(n):
        length = int(sample_rate * rng.uniform(0.25, 0.4))
        waveform = 0.002 * rng.standard_normal(length)
        waveform[0] = 0.5
        labels = {
            "instrument": ("bass", "cello", "flute")[k % 3],
            "brightness": ("dark", "bright")[k % 2],
            "loudness": ("quiet", "loud")[k // 2 % 2],
        }
        sounds.append(sound_of(f"click-{k:02d}", waveform, sample_rate, **labels))
    return bank_of(sounds)


@pytest.mark.parametrize("sample_rate", [16000, 44100, 48000])
def test_every_sound_is_heard_within_5_ms_of_its_onset(sample_rate):
    bank = clicks_bank(24, sample_rate)
    for graph in sampled(5, 8, bank):
        x = np.abs(render(graph, bank))
        found = []
        for _ in graph.sounds:
            peak = int(x.argmax())
            found.append(peak)
            x[max(0, peak - sample_rate // 10) : peak + sample_rate // 10] = 0
        onsets = [sound.onset_sample for sound in graph.sounds]
        assert np.abs(np.sort(found) - onsets).max() <= 0.005 * sample_rate


# --- full scale -------------------------------------------------------------------------------------------------------


@examples(20)
@given(
    gain_db=st.floats(-10, 60),
    level=st.floats(-80, -6),
    noisy=st.booleans(),
    in_room=st.booleans(),
    seed=st.integers(0, 2**53 - 1),
)
def test_nothing_is_ever_clipped(gain_db, level, noisy, in_room, seed):
    bank = tone_bank()
    placed = [("tone-020", 0, gain_db), ("tone-021", 9000, gain_db - 3)]
    graph = scene(bank, placed, replace(ROOM, seed=seed) if in_room else None, Noise(level, seed) if noisy else None)
    waveform, (pcm, rendered) = render(graph, bank), render_pcm(graph, bank)
    assert np.abs(waveform).max() <= 1 + 1e-6
    assert np.abs(pcm - 32767 * waveform.astype(float)).max() < 0.51
    assert np.abs(pcm.astype(int)).max() <= 32767
    assert rendered.peak_dbfs == pytest.approx(20 * np.log10(np.abs(waveform).max()), abs=1e-3)


def test_a_scene_that_fits_is_not_scaled():
    bank = tone_bank()
    for graph in sampled(6, 10):
        waveform, (_, rendered) = render(graph, bank), render_pcm(graph, bank)
        assert np.abs(waveform).max() < 1
        assert rendered.scale_db == 0


@pytest.mark.parametrize("level", [-80.0, -50.0, -12.0])
def test_noise_is_as_loud_as_asked_when_anti_clip_acts(level):
    bank = tone_bank()
    quiet = render(scene(bank, [("tone-006", 3000, -20.0)], ROOM), bank).astype(float)
    loud = scene(bank, [("tone-006", 3000, 20.0)], ROOM, Noise(level, 5))
    scale_db = render_pcm(loud, bank)[1].scale_db
    limit, peak = 1 - np.sqrt(3) * 10 ** (level / 20), 100 * np.abs(quiet).max()
    assert scale_db == pytest.approx(20 * np.log10(limit / peak), abs=1e-3)
    assert scale_db < -3
    noise = render(loud, bank) - 100 * quiet * 10 ** (scale_db / 20)
    assert level_dbfs(noise) == pytest.approx(level, abs=0.1)
    assert noise == pytest.approx(noise_of(Noise(level, 5), len(noise)), abs=2e-6)


def test_anti_clip_comes_after_the_room():
    """Sounds that fit dry but not in their room are scaled; the balance of direct sound and tail stays."""
    bank = bank_of([sound_of("hum", 0.45 * np.sin(np.arange(8000) * 0.03), RATE)])
    room = replace(ROOM, drr_db=3.0, damping_hz=2000.0)
    graph = scene(bank, [("hum", 0, 6.5)], room)
    assert np.abs(render(replace(graph, reverb=None, n_samples=graph.n_samples_dry), bank)).max() < 1
    assert render_pcm(graph, bank)[1].scale_db < 0
    x, quiet = render(graph, bank), render(scene(bank, [("hum", 0, -20.0)], room), bank)
    assert x == pytest.approx(quiet / np.abs(quiet).max(), abs=1e-5)


# --- purity -----------------------------------------------------------------------------------------------------------


def test_the_same_graph_gives_the_same_bytes_and_leaves_the_bank_alone():
    bank = tone_bank()
    before = [(sound.pcm.tobytes(), dict(sound.attributes)) for sound in bank.sounds]
    drawn = sampled(7, 4)
    first = [render(graph, bank).tobytes() for graph in drawn]
    again = [render(graph, bank).tobytes() for graph in reversed(drawn)]
    assert first == again[::-1]
    assert before == [(sound.pcm.tobytes(), sound.attributes) for sound in bank.sounds]


def test_a_rendering_does_not_share_memory_with_the_bank():
    bank = bank_of([sound_of("only", np.full(4000, 0.25), RATE)])
    graph = scene(bank, [("only", 0, 0.0)], n_dry=4000)
    render(graph, bank)[:] = 9
    assert render(graph, bank).max() < 0.26


def test_rendering_uses_nothing_but_the_placed_sounds_of_the_bank():
    bank = tone_bank()
    graph = sampled(8, 1)[0]
    used = {sound.sound_id for sound in graph.sounds}
    smaller = replace(bank, thresholds={}, sounds=tuple(s for s in reversed(bank.sounds) if s.sound_id in used))
    assert render(graph, smaller).tobytes() == render(graph, bank).tobytes()
    bare = replace(graph, scene_id="x", split="test", sounds=tuple(replace(s, attributes={}) for s in graph.sounds))
    assert render(bare, bank).tobytes() == render(graph, bank).tobytes()


def test_the_global_random_state_plays_no_part():
    bank, graph = tone_bank(), sampled(8, 1)[0]
    first = render(graph, bank).tobytes()
    np.random.seed(3)  # noqa: NPY002
    state = np.random.get_state()[1].tobytes()  # noqa: NPY002
    assert render(graph, bank).tobytes() == first
    assert np.random.get_state()[1].tobytes() == state  # noqa: NPY002


def test_the_pcm_is_the_waveform_rounded_and_its_hash_is_that_of_little_endian_samples():
    bank = tone_bank()
    for graph in sampled(9, 3):
        pcm, rendered = render_pcm(graph, bank)
        assert pcm.shape == (graph.n_samples,)
        assert pcm.dtype == np.int16
        expected = np.rint(render(graph, bank) * np.float32(32767)).astype(int)
        assert (pcm == expected).all()
        little = b"".join(int(sample).to_bytes(2, "little", signed=True) for sample in pcm)
        assert rendered.pcm_sha256 == hashlib.sha256(little).hexdigest()


def hashes(seed: int) -> list[str]:
    bank = tone_bank(20)
    return [render_pcm(graph, bank)[1].pcm_sha256 for graph in sampled(seed, 4, bank)]


def test_a_fresh_process_renders_the_same():
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        elsewhere = pool.apply(hashes, (10,))
    assert elsewhere == hashes(10)


# --- mistakes ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("reverb", [None, ROOM])
@pytest.mark.parametrize(
    ("damage", "mention"),
    [
        (lambda graph, sound: replace(graph, sounds=(replace(sound, sound_id="tuba"),)), "tuba"),
        (lambda graph, sound: replace(graph, sounds=(replace(sound, n_samples=sound.n_samples - 1),)), "tone-000"),
        (lambda graph, sound: replace(graph, sounds=(replace(sound, n_samples=sound.n_samples + 1),)), "tone-000"),
        (lambda graph, sound: replace(graph, sample_rate=8000), "8000"),
    ],
    ids=["not in the bank", "shorter", "longer", "other rate"],
)
def test_a_graph_that_does_not_fit_the_bank_is_one_line(damage, mention, reverb):
    bank = tone_bank()
    graph = scene(bank, [("tone-000", 0, 0.0)], reverb)
    for how in (render, render_pcm):
        with pytest.raises(InputError, match=mention) as raised:
            how(damage(graph, graph.sounds[0]), bank)
        assert len(str(raised.value).splitlines()) == 1
        assert str(raised.value).startswith("s: ")


@pytest.mark.parametrize(
    "damage",
    [
        lambda graph, sound: replace(graph, sounds=(replace(sound, onset_sample=graph.n_samples_dry - 10),)),
        lambda graph, sound: replace(graph, sounds=(replace(sound, onset_sample=-5),)),
        lambda graph, sound: replace(graph, n_samples=graph.n_samples - 7),
    ],
    ids=["after the end", "before the start", "no room for the tail"],
)
def test_a_graph_that_contradicts_itself_is_one_line(damage):
    bank = tone_bank()
    graph = scene(bank, [("tone-000", 0, 0.0)], ROOM)
    with pytest.raises(InputError):
        render(damage(graph, graph.sounds[0]), bank)


# --- regression -------------------------------------------------------------------------------------------------------


def fixture_scene() -> tuple[SceneGraph, Bank]:
    """Three sounds of integer arithmetic, so that only the renderer can change the result."""
    sounds = []
    for name, step, n in (("low", 97, 3000), ("mid", 389, 2500), ("high", 1201, 2000)):
        k = np.arange(n)
        pcm = ((k * step) % 4001 - 2000) * 4 * (n - k) // n
        sounds.append(sound_of(name, pcm / 32767, 8000))
        assert (sounds[-1].pcm == pcm).all()
    bank = bank_of(sounds)
    room, noise = Reverb(0.35, 5.0, 0.0125, 2500.0, 20240229), Noise(-55.0, 77)
    return scene(bank, [("mid", 400, 0.0), ("low", 3200, 3.5), ("high", 6500, -4.25)], room, noise, 9000), bank


def test_a_stored_scene_is_rendered_within_one_step():
    """Regenerate with ``python -m tests.scenes.test_render`` after a change of format."""
    pcm, rendered = render_pcm(*fixture_scene())
    stored = json.loads(FIXTURE.read_text())
    assert len(pcm) == stored["n_samples"]
    assert rendered.scale_db == stored["scale_db"]
    assert rendered.peak_dbfs == pytest.approx(stored["peak_dbfs"], abs=0.001)
    samples = pcm[:: stored["every"]].astype(int)
    assert np.abs(samples - stored["samples"]).max() <= 1
    energies = [np.sum(block.astype(float) ** 2) for block in np.array_split(pcm, len(stored["energies"]))]
    assert energies == pytest.approx(stored["energies"], rel=1e-3)
    if rendered.pcm_sha256 != stored["pcm_sha256"]:  # another CPU or FFT library: close, but not all the same
        assert np.mean(samples != stored["samples"]) < 0.1


def store_fixture() -> None:
    """Write what the renderer makes of the fixture's scene today."""
    pcm, rendered = render_pcm(*fixture_scene())
    stored = {
        "n_samples": len(pcm),
        "scale_db": rendered.scale_db,
        "peak_dbfs": rendered.peak_dbfs,
        "pcm_sha256": rendered.pcm_sha256,
        "every": 191,
        "samples": pcm[::191].tolist(),
        "energies": [float(np.sum(block.astype(float) ** 2)) for block in np.array_split(pcm, 12)],
    }
    FIXTURE.write_text(json.dumps(stored, indent=1) + "\n")


if __name__ == "__main__":
    store_fixture()
