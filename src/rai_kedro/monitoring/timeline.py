"""The months side by side: what each came to and why, what of it still holds, and what to do next."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import pandas as pd

from rai_kedro.errors import RaiError
from rai_kedro.monitoring.baseline import Baseline
from rai_kedro.monitoring.digests import MonthDigests, compare_labels, find_staleness
from rai_kedro.monitoring.labels import LabelChange
from rai_kedro.monitoring.outcomes import MONTH, Measured, MonthOutcome
from rai_kedro.monitoring.policy import MonitoringPolicy
from rai_kedro.monitoring.reconciliation import TrackRecord, reconcile, track_record
from rai_kedro.monitoring.results import MonthDrift
from rai_kedro.monitoring.verdict import EXIT_CODES, Finding, MonthVerdict, judge_month, word_change
from rai_kedro.months import Month, Period, find_period, months_between, say_period
from rai_kedro.typed import Typed
from rai_kedro.words import count_of, format_interval, format_number, format_share, in_words, list_some

_MEANING = (
    "Over the whole life of a model version each of drift, performance and fairness raises a false alarm, or says that "
    "all is well where it is not, with probability at most error_rate. Estimates made without labels are outside this "
    "promise: they can only ask to watch."
)


_NAMED = 6


class Gap(Typed):
    """A month that is ``not scored``, ``not tested`` or ``not measured``, and why; every monitoring tries it again.

    ``broken`` where somebody has to mend something; a month that has no rows, or never came, is only named.
    """

    month: Month
    missing: str
    reason: str
    broken: bool = True


class Carbon(Typed):
    """What scoring took; the total is that of the version's months up to this one."""

    energy_kwh: float
    emissions_g: float
    per_thousand_g: float
    total_g: float
    method: str = ""


class MonthRecord(Typed):
    """Everything known of one month under one model version.

    Attributes:
        look: Number of the month in the life of the version; 1 is the first it scored.
        drift: None where the month was not tested.
        outcome: None where it was not measured.
        stale: Why the results no longer speak of what the store holds; empty while they do.
        labels: What became of the labels since they were last read.
        label_change: How the labels were last changed after the month had been judged by them; None if never.
        carbon: None where the month was scored without being measured.
    """

    month: Month
    model_version: str
    look: int
    verdict: MonthVerdict
    drift: MonthDrift | None = None
    outcome: MonthOutcome | None = None
    used_in_training: bool = False
    stale: str = ""
    labels: str = ""
    label_change: LabelChange | None = None
    carbon: Carbon | None = None

    @property
    def summary(self) -> str:
        """What the month came to in one line, as terminal, page and reports word it."""
        said = []
        for weight in ("alarm", "watch"):
            found = [one for one in self.verdict.findings if one.weight == weight]
            names = list(dict.fromkeys(one.short for one in found if one.subject != "drift"))
            drifted = list(dict.fromkeys(one.short for one in found if one.subject == "drift"))
            names += [f"drift in {list_some(drifted, _NAMED)}"] if drifted else []
            said += [f"{weight}: {list_some(names, _NAMED)}"] if names else []
        few = [f": {one.short}" for one in self.verdict.findings if one.subject == "data"]
        said = said or ["".join([in_words(self.verdict.outcome), *few])]
        said += ["used in training"] if self.used_in_training else []
        said += [f"STALE: {self.stale}"] if self.stale else []
        said += [f"labels {self.labels}"] if self.labels not in ("", "unchanged", "none yet") else []
        return "; ".join(said)

    @property
    def headline(self) -> dict[str, float]:
        """The few figures that say most, as far as they are known.

        The verdict as its exit code; the judged metric on labels and as estimated; the worst judged disparity of the
        month in units of its limit; the share of drifted columns; grams of CO2-equivalent for 1,000 predictions.
        """
        figures: dict[str, float | None] = {"verdict": float(EXIT_CODES[self.verdict.outcome])}
        found = list(self.outcome.pick(scope=MONTH)) if self.outcome else []
        judged = {one.name for one in found if one.subject == "performance" and one.verdict}
        for one in found:
            if one.name in judged and not one.group and not one.kind:
                figures[f"performance.{'estimated.' * (one.basis == 'estimate')}{one.name}"] = one.value
        disparities = [one.share_of_limit for one in found if one.subject == "fairness" and one.verdict]
        figures["fairness.worst_by_limit"] = max((one for one in disparities if one is not None), default=None)
        figures["drift.share"] = self.drift.share if self.drift else None
        figures["carbon.per_thousand_g"] = self.carbon.per_thousand_g if self.carbon else None
        return {name: value for name, value in figures.items() if value is not None}

    @property
    def drifted_columns(self) -> tuple[str, ...]:
        """Names of the columns that drifted."""
        return self.drift.drifted_columns if self.drift else ()


