"""What gives predictions besides trained networks."""
