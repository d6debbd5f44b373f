"""Acoustic question answering datasets with exact labels.

The names in ``__all__`` are the Python API (docs/api.md). Each is imported when it is first used, so that the command
line starts at once.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from clear_gen.core.errors import CheckFailed, InputError
    from clear_gen.datasets.dataset import Dataset, open_dataset
    from clear_gen.datasets.mixtures.load import Mixture
    from clear_gen.datasets.scenes.scene import Question, Scene, default_bank, generate_scene
    from clear_gen.questions.language.execute import IllPosed
    from clear_gen.scenes.graph import Noise, Reverb
    from clear_gen.sounds.bank import Bank
    from clear_gen.store.rows import Rows

__version__ = "0.2.0"
__all__ = [
    "Bank",
    "CheckFailed",
    "Dataset",
    "IllPosed",
    "InputError",
    "Mixture",
    "Noise",
    "Question",
    "Reverb",
    "Rows",
    "Scene",
    "default_bank",
    "generate_scene",
    "open_dataset",
]
_MODULES = {
    "clear_gen.core.errors": ("CheckFailed", "InputError"),
    "clear_gen.datasets.dataset": ("Dataset", "open_dataset"),
    "clear_gen.datasets.mixtures.load": ("Mixture",),
    "clear_gen.datasets.scenes.scene": ("Question", "Scene", "default_bank", "generate_scene"),
    "clear_gen.questions.language.execute": ("IllPosed",),
    "clear_gen.scenes.graph": ("Noise", "Reverb"),
    "clear_gen.sounds.bank": ("Bank",),
    "clear_gen.store.rows": ("Rows",),
}
_MODULE_OF = {name: module for module, names in _MODULES.items() for name in names}


def __getattr__(name: str) -> Any:
    if name not in _MODULE_OF:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(_MODULE_OF[name]), name)
    globals()[name] = value  # the next use finds it at once
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
