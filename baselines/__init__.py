"""The benchmark: reference models trained on datasets of ``clear_gen``, and predictions scored per question type."""
