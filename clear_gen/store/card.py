"""Shared by the cards of all kinds: licences and size categories as the Hub names them, table cells."""

from __future__ import annotations

# Licence of a recording -> (the Hub's name, where its text is, whether what is made from it must carry the same one)
LICENCES = {
    "CC-BY-SA-4.0": ("cc-by-sa-4.0", "https://creativecommons.org/licenses/by-sa/4.0/", True),
    "CC-BY-SA-3.0": ("cc-by-sa-3.0", "https://creativecommons.org/licenses/by-sa/3.0/", True),
    "CC-BY-NC-4.0": ("cc-by-nc-4.0", "https://creativecommons.org/licenses/by-nc/4.0/", False),
    "CC-BY-4.0": ("cc-by-4.0", "https://creativecommons.org/licenses/by/4.0/", False),
    "CC-BY-3.0": ("cc-by-3.0", "https://creativecommons.org/licenses/by/3.0/", False),
    "CC0-1.0": ("cc0-1.0", "https://creativecommons.org/publicdomain/zero/1.0/", False),
    "MIT": ("mit", "https://opensource.org/license/mit", False),
}


SIZES = [(1_000, "n<1K"), (10_000, "1K<n<10K"), (100_000, "10K<n<100K"), (1_000_000, "100K<n<1M")]


def cell(text: str) -> str:
    """Escape an external text as a one-line Markdown table cell."""
    return " ".join(text.replace("|", "/").replace("<", "‹").replace(">", "›").split())
