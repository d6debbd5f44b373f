"""What the HTML pages share, rendered into a page and read back with a plain HTML parser."""

from __future__ import annotations

from html.parser import HTMLParser
from pathlib import Path

import pytest
from jinja2 import UndefinedError

from clear_gen.core.page import Mark, Row, render

HOSTILE = "\">'</script></title><img src=x onerror=alert(1)>&lt;{{ title }}{% raw %}"
TEMPLATE = """{% extends "shell.html.j2" %}
{% from "charts.html.j2" import row_chart %}
{% from "elements.html.j2" import definitions, key, table %}
{% block policy %}; media-src blob:{% endblock %}
{% block style %}p { color: red; }{% endblock %}
{% block main %}
{{ table(table_rows, "wrap", set_off=set_off, marked=marked) }}
{{ definitions(pairs) }}
{% call key(title) %}<path d=""/>{% endcall %}
{{ row_chart(chart, title, 100, 20, 1, (0, 0.5, 1)) }}
{% endblock %}
"""
Elements = list[tuple[str, dict[str, str | None], str]]


class Page(HTMLParser):
    """``elements``: (tag, attributes, text directly after the start tag), in order."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.elements: Elements = []
        self.feed(page)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs), ""))

    def handle_data(self, data: str) -> None:
        if self.elements:
            tag, attrs, so_far = self.elements[-1]
            self.elements[-1] = (tag, attrs, so_far + data)


@pytest.fixture
def template(tmp_path: Path) -> Path:
    path = tmp_path / "page.html.j2"
    path.write_text(TEMPLATE)
    return path


def everything(template: Path, words: str) -> Elements:
    """A page that says ``words`` wherever a text can stand."""
    rows = [[words, words], [words, words]]
    chart = [Row(words, [Mark(2, 0.5, words, 0.1)], bar=0.5, interval=(0.4, 0.6), zone=(0, 1), note=words, tip=words)]
    values = {"table_rows": rows, "set_off": words, "marked": [], "pairs": [(words, words)], "chart": chart}
    return Page(render(template, title=words, summary=words, **values)).elements


def test_every_text_is_escaped_and_adds_nothing(template: Path) -> None:
    hostile, harmless = (everything(template, words) for words in (HOSTILE, "harmless"))
    assert [(tag, [*attrs]) for tag, attrs, _ in hostile] == [(tag, [*attrs]) for tag, attrs, _ in harmless]
    said = [words for _, _, words in hostile] + [attrs.get("aria-label") for _, attrs, _ in hostile]
    assert sum(HOSTILE in words for words in said if words) == 3 + 4 + 2 + 1 + 5
    assert not {"script", "img"} & {tag for tag, _, _ in hostile}


def test_a_page_has_its_policy_and_its_own_style_last(template: Path) -> None:
    elements = everything(template, "")
    (policy,) = (attrs["content"] for _, attrs, _ in elements if "http-equiv" in attrs)
    assert (
        policy == "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'; media-src blob:"
    )
    (css,) = (words for tag, _, words in elements if tag == "style")
    assert css.rstrip().endswith("\n\np { color: red; }")
    assert "prefers-color-scheme: dark" in css


def test_a_value_that_is_not_given_is_an_error(template: Path) -> None:
    with pytest.raises(UndefinedError):
        render(template, title="", summary="")


def test_a_table_has_heads_a_row_set_off_and_marked_cells(template: Path) -> None:
    rows = [["type", "share", "verdict"], ["note", "1", "ok"], ["all", "2", "bad"]]
    values = {"pairs": [], "chart": [Row("a")], "table_rows": rows, "set_off": "all", "marked": ["ok", "bad"]}
    elements = Page(render(template, title="", summary="", **values)).elements
    assert ("div", {"class": "scroll wrap"}) in [element[:2] for element in elements]
    cells = [(attrs, words.strip()) for tag, attrs, words in elements if tag in ("th", "td")]
    assert cells[:3] == [({"scope": "col"}, name) for name in rows[0]]
    assert cells[3:6] == [({"scope": "row"}, "note"), ({}, "1"), ({"class": "ok"}, "ok")]
    assert cells[8] == ({"class": "bad"}, "bad")
    assert [attrs for tag, attrs, _ in elements if tag == "tr"] == [{}, {}, {"class": "all"}]


def test_labels_of_an_axis_stay_in_the_drawing(template: Path) -> None:
    labels = [attrs for tag, attrs, _ in everything(template, "") if tag == "text" and attrs.get("class") == "tick"]
    axis = [attrs for attrs in labels if attrs["y"] == "39"]
    assert [attrs["x"] for attrs in axis] == ["14.0", "53.0", "92.0"]
    assert [attrs["text-anchor"] for attrs in axis] == ["middle", "middle", "end"]
