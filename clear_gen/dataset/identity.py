"""What a dataset is: the settings from which every record follows, and their file ``clear.json``."""

from __future__ import annotations

import contextlib
import json
import platform
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pyarrow as pa
import scipy
import soundfile

from clear_gen import __version__
from clear_gen.config import read_text
from clear_gen.dataset.layout import IDENTITY, PARTIAL
from clear_gen.io import InputError, first_line, sha256_json, write_text
from clear_gen.scenes.domain import Domain
from clear_gen.scenes.sampler import SceneSpec
from clear_gen.sounds.bank import Bank

FORMAT = 1
MAX_JSON_BYTES = 20_000_000  # a million scenes have a thousand files: 100 kB


@dataclass(frozen=True)
class Settings:
    """What the user chose. ``sizes``: scenes per split; ``sample_rate`` in Hz; ``domain`` with its sampling rules.

    ``imported`` says where the scenes of an imported dataset come from; ``seed`` and ``levels`` are None there.
    """

    sizes: dict[str, int]
    seed: int | None
    sample_rate: int
    levels: Literal["recorded", "independent"] | None
    audio: bool
    domain: Domain
    imported: dict[str, Any] | None = None


def identity_of(settings: Settings, banks: dict[str, Bank]) -> dict[str, Any]:
    """The settings as JSON values, with the banks' and the domain's hashes. Workers and shards are no part of it."""
    domain = settings.domain.model_dump(mode="json")
    imported = {"imported": settings.imported} if settings.imported else {}
    return {
        "format": FORMAT,
        "generator": f"clear-gen {__version__}",
        "scenes": settings.sizes,
        "seed": settings.seed,
        "sample_rate": settings.sample_rate,
        "levels": settings.levels,
        "audio": settings.audio,
        "banks": {side: bank.sha256 for side, bank in banks.items()},
        "domain": {
            "name": settings.domain.name,
            "sha256": sha256_json(domain),
            "definition": domain,
        },
        **imported,
    }


def settings_of(identity: dict[str, Any], path: Path) -> Settings:
    """The settings that an identity was made from; InputError if it is of another format."""
    try:
        return Settings(
            sizes=dict(identity["scenes"]),
            seed=identity["seed"],
            sample_rate=identity["sample_rate"],
            levels=identity["levels"],
            audio=identity["audio"],
            imported=identity.get("imported"),
            domain=Domain.model_validate(identity["domain"]["definition"]),
        )
    except (KeyError, TypeError, ValueError) as error:
        raise InputError(f"{path}: identity: cannot be understood ({type(error).__name__}: {error})") from None


def environment() -> dict[str, str]:
    """The versions that decide whether a re-rendered scene is identical or within one step of PCM 16."""
    return {
        "python": platform.python_version(),
        "numpy": np.__version__,
        "scipy": scipy.__version__,
        "pyarrow": pa.__version__,
        "libsndfile": soundfile.__libsndfile_version__,
        "machine": f"{platform.system()} {platform.machine()}",
        "cpu": _cpu(),
    }


def _cpu() -> str:
    """The processor's name: another one may round an FFT otherwise."""
    with contextlib.suppress(OSError):
        for line in Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or "unknown"


def read_json(path: Path) -> dict[str, Any]:
    """A JSON object from a file. InputError in one line when it is something else, FileNotFoundError when missing."""
    if not path.exists():
        raise FileNotFoundError(path)
    try:
        value = json.loads(read_text(path, MAX_JSON_BYTES, "a JSON object"))
    except (ValueError, RecursionError) as error:
        raise InputError(f"{path}: not readable JSON ({first_line(error)})") from None
    if not isinstance(value, dict):
        raise InputError(f"{path}: found {type(value).__name__}, expected a JSON object")
    return value


def stored_identity(folder: Path) -> dict[str, Any] | None:
    """The identity of a finished or unfinished dataset in ``folder``, or None if there is none."""
    for path in (
        folder / IDENTITY,
        folder / PARTIAL / IDENTITY,
        folder / IDENTITY,
    ):  # another shard may finish meanwhile
        if path.exists():
            try:
                return _identity_in(path)
            except (FileNotFoundError, InputError):
                if path.exists():
                    raise
    return None


