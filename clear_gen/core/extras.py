"""What is not installed by default, and how it is: one line instead of a traceback."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager

from clear_gen.core.errors import InputError

log = logging.getLogger(__name__)

EXTRA_OF = {  # by the module that is imported; pyproject.toml, [project.optional-dependencies]
    "torch": "bench",
    "safetensors": "bench",
    "httpx": "bench",
    "matplotlib": "figures",
    "pydub": "formats",
    "datasets": "hub",
    "httpx2": "hub",
    "huggingface_hub": "hub",
    "ray": "ray",
    "fluidsynth": "soundfont",
}


def how_to_install(extra: str) -> str:
    """The commands that install an extra.

    >>> how_to_install("hub")
    "pip install '.[hub]' in a checkout, pip install 'clear-gen[hub]' from a package index"
    """
    return f"pip install '.[{extra}]' in a checkout, pip install 'clear-gen[{extra}]' from a package index"


@contextmanager
def unless_missing(what: str) -> Iterator[None]:
    """Do something that can be left out: if the module that it needs is not installed, log how to install it."""
    try:
        yield
    except ModuleNotFoundError as error:
        if (problem := missing(error)) is None:
            raise
        log.warning("no %s: %s", what, problem)


def missing(error: ModuleNotFoundError) -> InputError | None:
    """What to say if the module that was not found comes with an extra; None if it is another one."""
    module = (error.name or "").partition(".")[0]
    if module not in EXTRA_OF:
        return None
    return InputError(f"{module}: not installed; {how_to_install(EXTRA_OF[module])}")
