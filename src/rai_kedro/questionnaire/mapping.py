"""From a metric to the methods that mitigate it, and whether each applies to the model at hand.

The mapping is data (``mapping.yml``): the published answers, whether this project provides them or not, with what
libraries offer today. A method that does not apply is named with the reason, not left out.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import Annotated, Any, Literal, TypeAlias, TypeVar

import yaml
from pydantic import Field, StringConstraints, ValidationError

from rai_kedro.errors import RaiError
from rai_kedro.fairness import METRICS, Metric, Task
from rai_kedro.typed import Typed
from rai_kedro.yaml_files import read_yaml

Stage: TypeAlias = Literal["pre", "in", "post"]
Need: TypeAlias = Literal["sensitive"]
ModelNeed: TypeAlias = Literal["sample_weight", "scores"]
Text = Annotated[str, StringConstraints(min_length=1, strip_whitespace=True)]
_Data = TypeVar("_Data", bound=Typed)

_MODEL_NEEDS: Mapping[ModelNeed, str] = {
    "sample_weight": "it needs a model whose fit takes 'sample_weight'",
    "scores": "it needs a model that gives probabilities",
}


class MappingError(RaiError):
    """The mapping itself is wrong, or was asked for a metric that there is not."""


class Service(Typed):
    """That a method serves a metric: with which constraint, aiming at it (``direct``) or not (``indirect``)."""

    metric: Text
    effect: Literal["direct", "indirect"]
    constraint: str | None = None
    note: str = ""


class MappedMethod(Typed):
    """One mitigation method; the keys are explained in the YAML."""

    stage: Stage
    builder: str | None
    fixed: dict[str, Any] = Field(default_factory=dict)
    stores: tuple[str, ...] = ()
    does: Text
    source: Text
    needs_at_prediction: tuple[Need, ...]
    tasks: Annotated[tuple[Task, ...], Field(min_length=1)]
    needs_of_model: tuple[ModelNeed, ...]
    serves: Annotated[tuple[Service, ...], Field(min_length=1)]

    @property
    def provided(self) -> bool:
        """Whether this project has the method."""
        return self.builder is not None

    @property
    def needs_sensitive(self) -> bool:
        """Whether every prediction needs the sensitive column."""
        return "sensitive" in self.needs_at_prediction

    @property
    def constraints(self) -> dict[str, str | None]:
        """The metrics it serves, each with the constraint to ask for; None if there is nothing to choose."""
        return {service.metric: service.constraint for service in self.serves}


class MethodMapping(Typed):
    """Every method by name, and the metrics without one."""

    methods: dict[str, MappedMethod]
    without_method: dict[str, Text]

    @property
    def metrics(self) -> frozenset[str]:
        """The metrics about which the mapping says something."""
        served = {service.metric for method in self.methods.values() for service in method.serves}
        return frozenset(served | set(self.without_method))


@dataclass(frozen=True)
class ModelAtHand:
    """What decides whether a method applies; None where nobody knows yet."""

    task: Task | None = None
    takes_sample_weight: bool | None = None  # by its fit
    gives_scores: bool | None = None  # probabilities
    permitted: tuple[str, ...] = ()  # sensitive columns that the contract lets into a prediction

    def meets(self, need: ModelNeed) -> bool | None:
        """Return whether the model has what a method needs; None where nobody knows."""
        return self.takes_sample_weight if need == "sample_weight" else self.gives_scores


class Recommendation(Typed):
    """One method for one metric."""

    metric: str
    method: str
    does: str
    stage: Stage  # where it acts
    effect: Literal["direct", "indirect"]  # direct: it aims at the metric
    constraint: str | None  # what to ask of it, in the words of fairlearn; None if there is nothing to choose
    source: str  # where it is published
    needs_at_prediction: tuple[Need, ...]
    provided: bool  # by this project
    applies: bool  # to the model at hand
    why: str  # it does or does not


def read_own(name: str) -> str:
    """Return the text of one of the project's own files, "mapping" or "questionnaire"."""
    return resources.files("rai_kedro.questionnaire").joinpath(f"{name}.yml").read_text(encoding="utf-8")


