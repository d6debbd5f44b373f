"""Domain files: what is accepted, and that every mistake is one line that names the file and the right line."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from clear_gen.core.errors import InputError
from clear_gen.scenes.domain import load_domain

# One field a line, so that every mistake has a line of its own.
DOMAIN = """\
name: birds

attributes:
  species:
    values: [owl, wren, heron]
  level:
    measure: loudness
    low: quiet
    high: loud
    dead_zone: 1.0
relations: {before: {side: before}}
question_types:
  - count
  - exist
sampling:
  sounds:
    min: 2
    max: 6
  constraints:
    - attribute: species
      values_at_least: 2
      times_at_least: 1
    - attribute: level
      each_share_over: 0.1
  silence:
    per_sound_s: 0.1
    share: [0.05, 0.2]
  reverb:
    rt60_s: [0.2, 0.5]
    drr_db: [3, 15]
    pre_delay_s: [0, 0.04]
    damping_hz: [2000, 8000]
  noise:
    level_dbfs: [-80, -50]
  independent_levels:
    attribute: level
    span_db: [0, 6]
published:
  name: BIRDS
  ranges:
    sounds_per_scene: [2, 4, 6]
"""


def write(folder: Path, content: str | bytes) -> Path:
    path = folder / "domain.yaml"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


def changed(old: str, new: str) -> str:
    assert DOMAIN.count(old) == 1, f"{old!r} must occur once"
    return DOMAIN.replace(old, new)


def error_of(folder: Path, content: str | bytes) -> str:
    """The message, without the file's name, that ``content`` gives. Always one line that starts with the file."""
    path = write(folder, content)
    with pytest.raises(InputError) as raised:
        load_domain(str(folder))
    message = str(raised.value)
    assert message.startswith(f"{path}:")
    assert len(message.splitlines()) == 1
    return message.removeprefix(str(path))


def test_the_packaged_domain_is_the_one_of_the_paper():
    domain = load_domain("clear2")
    assert list(domain.attributes) == ["instrument", "note", "octave", "brightness", "loudness"]
    assert (domain.sampling.sounds.min, domain.sampling.sounds.max) == (5, 15)
    assert len(domain.sampling.constraints) == 4
    assert domain.sampling.reverb is not None
    assert domain.sampling.noise is not None


def test_a_folder_is_a_domain(tmp_path):
    write(tmp_path, DOMAIN)
    domain = load_domain(str(tmp_path))
    assert domain.name == "birds"
    assert domain.attributes["species"].values == ["owl", "wren", "heron"]
    assert domain.attributes["level"].values == ["quiet", "loud"]
    assert domain.sampling.silence.share == (0.05, 0.2)


@pytest.mark.parametrize("optional", ["published", "independent_levels"])
def test_optional_parts_may_be_left_out(tmp_path, optional):
    write(tmp_path, re.sub(rf"(?m)^( *){optional}:\n(\1 +.*\n)+", "", DOMAIN))
    assert optional not in (tmp_path / "domain.yaml").read_text()
    load_domain(str(tmp_path))


@pytest.mark.parametrize("part", ["reverb", "noise"])
def test_room_and_noise_may_be_null(tmp_path, part):
    write(tmp_path, re.sub(rf"(?m)^  {part}:\n(    .*\n)+", f"  {part}: null\n", DOMAIN))
    assert getattr(load_domain(str(tmp_path)).sampling, part) is None


@pytest.mark.parametrize("ending", ["\n", "\r\n"])
@pytest.mark.parametrize("mark", [b"", b"\xef\xbb\xbf"], ids=["plain", "BOM"])
def test_byte_order_mark_and_line_ends_change_nothing(tmp_path, mark, ending):
    write(tmp_path, DOMAIN)
    expected = load_domain(str(tmp_path))
    write(tmp_path, mark + DOMAIN.replace("\n", ending).encode())
    assert load_domain(str(tmp_path)) == expected
    wrong = mark + changed("min: 2", "min: two").replace("\n", ending).encode()
    assert error_of(tmp_path, wrong).startswith(":17: ")


