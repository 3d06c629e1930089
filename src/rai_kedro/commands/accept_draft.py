"""Accepting a drafted contract: columns that are as drafted take their proposal, and no other character changes."""

from __future__ import annotations

import hashlib
import sys
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path

import click
import yaml

from rai_kedro.commands.draft_files import flow, scalar
from rai_kedro.commands.project import enter_act_in, env_option, find_evidence
from rai_kedro.commands.terminal import show
from rai_kedro.contract import (
    GROUPS,
    NO_OWNER,
    UNWRITTEN,
    Column,
    Contract,
    DatasetContract,
    Proposal,
    read_contract,
    read_proposal,
)
from rai_kedro.errors import RaiError
from rai_kedro.files import move_into_place, project_folder, staging_folder, write_text
from rai_kedro.words import list_some

LABEL = "label"
_SHOWN = 10
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
    is_open: bool = False  # still undecided

    def __str__(self) -> str:
        """Return use and flags as a few words."""
        if self.is_open:
            return "undecided"
        flags = ", ".join(flag.removeprefix("is_") for flag in self.flags)
        return f"{'label' if self.is_label else self.use}{f' ({flags})' if flags else ''}"


@dataclass(frozen=True)
class Acceptance:
    """What was accepted: by whom, on which day, and what holds of every column of the contract.

    ``groups`` are those that were gone through; None where all was accepted at once.
    """

    reviewer: str
    on: date
    decisions: tuple[Decision, ...]
    groups: tuple[str, ...] | None = None


def accept_draft(
    use_case: str,
    reviewer: str,
    *,
    groups: Collection[str] | None = None,
    project: Path | None = None,
    today: date | None = None,
) -> Acceptance:
    """Accept the proposals that are left in a drafted contract, in the name of a person who becomes its owner.

    Those of all groups at once, which the contract and every card then say, or of the ``groups`` that were looked at.
    """
    path = (project or project_folder()) / "conf" / "base" / use_case / "catalog.yml"
    return accept_file(path, reviewer, today or datetime.now(UTC).date(), groups)


@click.command()
@click.option("--use-case", required=True, help="Name of the use case.")
@click.option("--reviewer", required=True, help="Name of the person who answers for it.")
@click.option("--group", "groups", multiple=True, type=click.Choice([*GROUPS, LABEL]), help="Accept this group only.")
@click.option("--all", "at_once", is_flag=True, help="Accept all groups unread, without being asked; cards say so.")
@env_option
def command(use_case: str, reviewer: str, groups: tuple[str, ...], at_once: bool, env: str | None) -> None:
    """Accept what is left of a drafted contract as proposed: group by group, or all at once."""
    chosen: Collection[str] | None = groups or None
    if chosen is None and not at_once and sys.stdin.isatty():
        chosen = _ask(project_folder() / "conf" / "base" / use_case / "catalog.yml")
    done = accept_draft(use_case, reviewer, groups=chosen)
    enter_acceptance(use_case, done, env)
    show("\n".join(describe(use_case, done)))


def describe(use_case: str, done: Acceptance) -> Iterator[str]:
    """Yield what now holds of every column, and every step to the first candidate, for the terminal."""
    open_ones = [one.column for one in done.decisions if one.is_open]
    part = "" if done.groups is None else f" ({', '.join(done.groups)})"
    yield f"Contract of '{use_case}' accepted by {done.reviewer} on {done.on}{part}."
    for title, by_hand in (("taken as drafted", False), ("decided by hand", True)):
        kinds: dict[str, list[str]] = {}
        for one in (one for one in done.decisions if one.by_hand == by_hand and not one.is_open):
            kinds.setdefault(str(one), []).append(one.column)
        yield f"{title}:{'' if kinds else ' none'}"
        yield from (f"  {kind + ':':<34} {', '.join(names)}" for kind, names in kinds.items())
    if open_ones:
        yield f"still undecided ({len(open_ones)} of {len(done.decisions)}), so no training starts:"
        yield f"  {', '.join(open_ones)}"
    if done.groups is None:
        yield "All at once, without going through the groups: the contract and every model card say so."
    yield "next:"
    yield from (f"  {number}. {step}" for number, step in enumerate(_list_steps(use_case, done, open_ones), start=1))


