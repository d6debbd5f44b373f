"""Folder names of a dataset of mixtures."""

from __future__ import annotations

MIXTURES = "mixtures"
STEMS = "stems"
SOURCES = "sources"
ANNOTATIONS = "annotations"


def mixture_config(snr_db: float | None) -> str:
    """The config of the mixtures at an SNR in dB; None: at those that the rules draw.

    >>> mixture_config(10.0), mixture_config(-2.5), mixture_config(None)
    ('mixtures-snr10', 'mixtures-snr-2.5', 'mixtures')
    """
    return MIXTURES if snr_db is None else f"{MIXTURES}-snr{snr_db:g}"


def stems_config(config: str) -> str:
    """The config of the stems of a config of mixtures.

    >>> stems_config("mixtures-snr10")
    'stems-snr10'
    """
    return STEMS + config.removeprefix(MIXTURES)
