"""The functions of the program language: one table, and what each function computes."""
