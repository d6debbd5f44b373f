"""A list in a JSON file, one item after the other: the file may be larger than memory, and may be anything at all."""

from __future__ import annotations

import codecs
import json
import stat
from collections.abc import Iterator
from hashlib import sha256
from json.decoder import JSONDecoder
from pathlib import Path
from typing import Any, BinaryIO

from clear_gen.core.errors import InputError, first_line

BLOCK_BYTES = 1 << 20
MAX_VALUE_CHARACTERS = 1 << 20  # of one item, and of any other value of the object
SPACE = " \t\n\r"


class JsonList:
    """The list under ``key`` of the JSON object that a file holds. After ``items``, ``sha256`` is that of the file."""

    def __init__(self, path: Path, key: str) -> None:
        self.sha256 = ""
        self._path, self._key = path, key
        self._digest = sha256()
        self._decode = codecs.getincrementaldecoder("utf-8-sig")().decode
        self._text, self._place, self._ended = "", 0, False

    def items(self) -> Iterator[Any]:
        """The items in order. Raises InputError if the file is not such an object, or an item is too large."""
        try:
            if not stat.S_ISREG(self._path.stat().st_mode):  # a pipe may never end
                raise InputError(f"{self._path}: found no regular file, expected a JSON file")
            with open(self._path, "rb") as file:
                yield from self._members(file)
        except (OSError, ValueError, RecursionError) as error:
            raise InputError(f"{self._path}: not readable JSON ({first_line(error)})") from None
        self.sha256 = self._digest.hexdigest()

    def _members(self, file: BinaryIO) -> Iterator[Any]:
        if self._next(file) != "{":
            raise InputError(f"{self._path}: document: found {self._shown(file)}, expected an object")
        self._place += 1
        found = False
        while self._next(file) != "}":
            name = self._value(file)
            if not isinstance(name, str):
                raise ValueError(f"found {str(name)[:40]!r}, expected a name")
            self._skip(file, ":")
            if name != self._key:
                self._value(file)
            elif found:
                raise InputError(f"{self._path}: {name}: found twice, expected once")
            else:
                found = True
                yield from self._list(file)
            self._separator(file, "}")
        self._place += 1
        if self._next(file):
            raise ValueError("found more after the object's end")
        if not found:
            raise InputError(f"{self._path}: {self._key}: found nothing, expected this field")

    def _list(self, file: BinaryIO) -> Iterator[Any]:
        if self._next(file) != "[":
            raise InputError(f"{self._path}: {self._key}: found {self._shown(file)}, expected a list of objects")
        self._place += 1
        while self._next(file) != "]":
            yield self._value(file)
            self._separator(file, "]")
        self._place += 1

    def _separator(self, file: BinaryIO, end: str) -> None:
        """Go beyond a comma; before ``end`` there is none."""
        if self._next(file) != end:
            self._skip(file, ",")
            if self._next(file) == end:
                raise ValueError(f"found a comma before {end!r}")

    def _skip(self, file: BinaryIO, expected: str) -> None:
        if (found := self._next(file)) != expected:
            raise ValueError(f"found {found!r}, expected {expected!r}" if found else "it ends too early")
        self._place += 1

    def _next(self, file: BinaryIO) -> str:
        """The next character that is no space, or nothing at the end of the file."""
        while True:
            while self._place < len(self._text):
                if self._text[self._place] not in SPACE:
                    return self._text[self._place]
                self._place += 1
            if not self._more(file):
                return ""

    def _value(self, file: BinaryIO) -> Any:
        """The value that begins at the next character."""
        self._next(file)
        while True:
            left = len(self._text) - self._place
            try:
                value, end = _DECODER.raw_decode(self._text, self._place)
                length = end - self._place
                if length + 2 < left or not self._more(file):  # a number may go on: "1", "1.", "1e", "1e+"
                    self._place += length
                    return value
            except json.JSONDecodeError:
                if left >= MAX_VALUE_CHARACTERS or not self._more(file):
                    raise
            if left >= MAX_VALUE_CHARACTERS:
                raise ValueError(f"found a value of more than {MAX_VALUE_CHARACTERS:,} characters")

    def _shown(self, file: BinaryIO) -> str:
        return repr(self._value(file))[:40] if self._next(file) else "nothing"

    def _more(self, file: BinaryIO) -> bool:
        """Read on; whether there was more."""
        if self._ended:
            return False
        block = file.read(BLOCK_BYTES)
        self._digest.update(block)
        self._ended = not block
        self._text = self._text[self._place :] + self._decode(block, final=not block)
        self._place = 0
        return bool(block)


_DECODER = JSONDecoder()
