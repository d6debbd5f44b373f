"""``clear.json`` and the identity in it, which determines every record of a dataset of any kind."""

from __future__ import annotations

import contextlib
import json
import platform
import re
from pathlib import Path
from shlex import quote
from typing import Any

import numpy as np
import pyarrow as pa
import scipy
import soundfile
from pydantic import BaseModel, ValidationError

from clear_gen import __version__
from clear_gen.core.errors import InputError, first_line
from clear_gen.core.files import read_text, sha256_json, write_text
from clear_gen.core.parquet import metadata_of, open_parquet
from clear_gen.core.rejected import first_wrong
from clear_gen.core.text import shown
from clear_gen.store.layout import IDENTITY, PARTIAL, is_record_file, owned_files

FORMAT = 2  # 1, of 0.1, did not say that scenes are scenes
GENERATOR = f"clear-gen {__version__}"
KEPT_SECTIONS = "kept-sections.json"  # further sections of clear.json, while the dataset is not finished
OWN_FIELDS = ("identity", "environment", "files", "sha256")  # of clear.json; what else it has are sections
MAX_RECORDS = 100_000_000
MAX_JSON_BYTES = 20_000_000  # a million scenes have a thousand files: 100 kB


def invalid_identity(error: ValidationError, model: type[BaseModel], path: Path) -> InputError:
    """One line for the first wrong field of the identity in ``path``, which ``model`` describes."""
    wrong = first_wrong(error, model)
    return InputError(f"{path}: identity.{wrong.field}: {wrong}")


def check_format(identity: dict[str, Any], path: Path) -> None:
    """Raise InputError, saying how to rebuild the dataset, unless its identity is of this format."""
    if identity.get("format") == FORMAT and isinstance(identity.get("kind"), str):
        return
    field, found, expected = "format", identity.get("format"), str(FORMAT)
    if found == FORMAT:
        field, found, expected = "kind", identity.get("kind"), "a name"
    command = {"mix": "mix ...", "import": "import clear SOURCE"}.get(command_of(identity), "scenes ...")
    folder = path.parent.parent if path.parent.name == PARTIAL else path.parent
    raise InputError(
        f"{path}: identity.{field}: found {_short(found)} ({shown(str(identity.get('generator')))}), "
        f"expected {expected}; "
        f"make it again: clear-gen {command} --out {quote(str(folder))} --overwrite"
    )


def command_of(identity: dict[str, Any]) -> str:
    """The command that makes datasets of this identity, such as "scenes"."""
    if "imported" in identity:
        return "import"
    return "mix" if identity.get("kind") == "mixtures" else "scenes"


def environment() -> dict[str, str]:
    """The versions that determine whether a re-rendered scene is identical or only within one step of PCM 16."""
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
    """The processor's name: FFT rounding differs between processors."""
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


def no_dataset(folder: str | Path) -> InputError:
    """Error for a folder without a finished dataset: it does not exist, or what it holds, and how to go on."""
    if not Path(folder).exists():
        return InputError(f"{folder}: not found, expected the folder of a dataset")
    if not Path(folder).is_dir():
        return InputError(f"{folder}: found a file, expected the folder of a dataset")
    identity = stored_identity(Path(folder), any_format=True)
    if identity is None:
        return InputError(f"{folder}: found no dataset, expected one made by clear-gen")
    missing = f"clear-gen finish {quote(str(folder))} says what is missing"
    expected = f"expected a finished one; {how_to_go_on(identity)}, {missing}"
    return InputError(f"{folder}: found an unfinished dataset, {expected}")


def how_to_go_on(identity: dict[str, Any]) -> str:
    """How a dataset of this identity is finished that was interrupted, for messages."""
    commands = [command_of(identity)]
    commands += ["render"] if commands == ["scenes"] and identity.get("audio") else []
    return f"the clear-gen {' or '.join(commands)} command that began it goes on where it stopped"


def unfinished_section(folder: Path, stored: dict[str, Any]) -> str | None:
    """That a section of the finished dataset with this ``clear.json`` was interrupted, for messages; None if none was.

    Its plan lies under ``.partial`` by its name, such as ``questions.json``.
    """
    for path in sorted((folder / PARTIAL).glob("*.json")):
        if path.name not in (IDENTITY, KEPT_SECTIONS) and path.stem not in stored:
            expected = f"the clear-gen {path.stem} command that began them goes on where it stopped"
            return f"found unfinished {path.stem}, expected finished ones; {expected}"
    return None


def stored_identity(folder: Path, any_format: bool = False) -> dict[str, Any] | None:
    """The identity of a finished or unfinished dataset in ``folder``, or None if there is none.

    Raises InputError if it cannot be read or, unless ``any_format``, is of another format.
    """
    # The first path once more: another shard may finish meanwhile.
    for path in (folder / IDENTITY, folder / PARTIAL / IDENTITY, folder / IDENTITY):
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
    """Raise InputError, with the difference, if ``folder`` holds another dataset or anything else."""
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
            advice = f"clear-gen render {quote(str(folder))} adds the audio"
        elif {**found, "audio": False} == identity:
            advice = "it has the audio, or is being given it"
        raise InputError(f"{folder}: holds another dataset ({difference(found, identity)}); {advice}")


