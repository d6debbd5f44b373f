"""Ogg: pages of one stream after another, each of which ends with a page that says so (RFC 3533).

libsndfile reads the first stream of several (a chain, as of joined files or of a radio) and takes the last page that it
finds for the end.
"""

from __future__ import annotations

from dataclasses import dataclass

_HEAD_BYTES = 27
_BEGINS, _ENDS = 2, 4  # flags of a page


@dataclass(frozen=True)
class Chain:
    """``links``: the bytes of each part. ``is_cut``: the last page is not whole, or not marked as the last."""

    links: list[bytes]
    is_cut: bool


def chain(data: bytes) -> Chain:
    """The links of a chain, in order; none if there is no Ogg page."""
    starts: list[int] = []  # where links begin
    position, flags, was_start, is_whole, open_streams = 0, 0, False, True, set[bytes]()
    while (page := data.find(b"OggS", position)) >= 0:
        head = data[page : page + _HEAD_BYTES]
        sizes = data[page + _HEAD_BYTES : page + _HEAD_BYTES + head[-1]]
        end = page + _HEAD_BYTES + head[-1] + sum(sizes)
        is_whole = len(head) == _HEAD_BYTES and len(sizes) == head[-1] and end <= len(data)
        if not is_whole:
            break
        flags, serial = head[5], head[14:18]
        if flags & _BEGINS:
            if not was_start:
                starts.append(page)
            open_streams.add(serial)
        if flags & _ENDS:
            open_streams.discard(serial)
        position, was_start = end, bool(flags & _BEGINS)
    links = [data[start:stop] for start, stop in zip(starts, [*starts[1:], position], strict=True)]
    return Chain(links, not is_whole or bool(open_streams))
