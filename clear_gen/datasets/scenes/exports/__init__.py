"""Exports of datasets of scenes to third-party layouts."""