class Timeline(Typed):
    """All months of a use case, in order, and what to do next.

    Attributes:
        first_drift: First month with drift; None without.
        first_alarm: First month with an alarm; None without.
        advice: Whether to train again, and what that would cost; empty where nothing speaks for it.
        visible: What change the reference and the months at hand can show at all, in words.
        track_record: How the newest version's estimates made without labels compare with what labels said.
        meaning: What a verdict says and does not say.
        unseen: Whether the predictions are made elsewhere, by a model that nobody here has seen.
    """

    use_case: str
    policy: MonitoringPolicy
    months: tuple[MonthRecord, ...] = ()
    gaps: tuple[Gap, ...] = ()
    unit: str = ""
    first_drift: Month | None = None
    first_alarm: Month | None = None
    advice: str = ""
    visible: str = ""
    track_record: tuple[TrackRecord, ...] = ()
    meaning: str = _MEANING
    unseen: bool = False

    def of_version(self, version: str) -> list[MonthRecord]:
        """Return the months of one model version."""
        return [one for one in self.months if one.model_version == version]

    @property
    def period(self) -> Period:
        """What *months* are."""
        known = [*(one.month for one in self.months), *(gap.month for gap in self.gaps)]
        return (find_period(known[0]) if known else None) or "month"

    @property
    def columns(self) -> tuple[str, ...]:
        """All columns tested in any month, in their order."""
        return tuple(dict.fromkeys(name for one in self.months if one.drift for name in one.drift.tested_columns))

    def to_json(self) -> dict[str, Any]:
        """Return plain values for a file: without the counts behind figures, which the stores keep."""
        without: Any = {"drift": {"columns": {"__all__": {"distribution"}}}, "outcome": {"counts"}}
        return self.model_dump(mode="json", exclude={"months": {"__all__": without}})


def build_timeline(  # noqa: PLR0913 - every part by its name
    use_case: str,
    policy: MonitoringPolicy,
    *,
    scored: Iterable[tuple[Month, str]],
    drifts: Sequence[MonthDrift] = (),
    outcomes: Sequence[MonthOutcome] = (),
    carbon: Mapping[tuple[Month, str], Mapping[str, Any]] | None = None,
    digests: Mapping[str, MonthDigests] | None = None,
    label_changes: Mapping[str, LabelChange] | None = None,
    gaps: Sequence[Gap] = (),
    baseline: Baseline | None = None,
) -> Timeline:
    """Put the months in order and judge each.

    Args:
        use_case: Name of the use case.
        policy: What the months are judged by.
        scored: Months that have predictions, with the version that made them.
        drifts: Drift results, at most one for each month and version.
        outcomes: What was measured, at most one for each month and version.
        carbon: What scoring took, as the carbon record has it.
        digests: What features and labels of each month are today; a month that is not in it is not looked at.
        label_changes: Of each month whose labels became others since it was first judged by them, the last such change.
        gaps: Months that could not be scored, tested or measured.
        baseline: Of the version now in production.

    Raises:
        RaiError: If a month occurs twice under one model version.
    """
    tested, measured = (_by_month(results) for results in (drifts, outcomes))
    ordered = sorted(set(scored), key=lambda key: (key[0], _version_order(key[1])))
    records, looks, totals = [], dict[str, int](), dict[str, float]()
    for month, version in ordered:
        drift, outcome = tested.get((month, version)), measured.get((month, version))
        looks[version] = looks.get(version, 0) + 1
        verdict = judge_month(drift, outcome, policy)
        late = _find_late_labels(month, ordered[-1][0], outcome, policy)
        digest = (digests or {}).get(month)
        spent = _read_carbon((carbon or {}).get((month, version), {}), outcome, totals.get(version, 0.0))
        totals[version] = spent.total_g if spent else totals.get(version, 0.0)
        records.append(
            MonthRecord(
                month=month,
                model_version=version,
                look=looks[version],
                verdict=verdict.model_copy(update={"findings": (*verdict.findings, *late)}),
                drift=drift,
                outcome=outcome,
                used_in_training=bool((drift and drift.used_in_training) or (outcome and outcome.used_in_training)),
                stale=find_staleness(drift.features_digest, digest) if drift else "",
                labels=compare_labels(outcome.labels_digest if outcome else "", digest),
                label_change=(label_changes or {}).get(month),
                carbon=spent,
            )
        )
    return Timeline(
        use_case=use_case,
        policy=policy,
        months=tuple(records),
        gaps=tuple(sorted(gaps, key=lambda gap: gap.month)),
        unit=baseline.unit if baseline else "",
        first_drift=next((one.month for one in records if one.drifted_columns), None),
        first_alarm=next((one.month for one in records if one.verdict.outcome == "alarm"), None),
        advice=_say(advise_training(records, baseline, totals), records),
        visible=_say(describe_visible(records, baseline.reference if baseline else "test rows"), records),
        track_record=reconcile_months(records),
        unseen=baseline is not None and baseline.unseen,
    )


