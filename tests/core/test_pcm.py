"""PCM 16 and FLAC lose nothing more than they must, and say what they cannot read."""

from __future__ import annotations

from io import BytesIO

import numpy as np
import pytest
import soundfile
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from clear_gen.core.errors import InputError
from clear_gen.core.pcm import decode_flac, encode_flac, from_pcm16, sha256_pcm, to_pcm16
from tests.counts import examples
from tests.sounds import one_line, scale

STEP = 1 / 32767
ROUNDING = 4e-8  # a float32 near 1 is off by at most 2^-25, and there are two of them
quick = examples(60)
waveforms = hnp.arrays(np.float32, st.integers(0, 300), elements=st.floats(-1, 1, width=32))
pcms = hnp.arrays(np.int16, st.integers(1, 3000), elements=st.integers(-32768, 32767))


@quick
@given(waveform=waveforms)
def test_pcm_is_within_half_a_step(waveform):
    pcm = to_pcm16(waveform)
    assert pcm.dtype == np.int16
    assert pcm.shape == waveform.shape
    assert np.all(np.abs(from_pcm16(pcm).astype(np.float64) - waveform) <= STEP / 2 + ROUNDING)


@quick
@given(waveform=hnp.arrays(np.float32, 50, elements=st.floats(-1e6, 1e6, width=32)))
def test_what_is_beyond_full_scale_is_clipped(waveform):
    assert np.array_equal(to_pcm16(waveform), to_pcm16(np.clip(waveform, -1, 1)))
    assert np.abs(from_pcm16(to_pcm16(waveform))).max() <= 1


def test_every_pcm_value_survives_the_way_to_float_and_back():
    pcm = np.arange(-32767, 32768).astype(np.int16)
    assert np.array_equal(to_pcm16(from_pcm16(pcm)), pcm)


def test_ties_round_to_even_and_full_scale_is_32767():
    steps = np.array([0.5, 1.5, 2.5, -0.5, -1.5, 32767, -32767], np.float32)
    assert to_pcm16(steps * np.float32(STEP)).tolist() == [0, 2, 2, 0, -2, 32767, -32767]


@quick
@given(pcm=pcms, rate=st.sampled_from([8000, 16000, 44100, 48000, 96000]))
def test_flac_gives_back_every_sample_and_the_rate(pcm, rate):
    data = encode_flac(pcm, rate)
    found, found_rate = decode_flac(data, "x")
    assert found.dtype == np.int16
    assert np.array_equal(found, pcm)
    assert found_rate == rate
    assert soundfile.info(BytesIO(data)).subtype == "PCM_16"


@quick
@given(pcm=pcms)
def test_the_hash_of_samples_depends_on_every_sample_and_not_on_the_memory_layout(pcm):
    other = pcm.copy()
    other[-1] ^= 1
    assert sha256_pcm(pcm) != sha256_pcm(other)
    assert sha256_pcm(np.repeat(pcm, 2)[::2]) == sha256_pcm(pcm.astype(">i2")) == sha256_pcm(pcm)


@quick
@given(data=st.binary(max_size=200))
def test_noise_instead_of_flac_is_an_error_of_one_line_that_names_the_sound(data):
    with pytest.raises(InputError) as caught:
        decode_flac(data, "bank.parquet: cello")
    assert one_line(caught).startswith("bank.parquet: cello: ")


@pytest.mark.parametrize("share", [0.0, 0.01, 0.1, 0.5, 0.9, 0.99])
def test_a_truncated_flac_is_an_error_of_one_line(share):
    data = encode_flac(to_pcm16(scale(1)[0].samples), 16000)
    with pytest.raises(InputError) as caught:
        decode_flac(data[: int(share * len(data))], "cello")
    assert "cello" in one_line(caught)


def test_stereo_is_an_error_that_says_so():
    buffer = BytesIO()
    soundfile.write(buffer, np.zeros((100, 2), np.int16), 16000, format="FLAC")
    with pytest.raises(InputError) as caught:
        decode_flac(buffer.getvalue(), "cello")
    assert "2 channels" in one_line(caught)
