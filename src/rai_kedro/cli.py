"""Commands of the project: ``kedro run`` with one-screen errors, and ``kedro rai …``."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click
from kedro.framework.cli.project import run as kedro_run
from kedro.framework.cli.utils import CONTEXT_SETTINGS

from rai_kedro.commands import errors

use_case_option = click.option("--use-case", default="housing", show_default=True, help="Name of the use case.")
env_option = click.option("--env", "-e", default=None, help="Kedro environment (conf/<env>).")


def about_use_case(command: Callable[..., Any]) -> Callable[..., Any]:
    """Give a command the options that say which use case in which environment."""
    return use_case_option(env_option(command))


@click.group(context_settings=CONTEXT_SETTINGS, name=__name__)
def cli() -> None:
    """Commands of rai_kedro."""


def _with_short_errors(callback: Callable[..., Any]) -> Callable[..., Any]:
    def run_and_explain(*args: Any, **kwargs: Any) -> Any:
        try:
            return callback(*args, **kwargs)
        except Exception as error:
            explanation = errors.explain(error)
            if explanation is None:
                raise
            click.secho("\nThe run stopped.\n", fg="red", err=True)
            click.echo(explanation, err=True)
            sys.exit(1)

    return run_and_explain


# Kedro's own command with all its options; only what a known error looks like is ours.
cli.add_command(
    click.Command(
        name="run",
        params=kedro_run.params,
        callback=_with_short_errors(kedro_run.callback),  # type: ignore[arg-type]
        help=kedro_run.help,
        context_settings=CONTEXT_SETTINGS,
    )
)


@cli.group(context_settings=CONTEXT_SETTINGS)
def rai() -> None:
    """Review models, see where they stand, start months over."""


@rai.command()
@about_use_case
@click.option("--json", "as_json", is_flag=True, help="Machine-readable output.")
def status(use_case: str, env: str | None, as_json: bool) -> None:
    """Show versions, approvals, latest figures, pending months and the drift timeline."""
    from rai_kedro.commands.status import show_status

    _with_short_errors(show_status)(use_case, env, as_json=as_json)


def _review_options(command: Callable[..., Any]) -> Callable[..., Any]:
    for option in (
        click.option("--statement", required=True, help="Why, in one or more sentences; kept as evidence."),
        click.option("--reviewer", required=True, help="Name of the person who decides."),
        click.option("--version", required=True, help="Version number of the registered model."),
        about_use_case,
    ):
        command = option(command)
    return command


@rai.command()
@_review_options
@click.option(
    "--accept-risk",
    metavar="REASON",
    default=None,
    help="Why the version is approved though its fairness gate does not pass; kept as evidence.",
)
def approve(**options: Any) -> None:
    """Approve a version: only an approved version is used in production."""
    from rai_kedro.commands.review import decide

    _with_short_errors(decide)("approve", **options)


@rai.command()
@_review_options
def reject(**options: Any) -> None:
    """Reject a version for good."""
    from rai_kedro.commands.review import decide

    _with_short_errors(decide)("reject", **options)


@rai.command()
@about_use_case
def verify(use_case: str, env: str | None) -> None:
    """Check that the evidence record is whole and unchanged."""
    from rai_kedro.commands.review import verify_evidence

    _with_short_errors(verify_evidence)(use_case, env)


@rai.command()
@about_use_case
@click.confirmation_option("--yes", prompt="Remove all predictions and drift results of this use case?")
def reset(use_case: str, env: str | None) -> None:
    """Start the months over: removes predictions and drift results, keeps stores, models and evidence."""
    from rai_kedro.commands.reset import start_over

    _with_short_errors(start_over)(use_case, env)


@rai.command()
@about_use_case
@click.option("--month", required=True, help="The month, YYYY-MM.")
@click.option("--reason", default="", help="Why; kept as evidence.")
def rescore(use_case: str, env: str | None, month: str, reason: str) -> None:
    """Score a month again whose data changed, with the version in production, and record it."""
    from rai_kedro.commands.rescore import score_again

    _with_short_errors(score_again)(use_case, env, month, reason)


@rai.command()
@about_use_case
@click.option("--answers", type=click.Path(), default=None, help="File of answers instead of questions.")
@click.option("--yes", is_flag=True, help="Write without asking for confirmation.")
def questionnaire(use_case: str, env: str | None, answers: str | None, yes: bool) -> None:
    """Choose fairness metrics by answering questions."""
    from rai_kedro.commands.questionnaire import run_questionnaire

    _with_short_errors(run_questionnaire)(use_case, env, answers, yes=yes)


@rai.command()
@about_use_case
def gate(use_case: str, env: str | None) -> None:
    """Ask the fairness gate: exit 0 pass, 1 fail, 2 insufficient evidence, 3 could not be evaluated."""
    from rai_kedro.commands.status import ask_gate

    sys.exit(ask_gate(use_case, env))


@rai.command()
@about_use_case
def demo(use_case: str, env: str | None) -> None:
    """Run the whole lifecycle once, with a demo in the reviewer's place."""
    from rai_kedro.commands.review import run_lifecycle

    _with_short_errors(run_lifecycle)(use_case, env)


@rai.command("new-use-case")
@click.argument("name")
@click.option("--data", type=click.Path(path_type=Path), help="CSV or Parquet file.")
@click.option("--stores", help="In its place: folder of months, or dataset of the catalogue, filled by another system.")
@click.option("--target", required=True, help="Column to be predicted.")
@click.option("--task", required=True, type=click.Choice(["classification", "regression"]))
@click.option("--key", help="Column that identifies a row within a month; rows are numbered without it.")
@click.option("--time", help="Column that says when a row happened; without it the file is one month.")
@click.option("--time-format", help="How that column is written, as in strftime.")
@click.option("--time-zone", help="Where dates have different offsets: 'as written', or a zone such as Europe/Berlin.")
@click.option("--month", help="Month of the file if there is no time column, YYYY-MM; this month by default.")
@click.option("--favourable", help="Value of the target that is the favourable outcome.")
@click.option("--delimiter", help="Delimiter of a text file; found by default.")
@click.option("--encoding", help="Encoding of a text file; UTF-8 by default.")
@click.option("--decimal", type=click.Choice([".", ","]), help="Decimal mark of a text file; found by default.")
@click.option("--accept-draft", metavar="REVIEWER", help="Accept the draft unread, in this person's name.")
def new_use_case(**options: Any) -> None:
    """Draft a use case from a table of your own, or from stores that are there."""
    from rai_kedro.commands.new_use_case import run_new_use_case
    from rai_kedro.commands.use_case_choices import UseCaseRequest

    _with_short_errors(run_new_use_case)(UseCaseRequest(**options))


@rai.command("add-month")
@click.argument("name")
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--month", help="Month of these rows, YYYY-MM; by default what the time column says.")
@click.option("--replace", is_flag=True, help="Replace the month if it is there with other rows.")
@env_option
def add_month(name: str, file: Path, month: str | None, replace: bool, env: str | None) -> None:
    """Add one month to the stores of a use case with a file of its own."""
    from rai_kedro.commands.add_month import run_add_month

    _with_short_errors(run_add_month)(name, file, month, env, replace=replace)


@rai.command("accept-draft")
@click.option("--use-case", required=True, help="Name of the use case.")
@click.option("--reviewer", required=True, help="Name of the person who answers for it.")
def accept_draft(use_case: str, reviewer: str) -> None:
    """Accept what is left of a drafted contract as proposed."""
    from rai_kedro.commands.accept_draft import run_accept_draft

    _with_short_errors(run_accept_draft)(use_case, reviewer)
