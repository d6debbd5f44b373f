"""Random streams depend on all of their key."""

from __future__ import annotations

from clear_gen.core.streams import stream


def test_a_stream_depends_on_the_seed_and_on_every_part_of_the_key():
    keys = [(0, 1), (1, 1), (0, 2), (0, 1, 0), (0, 1, 1), (0,)]
    drawn = {stream(*key).integers(2**63) for key in keys}
    assert len(drawn) == len(keys)
    assert stream(0, 1, 2).integers(2**63) == stream(0, 1, 2).integers(2**63)