def _say(text: str, records: Sequence[MonthRecord]) -> str:
    return say_period(text, records[-1].month) if records else text


def _by_month(results: Sequence[Any]) -> dict[tuple[str, str], Any]:
    keys = [(one.month, one.model_version) for one in results]
    doubled = [f"{month} (version {version})" for month, version in keys if keys.count((month, version)) > 1]
    if doubled:
        raise RaiError(
            "A month occurs more than once in the results.",
            where=type(results[0]).__name__,
            how_many=f"{len(doubled)} results",
            example=doubled[0],
            remedy="keep one result for each month and model version",
        )
    return dict(zip(keys, results, strict=True))


def _version_order(version: str) -> tuple[int, str]:
    return (int(version), "") if version.isdecimal() else (0, version)


def _find_late_labels(
    month: Month, newest: Month, outcome: MonthOutcome | None, policy: MonitoringPolicy
) -> list[Finding]:
    """Say so where labels should be there by now, going by the newest month that was scored."""
    due = policy.label_delay
    waited = len(months_between(month, newest)) - 1
    if due is None or outcome is None or outcome.labelled or waited <= due:
        return []
    late = Finding(
        subject="performance",
        key="labels are late",
        weight="watch",
        short="labels are late",
        text=say_period(f"no label yet, {count_of(waited, 'month')} on; they were to come after {due}", month),
        advice="ask who sends them",
    )
    return [late]


def _read_carbon(record: Mapping[str, Any], outcome: MonthOutcome | None, before: float) -> Carbon | None:
    """Take what the carbon record has of a month; nothing of one that it has not, or that was not measured."""
    if "emissions_g" not in record:
        return None
    emitted, rows = float(record["emissions_g"]), outcome.rows if outcome else 0
    return Carbon(
        energy_kwh=float(record["energy_kwh"]),
        emissions_g=emitted,
        per_thousand_g=1000 * emitted / rows if rows else 0.0,
        total_g=before + emitted,
        method=str(record.get("method", "")),
    )


