"""The dataset of mixtures that several modules look at, made once; nobody may change it."""

from __future__ import annotations

from pathlib import Path

import pytest

from clear_gen.datasets.mixtures.manifest import MixtureSettings
from tests.mixtures.data import make, small_settings, write_corpus


@pytest.fixture(scope="package")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("corpus")
    write_corpus(folder)
    return folder


@pytest.fixture(scope="package")
def settings() -> MixtureSettings:
    return small_settings()


@pytest.fixture(scope="package")
def reference(tmp_path_factory: pytest.TempPathFactory, corpus: Path, settings: MixtureSettings) -> Path:
    """One worker, undisturbed."""
    return make(tmp_path_factory.mktemp("reference") / "data", corpus, settings)
