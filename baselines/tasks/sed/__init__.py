"""Sound event detection from weak labels."""