def advise_training(records: Sequence[MonthRecord], baseline: Baseline | None, totals: Mapping[str, float]) -> str:
    """Weigh what training again may gain against what it costs; empty before a month was measured on labels.

    The gain is the loss since the test, which a new model can win back at most if it does as well on new months as the
    old one did on its test rows; the cost is that of the last training, beside what scoring takes a month.
    """
    newest = records[-1].model_version if records else ""
    measured = [one for one in records if one.outcome and one.model_version == newest]
    judged = [(one, loss) for one in measured if one.outcome for loss in _losses(one.outcome)]
    if not judged:
        return ""
    record, loss = judged[-1]
    lost = f"{loss.name} is {format_interval(loss)} times the tested one" if loss.kind == "ratio" else word_change(loss)
    cost = _word_cost(baseline, totals.get(record.model_version, 0.0), record.look)
    since = next((one.month for one, found in judged if found.verdict == "fail"), None)
    if baseline is not None and baseline.unseen:
        said = {"fail": "Tell those who make the predictions", "pass": "Performance holds"}
        return (
            f"{said.get(loss.verdict or '', 'Too early to say whether performance holds')}: in {record.month} {lost}."
        )
    if loss.verdict == "fail":
        return f"Train again, on months from {since} on: in {record.month} {lost}. {cost}"
    if loss.verdict == "pass":
        return f"Performance does not call for training again: in {record.month} {lost}, within the limit. {cost}"
    return f"Too early to say whether training again would gain anything: in {record.month} {lost}. {cost}"


def _losses(outcome: MonthOutcome) -> list[Measured]:
    found = outcome.pick(subject="performance", basis="labels", scope=MONTH, group="")
    return [one for one in found if one.kind in ("ratio", "difference") and one.verdict]


def _word_cost(baseline: Baseline | None, scoring_g: float, months: int) -> str:
    if baseline is None or baseline.emissions_g is None:
        return "What a training emits was not measured."
    emitted = f"The last training emitted {format_number(baseline.emissions_g)} g CO2e"
    if not scoring_g:
        return f"{emitted}."
    return (
        f"{emitted}, as much as scoring does in {format_number(baseline.emissions_g / scoring_g * months, 2)} months."
    )


def describe_visible(records: Sequence[MonthRecord], reference: str) -> str:
    """Say what change the reference and a month of the newest size can show at all; empty before one was tested."""
    drift = next((one.drift for one in reversed(records) if one.drift), None)
    if drift is None:
        return ""
    rows, visible = drift.columns[0], drift.visible
    sizes = f"{rows.n_reference:,} rows of reference ({reference}) and {rows.n:,} rows a month"
    if visible.effect is None:
        return f"With {sizes} no drift can be shown, however large."
    effect = format_share(round(visible.effect, 2))
    ruled_out = visible.excluded is not None and visible.excluded < drift.margin
    return (
        f"With {sizes} drift is found with a probability of 80 % once {effect} of the rows lie elsewhere: "
        f"in a normally distributed column a shift of {format_number(visible.shift, 2)} standard deviations. "
        + (
            "Of a column that did not change that can be shown."
            if ruled_out
            else "So few rows cannot show of any column that it did not drift."
        )
    )


def reconcile_months(records: Sequence[MonthRecord]) -> tuple[TrackRecord, ...]:
    """Hold the estimates made without labels against what labels said, in all months that have both.

    Each version has an estimator of its own, so that only the newest one's months count: what held for the version
    before says nothing of it. Months it was trained on are left out: there the model is better than on any new row.
    """
    newest = [one for one in records if one.model_version == records[-1].model_version]
    both = [one.outcome for one in newest if one.outcome and not one.used_in_training]
    of_performance = {"subject": "performance", "kind": ""}
    found = track_record(
        pair
        for one in both
        for pair in reconcile(one.pick(**of_performance, basis="estimate"), one.pick(**of_performance, basis="labels"))
    )
    month = records[-1].month if records else "month"
    return tuple(
        one.model_copy(update={"doubt": say_period(one.doubt, month), "caution": say_period(one.caution, month)})
        for one in found
    )


def verdict_frame(record: MonthRecord) -> pd.DataFrame:
    """Lay out what a month came to as a table to be stored: one row, in the words of terminal and page."""
    rows = (record.outcome.rows, record.outcome.labelled) if record.outcome else (None, None)
    said = {
        "month": record.month,
        "model_version": record.model_version,
        "verdict": record.verdict.outcome,
        "summary": record.summary,
        "is_stale": bool(record.stale),
        "used_in_training": record.used_in_training,
    }
    return pd.DataFrame([{**said, **dict(zip(("rows", "labelled"), rows, strict=True))}]).astype(
        {"rows": "Int64", "labelled": "Int64"}
    )
