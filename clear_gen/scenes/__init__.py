"""Scene graphs: the domain that rules them, and their sampling."""
