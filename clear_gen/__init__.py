"""Acoustic question answering datasets with exact labels."""

__version__ = "0.1.0"
