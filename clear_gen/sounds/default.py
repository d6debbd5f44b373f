"""The embedded default banks: synthesised at first use, then kept in the user's cache folder."""

from __future__ import annotations

import contextlib
import hashlib
from collections.abc import Mapping
from pathlib import Path

from platformdirs import user_cache_path

from clear_gen.core.errors import InputError
from clear_gen.core.files import content_path
from clear_gen.sounds import bank as bank_module
from clear_gen.sounds import synthesis
from clear_gen.sounds.attributes import Attribute
from clear_gen.sounds.bank import Bank, build_bank, read_bank, write_bank

DOMAIN = "clear2"
SIDES = ("train", "test")


def default_banks(attributes: Mapping[str, Attribute]) -> dict[str, Bank]:
    """The training and the test bank of the instrument model, the latter labelled with the former's thresholds.

    Where the cache folder cannot be written, they are synthesised anew each time.
    """
    paths = cache_paths(attributes)
    if all(path.exists() for path in paths.values()):
        with contextlib.suppress(InputError):  # a damaged one is made anew
            return {side: read_bank(path) for side, path in paths.items()}
    banks: dict[str, Bank] = {}
    for side in SIDES:
        thresholds = banks["train"].thresholds if banks else None
        banks[side] = build_bank(synthesis.synthesise(side), DOMAIN, attributes, thresholds)
        with contextlib.suppress(OSError):
            write_bank(banks[side], paths[side])
    return banks


def cache_paths(attributes: Mapping[str, Attribute]) -> dict[str, Path]:
    """Where the banks are kept; another model, another analysis or other thresholds give other names."""
    digest = hashlib.sha256(repr(dict(attributes)).encode())
    analysis = Path(bank_module.__file__).with_name("analysis.py")
    for path in (content_path("banks", "default.yaml"), Path(synthesis.__file__), Path(bank_module.__file__), analysis):
        digest.update(path.read_bytes())
    folder = user_cache_path("clear-gen", appauthor=False)
    return {side: folder / f"default-{side}-{digest.hexdigest()[:16]}.parquet" for side in SIDES}
