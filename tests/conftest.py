"""Fixtures shared by all tests."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from clear_gen.scenes.domain import Domain, load_domain
from clear_gen.sounds.bank import Bank
from clear_gen.sounds.default import default_banks
from tests import counts  # noqa: F401  loads the Hypothesis profile

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


@pytest.fixture(scope="session", autouse=True)
def _own_cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Tests make their own default banks, and leave the user's cache alone."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.mktemp("cache")))
        yield


@pytest.fixture(scope="session")
def clear2() -> Domain:
    """The packaged domain."""
    return load_domain("clear2")


@pytest.fixture(scope="session")
def embedded(clear2: Domain) -> dict[str, Bank]:
    """The embedded default banks, by side."""
    return default_banks(clear2.attributes)
