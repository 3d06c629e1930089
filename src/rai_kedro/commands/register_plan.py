"""``kedro rai register-plan``: say what will be measured, by which limits and on which rows, before the first fit."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import click

from rai_kedro import release
from rai_kedro.commands.project import about_use_case, evidence_path, lock_path, open_catalog, require_use_case
from rai_kedro.commands.terminal import show
from rai_kedro.files import locked


@click.command()
@about_use_case
@click.option(
    "--looks", default=1, show_default=True, type=click.IntRange(1, 100), help="Trainings planned on the rows."
)
def register_plan(use_case: str, env: str | None, looks: int) -> None:
    """Put metrics, limits, rows and methods on record; every training on these rows is counted from then on."""
    require_use_case(use_case)
    plan = _state_plan(use_case, env).model_copy(update={"looks": looks})
    with open_catalog(use_case, env) as catalog, locked(lock_path(catalog, use_case)):
        path, now = evidence_path(catalog, use_case), datetime.now(UTC).isoformat(timespec="seconds")
        before = sum(entry.kind == release.TRAINED for entry in release.read_evidence(path))
        body = {"plan": plan.to_dict(), "trained_before": before, "registered_at": now}
        entry = release.append_evidence(path, release.PLAN, body, now)
    late = f"; {before} trainings were before it, which the card says" if before else ""
    show(
        f"Plan of {use_case} registered in line {entry.sequence} of the record{late}.\n"
        f"  measured:  {', '.join(plan.metrics)}\n"
        f"  held out:  {plan.split['rows']:,} rows, digest {plan.split['held_out'][:12]}\n"
        f"  looks:     {looks}; the chance of error of fairness is shared by so many\n"
        f"next: kedro run --pipelines {use_case}"
    )


def _state_plan(use_case: str, env: str | None) -> Any:
    """Run the training stage as far as the split; nothing is fitted."""
    from kedro.framework.session.session import KedroSession

    name = f"{use_case}.plan"
    session = KedroSession.create(env=env)
    with session:
        outputs = session.run(pipeline_names=[f"{use_case}.training"], to_outputs=[name])
    return outputs[name].load()
