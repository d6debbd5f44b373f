"""The card (``README.md``) of a dataset of mixtures: metadata for the Hub, and an overview."""

from __future__ import annotations

from collections import Counter
from typing import Any

import yaml

from clear_gen.datasets.mixtures.annotations import annotation_name
from clear_gen.datasets.mixtures.layout import SOURCES
from clear_gen.datasets.mixtures.manifest import MixtureSettings
from clear_gen.datasets.mixtures.records import is_stems
from clear_gen.datasets.mixtures.source_tables import EVENTS, KINDS, SourceTable, source_name
from clear_gen.datasets.mixtures.statistics import MixtureStatistics, range_lines, snr_lines
from clear_gen.mixtures.recipes.registry import recipe_named
from clear_gen.mixtures.recordings.corpora import RESTRICTED
from clear_gen.store.card import LICENCES, SIZES, cell


def mixture_card(
    identity: dict[str, Any],
    settings: MixtureSettings,
    environment: dict[str, str],
    tables: dict[str, SourceTable],
    found: MixtureStatistics,
) -> str:
    """The text of ``README.md``: YAML for the Hub, then statistics, folds, sources, making, use and limitations."""
    front = yaml.safe_dump(_front_matter(settings, tables, found), sort_keys=False, allow_unicode=True)
    versions = ", ".join(f"{name} {version}" for name, version in environment.items())
    parts = [
        f"---\n{front}---",
        _head(identity, settings, found),
        "## Folds and labels\n\n" + _folds(found),
        "## Sources and licences\n\n" + _sources(settings, tables),
        f"## How it was made\n\n{_how_made(identity, settings)}\n\nEnvironment: {versions}.",
        "## Use\n\n" + _use(settings),
        "## Limitations\n\n" + "\n".join(f"- {line}" for line in _limitations(settings)),
    ]
    return "\n\n".join(parts) + "\n"


def _front_matter(
    settings: MixtureSettings, tables: dict[str, SourceTable], found: MixtureStatistics
) -> dict[str, Any]:
    licences = sorted({row.licence for rows in tables.values() for row in rows})
    configs: list[dict[str, Any]] = []
    for name in settings.configs:
        files = [{"split": split, "path": f"{name}/{split}-*.parquet"} for split in settings.sizes]
        configs.append({"config_name": name, **({} if configs else {"default": True}), "data_files": files})
    files = [{"split": kind, "path": source_name(kind)} for kind in KINDS]
    n = sum(found.mixtures.values()) * len(settings.snr_of_config)
    return {
        "license": sorted({LICENCES[name][0] if name in LICENCES else "other" for name in licences}),
        "task_categories": ["audio-classification"],
        "tags": ["audio", "sound-event-detection", "synthetic"],
        "size_categories": [next((name for limit, name in SIZES if n < limit), "n>1M")],
        "configs": [*configs, {"config_name": SOURCES, "data_files": files}],
    }


def _head(identity: dict[str, Any], settings: MixtureSettings, found: MixtureStatistics) -> str:
    n = sum(found.mixtures.values())
    folds = ", ".join(f"{split} {size:,}" for split, size in found.mixtures.items())
    labels = {label for _, label in found.events}
    stems = "; stems: FLAC, 24 bit" if settings.stems else ""
    flac = f"FLAC, 16 bit, {settings.sample_rate} Hz, {settings.duration_s:g} s{stems}"
    snrs = ", ".join(f"{snr_db:g}" for snr_db in settings.snrs) + " dB" if settings.snrs else "drawn for each event"
    lines = [
        f"# {n:,} mixtures of {len(labels)} labels",
        "",
        "Labelled sound events over backgrounds, with strong labels (when) and weak ones (whether). Written by",
        f"{identity['generator']}.",
        "",
        f"- mixtures: {folds}; {found.hours:.1f} hours at each SNR",
        f"- SNR: {snrs}; the same events at the same places at every SNR",
        f"- audio: {flac}" if settings.audio else f"- audio: left out; it was {flac}",
        "",
        "```text",
        *range_lines(found),
        "",
        *snr_lines(found),
        "```",
    ]
    return "\n".join(lines)


