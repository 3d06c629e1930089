"""Whether what people approved is still what the policy asks, and whether a justification is anybody else's word."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING, Any

from rai_kedro.fairness import Disparity, Gate, Tolerance
from rai_kedro.policy import GateReport, Policy, digest_of, find_loosened
from rai_kedro.release.decisions import Review, Trust
from rai_kedro.release.gate import ASSESSMENT_FILE, GATE_FILE, GATES_FILE, judge_again, judge_stored
from rai_kedro.release.manifest import ReleaseFiles
from rai_kedro.release.record import Entry
from rai_kedro.release.signing import Reviewers
from rai_kedro.release.training import Trainer, find_trainer, find_unsigned
from rai_kedro.release.versions import ReleaseError, Version, parse_json
from rai_kedro.typed import Typed

if TYPE_CHECKING:
    from rai_kedro.release.production import ProductionModel

POLICY: str = "policy"
"""Kind of the record's entry on a policy that became stricter."""
_SHOWN = 3
_APPROVES = "approves it"


class PolicyChange(Typed):
    """A policy that is not the one the version in production was trained under; the body of its entry."""

    version: str
    trained_under: str  # digest of what the version was judged by
    today: str  # digest of what it is judged by today
    stricter: tuple[str, ...]  # places
    agreed: tuple[str, ...]  # what is looser, as the approval signed it


class PolicyError(ReleaseError):
    """The policy of today does not let the version score."""


def check_policy(production: ProductionModel, today: Mapping[str, Any], on: date) -> PolicyChange | None:
    """Hold the version in production against the policy of today, and say what is another now; None if nothing is.

    What is looser asks for a new review, unless it was agreed to in the approval. What is stricter applies at once:
    time and roles of the approval, and every gate, judged anew by the facts of the training.

    Args:
        production: What was loaded after all checks of its approval.
        today: What a version is judged by today (:func:`rai_kedro.policy.state_policy`).
        on: The day of the inference.

    Raises:
        PolicyError: The policy is looser than agreed to, or the version does not pass the stricter one.
    """
    then, review = production.manifest.policy, production.review
    if not then:
        raise _refuse(production, "was trained before versions kept their policy", "its manifest names no policy", "")
    if digest_of(then) == digest_of(today):
        return None
    if looser := [one for one in find_loosened(then, today) if one not in review.loosened]:
        raise _refuse(
            production,
            "was approved under a stricter policy than today's",
            "; ".join(looser[:_SHOWN]),
            "take the loosening back; or have the version reviewed again, which shows the list to the reviewer: ",
            how_many=f"{len(looser)} setting{'s are' if len(looser) > 1 else ' is'} looser",
        )
    if fault := next(_find_faults(production, today, on), None):
        raise _refuse(
            production, "does not pass the policy of today, which is stricter than that of its training", fault, ""
        )
    stricter = tuple(one.partition(":")[0] for one in find_loosened(today, then))
    return PolicyChange(
        version=production.version,
        trained_under=digest_of(then),
        today=digest_of(today),
        stricter=stricter,
        agreed=find_loosened(then, today),
    )


def _find_faults(production: ProductionModel, today: Mapping[str, Any], on: date) -> Iterator[str]:
    """Say what of the approval, or of the training, the stricter policy does not allow."""
    policy, review = Policy.from_dict(today["policy"]), production.review
    rules = policy.approval
    ends = datetime.fromisoformat(review.reviewed_at).astimezone(UTC).date() + timedelta(days=rules.lasts_days)
    if on > ends:
        yield f"its approval of {review.reviewed_at[:10]} lasts {rules.lasts_days} days today, so it ended on {ends}"
    if missing := [role for role in rules.roles if role not in review.rules.roles]:
        yield f"the approval of another role is asked today: {', '.join(missing)}"
    if review.rules.trainer_may_approve and not rules.trainer_may_approve:
        yield "who trained it might approve it, which is not allowed today"
    if rules.signed_training and not production.trainer.signer:
        yield "no trainer signed its training, which is asked for today"
    if production.gates is None:
        yield "its run has no report on the gates"
        return
    disparities = [Disparity.from_dict(one) for one in production.disparities]
    asked = today["fairness"]
    tolerances = tuple(Tolerance.from_dict(one) for one in asked["tolerances"])
    report = judge_again(policy, production.gates, Gate(tolerances=tolerances, level=asked["level"]).judge(disparities))
    if stopped := report.with_consequence("block"):
        yield f"{stopped[0].name}: {stopped[0].reason}"
    if not review.accepted_risk and (risks := report.with_consequence("accept_risk")):
        yield f"{risks[0].name}: {risks[0].reason}; nobody accepted that risk"


def _refuse(production: ProductionModel, what: str, example: str, first: str, how_many: str = "") -> PolicyError:
    use_case, number = production.manifest.use_case, production.version
    again = f"kedro rai approve --use-case {use_case} --version {number} --statement TEXT --accept-risk REASON"
    train = f"train a new version with `kedro run --pipelines {use_case}` and have that one reviewed"
    return PolicyError(
        f"Version {number} of {use_case} {what}, so nothing is scored with it.",
        where=f"conf/base/{use_case}, and the manifest of run {production.run_id}",
        how_many=how_many or None,
        example=example,
        remedy=f"{first}`{again}`" if first else train,
    )