def _list_steps(use_case: str, done: Acceptance, open_ones: Sequence[str]) -> Iterator[str]:
    folder = project_folder() / "conf" / "base" / use_case
    if open_ones:
        yield f"decide the others in conf/base/{use_case}/catalog.yml, or accept their groups: kedro rai accept-draft"
    audited = [one.column for one in done.decisions if one.use == "audit" and not one.is_open]
    parameters = (yaml.safe_load((folder / "parameters.yml").read_text(encoding="utf-8")) or {}).get(use_case) or {}
    fairness = parameters.get("fairness") or {}
    grouped = {name for grouping in fairness.get("groupings") or () for name in grouping["columns"]}
    if wrong := sorted(grouped - {*audited} - {one.column for one in done.decisions if one.is_open}):
        yield f"parameters.yml, fairness.groupings: take out {list_some(wrong, _SHOWN)}, which nobody audits now"
    if more := [name for name in audited if name not in grouped]:
        yield f"parameters.yml, fairness.groupings: add {list_some(more, _SHOWN)}, if they are to be assessed"
    if audited and "questionnaire" not in fairness:
        yield f"kedro rai questionnaire --use-case {use_case}    (which fairness metrics, and why)"
    elif not audited:
        yield "name the columns to audit; until then the fairness gate stays closed"
    unwritten = (folder / "catalog.yml").read_text(encoding="utf-8").count(f'description: "{UNWRITTEN}')
    yield f"catalog.yml: {unwritten} descriptions to be written; parameters.yml: tolerances and statements"
    yield f"kedro run --pipelines {use_case}    (trains a candidate; its output says what a person needs to approve it)"


def _ask(path: Path) -> tuple[str, ...]:
    """Show each group of proposals that is left, and ask whether to take it; return those that are."""
    columns: dict[str, list[str]] = {}
    contract = read_contract(path, as_of=date.min) if path.is_file() else None
    for short, store in contract.datasets.items() if contract else ():
        for name, column in store.columns.items():
            if (proposal := read_proposal(column.risk)) is not None:
                columns.setdefault(_group(proposal, short), []).append(f"{name}: {proposal.use}; {proposal.reason}")
    chosen = []
    for group in (one for one in (*GROUPS, LABEL) if one in columns):
        click.echo(f"\n{group}: {GROUPS.get(group, 'what is learned')} ({len(columns[group])})")
        click.echo("\n".join(f"  {line}" for line in columns[group]))
        if click.confirm(f"Take {'this' if len(columns[group]) == 1 else f'these {len(columns[group])}'} as proposed?"):
            chosen.append(group)
    if columns and not chosen:
        raise DraftError(
            "Nothing was accepted, and nothing written.",
            where=f"conf/base/{path.parent.name}/catalog.yml",
            remedy="write there what you disagree with, and accept the rest",
        )
    return tuple(chosen)


def _group(proposal: Proposal, store: str) -> str:
    return LABEL if store == "label_store" else proposal.group


def enter_acceptance(use_case: str, done: Acceptance, env: str | None) -> None:
    """Enter in the evidence record who accepted a draft, how, and what now holds of each column."""
    project = project_folder()
    contract = project / "conf" / "base" / use_case / "catalog.yml"
    decided = {one.column: {"decided": str(one), "by_hand": one.by_hand} for one in done.decisions}
    digest = hashlib.sha256(contract.read_bytes()).hexdigest()
    record, groups = find_evidence(project, use_case, env), None if done.groups is None else list(done.groups)
    enter_act_in(record, use_case, "draft", "", reviewer=done.reviewer, contract=digest, groups=groups, columns=decided)


