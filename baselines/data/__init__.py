"""What a model reads: questions as tokens; scenes as spectrograms, from audio or from graphs and bank."""
