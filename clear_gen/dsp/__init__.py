"""Signal processing on plain arrays: levels, loudness, resampling, mel filters."""