def _identity_in(path: Path) -> dict[str, Any]:
    stored = read_json(path)
    found = stored if path.parent.name == PARTIAL else stored.get("identity")
    if not isinstance(found, dict):
        raise InputError(f"{path}: identity: found none, expected an object")
    return found


def check_folder(folder: Path, identity: dict[str, Any], overwrite: bool) -> None:
    """Raise InputError, with the difference, if ``folder`` holds another dataset or something else."""
    if folder.exists() and not folder.is_dir():
        raise InputError(f"{folder}: found a file, expected a folder for the dataset")
    used = folder.exists() and any(entry.name != PARTIAL for entry in folder.iterdir())
    found = stored_identity(folder)  # after the look: a shard that begins meanwhile writes its identity before all else
    if found is None:
        if used:
            raise InputError(f"{folder}: found files that are no clear-gen dataset, expected a new or an empty folder")
    elif found != identity and not overwrite:
        advice = "choose another --out, or --overwrite"
        if {**found, "audio": True} == identity:
            advice = f"clear-gen render {folder} adds the audio"
        elif {**found, "audio": False} == identity:
            advice = "it has the audio, or is being given it"
        raise InputError(f"{folder}: holds another dataset ({difference(found, identity)}); {advice}")


def begin(folder: Path, identity: dict[str, Any]) -> None:
    """Write what is to be made; a dataset that was finished is so no longer."""
    write_text(folder / PARTIAL / IDENTITY, json.dumps(identity, indent=1))
    (folder / IDENTITY).unlink(missing_ok=True)


def spec_of(settings: Settings) -> SceneSpec:
    """What scenes are sampled by. An imported dataset has no such thing."""
    assert settings.seed is not None
    assert settings.levels is not None
    return SceneSpec(settings.seed, settings.sample_rate, settings.levels)


def write_provenance(folder: Path, identity: dict[str, Any], made_with: dict[str, str], files: dict[str, str]) -> None:
    """Write ``clear.json``: identity, environment, SHA-256 of every file, and the SHA-256 of all that."""
    content = {"identity": identity, "environment": made_with, "files": files}
    write_text(folder / IDENTITY, provenance_text(content))


def read_provenance(path: Path) -> dict[str, Any]:
    """The content of a ``clear.json``. Raises InputError if a field is missing or something else."""
    stored = read_json(path)
    for name in ("identity", "environment", "files"):
        if not isinstance(stored.get(name), dict):
            raise InputError(f"{path}: {name}: found {type(stored.get(name)).__name__}, expected an object")
    return stored


def provenance_text(content: dict[str, Any]) -> str:
    """The one way to write these fields (besides ``sha256``, which is that of the others)."""
    rest = {name: value for name, value in content.items() if name != "sha256"}
    return json.dumps({**rest, "sha256": sha256_json(rest)}, indent=1) + "\n"


def difference(found: dict[str, Any], expected: dict[str, Any]) -> str:
    """The first few fields in which two identities differ, in words.

    >>> difference({"seed": 1, "scenes": {"train": 5}}, {"seed": 2, "scenes": {"train": 5}})
    'seed: found 1, asked 2'
    """
    left, right = dict(_flat(found)), dict(_flat(expected))
    names = [name for name in {**left, **right} if left.get(name) != right.get(name)]
    shown = [f"{name}: found {_short(left.get(name))}, asked {_short(right.get(name))}" for name in names[:3]]
    return "; ".join(shown) + (f"; and {len(names) - 3} more" if len(names) > 3 else "")


def _flat(value: dict[str, Any], prefix: str = "") -> list[tuple[str, Any]]:
    pairs: list[tuple[str, Any]] = []
    for name, item in value.items():
        pairs += _flat(item, f"{prefix}{name}.") if isinstance(item, dict) else [(prefix + name, item)]
    return pairs


def _short(value: Any) -> str:
    text = json.dumps(value)
    return text if len(text) <= 24 else f"{text[:20]}…"
