"""Questions about scenes: programs, templates, instantiation, selection, audit."""
