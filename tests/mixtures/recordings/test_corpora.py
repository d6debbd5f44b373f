"""Corpora that mixtures are made of: what comes in, from every layout, and what is said of a copy that is not whole."""

from __future__ import annotations

import os
from collections import Counter
from pathlib import Path

import pytest
import soundfile
from hypothesis import HealthCheck, given
from hypothesis import strategies as st

from clear_gen.core.errors import InputError
from clear_gen.core.text import has_controls
from clear_gen.mixtures.recordings.check import SHOWN_PROBLEMS, check_corpus, described
from clear_gen.mixtures.recordings.corpora import CORPORA, corpus_backgrounds, corpus_events, recognised
from clear_gen.mixtures.recordings.corpus import PROBLEMS, UNSTATED, Corpus
from clear_gen.mixtures.recordings.read import read_backgrounds, read_events
from clear_gen.mixtures.recordings.types import Background, Event
from tests.counts import examples
from tests.mixtures.recordings import corpora_trees as trees
from tests.mixtures.recordings.corpora_trees import BREAKS, CORPUS_OF, FORMS, linked, removed, scene_name, write_tree
from tests.sounds import one_line

FSD_FORMS = ("zenodo", "kaggle", "kaggle-post")
SCENE_FORMS = ("tut2018", "tau2019")
TABLES = {"zenodo": trees.META, "kaggle": "train.csv", "kaggle-post": "train_post_competition.csv"}
HOSTILE = ["..", "../x", "/etc/passwd", '"', "\0", "audio/..", "", " ", "\r", "'", "x" * 300, "\x1b[2J", "a\nb"]
FOLD = {"tut2018": (6000, 2640), "tau2019": (9185, 4185)}  # recordings of train and test; of 2018 nobody says how many
CITIES = {
    "tut2018": ["barcelona", "helsinki", "london", "paris", "stockholm", "vienna"],
    "tau2019": ["barcelona", "helsinki", "lisbon", "london", "lyon", "milan", "paris", "prague", "stockholm", "vienna"],
}


