"""What the page of a reviewer shows, read from MLflow, the evidence record and the reports on disk."""

from __future__ import annotations

import json
import logging
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kedro.io import DatasetError
from pydantic import ValidationError

from rai_kedro import monitoring, policy, release, report
from rai_kedro.contract import find_use_cases
from rai_kedro.errors import RaiError
from rai_kedro.files import project_folder, write_text

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from kedro.io import DataCatalog
    from mlflow import MlflowClient

_log = logging.getLogger(__name__)
REVIEW_PAGE = "review.html"
_VERIFIED = ".verified.json"
# So many versions that wait are shown in full; older ones by their number.
_SHOWN = 3
_TITLES = {
    "monitoring.html": "monitoring",
    "governance.html": "columns, risks and data",
    "mitigation.html": "mitigation",
}


def try_to_write_review(catalog: DataCatalog, folder: Path) -> None:
    """Write ``review.html`` into the folder of all reports; trouble is a warning: what was run or decided stands."""
    try:
        write_review(catalog, folder)
    except Exception as error:  # whatever a server or an edited file brings
        _log.warning("The page of the reviewer could not be written: %s", error)


def write_review(catalog: DataCatalog, folder: Path) -> None:
    """Write the page of every use case into the folder that has a folder for each."""
    from mlflow import MlflowClient

    client = MlflowClient()
    names = find_use_cases(project_folder() / "conf" / "base")
    reviews = [_read_or_explain(client, catalog, name) for name in names]
    write_text(folder / REVIEW_PAGE, report.render_review_page(reviews, now=datetime.now(UTC)))


def _read_or_explain(client: MlflowClient, catalog: DataCatalog, use_case: str) -> report.UseCaseReview:
    """Read one use case; one whose configuration cannot be read holds up no other."""
    from rai_kedro.commands.project import evidence_path, path_of, policy_of_today, trust_of

    try:
        folder, record = path_of(catalog, f"{use_case}.model_card"), evidence_path(catalog, use_case)
        today = policy_of_today(catalog, use_case)
        return read_review(client, use_case, folder, record, trust=trust_of(catalog, use_case), today=today)
    except (RaiError, DatasetError, ValidationError, KeyError) as error:
        why = f"It cannot be read: {error}"
        return report.UseCaseReview(use_case, (), (), None, report.EvidenceStatus(entries=0), trouble=why)


def read_review(  # noqa: PLR0913 - every part by its name
    client: MlflowClient, use_case: str, folder: Path, record: Path, *, trust: release.Trust, today: Mapping[str, Any]
) -> report.UseCaseReview:
    """Read what a reviewer is shown of one use case.

    Args:
        client: The MLflow that has its versions.
        use_case: Name of the use case.
        folder: The folder of its reports.
        record: Its evidence record; what is decided is what stands there.
        trust: Whose approvals count.
        today: What its versions are judged by as it stands now.
    """
    status, entries = _check_record(record)
    versions = release.search_versions(client, use_case)
    named = release.find_aliases(client, use_case).get(release.PRODUCTION)
    used = next((one for one in versions if one.number == named), None)
    missing = {one.number: release.list_missing_roles(entries, one, trust) for one in versions}
    undecided = [one for one in versions if missing[one.number] != ()]
    standing = release.find_standing_approval(entries, use_case, trust)
    # What is older than the version that is approved was passed over then.
    waiting = [one for one in undecided if standing is None or int(one.number) > int(standing[0].version)][:_SHOWN]
    return report.UseCaseReview(
        use_case=use_case,
        pending=tuple(
            _read_pending(one, folder, used, _read_gates(one, missing[one.number], today)) for one in waiting
        ),
        passed_over=tuple(one.number for one in undecided if one not in waiting),
        production=_read_approval(used, standing) if used else None,
        evidence=status,
        newest=_read_newest_month(folder),
        pages=tuple((title, f"{use_case}/{page}") for page, title in _TITLES.items() if (folder / page).is_file()),
    )


def _read_pending(
    version: release.Version, folder: Path, used: release.Version | None, gates: tuple[policy.GateResult, ...]
) -> report.PendingVersion:
    """Read everything that speaks for or against a version."""
    card, trouble = _read_card(version)
    asked = {gate.consequence for gate in gates}
    name, number = version.use_case, version.number
    approval = [] if "block" in asked else [release.approve_command(name, number, passed="accept_risk" not in asked)]
    page = folder / f"model_card_v{number}.html"
    return report.PendingVersion(
        version=number,
        created_at=version.created_at,
        gates=gates,
        card=card,
        commands=(
            *approval,
            f"kedro rai reject --use-case {name} --version {number} --statement TEXT",
        ),
        trouble=trouble,
        comparison=_read_comparison(folder, used.number, number) if used else None,
        card_page=f"{name}/{page.name}" if page.is_file() else "",
    )


