"""The page of a reviewer: what waits for a decision, what speaks against it, and the command that decides."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime

from rai_kedro.fairness import Verdict, describe_metric, name_kind
from rai_kedro.intervals import Estimate
from rai_kedro.monitoring import MonthRecord, VersionComparison
from rai_kedro.performance import Figure, Gain
from rai_kedro.policy import GateResult
from rai_kedro.report.attention import AttentionGroup, group_attention, list_attention
from rai_kedro.report.card import ModelCard
from rai_kedro.report.fairness_view import GRAVEST_FIRST, list_verdicts, say_limit
from rai_kedro.report.forest import ForestPanel, draw_forest
from rai_kedro.report.mitigation_section import BeforeAfter
from rai_kedro.report.monitoring_view import SIGNS
from rai_kedro.report.page import render_page
from rai_kedro.report.standing import Standing, describe_standing
from rai_kedro.typed import Typed
from rai_kedro.words import begin_sentence, count_of, in_words

_BLOCKED = "alarm"
# An approval or a justification is said to end soon so many days before.
SOON_DAYS = 60
# What a gate asks of the reviewer.
_ASKS = {"none": "", "accept_risk": "needs an accepted risk", "block": "blocks the approval"}
# What the gates say in the page's own words.
_TOLD_BY_GATES = ("Fairness gate", "To be written")


@dataclass(frozen=True)
class PendingVersion:
    """A version that nobody has decided on yet.

    Attributes:
        created_at: ISO 8601.
        gates: What each gate says.
        card: None where it cannot be read; ``trouble`` says why.
        comparison: With the version in production on the same rows, where somebody made it.
        commands: What decides, ready to be copied but for the reviewer's own words; none that would be refused.
        card_page: Address of its card beside the page; empty if there is none.
    """

    version: str
    created_at: str
    gates: tuple[GateResult, ...]
    card: ModelCard | None
    commands: tuple[str, ...]
    trouble: str = ""
    comparison: VersionComparison | None = None
    card_page: str = ""


@dataclass(frozen=True)
class Approval:
    """The approval that stands; ``expires_at`` is ISO 8601, empty where it does not end."""

    version: str
    said: str
    expires_at: str = ""
    card: ModelCard | None = None
    accepted_risk: str = ""


class EvidenceStatus(Typed):
    """How the record stands; ``verified_at`` is when everything was checked last, empty if never.

    Attributes:
        entries: How many the record holds.
        broken: Why it does not hold; empty if it does.
        verified_entries: How many it held when it was last verified.
        findings: What did not hold then.
    """

    entries: int
    broken: str = ""
    verified_at: str = ""
    verified_entries: int = 0
    findings: tuple[str, ...] = ()


@dataclass(frozen=True)
class UseCaseReview:
    """Everything of one use case that a reviewer is shown.

    Attributes:
        passed_over: Older versions that nobody decided on.
        newest: The last month of its timeline.
        pages: Titles and addresses of its pages.
        trouble: What could not be read at all.
    """

    use_case: str
    pending: tuple[PendingVersion, ...]
    passed_over: tuple[str, ...]
    production: Approval | None
    evidence: EvidenceStatus
    newest: MonthRecord | None = None
    pages: tuple[tuple[str, str], ...] = ()
    trouble: str = ""


@dataclass(frozen=True)
class _Side:
    """One figure of the pending version beside that of production; ``gain`` is paired, on the same labelled months."""

    name: str
    note: str
    production: Estimate | None
    pending: Estimate | None
    gain: Gain | None = None


@dataclass(frozen=True)
class _PendingView:
    """What the section of one pending version shows."""

    version: PendingVersion
    state: str
    headline: str
    gates: tuple[GateResult, ...]
    points: tuple[AttentionGroup, ...]
    forest: tuple[ForestPanel, ...]
    standing: Standing | None
    before_after: tuple[BeforeAfter, ...]
    blocked: bool
    beside: tuple[_Side, ...]


@dataclass(frozen=True)
class _Ending:
    """Something that ends: an approval, or the justification of a column."""

    use_case: str
    what: str
    until: date


def render_review_page(reviews: Sequence[UseCaseReview], *, now: datetime) -> str:
    """Render what waits for a decision, of every use case, as one self-contained HTML page that fetches nothing.

    Args:
        reviews: What there is of each use case.
        now: The moment the page is written; days left are counted from it.
    """
    views = {one.use_case: [_view(pending, one.production) for pending in one.pending] for one in reviews}
    waiting = sum(map(len, views.values()))
    return render_page(
        "review.html.j2",
        {},
        reviews=reviews,
        views=views,
        headline=f"{count_of(waiting, 'version')} {'waits' if waiting == 1 else 'wait'} for a decision"
        if waiting
        else "No version waits for a decision",
        endings=_list_endings(reviews, now.date()),
        today=now.date(),
        now=now.isoformat(timespec="minutes"),
        signs=SIGNS,
        asks=_ASKS,
    )


def _view(pending: PendingVersion, production: Approval | None) -> _PendingView:
    card = pending.card
    open_gates = sorted(
        (gate for gate in pending.gates if gate.outcome != "pass"),
        key=lambda gate: (-_weigh(gate), GRAVEST_FIRST.index(gate.outcome)),
    )
    state, headline = _conclude(pending)
    points = group_attention(list_attention(card)) if card else ()
    return _PendingView(
        version=pending,
        state=state,
        headline=headline,
        gates=tuple(open_gates),
        points=tuple(point for point in points if point.topic not in _TOLD_BY_GATES),
        forest=draw_forest(list_verdicts(card.fairness)) if card and card.fairness else (),
        standing=describe_standing(card) if card else None,
        before_after=_list_before_after(card),
        blocked=state == _BLOCKED,
        beside=_list_beside(pending, production),
    )


def _weigh(gate: GateResult) -> int:
    return list(_ASKS).index(gate.consequence)


def _conclude(pending: PendingVersion) -> tuple[str, str]:
    """Say what a version can become as it stands, with the sign that goes with it."""
    if pending.trouble:
        return _BLOCKED, "cannot be approved: its card cannot be read"
    blocked = [in_words(gate.name) for gate in pending.gates if gate.consequence == "block"]
    if pending.card and pending.card.unwritten and "card" not in blocked:
        blocked.append("card")
    if blocked:
        return _BLOCKED, f"cannot be approved as it is: {', '.join(blocked)}"
    if at_risk := [in_words(gate.name) for gate in pending.gates if gate.consequence == "accept_risk"]:
        return "watch", f"can be approved only with an accepted risk: {', '.join(at_risk)}"
    return "ok", "every gate passes"


def _list_before_after(card: ModelCard | None) -> tuple[BeforeAfter, ...]:
    if card is None or card.mitigation is None or not card.mitigation.is_mitigated:
        return ()
    return (*card.mitigation.performance, *card.mitigation.disparities)


def _list_beside(pending: PendingVersion, production: Approval | None) -> tuple[_Side, ...]:
    """Put figures beside each other: on the same rows where the versions were compared, else each on its test rows."""
    if (compared := pending.comparison) is not None:
        theirs, ours = (_list_figures(one.performance, one.fairness) for one in (compared.old, compared.new))
        gains = {one.name: one for one in compared.gains if not one.month}
    elif production is not None and production.card is not None and pending.card is not None:
        theirs, ours, gains = _list_of_card(production.card), _list_of_card(pending.card), {}
    else:
        return ()
    keys = dict.fromkeys([*ours, *theirs])
    return tuple(_Side(*key, theirs.get(key), ours.get(key), gains.get(key[0])) for key in keys)


def _list_of_card(card: ModelCard) -> dict[tuple[str, str], Estimate]:
    tested = [one for one in card.performance if one.split == "test"]
    return _list_figures(tested, card.fairness.gate.verdicts if card.fairness else ())


def _list_figures(performance: Iterable[Figure], verdicts: Iterable[Verdict]) -> dict[tuple[str, str], Estimate]:
    """Return figures and judged disparities by their name, and what else a reader has to know of them."""
    found: dict[tuple[str, str], Estimate] = {(one.name, one.unit): one for one in performance}
    for verdict in verdicts:
        one = verdict.disparity
        what = f"{describe_metric(one.metric).title}, {name_kind(one.kind)}"
        found[what, f"by {one.column}, {say_limit(verdict)}"] = one
    return found


def _list_endings(reviews: Sequence[UseCaseReview], today: date) -> list[_Ending]:
    """List approvals, and justifications in the production models, that end soon or have ended, the first one first."""
    found = []
    for review in reviews:
        if (approval := review.production) is None:
            continue
        if approval.expires_at:
            until = datetime.fromisoformat(approval.expires_at).date()
            found.append(_Ending(review.use_case, f"approval of version {approval.version}", until))
        for column in approval.card.columns if approval.card else ():
            if column.justification and column.model_uses:
                text = begin_sentence(f"justification of {column.name} in version {approval.version}")
                found.append(_Ending(review.use_case, text, column.justification.until))
    soon = [one for one in found if (one.until - today).days <= SOON_DAYS]
    return sorted(soon, key=lambda one: one.until)
