"""From templates to questions: candidates per scene, then a balanced selection."""
