"""Sound event detection from weak labels: a run, its training, its scores, reports and pictures."""
