"""``kedro rai compare``: two versions side by side on the same labelled months, in shadow."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import TYPE_CHECKING

import click

from rai_kedro import monitoring, release
from rai_kedro.commands.project import about_use_case, evidence_path, open_catalog, path_of, trust_of
from rai_kedro.commands.terminal import show
from rai_kedro.errors import RaiError
from rai_kedro.files import write_text
from rai_kedro.months import PERIOD_FORMS, is_month
from rai_kedro.words import begin_sentence, format_gain, format_interval, format_number, in_words, make_visible

if TYPE_CHECKING:
    from kedro.io import DataCatalog

    from rai_kedro.fairness import Verdict


@click.command()
@click.argument("old")
@click.argument("new")
@about_use_case
@click.option(
    "--months", default=None, metavar="FIRST:LAST", help="Only these months, 2024-02:2024-05 or 2024-W05:2024-W18."
)
@click.option("--json", "as_json", is_flag=True, help="Machine-readable output.")
def command(old: str, new: str, use_case: str, env: str | None, months: str | None, as_json: bool) -> None:
    """Compare version NEW with version OLD on labelled months; champion and challenger are versions, too.

    Both score the same rows, and none of it is stored as a prediction. A version that nobody approved, or that was
    rejected, can be compared, and is said to be so; months that either was trained on are left out.
    """
    from rai_kedro.hooks.report_index import write_index
    from rai_kedro.report import render_comparison_page

    with open_catalog(use_case, env) as catalog:
        found = _compare(catalog, use_case, (old, new), months)
        place = path_of(catalog, f"{use_case}.monitoring_timeline")
    text = json.dumps(found.to_dict(), indent=2)
    path = place.with_name(f"comparison_{found.old.version}_{found.new.version}.json")
    write_text(path, text + "\n")
    page = path.with_suffix(".html")
    write_text(page, render_comparison_page(found))
    write_index(page.parent.parent)
    lines = [*describe(found), "", f"kept in {path}; to be looked at in {page}"]
    if as_json:
        click.echo(text)
    else:
        show("\n".join(map(make_visible, lines)))


def _compare(
    catalog: DataCatalog, use_case: str, named: tuple[str, str], months: str | None
) -> monitoring.VersionComparison:
    from mlflow import MlflowClient

    from rai_kedro.pipelines.monitoring.plan import MonthReader
    from rai_kedro.pipelines.monitoring.shadow import score_in_shadow

    client, record, trust = MlflowClient(), evidence_path(catalog, use_case), trust_of(catalog, use_case)
    old, new = (release.load_shadow(client, use_case, one, record, trust) for one in named)
    if old.version == new.version:
        raise RaiError(
            f"'{named[0]}' and '{named[1]}' are the same version, {old.version}.",
            where="kedro rai compare",
            remedy=f"name two versions; `kedro rai status --use-case {use_case}` shows them",
        )
    baseline = monitoring.Baseline.from_dict(dict(old.reference.baseline))
    contract = catalog.load(f"{use_case}.contract")
    features, labels = (catalog.load(f"{use_case}.{name}") for name in ("feature_store", "label_store"))
    reader = MonthReader(features, labels, contract)
    scored = score_in_shadow(_pick(reader.months, months), reader, contract, baseline.target, (old, new))
    policy = monitoring.MonitoringPolicy.from_dict(catalog.load(f"params:{use_case}.monitoring")["policy"])
    first, second = (
        monitoring.Contender(one.version, one.review, one.reference.trained_on, scored.answers[one.version])
        for one in (old, new)
    )
    return monitoring.compare_versions(
        scored.rows,
        first,
        second,
        baseline,
        use_case=use_case,
        metric=policy.performance.metric,
        key=contract.datasets["feature_store"].key,
        left_out=scored.left_out,
    )


def _pick(known: Sequence[str], months: str | None) -> list[str]:
    """Return the months of a range, or all of them."""
    if months is None:
        return list(known)
    first, _, last = months.partition(":")
    if is_month(first) and is_month(last or first):
        return [month for month in known if first <= month <= (last or first)]
    raise RaiError(
        f"'{months}' is no range of months.",
        where="--months",
        remedy=f"write the first and the last one, with ':' between, or one alone: {PERIOD_FORMS}",
    )


def describe(found: monitoring.VersionComparison) -> list[str]:
    """Say in lines how the two versions compare."""
    versions = {one.version: one for one in (found.old, found.new)}
    lines = [f"{found.use_case}: version {found.new.version} compared with version {found.old.version}"]
    lines += [f"  version {version}: {one.review}" for version, one in versions.items()]
    lines += [f"  {found.rows:,} labelled rows of {', '.join(found.months)}; nothing is stored as a prediction"]
    lines += [f"  left out: {month}, {why}" for month, why in found.left_out.items()]
    heads = [f"version {version}" for version in versions]
    lines += ["", _row("performance", *heads, f"gain of version {found.new.version}")]
    gains = {one.name: format_gain(one) for one in found.gains if not one.month}
    for old, new in zip(found.old.performance, found.new.performance, strict=True):
        lines.append(_row(f"  {old.name}", format_interval(old), format_interval(new), gains.get(old.name, "")))
    lines += [_row(f"  {one.name} in {one.month}", "", "", format_gain(one)) for one in found.gains if one.month]
    lines += ["", _row("fairness", *heads)] if found.old.fairness else []
    for one, other in zip(found.old.fairness, found.new.fairness, strict=True):
        gap = one.disparity
        lines.append(f"  {in_words(gap.metric)} ({gap.kind}) of {gap.column}, limit {format_number(one.tolerance)}")
        lines.append(_row("", *(_judged(verdict) for verdict in (one, other))))
    verdict = begin_sentence(found.verdict)
    return [*lines, "", f"{verdict}.", found.assumption]


def _judged(verdict: Verdict) -> str:
    return f"{format_interval(verdict.disparity)} {in_words(verdict.outcome)}"


def _row(*cells: str) -> str:
    first, *others = cells
    return f"{first:<22}{''.join(f'{cell:<44}' for cell in others)}".rstrip()
