"""The datasets that several modules look at, made once; nobody may change them."""

from __future__ import annotations

from pathlib import Path

import pytest

from clear_gen.datasets.mixtures.manifest import MixtureSettings
from tests.datasets.runs import make_scenes
from tests.mixtures.data import make, small_settings, write_corpus
from tests.once import made_once


@pytest.fixture(scope="package")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return made_once(tmp_path_factory, "corpus", write_corpus)


@pytest.fixture(scope="package")
def settings() -> MixtureSettings:
    return small_settings()


@pytest.fixture(scope="package")
def reference(tmp_path_factory: pytest.TempPathFactory, corpus: Path, settings: MixtureSettings) -> Path:
    """One worker, undisturbed."""
    return made_once(tmp_path_factory, "mixtures", lambda folder: make(folder / "data", corpus, settings)) / "data"


@pytest.fixture(scope="package")
def twelve(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Eight training, two validation and two test scenes with audio, undisturbed."""
    return made_once(tmp_path_factory, "twelve", lambda folder: make_scenes(folder, "--n", "12")) / "data"
