"""Scores of sound event detection: tagging, segments, events, PSDS."""
