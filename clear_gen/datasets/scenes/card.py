"""The dataset card (``README.md``): metadata for the Hub, and an overview."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import yaml

from clear_gen.core.errors import InputError
from clear_gen.datasets.scenes.layout import BANK, QUESTIONS, SCENES
from clear_gen.datasets.scenes.manifest import Settings
from clear_gen.datasets.scenes.questions.card import command, counts_line, questions_text
from clear_gen.datasets.scenes.questions.files import QuestionsManifest, questions_manifest_of
from clear_gen.datasets.scenes.statistics import Statistics, Words, statistics_lines
from clear_gen.scenes.domain import packaged_domain
from clear_gen.sounds.attributes import measured
from clear_gen.sounds.bank import Bank
from clear_gen.sounds.verify import leaked_sounds
from clear_gen.store.card import LICENCES, SIZES, cell
from clear_gen.store.layout import IDENTITY

Sources = Counter[tuple[str, str, str]]  # (side, source, licence) -> number of sounds


def card(
    identity: dict[str, Any],
    settings: Settings,
    made_with: dict[str, str],
    banks: dict[str, Bank],
    found: Statistics,
    questions: dict[str, Any] | None = None,
    words: Words | None = None,
) -> str:
    """The text of ``README.md``: YAML for the Hub, then statistics, questions, sources, making, limitations and use.

    ``questions`` is the section of ``clear.json``, InputError if it is malformed; ``words``: of the questions.
    """
    asked = None if questions is None else questions_manifest_of(questions, settings, Path(IDENTITY))
    sources = _sources(settings, banks, found)
    front = yaml.safe_dump(_front_matter(banks, found, sources, asked), sort_keys=False, allow_unicode=True)
    made = _imported(settings) if settings.imported else _how_made(identity, settings, asked)
    versions = ", ".join(f"{name} {version}" for name, version in made_with.items())
    parts = [
        f"---\n{front}---",
        _head(identity, settings, found, asked),
        *([questions_text(asked, settings, words)] if asked and words else []),
        "## Sources and licences\n\n" + "\n".join(_source_lines(sources)),
        f"## How it was made\n\n{made}\n\nEnvironment: {versions}.",
        "## Use\n\n" + _use(settings, banks, asked),
        "## Limitations\n\n" + "\n".join(f"- {line}" for line in _limitations(settings, banks)),
    ]
    return "\n\n".join(parts) + "\n"


def _head(identity: dict[str, Any], settings: Settings, found: Statistics, asked: QuestionsManifest | None) -> str:
    n = sum(found.scenes_of_split.values())
    splits = ", ".join(f"{split} {size:,}" for split, size in found.scenes_of_split.items())
    audio = "FLAC," if settings.audio else "none, graphs only;"
    if settings.imported and 0 < settings.imported["audio_files"]["n"] < n:
        audio = f"FLAC of {settings.imported['audio_files']['n']:,} scenes,"
    lengths = " ".join(f"{length}:{count}" for length, count in found.scenes_of_length.items())
    lines = [
        f"# {settings.domain.name}: {n:,} acoustic scenes" + (f" and {asked.total:,} questions" if asked else ""),
        "",
        "Scenes for acoustic question answering: elementary sounds one after the other, and an exact description of\n"
        f"each scene. Written by {identity['generator']}.",
        "",
        f"- scenes: {splits}; {found.audio_hours:.1f} hours",
        f"- audio: {audio} {settings.sample_rate} Hz",
        *([counts_line(asked)] if asked else []),
        "",
        "```text",
        *statistics_lines(settings.domain, found.ranges),
        "",
        f"scenes of each length  {lengths}",
        "```",
    ]
    return "\n".join(lines)


# --- sources ----------------------------------------------------------------------------------------------------------


def _sources(settings: Settings, banks: dict[str, Bank], found: Statistics) -> Sources:
    if settings.imported:
        licence = str(settings.imported.get("licence") or "unknown")
        return Counter({("all", str(settings.imported.get("name") or "unknown"), licence): found.n_sounds})
    return Counter((side, sound.source, sound.licence) for side, bank in banks.items() for sound in bank.sounds)


def _source_lines(sources: Sources) -> list[str]:
    lines = ["| bank | source | licence | sounds |", "|---|---|---|---|"]
    for (side, source, licence), count in sorted(sources.items()):
        lines.append(f"| {side} | {cell(source)} | {cell(licence)} | {count:,} |")
    licences = sorted({licence for _, _, licence in sources})
    lines.append("")
    lines += [f"- {cell(name)}: {LICENCES[name][1]}" for name in licences if name in LICENCES]
    unknown = [name for name in licences if name not in LICENCES]
    lines += [f"- {cell(name)}: read it at its source before you share this dataset" for name in unknown]
    if shared_alike := [name for name in licences if name in LICENCES and LICENCES[name][2]]:
        lines += ["", f"Share alike: scenes hold recordings under {', '.join(shared_alike)}, so whoever shares this "]
        lines[-1] += "dataset, or what is made from it, names the sources above and keeps that licence."
    elif licences != ["CC0-1.0"]:
        lines += ["", "Whoever shares this dataset, or what is made from it, names the sources above."]
    return lines


def _front_matter(
    banks: dict[str, Bank], found: Statistics, sources: Sources, asked: QuestionsManifest | None = None
) -> dict[str, Any]:
    names = sorted({licence for _, _, licence in sources})
    n = sum(found.scenes_of_split.values())
    scenes = [{"split": split, "path": f"{SCENES}/{split}-*.parquet"} for split in found.scenes_of_split]
    sides = [{"split": side, "path": f"{BANK}/{side}.parquet"} for side in banks]
    configs = [{"config_name": "scenes", "default": True, "data_files": scenes}]
    if asked:
        files = [{"split": split, "path": f"{QUESTIONS}/{split}-*.parquet"} for split in asked.splits]
        configs.append({"config_name": "questions", "data_files": files})
    if banks:
        configs.append({"config_name": "bank", "data_files": sides})
    return {
        "license": [LICENCES[name][0] if name in LICENCES else "other" for name in names],
        "task_categories": ["question-answering", "audio-classification"],
        "tags": ["audio", "acoustic-question-answering", "synthetic"],
        "size_categories": [next((name for limit, name in SIZES if n < limit), "n>1M")],
        "configs": configs,
    }


# --- making and use ---------------------------------------------------------------------------------------------------


def _how_made(identity: dict[str, Any], settings: Settings, asked: QuestionsManifest | None) -> str:
    no_audio = "" if settings.audio else " --no-audio"
    banks = "\n".join(f"- {side} bank: content SHA-256 `{sha}`" for side, sha in identity["banks"].items())
    answered = ", and finds every answer again" if asked else ""
    questions = f"\n{command(asked, settings, 'again')}" if asked and not asked.imported else ""
    return f"""By {identity["generator"]}, seed {settings.seed}. To make the
