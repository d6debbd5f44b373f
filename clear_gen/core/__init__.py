"""Leaf of the package: errors, random streams, files, PCM and FLAC, Parquet, YAML, progress, HTML pages."""
