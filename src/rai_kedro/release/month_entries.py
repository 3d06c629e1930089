"""What the record says of every month, and whether the stores still hold it.

A month is entered before its predictions are stored, and again with whatever monitoring made of it. So predictions that
no entry knows were made by nobody who was allowed to, and every other change is a difference from the latest entry.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Final, NamedTuple, TypeAlias

import numpy as np

from rai_kedro.frames import MonthLoader, Store
from rai_kedro.monitoring import (
    UNREADABLE,
    LabelChange,
    MonthDigests,
    compare_label_rows,
    content_digest,
    digest_month,
    label_key,
    read_kept_labels,
)
from rai_kedro.months import month_of_key
from rai_kedro.release.decisions import Decided
from rai_kedro.release.finding import MONITOR, RESTORE_MONTH, Finding
from rai_kedro.release.finding import RESCORE as SCORE_AGAIN
from rai_kedro.release.manifest import TRAINED
from rai_kedro.release.record import Entry, EvidenceError, extend_evidence, time_of
from rai_kedro.typed import Typed

if TYPE_CHECKING:
    import numpy.typing as npt
    import pandas as pd

MONTH: Final = "month"
RESET: Final = "reset"
RESCORE: Final = "rescore"
ADD_MONTH: Final = "add-month"
# What of a month stays as it was scored, until it is scored again.
_FIXED: Final = ("run_id", "manifest", "predictions")
_PREDICTED: Final = ("prediction", "score")
# Of what a linear algebra on another machine may make of the same sum.
_LAST_BITS: Final = 1e-9
_RESULTS: Final = {"drift": "drift result", "outcomes": "outcome result"}


class MonthEntry(Typed):
    """What a month was scored with and what it came to: the body of its entry. Digests are of values, not of files.

    Attributes:
        manifest: Digest of the version's manifest.
        features: Digest of the features that monitoring last read; ``labels`` likewise, empty where there were none.
        predictions: Digest of what was predicted; ``drift`` and ``outcomes`` of what was made of it, empty before.
        verdict: What the month came to; empty before it was judged.
        stale: Why the predictions are of other features, as monitoring said; empty while they are not.
        label_change: How the labels were last changed after the month had been judged by them; None if never.
        shown: Digest of what the file of monitoring says of the month, as canonical JSON; empty before.
    """

    use_case: str
    month: str
    model_version: str
    run_id: str
    manifest: str
    features: str
    labels: str = ""
    predictions: str
    drift: str = ""
    outcomes: str = ""
    verdict: str = ""
    stale: str = ""
    label_change: LabelChange | None = None
    shown: str = ""

    @property
    def key(self) -> str:
        """Its key in the stores."""
        return f"month={self.month}/model_version={self.model_version}"


@dataclass(frozen=True)
class MonthStores:
    """What is held against the record: the stores, and a look at the features and labels of a month.

    ``score``, where it is given, makes the predictions of a month once more: the newest first, up to ``most_rows``.
    ``measured_labels`` are the copies that monitoring kept, ``labels`` reads those of today; ``key`` identifies a row.
    """

    predictions: Store
    drift: Store
    outcomes: Store
    look_at: Callable[[str], MonthDigests]
    score: Callable[[MonthEntry], pd.DataFrame] | None = None
    most_rows: int = 0
    key: tuple[str, ...] = ()
    measured_labels: Store = field(default_factory=dict)
    labels: Callable[[str], pd.DataFrame] | None = None

    def digest(self, name: str, key: str) -> str:
        """Return the digest of what a store holds under a key: empty for nothing, ``unreadable`` for what is broken."""
        store: Store = getattr(self, name)
        if key not in store:
            return ""
        try:
            load = store[key]
            return digest_month(load, self.key) if name == "predictions" else content_digest(load())
        except Exception:  # whatever it is, it is not what was recorded
            return UNREADABLE

    def compare_labels(self, month: str, before: str, now: str = "") -> LabelChange | None:
        """Compare the labels of one digest with those of another, or of today; None where either is not at hand."""
        was = load_kept_labels(self.measured_labels, month, before, self.key)
        if now:
            became = load_kept_labels(self.measured_labels, month, now, self.key)
        else:
            became = self.labels(month) if self.labels else None
        return None if was is None or became is None else compare_label_rows(was, became, self.key)

    def update(self, known: MonthEntry, verdict: str, stale: str, *, made: bool = True, shown: str = "") -> MonthEntry:
        """Return what there is to say of a month now; what its predictions are is known since it was scored.

        Its results are looked at only where they were ``made`` anew, or are not all on record.
        """
        now = self.look_at(known.month)
        labels = known.labels if now.labels in ("", UNREADABLE) else now.labels
        made = made or not all(getattr(known, name) for name in _RESULTS)
        results = {name: self.digest(name, known.key) for name in _RESULTS if made}
        inputs = {"features": now.features or known.features, "labels": labels}
        return known.model_copy(update={**inputs, **results, "verdict": verdict, "stale": stale, "shown": shown})


def load_kept_labels(store: Store, month: str, digest: str, key: Sequence[str] = ()) -> pd.DataFrame | None:
    """Load the labels that were kept under a digest, identified by a key; None where they are not there, or others."""
    load = store.get(label_key(month, digest))
    try:
        return None if load is None else read_kept_labels(load(), key)
    except Exception:  # whatever it is, it is not what was kept
        return None


class Recorded(NamedTuple):
    """What an entry says, and the entry."""

    month: MonthEntry
    entry: Entry


def record_months(path: str | Path, months: Iterable[MonthEntry], recorded_at: str) -> list[Entry]:
    """Enter the months of which the record says something else, or nothing."""

    def choose(entries: Sequence[Entry]) -> list[tuple[str, dict[str, str]]]:
        known = read_months(entries)
        return [(MONTH, one.to_dict()) for one in months if one.key not in known or known[one.key].month != one]

    return extend_evidence(path, choose, recorded_at)


def read_months(entries: Iterable[Entry], *, as_scored: bool = False) -> dict[str, Recorded]:
    """Return the latest entry of every month that was scored and not taken back by a reset or rescore since.

    ``as_scored``: the first instead, with which it was scored.
    """
    found: dict[str, Recorded] = {}
    for entry in entries:
        with _readable(entry):
            if entry.kind == MONTH:
                month = MonthEntry.from_dict(entry.body)
                if not as_scored or month.key not in found:
                    found[month.key] = Recorded(month, entry)
            elif entry.kind == RESET:
                found.clear()
            elif entry.kind == RESCORE:
                taken_back = entry.body["month"]
                found = {key: one for key, one in found.items() if one.month.month != taken_back}
    return found


def read_label_changes(entries: Iterable[Entry]) -> dict[str, tuple[str, LabelChange | None]]:
    """Return of every month the digest of the labels that monitoring last read, and how they last changed."""
    found: dict[str, tuple[str, LabelChange | None]] = {}
    for entry in entries:
        with _readable(entry):
            if entry.kind == RESET:
                found.clear()
            elif entry.kind == MONTH:
                month = MonthEntry.from_dict(entry.body)
                if month.labels:
                    found[month.month] = month.labels, month.label_change
    return found


def is_recorded(known: Mapping[str, Recorded], name: str, key: str, frame: pd.DataFrame) -> bool:
    """Say whether a stored result, ``drift`` or ``outcomes``, is the one on record; if not, it is made again."""
    return key in known and getattr(known[key].month, name) == content_digest(frame)


@contextmanager
def _readable(entry: Entry) -> Iterator[None]:
    """Name an entry that has another form than the program gives it: somebody else wrote it."""
    try:
        yield
    except (ValueError, KeyError, TypeError, AttributeError) as error:  # pydantic's, too
        raise EvidenceError(
            f"Line {entry.sequence} of the record is no readable entry '{entry.kind}'.",
            where=f"line {entry.sequence}, kind {entry.kind}",
            example=" ".join(f"{type(error).__name__}: {error}".split())[:200],
            remedy="find out who wrote it, and restore the record from a backup",
        ) from error


def hold_predictions(store: Store, entries: Iterable[Entry], key: Sequence[str] = ()) -> dict[str, MonthLoader]:
    """Hand out predictions only as they were recorded; what no entry knows is not handed out at all.

    Reading others raises an :class:`EvidenceError`. ``key`` names the columns that identify a row.
    """
    known = read_months(entries)
    return {name: _hold(load, known[name], key) for name, load in store.items() if name in known}


def _hold(load: Callable[[], pd.DataFrame], recorded: Recorded, key: Sequence[str]) -> MonthLoader:
    require = partial(_require_recorded, recorded)

    def read() -> pd.DataFrame:
        frame = load()
        require(content_digest(frame, key))
        return frame

    return MonthLoader(read, open=getattr(load, "open", None), require=require)


def _require_recorded(recorded: Recorded, digest: str) -> None:
    month = recorded.month
    if digest != month.predictions:
        raise EvidenceError(
            "Its predictions are not those that were recorded.",
            where=f"prediction store, {month.key}; evidence record, line {recorded.entry.sequence}",
            remedy="find out who changed them, and restore them from a backup or score the month again: "
            f"kedro rai rescore --use-case {month.use_case} --month {month.month} --reason TEXT",
        )


class MonthFindings(NamedTuple):
    """What of the months does not hold, what is open without being wrong, and how many months were looked at."""

    findings: tuple[Finding, ...]
    notes: tuple[str, ...]
    months: int


def check_months(
    entries: Sequence[Entry], stores: MonthStores, approvals: Sequence[Decided] | None = None
) -> MonthFindings:
    """Compare every month on record with the stores, and every month of the stores with the record.

    With ``approvals``, those that count, each month must have been scored under one.
    """
    known = read_months(entries)
    said = [*_compare_inputs(entries, known, stores), *_compare_predictions(known, stores)]
    said += [*_score_again(known, stores), *_check_history(entries, approvals), *_find_replaced_inputs(entries)]
    said += [*_find_changed_labels(entries, stores), *_check_kept_labels(stores)]
    said += [one for name in _RESULTS for one in _compare_results(known, stores, name)]
    findings = tuple(one for one in said if isinstance(one, Finding))
    notes = tuple(one for one in said if isinstance(one, str))
    return MonthFindings(findings, notes, len({*map(month_of_key, known), *_read_inputs(entries)}))


_Said: TypeAlias = Iterator["Finding | str"]
"""What is wrong, and in bare words what is open without being wrong."""


class _Input(NamedTuple):
    digest: str
    entry: Entry


def _read_inputs(entries: Iterable[Entry]) -> dict[str, dict[str, _Input]]:
    """Return for every month the latest digest of its features and labels on record.

    What a training read counts only where no entry is on the month itself: else training once more would make any
    change of a scored month a thing of the record.
    """
    found: dict[str, dict[str, _Input]] = {}
    own: set[str] = set()
    for entry in entries:
        months: Mapping[str, Mapping[str, str]] = {}
        with _readable(entry):
            if entry.kind == TRAINED:
                months = entry.body.get("months") or {}
            elif entry.kind in (MONTH, ADD_MONTH):
                months = {entry.body["month"]: {name: entry.body.get(name, "") for name in ("features", "labels")}}
                own |= {*months}
            for month, digests in months.items():
                if entry.kind != TRAINED or month not in own:
                    found.setdefault(month, {}).update({name: _Input(one, entry) for name, one in digests.items()})
    return found


def _check_history(entries: Sequence[Entry], approvals: Sequence[Decided] | None) -> _Said:
    """Hold each entry on a month against those before it: whoever can append could put other predictions on record."""
    scored: dict[str, Recorded] = {}  # the entry with which each month was scored
    for entry in entries:
        with _readable(entry):
            if entry.kind in (RESET, RESCORE):
                which = entry.body.get("month")
                scored = {key: one for key, one in scored.items() if which and one.month.month != which}
                who, why = entry.body.get("by", "nobody named"), entry.body.get("reason") or "no reason was given"
                yield f"line {entry.sequence}: {which or 'every month'} was taken back by {who}: {why}"
            elif entry.kind == MONTH:
                now = Recorded(MonthEntry.from_dict(entry.body), entry)
                first = scored.setdefault(now.month.key, now)
                for text in _find_other_score(first, now, approvals):
                    yield Finding(what=text, advice=SCORE_AGAIN)


def _find_other_score(first: Recorded, now: Recorded, approvals: Sequence[Decided] | None) -> Iterator[str]:
    what = f"line {now.entry.sequence}: {now.month.month} by version {now.month.model_version}"
    if first is now:
        if approvals is not None and not _is_approved(now.month, now.entry, approvals):
            yield f"{what} was scored while no approval of that version counted"
        return
    changed = [name for name in _FIXED if getattr(now.month, name) != getattr(first.month, name)]
    if changed:
        others = " and ".join(changed)
        yield f"{what} has other {others} than line {first.entry.sequence}, and was not scored again in between"
    if now.month.features != first.month.features and not now.month.stale:
        yield f"{what} has other features than line {first.entry.sequence}, and is not called stale"


def _find_replaced_inputs(entries: Sequence[Entry]) -> _Said:
    """Say which features and labels became others on record: a correction, or somebody who had rather others."""
    latest: dict[tuple[str, str], _Input] = {}
    for entry in entries:
        for month, digests in _read_inputs([entry]).items():
            for name, one in digests.items():
                before = latest.get((month, name), one)
                is_said = entry.kind == ADD_MONTH or (name == "features" and entry.body.get("stale"))
                # What monitoring says of labels that it judged before is told apart from this.
                is_said = is_said or (name == "labels" and {before.entry.kind, entry.kind} == {MONTH})
                if not is_said and before.digest and one.digest and before.digest != one.digest:
                    lines = f"line {entry.sequence} than in line {before.entry.sequence}"
                    yield f"the {name} of {month} are others in {lines}, and no `add-month` says so"
                latest[month, name] = one


def _find_changed_labels(entries: Sequence[Entry], stores: MonthStores) -> _Said:
    """Say which months were judged again by other labels, and hold what monitoring says of them against the copies."""
    latest: dict[str, tuple[str, Entry]] = {}
    for entry in entries:
        for month, (digest, said) in read_label_changes([entry]).items():
            before, first = latest.get(month, (digest, entry))
            latest[month] = digest, entry
            if before == digest:
                continue
            what = f"labels of {month} in line {entry.sequence}"
            yield f"{what}: {said or 'others'} since line {first.sequence}"
            found = stores.compare_labels(month, before, digest)
            if found is None:
                yield f"{what} could not be compared with those of line {first.sequence}: a copy is missing"
            elif found != said:
                what = f"{what} are said to be {said or 'unchanged'} since then, and the copies say: {found}"
                yield Finding(what=what, advice=RESTORE_MONTH)


def _check_kept_labels(stores: MonthStores) -> _Said:
    for key in stores.measured_labels:
        month, digest = (part.partition("=")[2] for part in key.split("/"))
        if load_kept_labels(stores.measured_labels, month, digest, stores.key) is None:
            what = f"the copy of the labels of {month} that was kept ({digest[:12]}…) was changed"
            yield Finding(what=what, where=f"measured labels, {month}", advice=RESTORE_MONTH)


def _is_approved(month: MonthEntry, entry: Entry, approvals: Sequence[Decided]) -> bool:
    at = time_of(entry.recorded_at)
    return any(
        (one.version, one.run_id, one.manifest) == (month.model_version, month.run_id, month.manifest)
        and where.sequence < entry.sequence
        and not one.expired(at)
        for one, where in approvals
    )


def _compare_inputs(entries: Sequence[Entry], known: Mapping[str, Recorded], stores: MonthStores) -> _Said:
    stale = {one.month.month: one for one in known.values() if one.month.stale}
    scored = {one.month.month: one.month.features for one in read_months(entries, as_scored=True).values()}
    for month, inputs in sorted(_read_inputs(entries).items()):
        now = stores.look_at(month)
        features, labels = inputs.get("features"), inputs.get("labels")
        if month in stale and now.features == scored[month]:
            line = f"line {stale[month].entry.sequence} calls {month} stale ({stale[month].month.stale})"
            what = f"{line}, and its features are those that it was scored with"
            yield Finding(what=what, advice="run the monitoring, which says so, and find out who entered that")
        elif month in stale:
            yield f"{month} is stale, as line {stale[month].entry.sequence} says: {stale[month].month.stale}"
        if features and features.digest != now.features and (now.features or month not in stale):
            state = (
                "are not those" if now.features else f"cannot be read ({now.unreadable})" if now.unreadable else "gone"
            )
            what = f"features of {month} {_word(state)} of line {features.entry.sequence} ({_name(features.entry)})"
            yield Finding(what=what, where=f"feature store, {month}", advice=RESTORE_MONTH)
        if labels and labels.digest != now.labels:
            of = f"line {labels.entry.sequence} ({_name(labels.entry)})"
            if not labels.digest and now.labels != UNREADABLE:
                yield f"labels of {month} arrived since {of}; the next monitoring records them"
            elif not now.features:
                continue  # without its features no month's labels are looked at, and that is said already
            else:
                yield _describe_labels(month, labels, now.labels, stores)


def _describe_labels(month: str, recorded: _Input, now: str, stores: MonthStores) -> Finding | str:
    """Say how the labels of a month are others than those on record; that more came is nothing wrong."""
    of = f"line {recorded.entry.sequence} ({_name(recorded.entry)})"
    is_there = now not in ("", UNREADABLE)
    change = stores.compare_labels(month, recorded.digest) if is_there else None
    if change and change.only_late:
        return f"labels of {month}: {change} since {of}; the next monitoring records them"
    state = "are not those" if is_there else "cannot be read" if now else "gone"
    what = f"labels of {month} {_word(state)} of {of}{f': {change}' if change else ''}"
    return Finding(what=what, where=f"label store, {month}", advice=RESTORE_MONTH)


def _word(state: str) -> str:
    return state if state == "are not those" else f"{'are gone' if state == 'gone' else state}, unlike those"


def _name(entry: Entry) -> str:
    if entry.kind == TRAINED:
        return f"training of version {entry.body.get('version')}"
    return "the month was added" if entry.kind == ADD_MONTH else "monitoring"


def _compare_predictions(known: Mapping[str, Recorded], stores: MonthStores) -> _Said:
    for key in sorted({*known, *stores.predictions}):
        month, version = (part.partition("=")[2] for part in key.split("/"))
        what = f"predictions of {month} by version {version}"
        found = partial(Finding, where=f"prediction store, {month}", advice=SCORE_AGAIN)
        if key not in known:
            yield found(what=f"{what} are on no record: they were forged, or the record was cut")
            continue
        line, now = known[key].entry.sequence, stores.digest("predictions", key)
        if not now and not known[key].month.verdict:
            yield f"{what} were not stored, the run of line {line} was cut off; the next monitoring makes them"
        elif now != known[key].month.predictions:
            state = "gone" if not now else "cannot be read" if now == UNREADABLE else "are not those"
            yield found(what=f"{what} {_word(state)} of line {line}")


def _score_again(known: Mapping[str, Recorded], stores: MonthStores) -> _Said:
    """Hold predictions against what their version says of the features: who may append can put any on record."""
    left, passed_over = stores.most_rows, list[str]()
    if stores.score is None:
        return
    for key, one in sorted(known.items(), reverse=True):
        month, what = one.month, f"predictions of {one.month.month} by version {one.month.model_version}"
        if stores.digest("predictions", key) != month.predictions:
            continue  # and that is said already
        if month.stale or stores.look_at(month.month).features != month.features:
            yield f"{what} were not recomputed: the features that they were made of are not there any more"
            continue
        stored = stores.predictions[key]()
        if len(stored) > left:
            passed_over.append(month.month)
            continue
        left -= len(stored)
        yield from _compare_scores(stored, month, what, stores)
    if passed_over:
        months = f"{passed_over[-1]} to {passed_over[0]}" if len(passed_over) > 1 else passed_over[0]
        yield f"predictions of {months} were not recomputed: more than {stores.most_rows:,} rows (--recompute)"


def _compare_scores(stored: pd.DataFrame, month: MonthEntry, what: str, stores: MonthStores) -> _Said:
    try:
        now = stores.score(month) if stores.score else stored
    except Exception as error:  # whatever it is, it is told as the reason
        why = getattr(error, "what", f"{type(error).__name__}: {error}".splitlines()[0])
        yield f"{what} could not be recomputed: {why}"
        return
    if month.predictions != content_digest(now, stores.key) and (fault := _find_other_score_of_row(stored, now)):
        what = f"{what} are not what that version says of the month's features: {fault}"
        yield Finding(what=what, where=f"prediction store, {month.month}", advice=SCORE_AGAIN)


def _find_other_score_of_row(stored: pd.DataFrame, now: pd.DataFrame) -> str:
    """Say how predictions differ, by more than what the last bits of another machine make; empty if they do not."""
    said = [name for name in now if name in _PREDICTED]
    facts = sorted(map(str, now.columns.difference(said)))
    if {*stored.columns} != {*now.columns} or content_digest(stored[facts]) != content_digest(now[facts]):
        return "they are of other rows"
    before, after = (frame.sort_values(facts).reset_index(drop=True) for frame in (stored, now))
    for name in said:
        differs = ~_is_close(before[name], after[name])
        if differs.any():
            at = int(differs.argmax())
            example = f"{before[name].iloc[at]} is stored where it says {after[name].iloc[at]}"
            return f"{name} in {int(differs.sum())} of {len(now)} rows, e.g. {example}"
    return ""


def _is_close(one: pd.Series, other: pd.Series) -> npt.NDArray[np.bool_]:
    if one.dtype.kind in "fiu" and other.dtype.kind in "fiu":
        return np.isclose(one, other, rtol=_LAST_BITS, atol=_LAST_BITS, equal_nan=True)
    return (one.astype(str) == other.astype(str)).to_numpy()


def _compare_results(known: Mapping[str, Recorded], stores: MonthStores, name: str) -> _Said:
    for key in sorted({*known, *getattr(stores, name)}):
        month, version = (part.partition("=")[2] for part in key.split("/"))
        what, now = f"{_RESULTS[name]} of {month} by version {version}", stores.digest(name, key)
        recorded = getattr(known[key].month, name) if key in known else ""
        found = partial(Finding, where=f"{_RESULTS[name].partition(' ')[0]} store, {month}", advice=MONITOR)
        if now and not recorded:
            yield found(what=f"{what} is on no record: it was forged, or a run was cut off")
        elif now != recorded:
            state = "is gone" if not now else "cannot be read" if now == UNREADABLE else "changed"
            yield found(what=f"{what} {state} since line {known[key].entry.sequence}")
