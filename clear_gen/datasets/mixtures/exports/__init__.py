"""Exports of datasets of mixtures to third-party layouts."""