same files again, save this beside this card as `again.yaml`

```yaml
{yaml.safe_dump(_configuration(settings), sort_keys=False).rstrip()}
```

and run

```
clear-gen scenes --config again.yaml{no_audio} --out again{questions}
```

{_domain_note(settings)}{banks}

`clear-gen validate .` checks every file, draws every graph again from the seed and renders scenes again{answered}."""


def _configuration(settings: Settings) -> dict[str, Any]:
    """What ``clear-gen scenes --config`` needs: shares that give back the sizes, the banks beside the card."""
    sizes, n = settings.sizes, sum(settings.sizes.values())
    configuration: dict[str, Any] = {
        "n": n,
        "splits": [size / n for size in sizes.values()],
        "seed": settings.seed,
        "sample_rate": settings.sample_rate,
        "levels": settings.levels,
        "domain": settings.domain.name,
    }
    if settings.allow_leak:
        configuration["allow_leak"] = True
    if sizes["train"] or sizes["validation"]:
        configuration["bank"] = f"{BANK}/train.parquet"
    if sizes["test"]:
        configuration["test_bank"] = f"{BANK}/test.parquet"
    packaged = _packaged_sampling(settings)
    sampling = settings.domain.sampling.model_dump(mode="json")
    if packaged != sampling:
        configuration["sampling"] = sampling
    return configuration


def _packaged_sampling(settings: Settings) -> dict[str, Any] | None:
    """The sampling rules of the packaged domain of this name; None if the dataset's domain is another one."""
    try:
        packaged = packaged_domain(settings.domain.name)
    except InputError:
        return None
    rest = {"sampling"}
    same = packaged.model_dump(exclude=rest) == settings.domain.model_dump(exclude=rest)
    return packaged.sampling.model_dump(mode="json") if same else None


def _domain_note(settings: Settings) -> str:
    if _packaged_sampling(settings) is not None:
        return ""
    return (
        "The domain is none of the packaged ones. Its definition is in `clear.json`, under "
        f"`identity.domain.definition`: save it as `{settings.domain.name}/domain.yaml` and add "
        f"`--domain ./{settings.domain.name}`.\n\n"
    )


def _imported(settings: Settings) -> str:
    assert settings.imported is not None
    files = "\n".join(f"- `{cell(name)}`: SHA-256 `{sha}`" for name, sha in settings.imported.get("files", {}).items())
    return (
        f"Imported from the layout of the published CLEAR generator: {cell(str(settings.imported.get('name')))}, "
        f"version {cell(str(settings.imported.get('version')))}. The audio is as it was found; hashes and "
        "`clear_gen` use the upper 16 bits of samples that have more. The elementary sounds are not in the "
        f"dataset, so no scene can be rendered again.\n\n{files}"
    )


