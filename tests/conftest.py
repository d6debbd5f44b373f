"""Fixtures shared by all tests."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

SHARED = Path(os.environ.get("CLEAR_SHARED", Path(__file__).resolve().parents[2] / "shared"))


@pytest.fixture(scope="session")
def shared() -> Path:
    """Folder of the real recordings; tests that use it carry the marker ``shared``."""
    assert SHARED.is_dir(), f"{SHARED}: not found; set CLEAR_SHARED, or run pytest -m 'not shared'"
    return SHARED
