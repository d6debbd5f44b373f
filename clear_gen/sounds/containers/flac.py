"""FLAC: its first block gives the number of samples, or 0 for unknown: so write encoders to a pipe (RFC 9639).

libsndfile cannot read such a file. The number follows from the header of the last frame, whose checksum tells whether
the frame is whole.
"""

from __future__ import annotations

from functools import cache

MAGIC = b"fLaC"
_INFO = len(MAGIC) + 4  # where the block STREAMINFO begins, which is the first
_TOTAL = _INFO + 13  # where 36 bits with the number of samples begin, in the lower half of a byte
HEAD_BYTES = _TOTAL + 5
_LONGEST_FRAME = 1 << 21  # bytes; 65,535 samples of 8 channels in 32 bits, stored as they are
_BLOCK_SIZES = {1: 192, **{n: 576 << n - 2 for n in range(2, 6)}, **{n: 256 << n - 8 for n in range(8, 16)}}
_CRC_8, _CRC_16 = 0x07, 0x8005  # polynomials, RFC 9639 sections 9.1.8 and 9.3


def is_length_unknown(data: bytes) -> bool:
    """Whether a file of FLAC does not say how long it is."""
    return data.startswith(MAGIC) and len(data) >= HEAD_BYTES and not _total(data)


def with_true_length(data: bytes) -> bytes | None:
    """The file with its number of samples; None if its last frame is not whole."""
    n_samples = _samples_by_last_frame(data)
    if n_samples is None:
        return None
    total = (data[_TOTAL] & 0xF0) << 32 | n_samples
    return data[:_TOTAL] + total.to_bytes(5, "big") + data[_TOTAL + 5 :]


def _total(data: bytes) -> int:
    return int.from_bytes(data[_TOTAL : _TOTAL + 5], "big") & (1 << 36) - 1


def _samples_by_last_frame(data: bytes) -> int | None:
    """Number of samples, by the last frame if its checksum is right at the end of the file."""
    block_size = int.from_bytes(data[_INFO + 2 : _INFO + 4], "big")  # in samples; of all frames but a shorter last one
    start, first = len(data), max(_TOTAL, len(data) - _LONGEST_FRAME)
    while (start := data.rfind(b"\xff", first, start)) >= 0:
        end = _sample_after(data[start : start + 16], block_size)
        if end is not None and _crc(data[start:], _CRC_16, 16) == 0:  # over a frame and its checksum
            return end
    return None


def _sample_after(head: bytes, block_size: int) -> int | None:
    """Number of the sample after a frame, by its header; None if there is no header."""
    if len(head) < 6 or head[1] & 0xFE != 0xF8:
        return None
    size_code, rate_code = head[2] >> 4, head[2] & 15
    n_coded = max(1, 8 - (head[4] ^ 0xFF).bit_length())  # bytes of the coded number, written as UTF-8 writes one
    n_size, n_rate = {6: 1, 7: 2}.get(size_code, 0), {12: 1, 13: 2, 14: 2}.get(rate_code, 0)
    end = 4 + n_coded + n_size + n_rate + 1
    if size_code == 0 or rate_code == 15 or len(head) < end or _crc(head[:end], _CRC_8, 8) != 0:
        return None
    size = head[4 + n_coded : 4 + n_coded + n_size]
    n_samples = int.from_bytes(size, "big") + 1 if size else _BLOCK_SIZES[size_code]
    number = _coded_number(head[4 : 4 + n_coded])
    return (number if head[1] & 1 else number * block_size) + n_samples


def _coded_number(coded: bytes) -> int:
    number = coded[0] & (0xFF >> len(coded) + 1 if len(coded) > 1 else 0x7F)
    for byte in coded[1:]:
        number = number << 6 | byte & 0x3F
    return number


def _crc(data: bytes, polynomial: int, bits: int) -> int:
    """Remainder of a cyclic redundancy check, the highest bit first, from 0."""
    table, mask, value = _crc_table(polynomial, bits), (1 << bits) - 1, 0
    for byte in data:
        value = value << 8 & mask ^ table[value >> bits - 8 ^ byte]
    return value


@cache
def _crc_table(polynomial: int, bits: int) -> tuple[int, ...]:
    table = []
    for byte in range(256):
        value = byte << bits - 8
        for _ in range(8):
            value = value << 1 ^ (polynomial if value >> bits - 1 else 0)
            value &= (1 << bits) - 1
        table.append(value)
    return tuple(table)
