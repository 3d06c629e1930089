"""How a drafted use case reads what was predicted elsewhere: which column, what it means, and who is selected."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

# Faces, since the rest loads scikit-learn, and every command is loaded for the list of commands.
from rai_kedro import modelling, performance
from rai_kedro.commands.use_case_choices import NewUseCaseError, UseCaseRequest, some
from rai_kedro.contract import Column, Proposal, canonical, draft_column
from rai_kedro.frames import Series
from rai_kedro.sources import IngestionParameters

_OUTCOMES = 2
_READINGS = "rai_kedro.modelling."
_USE = Proposal("decision", "made elsewhere; assessed as it is, and in no model")


@dataclass(frozen=True)
class Reading:
    """How the predictions are read: estimator and parameters, the drafted columns, and what a person should know."""

    estimator: str
    params: Mapping[str, Any]
    columns: Mapping[str, Column]
    notes: tuple[str, ...]
    hosts: tuple[str, ...] = ()  # of the server that is asked, where no column is read

    @property
    def features(self) -> tuple[str, ...] | None:
        """Every column that is read, the units of a rule among them; None where a server gets those of the model."""
        if self.hosts:
            return None
        per = (self.params.get("rule") or {}).get("per")
        return (*self.columns, *((per,) if per else ()))


def draft_reading(table: pd.DataFrame, request: UseCaseRequest, parameters: IngestionParameters) -> Reading | None:
    """Draft how the predictions in a table are read, its names changed already; None where a model is to be trained.

    Raises:
        NewUseCaseError: The columns hold no predictions, or it is not plain what they mean; the error says what to say.
    """
    if request.model_url is not None:
        return _read_server(request, parameters)
    if request.prediction is None and request.score is None:
        return None
    asked = {"prediction": request.prediction, "score": request.score}
    named = {role: parameters.rename.get(name, name) for role, name in asked.items() if name is not None}
    for role, name in named.items():
        _require_varied(table[name], f"--{role} {asked[role]}")
    if request.task == "regression":
        return _read_amounts(table, named, parameters)
    return _read_decisions(table, named, request, parameters)


def _read_server(request: UseCaseRequest, parameters: IngestionParameters) -> Reading:
    """Draft how a server is asked. It is not: which columns may leave for it, a person has not decided yet."""
    if request.prediction is not None or request.score is not None:
        raise NewUseCaseError(
            "The predictions are in a column, and a server is to be asked, too.",
            where="--model-url",
            remedy="leave --prediction and --score out, or --model-url",
        )
    params: dict[str, Any] = {"url": request.model_url}
    notes = ["nothing was sent yet: every column of use 'model' goes to this server when the use case runs"]
    if request.task == "regression":
        return Reading(f"{_READINGS}ServedAmounts", params, {}, tuple(notes), _find_host(params, "ServedAmounts"))
    rule = _choose_rule({}, {"probability": True}, request, parameters)
    if any(getattr(request, name) is not None for name in ("threshold", "top", "top_share")) and rule is not None:
        params |= {
            "answers": "probability",
            "high": request.high_score or "favourable",
            "rule": rule.model_dump(exclude_none=True),
        }
        notes.append(f"its answers are taken as probabilities of the {params['high']} outcome; selected are {rule}")
    else:
        value = request.favourable_prediction or "1"
        params |= {"answers": "decision", "favourable": int(value) if value.isdigit() else value}
        notes.append(f"its answers are taken as decisions, of which {params['favourable']!r} is the favourable one")
    return Reading(f"{_READINGS}ServedDecisions", params, {}, tuple(notes), _find_host(params, "ServedDecisions"))


def _find_host(params: Mapping[str, Any], name: str) -> tuple[str, ...]:
    return (str(getattr(modelling, name)(**params).host),)


def try_reading(reading: Reading, months: Mapping[str, pd.DataFrame]) -> tuple[str, ...]:
    """Read every month as a run would, and say what is left out, ties, or contradicts itself."""
    config = modelling.EstimatorConfig.model_validate({"class": reading.estimator, "params": dict(reading.params)})
    model = modelling.build_estimator(config, [_READINGS])
    answers = [modelling.answer_month(model, frame) for frame in months.values()]
    rows = sum(map(len, months.values()))
    counts = {
        "have no prediction and will be left out": sum(one.left_out for one in answers),
        "tie at a cut; those that stand first in the month are selected": sum(one.tied for one in answers),
        "have a decision that goes against their score: no threshold gives all the decisions": sum(
            one.against for one in answers
        ),
    }
    return tuple(f"{count:,} of {rows:,} rows {what}" for what, count in counts.items() if count)


def _require_varied(values: Series, where: str) -> None:
    known = values.dropna().map(canonical)
    if (different := known[known != ""].nunique()) < _OUTCOMES:
        raise NewUseCaseError(
            "The predictions are all the same, so there is nothing to assess.",
            where=where,
            how_many=f"{different} different values in {len(known)} rows",
            example=some(list(known.unique()[:1])),
            remedy="name the column that holds what was predicted",
        )


def _read_numbers(values: Series, where: str) -> Series:
    numbers = pd.to_numeric(values, errors="coerce")
    if (odd := values[numbers.isna() & values.notna()]).any():
        raise NewUseCaseError(
            "It should be numbers, and has other values.",
            where=where,
            how_many=f"{len(odd)} of {len(values)} rows",
            example=some([str(value)[:40] for value in odd.unique()[:3]]),
            remedy="mend these values, or name another column",
        )
    return numbers


def _refuse_copy(same: Series, where: str, target: str) -> None:
    if len(same) and same.all():
        raise NewUseCaseError(
            f"The prediction is the target: every row has in it what '{target}' says.",
            where=where,
            how_many=f"{len(same)} rows",
            remedy="name the column that held the prediction before the outcome was known",
        )


def _read_amounts(table: pd.DataFrame, named: Mapping[str, str], parameters: IngestionParameters) -> Reading:
    if "prediction" not in named:
        raise NewUseCaseError("A regression needs the predicted amounts.", remedy="name their column with --prediction")
    name = named["prediction"]
    both = pd.DataFrame({"p": _read_numbers(table[name], "--prediction"), "y": _to_numbers(table[parameters.label])})
    both = both.dropna()
    _refuse_copy(both["p"] == both["y"], f"--prediction {name}", parameters.label)
    column = _declare(draft_column(table[name]), type="float", nullable=bool(table[name].isna().any()))
    return Reading(f"{_READINGS}GivenAmounts", {"prediction": name}, {name: column}, ())


def _to_numbers(values: Series) -> Series:
    return pd.to_numeric(values, errors="coerce")


def _read_decisions(
    table: pd.DataFrame, named: Mapping[str, str], request: UseCaseRequest, parameters: IngestionParameters
) -> Reading:
    target = table[parameters.label].map(canonical, na_action="ignore")
    outcome = (target == parameters.favourable).astype(float).where(target.notna() & (target != ""))
    params: dict[str, Any] = dict(named)
    columns, notes, decided = dict[str, Column](), list[str](), outcome
    if "prediction" in named:
        values = table[named["prediction"]].map(canonical, na_action="ignore")
        values = values.where(values != "")
        favourable = _find_favourable(values, request, parameters)
        decided = (values == favourable).astype(float).where(values.notna())
        both = decided.notna() & outcome.notna()
        _refuse_copy(decided[both] == outcome[both], f"--prediction {request.prediction}", parameters.label)
        params["favourable"] = favourable
        drafted = draft_column(table[named["prediction"]])
        known = {"categories": tuple(sorted(values.dropna().unique())), "nullable": bool(values.isna().any())}
        columns[named["prediction"]] = _declare(drafted, type="category", range=None, **known)
        notes.append(f"'{favourable}' in {request.prediction} is the favourable decision")
    if "score" in named:
        scores = _read_numbers(table[named["score"]], f"--score {request.score}")
        probability = bool(scores.dropna().between(0, 1).all())
        high = request.high_score or _find_direction(scores, decided)
        params |= {"probability": probability, "high": high}
        told = {"range": (0.0, 1.0)} if probability else {}
        columns[named["score"]] = _declare(
            draft_column(table[named["score"]]), type="float", nullable=bool(scores.isna().any()), **told
        )
        what = "a probability" if probability else "a ranking and no probability, so that calibration is not assessed"
        notes.append(f"a high {request.score} is taken as {high}, and the score as {what}")
    if (rule := _choose_rule(named, params, request, parameters)) is not None:
        params["rule"] = rule.model_dump(exclude_none=True)
        notes.append(f"selected are {rule} in {request.score}")
    return Reading(f"{_READINGS}GivenDecisions", params, columns, tuple(notes))


def _declare(drafted: Column, **facts: Any) -> Column:
    """Return a drafted column as what was made elsewhere; `facts` are what its part in the reading asks for."""
    given = {"flags": ("risky",), "use": _USE.drafted_uses[0], "risk": _USE.risk, "categories": None}
    return drafted.model_copy(update=given | facts)


def _find_favourable(values: Series, request: UseCaseRequest, parameters: IngestionParameters) -> str:
    found = sorted(values.dropna().unique())
    where = f"--prediction {request.prediction}"
    if len(found) != _OUTCOMES:
        numbers = _to_numbers(values).dropna()
        raise NewUseCaseError(
            "A decision has two values.",
            where=where,
            how_many=f"{len(found)} different values in {len(values)} rows",
            example=some([value[:40] for value in found]),
            remedy="these numbers look like a score: name them with --score, and say who is selected by it, for "
            "example --threshold 0.5 or --top-share 0.1"
            if len(numbers) == values.notna().sum()
            else "name another column, or --task regression if it is an amount",
        )
    if request.favourable_prediction is not None:
        chosen: str | None = canonical(request.favourable_prediction)
    else:
        chosen = parameters.favourable if set(found) == {parameters.favourable, parameters.unfavourable} else None
    if chosen in found:
        return str(chosen)
    raise NewUseCaseError(
        "It has to be said which decision is the favourable one.",
        where=where,
        example=f"it has {' and '.join(found)}",
        remedy=f"name one of them, for example --favourable-prediction '{found[0]}'",
        option="favourable_prediction",
    )


def _find_direction(scores: Series, decided: Series) -> str:
    """Say what a high score stands for: what it goes along with, by the decisions or else by the outcomes."""
    both = scores.notna() & decided.notna()
    area = performance.measure_auc(decided[both].to_numpy(dtype=float), scores[both].to_numpy(dtype=np.float64)).value
    return "unfavourable" if area is not None and area < 0.5 else "favourable"  # noqa: PLR2004 - chance


def _choose_rule(
    named: Mapping[str, str], params: Mapping[str, Any], request: UseCaseRequest, parameters: IngestionParameters
) -> modelling.DecisionRule | None:
    options = {name: getattr(request, name) for name in ("threshold", "top", "top_share", "per")}
    given = {name: value for name, value in options.items() if value is not None}
    if "prediction" in named:
        if given:
            raise NewUseCaseError(
                "Who was selected is given, and a rule is, too.",
                where=" ".join(f"--{name.replace('_', '-')}" for name in given),
                remedy="leave --prediction out to have the rule decide by the score, or leave the rule out",
            )
        return None
    if not given and not params["probability"]:
        raise NewUseCaseError(
            "It has to be said who is selected by this score.",
            where=f"--score {request.score}",
            example="its values are no probabilities",
            remedy="say --threshold VALUE, --top K or --top-share SHARE, the last two with --per COLUMN for each unit",
            option="top_share",
        )
    if "per" in given:
        given["per"] = parameters.rename.get(given["per"], given["per"])
    try:
        return modelling.DecisionRule(**(given or {"threshold": 0.5}))
    except ValueError as error:
        said = next(_list_faults(error), str(error))
        raise NewUseCaseError(
            f"The rule cannot be followed: {said}.",
            where=" ".join(f"--{name.replace('_', '-')}" for name in given),
            remedy="give one of --threshold, --top and --top-share; a share lies between 0 and 1",
        ) from None


def _list_faults(error: ValueError) -> Iterator[str]:
    for one in getattr(error, "errors", list)():
        yield str(one["msg"]).removeprefix("Value error, ")
