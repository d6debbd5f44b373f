"""MPEG audio (MP3): a stream of frames between tags, which nowhere has to say how long it is.

libsndfile takes the length from the header frame that most encoders write first (``Xing``, ``Info``), else estimates it
from the size of the file and the first frame's bit rate: too short for variable rates, too long where there are tags,
and blind for what was appended. Here the frames are counted. ISO/IEC 11172-3, 13818-3; ID3v2.4 section 3.1.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace

SAMPLE_RATES = {3: (44100, 48000, 32000), 2: (22050, 24000, 16000), 0: (11025, 12000, 8000)}  # by the version's bits
_LAYER_3 = 1  # the layer's bits
_KBPS = {  # (MPEG-1, layer's bits) -> bit rates
    (True, 3): (0, 32, 64, 96, 128, 160, 192, 224, 256, 288, 320, 352, 384, 416, 448),
    (True, 2): (0, 32, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320, 384),
    (True, 1): (0, 32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320),
    (False, 3): (0, 32, 48, 56, 64, 80, 96, 112, 128, 144, 160, 176, 192, 224, 256),
    (False, 2): (0, 8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160),
    (False, 1): (0, 8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160),
}
_HEAD_BYTES = 4
_ID3V1_BYTES = 128
_COUNT_IS_GIVEN = 1  # flag of a header frame


@dataclass(frozen=True)
class Frame:
    """A frame's header: ``start`` and ``size`` in bytes; ``form`` is equal in one stream."""

    start: int
    size: int
    form: tuple[int, int, int]  # version's bits, layer's bits, sample rate in Hz
    is_mono: bool

    @property
    def tag_offset(self) -> int:
        """Where a header frame has its tag: behind the side information, which it leaves empty."""
        if self.form[0] == 3:
            return _HEAD_BYTES + (17 if self.is_mono else 32)
        return _HEAD_BYTES + (9 if self.is_mono else 17)


@dataclass(frozen=True)
class Stream:
    """Frames of one form, one after the other, as one encoder wrote them.

    ``data``: the frames' bytes, without tags, the header frame first if there is one. ``stated``: number of frames by
    the header frame. ``is_constant``: all frames have one size. ``is_cut``: the last frame is not whole.
    """

    data: bytes
    first: Frame
    n_frames: int
    stated: int | None
    has_header_frame: bool
    is_constant: bool
    is_cut: bool

    @property
    def was_cut_off(self) -> bool:
        """Whether frames are missing at the end. A header frame may count itself."""
        return self.is_cut or (self.stated is not None and self.stated > self.n_frames + 1)

    def with_true_length(self) -> bytes:
        """The stream as libsndfile reads it to its end: behind a header frame with the number of frames, if needed."""
        is_estimate_right = self.is_constant and not self.has_header_frame
        if self.stated == self.n_frames or is_estimate_right or self.first.form[1] != _LAYER_3:
            return self.data
        frames = self.data[self.first.size if self.has_header_frame else 0 :]
        return _header_frame(self.data, self.first, self.n_frames) + frames


def streams(data: bytes) -> list[Stream]:
    """The streams of a file, in order; none if it holds no MPEG audio whose frames can be counted."""
    found: list[_Open] = []
    for frame in _frames(data):
        chunk = data[frame.start : frame.start + frame.size]
        tag = _header_tag(chunk, frame)
        if not found or tag is not None or found[-1].first.form != frame.form:
            found.append(_Open(replace(frame, start=0)))
        found[-1].add(chunk, frame, tag)
    return [one.closed() for one in found if one.n_frames]


@dataclass
class _Open:
    first: Frame
    chunks: list[bytes] = field(default_factory=list)
    n_frames: int = 0
    stated: int | None = None
    has_header_frame: bool = False
    is_cut: bool = False
    bytes_of_frames: set[int] = field(default_factory=set)

    def add(self, chunk: bytes, frame: Frame, tag: int | None) -> None:
        if tag is not None:
            self.has_header_frame, self.stated = True, tag if tag >= 0 else None
        elif len(chunk) < frame.size:
            self.is_cut = True
            return
        else:
            self.n_frames += 1
            self.bytes_of_frames.add(frame.size)
        self.chunks.append(chunk)

    def closed(self) -> Stream:
        data = b"".join(self.chunks)
        is_constant = len(self.bytes_of_frames) == 1
        return Stream(data, self.first, self.n_frames, self.stated, self.has_header_frame, is_constant, self.is_cut)


