"""Questions about a single scene, by the same two passes as those of a dataset."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pyarrow as pa

from clear_gen.core.arguments import whole_number
from clear_gen.core.errors import InputError
from clear_gen.core.names import not_among
from clear_gen.questions.generation.candidates import Rules, bank_labels, candidates, question_plan
from clear_gen.questions.generation.records import Chosen, Recorder
from clear_gen.questions.generation.selection import pool_of, select
from clear_gen.questions.language.scene_batch import scene_batch
from clear_gen.questions.templates.template import Template
from clear_gen.scenes.domain import Domain
from clear_gen.scenes.graph import SceneGraph, row_of_graph, scene_schema
from clear_gen.sounds.bank import Bank

MAX_QUESTIONS = 100


def questions_of_scene(
    graph: SceneGraph,
    domain: Domain,
    bank: Bank,
    templates: Sequence[Template],
    n: int,
    seed: int,
    types: Sequence[str] | None = None,
    levels: str = "recorded",
) -> list[dict[str, Any]]:
    """Records of up to ``n`` questions about a scene, by the strict rules (see ``candidates``).

    ``types``: some of the domain's question types; all that have a template if None. ``levels``: how the scene's were
    drawn. A scene that has fewer questions gives fewer. Raises InputError for a number or a type that is not possible.
    """
    rules = Rules(whole_number("seed", seed), whole_number("n", n, 1, MAX_QUESTIONS), _types(types, domain, templates))
    labels = {name: [sound.attributes[name] for sound in bank.sounds] for name in domain.attributes}
    if levels == "independent" and domain.sampling.independent_levels is not None:
        labels.pop(domain.sampling.independent_levels.attribute)  # drawn by a coin, whatever the sound
    plan = question_plan(domain, rules, templates, bank_labels(labels, domain))
    schema = scene_schema(domain.attributes, graph.sample_rate)
    batch = scene_batch(pa.Table.from_pylist([row_of_graph(graph)], schema=schema), domain)
    numbers = np.array([int(graph.scene_id.rpartition("-")[2])])
    found = candidates(plan, batch, graph.split, numbers)
    if not found.num_rows:
        return []
    pool = pool_of(found, plan.templates, domain, rules)
    places = select(pool, rules.per_scene, rules.strict)
    chosen = Chosen(
        scene=pool.scene[places],
        template=pool.template[places],
        values=pool.values[places],
        answer=pool.answer[places],
        phrase=pool.phrase[places],
        needs_holdout=None,
    )
    records: list[dict[str, Any]] = Recorder(plan.templates, domain).records(chosen, graph.split).to_pylist()
    return records


def _types(types: Sequence[str] | None, domain: Domain, templates: Sequence[Template]) -> tuple[str, ...]:
    there = [name for name in domain.question_types if any(one.question_type == name for one in templates)]
    if types is None:
        return tuple(there)
    for name in [types] if isinstance(types, str) else types:
        if isinstance(types, str) or name not in there:
            raise InputError(f"types: {not_among(name, there, 'a list of some of')}")
    if not types:
        raise InputError(f"types: found none, expected some of: {', '.join(there)}")
    return tuple(dict.fromkeys(types))
