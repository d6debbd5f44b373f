"""Fixtures shared by all tests."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from clear_gen.core import progress
from clear_gen.scenes.domain import Domain, load_domain
from clear_gen.sounds.bank import Bank
from clear_gen.sounds.default import default_banks
from tests import counts  # noqa: F401  loads the Hypothesis profile
from tests.once import made_once

TESTS = Path(__file__).resolve().parent
LONGEST = (
    "datasets/test_publish.py",
    "baselines/tasks/aqa/test_train.py",
    "questions/generation/test_candidates.py",
    "datasets/scenes/questions/test_faults.py",
    "datasets/scenes/questions/test_build.py",
    "datasets/scenes/test_build.py",
    "baselines/tasks/sed/test_train.py",
    "sounds/test_verify.py",
    "datasets/scenes/test_validate.py",
    "datasets/scenes/test_faults.py",
    "store/test_kills.py",
    "store/test_workers.py",
    "datasets/scenes/test_card.py",
    "datasets/mixtures/test_build.py",
    "datasets/scenes/test_clear_questions.py",
    "baselines/test_new_task.py",
    "test_docs.py",
    "cli/test_scenes.py",
    "datasets/scenes/test_validate_questions.py",
    "cli/test_mix.py",
)
SHARED = Path(os.environ.get("CLEAR_SHARED", Path(__file__).resolve().parents[2] / "shared"))


@pytest.fixture(scope="session")
def shared() -> Path:
    """Folder of the real recordings; tests that use it carry the marker ``shared``."""
    assert SHARED.is_dir(), f"{SHARED}: not found; set CLEAR_SHARED, or run pytest -m 'not shared'"
    return SHARED


def pytest_configure() -> None:
    """Ctrl-C is tested, also where a shell has started the tests in the background, which ignores it."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with the longest modules, so that parallel workers end together (``--dist loadfile``)."""
    place = {TESTS / module: number for number, module in enumerate(LONGEST)}
    items.sort(key=lambda item: place.get(item.path, len(place)))


@pytest.fixture(scope="session", autouse=True)
def _own_cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Tests make their own default banks, once for all workers, and leave the user's cache alone."""
    cache = made_once(tmp_path_factory, "cache", lambda _: None)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", str(cache))
        yield


@pytest.fixture(scope="session", autouse=True)
def _no_lines_by_the_clock() -> Iterator[None]:
    """What a command says does not depend on how fast the machine is: lines of progress come at ends alone."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(progress, "FIRST_S", 1e6)
        yield


@pytest.fixture(scope="session", autouse=True)
def _one_core() -> Iterator[None]:
    """Commands that are run in this process start workers only where a test asks for several: each costs seconds."""
    with pytest.MonkeyPatch.context() as patch:
        for module in ("common", "datasets", "audit"):
            patch.setattr(f"clear_gen.cli.{module}.cores", lambda: 1)
        yield


@pytest.fixture(scope="session")
def clear2() -> Domain:
    """The packaged domain."""
    return load_domain("clear2")


@pytest.fixture(scope="session")
def embedded(clear2: Domain, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Bank]:
    """The embedded default banks, by side; one process makes them, the others read them."""
    made_once(tmp_path_factory, "embedded", lambda _: default_banks(clear2.attributes))
    return default_banks(clear2.attributes)
