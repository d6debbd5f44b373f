"""``python -m baselines`` is ``clear-bench``."""

from baselines.cli import main

main()
