"""A page for people: the scenes, questions and mixtures of a dataset, served on this machine or written as a folder."""
