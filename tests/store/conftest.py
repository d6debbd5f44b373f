"""Stub datasets that the tests of faults compare with, each made undisturbed in this process, and a runner."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.datasets.runs import Runner, runner
from tests.store import stub
from tests.store.commands import FEW, MANY, command


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Runner]:
    """Runs the stub's commands, each in a process of its own."""
    with runner(tmp_path_factory.mktemp("runner"), "tests.store.stub") as it:
        yield it


def _undisturbed(folder: Path, sizes: str, *more: str) -> Path:
    assert stub.run(command(folder, sizes, 1, *more)) == 0
    return folder


@pytest.fixture(scope="module")
def few(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return _undisturbed(tmp_path_factory.mktemp("few") / "data", FEW)


@pytest.fixture(scope="module")
def other_seed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return _undisturbed(tmp_path_factory.mktemp("other") / "data", FEW, "--seed", "1")


@pytest.fixture(scope="module")
def many(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return _undisturbed(tmp_path_factory.mktemp("many") / "data", MANY)
