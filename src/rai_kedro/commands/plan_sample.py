"""``kedro rai plan-sample``: how many rows of each group a verdict needs, before there is any data."""

from __future__ import annotations

import json
from typing import Any

import click

from rai_kedro.commands.terminal import show
from rai_kedro.fairness import SamplePlan, plan_sample
from rai_kedro.words import format_share


def _read_pairs(_context: click.Context, parameter: click.Parameter, given: tuple[str, ...]) -> dict[str, float]:
    """Read ``group=number`` as often as it is given."""
    found: dict[str, float] = {}
    for one in given:
        name, _, number = one.rpartition("=")
        try:
            value = float(number)
        except ValueError:
            name = ""
        if not name or name in found:
            raise click.BadParameter(f"{one!r}: write GROUP=NUMBER, each group once, for example women=0.3")
        found[name] = value
    return found


@click.command()
@click.option(
    "--rate",
    "rates",
    multiple=True,
    required=True,
    callback=_read_pairs,
    metavar="GROUP=RATE",
    help="Rate of a group that is assumed, for example women=0.3; once for each group.",
)
@click.option(
    "--share",
    "shares",
    multiple=True,
    callback=_read_pairs,
    metavar="GROUP=SHARE",
    help="Its share of the rows; equal if not given.",
)
@click.option("--limit", required=True, type=float, help="Largest difference, or smallest ratio, that is tolerated.")
@click.option(
    "--kind",
    type=click.Choice(["difference", "ratio"]),
    default="difference",
    show_default=True,
    help="What is limited: how far two groups lie apart, or the smaller figure as a share of the larger.",
)
@click.option(
    "--label-share",
    default=1.0,
    show_default=True,
    help="Share of rows behind the rate: for a true positive rate those with the favourable label.",
)
@click.option("--level", default=0.95, show_default=True, help="Confidence level of the interval.")
@click.option("--chance", default=0.8, show_default=True, help="Share of samples that reach the verdict.")
@click.option("--json", "as_json", is_flag=True, help="Machine-readable output.")
def command(as_json: bool, **asked: Any) -> None:
    """Say how many rows of each group a fairness verdict needs; the rates are assumed by you."""
    plan = plan_sample(**{**asked, "shares": asked["shares"] or None})
    if as_json:
        click.echo(json.dumps(plan.to_dict(), indent=2))
    else:
        show(_tell(plan))


def _tell(plan: SamplePlan) -> str:
    width = max(map(len, plan.behind))
    lines = [f"  {name:<{width}}  {rows:>9,}" for name, rows in plan.behind.items()]
    behind = sum(plan.behind.values())
    outside = f"; with the rows that are not behind the rate {plan.rows:,}" if plan.rows > behind else ""
    equal = plan.equal * len(plan.behind)
    return "\n".join(
        [
            f"Rates like these deserve a {plan.verdict}. It is reached in {format_share(plan.chance)} of samples with",
            *lines,
            f"  rows behind the rate, {behind:,} in all{outside}.",
            f"With equally many of each group: {plan.equal:,} each, {equal:,} in all.",
        ]
    )
