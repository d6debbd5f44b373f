"""The page in a headless Chromium: a person plays, seeks, filters and reads; nothing complains. See README, Tests."""

from __future__ import annotations

import functools
import http.server
import json
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest

from clear_gen.cli import run
from clear_gen.cli.common import DONE
from clear_gen.explore.server import Server
from tests.explore.chromium import Chromium
from tests.explore.conftest import HOSTILE, getter

pytestmark = pytest.mark.browser
TIME = "document.querySelector('audio').currentTime"
LOADED = "document.querySelector('#record h2') && [...document.images].every((image) => image.complete)"
CAN_PLAY = "document.querySelector('audio').readyState === 4"
KEPT = "[...document.querySelectorAll('.block')].flatMap((block, k) => block.classList.contains('kept') ? [k] : [])"
SPACE, LEFT, RIGHT, UP, DOWN, HOME, TAB = 32, 37, 39, 38, 40, 36, 9
QUERIES = [{}, {"split": "test"}, {"type": "note"}, {"answer": "yes", "text": "The"}, {"text": "train-0000"}]
QUERIES += [{"from_s": "4", "to_s": "5.5"}, {"type": "exist", "from_s": "4"}, {"text": "nowhere"}, {"verdict": "right"}]


@pytest.fixture(scope="module")
def chromium(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Chromium]:
    with Chromium(tmp_path_factory.mktemp("profile")) as found:
        yield found


@pytest.fixture
def browser(chromium: Chromium) -> Iterator[Chromium]:
    """A browser that has nothing to complain of when the test has ended."""
    chromium.complaints.clear()
    chromium.requested.clear()
    chromium.look(1280, 900)
    yield chromium
    assert chromium.complaints == []


@pytest.fixture(scope="module")
def predictions(heard: Path, tmp_path_factory: pytest.TempPathFactory, serve: Callable[..., Server]) -> Path:
    """The first answers of the test split, every other one something else."""
    rows = getter(serve(heard))("/lists/questions?split=test").json["rows"]
    said = [{"question_id": row["id"], "answer": row["answer"] if k % 2 else "?"} for k, row in enumerate(rows)]
    path = tmp_path_factory.mktemp("predictions") / "mine.jsonl"
    path.write_text("".join(json.dumps(line) + "\n" for line in said))
    return path


@pytest.fixture(scope="module")
def url(heard: Path, predictions: Path, serve: Callable[..., Server]) -> str:
    return serve(heard, predictions).url


