"""From scene graph to waveform: sounds at their levels, then the room, then the microphone."""
