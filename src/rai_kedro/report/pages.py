"""The pages of governance, of a comparison of mitigations or versions, and the one that links all others."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from rai_kedro.contract import ColumnProfile, GovernedColumn
from rai_kedro.monitoring import VersionComparison
from rai_kedro.months import find_period
from rai_kedro.proxies import ProxyReport
from rai_kedro.report.figures import draw_proxies
from rai_kedro.report.mitigation_figures import MITIGATION_FIGURES
from rai_kedro.report.mitigation_section import Plain, read_comparison
from rai_kedro.report.monitoring_view import SIGNS
from rai_kedro.report.page import render_page
from rai_kedro.words import begin_sentence, in_words

if TYPE_CHECKING:
    from plotly.graph_objects import Figure


_SPARK_WIDTH, _SPARK_HEIGHT = 100.0, 20.0


def render_governance_page(
    register: Sequence[GovernedColumn],
    profile: Sequence[ColumnProfile],
    *,
    proxies: ProxyReport | None = None,
    use_case: str,
    as_of: date,
) -> str:
    """Render the governance report as one self-contained HTML page that fetches nothing.

    ``proxies`` are those that the newest training found, None before the first; ``profile`` has one description per
    column and month; the days left of a justification are counted from ``as_of``.
    """
    flagged = [row for row in register if row.flags]
    used = [row for row in register if row.model_uses and not row.is_label]
    return render_page(
        "governance.html.j2",
        {} if proxies is None else {"proxies": draw_proxies(proxies)},
        report=proxies,
        period=(find_period(profile[0].month) if profile else None) or "month",
        use_case=use_case,
        today=as_of,
        register=register,
        datasets=list(dict.fromkeys(row.dataset for row in register)),
        flagged=flagged,
        used=used,
        flagged_used=[row for row in used if row.flags],
        columns=_describe_columns(register, profile),
        months=sorted({row.month for row in profile}),
    )


def _describe_columns(register: Sequence[GovernedColumn], profile: Sequence[ColumnProfile]) -> list[dict[str, Any]]:
    """Describe each column over its months, in the order of the register, columns unknown to it last."""
    by_column: dict[tuple[str, str], list[ColumnProfile]] = {(row.dataset, row.name): [] for row in register}
    for row in sorted(profile, key=lambda row: row.month):
        by_column.setdefault((row.dataset, row.column), []).append(row)
    return [
        {
            "dataset": dataset,
            "name": name,
            "rows": rows,
            "is_numeric": any(row.mean is not None for row in rows),
            "missing": max(row.missing_share for row in rows),
            "minimum": min((row.minimum for row in rows if row.minimum is not None), default=None),
            "maximum": max((row.maximum for row in rows if row.maximum is not None), default=None),
            **_draw_spark(rows),
        }
        for (dataset, name), rows in by_column.items()
        if rows
    ]


def _draw_spark(rows: Sequence[ColumnProfile]) -> dict[str, str]:
    """Return SVG on the column's own scale: the path of its monthly means, and the band one deviation around them."""
    known = [(index, row.mean, row.sd or 0.0) for index, row in enumerate(rows) if row.mean is not None]
    months = {index for index, _, _ in known}
    low = min((mean - sd for _, mean, sd in known), default=0.0)
    high = max((mean + sd for _, mean, sd in known), default=0.0)

    def place(index: int, value: float) -> str:
        share = (value - low) / (high - low) if high > low else 0.5
        # SVG counts downwards.
        return f"{_SPARK_WIDTH * index / max(1, len(rows) - 1):.1f},{_SPARK_HEIGHT * (1 - share):.1f}"

    # A month without a mean leaves a gap.
    line = [f"{'L' if index - 1 in months else 'M'}{place(index, mean)}" for index, mean, _ in known]
    upper = [place(index, mean + sd) for index, mean, sd in known]
    lower = [place(index, mean - sd) for index, mean, sd in reversed(known)]
    return {"line": " ".join(line), "band": " ".join([*upper, *lower])}


