"""Commands of the project: ``kedro run`` with one-screen errors, and ``kedro rai …``."""

from __future__ import annotations

import re
import sys
from typing import Any

import click
from kedro.framework.cli.project import run as kedro_run
from kedro.framework.cli.utils import CONTEXT_SETTINGS, LazyGroup

from rai_kedro.commands import errors
from rai_kedro.commands.terminal import show


class _Run(click.Command):
    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except Exception as error:
            explanation = errors.explain(error)
            if explanation is None:
                raise
            show(f"\nThe run stopped.\n\n{explanation}", err=True)
            sys.exit(1)


class _Rai(_Run, LazyGroup):
    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """List the commands by who needs them, each with what it does up to where its help goes into detail."""
        width = max(map(len, self.lazy_subcommands))
        for persona, commands in COMMANDS.items():
            with formatter.section(persona):
                formatter.write_dl([(name.ljust(width), self._summarise(ctx, name)) for name in commands])

    def _summarise(self, ctx: click.Context, name: str) -> str:
        command = self.get_command(ctx, name)
        first = " ".join((command.help or "").partition("\n\n")[0].split()) if command else ""
        return re.split(r"[:;] |\.$", first)[0]


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
# Who needs it and where it is; a module is imported when its command is typed.
COMMANDS = {
    "Everybody": {
        "status": "status.status",
        "demo": "review.demo",
    },
    "Data scientist": {
        "init": "init.command",
        "new-use-case": "new_use_case.command",
        "plan-sample": "plan_sample.command",
        "register-plan": "register_plan.register_plan",
        "explain": "explain.command",
        "compare": "compare.command",
    },
    "Governance officer, reviewer": {
        "accept-draft": "accept_draft.command",
        "questionnaire": "questionnaire.command",
        "keys": "keys.keys",
        "approve": "review.approve",
        "reject": "review.reject",
        "rollback": "review.rollback",
    },
    "ML engineer": {
        "check-data": "check_data.command",
        "add-month": "add_month.command",
        "gate": "gate.gate",
        "rescore": "rescore.rescore",
        "reset": "rescore.reset",
    },
    "Auditor": {
        "verify": "evidence.verify",
        "anchor": "evidence.anchor",
        "export": "export.export",
        "replay": "replay.command",
    },
}
cli.add_command(
    _Rai(
        name="rai",
        lazy_subcommands={
            name: f"rai_kedro.commands.{place}" for group in COMMANDS.values() for name, place in group.items()
        },
        help="Responsible-AI control from the first table to the audit. COMMAND --help says more of each.",
        context_settings=CONTEXT_SETTINGS,
    )
)
