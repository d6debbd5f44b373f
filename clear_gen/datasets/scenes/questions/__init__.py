"""The questions of a dataset of scenes: records, build, checks, console."""
