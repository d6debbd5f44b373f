"""The type of command-line options that take one of some names."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import click

from clear_gen.core.names import guess


class Choice(click.Choice[str]):
    """One of some names; for another one the message has the nearest."""

    def __init__(self, names: Iterable[str]) -> None:
        super().__init__(tuple(names))

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """The name. Raises BadParameter if it is none of the names."""
        try:
            return super().convert(value, param, ctx)
        except click.BadParameter as error:
            raise click.BadParameter(f"{error.message}{guess(value, self.choices)}", ctx, param) from None
