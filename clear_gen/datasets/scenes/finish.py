"""Files that complete a dataset of scenes: banks, questions and the card."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from clear_gen.core.errors import CheckFailed
from clear_gen.datasets.scenes.banks import bank_path, read_banks
from clear_gen.datasets.scenes.card import card
from clear_gen.datasets.scenes.layout import QUESTIONS, bank_name, questions_name, scene_files
from clear_gen.datasets.scenes.manifest import Settings, settings_of
from clear_gen.datasets.scenes.statistics import question_words, statistics
from clear_gen.store.layout import IDENTITY
from clear_gen.store.manifest import kept_sections


def attached_files(folder: Path, identity: dict[str, Any], settings: Settings) -> list[str]:
    """The names of the banks and of the questions that the dataset had before.

    Raises InputError if a bank is damaged, CheckFailed if it is another one.
    """
    banks = read_banks(folder, settings)
    for side, bank in banks.items():
        if bank.sha256 != identity["banks"][side]:
            raise CheckFailed(f"{bank_path(folder, side)}: found another bank than the scenes were made from")
    splits = kept_sections(folder).get(QUESTIONS, {}).get("splits", ())
    return [*map(bank_name, banks), *map(questions_name, splits)]


def card_of(folder: Path, manifest: dict[str, Any]) -> str:
    """The card of the dataset in ``folder``, whose files are all there. Raises InputError if one is damaged."""
    identity = manifest["identity"]
    settings = settings_of(identity, folder / IDENTITY)
    found = statistics(folder, scene_files(settings.sizes))
    banks = read_banks(folder, settings)
    asked = manifest.get(QUESTIONS)
    words = None if asked is None else question_words(folder, asked["splits"])
    return card(identity, settings, manifest["environment"], banks, found, asked, words)