# what is replaced, by what, the line that the error must name, what it must mention
MISTAKES = {
    "unknown field at the top": ("relations:", "relatons: []\nrelations:", 11, "relatons"),
    "unknown field inside": ("    max: 6\n", "    max: 6\n    step: 2\n", 19, "sampling.sounds.step"),
    "unknown field of an item": ("      times_at_least: 1", "      time_at_least: 1", 22, "time_at_least"),
    "unknown field of the room": ("    drr_db: [3, 15]", "    drr: [3, 15]", 30, "drr"),
    "missing field at the top": ("name: birds\n", "\n", 3, "name"),
    "missing field inside": ("    max: 6\n", "", 16, "sampling.sounds.max"),
    "missing field of the room": ("    damping_hz: [2000, 8000]\n", "", 28, "sampling.reverb.damping_hz"),
    "missing attribute of a constraint": ("    - attribute: species\n      values", "    - values", 20, "attribute"),
    "word for a number": ("    min: 2", "    min: two", 17, "'two'"),
    "fraction of a sound": ("    min: 2", "    min: 2.5", 17, "2.5"),
    "number for a word": ("name: birds", "name: 12", 1, "12"),
    "number for a range": ("    drr_db: [3, 15]", "    drr_db: 3", 30, "drr_db"),
    "three numbers for a range": ("    drr_db: [3, 15]", "    drr_db: [3, 9, 15]", 30, "drr_db"),
    "word in a range": ("    drr_db: [3, 15]", "    drr_db:\n      - 3\n      - high", 32, "'high'"),
    "null for a range": ("    share: [0.05, 0.2]", "    share: null", 27, "share"),
    "list for a mapping": ("  sounds:\n    min: 2\n    max: 6\n", "  sounds: [2, 6]\n", 16, "sampling.sounds"),
    "mapping for a list": ("relations: {before: {side: before}}", "relations: [before, after]", 11, "relations"),
    "upper case in the name": ("name: birds", "name: Birds", 1, "'Birds'"),
    "reversed range": ("    rt60_s: [0.2, 0.5]", "    rt60_s: [0.5, 0.2]", 29, "rt60_s"),
    "reversed levels": ("level_dbfs: [-80, -50]", "level_dbfs: [-50, -80]", 34, "level_dbfs"),
    "reversed lengths": ("    max: 6", "    max: 1", 16, "sounds"),
    "reverberation of no length": ("    rt60_s: [0.2, 0.5]", "    rt60_s: [0, 0.5]", 29, "rt60_s"),
    "negative silence": ("    per_sound_s: 0.1", "    per_sound_s: -0.1", 26, "per_sound_s"),
    "negative share": ("    share: [0.05, 0.2]", "    share: [-0.05, 0.2]", 27, "share"),
    "response too long": ("    rt60_s: [0.2, 0.5]", "    rt60_s: [0.2, 0.99]", 28, "rt60_s"),
    "noise at full scale": ("level_dbfs: [-80, -50]", "level_dbfs: [-80, 0]", 33, "dBFS"),
    "too many sounds": ("    max: 6", "    max: 65", 18, "65"),
    "no sounds": ("    min: 2", "    min: 0", 17, "sounds.min"),
    "share of everything": ("each_share_over: 0.1", "each_share_over: 1", 24, "each_share_over"),
    "two kinds in one constraint": (
        "values_at_least: 2\n",
        "values_at_least: 2\n      each_share_over: 0\n",
        20,
        "either",
    ),
    "no kind in a constraint": ("      values_at_least: 2\n", "", 20, "either"),
    "value twice": ("[owl, wren, heron]", "[owl, wren, owl]", 4, "distinct"),
    "key twice": ("    max: 6\n", "    max: 6\n    min: 3\n", 17, "min: found twice"),
    "key twice at the top": (
        "relations: {before: {side: before}}",
        "name: owls\nrelations: []",
        1,
        "name: found twice",
    ),
    "key twice in braces": ("  noise:\n    level_dbfs", "  noise: {level_dbfs: [-9, -8], level_dbfs", 33, "twice"),
    "alias": ("relations: {before: {side: before}}", "relations: &r [before]\nquestions: *r", 12, "alias"),
    "merge key": ("    min: 2", "    <<: {min: 2}", 17, "merge"),
    "tag": ("    min: 2", "    min: !!int two", 17, "two"),
    "impossible date": ("    min: 2", "    min: 2001-99-99", 17, ""),
    "tabulator": ("    min: 2", "\tmin: 2", 17, "YAML"),
    "bracket left open": ("    share: [0.05, 0.2]", "    share: [0.05, 0.2", 28, "YAML"),
    "indented too far": ("    max: 6", "      max: 6", 18, "YAML"),
    "two documents": ("published:", "---\npublished:", 38, "document"),
    "list as a key": ("name: birds", "? [name]\n: birds", 1, ""),
}
# Where a mistake has two lines, the first of them or the line of what encloses both is right as well.
ALSO_RIGHT = {"key twice": {19}, "key twice at the top": {11}, "two kinds in one constraint": {22}, "value twice": {5}}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_mistake_names_its_line(tmp_path, mistake):
    old, new, line, mention = MISTAKES[mistake]
    content = changed(old, new)
    if mistake == "key twice in braces":
        content = content.replace("level_dbfs: [-80, -50]", "level_dbfs: [-80, -50]}")
    message = error_of(tmp_path, content)
    found = re.match(r":(\d+): (.*)", message)
    assert found, message
    assert int(found[1]) in {line} | ALSO_RIGHT.get(mistake, set()), message
    assert mention in found[2], message


