"""Accepting a drafted contract: a line that is as drafted takes its proposal, and no other character changes."""

from __future__ import annotations

import os
import re
import tempfile
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path

import click
import yaml

from rai_kedro.commands.draft_files import NO_OWNER, PROPOSED, REVIEWER, scalar
from rai_kedro.contract.columns import Contract
from rai_kedro.contract.drafting import UNDECIDED, undecided_columns
from rai_kedro.contract.reading import read_contract
from rai_kedro.errors import RaiError

_LINE = re.compile(
    rf"^(?P<start> *)(?P<key>is_risky|risk|use|owner): (?P<old>.*?)\s+{re.escape(PROPOSED)}(?P<new>.*?)(?P<end>\r?\n?)$"
)


_USES = ("model", "audit", "forbidden")


class DraftError(RaiError):
    """A draft cannot be accepted."""


@dataclass(frozen=True)
class Acceptance:
    """What was accepted.

    Attributes:
        use_case: Name of the use case.
        reviewer: Who accepted.
        on: Day.
        model: Features that were undecided and now may reach the estimator.
        audit: Features that were undecided and now are for the fairness assessment only.
        forbidden: Features that were undecided and that now nobody may read.
        labels: Labels that were undecided and now may be learned.
    """

    use_case: str
    reviewer: str
    on: date
    model: tuple[str, ...]
    audit: tuple[str, ...]
    forbidden: tuple[str, ...]
    labels: tuple[str, ...]


def accept_draft(use_case: str, reviewer: str, *, project: Path | None = None, today: date | None = None) -> Acceptance:
    """Accept every proposal that is left in a drafted contract, in the name of a person.

    Args:
        use_case: Name of the use case.
        reviewer: Who answers for it; becomes the owner where nobody is named.
        project: Root of the project; the working directory by default.
        today: Day of the decision; today (UTC) by default.

    Returns:
        What was accepted.

    Raises:
        DraftError: The name is empty, there is no such use case, or nothing is left to accept.
        ContractError: The file is not a valid contract, before or after.
    """
    from rai_kedro.files import project_folder, write_text

    path = (project or project_folder()) / "conf" / "base" / use_case / "catalog.yml"
    today = today or datetime.now(UTC).date()
    text = path.read_bytes().decode("utf-8") if path.is_file() else ""
    after, acceptance = accept_text(text, use_case, reviewer, today)
    write_text(path, after)
    return acceptance


def run_accept_draft(use_case: str, reviewer: str) -> None:
    """Accept a draft and say what that means; the body of ``kedro rai accept-draft``."""
    done = accept_draft(use_case, reviewer)
    click.echo(f"Contract of '{use_case}' accepted by {done.reviewer} on {done.on}.")
    for use in (*_USES, "labels"):
        names = getattr(done, use)
        click.echo(f"  {use + ':':<11}{', '.join(names) or 'none'}")
    click.echo(f"next: kedro run --pipelines {use_case}")


def accept_text(text: str, use_case: str, reviewer: str, today: date) -> tuple[str, Acceptance]:
    """Return the text of a contract with its proposals taken, and what that decides.

    Raises:
        DraftError: See :func:`accept_draft`.
    """
    reviewer = " ".join(reviewer.split())
    where = f"conf/base/{use_case}/catalog.yml"
    if not reviewer:
        raise DraftError("A draft is accepted by a person.", where=where, remedy="give the name with --reviewer")
    if PROPOSED not in text:
        raise DraftError(
            "There is nothing to accept: no line carries a proposal." if text else "There is no such contract.",
            where=where,
            remedy="name a use case whose contract is a draft: kedro rai accept-draft --use-case NAME --reviewer NAME",
        )
    before = undecided_columns(_read(text, use_case))
    lines = [_take(line, reviewer) for line in text.splitlines(keepends=True)]
    note = f"# Draft accepted by {reviewer} on {today}: proposals that were left then are decided as written here.\n"
    after = note + "".join(lines)
    contract = _read(after, use_case)
    features, labels = contract.datasets["feature_store"], contract.datasets["label_store"]
    opened = before.get(features.dataset, ())
    decided = {use: tuple(n for n in opened if features.columns[n].use == use) for use in _USES}
    return after, Acceptance(use_case, reviewer, today, **decided, labels=before.get(labels.dataset, ()))


def _take(line: str, reviewer: str) -> str:
    found = _LINE.match(line)
    if not found:
        return line
    key, old, new = found["key"], found["old"], found["new"].strip()
    if not _is_as_drafted(key, yaml.safe_load(old), new):
        # Somebody wrote another word and left the note: the word counts.
        new = old
    elif key == "risk" and new == "none":
        return ""
    elif key == "risk":
        new = scalar(str(yaml.safe_load(old)).removeprefix(f"{UNDECIDED}: "))
    elif key == "owner":
        new = scalar(reviewer)
    return f"{found['start']}{key}: {new}{found['end']}"


def _is_as_drafted(key: str, value: object, proposed: str) -> bool:
    drafted = {
        "is_risky": value is True,
        "risk": str(value).startswith(UNDECIDED),
        "use": value in ({"forbidden", "model"} if proposed == "model" else {proposed}),
        "owner": value == NO_OWNER and proposed == REVIEWER,
    }
    return drafted[key]


def _read(text: str, use_case: str) -> Contract:
    """Read the text as a contract, which is a file's in a folder of the use case's name."""
    with tempfile.TemporaryDirectory(prefix="rai-draft-") as folder:
        path = Path(folder, use_case, "catalog.yml")
        os.makedirs(path.parent)
        path.write_text(text, encoding="utf-8")
        return read_contract(path, as_of=date.min)
