"""The benchmark: reference models trained on datasets of ``clear_gen``, and predictions scored per question type.

``load_model`` is the Python API (docs/api.md); it is imported when it is first used.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from baselines.predictors.load import load_model

__all__ = ["load_model"]


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module("baselines.predictors.load"), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
