"""Scenes generated from Python: those of the command line; changed copies; questions; programs."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import clear_gen as cg
from clear_gen.cli import run
from clear_gen.cli.common import DONE
from clear_gen.core.pcm import PCM_PEAK, sha256_pcm, to_pcm16
from clear_gen.scenes.graph import row_of_graph
from tests.api.conftest import SIZES
from tests.datasets.runs import RATE
from tests.questions import oracle

STEP = 1 / PCM_PEAK


@pytest.fixture(scope="module")
def bank(banks: dict[str, Path]) -> cg.Bank:
    return cg.Bank.open(banks["train"])


@pytest.fixture(scope="module")
def scene(bank: cg.Bank) -> cg.Scene:
    return cg.generate_scene(bank, seed=3, index=1)


# --- the same scenes as the command line's ----------------------------------------------------------------------------


@pytest.mark.parametrize(("split", "index"), [("train", 0), ("train", 169), ("validation", 4), ("test", 2)])
def test_a_generated_scene_is_that_of_the_dataset(data: Path, banks: dict[str, Path], split: str, index: int) -> None:
    bank = cg.Bank.open(banks["test" if split == "test" else "train"])
    scene = cg.generate_scene(bank, domain="clear2", seed=3, split=split, index=index)
    stored = cg.open_dataset(data).scenes(split)[index]
    assert scene.graph == stored.graph
    assert np.array_equal(scene.waveform, stored.waveform)
    assert cg.generate_scene(bank, seed=4, split=split, index=index).graph != stored.graph


@pytest.mark.parametrize("levels", ["recorded", "independent"])
def test_another_rate_and_independent_levels(banks: dict[str, Path], tmp_path: Path, levels: str) -> None:
    options = ["--n", "2", "--splits", "1,0,0", "--seed", "9", "--sample-rate", "11025", "--levels", levels]
    out = tmp_path / "data"
    assert run(["scenes", *options, "--workers", "1", "--bank", str(banks["train"]), "--out", str(out)]) == DONE
    for index, stored in enumerate(cg.open_dataset(out).scenes("train")):
        scene = cg.generate_scene(banks["train"], seed=9, index=index, sample_rate=11025, levels=levels)
        assert scene.graph == stored.graph
        assert np.array_equal(scene.waveform, stored.waveform)
        assert scene.levels == stored.levels == levels


def test_paths_may_be_text_or_path(data: Path, banks: dict[str, Path], tmp_path: Path) -> None:
    assert cg.Bank.open(str(banks["train"])).sha256 == cg.Bank.open(banks["train"]).sha256
    assert cg.generate_scene(str(banks["train"])).graph == cg.generate_scene(banks["train"]).graph
    assert cg.open_dataset(str(data)).splits == cg.open_dataset(data).splits == SIZES


def test_the_default_banks_are_the_embedded_ones(embedded: dict[str, cg.Bank]) -> None:
    for side in ("train", "test"):
        assert cg.default_bank(side).sha256 == embedded[side].sha256
    with pytest.raises(cg.InputError, match="side: found 'validation', expected one of: train, test"):
        cg.default_bank("validation")  # type: ignore[arg-type]


NONSENSE = {
    "seed": ({"seed": -1}, "seed: found -1, expected a whole number of at least 0"),
    "index": ({"index": 0.5}, "index: found 0.5, expected a whole number from 0"),
    "rate": ({"sample_rate": 100}, "sample_rate: found 100, expected a whole number from 8000 to 192000"),
    "split": ({"split": "val"}, "split: found 'val', expected one of: train, validation, test"),
    "levels": ({"levels": "loud"}, "levels: found 'loud', expected one of: recorded, independent"),
    "domain": ({"domain": "environmental"}, "bank: domain: found clear2, expected environmental"),
    "unknown domain": ({"domain": "jazz"}, "domain: found .jazz., expected a folder"),
}


@pytest.mark.parametrize("case", NONSENSE)
def test_nonsense_is_refused_in_one_line(bank: cg.Bank, case: str) -> None:
    arguments, message = NONSENSE[case]
    with pytest.raises(cg.InputError, match=message) as raised:
        cg.generate_scene(bank, **arguments)
    assert len(str(raised.value).splitlines()) == 1


# --- waveforms and changed copies -------------------------------------------------------------------------------------


def test_waveforms_are_float32_and_writable(data: Path, scene: cg.Scene) -> None:
    for one in (scene, cg.open_dataset(data).scenes("test")[0], cg.open_dataset(data).questions("test")[3].scene):
        assert one.waveform.dtype == np.float32
        assert one.waveform.shape == (one.graph.n_samples,)
        one.waveform[0] = 0.5
        assert one.waveform[0] == 0.5
    again = cg.open_dataset(data).scenes("test")[0]
    assert sha256_pcm(to_pcm16(again.waveform)) != sha256_pcm(
        to_pcm16(cg.open_dataset(data).scenes("test")[1].waveform)
    )


@pytest.mark.parametrize(
    ("rt60_s", "pre_delay_s", "tail_s"), [(0.5, 0.0, 0.5), (0.2, 0.0401, 0.2401), (0.02, 0, 0.02), (0.7, 0.3, 1.0)]
)
def test_the_length_follows_the_room(scene: cg.Scene, rt60_s: float, pre_delay_s: float, tail_s: float) -> None:
    changed = scene.replace(reverb={"rt60_s": rt60_s, "pre_delay_s": pre_delay_s})
    dry = max(sound.onset_sample + sound.n_samples for sound in scene.graph.sounds)
    assert scene.graph.n_samples_dry >= dry
    assert (
        len(changed.waveform) == changed.graph.n_samples == scene.graph.n_samples_dry + math.floor(tail_s * RATE + 0.5)
    )
    assert changed.graph.reverb is not None
    assert scene.graph.reverb is not None
    assert changed.graph.reverb.seed == scene.graph.reverb.seed
    assert len(scene.replace(reverb=None).waveform) == scene.graph.n_samples_dry


def test_without_room_and_noise_the_scene_is_the_sum_of_its_sounds(bank: cg.Bank, scene: cg.Scene) -> None:
    gains_db = [3.0 * (place % 3) - 6 for place in range(len(scene.graph.sounds))]
    plain = scene.replace(reverb=None, noise=None, gains_db=gains_db)
    expected = np.zeros(scene.graph.n_samples_dry)
    for sound, gain_db in zip(scene.graph.sounds, gains_db, strict=True):
        samples = bank.by_id[sound.sound_id].waveform
        expected[sound.onset_sample : sound.onset_sample + len(samples)] += 10 ** (gain_db / 20) * samples
    assert np.abs(expected).max() < 1
    assert np.abs(plain.waveform - expected).max() <= STEP
    assert (plain.graph.reverb, plain.graph.noise) == (None, None)


def test_noise_has_the_level_it_is_given(scene: cg.Scene) -> None:
    noisy, silent = scene.replace(noise={"level_dbfs": -30}), scene.replace(noise=None)
    assert len(noisy.waveform) == len(silent.waveform)
    noise = noisy.waveform - silent.waveform
    assert 20 * np.log10(noise.std()) == pytest.approx(-30, abs=0.1)
    assert scene.replace(noise=cg.Noise(-30.0, 1)).graph.noise == cg.Noise(-30.0, 1)


def test_labels_of_loudness_follow_the_gains(bank: cg.Bank, scene: cg.Scene) -> None:
    low, high = bank.thresholds["loudness"]
    middle_lufs = (low + high) / 2
    levels_lufs = [bank.by_id[sound.sound_id].loudness_lufs for sound in scene.graph.sounds]
    for target_lufs, label in ((middle_lufs + 5, "loud"), (middle_lufs - 5, "quiet"), (middle_lufs, None)):
        changed = scene.replace(gains_db=[target_lufs - level for level in levels_lufs])
        assert {sound.attributes["loudness"] for sound in changed.graph.sounds} == {label}
        for before, after in zip(scene.graph.sounds, changed.graph.sounds, strict=True):
            assert {**before.attributes, "loudness": None} == {**after.attributes, "loudness": None}
    assert scene.replace(gains_db=[sound.gain_db for sound in scene.graph.sounds]).graph == scene.graph


def test_a_stored_scene_is_changed_in_the_same_way(data: Path, scene: cg.Scene) -> None:
    stored = cg.open_dataset(data).scenes("train")[1]
    change: dict[str, Any] = {"reverb": {"rt60_s": 0.3}, "noise": None}
    assert stored.replace(**change).graph == scene.replace(**change).graph
    assert np.array_equal(stored.replace(**change).waveform, scene.replace(**change).waveform)
    assert not stored.replace(noise=None).has_stored_audio


IMPOSSIBLE: dict[str, tuple[dict[str, Any], str]] = {
    "long room": ({"reverb": {"rt60_s": 3}}, "reverb.rt60_s: found 3, expected a number from 0.02 to 1"),
    "room and gap": ({"reverb": {"rt60_s": 0.9, "pre_delay_s": 0.5}}, r"rt60_s \+ pre_delay_s: found 1.4 s"),
    "no number": ({"reverb": {"drr_db": "much"}}, "reverb.drr_db: found 'much', expected a number"),
    "nan": ({"noise": {"level_dbfs": float("nan")}}, "noise.level_dbfs: found nan, expected a number of at most -6"),
    "loud noise": ({"noise": {"level_dbfs": 0}}, "noise.level_dbfs: found 0, expected a number of at most -6"),
    "field": (
        {"noise": {"level": -30}},
        "noise: field: found 'level' .did you mean level_dbfs.., expected some of: level_dbfs, seed",
    ),
    "kind": ({"noise": -30}, "noise: found -30, expected a Noise"),
    "seed": ({"noise": {"seed": 0.5}}, "noise.seed: found 0.5, expected a whole number"),
    "one gain": ({"gains_db": [0.0]}, "gains_db: found .*, expected 10 numbers, one per sound"),
    "infinite": ({"gains_db": [math.inf] * 10}, r"gains_db\[0\]: found inf, expected a number from -60 to 60"),
}


@pytest.mark.parametrize("case", IMPOSSIBLE)
def test_what_no_scene_can_be_is_refused_in_one_line(scene: cg.Scene, case: str) -> None:
    change, message = IMPOSSIBLE[case]
    assert len(scene.graph.sounds) == 10
    with pytest.raises(cg.InputError, match=message) as raised:
        scene.replace(**change)
    assert len(str(raised.value).splitlines()) == 1


def test_a_new_room_needs_all_its_fields(scene: cg.Scene) -> None:
    dry = scene.replace(reverb=None)
    with pytest.raises(cg.InputError, match=r"reverb.drr_db: found none, and the scene has no reverb"):
        dry.replace(reverb={"rt60_s": 0.3})
    room = {"rt60_s": 0.3, "drr_db": 6, "pre_delay_s": 0.01, "damping_hz": 4000, "seed": 5}
    assert dry.replace(reverb=room).graph.reverb == cg.Reverb(**room)


# --- questions --------------------------------------------------------------------------------------------------------


def test_questions_are_right_by_the_independent_oracle(banks: dict[str, Path]) -> None:
    for index in range(6):
        scene = cg.generate_scene(banks["train"], seed=5, index=index)
        found = scene.questions(8, seed=2)
        assert len({question.text for question in found}) == len(found) >= 6
        for question in found:
            assert question.scene is scene
            assert oracle.answer(question.program, row_of_graph(scene.graph)) == question.answer
            assert scene.ask(question.program) == question.answer


def test_questions_are_repeatable_and_of_the_types_asked_for(scene: cg.Scene) -> None:
    first, again, other = (scene.questions(5, seed=seed) for seed in (0, 0, 1))
    assert [question.text for question in first] == [question.text for question in again]
    assert [question.text for question in first] != [question.text for question in other]
    assert len(first) == 5
    found = scene.questions(6, types=["count", "exist"])
    assert {question.question_type for question in found} == {"count", "exist"}


def test_a_stored_scene_is_asked_in_the_same_way(data: Path, scene: cg.Scene) -> None:
    stored = cg.open_dataset(data).scenes("train")[1]
    assert [one.text for one in stored.questions(4)] == [one.text for one in scene.questions(4)]


def test_questions_follow_a_changed_scene(scene: cg.Scene) -> None:
    loud = scene.replace(gains_db=[40.0] * len(scene.graph.sounds))
    program = [
        {"function": "scene"},
        {"function": "filter_loudness", "inputs": [0], "values": ["loud"]},
        {"function": "count", "inputs": [1]},
    ]
    assert loud.ask(program) == str(len(scene.graph.sounds))
    assert scene.ask(program) != loud.ask(program)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"n": 0}, "n: found 0, expected a whole number from 1 to 100"),
        ({"seed": -1}, "seed: found -1, expected a whole number of at least 0"),
        ({"types": ["rhythm"]}, "types: found 'rhythm', expected a list of some of: note, instrument"),
        ({"types": "count"}, "types: found 'count', expected a list"),
        ({"types": []}, "types: found none"),
        ({"templates": ["none.yaml"]}, "none.yaml: not found"),
    ],
)
def test_questions_that_cannot_be_are_refused(scene: cg.Scene, arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(cg.InputError, match=message):
        scene.questions(**arguments)


# --- programs ---------------------------------------------------------------------------------------------------------

BAD_PROGRAMS: dict[str, tuple[Any, str]] = {
    "text": ("scene", "program: found str, expected a list of nodes"),
    "nothing": ([], "program: found list, expected a list of nodes"),
    "no object": (["scene"], "node 0: found scene, expected an object with function"),
    "unknown function": ([{"function": "sing"}], "node 0: function: found 'sing', expected one of: add, count"),
    "unknown field": ([{"function": "scene", "input": [0]}], "node 0: input: found an unknown field"),
    "forward": (
        [{"function": "count", "inputs": [1]}, {"function": "scene"}],
        "node 0: inputs: found .*, expected numbers of earlier nodes",
    ),
    "types": (
        [{"function": "scene"}, {"function": "query_note", "inputs": [0]}],
        "node 1: inputs of query_note: found set, expected sound",
    ),
    "value": (
        [{"function": "scene"}, {"function": "filter_instrument", "inputs": [0], "values": ["kazoo"]}],
        "node 1: values of filter_instrument: found 'kazoo', expected one of: bass",
    ),
    "no answer": ([{"function": "scene"}], "last node: found set, expected one that gives an answer"),
    "too long": ([{"function": "scene"}] * 201, "found 201 nodes, expected at most 200"),
}


@pytest.mark.parametrize("case", BAD_PROGRAMS)
def test_a_bad_program_is_refused_before_it_runs(scene: cg.Scene, case: str) -> None:
    program, message = BAD_PROGRAMS[case]
    with pytest.raises(cg.InputError, match=message) as raised:
        scene.ask(program)
    assert len(str(raised.value).splitlines()) == 1


def test_programs_are_answered_as_on_the_command_line(
    data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    scene = cg.open_dataset(data).scenes("train")[7]
    violins = [
        {"function": "scene"},
        {"function": "filter_instrument", "inputs": [0], "values": ["violin"]},
        {"function": "count", "inputs": [1]},
    ]
    (tmp_path / "program.json").write_text(json.dumps(violins))
    arguments = ["ask", str(data), "--scene", "train-000007", "--program", str(tmp_path / "program.json"), "--no-trace"]
    assert run(arguments) == DONE
    expected = sum(sound.attributes["instrument"] == "violin" for sound in scene.graph.sounds)
    assert capsys.readouterr().out.strip() == scene.ask(violins) == str(expected)


def test_a_program_without_a_certain_answer_says_why(scene: cg.Scene) -> None:
    found = scene.ask(
        [{"function": "scene"}, {"function": "unique", "inputs": [0]}, {"function": "query_note", "inputs": [1]}]
    )
    assert found == cg.IllPosed("step 1, unique: found 10 sounds, expected 1")
