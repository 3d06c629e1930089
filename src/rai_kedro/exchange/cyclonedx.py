"""A model version as a CycloneDX machine-learning bill of materials (ML-BOM), made from its card.

The Python library of CycloneDX (11.12) has no classes for the standard's ``modelCard``, so the document is built here
as plain JSON; the library's strict validator holds it against the official schema before it is handed out.
"""

from __future__ import annotations

import json
import re
import uuid
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from importlib import metadata
from typing import Any, Literal

from rai_kedro.contract import GovernedColumn
from rai_kedro.errors import RaiError
from rai_kedro.fairness import describe_metric, name_kind
from rai_kedro.intervals import Estimate
from rai_kedro.report import CarbonFigure, ModelCard
from rai_kedro.words import format_share, in_words

SPEC_VERSION: Literal["1.6"] = "1.6"
_NAMESPACE = uuid.UUID("6f1d7f0a-2f3c-5c54-9b52-6b1f4a0f3e7d")
_PREFIX = "rai_kedro:"
_REQUIREMENT = re.compile(r"(?P<name>[A-Za-z0-9][A-Za-z0-9._-]*)(\[[^\]]*\])?==(?P<version>[^\s;]+)")
_GRAMS_PER_TONNE = 1e6
_LONGEST_LICENCE = 80
_LICENCES = "License :: OSI Approved"

Json = dict[str, Any]


class BomError(RaiError):
    """A bill of materials cannot be made."""


@dataclass(frozen=True)
class VersionFiles:
    """What belongs to a version besides its card: exact requirements (``name==version``), and digests of its files."""

    requirements: Sequence[str] = ()
    digests: Mapping[str, str] = field(default_factory=dict)


def to_cyclonedx(card: ModelCard, files: VersionFiles = VersionFiles()) -> str:
    """Return the bill of materials of a version as JSON, valid by the official schema of CycloneDX 1.6.

    The same card and files give the same bytes. What the standard has no place for, such as the level of an interval,
    stands in ``properties``.

    Raises:
        BomError: A requirement is not of the form ``name==version``, or the schema does not allow the document.
    """
    who = card.identity
    model = f"{who.use_case}@{who.version}"
    libraries = [_describe_library(one) for one in files.requirements]
    application = {"type": "application", "name": who.use_case, "version": who.version, "bom-ref": who.use_case}
    document = {
        "$schema": f"http://cyclonedx.org/schema/bom-{SPEC_VERSION}.schema.json",
        "bomFormat": "CycloneDX",
        "specVersion": SPEC_VERSION,
        "serialNumber": f"urn:uuid:{uuid.uuid5(_NAMESPACE, f'{model}/{who.run_id}')}",
        "version": 1,
        "metadata": {"timestamp": who.created_at, "component": application},
        "components": [_describe_model(card, model, files), *libraries],
        "dependencies": [
            {"ref": who.use_case, "dependsOn": [model]},
            {"ref": model, "dependsOn": [one["bom-ref"] for one in libraries]},
        ],
    }
    text = json.dumps(document, indent=2, ensure_ascii=False, allow_nan=False) + "\n"
    _require_valid(text)
    return text


def _describe_model(card: ModelCard, reference: str, files: VersionFiles) -> Json:
    who = card.identity
    return {
        "type": "machine-learning-model",
        "bom-ref": reference,
        "name": who.model_name,
        "version": who.version,
        "description": who.purpose,
        "externalReferences": [
            {
                "type": "model-card" if name.startswith("model_card") else "evidence",
                "url": name,
                "hashes": [{"alg": "SHA-256", "content": digest}],
            }
            for name, digest in files.digests.items()
        ],
        "properties": _properties(
            run=who.run_id, owner=who.owner, git_commit=card.data.git_commit, review_status=card.review_status
        ),
        "modelCard": {
            "modelParameters": _describe_parameters(card),
            "quantitativeAnalysis": {"performanceMetrics": list(_list_metrics(card))},
            "considerations": _describe_considerations(card),
            "properties": _properties(
                intervals_of_performance=_levels(card.performance),
                intervals_of_disparities=_levels(card.fairness.assessment.disparities) if card.fairness else "",
                fairness_gate=None if card.fairness is None else in_words(card.fairness.gate.outcome),
                **{f"version_{name}": version for name, version in card.versions.items()},
            ),
        },
    }


