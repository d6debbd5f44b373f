"""The benchmark: reference models trained on datasets of ``clear_gen``, and predictions scored per question type."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from baselines.predictors.load import load_model

__all__ = ["load_model"]


def __getattr__(name: str) -> Any:
    """Import what is asked for: torch takes seconds, and ``clear-bench --help`` needs none of it."""
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from baselines.predictors.load import load_model

    return load_model
