"""Datasets of scenes with questions, each made once, and runners of the commands that ask."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from clear_gen.questions.templates.collection import read_templates
from clear_gen.questions.templates.template import as_json
from clear_gen.scenes.domain import Domain
from tests.datasets.runs import RATE, Runner, runner, write_banks
from tests.datasets.scenes.questions.commands import (
    FEW,
    FOUR,
    LATE,
    MANY,
    Scenes,
    ask,
)


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Runner]:
    with runner(tmp_path_factory.mktemp("runner"), late=LATE) as it:
        yield it


@pytest.fixture(scope="module")
def second(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Runner]:
    with runner(tmp_path_factory.mktemp("second"), late=LATE) as it:
        yield it


@pytest.fixture(scope="module")
def banks(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    return [*write_banks(tmp_path_factory.mktemp("banks")), "--sample-rate", str(RATE)]


@pytest.fixture(scope="module")
def scenes(run: Runner, banks: list[str], tmp_path_factory: pytest.TempPathFactory) -> Scenes:
    """Makes a dataset of graphs by these options, once, and copies it."""
    made: dict[tuple[str, ...], Path] = {}
    folder = tmp_path_factory.mktemp("scenes")

    def copy(to: Path, *options: str) -> Path:
        if options not in made:
            made[options] = folder / str(len(made))
            done = run("scenes", *options, *banks, "--no-audio", "--workers", "1", "--out", str(made[options]))
            assert done.code == 0, done
        shutil.copytree(made[options], to)
        return to

    return copy


@pytest.fixture(scope="module")
def four(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """The options with which the four templates above are used."""
    path = tmp_path_factory.mktemp("templates") / "four.json"
    path.write_text(json.dumps(FOUR))
    return ["--templates", str(path)]


@pytest.fixture(scope="module")
def few(run: Runner, scenes: Scenes, four: list[str], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Questions by four templates, undisturbed."""
    folder = scenes(tmp_path_factory.mktemp("few") / "data", *FEW)
    assert ask(run, folder, *four).code == 0
    return folder


@pytest.fixture(scope="module")
def some(clear2: Domain, tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """Every 15th of the packaged templates, of all types."""
    templates = read_templates(clear2, [])[::15]
    assert {one.question_type for one in templates} == set(clear2.question_types)
    path = tmp_path_factory.mktemp("templates") / "some.json"
    path.write_text(as_json(templates))
    return ["--templates", str(path)]


@pytest.fixture(scope="module")
def many(run: Runner, scenes: Scenes, some: list[str], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Questions about several files by some of the packaged templates, one worker."""
    folder = scenes(tmp_path_factory.mktemp("many") / "data", *MANY)
    assert ask(run, folder, *some).code == 0
    return folder