@pytest.fixture(scope="module")
def exported(heard: Path, predictions: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The page as a folder, behind a server that knows no ranges."""
    out = tmp_path_factory.mktemp("exported") / "page"
    command = ["explore", str(heard), "--predictions", str(predictions), "--export", str(out), "--limit", "1000"]
    assert run(command) == DONE
    handler = functools.partial(_Quiet, directory=str(out))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_address[1]}/"
        server.shutdown()


class _Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, format: str, *args: Any) -> None:
        pass


def show(browser: Chromium, url: str, address: str = "") -> None:
    """Open the page anew and wait for the record."""
    browser.open("about:blank")
    browser.open(url + address)
    browser.wait(LOADED)


def choose(browser: Chromium, name: str, value: str) -> None:
    """Choose a value of a filter, and wait for the list."""
    element = f"document.querySelector('[name={name}]')"
    before = browser.ask(
        "document.querySelector('#rows').firstChild?.textContent + document.querySelector('#count').textContent"
    )
    browser.ask(f"{element}.value = {json.dumps(value)}")
    browser.ask(f"{element}.dispatchEvent(new Event('change', {{bubbles: true}}))")
    browser.wait(
        "document.querySelector('#rows').firstChild?.textContent + document.querySelector('#count').textContent"
        f" !== {json.dumps(before)}"
    )


def count(browser: Chromium) -> str:
    return str(browser.ask("document.querySelector('#count').textContent"))


def test_it_plays_and_stops(browser: Chromium, url: str) -> None:
    show(browser, url)
    browser.wait(CAN_PLAY)
    browser.click(".play")
    label, head = "document.querySelector('.play').textContent", "document.querySelector('.head').style.left"
    browser.wait(f"{TIME} > 0.3 && {label} === 'Pause' && parseFloat({head}) > 0")
    browser.click(".play")
    browser.wait("document.querySelector('audio').paused")
    browser.wait(f"{label} === 'Play'")


def test_a_click_on_the_timeline_seeks(browser: Chromium, url: str) -> None:
    show(browser, url)
    browser.wait(CAN_PLAY)
    duration = browser.ask("document.querySelector('audio').duration")
    for across in (0.75, 0.25):
        browser.click(".stage", across)
        assert browser.wait(f"!document.querySelector('audio').seeking && {TIME}") == pytest.approx(
            across * duration, abs=0.03
        )
        assert browser.ask("parseFloat(document.querySelector('.head').style.left)") == pytest.approx(
            100 * across, abs=1
        )


def test_keys(browser: Chromium, url: str) -> None:
    show(browser, url)
    browser.wait(CAN_PLAY)
    browser.press(" ", SPACE)
    browser.wait(f"{TIME} > 0.1")
    browser.press(" ", SPACE)
    browser.wait("document.querySelector('audio').paused")
    browser.ask("document.querySelector('.stage').focus()")
    browser.press("Home", HOME)
    for _ in range(3):
        browser.press("ArrowRight", RIGHT)
    browser.press("ArrowLeft", LEFT)
    assert browser.wait(f"!document.querySelector('audio').seeking && {TIME}") == pytest.approx(1, abs=0.02)
    assert browser.ask("document.querySelector('.stage').getAttribute('aria-valuenow')") == "1.0"
    assert browser.ask("document.querySelector('.stage').getAttribute('aria-valuetext')").startswith("1.0 seconds, ")
    browser.press(" ", SPACE)
    browser.wait(f"{TIME} > 1.2")
    browser.ask("document.querySelector('#rows a').focus()")
    browser.press("ArrowDown", DOWN)
    assert browser.ask("document.activeElement === document.querySelectorAll('#rows a')[1]")
    browser.press("Enter", 13)
    browser.wait("document.querySelector('#record h2').textContent === 'train-000001'")
    browser.wait("document.activeElement === document.querySelector('#record h2')")
    assert browser.ask("document.querySelector('#rows [aria-current]').textContent").startswith("train-000001")


def test_a_sound_of_the_table_is_played_alone(browser: Chromium, url: str) -> None:
    show(browser, url)
    browser.wait(CAN_PLAY)
    block = browser.ask("fetch('records/scenes/train-000000.json').then((a) => a.json()).then((r) => r.blocks[1])")
    start, stop = block["start_s"], block["stop_s"]
    browser.click("tbody tr:nth-child(2) button")
    browser.wait(f"{TIME} > {start + 0.05}")
    browser.wait("document.querySelector('audio').paused")
    assert browser.ask(TIME) > stop - 0.02  # how soon after it depends on how busy the machine is
    assert not browser.ask("document.querySelector('audio').ended")


def test_steps_set_off_the_sounds_that_they_keep(
    browser: Chromium, url: str, heard: Path, serve: Callable[..., Server]
) -> None:
    record = getter(serve(heard))("/records/scenes/test-000002.json").json
    show(browser, url, f"#scenes/test-000002/{record['questions'][1]['id']}")
    opened = "document.querySelector('.ask[aria-expanded=true]')"
    assert browser.ask(f"{opened}.textContent").startswith(record["questions"][1]["title"])
    steps = record["questions"][1]["steps"]
    browser.ask("document.querySelector('.steps:not([hidden]) button').focus()")
    for step in steps:
        assert browser.ask(KEPT) == step["sounds"]
        assert browser.ask("document.querySelectorAll('tr.kept').length") == len(step["sounds"])
        assert step["gives"] in browser.ask("document.querySelector('#said').textContent")
        browser.press("ArrowDown", DOWN)
    assert browser.ask("document.querySelector('.steps:not([hidden]) .outcome').textContent") == (
        f"answer: {record['questions'][1]['answer']}"
    )
    browser.press("Escape", 27)
    assert browser.ask(KEPT) == []
    browser.click(".question:last-of-type .ask")
    assert browser.ask("document.querySelectorAll('.steps:not([hidden])').length") == 1


def test_filters(browser: Chromium, url: str, heard: Path, predictions: Path, serve: Callable[..., Server]) -> None:
    get = getter(serve(heard, predictions))
    show(browser, url)
    assert count(browser) == "1–50 of 150 scenes"
    browser.click("#next")
    browser.wait("document.querySelector('#page').textContent === '2 of 3'")
    assert browser.ask("document.querySelector('#rows a').textContent").startswith("train-000050")
    browser.ask("document.querySelector('input[value=questions]').click()")
    browser.wait("document.querySelector('#count').textContent.endsWith('questions')")
    choose(browser, "type", "exist")
    assert browser.ask("[...document.querySelector('[name=answer]').options].map((o) => o.value)") == ["", "yes", "no"]
    choose(browser, "answer", "no")
    total = get("/lists/questions?type=exist&answer=no").json["total"]
    assert count(browser).endswith(f"of {total} questions")
    assert set(browser.ask("[...document.querySelectorAll('#rows .note b')].map((b) => b.textContent)")) == {"no"}
    browser.ask("document.querySelector('[name=text]').focus()")
    browser.type("before")
    total = get("/lists/questions?type=exist&answer=no&text=before").json["total"]
    browser.wait(f"document.querySelector('#count').textContent.endsWith('{f'of {total}' if total else 0} questions')")
    browser.click("[type=reset]")
    browser.wait("document.querySelector('#count').textContent === '1–50 of 150 scenes'")
    browser.ask("document.querySelector('input[value=questions]').click()")
    browser.wait("document.querySelector('#count').textContent.endsWith('questions')")
    choose(browser, "verdict", "right")
    assert set(browser.ask("[...document.querySelectorAll('#rows .verdict')].map((v) => v.textContent[2])")) == {"r"}


def test_an_address_that_does_not_exist_is_said(browser: Chromium, url: str) -> None:
    show(browser, url)
    browser.ask("location.hash = '#scenes/train-999999'")
    said = "document.querySelector('#record [role=alert]')?.textContent"
    assert "found no such record" in browser.wait(said)
    assert [text for text in browser.complaints if "404" not in text] == []
    browser.complaints.clear()


def test_an_address_that_cannot_be_decoded_is_passed_over(browser: Chromium, url: str) -> None:
    browser.open(f"{url}#%")
    browser.wait("document.querySelectorAll('#rows a').length")
    browser.ask("location.hash = '#%e0/%'")
    assert "Hz" in browser.wait("document.querySelector('#facts').textContent")


def test_a_label_that_holds_html_is_text(browser: Chromium, mixed: Path, serve: Callable[..., Server]) -> None:
    server = serve(mixed)
    found = getter(server)(f"/lists/mixtures?{urlencode({'label': HOSTILE})}").json["rows"]
    show(browser, server.url, f"#{found[0]['record']}")
    assert HOSTILE in browser.ask("document.querySelector('.lane-name').textContent")
    assert HOSTILE in browser.ask("document.querySelector('dl').textContent")
    assert HOSTILE in browser.ask("document.querySelector('table').textContent")
    assert HOSTILE in browser.ask("document.querySelector('[name=label]').textContent")
    assert browser.ask("document.querySelectorAll('img').length") == 1
    choose(browser, "label", HOSTILE)
    assert HOSTILE in browser.ask("document.querySelector('#rows a').textContent")
    browser.wait(CAN_PLAY)
    browser.click(".play")
    browser.wait(f"{TIME} > 0.2")
    browser.click(".also a")
    browser.wait("location.hash.includes('snr10')")
    browser.wait("document.querySelector('.also a').textContent === 'mixtures-snr0'")


def test_no_audio(browser: Chromium, graphs: Path, serve: Callable[..., Server]) -> None:
    show(browser, serve(graphs).url)
    assert "No audio here" in browser.ask("document.querySelector('#record').textContent")
    assert browser.ask("document.querySelectorAll('audio, img').length") == 0
    assert browser.ask("document.querySelectorAll('.block').length") > 0
    browser.press(" ", SPACE)


@pytest.mark.parametrize("dark", [False, True])
def test_no_scrolling_sideways(
    browser: Chromium, url: str, mixed: Path, serve: Callable[..., Server], dark: bool
) -> None:
    for address in (url, serve(mixed).url):
        for width in (390, 320, 900, 1280):
            browser.look(width, 844, dark)
            show(browser, address)
            assert browser.ask("document.documentElement.scrollWidth") <= width
    assert browser.ask("matchMedia('(prefers-color-scheme: dark)').matches") == dark
    light = browser.ask("getComputedStyle(document.body).backgroundColor") == "rgb(252, 252, 250)"
    assert light != dark


def test_everything_that_can_be_used_has_a_name(browser: Chromium, url: str) -> None:
    show(browser, url)
    nodes = browser.send("Accessibility.getFullAXTree")["nodes"]
    roles = {"button", "link", "slider", "combobox", "textbox", "searchbox", "spinbutton", "radio", "image", "table"}
    used = [node for node in nodes if not node["ignored"] and node.get("role", {}).get("value") in roles - {"table"}]
    assert len(used) > 60
    assert [node for node in used if not node.get("name", {}).get("value")] == []


def test_the_exported_page_does_the_same(
    browser: Chromium, url: str, exported: str, heard: Path, predictions: Path, serve: Callable[..., Server]
) -> None:
    get = getter(serve(heard, predictions))
    show(browser, exported)
    for query in QUERIES:
        for name in ("scenes", "questions"):
            call = f"import('./source.js').then((m) => m.rowsOf('{name}', {json.dumps(query)}))"
            expected = {"split": "test", **query}  # of which there are predictions
            assert browser.ask(call) == get(f"/lists/{name}?{urlencode(expected)}").json
    browser.wait(CAN_PLAY)
    browser.click(".stage", 0.5)
    duration = browser.ask("document.querySelector('audio').duration")
    assert browser.wait(f"!document.querySelector('audio').seeking && {TIME}") == pytest.approx(duration / 2, abs=0.05)
    browser.click(".play")
    browser.wait(f"{TIME} > {duration / 2 + 0.1}")


def test_nothing_is_fetched_from_elsewhere(browser: Chromium, url: str) -> None:
    show(browser, url)
    assert browser.requested
    assert all(address.startswith(url) or address == "about:blank" for address in browser.requested)


def test_a_page_that_is_opened_as_a_file_says_how_to_serve_it(
    chromium: Chromium, graphs: Path, tmp_path: Path, url: str
) -> None:
    assert run(["explore", str(graphs), "--export", str(tmp_path / "page"), "--limit", "1"]) == DONE
    chromium.look(1280, 900)
    chromium.open((tmp_path / "page/index.html").as_uri())
    chromium.wait("getComputedStyle(document.querySelector('#unserved')).visibility === 'visible'")
    assert "python3 -m http.server" in chromium.ask("document.body.innerText")
    show(chromium, url)
    assert chromium.ask("document.querySelector('#unserved')") is None


@pytest.mark.parametrize("width", [390, 900, 1280, 1600])
def test_the_words_of_all_blocks_lie_or_all_stand(browser: Chromium, url: str, width: int) -> None:
    browser.look(width, 844)
    show(browser, url)
    browser.wait("document.querySelectorAll('.words').length > 3")
    modes = browser.ask("[...document.querySelectorAll('.words')].map((words) => getComputedStyle(words).writingMode)")
    assert len({*modes}) == 1
    assert width > 390 or modes[0] == "vertical-lr"


def test_frequencies_stand_beside_the_spectrogram(browser: Chromium, url: str) -> None:
    show(browser, url)
    names = browser.ask("[...document.querySelectorAll('.spectrogram span')].map((one) => one.textContent)")
    assert names == ["100 Hz", "300 Hz", "1,000 Hz", "3,000 Hz"]
    inside = """(() => {
        const box = document.querySelector('.spectrogram').getBoundingClientRect();
        const names = [...document.querySelectorAll('.spectrogram span')].map((one) => one.getBoundingClientRect());
        const apart = names.every((one, k) => !k || names[k - 1].top >= one.bottom - 1);
        return apart && names.every((one) => one.top >= box.top && one.bottom <= box.bottom + 1);
    })()"""
    assert browser.ask(inside)


def test_every_label_has_a_colour_of_its_own(browser: Chromium, mixed: Path, serve: Callable[..., Server]) -> None:
    server = serve(mixed)
    row = max(getter(server)("/lists/mixtures").json["rows"], key=lambda row: len(row["label"]))
    assert len(row["label"]) == 2
    show(browser, server.url, f"#{row['record']}")
    blocks = "[...document.querySelectorAll('.block')]"
    assert len({*browser.ask(f"{blocks}.map((one) => getComputedStyle(one).backgroundColor)")}) == 2