@pytest.fixture(scope="module")
def good(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """A tree of every form, which no test may change."""
    return {form: write_tree(tmp_path_factory.mktemp(form), form) for form in FORMS}


@pytest.fixture(autouse=True)
def _small(monkeypatch: pytest.MonkeyPatch) -> None:
    trees.small_figures(monkeypatch)


def name_of(form: str) -> str:
    return CORPUS_OF.get(form, form)


def imported(form: str, folder: Path, **options: bool) -> list[Event] | list[Background]:
    take = corpus_events if form in CORPUS_OF else corpus_backgrounds
    return take(name_of(form), folder, **options)


def wrong(form: str, folder: Path, **options: bool) -> str:
    """The one line that an import of ``folder`` ends with."""
    with pytest.raises(InputError) as caught:
        imported(form, folder, **options)
    return one_line(caught)


# --- what comes in ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("form", FSD_FORMS)
def test_the_events_are_the_training_clips_in_the_order_of_their_table(good, form):
    audio = "FSDKaggle2018.audio_train" if form == "zenodo" else "audio_train"
    expected = [
        Event(
            source_id=f"{audio}/{fname}",
            path=good[form] / audio / fname,
            label=label,
            group=f"{audio}/{fname}" if form == "kaggle" else freesound_id,
            licence=UNSTATED if form == "kaggle" else licence,
            is_verified=verified == "1",
        )
        for fname, label, verified, freesound_id, licence in trees.TRAIN
    ]
    found = corpus_events("fsdkaggle2018", good[form])
    assert found == expected
    assert [event.path.is_file() for event in found] == [True] * 5


@pytest.mark.parametrize("form", SCENE_FORMS)
def test_the_backgrounds_come_in_the_order_of_their_table_with_the_place_of_recording(good, form):
    found = corpus_backgrounds(form, good[form])
    assert [background.source_id for background in found] == [scene_name(k) for k in range(6)]
    places = {background.source_id: background.group for background in found}
    assert places == {scene_name(k): f"{city}-{place}" for k, (_, city, place, _) in enumerate(trees.SCENES)}
    assert {background.licence for background in found} == {CORPORA[form].licence}
    assert all(background.path == good[form] / background.source_id for background in found)


@pytest.mark.parametrize("form", SCENE_FORMS)
def test_the_folder_that_the_archives_make_may_be_around_it(good, tmp_path, form):
    linked(good[form], tmp_path / CORPORA[form].archive)
    assert recognised(tmp_path) == form
    assert [found.source_id for found in corpus_backgrounds(form, tmp_path)] == list(map(scene_name, range(6)))
    assert check_corpus(form, tmp_path).problems == ()
    around = linked(good[form], tmp_path / "around")
    (around / CORPORA[form].archive).mkdir()
    assert len(corpus_backgrounds(form, around)) == 6  # what lies in the folder itself comes first


@pytest.mark.parametrize("form", FORMS)
def test_a_corpus_is_recognised_by_its_layout_and_read_as_one(good, form):
    assert recognised(good[form]) == name_of(form)
    read, other = (read_events, read_backgrounds) if form in CORPUS_OF else (read_backgrounds, read_events)
    assert read(good[form]) == imported(form, good[form])
    with pytest.raises(InputError) as caught:
        other(good[form])
    assert CORPORA[name_of(form)].title in one_line(caught)


def test_a_folder_of_anything_else_is_no_corpus(tmp_path):
    (tmp_path / "audio_train").mkdir()
    (tmp_path / "meta.csv").write_text("filename,label\n", encoding="utf-8")
    assert recognised(tmp_path) is None


@pytest.mark.parametrize("form", SCENE_FORMS)
def test_without_folds_the_name_of_the_folder_tells_which_scenes_these_are(good, tmp_path, form):
    for name in ("scenes", CORPORA[form].archive):
        removed("evaluation_setup")(linked(good[form], tmp_path / name))
    assert recognised(tmp_path / CORPORA[form].archive) == form
    with pytest.raises(InputError, match=r"fold1_train\.txt .* or fold1_train\.csv"):
        recognised(tmp_path / "scenes")


@pytest.mark.parametrize("form", SCENE_FORMS)
def test_scenes_whose_table_is_lost_are_not_taken_for_a_plain_folder(good, tmp_path, form):
    folder = linked(good[form], tmp_path / CORPORA[form].archive)
    with pytest.raises(InputError, match=f"found the audio of {form} alone"):
        read_backgrounds(folder / "audio")
    removed("meta.csv")(folder)
    with pytest.raises(InputError, match=r"meta\.csv: not found"):
        read_backgrounds(folder)


def test_two_corpora_in_one_folder_are_not_told_apart(good, tmp_path):
    for form in SCENE_FORMS:
        linked(good[form], tmp_path / CORPORA[form].archive)
    with pytest.raises(InputError, match="found tut2018 and tau2019, expected one"):
        read_backgrounds(tmp_path)


@pytest.mark.parametrize("form", FORMS)
def test_a_partial_copy_is_refused_unless_asked_for(good, tmp_path, form):
    folder = linked(good[form], tmp_path / form)
    whole = imported(form, good[form])
    for source in whole[:2]:
        (folder / source.source_id).unlink()
    message = wrong(form, folder)
    assert f"and 1 more of {len(whole)}, expected all of them, or --allow-missing" in message
    assert any(source.source_id in message for source in whole[:2])
    found = imported(form, folder, allow_missing=True)
    assert found == (read_events if form in CORPUS_OF else read_backgrounds)(folder, allow_missing=True)
    assert [source.source_id for source in found] == [source.source_id for source in whole[2:]]
    removed(whole[0].source_id.split("/")[0])(folder)
    assert "expected at least one" in wrong(form, folder, allow_missing=True)


def test_names_and_folders_that_are_not_there(tmp_path, good):
    with pytest.raises(InputError, match="found 'urbansound', expected one of: fsdkaggle2018, tut2018, tau2019"):
        corpus_events("urbansound", tmp_path)
    with pytest.raises(InputError, match="nowhere: not found, expected a folder with FSDKaggle2018"):
        corpus_events("fsdkaggle2018", tmp_path / "nowhere")
    with pytest.raises(InputError, match="nowhere: not found"):
        check_corpus("tau2019", tmp_path / "nowhere")
    with pytest.raises(InputError, match="which has events, expected backgrounds"):
        corpus_backgrounds("fsdkaggle2018", good["zenodo"])


# --- the check --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("decode", [False, True])
@pytest.mark.parametrize("form", FORMS)
def test_a_good_copy_has_no_problems(good, form, decode):
    report = check_corpus(name_of(form), good[form], decode=decode)
    assert report.problems == ()
    counted = {what for what, _, _ in report.counts}
    unsaid = {"kaggle": {what for what in report.corpus.figures if what.startswith(("test", "lic", "Free"))}}
    assert counted == set(report.corpus.figures) - unsaid.get(form, set())
    assert [found for _, found, _ in report.counts] == [published for _, _, published in report.counts]


@pytest.mark.parametrize("kind", BREAKS)
def test_a_break_is_found_and_stops_the_import_if_it_concerns_it(good, tmp_path, kind):
    broken = BREAKS[kind]
    folder = linked(good[broken.form], tmp_path / "corpus")
    broken.change(folder)
    report = check_corpus(name_of(broken.form), folder)
    kinds = [problem.kind for problem in report.problems]
    assert set(kinds) == {broken.kind, *broken.also}
    assert kinds == sorted(kinds, key=PROBLEMS.index)
    first = report.problems[kinds.index(broken.kind)].text
    assert broken.text in first
    assert str(folder) in first
    assert not any(has_controls(problem.text) for problem in report.problems)
    if broken.stops:
        message = wrong(broken.form, folder)
        assert str(folder) in message
        missing = ("one not there", "a scene not there", "no audio folder")
        assert broken.text in message or kind in missing
    else:
        assert imported(broken.form, folder)


@pytest.mark.parametrize("form", FORMS)
def test_what_editors_do_to_a_table_is_harmless(good, tmp_path, form):
    folder = linked(good[form], tmp_path / form)
    tables = [*folder.rglob("*.csv"), *folder.rglob("*.txt")]
    assert tables
    for path in tables:
        path.write_bytes(b"\xef\xbb\xbf" + path.read_bytes().replace(b"\n", b"\r\n") + b"\r\n")
    assert check_corpus(name_of(form), folder).problems == ()
    ours, theirs = imported(form, folder), imported(form, good[form])
    assert [(s.source_id, s.group, s.licence) for s in ours] == [(s.source_id, s.group, s.licence) for s in theirs]


@pytest.mark.parametrize("form", ["zenodo", "tau2019"])
def test_a_damaged_recording_that_its_header_hides_is_found_by_decoding(good, tmp_path, form):
    folder = linked(good[form], tmp_path / form)
    path = folder / imported(form, folder)[0].source_id
    samples, rate = soundfile.read(path, always_2d=True)
    path.unlink()
    soundfile.write(path, samples, rate, format="FLAC", subtype=CORPORA[name_of(form)].form.subtype)
    data = bytearray(path.read_bytes())
    data[len(data) // 2 : len(data) // 2 + 2000] = bytes(2000)
    path.write_bytes(data)
    assert check_corpus(name_of(form), folder).problems == ()
    problems = check_corpus(name_of(form), folder, decode=True).problems
    assert [(problem.kind, str(path) in problem.text) for problem in problems] == [("audio", True)]


def test_clips_that_were_never_scored_may_be_empty_or_gone(good, tmp_path):
    folder = linked(good["kaggle-post"], tmp_path / "corpus")
    assert soundfile.info(folder / "audio_test/0b0427e2.wav").frames == 0
    assert check_corpus("fsdkaggle2018", folder).problems == ()
    (folder / "audio_test/0b0427e2.wav").unlink()
    assert check_corpus("fsdkaggle2018", folder).problems == ()


def test_hidden_files_and_a_byte_that_only_pads_are_no_problem(good, tmp_path):
    folder = linked(good["zenodo"], tmp_path / "corpus")
    (folder / trees.WAVS / ".DS_Store").touch()
    path = folder / trees.WAVS / "001ca53d.wav"
    data = path.read_bytes()
    for missing, kinds in ((1, []), (2, ["audio"])):
        path.unlink()
        path.write_bytes(data[:4] + (len(data) - 8 + missing).to_bytes(4, "little") + data[8:])
        assert [problem.kind for problem in check_corpus("fsdkaggle2018", folder).problems] == kinds


def test_an_empty_folder_lacks_tables_and_recordings(tmp_path):
    for name in CORPORA:
        report = check_corpus(name, tmp_path)
        assert {problem.kind for problem in report.problems} == {"missing"}
        assert len(report.problems) == (4 if name == "fsdkaggle2018" else 2)
        assert report.counts == ()


def test_the_report_is_short_and_says_what_may_be_done(good, tmp_path):
    folder = linked(good["zenodo"], tmp_path / "corpus")
    for number in range(SHOWN_PROBLEMS + 2):
        (folder / "FSDKaggle2018.audio_train" / f"{number}.txt").touch()
    text = described(check_corpus("fsdkaggle2018", folder)).splitlines()
    assert sum(line.startswith("extra: ") for line in text) == SHOWN_PROBLEMS + 1
    assert "extra: and 2 more" in text
    assert text[-2].startswith("licence: Creative Commons")
    assert text[-1] == "redistribution: its audio, and mixtures of it, may be published"
    for name in ("tut2018", "tau2019"):
        assert described(check_corpus(name, good[name])).endswith("must not be published")


@given(st.sampled_from(FORMS), st.data())
@examples(150, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_whatever_a_table_says_is_one_line_and_nothing_outside_is_read(good, tmp_path, form, data):
    table = TABLES.get(form, "meta.csv")
    delimiter = "," if form in CORPUS_OF else "\t"
    rows = [line.split(delimiter) for line in (good[form] / table).read_text().splitlines()]
    row, column = data.draw(st.integers(0, len(rows) - 1)), data.draw(st.integers(0, len(rows[0]) - 1))
    rows[row][column] = data.draw(st.one_of(st.sampled_from(HOSTILE), st.text(max_size=20)))
    folder = tmp_path / form
    if not folder.exists():
        linked(good[form], folder)
    (folder / table).write_bytes("\n".join(map(delimiter.join, rows)).encode("utf-8", "surrogatepass"))
    report = check_corpus(name_of(form), folder)
    assert not any(has_controls(problem.text) for problem in report.problems)
    found, message = outcome(form, folder)
    assert not has_controls(message)
    assert all(source.path.parent.parent == folder for source in found)
    assert {source.source_id for source in found} <= {source.source_id for source in imported(form, good[form])}


def outcome(form: str, folder: Path) -> tuple[list[Event] | list[Background], str]:
    """What is imported of a partial copy, and the message if it is refused."""
    try:
        return imported(form, folder, allow_missing=True), ""
    except InputError as error:
        return [], str(error)


# --- at their real size -----------------------------------------------------------------------------------------------


def shares(total: int, fewest: int, most: int, n_labels: int) -> list[int]:
    """Clips by label that sum to ``total``, the fewest and the most being given."""
    middle, rest = divmod(total - fewest - most, n_labels - 2)
    return [fewest, most, *(middle + (k < rest) for k in range(n_labels - 2))]


def fsd_rows(corpus: Corpus, prefix: str, first: int) -> list[list[str]]:
    """fname, label, usage or verified, id, licence, as many as published, with the published distributions."""
    figures = corpus.figures
    numbers = (figures[f"{prefix}{what}"] for what in ("clips", "fewest of a label", "most of a label", "labels"))
    labels = [label for label, n in zip(corpus.labels, shares(*numbers), strict=True) for _ in range(n)]
    licences = [what[8:] for what, n in figures.items() if what.startswith("licence ") for _ in range(n)]
    third = ["Private"] * 1299 + ["Public"] * 301 if prefix else ["1"] * 3710 + ["0"] * 5763
    return [
        [f"{first + k:08x}.wav", label, third[k], str(1000 + first + k), licences[k]] for k, label in enumerate(labels)
    ]


def scene_rows(corpus: Corpus) -> list[list[str]]:
    """filename, scene_label, identifier, source_label."""
    rows, cities = [], CITIES[corpus.name]
    for k in range(corpus.figures["clips"]):
        scene, city, place = corpus.labels[k % 10], cities[k // 10 % len(cities)], k // 30
        rows.append([f"audio/{scene}-{city}-{place}-{k}-a.wav", scene, f"{city}-{place}", "a"])
    return rows


@pytest.mark.nightly
def test_fsdkaggle_at_its_published_size(tmp_path, good, monkeypatch):
    monkeypatch.undo()
    corpus = CORPORA["fsdkaggle2018"]
    for prefix, header, table, audio, first in (
        ("", "fname,label,manually_verified,freesound_id,license", trees.META, trees.WAVS, 0),
        ("test ", "fname,label,usage,freesound_id,license", trees.SCORING, trees.TESTS, 20_000),
    ):
        rows = fsd_rows(corpus, prefix, first)
        trees.lines(tmp_path / table, [header.split(","), *rows])
        (tmp_path / audio).mkdir()
        for row in rows:  # one recording under many names
            os.link(good["zenodo"] / trees.WAVS / "001ca53d.wav", tmp_path / audio / row[0])
    report = check_corpus("fsdkaggle2018", tmp_path)
    assert report.problems == ()
    assert [what for what, _, _ in report.counts] == list(corpus.figures)
    events = corpus_events("fsdkaggle2018", tmp_path)
    assert (len(events), sum(event.is_verified for event in events)) == (9473, 3710)
    assert sorted(Counter(event.label for event in events)) == sorted(corpus.labels)


@pytest.mark.parametrize("form", SCENE_FORMS)
def test_the_tables_of_scenes_at_their_published_size(tmp_path, monkeypatch, form):
    monkeypatch.undo()
    corpus = CORPORA[form]
    rows = scene_rows(corpus)
    header = ["filename", "scene_label", "identifier", "source_label"]
    trees.lines(tmp_path / "meta.csv", [header, *rows], "\t")
    n_train, n_test = FOLD[form]
    train, test = rows[:n_train], rows[n_train : n_train + n_test]
    for side, fold, n_columns in (("train", train, 2), ("test", test, 1), ("evaluate", test, 2)):
        listed = [row[:n_columns] for row in [header] * (form == "tau2019") + fold]
        trees.lines(tmp_path / f"evaluation_setup/fold1_{side}{Path(corpus.sign).suffix}", listed, "\t")
    report = check_corpus(form, tmp_path)
    assert [problem.text for problem in report.problems] == [
        f"{tmp_path / 'audio'}: not found, expected the folder of the recordings"
    ]
    assert [what for what, _, _ in report.counts] == [what for what in corpus.figures if what != "recordings"]
    assert "8,640" in described(report) if form == "tut2018" else "14,400" in described(report)


def test_the_published_figures_agree_with_each_other(monkeypatch):
    monkeypatch.undo()
    fsd = CORPORA["fsdkaggle2018"]
    assert len(set(fsd.labels)) == fsd.figures["labels"] == fsd.figures["test labels"] == 41
    assert fsd.figures["clips"] == fsd.figures["Freesound ids"] == 5210 + 4260 + 3 == 3710 + 5763
    assert fsd.figures["test clips"] == 301 + 1299
    assert [number for what, number in fsd.figures.items() if what.endswith("of a label")] == [94, 300, 25, 110]
    for form, n_clips, n_cities in (("tut2018", 24 * 360, 6), ("tau2019", 40 * 360, 10)):  # hours of ten seconds
        corpus = CORPORA[form]
        assert (corpus.figures["clips"], corpus.figures["cities"]) == (n_clips, n_cities)
        assert corpus.figures["fewest of a label"] == corpus.figures["most of a label"] == n_clips // 10
        assert len(set(corpus.labels)) == corpus.figures["labels"] == 10
    assert all(corpus.figures["recordings"] == corpus.figures["clips"] for corpus in CORPORA.values())


def test_only_the_scene_corpora_must_not_be_given_away():
    assert {name: corpus.redistribution for name, corpus in CORPORA.items()} == {
        "fsdkaggle2018": True,
        "tut2018": False,
        "tau2019": False,
    }
    assert all("non-commercial" in CORPORA[name].licence for name in SCENE_FORMS)
