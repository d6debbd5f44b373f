"""What a dataset is: the settings from which every record follows, and their file ``clear.json``."""

from __future__ import annotations

import contextlib
import json
import platform
from dataclasses import dataclass
from pathlib import Path
from shlex import quote
from typing import Annotated, Any, Literal, Self

import numpy as np
import pyarrow as pa
import scipy
import soundfile
from pydantic import Field, StrictBool, StrictInt, ValidationError, model_validator

from clear_gen import __version__
from clear_gen.core.config import Strict, misplaced
from clear_gen.core.errors import InputError, first_line
from clear_gen.core.files import read_text, sha256_json, write_text
from clear_gen.core.parquet import metadata_of, open_parquet
from clear_gen.core.records import SPLITS
from clear_gen.core.text import shown
from clear_gen.scenes.domain import Domain
from clear_gen.scenes.sampler import SceneSpec
from clear_gen.sounds.bank import Bank
from clear_gen.store.layout import IDENTITY, MIXTURES, PARTIAL, QUESTIONS, SCENES, STEMS, record_folders

FORMAT = 2  # 1, of 0.1, did not say that scenes are scenes
GENERATOR = f"clear-gen {__version__}"
KEPT_QUESTIONS = "kept-questions.json"  # what clear.json says of them, while audio is added to the scenes
MAX_SCENES = 100_000_000
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
        "kind": SCENES,
        "format": FORMAT,
        "generator": GENERATOR,
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


class _NamedDomain(Strict):
    name: str
    sha256: str
    definition: Domain


class _Identity(Strict):
    """The identity as it is stored."""

    kind: Literal["scenes"]
    format: Literal[2]
    generator: str
    scenes: dict[str, Annotated[StrictInt, Field(ge=0, le=MAX_SCENES)]]
    seed: Annotated[StrictInt, Field(ge=0)] | None
    sample_rate: Annotated[StrictInt, Field(ge=1000, le=655_350)]
    levels: Literal["recorded", "independent"] | None
    audio: StrictBool
    banks: dict[Literal["train", "test"], str]
    domain: _NamedDomain
    imported: dict[str, Any] | None = None

    @model_validator(mode="after")
    def _complete(self) -> Self:
        if set(self.scenes) != set(SPLITS) or not any(self.scenes.values()):
            raise misplaced("scenes of train, validation and test", list(self.scenes.items()), "scenes")
        if self.imported is None and (self.seed is None or self.levels is None):
            raise misplaced("seed and levels", [self.seed, self.levels], "seed")
        return self


def settings_of(identity: dict[str, Any], path: Path) -> Settings:
    """The settings that an identity was made from. InputError if it is of another format, or contradicts itself."""
    if kind_of(identity) == MIXTURES:
        raise InputError(f"{path}: found a dataset of mixtures (clear-gen mix), expected one of scenes")
    try:
        found = _Identity.model_validate(identity)
    except ValidationError as error:
        raise invalid_identity(error, path) from None
    if (sha256 := sha256_json(identity["domain"]["definition"])) != found.domain.sha256:
        raise InputError(f"{path}: identity.domain.sha256: found {found.domain.sha256[:60]}, expected {sha256}")
    if found.domain.name != found.domain.definition.name:
        raise InputError(f"{path}: identity.domain.name: found {found.domain.name}, expected the definition's")
    return Settings(
        sizes={split: found.scenes[split] for split in SPLITS},
        seed=found.seed,
        sample_rate=found.sample_rate,
        levels=found.levels,
        audio=found.audio,
        imported=found.imported,
        domain=found.domain.definition,
    )


def invalid_identity(error: ValidationError, path: Path) -> InputError:
    """One line for the first wrong field of the identity in ``path``."""
    first = error.errors()[0]
    field = ".".join(map(str, (*first["loc"], *first.get("ctx", {}).get("at", ()))))
    value = first.get("ctx", {}).get("found", first["input"])
    return InputError(f"{path}: identity.{field}: found {_short(value)}, expected: {first['msg']}")


def kind_of(identity: dict[str, Any]) -> str:
    """What a dataset of this identity holds, such as ``scenes``."""
    return str(identity.get("kind"))


def check_format(identity: dict[str, Any], path: Path) -> None:
    """Raise InputError, saying how to make the dataset again, unless its identity is one of this format."""
    if identity.get("format") == FORMAT and isinstance(identity.get("kind"), str):
        return
    field, found, expected = "format", identity.get("format"), str(FORMAT)
    if found == FORMAT:
        field, found, expected = "kind", identity.get("kind"), "a name"
    command = "mix ..." if identity.get("kind") == MIXTURES else "scenes ..."
    if "imported" in identity:
        command = "import clear SOURCE"
    folder = path.parent.parent if path.parent.name == PARTIAL else path.parent
    raise InputError(
        f"{path}: identity.{field}: found {_short(found)} ({shown(str(identity.get('generator')))}), "
        f"expected {expected}; "
        f"make it again: clear-gen {command} --out {quote(str(folder))} --overwrite"
    )


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


