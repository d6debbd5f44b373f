"""What the HTML pages share, read back with a plain HTML parser."""

from __future__ import annotations

from html.parser import HTMLParser
from pathlib import Path

from clear_gen.core.page import definitions, document, legend, section, share_axis, svg, table, text

HOSTILE = "\">'</script></title><img src=x onerror=alert(1)>&lt;$title"


class Page(HTMLParser):
    """``elements``: (tag, attributes, text directly after the start tag), in order."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None], str]] = []
        self.feed(page)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs), ""))

    def handle_data(self, data: str) -> None:
        if self.elements:
            tag, attrs, so_far = self.elements[-1]
            self.elements[-1] = (tag, attrs, so_far + data)


def everything(words: str, folder: Path) -> str:
    """A page that says ``words`` wherever a text can stand."""
    drawing = svg(100, 20, words, [text(0, 10, words)])
    rows = [[words, words], [words, words]]
    parts = [table(rows, "wrap", set_off=words), definitions([(words, words)]), legend({words: ""}, 18), drawing]
    (folder / "own.css").write_text("p { color: red; }\n")
    return document(words, words, [section(words, words, *parts)], folder / "own.css")


def test_every_text_is_escaped_and_adds_nothing(tmp_path: Path) -> None:
    hostile, harmless = (Page(everything(words, tmp_path)).elements for words in (HOSTILE, "harmless"))
    assert [(tag, [*attrs]) for tag, attrs, _ in hostile] == [(tag, [*attrs]) for tag, attrs, _ in harmless]
    said = [words for _, attrs, words in hostile] + [attrs.get("aria-label") for _, attrs, _ in hostile]
    assert sum(HOSTILE in words for words in said if words) >= 3 + 2 + 4 + 2 + 1 + 2
    assert not {"script", "img"} & {tag for tag, _, _ in hostile}


def test_a_document_has_its_own_style_last_and_its_policy(tmp_path: Path) -> None:
    style = tmp_path / "own.css"
    style.write_text("p { color: red; }\n")
    plain, more = (Page(document("", "", [], style, allowed)).elements for allowed in ("", "media-src blob:"))
    policies = [attrs["content"] for elements in (plain, more) for _, attrs, _ in elements if "http-equiv" in attrs]
    least = "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'"
    assert policies == [least, f"{least}; media-src blob:"]
    (css,) = (words for tag, _, words in plain if tag == "style")
    assert css.rstrip().endswith("\n\np { color: red; }")
    assert "prefers-color-scheme: dark" in css
    assert "$" not in css


def test_a_table_has_heads_a_row_set_off_and_marked_cells() -> None:
    rows = [["type", "share", "verdict"], ["note", "1", "ok"], ["all", "2", "bad"]]
    elements = Page(table(rows, "wrap", set_off="all", marked=["ok", "bad"])).elements
    assert elements[0][:2] == ("div", {"class": "scroll wrap"})
    cells = [(attrs, words.strip()) for tag, attrs, words in elements if tag in ("th", "td")]
    assert cells[:3] == [({"scope": "col"}, name) for name in rows[0]]
    assert cells[3:6] == [({"scope": "row"}, "note"), ({}, "1"), ({"class": "ok"}, "ok")]
    assert cells[8] == ({"class": "bad"}, "bad")
    assert [attrs for tag, attrs, _ in elements if tag == "tr"] == [{}, {}, {"class": "all"}]


def test_labels_of_an_axis_stay_in_the_drawing() -> None:
    labels = [
        attrs for tag, attrs, _ in Page("".join(share_axis([0, 0.5, 1], 10, 80, 50, 100))).elements if tag == "text"
    ]
    assert [attrs["x"] for attrs in labels] == ["10.0", "50.0", "90.0"]
    assert [attrs["text-anchor"] for attrs in labels] == ["middle", "middle", "end"]
