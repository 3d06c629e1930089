"""Accepting a drafted contract: columns that are as drafted take their proposal, and no other character changes."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path

import click
import yaml

from rai_kedro.commands.draft_files import flow, scalar
from rai_kedro.commands.project import enter_act_in, env_option, find_evidence
from rai_kedro.contract import NO_OWNER, Column, Contract, read_contract, read_proposal
from rai_kedro.errors import RaiError
from rai_kedro.files import move_into_place, project_folder, staging_folder, write_text

Pairs = list[tuple[yaml.ScalarNode, yaml.Node]]


class DraftError(RaiError):
    """A draft cannot be accepted."""


@dataclass(frozen=True)
class Decision:
    """What now holds of one column: its use and flags, and whether a person wrote them or the draft."""

    column: str
    use: str
    flags: tuple[str, ...]
    by_hand: bool
    is_label: bool

    def __str__(self) -> str:
        """Return use and flags as a few words."""
        flags = ", ".join(flag.removeprefix("is_") for flag in self.flags)
        return f"{'label' if self.is_label else self.use}{f' ({flags})' if flags else ''}"


@dataclass(frozen=True)
class Acceptance:
    """What was accepted: by whom, on which day, and what holds of every column of the contract."""

    reviewer: str
    on: date
    decisions: tuple[Decision, ...]


def accept_draft(use_case: str, reviewer: str, *, project: Path | None = None, today: date | None = None) -> Acceptance:
    """Accept every proposal that is left in a drafted contract, in the name of a person who becomes its owner."""
    path = (project or project_folder()) / "conf" / "base" / use_case / "catalog.yml"
    return accept_file(path, reviewer, today or datetime.now(UTC).date())


@click.command()
@click.option("--use-case", required=True, help="Name of the use case.")
@click.option("--reviewer", required=True, help="Name of the person who answers for it.")
@env_option
def command(use_case: str, reviewer: str, env: str | None) -> None:
    """Accept what is left of a drafted contract as proposed."""
    done = accept_draft(use_case, reviewer)
    enter_acceptance(use_case, done, env)
    click.echo(f"Contract of '{use_case}' accepted by {done.reviewer} on {done.on}.")
    for title, by_hand in (("taken as drafted", False), ("decided by hand", True)):
        kinds: dict[str, list[str]] = {}
        for one in (one for one in done.decisions if one.by_hand == by_hand):
            kinds.setdefault(str(one), []).append(one.column)
        click.echo(f"{title}:{'' if kinds else ' none'}")
        for kind, names in kinds.items():
            click.echo(f"  {kind + ':':<34} {', '.join(names)}")
    click.echo(f"next: kedro run --pipelines {use_case}")


def enter_acceptance(use_case: str, done: Acceptance, env: str | None) -> None:
    """Enter in the evidence record who accepted a draft, and what now holds of each column."""
    project = project_folder()
    contract = project / "conf" / "base" / use_case / "catalog.yml"
    decided = {one.column: {"decided": str(one), "by_hand": one.by_hand} for one in done.decisions}
    digest = hashlib.sha256(contract.read_bytes()).hexdigest()
    record = find_evidence(project, use_case, env)
    enter_act_in(record, use_case, "draft", "", reviewer=done.reviewer, contract=digest, columns=decided)


def accept_file(path: Path, reviewer: str, today: date) -> Acceptance:
    """Take the proposals in the file of a drafted contract, and return what that decides."""
    reviewer = " ".join(reviewer.split())
    where = f"conf/base/{path.parent.name}/catalog.yml"
    if not reviewer:
        raise DraftError("A draft is accepted by a person.", where=where, remedy="give the name with --reviewer")
    before = read_contract(path, as_of=date.min) if path.is_file() else None
    drafted = [one for store in before.datasets.values() for one in store.columns.values()] if before else []
    if before is None or not any(read_proposal(one.risk) for one in drafted):
        raise DraftError(
            "There is nothing to accept: no column is undecided." if before else "There is no such contract.",
            where=where,
            remedy="name a use case whose contract is a draft: kedro rai accept-draft --use-case NAME --reviewer NAME",
        )
    # Line ends stay as they are.
    text = path.read_bytes().decode("utf-8")
    for start, end, new in sorted(_find_changes(text, before, reviewer), reverse=True):
        text = text[:start] + new + text[end:]
    note = f"# Draft accepted by {reviewer} on {today}: proposals that were left then are decided as written here.\n"
    with staging_folder(path.parent.parent, path.parent.name) as folder:
        staged = folder / path.parent.name / path.name
        write_text(staged, note + text)
        decisions = tuple(_decide(before, read_contract(staged, as_of=date.min)))
        move_into_place(staged, path)
    return Acceptance(reviewer, today, decisions)


def _decide(before: Contract, after: Contract) -> Iterator[Decision]:
    for short, store in after.datasets.items():
        for name, column in store.columns.items():
            drafted = before.datasets[short].columns[name]
            proposal = read_proposal(drafted.risk)
            as_drafted = proposal is not None and "risky" in drafted.flags and drafted.use in proposal.drafted_uses
            yield Decision(name, column.use, column.flags, not as_drafted, short == "label_store")


def _find_changes(text: str, contract: Contract, reviewer: str) -> Iterator[tuple[int, int, str]]:
    """Yield start, end and new text of each place in the file that accepting changes."""
    for name, entry in _pairs(yaml.compose(text, Loader=yaml.SafeLoader)):
        store = contract.datasets.get(name.value.removeprefix(f"{contract.use_case}."))
        rai = _get(_get(entry, "metadata"), "rai")
        if store is None or rai is None:
            continue
        owner = _get(rai, "owner")
        if owner is not None and store.owner == NO_OWNER:
            yield owner.start_mark.index, owner.end_mark.index, scalar(reviewer)
        for key, node in _pairs(_get(rai, "columns")):
            yield from _change_column(_pairs(node), store.columns[key.value])


def _change_column(pairs: Pairs, column: Column) -> Iterator[tuple[int, int, str]]:
    proposal = read_proposal(column.risk)
    if proposal is None:
        return
    nodes = {key.value: (key, value) for key, value in pairs}
    if column.use in proposal.drafted_uses:
        yield _replace(nodes["use"][1], proposal.use)
    if proposal.use != "model":
        yield _replace(nodes["risk"][1], scalar(proposal.reason))
        return
    if "risky" in column.flags:
        yield _replace(nodes["flags"][1], flow([flag for flag in column.flags if flag != "risky"]))
    # Nothing is left to say of the risk: the key goes, with what separates it from its neighbour.
    at = [key.value for key, _ in pairs].index("risk")
    if at + 1 < len(pairs):
        yield pairs[at][0].start_mark.index, pairs[at + 1][0].start_mark.index, ""
    else:
        yield pairs[at - 1][1].end_mark.index, pairs[at][1].end_mark.index, ""


def _replace(node: yaml.Node, new: str) -> tuple[int, int, str]:
    return node.start_mark.index, node.end_mark.index, new


def _pairs(node: yaml.Node | None) -> Pairs:
    return node.value if isinstance(node, yaml.MappingNode) else []


def _get(node: yaml.Node | None, key: str) -> yaml.Node | None:
    return next((value for name, value in _pairs(node) if name.value == key), None)
