"""The functions of the program language, one row each: everything that knows a function reads its row.

A new function is a row here, what it computes in ``sets``, ``sounds`` or ``answers``, and an independent implementation
in ``tests/questions/oracle.py``. ``Function`` says what the fields mean.
"""

from __future__ import annotations

from functools import lru_cache

from clear_gen.questions.language.functions import answers, sets, sounds
from clear_gen.questions.language.functions.function import (
    ALL,
    BOOLEAN,
    EXTREME,
    INTEGER,
    KIND,
    LABEL,
    ORDINAL,
    REFERENT,
    SAME_LABEL,
    SET,
    SOUND,
    Function,
)
from clear_gen.questions.language.program_skeleton import DESCRIBE, QUERY
from clear_gen.questions.language.vocabulary import (
    ABSOLUTE,
    COUNT,
    COUNT_COMPARE,
    EXIST,
    RELATION,
    RELATIVE,
    label_kinds,
)
from clear_gen.scenes.domain import Domain

# Words of texts (patterns) that more than one function explains.
AND, OR, IN_TOTAL = r"and|both|but", r"or", r"in total"
AS_MANY = r"as many|equal|same number|same as the number"


def _attributes(domain: Domain) -> list[str]:
    return list(domain.attributes)


def _asked_kinds(domain: Domain) -> list[str]:
    return [kind for kind in label_kinds(domain) if kind in domain.question_types]


def _has_relative_position(domain: Domain) -> bool:
    return domain.relative_position_among is not None


def _asks_absolute_position(domain: Domain) -> bool:
    return ABSOLUTE in domain.question_types


def _asks_relative_position(domain: Domain) -> bool:
    return _has_relative_position(domain) and RELATIVE in domain.question_types


