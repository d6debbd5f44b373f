"""From waveforms to what networks read: front ends, rendering on the device, features."""
