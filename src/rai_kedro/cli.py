"""Commands of the project: ``kedro run`` with one-screen errors, and ``kedro rai …``."""

from __future__ import annotations

import sys
from typing import Any

import click
from kedro.framework.cli.project import run as kedro_run
from kedro.framework.cli.utils import CONTEXT_SETTINGS, LazyGroup

from rai_kedro.commands import errors


class _Run(click.Command):
    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except Exception as error:
            explanation = errors.explain(error)
            if explanation is None:
                raise
            click.secho("\nThe run stopped.\n", fg="red", err=True)
            click.echo(explanation, err=True)
            sys.exit(1)


class _Rai(_Run, LazyGroup):
    pass


@click.group(context_settings=CONTEXT_SETTINGS, name=__name__)
def cli() -> None:
    """Commands of rai_kedro."""


# Kedro's own command with all its options; only what a known error looks like is ours.
cli.add_command(
    _Run(
        name="run",
        params=kedro_run.params,
        callback=kedro_run.callback,
        help=kedro_run.help,
        context_settings=CONTEXT_SETTINGS,
    )
)
# Where each is; a module is imported when its command is typed.
_COMMANDS = {
    "accept-draft": "accept_draft.command",
    "add-month": "add_month.command",
    "anchor": "evidence.anchor",
    "approve": "review.approve",
    "demo": "review.demo",
    "compare": "compare.command",
    "explain": "explain.command",
    "export": "export.export",
    "gate": "gate.gate",
    "init": "init.command",
    "keys": "keys.keys",
    "new-use-case": "new_use_case.command",
    "plan-sample": "plan_sample.command",
    "questionnaire": "questionnaire.command",
    "register-plan": "register_plan.register_plan",
    "reject": "review.reject",
    "rescore": "rescore.rescore",
    "replay": "replay.command",
    "reset": "rescore.reset",
    "rollback": "review.rollback",
    "status": "status.status",
    "verify": "evidence.verify",
}
cli.add_command(
    _Rai(
        name="rai",
        lazy_subcommands={name: f"rai_kedro.commands.{place}" for name, place in _COMMANDS.items()},
        help="Review models, see where they stand, start months over.",
        context_settings=CONTEXT_SETTINGS,
    )
)