_ROWS = (
    # --- sets of sounds ---
    Function("scene", (), SET, "all sounds", sets.scene, sets.batch_scene),
    Function(
        "filter", (SET,), SET, "the sounds with this label; a global position is the part that their middle falls into",
        sets.filter_label, sets.batch_describe,
        value=KIND, kinds=label_kinds, step=DESCRIBE, keeps=ALL,
    ),
    Function(
        "filter_absolute_position", (SET,), SET, "the sound with this rank in time among the set",
        sets.filter_absolute_position, sets.batch_absolute_position,
        value=ABSOLUTE, step=ABSOLUTE, describes=ORDINAL, keeps=ALL, kind=ABSOLUTE, published="filter_position",
    ),
    Function(
        "filter_relative_position", (SET,), SET,
        "the sounds with this rank in time among the set's sounds of their own kind (instrument)",
        sets.filter_relative_position, sets.batch_relative_position,
        value=RELATIVE, step=RELATIVE, describes=ORDINAL, keeps=ALL, kind=RELATIVE, exists=_has_relative_position,
        published="filter_position_instrument",
    ),
    Function(
        "relate", (SOUND,), SET, "the sounds that the relation leads to",
        sets.relate, sets.batch_relate, value=RELATION,
    ),
    Function(
        "same", (SOUND,), SET, "the other sounds with its label; ill-posed if its label is unknown",
        sets.same, sets.batch_same,
        kinds=_attributes, keeps=SAME_LABEL, told_by=r"same {kind}",
        explains=(r"same {kind}", r"another|others?|besides"),
    ),
    Function(
        "union", (SET, SET), SET, "the sounds that are in one of two sets",
        sets.union, sets.batch_or, told_by=r"or|and|either", explains=(OR, AND, IN_TOTAL),
    ),
    Function(
        "intersect", (SET, SET), SET, "the sounds that are in both of two sets",
        sets.intersect, sets.batch_intersect, keeps=ALL, told_by=r"and|but|both|same", explains=(AND,),
    ),
    # --- one sound ---
    Function(
        "unique", (SET,), SOUND, "the only sound of a set; ill-posed if there are none or several",
        sounds.unique, sounds.batch_unique, describes=REFERENT, keeps=ALL,
    ),
    Function(
        "longest", (SET,), SOUND, "the longest sound of a set; ill-posed without a clear margin",
        sounds.longest, sounds.batch_longest,
        describes=EXTREME, keeps=ALL, told_by=r"longest", explains=(r"longest",),
        published="filter_longest_duration",
    ),
    Function(
        "shortest", (SET,), SOUND, "the shortest sound of a set; ill-posed without a clear margin",
        sounds.shortest, sounds.batch_shortest,
        describes=EXTREME, keeps=ALL, told_by=r"shortest", explains=(r"shortest",),
        published="filter_shortest_duration",
    ),
    # --- labels ---
    Function(
        "query", (SOUND,), LABEL, "a sound's label",
        answers.query_label, answers.batch_query, kinds=_asked_kinds, step=QUERY, question_type="{kind}",
    ),
    Function(
        "query_absolute_position", (SOUND,), LABEL, "a sound's rank in time in the scene",
        answers.query_absolute_position, answers.batch_query,
        kind=ABSOLUTE, exists=_asks_absolute_position, question_type=ABSOLUTE, step=QUERY, published="query_position",
    ),
    Function(
        "query_relative_position", (SOUND,), LABEL, "a sound's rank in time among the scene's sounds of its own kind",
        answers.query_relative_position, answers.batch_query,
        kind=RELATIVE, exists=_asks_relative_position, question_type=RELATIVE, step=QUERY,
        published="query_position_instrument",
    ),
    # --- numbers ---
    Function(
        "count", (SET,), INTEGER, "the number of sounds",
        answers.count, answers.batch_count, question_type=COUNT,
    ),
    Function(
        "count_different", (SET,), INTEGER, "the number of different labels",
        answers.count_different, answers.batch_count_different,
        kinds=_attributes, question_type="count_{kinds}", told_by=r"different",
    ),
    Function(
        "add", (INTEGER, INTEGER), INTEGER, "the sum",
        answers.add, answers.batch_add,
        question_type=COUNT, told_by=r"or|and|total", explains=(OR, AND, IN_TOTAL),
    ),
    # --- truth values ---
    Function(
        "exist", (SET,), BOOLEAN, "whether there is a sound",
        answers.exist, answers.batch_exist, question_type=EXIST,
    ),
    Function(
        "or", (BOOLEAN, BOOLEAN), BOOLEAN, "whether one of two holds",
        answers.or_, sets.batch_or, question_type=EXIST, told_by=r"or|either", explains=(OR, AND),
    ),
    Function(
        "equal_integer", (INTEGER, INTEGER), BOOLEAN, "whether two numbers are equal",
        answers.equal_integer, answers.batch_equal_integer,
        question_type=COUNT_COMPARE, told_by=AS_MANY, explains=(AS_MANY, AND),
    ),
    Function(
        "less_than", (INTEGER, INTEGER), BOOLEAN, "whether the first number is less",
        answers.less_than, answers.batch_less_than,
        question_type=COUNT_COMPARE, told_by=r"fewer|less", explains=(r"fewer|less",),
    ),
    Function(
        "greater_than", (INTEGER, INTEGER), BOOLEAN, "whether the first number is greater",
        answers.greater_than, answers.batch_greater_than,
        question_type=COUNT_COMPARE, told_by=r"more", explains=(r"more",),
    ),
)  # fmt: skip
FUNCTIONS: dict[str, Function] = {row.name: row for row in _ROWS}


def functions_of(domain: Domain) -> dict[str, Function]:
    """Every function that programs of this domain can use, the members of families included."""
    found: dict[str, Function] = {}
    for row in FUNCTIONS.values():
        if row.kinds is not None:
            members = (_member(row, kind) for kind in row.kinds(domain))
            found |= {member.name: member for member in members}
        elif row.exists(domain):
            found[row.name] = row
    return found


@lru_cache(maxsize=1024)
def function_named(name: str) -> Function:
    """The row of a function, or the member of a family, whatever the domain. Raises KeyError if there is none."""
    row = FUNCTIONS.get(name)
    if row is not None and row.kinds is None:
        return row
    end = name.find("_")
    while end >= 0:
        family = FUNCTIONS.get(name[:end])
        if family is not None and family.kinds is not None:
            return _member(family, name[end + 1 :])
        end = name.find("_", end + 1)
    raise KeyError(name)


@lru_cache(maxsize=1000)
def _member(family: Function, kind: str) -> Function:
    return family.member(kind)
