"""What a rejected value is told to users: by field, found and expected, never in pydantic's words."""

from __future__ import annotations

import re
from collections.abc import Iterator
from importlib import import_module
from typing import Any, get_args

import pytest
from pydantic import BaseModel, ValidationError
from pydantic_core.core_schema import ErrorType

from clear_gen.core.config import Strict
from clear_gen.core.rejected import LIBRARY_TYPES, WORDS, wrong_fields
from clear_gen.datasets.scenes.options import Options

for name in ("tasks.registry", "models.registry"):
    import_module(f"baselines.{name}")
for name in ("datasets.registry", "questions.templates.collection", "sounds.importers.formats", "sounds.synthesis"):
    import_module(f"clear_gen.{name}")  # their models are found below

JUNK: tuple[Any, ...] = (None, True, -1, 1.5, float("nan"), "", "x\ny", [], [[]], ["a", 3], {}, {"odd": {}}, object())
PYDANTIC = re.compile(
    r"[Ii]nput should|not permitted|[Ff]ield required|[Vv]alue.?error|valid \w+,|constrained|tag|\[\w*type="
)


def models(kind: type[BaseModel] = BaseModel) -> Iterator[type[BaseModel]]:
    """Every model of the packages that have been imported."""
    for model in kind.__subclasses__():
        if model.__module__.startswith(("clear_gen.", "baselines.")):
            yield model
        yield from models(model)


@pytest.mark.parametrize("model", [pytest.param(model, id=model.__qualname__) for model in models(Strict)])
def test_no_message_is_pydantics(model: type[BaseModel]) -> None:
    for field in model.model_fields:
        for value in JUNK:
            with pytest.raises(ValidationError) as raised:
                model.model_validate({field: value, "no such field": 1})
            for wrong in wrong_fields(raised.value, model):
                assert not PYDANTIC.search(f"{wrong.field}: {wrong}"), (field, value, wrong)


def test_every_type_of_error_has_words_of_ours() -> None:
    assert set(get_args(ErrorType)) <= {*WORDS, *LIBRARY_TYPES, "value_error"}
    assert "value_error" not in LIBRARY_TYPES


def wrong(model: type[BaseModel], value: Any) -> list[str]:
    with pytest.raises(ValidationError) as raised:
        model.model_validate(value)
    return [f"{one.field}: {one}" for one in wrong_fields(raised.value, model)]


class Inner(Strict):
    low: int
    high: int


class Outer(Strict):
    inner: Inner
    many: list[Inner] = []  # noqa: RUF012
    mixed: dict[str, bool | int | str] = {}  # noqa: RUF012


def test_a_misspelt_name_is_said_before_what_is_missing() -> None:
    assert wrong(Outer, {"inner": {"low": 1, "hihg": 2}}) == [
        "inner.hihg: found 2, expected: no such field; did you mean high?",
        "inner.high: found nothing, expected: this field",
    ]
    assert wrong(Outer, {"inner": {"low": 1, "high": 2}, "many": [{"low": 1, "high": 2, "top": 3}]}) == [
        "many.0.top: found 3, expected: no such field, but one of: low, high"
    ]


def test_the_alternatives_of_a_field_are_one_message() -> None:
    (message,) = wrong(Outer, {"inner": {"low": 1, "high": 2}, "mixed": {"a": [3]}})
    assert message == "mixed.a: found [3], expected: true or false or a whole number or text"


def test_names_of_options_are_known() -> None:
    assert wrong(Options, {"test_bnak": "x"}) == [
        "test_bnak: found 'x', expected: no such field; did you mean test_bank?"
    ]
