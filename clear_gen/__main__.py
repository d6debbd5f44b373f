"""``python -m clear_gen`` is ``clear-gen``."""

from clear_gen.cli import main

if __name__ == "__main__":
    main()