def find_overreach(files: ReleaseFiles, review: Review, entries: Sequence[Entry], trust: Trust) -> str | None:
    """Say what a signed approval claims or grants that its version does not allow; None if nothing.

    Whoever has a reviewer's key can sign an approval without `kedro rai approve`, so all that the command asks before
    it signs is asked again of what is on record.
    """
    return next(_find_overreach(files, review, find_trainer(files.manifest, entries, trust), trust.reviewers), None)


def _find_overreach(files: ReleaseFiles, review: Review, trainer: Trainer, people: Reviewers) -> Iterator[str]:
    manifest = files.manifest
    policy = Policy.from_dict(manifest.policy.get("policy", {}))
    rules, made = policy.approval, datetime.fromisoformat(review.reviewed_at)
    if review.rules != rules:
        yield f"it was given under other rules ({review.rules.to_dict()}) than the version's ({rules.to_dict()})"
    if not review.expires_at or datetime.fromisoformat(review.expires_at) > made + timedelta(days=rules.lasts_days):
        yield f"it says to last until {review.expires_at or 'any day'}; {rules.lasts_days} days are allowed"
    yield from _find_dependent(files, review, trainer, people)
    try:
        gate, found, report = (parse_json(files.files[name]) for name in (GATE_FILE, ASSESSMENT_FILE, GATES_FILE))
        decision = judge_stored(gate, found)
        gates = judge_again(policy, GateReport.from_dict(report), decision)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        yield f"what the gates of the version said cannot be read ({type(error).__name__})"
        return
    if decision.outcome != review.fairness_gate:
        yield f"it says that the fairness gate said {review.fairness_gate or 'nothing'!r}; it said {decision.outcome!r}"
    if blocking := gates.with_consequence("block"):
        yield f"the policy blocks it: {blocking[0].name}: {blocking[0].reason}"
    if (risks := gates.with_consequence("accept_risk")) and not review.accepted_risk:
        yield f"nobody accepted the risk of {', '.join(one.name for one in risks)}"


def _find_dependent(files: ReleaseFiles, review: Review, trainer: Trainer, people: Reviewers) -> Iterator[str]:
    """Say who stands on both sides of an approval; a demonstration is nobody, though not under a forged training."""
    rules, reviewer = review.rules, review.reviewer
    if review.demo:
        yield from [f"the trainer's signature does not count: {trainer.fault}"] * bool(trainer.fault)
        return
    if not rules.trainer_may_approve and is_same_person(trainer.names, reviewer, people):
        yield f"{reviewer} trained the version (as {' and '.join(trainer.names)}) and may not approve it"
    day = datetime.fromisoformat(review.reviewed_at).astimezone(UTC).date()
    yield from filter(None, [find_unsigned(trainer, rules, people, day)])
    for column, by, found in _list_own_words(trainer, files.read_contract(), people, reviewer):
        yield f"the use of '{column}' was justified by {by}, who {found}"


def require_independent(
    version: Version, trainer: Trainer, contract: Mapping[str, Any], people: Reviewers, reviewer: str
) -> None:
    """Refuse an approval of a version with a justification by who trained it, or by who approves it.

    Raises:
        ReleaseError: Names the column, and who justified it.
    """
    for column, by, found in _list_own_words(trainer, contract, people, reviewer):
        raise version.refusal(
            ReleaseError,
            f"may not be approved so: the use of '{column}' was justified by {by}, who {found}.",
            example=f"trained by {' and '.join(trainer.names)}, to be approved by {reviewer}",
            remedy="let another person approve it"
            if found == _APPROVES
            else f"have '{column}' justified by another person in catalog.yml, and {version.retrain}",
        )


def is_same_person(names: Iterable[str], other: str, people: Reviewers) -> bool:
    """Say whether any of these names or accounts is that person's.

    Names are compared as they are written, without regard to case and spaces, and with the accounts that
    conf/base/reviewers.yml gives a person: whoever writes another name is not found by this.
    """
    return any(_aliases(one, people) & _aliases(other, people) for one in names)


def _list_own_words(
    trainer: Trainer, contract: Mapping[str, Any], people: Reviewers, reviewer: str
) -> Iterator[tuple[str, str, str]]:
    """Yield each column whose justification is the word of who trained or approves, by whom, and which of the two."""
    for store in contract.get("datasets", {}).values():
        for name, column in store.get("columns", {}).items():
            by = str((column.get("justification") or {}).get("by", ""))
            if is_same_person(trainer.names, by, people):
                yield name, by, "trained this version"
            elif is_same_person([by], reviewer, people):
                yield name, by, _APPROVES


def _aliases(name: str, people: Reviewers) -> frozenset[str]:
    """Return every name by which the person behind a name or account is known."""
    known: Iterable[frozenset[str]] = (
        frozenset(_plain(one) for one in (person.name, *person.accounts)) for person in people.reviewers
    )
    return frozenset({_plain(name)}).union(*(names for names in known if _plain(name) in names)) - {""}


def _plain(name: str) -> str:
    return " ".join(name.casefold().split())