def _use(settings: Settings, banks: dict[str, Bank], asked: QuestionsManifest | None) -> str:
    split = next(iter(asked.splits) if asked else (split for split, size in settings.sizes.items() if size))
    bank = (
        "; config `bank` the elementary\nsounds with their attributes, raw measures, source and licence"
        if banks
        else ""
    )
    loop = _questions_loop(settings, split) if asked else _scenes_loop(settings, split)
    load = HEARD_QUESTIONS if asked and _is_all_heard(settings) else LOAD_QUESTIONS if asked else LOAD_SCENES
    return f"""```python
import clear_gen

{loop}

{load.replace("SPLIT", split)}
```

Config `scenes` has one row per scene: its graph, what rendering found out, and the audio, which
`soundfile.read(io.BytesIO(row["audio"]["bytes"]))` decodes{JOINED if asked else ""}{bank}."""


def _is_all_heard(settings: Settings) -> bool:
    """Whether every scene has audio in the dataset."""
    n = sum(settings.sizes.values())
    return settings.audio and (settings.imported is None or settings.imported["audio_files"]["n"] == n)


LOAD_SCENES = """import datasets

scenes = datasets.load_dataset("this/folder", "scenes", streaming=True)["SPLIT"]"""
LOAD_QUESTIONS = f"""{LOAD_SCENES}
questions = datasets.load_dataset("this/folder", "questions", streaming=True)["SPLIT"]"""
HEARD_QUESTIONS = """import io

import datasets
import soundfile

scenes = datasets.load_dataset("this/folder", "scenes", split="SPLIT")
questions = datasets.load_dataset("this/folder", "questions", split="SPLIT")
row_of = {scene_id: row for row, scene_id in enumerate(scenes["scene_id"])}


def with_audio(batch):
    audio = [scenes[row_of[scene_id]]["audio"] for scene_id in batch["scene_id"]]
    return {**batch, "waveform": [soundfile.read(io.BytesIO(one["bytes"]), dtype="float32")[0] for one in audio]}


questions = questions.with_transform(with_audio)  # the scene's audio, decoded when a question is read"""
JOINED = """; config `questions` one row per question:
text, answer, type, template and program, and the `scene_id` of its scene"""


def _scenes_loop(settings: Settings, split: str) -> str:
    waveform = "scene.waveform.shape, " if settings.audio and not settings.imported else ""
    return f"""for scene in clear_gen.open_dataset("this/folder").scenes("{split}"):
    print(scene.graph.scene_id, {waveform}[sound.attributes for sound in scene.graph.sounds])"""


def _questions_loop(settings: Settings, split: str) -> str:
    waveform = ", question.scene.waveform.shape" if settings.audio and not settings.imported else ""
    return f"""for question in clear_gen.open_dataset("this/folder").questions("{split}"):
    print(question.question_id{waveform}, question.text, question.answer)"""


def _limitations(settings: Settings, banks: dict[str, Bank]) -> list[str]:
    lines = ["Sounds follow one another and never overlap; a scene holds nothing but them, a room's tail and noise."]
    if settings.imported:
        return [*lines, "Labels are those of the source; they were checked against the domain, not measured again."]
    if settings.domain.sampling.reverb is not None:
        lines.append(
            "The room is one exponentially decaying noise per scene, the same for all its sounds: no early "
            "reflections, no direction, no distance."
        )
    if names := " and ".join(measured(settings.domain.attributes)):
        lines.append(f"A label that could be disputed is unknown (null): {names} near the threshold.")
    if set(banks) == {"train", "test"}:
        lines.append("Validation scenes use the training bank; only test scenes use recordings of their own.")
        if settings.allow_leak and (leaked := leaked_sounds(banks["train"], banks["test"])):
            lines[-1] = (
                f"{len(leaked)} of {len(banks['test'].sounds)} test sounds are recordings of the training bank "
                "(`--allow-leak`): the test split does not measure how a model does on unheard recordings."
            )
    elif "train" in banks:
        lines.append("All scenes use one bank: nothing here measures how a model does on unheard recordings.")
    if settings.levels == "recorded":
        lines.append(
            "Levels are as recorded, so what a sound is tells something about how loud it is; `--levels independent` "
            "draws them by a fair coin."
        )
    n_sounds = {side: len(bank.sounds) for side, bank in banks.items()}
    counted = ", ".join(f"{side} {n:,}" for side, n in n_sounds.items())
    lines.append(f"Elementary sounds are few ({counted}): a model can learn them by heart.")
    return lines
