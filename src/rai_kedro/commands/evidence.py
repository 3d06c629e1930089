"""``kedro rai verify`` and ``anchor``: the evidence record against all it speaks of, and its head kept elsewhere."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from functools import cache, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from rai_kedro import contract, release
from rai_kedro.commands.project import (
    enter_act_in,
    env_option,
    evidence_path,
    open_catalog,
    path_of,
    reports_folder,
    require_readable,
    trust_of,
)
from rai_kedro.commands.terminal import show
from rai_kedro.errors import RaiError
from rai_kedro.files import project_folder
from rai_kedro.hooks.review_page import note_verification, try_to_write_review
from rai_kedro.words import count_of

if TYPE_CHECKING:
    import pandas as pd
    from kedro.io import DataCatalog

_RESULTS = ("prediction_store", "drift_store", "outcome_store")
AUTHORITIES = "conf/base/timestamp_authorities.pem"


@click.command()
@click.option("--use-case", default=None, help="By default every one that has a record, versions or predictions.")
@env_option
@click.option("--anchor", "anchors", type=click.Path(path_type=Path), multiple=True, help="Where the head was kept.")
@click.option(
    "--recompute",
    "most_rows",
    type=click.IntRange(0),
    default=1_000_000,
    show_default=True,
    help="Make so many rows of predictions once more, newest month first.",
)
@click.option("--json", "as_json", is_flag=True, help="Machine-readable output.")
def verify(use_case: str | None, env: str | None, anchors: tuple[Path, ...], most_rows: int, as_json: bool) -> None:
    """Check record, signatures, versions, months and anchors; exit 1 if anything does not hold."""
    with open_catalog(use_case, env) as catalog:
        names = [use_case] if use_case else _find_checkable(catalog)
        found = {name: _verify(catalog, name, env, anchors, most_rows) for name in names}
        if names:
            try_to_write_review(catalog, reports_folder(catalog, names[0]))
    findings = [(name, finding) for name, one in found.items() for finding in one.findings]
    if as_json:
        plain = {name: one.to_dict() for name, one in found.items()}
        click.echo(json.dumps({"sound": not findings, "use_cases": plain}, indent=2))
    else:
        show("\n".join(_describe(found)))
    if findings:
        raise RaiError(
            "The evidence record cannot be relied on.",
            where=", ".join(str(one.chain.path) for one in found.values() if one.findings),
            how_many=count_of(len(findings), "finding"),
            example=f"{findings[0][0]}: {findings[0][1]}",
            remedy=findings[0][1].advice,
        )


def _describe(found: Mapping[str, release.Verification]) -> list[str]:
    if not found:
        return ["There is nothing to check: no use case has a record, versions or predictions."]
    named = [f"Checked: {', '.join(found)}.", ""]
    return [*named, *(line for one in found.values() for line in [*one.describe(), ""])][:-1]


def _find_checkable(catalog: DataCatalog) -> list[str]:
    """Return every use case that has something to answer for, also of one that is not configured any more."""
    from mlflow import MlflowClient

    known = contract.find_use_cases(project_folder() / "conf" / "base")
    records = {path.stem for path in evidence_path(catalog, known[0]).parent.glob("*.jsonl")} if known else set()
    client, found = MlflowClient(), set(records)
    for name in known:
        predictions: Any = catalog[f"{name}.prediction_store"]
        if name not in found and (predictions.keys() or release.search_versions(client, name)):
            found.add(name)
    return sorted(found)


def _verify(
    catalog: DataCatalog, use_case: str, env: str | None, anchors: Sequence[Path], most_rows: int
) -> release.Verification:
    from mlflow import MlflowClient

    project, path = project_folder(), evidence_path(catalog, use_case)
    places = release.Places(path, use_case, project, project / AUTHORITIES, tuple(anchors))
    stores: release.MonthStores | None = None
    trouble: list[release.Finding] = []
    if use_case in contract.find_use_cases(project / "conf" / "base"):
        stores, trouble = _open_stores(catalog, use_case, env, most_rows)
    trust = trust_of(catalog, use_case)
    found = release.verify(
        path,
        use_case=use_case,
        trust=trust,
        client=MlflowClient(),
        stores=stores,
        places=places,
        cards=path_of(catalog, f"{use_case}.model_card"),
    )
    found = found.model_copy(update={"findings": (*found.findings, *trouble)})
    note_verification(path, found)
    return found


def _open_stores(
    catalog: DataCatalog, use_case: str, env: str | None, most_rows: int
) -> tuple[release.MonthStores | None, list[release.Finding]]:
    """Open what the months are compared with, and say what could not be opened."""
    from rai_kedro.pipelines.monitoring.nodes import predict_month
    from rai_kedro.pipelines.monitoring.plan import MonthReader

    try:
        require_readable(use_case, env)
        inputs = [catalog.load(f"{use_case}.{name}") for name in ("feature_store", "label_store", "contract")]
        predictions, drift, outcomes = (catalog.load(f"{use_case}.{name}") for name in _RESULTS)
    except RaiError as error:
        what = f"the months could not be compared: {error.what}"
        return None, [release.Finding(what=what, where=error.where or use_case, advice=error.remedy)]
    reader, load = MonthReader(*inputs), _load_once(catalog, use_case)

    def score(month: release.MonthEntry) -> pd.DataFrame:
        return predict_month(reader, month.month, load(month.model_version), inputs[-1])

    key = inputs[-1].datasets["feature_store"].key
    kept = catalog.load(f"{use_case}.measured_labels")
    looks = (reader.digests, score, most_rows, key, kept, reader.read_labels)
    return release.MonthStores(predictions, drift, outcomes, *looks), []


def _load_once(catalog: DataCatalog, use_case: str) -> Callable[[str], release.ShadowModel]:
    """Return what loads a version by its number, checked against its manifest, each once."""
    from mlflow import MlflowClient

    client, record, trust = MlflowClient(), evidence_path(catalog, use_case), trust_of(catalog, use_case)
    return cache(lambda version: release.load_shadow(client, use_case, version, record, trust))


@click.command()
@click.option("--use-case", required=True, help="Name of the use case.")
@env_option
@click.option("--file", type=click.Path(path_type=Path), default=None, help="Append it to this file, kept elsewhere.")
@click.option("--git-tag", is_flag=True, help="Make an annotated Git tag; push it.")
@click.option("--rfc3161", "url", metavar="URL", default=None, help="Have a time stamp authority sign it.")
@click.option("--reason", default="", help="Why; kept as evidence.")
def anchor(use_case: str, env: str | None, file: Path | None, git_tag: bool, url: str | None, reason: str) -> None:
    """Keep the head of the evidence record outside it; a cut or rewritten record is then noticed."""
    with open_catalog(use_case, env) as catalog:
        record, project = evidence_path(catalog, use_case), project_folder()
        ways: list[Callable[[release.Anchor], dict[str, str]]] = []
        if file is not None:
            ways.append(partial(release.keep_in_file, path=file.resolve()))
        if git_tag:
            ways.append(partial(release.keep_as_tag, project=project))
        if url is not None:
            ways.append(partial(release.keep_as_time_stamp, url=url, record=record, authorities=project / AUTHORITIES))
        if not ways:
            raise RaiError("It has to be said where.", remedy="give --file PATH, --git-tag or --rfc3161 URL")
        for keep in ways:
            head = _read_head(record, use_case)
            place = keep(head)
            enter_act_in(record, use_case, "anchor", reason, sequence=head.sequence, head=head.head, **place)
            show(f"Line {head.sequence} of {record.name} is anchored: {' '.join(place.values())}")


def _read_head(record: Path, use_case: str) -> release.Anchor:
    entries = release.read_evidence(record)
    if not entries:
        raise RaiError("There is nothing to anchor: the record is empty.", where=str(record), remedy="train a model")
    now = datetime.now(UTC).isoformat(timespec="seconds")
    return release.Anchor(use_case=use_case, sequence=len(entries), head=entries[-1].hash, anchored_at=now)
