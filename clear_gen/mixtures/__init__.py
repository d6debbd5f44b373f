"""Mixtures: events over a background at a given SNR, from plan to waveform."""