def stored_identity(folder: Path, any_format: bool = False) -> dict[str, Any] | None:
    """The identity of a finished or unfinished dataset in ``folder``, or None if there is none.

    Raises InputError if it cannot be read or, unless ``any_format``, is of another format.
    """
    for path in (
        folder / IDENTITY,
        folder / PARTIAL / IDENTITY,
        folder / IDENTITY,
    ):  # another shard may finish meanwhile
        if path.exists():
            try:
                identity = _identity_in(path)
            except FileNotFoundError:
                continue
            except InputError as error:
                if not path.exists():
                    continue
                raise InputError(f"{error}; delete it and run the same command again") from None
            if not any_format:
                check_format(identity, path)
            return identity
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
    # After the look: a shard that begins meanwhile writes its identity before all else.
    found = stored_identity(folder, any_format=overwrite)
    if found is None:
        if used and not _is_ours(folder, identity):
            raise InputError(f"{folder}: found files that are no clear-gen dataset, expected a new or an empty folder")
    elif found != identity and not overwrite:
        advice = "choose another --out, or --overwrite"
        if {**found, "audio": True} == identity:
            advice = f"clear-gen render {folder} adds the audio"
        elif {**found, "audio": False} == identity:
            advice = "it has the audio, or is being given it"
        raise InputError(f"{folder}: holds another dataset ({difference(found, identity)}); {advice}")


def _is_ours(folder: Path, identity: dict[str, Any]) -> bool:
    """Whether only ``clear.json`` was lost: all files of records that can be read say they are of this dataset."""
    found = set()
    for path in sorted(path for data in record_folders(folder) for path in data.glob("*.parquet")):
        with contextlib.suppress(InputError):  # a damaged one is made again
            found.add(str(metadata_of(open_parquet(path).schema_arrow, path).get("identity_sha256")))
    expected = [identity, {**identity, "audio": False}] if "audio" in identity else [identity]
    return bool(found) and found <= {sha256_json(one) for one in expected}


def check_unchanged(folder: Path, identity: dict[str, Any]) -> None:
    """The same once more for whoever holds the lock: another run may have begun and stopped meanwhile."""
    found = stored_identity(folder)
    if found is not None and {**found, **{name: identity[name] for name in ("audio",) if name in identity}} != identity:
        raise InputError(f"{folder}: holds another dataset ({difference(found, identity)}); choose another --out")


def begin(folder: Path, identity: dict[str, Any]) -> None:
    """Write what is to be made; a dataset that was finished is so no longer, but the hashes of its files are kept."""
    if (folder / IDENTITY).exists():
        stored = read_provenance(folder / IDENTITY)
        for name, sha256 in stored["files"].items():
            if name.startswith((f"{SCENES}/", f"{QUESTIONS}/", MIXTURES, STEMS)):
                write_record(folder, name, str(sha256), stored["environment"])
        if "questions" in stored:
            write_text(folder / PARTIAL / KEPT_QUESTIONS, json.dumps(stored["questions"]))
        else:  # those of an earlier try are gone
            (folder / PARTIAL / KEPT_QUESTIONS).unlink(missing_ok=True)
    write_text(folder / PARTIAL / IDENTITY, json.dumps(identity, indent=1))
    (folder / IDENTITY).unlink(missing_ok=True)


def kept_questions(folder: Path) -> dict[str, Any] | None:
    """What ``clear.json`` said of the questions before ``begin``; None if there were none."""
    try:
        return read_json(folder / PARTIAL / KEPT_QUESTIONS)
    except FileNotFoundError:
        return None


def _record_path(folder: Path, name: str) -> Path:
    return folder / PARTIAL / f"{name.replace('/', '-')}.sha256"  # scenes and questions have files of one name


def write_record(folder: Path, name: str, sha256: str, made_with: dict[str, str]) -> None:
    """Keep a file's SHA-256, and where it was made, until the dataset is finished."""
    write_text(_record_path(folder, name), json.dumps({"sha256": sha256, "environment": made_with}))


def read_record(folder: Path, name: str) -> dict[str, Any] | None:
    """What was kept of a file: ``sha256`` and ``environment``; None if nothing was."""
    try:
        record = read_json(_record_path(folder, name))
    except (FileNotFoundError, InputError):
        return None
    return record if isinstance(record.get("sha256"), str) else None


def spec_of(settings: Settings) -> SceneSpec:
    """What scenes are sampled by. An imported dataset has no such thing."""
    assert settings.seed is not None
    assert settings.levels is not None
    return SceneSpec(settings.seed, settings.sample_rate, settings.levels)


def write_provenance(
    folder: Path,
    identity: dict[str, Any],
    made_with: dict[str, str],
    files: dict[str, str],
    questions: dict[str, Any] | None = None,
) -> None:
    """Write ``clear.json``: identity, environment, SHA-256 of every file, what the questions are if there are any, and
    the SHA-256 of all that."""
    asked = {} if questions is None else {"questions": questions}
    content = {"identity": identity, "environment": made_with, **asked, "files": files}
    write_text(folder / IDENTITY, provenance_text(content))


def read_provenance(path: Path) -> dict[str, Any]:
    """The content of a ``clear.json``. Raises InputError if a field is missing or something else."""
    stored = read_json(path)
    for name in ("identity", "environment", "files"):
        if not isinstance(stored.get(name), dict):
            raise InputError(f"{path}: {name}: found {type(stored.get(name)).__name__}, expected an object")
    check_format(stored["identity"], path)
    questions = stored.get("questions")
    if questions is not None and not (isinstance(questions, dict) and isinstance(questions.get("identity"), dict)):
        raise InputError(f"{path}: questions: found {_short(questions)}, expected an object with their identity")
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
    text = json.dumps(value, default=str)
    return text if len(text) <= 24 else f"{text[:20]}…"
