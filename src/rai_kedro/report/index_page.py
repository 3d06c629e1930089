"""One page that links all others: every page of every use case that is on disk, and the newest verdict of each."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any
from urllib.parse import quote

from rai_kedro.report.monitoring_view import SIGNS
from rai_kedro.report.page import render_page
from rai_kedro.words import begin_sentence, in_words

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
