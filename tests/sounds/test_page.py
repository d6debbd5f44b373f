"""The page of a bank, read back with a plain HTML parser."""

from __future__ import annotations

import base64
import json
from dataclasses import replace
from html.parser import HTMLParser

import numpy as np
import pytest

from clear_gen.core.pcm import decode_flac
from clear_gen.scenes.domain import load_domain
from clear_gen.sounds.bank import Bank, build_bank
from clear_gen.sounds.page import LANES, RADIUS, ROW_HEIGHT, TOP, write_page
from clear_gen.sounds.recording import Recording

ATTRIBUTES = load_domain("clear2").attributes
HOSTILE = "\">'</script><img src=x onerror=alert(1)>"
COLUMNS = {"brightness": "brightness_points", "loudness": "loudness_lufs"}
RATE = 16_000


def tone(decay: float, gain: float) -> np.ndarray:
    """Half a second of 12 harmonics, each ``decay`` times the one before."""
    phase = 2 * np.pi * 220 * np.arange(RATE // 2) / RATE
    return (gain * sum(decay**k * np.sin((k + 1) * phase) for k in range(12))).astype(np.float32)


def make_bank(hostile: str = HOSTILE) -> Bank:
    recordings = []
    for k in range(13):  # odd: the sound at the median is unknown
        attributes = {"instrument": ("violin", "bass")[k % 2], "note": "A", "octave": 3}
        samples = tone(0.1 + 0.07 * k, 0.02 + 0.01 * (5 * k % 13))
        recordings.append(
            Recording(f"s{k:02d}{hostile}", attributes, samples, RATE, f"from {hostile}", f"by {hostile}")
        )
    return build_bank(recordings, "clear2", ATTRIBUTES)


class Page(HTMLParser):
    """``elements``: (tag, attributes, text directly after the start tag), in order."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None], str]] = []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag, attrs):
        self.elements.append((tag, dict(attrs), ""))

    def handle_data(self, data):
        if self.elements:
            tag, attrs, text = self.elements[-1]
            self.elements[-1] = (tag, attrs, text + data)

    def section(self, number: int) -> list[tuple[str, dict[str, str | None], str]]:
        """The elements of the ``number``-th measured attribute."""
        starts = [k for k, (tag, _, _) in enumerate(self.elements) if tag == "section"]
        return self.elements[starts[number] : [*starts, len(self.elements)][number + 1]]


def page_of(bank: Bank, folder, title: str = f"$title {HOSTILE}") -> tuple[str, Page]:
    path = folder / "page.html"
    write_page(bank, ATTRIBUTES, title, path)
    text = path.read_text(encoding="utf-8")
    return text, Page(text)


@pytest.fixture(scope="module")
def bank() -> Bank:
    return make_bank()


@pytest.fixture
def page(bank, tmp_path) -> Page:
    return page_of(bank, tmp_path)[1]


def test_every_sound_is_embedded_once_and_decodes_to_its_samples(bank, tmp_path):
    text, page = page_of(bank, tmp_path)
    (stored,) = (text for _, attrs, text in page.elements if attrs.get("id") == "audio")
    recordings = json.loads(stored)
    assert len(recordings) == len(bank.sounds)
    for recording, sound in zip(recordings, bank.sounds, strict=True):
        assert text.count(recording) == 1
        pcm, rate = decode_flac(base64.b64decode(recording), sound.sound_id)
        assert rate == RATE
        np.testing.assert_array_equal(pcm, sound.pcm)


@pytest.mark.parametrize(("number", "name"), [(0, "brightness"), (1, "loudness")])
def test_buttons_rise_and_the_thresholds_lie_between_them(bank, page, number, name):
    lower, upper = bank.thresholds[name]
    seen = []
    for tag, attrs, text in page.section(number):
        if tag == "button" and "data-sound" in attrs:
            sound = bank.sounds[int(attrs["data-sound"])]
            value = getattr(sound, COLUMNS[name])
            seen.append(value)
            assert attrs["data-name"].startswith(f"{sound.sound_id}: {value:.2f} ")
            assert attrs["data-name"].endswith(f", {sound.attributes[name] or 'unknown'}")
        elif attrs.get("class") == "threshold":
            seen.append(float(text.split()[0]))
    values = [getattr(sound, COLUMNS[name]) for sound in bank.sounds]
    np.testing.assert_allclose(seen, sorted([*values, lower, upper]), rtol=0, atol=0.0051)  # thresholds: two decimals


@pytest.mark.parametrize(("number", "name"), [(0, "brightness"), (1, "loudness")])
def test_dots_of_known_sounds_lie_outside_the_shaded_zone(bank, page, number, name):
    section = page.section(number)
    (zone,) = (attrs for tag, attrs, _ in section if tag == "rect")
    left, width = float(zone["x"]), float(zone["width"])
    dots = [attrs for tag, attrs, _ in section if tag == "circle"]
    assert sorted(int(dot["data-sound"]) for dot in dots) == list(range(len(bank.sounds)))
    rule = ATTRIBUTES[name]
    for dot in dots:
        sound = bank.sounds[int(dot["data-sound"])]
        x = float(dot["cx"])
        place = "low" if x < left else "high" if x > left + width else "unknown"
        assert place == dot["class"] == {rule.low: "low", rule.high: "high", None: "unknown"}[sound.attributes[name]]
        row = (float(dot["cy"]) - TOP) // ROW_HEIGHT
        assert ["bass", "violin"][int(row)] == sound.attributes["instrument"]
    assert {dot["class"] for dot in dots} == {"low", "unknown", "high"}


def test_dots_of_like_sounds_do_not_overlap(tmp_path):
    recordings = [
        Recording(f"s{k}", {"instrument": "bass", "note": "A", "octave": 3}, tone(0.4, 0.1 + 1e-5 * k), RATE, "", "")
        for k in range(len(LANES))
    ]
    _, page = page_of(build_bank(recordings, "clear2", ATTRIBUTES), tmp_path)
    dots = [attrs for tag, attrs, _ in page.section(0) if tag == "circle"]
    heights = sorted(float(dot["cy"]) for dot in dots)
    assert min(np.diff(heights)) > 1.7 * RADIUS


def test_a_wrong_label_of_the_bank_shows(bank, tmp_path):
    darkest = min(range(len(bank.sounds)), key=lambda k: bank.sounds[k].brightness_points)
    sounds = list(bank.sounds)
    sounds[darkest] = replace(sounds[darkest], attributes={**sounds[darkest].attributes, "brightness": "bright"})
    _, page = page_of(replace(bank, sounds=tuple(sounds)), tmp_path)
    dots = [attrs for tag, attrs, _ in page.section(0) if tag == "circle"]
    leftmost = min(dots, key=lambda dot: float(dot["cx"]))
    assert (int(leftmost["data-sound"]), leftmost["class"]) == (darkest, "high")


def test_counts_add_up(bank, page):
    texts = [text.strip() for tag, attrs, text in page.elements if tag in ("td", "th") and "colspan" not in attrs]
    cells = [text for text in texts if text]
    rows = [cells[k : k + 8] for k in range(0, len(cells), 8)]
    assert rows[0] == ["instrument", "sounds", "dark", "unknown", "bright", "quiet", "unknown", "loud"]
    assert [row[0] for row in rows[1:]] == ["bass", "violin", "all"]
    numbers = np.array([[int(cell) for cell in row[1:]] for row in rows[1:]])
    np.testing.assert_array_equal(numbers[0] + numbers[1], numbers[2])
    np.testing.assert_array_equal(numbers[:, 1:4].sum(axis=1), numbers[:, 0])
    np.testing.assert_array_equal(numbers[:, 4:7].sum(axis=1), [6, 7, 13])
    bright_violins = [
        s for s in bank.sounds if s.attributes["instrument"] == "violin" and s.attributes["brightness"] == "bright"
    ]
    assert numbers[1, 3] == len(bright_violins)


def test_hostile_text_adds_no_element_and_no_attribute(bank, tmp_path):
    _, hostile = page_of(bank, tmp_path)
    _, harmless = page_of(make_bank("harmless"), tmp_path, "harmless")
    skeleton = [[(tag, sorted(attrs)) for tag, attrs, _ in page.elements] for page in (hostile, harmless)]
    assert skeleton[0] == skeleton[1]
    texts = [text.strip() for _, _, text in hostile.elements]
    assert f"$title {HOSTILE}" in texts
    assert f"s00{HOSTILE}" in texts
    assert f"13 sounds: from {HOSTILE}, by {HOSTILE}" in texts


def test_nothing_is_fetched(page):
    assert not [attrs for _, attrs, _ in page.elements if {"src", "href", "srcset"} & set(attrs)]
    (policy,) = (attrs["content"] for tag, attrs, _ in page.elements if "http-equiv" in attrs)
    assert policy == (
        "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'; "
        "script-src 'unsafe-inline'; media-src blob:"
    )