def read_sound(
    text: str, name: str, form: type[_Data], refuse: type[RaiError], find_faults: Callable[[_Data], Iterable[str]]
) -> _Data:
    """Read YAML into its form, and refuse what has another form or has faults; the first is named."""
    where = f"questionnaire/{name}.yml"
    try:
        data = form.model_validate(read_yaml(text))
    except (yaml.YAMLError, ValidationError) as error:
        what, remedy = f"The {name} cannot be read.", "its first lines say what goes in"
        raise refuse(what, where=where, example=str(error), remedy=remedy) from None
    if faults := list(find_faults(data)):
        raise refuse(
            f"The {name} is not sound: {faults[0]}.",
            where=where,
            how_many=f"{len(faults)} faults, this is the first" if len(faults) > 1 else None,
            remedy="mend that entry; nobody should be led astray by it",
        )
    return data


@cache
def load_mapping() -> MethodMapping:
    """Return the project's own mapping, checked against the metrics that are computed."""
    return read_mapping(read_own("mapping"), computed=METRICS)


def read_mapping(text: str, *, computed: Mapping[str, Metric]) -> MethodMapping:
    """Read a mapping from YAML; ``computed`` are the metrics that there are.

    Raises:
        MappingError: It has not the right form, or leaves a metric out or serves it wrongly.
    """
    return read_sound(text, "mapping", MethodMapping, MappingError, lambda data: _find_faults(data, computed))


def _find_faults(mapping: MethodMapping, computed: Mapping[str, Metric]) -> Iterator[str]:
    """Yield what is wrong: a metric left out, unknown, served twice, or served by a method of another task."""
    yield from (f"'{metric}' is left out" for metric in computed if metric not in mapping.metrics)
    for name, method in mapping.methods.items():
        served = [service.metric for service in method.serves]
        for metric in dict.fromkeys(served):
            if metric not in computed:
                yield f"{name} serves '{metric}', which is not computed"
            elif not set(method.tasks) & set(computed[metric].tasks):
                yield f"{name} serves '{metric}', a metric of another task"
            if served.count(metric) > 1:
                yield f"{name} serves '{metric}' twice"
            if metric in mapping.without_method:
                yield f"{name} serves '{metric}', said to have no method"
    yield from (f"'{m}' has no method and is not computed" for m in mapping.without_method if m not in computed)


def recommend(
    metrics: Iterable[str], model: ModelAtHand, *, mapping: MethodMapping | None = None
) -> list[Recommendation]:
    """Say of every method for these metrics whether it applies to the model at hand.

    Returns:
        For each metric, in the order asked for: methods that apply first, among them those that aim at the metric.

    Raises:
        MappingError: A metric is not in the mapping.
    """
    mapping = mapping or load_mapping()
    found = []
    for metric in metrics:
        if metric not in mapping.metrics:
            raise MappingError(
                f"There is no metric '{metric}'.",
                example=f"known: {', '.join(sorted(mapping.metrics))}",
                remedy="write the name as it stands there",
            )
        of_metric = [
            _judge(name, method, service, model)
            for name, method in mapping.methods.items()
            for service in method.serves
            if service.metric == metric
        ]
        found += sorted(of_metric, key=lambda r: (not r.applies, not r.provided, r.effect != "direct"))
    return found


def _judge(name: str, method: MappedMethod, service: Service, model: ModelAtHand) -> Recommendation:
    hindrances = list(_find_hindrances(method, model))
    aims = "aims at the metric" if service.effect == "direct" else "usually helps, without aiming at the metric"
    reason = "; ".join([*hindrances] or [aims, *([service.note] if service.note else []), *_conditions(method, model)])
    return Recommendation(
        **service.model_dump(exclude={"note"}),
        **method.model_dump(include={"does", "stage", "source", "needs_at_prediction"}),
        method=name,
        provided=method.provided,
        applies=not hindrances,
        why=reason,
    )


def _find_hindrances(method: MappedMethod, model: ModelAtHand) -> Iterator[str]:
    if not method.provided:
        yield "published, but this project does not provide it"
    if model.task is not None and model.task not in method.tasks:
        yield f"it is for {' and '.join(method.tasks)}"
    yield from (_MODEL_NEEDS[need] for need in method.needs_of_model if model.meets(need) is False)
    if method.needs_sensitive and not model.permitted:
        yield (
            "each prediction needs the sensitive column, and the contract gives none 'use: mitigation' "
            "with a justification"
        )


def _conditions(method: MappedMethod, model: ModelAtHand) -> Iterator[str]:
    """Yield what an applicable method still hangs on."""
    if method.needs_sensitive:
        yield f"each prediction needs the sensitive column; the contract permits {', '.join(model.permitted)}"
    for need in method.needs_of_model:
        if model.meets(need) is None:
            yield f"provided that {_MODEL_NEEDS[need].replace('it needs', 'there is')}"
