"""Acoustic question answering."""