def _describe_parameters(card: ModelCard) -> Json:
    data, estimator = card.data, card.estimator
    features = [one for one in card.columns if one.model_uses and not one.is_label]
    labels = [one for one in card.columns if one.is_label]
    is_regression = any(one.name == "R2" for one in card.performance)
    return {
        "approach": {"type": "supervised"},
        "task": "regression" if is_regression else "classification",
        "architectureFamily": estimator.class_path.rpartition(".")[2],
        "modelArchitecture": estimator.name,
        "datasets": [
            {
                "type": "dataset",
                "name": store,
                "description": f"{data.month}: {data.rows_train:,} rows to train, {data.rows_test:,} others to test",
                "contents": {"properties": _properties(fingerprint=data.fingerprint)},
                "sensitiveData": [
                    f"{one.name}: {one.risk}" for one in card.columns if one.dataset == store and one.flags
                ],
                "governance": {"owners": [{"organization": {"name": owner}} for owner in _owners(card, store)]},
            }
            for store in data.stores
        ],
        "inputs": [{"format": f"{one.name}: {one.type}"} for one in features],
        "outputs": [{"format": f"{one.name}: {one.type}"} for one in labels],
    }


def _owners(card: ModelCard, store: str) -> Iterable[str]:
    return dict.fromkeys(one.owner for one in card.columns if one.dataset == store)


def _list_metrics(card: ModelCard) -> Iterator[Json]:
    """Yield performance by split, then each group's figures and how far groups lie apart, each with its interval."""
    for figure in card.performance:
        yield from _metric(f"{figure.name} ({figure.unit})" if figure.unit else figure.name, figure.split, figure)
    if card.fairness is None:
        return
    for table in card.fairness.assessment.tables:
        for one in table.figures:
            yield from _metric(one.rate, f"test, {table.column}: {one.group}", one)
    for gap in card.fairness.assessment.disparities:
        yield from _metric(f"{describe_metric(gap.metric).title}, {name_kind(gap.kind)}", f"test, by {gap.column}", gap)


def _metric(name: str, part: str, figure: Estimate) -> Iterator[Json]:
    if figure.value is None:
        return
    ends = {"lowerBound": figure.lower, "upperBound": figure.upper}
    interval = {end: repr(value) for end, value in ends.items() if value is not None}
    yield {"type": name, "value": repr(figure.value), "slice": part} | (
        {"confidenceInterval": interval} if interval else {}
    )


def _levels(figures: Iterable[Estimate]) -> str:
    return ", ".join(sorted({format_share(one.level) for one in figures if one.level}))


def _describe_considerations(card: ModelCard) -> Json:
    mitigation = card.mitigation
    measured = [one for one in card.carbon if one.is_measured]
    return {
        "useCases": list(card.uses.intended),
        "technicalLimitations": list(card.limits),
        "performanceTradeoffs": [mitigation.reason] if mitigation else [],
        "ethicalConsiderations": [
            *({"name": f"Not to be used for: {text}"} for text in card.uses.out_of_scope),
            *(
                {"name": f"{one.name}: {one.risk}", "mitigationStrategy": _say_use(one)}
                for one in card.columns
                if one.flags
            ),
        ],
        "environmentalConsiderations": {
            "energyConsumptions": [_describe_energy(one) for one in measured],
            "properties": _properties(**{f"not_measured_{one.task}": one.reason for one in card.carbon if one.reason}),
        },
        "fairnessAssessments": list(_assess_groups(card)),
    }


