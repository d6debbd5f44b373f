"""WAV, AIFF, Wave64, RF64 and CAF: chunks, one of which holds the samples and says how long it is.

libsndfile reads a file that was cut off as if it were a shorter one. What writes to a pipe cannot go back to write the
length: it leaves 0, or as much as fits.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import BinaryIO


@dataclass(frozen=True)
class Container:
    """What a file made of chunks looks like.

    ``start``: where the first chunk begins; ``head``: form of a chunk's head (name, size); ``samples``: name of the
    chunk of the samples; ``own_bytes``: how much of its own head a size counts; ``alignment`` of chunks in bytes.
    ``unknown``: the smallest size that stands for an unknown one.
    """

    start: int
    head: str
    samples: bytes
    own_bytes: int
    alignment: int
    unknown: int


# SoX writes 0x7FFFF000, ALSA 0x80000000, FFmpeg 0xFFFFFFFF, all less a head at times.
_UNKNOWN_32, _UNKNOWN_64 = 0x7FFF0000, 1 << 62
CONTAINERS = {  # by the first four bytes of the file
    b"RIFF": Container(12, "<4sI", b"data", 0, 2, _UNKNOWN_32),
    b"RF64": Container(12, "<4sI", b"data", 0, 2, _UNKNOWN_32),
    b"RIFX": Container(12, ">4sI", b"data", 0, 2, _UNKNOWN_32),
    b"FORM": Container(12, ">4sI", b"SSND", 0, 2, _UNKNOWN_32),
    b"riff": Container(40, "<4s12xQ", b"data", 24, 8, _UNKNOWN_64),  # Sony's Wave64
    b"caff": Container(8, ">4sQ", b"data", 0, 1, _UNKNOWN_64),
}


_DS64 = Container(0, "<Q", b"ds64", 0, 1, _UNKNOWN_64)  # where RF64 has the size of its samples


@dataclass(frozen=True)
class Samples:
    """The chunk of the samples: ``found`` bytes after its head, ``promised`` by it; None if the length is unknown.

    ``size_at``: where in the file the size stands.
    """

    found: int
    promised: int | None
    size_at: int
    _container: Container

    def with_true_length(self, data: bytes) -> bytes:
        """A whole file with the length that its samples have."""
        form = self._container.head
        size = struct.pack(form[0] + form[-1], self.found + self._container.own_bytes)
        return data[: self.size_at] + size + data[self.size_at + len(size) :]


def samples_chunk(file: BinaryIO) -> Samples | None:
    """The chunk of the samples of a file; None if it has none or is of another format."""
    n_bytes = file.seek(0, 2)
    file.seek(0)
    container = CONTAINERS.get(magic := file.read(4))
    if container is None:
        return None
    long_size = (0, 0)  # and where it stands
    file.seek(container.start)
    while len(head := file.read(struct.calcsize(container.head))) == struct.calcsize(container.head):
        name, size = struct.unpack(container.head, head)
        start, length = file.tell(), size - container.own_bytes
        if name == b"ds64":
            long_size = (int.from_bytes(file.read(16)[8:], "little"), start + 8)
        if name == container.samples:
            if magic == b"RF64" and size == 0xFFFFFFFF and long_size[1]:
                return _samples(file, n_bytes - start, long_size[0], long_size[1], _DS64)
            size_at = start - struct.calcsize(container.head[0] + container.head[-1])
            return _samples(file, n_bytes - start, length, size_at, container)
        file.seek(start - max(length, 0) // -container.alignment * container.alignment)  # rounded up
    return None


def _samples(file: BinaryIO, found: int, length: int, size_at: int, container: Container) -> Samples:
    is_left_open = length <= 0 and found > 0 and not _is_chunk(file, found, container)
    is_unknown = is_left_open or (length >= container.unknown and length > found)
    return Samples(found, None if is_unknown else max(length, 0), size_at, container)


def _is_chunk(file: BinaryIO, found: int, container: Container) -> bool:
    """Whether the next bytes are the head of a chunk that fits into the file, and thus no samples."""
    if container is _DS64:
        return False
    head = file.read(struct.calcsize(container.head))
    if len(head) < struct.calcsize(container.head):
        return False
    name, size = struct.unpack(container.head, head)
    return name[:4].isalnum() and size + len(head) - container.own_bytes <= found + 1