def _frames(data: bytes) -> Iterator[Frame]:
    """The frames of a file, the last of which may be cut; what lies between them, tags above all, is passed over."""
    position, expected = 0, False  # expected: a frame ended here
    while position + _HEAD_BYTES <= len(data):
        if skipped := _tag_bytes(data, position):
            position += skipped
            continue
        frame = _frame(data, position)
        if frame is not None and (expected or _is_followed(data, frame)):
            yield frame
            position, expected = position + frame.size, True
            continue
        expected = False
        position = data.find(b"\xff", position + 1)
        if position < 0:
            return


def _is_followed(data: bytes, frame: Frame) -> bool:
    """Whether another frame of the form follows, or the end: two bytes alone may look like a frame anywhere."""
    end = frame.start + frame.size
    if end >= len(data) - _HEAD_BYTES:
        return end == len(data)
    following = _frame(data, end)
    return bool(_tag_bytes(data, end)) or (following is not None and following.form == frame.form)


def _frame(data: bytes, start: int) -> Frame | None:
    head = data[start : start + _HEAD_BYTES]
    if len(head) < _HEAD_BYTES or head[0] != 0xFF or head[1] & 0xE0 != 0xE0:
        return None
    version, layer = head[1] >> 3 & 3, head[1] >> 1 & 3
    rate, kind = head[2] >> 2 & 3, head[2] >> 4
    if version == 1 or layer == 0 or rate == 3 or kind in (0, 15):
        return None  # reserved, or of a bit rate that the frame does not tell
    sample_rate, bits = SAMPLE_RATES[version][rate], 1000 * _KBPS[version == 3, layer][kind]
    padding = head[2] >> 1 & 1
    if layer == 3:
        unit, n_bytes = 4, 12 * bits // sample_rate * 4
    else:
        unit, n_bytes = 1, (72 if layer == _LAYER_3 and version != 3 else 144) * bits // sample_rate
    form = (version, layer, sample_rate)
    return Frame(start, n_bytes + padding * unit, form, head[3] >> 6 == 3)


def _tag_bytes(data: bytes, start: int) -> int:
    """Length of the tag that begins here; 0 if none does."""
    head = data[start : start + 32]
    if head[:3] == b"ID3" and len(head) >= 10 and max(head[6:10]) < 0x80:
        size = sum(byte << 7 * (3 - place) for place, byte in enumerate(head[6:10]))
        return 10 + size + (10 if head[5] & 0x10 else 0)  # with a footer
    if head[:3] == b"TAG" and len(data) - start >= _ID3V1_BYTES:
        return _ID3V1_BYTES
    if head[:8] == b"APETAGEX" and len(head) == 32:
        is_header = head[23] & 0x20  # one in front of the items, whose size counts them and a footer
        return 32 + (int.from_bytes(head[12:16], "little") if is_header else 0)
    return 0


def _header_tag(chunk: bytes, frame: Frame) -> int | None:
    """Number of frames by a header frame, -1 if it does not say; None of any other frame."""
    tag = chunk[frame.tag_offset : frame.tag_offset + 12]
    if frame.form[1] != _LAYER_3 or tag[:4] not in (b"Xing", b"Info"):
        return None
    return int.from_bytes(tag[8:12], "big") if tag[7:8] and tag[7] & _COUNT_IS_GIVEN else -1


def _header_frame(data: bytes, first: Frame, n_frames: int) -> bytes:
    """A frame without sound that tells the number of those behind it; without checksum and padding, at 128 kbit/s."""
    rates = _KBPS[first.form[0] == 3, _LAYER_3]
    head = bytes((0xFF, data[1] | 1, rates.index(128) << 4 | data[2] & 0x0C, data[3]))
    frame = _frame(head, 0)
    assert frame is not None
    tag = b"Info" + _COUNT_IS_GIVEN.to_bytes(4, "big") + n_frames.to_bytes(4, "big")
    return (head.ljust(frame.tag_offset, b"\0") + tag).ljust(frame.size, b"\0")
