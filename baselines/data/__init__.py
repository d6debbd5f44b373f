"""What a model reads: questions as tokens, scenes as spectrograms, from a dataset's audio or from its graphs and bank."""
