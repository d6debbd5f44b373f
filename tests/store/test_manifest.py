"""The identity of a dataset says its kind and its format; what an older version wrote is refused with what to do."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from clear_gen.core.errors import InputError
from clear_gen.store.build import claim
from clear_gen.store.manifest import FORMAT, read_provenance, stored_identity, write_provenance

OLD = {"format": 1, "generator": "clear-gen 0.1.0", "scenes": {"train": 1}, "seed": 3}


@pytest.mark.parametrize(
    ("identity", "command"),
    [
        (OLD, "clear-gen scenes ... --out "),
        ({**OLD, "kind": "mixtures"}, "clear-gen mix ... --out "),
        ({**OLD, "imported": {"layout": "clear"}}, "clear-gen import clear SOURCE --out "),
    ],
)
@pytest.mark.parametrize("finished", [False, True])
def test_what_0_1_wrote_is_refused_with_the_command_that_makes_it_again(
    tmp_path: Path, identity: dict[str, Any], command: str, finished: bool
) -> None:
    if finished:
        write_provenance(tmp_path, identity, {}, {})
    else:
        (tmp_path / ".partial").mkdir()
        (tmp_path / ".partial/clear.json").write_text(json.dumps(identity))
    with pytest.raises(InputError) as caught:
        stored_identity(tmp_path)
    message = str(caught.value)
    assert f"identity.format: found 1 (clear-gen 0.1.0), expected {FORMAT}" in message
    assert message.endswith(f"make it again: {command}{tmp_path} --overwrite")
    assert "\n" not in message
    if finished:
        with pytest.raises(InputError, match="make it again"):
            read_provenance(tmp_path / "clear.json")


def test_an_identity_without_a_kind_is_refused(tmp_path: Path) -> None:
    write_provenance(tmp_path, {**OLD, "format": FORMAT}, {}, {})
    with pytest.raises(InputError, match=r"identity.kind: found null \(clear-gen 0.1.0\), expected a name; make it"):
        stored_identity(tmp_path)


def test_overwriting_replaces_what_0_1_wrote(tmp_path: Path) -> None:
    write_provenance(tmp_path, OLD, {}, {})
    new = {"kind": "scenes", "format": FORMAT, "scenes": {"train": 1}}
    with pytest.raises(InputError, match="make it again"):
        claim(tmp_path, new, overwrite=False)
    claim(tmp_path, new, overwrite=True)
    assert stored_identity(tmp_path) == new
    assert not (tmp_path / "clear.json").exists()
