"""The raw Boston file is the published one, and its data card tells the truth about it."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pandas as pd
import pytest

RAW = Path(__file__).parents[2] / "data" / "01_raw"
CONTENT = (RAW / "boston.csv").read_bytes()
CARD = (RAW / "README.md").read_text(encoding="utf-8")
ORIGINAL_SHA256 = "d98212636026544fc9b9c0f372e5f819872e6fa6fa757ab025efdda22180f2d6"


def test_putting_the_counting_line_and_quotes_back_gives_the_original_of_scikit_learn() -> None:
    header, _, rows = CONTENT.partition(b"\n")
    quoted = b",".join(b'"' + name + b'"' for name in header.split(b","))
    original = b"506,13" + b"," * 12 + b"\n" + quoted + b"\n" + rows
    assert hashlib.sha256(original).hexdigest() == ORIGINAL_SHA256


def test_the_card_names_both_checksums() -> None:
    assert ORIGINAL_SHA256 in CARD
    assert hashlib.sha256(CONTENT).hexdigest() in CARD


def test_the_card_explains_every_column_with_its_own_minimum_and_maximum() -> None:
    frame = pd.read_csv(RAW / "boston.csv")
    rows = [[cell.strip() for cell in line.split("|")[1:-1]] for line in CARD.splitlines() if line.startswith("| `")]
    ends = {row[0].strip("`"): [float(end) for end in row[3].split(" to ")] for row in rows}
    assert list(ends) == list(frame.columns)
    for name, (low, high) in ends.items():
        assert (low, high) == pytest.approx((frame[name].min(), frame[name].max()), abs=6e-4)


def test_the_card_counts_ceilings_floors_and_ambiguous_values_correctly() -> None:
    frame = pd.read_csv(RAW / "boston.csv")
    assert f"{(frame.MEDV == 50).sum()} tracts have exactly 50.0" in CARD
    assert f"`AGE` ({(frame.AGE == 100).sum()} rows at 100)" in CARD
    assert f"`B` ({(frame.B == 396.9).sum()} rows at 396.9)" in CARD
    assert f"`ZN` ({(frame.ZN == 0).sum()} rows at 0)" in CARD
    assert f"136.9 or less ({(frame.B <= 136.9).sum()} rows)" in CARD
