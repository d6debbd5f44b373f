"""The dataset card (``README.md``): what the Hub reads, and what a person wants to know first."""

from __future__ import annotations

from collections import Counter
from typing import Any

import yaml

from clear_gen.dataset.identity import Settings
from clear_gen.dataset.layout import SCENES
from clear_gen.dataset.statistics import Statistics, statistics_lines
from clear_gen.sounds.bank import Bank

HUB_LICENCES = {
    "CC-BY-SA-4.0": "cc-by-sa-4.0",
    "CC-BY-4.0": "cc-by-4.0",
    "CC-BY-3.0": "cc-by-3.0",
    "CC0-1.0": "cc0-1.0",
}
SIZES = [(1_000, "n<1K"), (10_000, "1K<n<10K"), (100_000, "10K<n<100K"), (1_000_000, "100K<n<1M")]


def card(
    identity: dict[str, Any],
    settings: Settings,
    made_with: dict[str, str],
    banks: dict[str, Bank],
    found: Statistics,
) -> str:
    """The text of ``README.md``: YAML for the Hub, then statistics, sources and use."""
    domain = settings.domain
    front = yaml.safe_dump(_front_matter(banks, found), sort_keys=False, allow_unicode=True)
    n = sum(found.scenes_of_split.values())
    splits = ", ".join(f"{split} {size:,}" for split, size in found.scenes_of_split.items())
    sources = "\n".join(
        f"- {side}: {source}, {licence} ({count} sounds)"
        for side, bank in banks.items()
        for (source, licence), count in sorted(_sources(bank).items())
    )
    statistics = "\n".join(statistics_lines(domain, found.ranges))
    audio = "FLAC, 16 bit, mono" if identity["audio"] else "graphs only; `clear-gen render` adds the audio"
    return f"""---
{front}---

# {domain.name}: {n:,} acoustic scenes

Scenes for acoustic question answering: elementary sounds one after the other in a room, with microphone noise, and an
exact description of each scene. Made by {identity["generator"]}, seed {identity["seed"]}.

- scenes: {splits}
- audio: {audio}, {identity["sample_rate"]} Hz, {found.audio_hours:.1f} hours
- levels: {identity["levels"]}

```text
{statistics}
```

Validation scenes use the training bank, test scenes the test bank.

## Use

```python
import clear_gen

for scene in clear_gen.load("this/folder", "train"):
    print(scene.graph.scene_id, scene.waveform.shape, [sound.attributes for sound in scene.graph.sounds])
```

or `datasets.load_dataset("this/folder", "scenes")`. Config `scenes` has one row per scene, graph and audio; config
`bank` the elementary sounds with their attributes, raw brightness and loudness, and licence.

## Sources

{sources}
"""


def _sources(bank: Bank) -> Counter[tuple[str, str]]:
    return Counter((sound.source, sound.licence) for sound in bank.sounds)


def _front_matter(banks: dict[str, Bank], found: Statistics) -> dict[str, Any]:
    licences = sorted({HUB_LICENCES.get(sound.licence, "other") for bank in banks.values() for sound in bank.sounds})
    n = sum(found.scenes_of_split.values())
    scenes = [{"split": split, "path": f"{SCENES}/{split}-*.parquet"} for split in found.scenes_of_split]
    sides = [{"split": side, "path": f"bank/{side}.parquet"} for side in banks]
    return {
        "license": licences,
        "task_categories": ["question-answering", "audio-classification"],
        "tags": ["audio", "acoustic-question-answering", "synthetic"],
        "size_categories": [next((name for limit, name in SIZES if n < limit), "n>1M")],
        "configs": [
            {"config_name": "scenes", "default": True, "data_files": scenes},
            {"config_name": "bank", "data_files": sides},
        ],
    }