def render_mitigation_page(comparison: Plain, drawn: Mapping[str, Figure], *, use_case: str) -> str:
    """Render the comparison as one self-contained HTML page that fetches nothing.

    Of the figures that were drawn, those of its section that have data are shown.
    """
    record = read_comparison(comparison)
    figures = {name: drawn[name] for name in MITIGATION_FIGURES if record and name in drawn and drawn[name].data}
    contents = {"mitigation": record, "why_unmitigated": comparison["reason"], "estimator": "", "other_level": ""}
    return render_page("mitigation.html.j2", figures, use_case=use_case, **contents)


def render_comparison_page(found: VersionComparison) -> str:
    """Render a comparison of two versions as one self-contained HTML page."""
    overall = {one.name: one for one in found.gains if not one.month}
    performance = [
        (old, new, overall.get(old.name)) for old, new in zip(found.old.performance, found.new.performance, strict=True)
    ]
    return render_page(
        "comparison.html.j2",
        {},
        period=find_period(found.months[0]) or "month",
        found=found,
        performance=performance,
        by_month=[one for one in found.gains if one.month],
        fairness=list(zip(found.old.fairness, found.new.fairness, strict=True)),
    )


_CARD = re.compile(r"model_card_v(\d+)")
_MONTH = re.compile(r"(?P<month>\d{4}[^_]*)_version_(?P<version>.+)")
_COMPARISON = re.compile(r"comparison_(.+)_(.+)")
_FIRST = ("monitoring", "governance", "mitigation")
_TITLES = {"governance": "Governance: columns, risks and data", "mitigation": "Mitigation, before and after"}


@dataclass(frozen=True)
class _Link:
    title: str
    address: str


@dataclass(frozen=True)
class _UseCase:
    """What there is of one use case; ``newest`` is the last month of its timeline."""

    name: str
    newest: Mapping[str, Any] | None
    pages: tuple[_Link, ...]
    cards: tuple[_Link, ...]
    months: tuple[_Link, ...]


def render_index(paths: Iterable[str], timelines: Mapping[str, Mapping[str, Any]], *, review: str = "") -> str:
    """Render the page that links all others, as one self-contained HTML page.

    Args:
        paths: Pages relative to the folder of the index, ``USE_CASE/PAGE.html`` or ``USE_CASE/FOLDER/PAGE.html``; what
            is no page of a use case is left out.
        timelines: Of each use case that is monitored what :meth:`rai_kedro.monitoring.Timeline.to_json` returns.
        review: The page of the reviewer, if there is one.
    """
    by_use_case: dict[str, list[PurePosixPath]] = {name: [] for name in timelines}
    for path in map(PurePosixPath, paths):
        if path.suffix == ".html" and len(path.parts) > 1:
            by_use_case.setdefault(path.parts[0], []).append(path)
    found = [_read_use_case(name, by_use_case[name], timelines.get(name, {})) for name in sorted(by_use_case)]
    return render_page("index.html.j2", {}, use_cases=found, review=review, signs=SIGNS)


def _read_use_case(name: str, paths: list[PurePosixPath], timeline: Mapping[str, Any]) -> _UseCase:
    cards = {path: int(found[1]) for path in paths if (found := _CARD.fullmatch(path.stem))}
    months = {path: found for path in paths if (found := _MONTH.fullmatch(path.stem))}
    others = [path for path in paths if path not in cards and path not in months]
    others.sort(key=lambda path: (_FIRST.index(path.stem) if path.stem in _FIRST else len(_FIRST), path))
    return _UseCase(
        name,
        newest=(timeline.get("months") or [None])[-1],
        pages=tuple(_link(_name(path.stem), path) for path in others),
        cards=tuple(_link(f"Version {cards[path]}", path) for path in sorted(cards, key=lambda one: -cards[one])),
        months=tuple(
            _link(f"{months[path]['month']}, version {months[path]['version']}", path)
            for path in sorted(months, reverse=True)
        ),
    )


def _name(stem: str) -> str:
    if compared := _COMPARISON.fullmatch(stem):
        return f"Comparison: version {compared[2]} beside version {compared[1]}"
    return _TITLES.get(stem, begin_sentence(in_words(stem)))


def _link(title: str, path: PurePosixPath) -> _Link:
    return _Link(title, quote(str(path)))
