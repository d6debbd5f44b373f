"""The page as a folder of files, for a Space, GitHub Pages or any other server of files::

OUT/index.html, *.js, *.css    the page
OUT/README.md                  licence and sources, from the dataset's card; the head that a Space needs
OUT/dataset.json               what there is
OUT/lists.json                 all rows of the lists, which the page filters by itself
OUT/records/<config>/<id>.json, audio/<config>/<id>.flac, spectrograms/<config>/<id>.png
"""

from __future__ import annotations

import json
import logging
from pathlib import Path
from shlex import quote
from typing import Any

import yaml

from clear_gen.core.files import sha256_json
from clear_gen.core.progress import Progress
from clear_gen.datasets.dataset import open_dataset
from clear_gen.datasets.scenes.exports.audio_folder import parts_of_card
from clear_gen.explore.library import SITE_FILES, STATIC, Library, about, picture, record, site_file
from clear_gen.store.card import cell
from clear_gen.store.exports import claiming, put
from clear_gen.store.layout import CARD
from clear_gen.store.manifest import stored_identity

DATASET, LISTS = "dataset.json", "lists.json"
log = logging.getLogger(__name__)

FOLDERS = {"records": "json", "audio": "flac", "spectrograms": "png"}
PATTERNS = (CARD, DATASET, LISTS, *SITE_FILES, *(f"{name}/*/*.{suffix}" for name, suffix in FOLDERS.items()))


def export_page(
    library: Library, folder: Path, out: Path, limit: int, progress: Progress, overwrite: bool = False
) -> str:
    """Write the page for about ``limit`` records, spread evenly over the dataset; returns what there is to say of it.

    The same call continues an export that was interrupted. Raises InputError if ``out`` holds something else.
    """
    lists, whole = library.some(limit), about(library, folder)
    shown, *_ = lists.values()
    facts = [f"{len(shown):,} of these here", *whole["facts"]]
    marker = {"layout": "explore", "identity_sha256": sha256_json(stored_identity(folder)), "limit": str(limit)}
    marker |= {"rows_sha256": sha256_json(lists)}
    card = _card(folder, whole["name"])
    with claiming(folder, out, marker, lambda: None, PATTERNS, overwrite), progress(len(shown), len(shown)) as advance:
        for row in shown:
            _write_record(library, out, *row["record"].split("/"))
            advance(1)
        _write_json(out / DATASET, {**whole, "facts": facts})
        _write_json(out / LISTS, lists)
        for name in SITE_FILES:
            put(out / name, site_file(name, STATIC))
        put(out / CARD, card.encode())
    size = sum(path.stat().st_size for path in out.rglob("*") if path.is_file())
    data = open_dataset(folder)
    written = f"{out}: {len(shown):,} records, {size / 1e6:,.0f} MB"
    if why := data.kind.unpublishable(folder, data.manifest):
        return f"{written}; keep it to yourself: {why}"
    for line in data.kind.unlicensed(folder, data.manifest):
        log.warning("%s", line)
    return f"{written}; any server of files shows it, such as: python3 -m http.server --directory {quote(str(out))}"


def _write_record(library: Library, out: Path, config: str, name: str) -> None:
    _write_json(out / "records" / config / f"{name}.json", record(library, config, name))
    for folder, data in (
        ("audio", library.store.audio(config, name)),
        ("spectrograms", picture(library, config, name)),
    ):
        if data is not None:
            put(out / folder / config / f"{name}.{FOLDERS[folder]}", data)


def _write_json(path: Path, value: Any) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    put(path, json.dumps(value, allow_nan=False).encode())


def _card(folder: Path, name: str) -> str:
    head, sections = parts_of_card(folder / CARD)
    front = {"title": name, "sdk": "static", **{key: head[key] for key in ("license",) if key in head}}
    kept = "\n".join(section for section in sections if section.startswith("## Source"))
    return f"---\n{yaml.safe_dump(front, sort_keys=False, allow_unicode=True)}---\n\n# {cell(name)}\n\n{kept}"