def _folds(found: MixtureStatistics) -> str:
    splits, labels = list(found.mixtures), sorted({label for _, label in found.events})
    lines = ["Events of each label in each fold, and of how many recordings:", ""]
    lines += [f"| label | {' | '.join(splits)} |", "|---|" + "---|" * len(splits)]
    for label in labels:
        cells = [f"{found.events[split, label]:,} ({found.recordings[split, label]:,})" for split in splits]
        lines.append(f"| {cell(label)} | {' | '.join(cells)} |")
    return "\n".join(lines)


def _sources(settings: MixtureSettings, tables: dict[str, SourceTable]) -> str:
    lines = ["| | licence | recordings | groups |", "|---|---|---|---|"]
    for kind, rows in tables.items():
        for licence, count in sorted(Counter(row.licence for row in rows).items()):
            groups = len({row.group for row in rows if row.licence == licence})
            lines.append(f"| {kind} | {cell(licence)} | {count:,} | {groups:,} |")
    licences = sorted({row.licence for rows in tables.values() for row in rows})
    lines.append("")
    lines += [f"- {cell(name)}: {LICENCES[name][1]}" for name in licences if name in LICENCES]
    unknown = [name for name in licences if name not in LICENCES and name not in RESTRICTED]
    lines += [f"- {cell(name)}: read it at its source before you share this dataset" for name in unknown]
    if forbidden := [name for name in licences if name in RESTRICTED]:
        lines += [f"- {cell(name)}: forbids redistribution" for name in forbidden]
        if settings.audio:
            lines += [
                "",
                "**The audio of this dataset must not be published**: it holds recordings whose licence forbids",
            ]
            lines[-1] += " redistribution. `clear-gen publish --without-audio` publishes the rest."
    if not settings.audio:
        lines += ["", "The audio is left out. Whoever has the recordings makes it from them, as said below;"]
        lines[-1] += " `rendered.pcm_sha256` is the hash of what it was."
    lines += ["", "A group is what folds never share: a recording that clips were cut from, its uploader, or a place."]
    lines[-1] += f" `{SOURCES}/` names every recording."
    return "\n".join(lines)


def _how_made(identity: dict[str, Any], settings: MixtureSettings) -> str:
    spec, recipe = settings.spec, recipe_named(settings.spec.recipe)
    flags = [
        f"--n {spec.n_per_fold * spec.n_folds}",
        f"--folds {spec.n_folds}",
        f"--sample-rate {settings.sample_rate}",
    ]
    flags += [f"--snr {snr_db:g}" for snr_db in settings.snrs]
    flags += ["--stems"] if settings.stems else []
    flags += recipe.command_options(spec)
    hashes = "\n".join(f"- {kind}: SHA-256 of the table `{identity['sources'][kind]}`" for kind in KINDS)
    return f"""By {identity["generator"]}. To make the same files again from the same recordings:

```
clear-gen mix --events EVENTS --backgrounds BACKGROUNDS --out again {" ".join(flags)}
```

{recipe.description(spec)}

{hashes}

`clear-gen validate .` checks every file, label, SNR and fold; with `--events` and `--backgrounds` it also makes
mixtures again."""


def _use(settings: MixtureSettings) -> str:
    split, config = next(iter(settings.sizes)), next(iter(settings.snr_of_config))
    stems = ""
    if settings.stems:
        name = next(name for name in settings.configs if is_stems(name))
        total = "their sum" if recipe_named(settings.spec.recipe).stem_divisor == 1 else "their mean"
        stems = f"\nConfig `{name}` has the stems of the same mixtures, in 24 bit: {total} is the mixture, exactly."
    strong, weak = (annotation_name(split, kind) for kind in ("strong", "weak"))
    return f"""```python
import clear_gen

mixtures = clear_gen.open_dataset("this/folder").mixtures("{config}", "{split}")
for graph, waveform, sample_rate in mixtures:
    print(graph.mixture_id, waveform.shape, [(event.label, event.onset_s, event.offset_s) for event in graph.events])
```

One row per mixture: its graph, what rendering found out, and the audio, which
`soundfile.read(io.BytesIO(row["audio"]["bytes"]))` decodes. `{strong}` and `{weak}` have the labels in the form of
DCASE; they hold for every SNR.{stems}"""


def _limitations(settings: MixtureSettings) -> list[str]:
    return [
        "What is heard in the backgrounds is not labelled: it can hold the same kinds of sound.",
        f"Labels are those of the {EVENTS}' corpus, and as right as they are there.",
        *recipe_named(settings.spec.recipe).limitations(settings.spec),
    ]