def _say_use(column: GovernedColumn) -> str:
    why = column.justification
    reason = f"; justified by {why.by} until {why.until}: {why.reason}" if why else ""
    return f"use '{column.use}', in the model: {column.place}{reason}"


def _assess_groups(card: ModelCard) -> Iterator[Json]:
    """Yield one assessment for each judged disparity: the groups, what was found, and what was done about it."""
    if card.fairness is None:
        return
    chosen = card.mitigation.chosen if card.mitigation else ""
    done = f"chosen among the mitigations compared: {chosen}" if chosen else card.why_unmitigated
    for verdict in card.fairness.gate.verdicts:
        gap = verdict.disparity
        groups = ", ".join(dict.fromkeys(one.group for one in gap.groups))
        metric = f"{describe_metric(gap.metric).title} ({name_kind(gap.kind)})"
        yield {
            "groupAtRisk": f"{gap.column}: {groups}",
            "harms": f"{metric}, tolerated {verdict.tolerance}: {in_words(verdict.outcome)}; {verdict.reason}",
            "mitigationStrategy": done or "none",
        }


def _describe_energy(carbon: CarbonFigure) -> Json:
    # The standard asks who provided the energy and from which source; neither is known to a program.
    energy = {"value": carbon.energy_kwh, "unit": "kWh"}
    provider = {"organization": {"name": "unknown"}, "energySource": "unknown", "energyProvided": energy}
    emitted = (carbon.emissions_g or 0.0) / _GRAMS_PER_TONNE
    return {
        "activity": "training" if carbon.task == "training" else "other",
        "energyProviders": [provider],
        "activityEnergyCost": energy,
        "co2CostEquivalent": {"value": emitted, "unit": "tCO2eq"},
        "properties": _properties(
            task=carbon.task,
            method=carbon.method,
            scope=carbon.scope,
            country=carbon.country,
            seconds=carbon.duration_s,
        ),
    }


def _describe_library(requirement: str) -> Json:
    found = _REQUIREMENT.fullmatch(requirement.strip())
    if found is None:
        raise BomError(
            "A requirement of the version does not name one exact release.",
            where="requirements",
            example=requirement,
            remedy="write it as name==version",
        )
    name, version = re.sub(r"[-_.]+", "-", found["name"]).lower(), found["version"]
    purl = f"pkg:pypi/{name}@{version}"
    library = {"type": "library", "bom-ref": purl, "name": name, "version": version, "purl": purl}
    licence = _find_licence(name, version)
    return library | ({"licenses": [licence]} if licence else {})


def _find_licence(name: str, version: str) -> Json | None:
    """Return the licence that the installed package states; None where another release, or none, is installed."""
    try:
        found = metadata.metadata(name).json
    except metadata.PackageNotFoundError:
        return None
    if found["version"] != version:
        return None
    if expression := found.get("license_expression"):
        return {"expression": expression}
    classifiers = [one for one in found.get("classifier", ()) if one.startswith(_LICENCES)]
    stated = str(found.get("license", "")).strip()
    named = [one.removeprefix(f"{_LICENCES} :: ") for one in classifiers if one != _LICENCES]
    text = stated if 0 < len(stated) <= _LONGEST_LICENCE else named[0] if named else ""
    return {"license": {"name": text}} if text else None


def _properties(**values: object) -> list[dict[str, str]]:
    return [
        {"name": f"{_PREFIX}{name}", "value": str(value)} for name, value in values.items() if value not in (None, "")
    ]


def _require_valid(text: str) -> None:
    from cyclonedx.schema import SchemaVersion
    from cyclonedx.validation.json import JsonStrictValidator

    fault = JsonStrictValidator(SchemaVersion.V1_6).validate_str(text)
    if fault is not None:
        place = "/".join(map(str, getattr(fault.data, "absolute_path", ())))
        raise BomError(
            "The bill of materials breaks the official schema of CycloneDX.",
            where=place or None,
            example=str(getattr(fault.data, "message", fault))[:200],
            remedy="report this with the version's model card; nothing was written",
        )
