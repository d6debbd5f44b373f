"""Templates of questions: families, expansion, lint."""
