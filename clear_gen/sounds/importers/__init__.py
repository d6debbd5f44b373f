"""Recordings from outside become banks: one file per format."""