def _read_gates(
    version: release.Version, missing: Sequence[str] | None, today: Mapping[str, Any]
) -> tuple[policy.GateResult, ...]:
    """Return what the gates say, judged anew as an approval does it; what cannot be judged blocks."""
    try:
        gates = release.ask_gates(version).gates
        loosened = policy.find_loosened(release.read_manifest(version).policy, today)
    except RaiError as error:
        why = f"{error.what.rstrip('.')}: {error.example}" if error.example else error.what.rstrip(".")
        gates, loosened = (_make_gate("gates", "not_assessed", why, "block"),), ()
    if loosened:
        said = f"looser than when the version was trained: {'; '.join(loosened)}"
        gates = (*gates, _make_gate("policy", "fail", said, "accept_risk"))
    if missing:
        said = f"approved, and waits for another approval as {' and as '.join(missing)}"
        gates = (*gates, _make_gate("signatures", "insufficient_evidence", said, "none"))
    return gates


def _make_gate(name: str, outcome: str, reason: str, consequence: str) -> policy.GateResult:
    said = {"name": name, "outcome": outcome, "reason": reason, "consequence": consequence}
    return policy.GateResult.from_dict({**said, "evidence": "evidence record"})


def _read_approval(version: release.Version, standing: release.Decided | None) -> report.Approval:
    """Say by the record, not by the tags, why the version may be used that the alias names."""
    said, expires_at = "the alias names it, but no approval of it stands, so it predicts nothing", ""
    if standing is not None and standing[0].subject == version.subject:
        said, expires_at = release.describe_review(standing[0]), standing[0].expires_at
    return report.Approval(version.number, said, expires_at, _read_card(version)[0])


def _read_card(version: release.Version) -> tuple[report.ModelCard | None, str]:
    """Return the card, or why it cannot be read."""
    if version.card is None:
        return None, "It has no model card; training ends with it."
    try:
        return report.card_from_json(version.card.decode("utf-8", errors="replace")), ""
    except report.ModelCardError as error:
        return None, f"{error.what} ({error.where})"


def _read_newest_month(folder: Path) -> monitoring.MonthRecord | None:
    with suppress(ValidationError, AttributeError):
        months = (_read_json(folder / "monitoring.json") or {}).get("months")
        return monitoring.MonthRecord.from_dict(months[-1]) if months else None
    return None


def _read_comparison(folder: Path, old: str, new: str) -> monitoring.VersionComparison | None:
    with suppress(ValidationError):
        found = _read_json(folder / f"comparison_{old}_{new}.json")
        return monitoring.VersionComparison.from_dict(found) if found else None
    return None


def note_verification(record: Path, found: release.Verification) -> None:
    """Note beside a record what checking everything came to, for the page of the reviewer; it proves nothing."""
    noted = {
        "verified_at": datetime.now(UTC).isoformat(timespec="seconds"),
        "verified_entries": len(found.chain.entries),
        "findings": [str(one) for one in found.findings],
    }
    write_text(record.with_suffix(_VERIFIED), json.dumps(noted, indent=2) + "\n")


def _check_record(record: Path) -> tuple[report.EvidenceStatus, Sequence[Any]]:
    """Check a record's chain, say what its last verification found, and return the entries if the chain holds."""
    last = _read_json(record.with_suffix(_VERIFIED))
    noted = last if isinstance(last, dict) else {}
    entries: Sequence[Any] = ()
    try:
        chain = release.check_chain(record)
        found = {"entries": len(chain.entries), "broken": chain.reason or ""}
        entries = chain.entries if chain.ok else ()
    except release.EvidenceError as error:
        found = {"entries": 0, "broken": error.what}
    if not (record.is_file() or noted):
        found["broken"] = ""  # nothing was recorded yet
    with suppress(ValidationError):
        return report.EvidenceStatus.from_dict({**noted, **found}), entries
    return report.EvidenceStatus.from_dict(found), entries


def _read_json(path: Path) -> Any:
    with suppress(OSError, ValueError):
        return json.loads(path.read_text(encoding="utf-8"))
    return None
