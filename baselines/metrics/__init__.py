"""Scores, one module per task: ``validate``, the metrics, ``evaluate``."""
