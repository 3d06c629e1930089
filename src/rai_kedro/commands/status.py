"""Where a use case stands."""

from __future__ import annotations

import json
from collections.abc import Collection, Sequence
from typing import Any

import click

from rai_kedro import contract, release
from rai_kedro.commands.project import choose_use_case, env_option, find_meant, open_catalog, use_case_option
from rai_kedro.commands.terminal import show
from rai_kedro.errors import RaiError
from rai_kedro.monitoring import MonthRecord
from rai_kedro.months import month_of_key, say_period
from rai_kedro.words import list_some, make_visible

# training.<split>.<metric>; its interval ends stand one level deeper.
_FIGURE_DEPTH = 2
_SHOWN = 6


@click.command()
@use_case_option
@env_option
@click.option("--json", "as_json", is_flag=True, help="Machine-readable output, of one use case.")
def status(use_case: str | None, env: str | None, as_json: bool) -> None:
    """Show where each use case stands: versions, approvals, latest figures, months and what they came to.

    Without --use-case: of each that is yours or has run.
    """
    if as_json:
        click.echo(json.dumps(_read_status(use_case or choose_use_case(env), env), indent=2))
        return
    known, meant = ([use_case], []) if use_case else find_meant(env)
    names, broken = meant or known or [choose_use_case(env)], list[str]()
    for number, name in enumerate(names):
        if number:
            click.echo()
        try:
            show("\n".join(_lines(_read_status(name, env))))
        except contract.ContractError as error:  # one use case that cannot be read must not hide the others
            if len(names) == 1:
                raise
            broken.append(name)
            show(f"use case {name}: {make_visible(error.what)}")
    if broken:
        remedy = f"ask by itself: kedro rai status --use-case {broken[0]}"
        raise RaiError(
            f"{len(broken)} of {len(names)} use cases cannot be read.", where=", ".join(broken), remedy=remedy
        )


def _read_status(use_case: str, env: str | None) -> dict[str, Any]:
    from mlflow import MlflowClient

    from rai_kedro.pipelines.monitoring.plan import find_missing

    with open_catalog(use_case, env) as catalog:
        client = MlflowClient()
        stores = [catalog.load(f"{use_case}.{name}") for name in ("feature_store", "label_store", "prediction_history")]
        months, scored = [month_of_key(key) for key in stores[0]], {month_of_key(key) for key in stores[2]}
        name = f"{use_case}.monitoring_timeline"
        timeline = catalog.load(name) if scored and catalog.exists(name) else {"months": [], "gaps": []}
        return {
            "use_case": use_case,
            "versions": [
                {**version, "gate_summary": release.read_gate(client, version["run_id"]).summary}
                for version in release.list_versions(client, use_case)
            ],
            "months": months,
            "pending_months": [month for month in months if month not in scored],
            "missing_months": sorted({*find_missing(*stores), *_never_came(timeline["gaps"], months)}),
            "monitoring": [read_month(month) for month in timeline["months"]],
            "gaps": timeline["gaps"],
        }


def _never_came(gaps: Sequence[dict[str, Any]], months: Collection[str]) -> list[str]:
    """Return the months that the last monitoring missed, by the calendar or in between, and that are not there yet."""
    return [gap["month"] for gap in gaps if not gap.get("broken", True) and gap["month"] not in months]


def _lines(status: dict[str, Any]) -> list[str]:
    lines = [f"use case {status['use_case']}", "", "versions, newest first:"]
    lines += [line for version in status["versions"] for line in _version_lines(version)] or ["  none; train one first"]
    pending = status["pending_months"]
    months = status["months"]
    period = months[0] if months else ""
    title = say_period("months", period)
    lines += ["", f"{title}: {len(months)} in the store, {len(pending)} not yet scored"]
    lines += [f"  pending: {', '.join(pending)}"] if pending else []
    missing = status["missing_months"]
    if missing:
        lines.append(f"  MISSING: {list_some(missing, _SHOWN)}; the others are monitored without")
    judged = [f"  {one['month']}  version {one['model_version']}  {one['summary']}" for one in status["monitoring"]]
    lines += ["", "monitoring:", *(judged or [say_period("  no month judged yet", period)])]
    passed_over = [gap for gap in status["gaps"] if gap["month"] not in missing]
    lines += [f"  {gap['month']}  {gap['missing'].upper()}: {gap['reason']}" for gap in passed_over]
    return lines


def _version_lines(version: dict[str, Any]) -> list[str]:
    review = version["review"] or "not reviewed"
    by = f" by {version['reviewer']} at {version['reviewed_at']}" if version["reviewer"] else ""
    aliases = f" [{', '.join(version['aliases'])}]" if version["aliases"] else ""
    shown = {name: value for name, value in version["metrics"].items() if name.startswith("training.test.")}
    figures = ", ".join(
        f"{n.removeprefix('training.test.')} {v:.4g}" for n, v in sorted(shown.items()) if n.count(".") == _FIGURE_DEPTH
    )
    lines = [
        f"  {version['version']}{aliases}  {review}{by}",
        *([f"      statement: {version['statement']}"] if version["statement"] else []),
        f"      {release.describe_gate(version['fairness_gate'], version['accepted_risk'])}",
        f"      judged: {version['gate_summary']}",
        *([f"      on test rows: {figures}"] if figures else []),
        *([f"      card: {version['card']}"] if version["card"] else []),
    ]
    return [make_visible(line) for line in lines]


def read_month(month: dict[str, Any]) -> dict[str, Any]:
    """Put what a month came to, in words, beside what is known of it."""
    return {**month, "summary": MonthRecord.from_dict(month).summary}
