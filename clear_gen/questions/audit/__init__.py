"""What a set of questions gives away: figures, text-only baselines, thresholds."""
