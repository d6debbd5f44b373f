"""Parsers of command-line option values shared by several tasks."""

from __future__ import annotations

import click


def different_numbers(value: str | None, expected: str) -> tuple[int, ...] | None:
    """Parse distinct integers such as ``1,2,3``; None for None. Raises BadParameter for anything else."""
    if value is None:
        return None
    texts = [text.strip() for text in value.split(",")]
    if not all(text.isdecimal() for text in texts) or len(set(texts)) < len(texts):
        raise click.BadParameter(f"found {value!r}, expected {expected}")
    return tuple(int(text) for text in texts)