def accept_file(path: Path, reviewer: str, today: date, groups: Collection[str] | None = None) -> Acceptance:
    """Take the proposals in the file of a drafted contract, all or those of some groups; return what that decides."""
    reviewer = " ".join(reviewer.split())
    where = f"conf/base/{path.parent.name}/catalog.yml"
    if not reviewer:
        raise DraftError("A draft is accepted by a person.", where=where, remedy="give the name with --reviewer")
    before = read_contract(path, as_of=date.min) if path.is_file() else None
    left = {
        _group(proposal, short)
        for short, store in (before.datasets.items() if before else ())
        for one in store.columns.values()
        if (proposal := read_proposal(one.risk)) is not None
    }
    if before is None or not (left if groups is None else left & {*groups}):
        raise DraftError(
            f"There is nothing to accept: no column{' of ' + ', '.join(groups) if groups else ''} is undecided."
            if before
            else "There is no such contract.",
            where=where,
            example=f"undecided are columns of: {', '.join(sorted(left))}" if left else None,
            remedy="name a use case whose contract is a draft: kedro rai accept-draft --use-case NAME --reviewer NAME",
        )
    # Line ends stay as they are.
    text = path.read_bytes().decode("utf-8")
    for start, end, new in sorted(_find_changes(text, before, reviewer, today, groups), reverse=True):
        text = text[:start] + new + text[end:]
    part = "" if groups is None else f" ({', '.join(groups)})"
    note = (
        f"# Draft accepted by {reviewer} on {today}{part}: proposals that were left then are decided as written here.\n"
    )
    with staging_folder(path.parent.parent, path.parent.name) as folder:
        staged = folder / path.parent.name / path.name
        write_text(staged, note + text)
        decisions = tuple(_decide(before, read_contract(staged, as_of=date.min)))
        move_into_place(staged, path)
    return Acceptance(reviewer, today, decisions, None if groups is None else tuple(groups))


def _decide(before: Contract, after: Contract) -> Iterator[Decision]:
    for short, store in after.datasets.items():
        for name, column in store.columns.items():
            drafted = before.datasets[short].columns[name]
            proposal = read_proposal(drafted.risk)
            as_drafted = proposal is not None and "risky" in drafted.flags and drafted.use in proposal.drafted_uses
            is_open = read_proposal(column.risk) is not None
            yield Decision(name, column.use, column.flags, not as_drafted, short == "label_store", is_open)


def _find_changes(
    text: str, contract: Contract, reviewer: str, today: date, groups: Collection[str] | None
) -> Iterator[tuple[int, int, str]]:
    """Yield start, end and new text of each place in the file that accepting changes."""
    for name, entry in _pairs(yaml.compose(text, Loader=yaml.SafeLoader)):
        store = contract.datasets.get(name.value.removeprefix(f"{contract.use_case}."))
        rai = _get(_get(entry, "metadata"), "rai")
        if store is None or rai is None:
            continue
        owner = _get(rai, "owner")
        if owner is not None:
            owner_name = (
                scalar(reviewer) if store.owner == NO_OWNER else text[owner.start_mark.index : owner.end_mark.index]
            )
            more = "" if groups is not None else _say_unread(rai, store, reviewer, today)
            yield owner.start_mark.index, owner.end_mark.index, owner_name + more
        for key, node in _pairs(_get(rai, "columns")):
            column = store.columns[key.value]
            proposal = read_proposal(column.risk)
            if proposal and (groups is None or _group(proposal, store.dataset.rpartition(".")[2]) in groups):
                yield from _change_column(_pairs(node), column)


def _say_unread(rai: yaml.Node, store: DatasetContract, reviewer: str, today: date) -> str:
    """Return the key that says that all proposals of a store were taken at once; nothing where none was left."""
    taken = sum(read_proposal(one.risk) is not None for one in store.columns.values())
    if not taken or store.unread is not None:
        return ""
    said = f"unread: {scalar(f'{taken} of {len(store.columns)} columns, by {reviewer} on {today}')}"
    first = _pairs(rai)[0][0].start_mark.column
    return f", {said}" if getattr(rai, "flow_style", False) else f"\n{' ' * first}{said}"


def _change_column(pairs: Pairs, column: Column) -> Iterator[tuple[int, int, str]]:
    proposal = read_proposal(column.risk)
    if proposal is None:
        return
    nodes = {key.value: (key, value) for key, value in pairs}
    if column.use in proposal.drafted_uses:
        yield _replace(nodes["use"][1], proposal.use)
    if proposal.use not in ("model", "decision"):
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