def _is_ours(folder: Path, identity: dict[str, Any]) -> bool:
    """Whether only ``clear.json`` was lost: all readable files of records belong to this dataset."""
    found = set()
    for name in owned_files(folder):
        with contextlib.suppress(InputError):  # a damaged one is made again
            stored = metadata_of(open_parquet(folder / name).schema_arrow, folder / name)
            if "identity_sha256" in stored:  # questions have none
                found.add(str(stored["identity_sha256"]))
    expected = [identity, {**identity, "audio": False}] if "audio" in identity else [identity]
    return bool(found) and found <= {sha256_json(one) for one in expected}


def check_unchanged(folder: Path, identity: dict[str, Any]) -> None:
    """Like ``check_folder``, but the caller holds the lock: another run may have begun and stopped meanwhile."""
    found = stored_identity(folder)
    if found is not None and {**found, **{name: identity[name] for name in ("audio",) if name in identity}} != identity:
        raise InputError(f"{folder}: holds another dataset ({difference(found, identity)}); choose another --out")


def begin(folder: Path, identity: dict[str, Any]) -> None:
    """Write the identity of the dataset to build; a finished one becomes unfinished but keeps its files' hashes."""
    if (folder / IDENTITY).exists():
        stored = read_provenance(folder / IDENTITY)
        for name, sha256 in stored["files"].items():
            if is_record_file(name):
                write_record(folder, name, str(sha256), stored["environment"])
        keep_sections(folder, sections_of(stored))
    write_text(folder / PARTIAL / IDENTITY, json.dumps(identity, indent=1))
    (folder / IDENTITY).unlink(missing_ok=True)


def sections_of(manifest: dict[str, Any]) -> dict[str, Any]:
    """The further sections of a ``clear.json``, such as questions, by name."""
    return {name: section for name, section in manifest.items() if name not in OWN_FIELDS}


def keep_sections(folder: Path, sections: dict[str, Any]) -> None:
    """Store further sections for ``clear.json`` until the dataset is finished."""
    write_text(folder / PARTIAL / KEPT_SECTIONS, json.dumps(sections))


def kept_sections(folder: Path) -> dict[str, Any]:
    """The sections stored by ``keep_sections``, by name."""
    try:
        return read_json(folder / PARTIAL / KEPT_SECTIONS)
    except FileNotFoundError:
        return {}


def _record_path(folder: Path, name: str) -> Path:
    return folder / PARTIAL / f"{name.replace('/', '-')}.sha256"  # several configs have files of one name


def write_record(folder: Path, name: str, sha256: str, made_with: dict[str, str]) -> None:
    """Record a file's SHA-256 and environment until the dataset is finished."""
    write_text(_record_path(folder, name), json.dumps({"name": name, "sha256": sha256, "environment": made_with}))


def recorded_names(folder: Path) -> list[str]:
    """The files, one level below ``folder``, that a dataset in it lists as its own, finished or not."""
    files = _listed(folder / IDENTITY).get("files")
    names = list(files) if isinstance(files, dict) else []
    names += [str(_listed(path).get("name")) for path in (folder / PARTIAL).glob("*.sha256")]
    return [name for name in names if re.fullmatch(r"[^./][^/]*/[^./][^/]*", name)]


def _listed(path: Path) -> dict[str, Any]:
    """A JSON object from a file, empty if it is missing or damaged."""
    try:
        return read_json(path)
    except (FileNotFoundError, InputError):
        return {}


def read_record(folder: Path, name: str) -> dict[str, Any] | None:
    """The record of a file (``sha256`` and ``environment``); None if there is none."""
    try:
        record = read_json(_record_path(folder, name))
    except (FileNotFoundError, InputError):
        return None
    return record if isinstance(record.get("sha256"), str) else None


def write_provenance(
    folder: Path,
    identity: dict[str, Any],
    made_with: dict[str, str],
    files: dict[str, str],
    sections: dict[str, Any] | None = None,
) -> None:
    """Write ``clear.json``: identity, environment, further sections, SHA-256 of every file, and the SHA-256 of all
    that."""
    content = {"identity": identity, "environment": made_with, **(sections or {}), "files": dict(sorted(files.items()))}
    write_text(folder / IDENTITY, provenance_text(content))


def read_provenance(path: Path) -> dict[str, Any]:
    """The content of a ``clear.json``. Raises InputError if a field is missing or malformed."""
    stored = read_json(path)
    for name in ("identity", "environment", "files"):
        if not isinstance(stored.get(name), dict):
            raise InputError(f"{path}: {name}: found {type(stored.get(name)).__name__}, expected an object")
    check_format(stored["identity"], path)
    for name, section in sections_of(stored).items():
        if not (isinstance(section, dict) and isinstance(section.get("identity"), dict)):
            raise InputError(f"{path}: {name}: found {_short(section)}, expected an object with their identity")
    return stored


def provenance_text(content: dict[str, Any]) -> str:
    """Canonical serialisation of these fields, without ``sha256``, which is the hash of this text."""
    rest = {name: value for name, value in content.items() if name != "sha256"}
    return json.dumps({**rest, "sha256": sha256_json(rest)}, indent=1) + "\n"


def difference(found: dict[str, Any], expected: dict[str, Any]) -> str:
    """Describe the first few fields in which two identities differ.

    >>> difference({"seed": 1, "scenes": {"train": 5}}, {"seed": 2, "scenes": {"train": 5}})
    'seed: found 1, asked 2'
    """
    left, right = dict(_flat(found)), dict(_flat(expected))
    names = [name for name in {**left, **right} if left.get(name) != right.get(name)]
    names = ["kind"] if "kind" in names else names  # whose other fields say nothing to each other
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