DOUBTFUL = {
    "constraint on no attribute": ("- attribute: species", "- attribute: spices", 20, "spices"),
    "levels of no attribute": ("    attribute: level\n    span", "    attribute: lvl\n    span", 36, "lvl"),
    "levels of another measure": ("    measure: loudness", "    measure: brightness", 36, "loudness"),
    "unknown measure": ("    measure: loudness", "    measure: pitch", 7, "'pitch'"),
    "negative dead zone": ("    dead_zone: 1.0", "    dead_zone: -1.0", 10, "dead_zone"),
    "unknown field of an attribute": ("    high: loud", "    high: loud\n    middle: fair", 10, "middle"),
    "not a number": ("    rt60_s: [0.2, 0.5]", "    rt60_s: [0.2, .nan]", 29, "rt60_s"),
    "infinite share": ("    share: [0.05, 0.2]", "    share: [0.05, .inf]", 27, "share"),
    "infinite noise": ("level_dbfs: [-80, -50]", "level_dbfs: [-.inf, -50]", 34, "level_dbfs"),
    "yes and no as values": ("[owl, wren, heron]", "[yes, no]", 5, "values"),
    "true as a count": ("    min: 2", "    min: true", 17, "min"),
    "one label for both": ("    low: quiet", "    low: loud", 8, "distinct"),
    "attribute called as a field of a sound": ("  species:\n", "  gain_db:\n", 4, "gain_db"),
}


@pytest.mark.parametrize("mistake", DOUBTFUL)
def test_a_subtle_mistake_names_its_line(tmp_path, mistake):
    old, new, line, mention = DOUBTFUL[mistake]
    content = changed(old, new)
    if mistake.startswith("attribute called"):
        content = content.replace("attribute: species", "attribute: gain_db")
    message = error_of(tmp_path, content)
    enclosing = {level for level in (line - 1, line) if level}  # the field's own line, or its attribute's
    assert int(message.split(":")[1]) in enclosing, message
    assert mention in message
    assert "function-after" not in message


@pytest.mark.parametrize("content", ["", "\n# nothing\n", "birds", "- name: birds\n", "[name, birds]", "---\n...\n"])
def test_what_is_no_mapping_is_refused(tmp_path, content):
    assert re.match(r":\d+: .*mapping", error_of(tmp_path, content))


@pytest.mark.parametrize(
    "content",
    [bytes(range(256)), DOMAIN.encode("utf-16"), "name: bärs".encode("latin-1"), b"\x00" * 64, b"name: a\nx: \x07\n"],
    ids=["bytes", "UTF-16", "Latin-1", "zeros", "bell"],
)
def test_what_is_no_text_is_refused(tmp_path, content):
    assert re.match(r"(:\d+)?: ", error_of(tmp_path, content))


def test_a_bomb_of_aliases_is_refused_at_its_first_alias(tmp_path):
    lines = ["a0: &a0 [lol, lol]"]
    lines += [f"a{k}: &a{k} [{', '.join([f'*a{k - 1}'] * 9)}]" for k in range(1, 40)]
    assert error_of(tmp_path, "\n".join(lines)).startswith(":2: found an alias")


@pytest.mark.parametrize("depth", [3000])
def test_a_bomb_of_brackets_is_refused(tmp_path, depth):
    error_of(tmp_path, "name: " + "[" * depth + "]" * depth)


def test_yaml_cannot_run_code(tmp_path):
    marker = tmp_path / "ran"
    error_of(tmp_path, changed("name: birds", f"name: !!python/object/apply:os.mkdir ['{marker}']"))
    assert not marker.exists()


def test_a_mistake_in_the_middle_of_many_names_the_first_and_counts_the_rest(tmp_path):
    wrong = changed("min: 2", "min: two").replace("max: 6", "max: six").replace("share: [0.05", "share: [x")
    message = error_of(tmp_path, wrong)
    assert message.startswith(":17: ")
    assert "2 more" in message


@pytest.mark.parametrize("name", ["nope", "no/such/folder", "", "..", "clear2/domain.yaml"])
def test_an_unknown_domain_is_one_line(name):
    with pytest.raises(InputError) as raised:
        load_domain(name)
    assert len(str(raised.value).splitlines()) == 1


def test_an_unknown_name_lists_the_known_ones():
    with pytest.raises(InputError, match="clear2"):
        load_domain("clear3")
