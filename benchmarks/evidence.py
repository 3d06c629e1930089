"""How long checking a long evidence record takes: the chain, then 10,000 months against stores that are in memory.

Prints two lines. Goal: the chain in at most 2 s of processor time. The digests of the stores come on top and depend on
their size: every month here is 500 rows of predictions, read once and digested.
"""

from __future__ import annotations

import tempfile
import time
from pathlib import Path

import numpy as np
import pandas as pd

from rai_kedro.monitoring import MonthDigests, content_digest
from rai_kedro.release import MonthEntry, check_chain, record_months
from rai_kedro.release.month_entries import MonthStores, check_months

ENTRIES = 10_000
GOAL_S = 2.0
NOW = "2024-05-01T12:00:00+00:00"


def main() -> None:
    """Make the record, check it, and print how long that took."""
    rng = np.random.default_rng(1)
    frame = pd.DataFrame({"row": np.arange(500), "prediction": rng.normal(size=500)})
    digest = content_digest(frame)
    facts = {"use_case": "bench", "run_id": "0" * 32, "manifest": digest, "features": digest, "labels": digest}
    results = {"predictions": digest, "drift": digest, "outcomes": digest, "verdict": "ok"}
    months = [
        MonthEntry.from_dict(
            {**facts, **results, "month": f"{number // 12:04d}-{number % 12 + 1:02d}", "model_version": "1"}
        )
        for number in range(ENTRIES)
    ]
    with tempfile.TemporaryDirectory() as folder:
        record = Path(folder, "bench.jsonl")
        record_months(record, months, NOW)
        started = time.process_time()
        chain = check_chain(record)
        spent = time.process_time() - started
    met = "met" if spent <= GOAL_S else "MISSED"
    print(f"chain of {len(chain.entries)} entries: {spent:.2f} s (goal {GOAL_S:g} s: {met})")
    store = {one.key: lambda: frame for one in months}
    stores = MonthStores(store, store, store, lambda _: MonthDigests(features=digest, labels=digest))
    started = time.process_time()
    found = check_months(chain.entries, stores)
    spent = time.process_time() - started
    print(f"{found.months} months, {3 * ENTRIES} tables of 500 rows: {spent:.1f} s, {len(found.findings)} findings")


if __name__ == "__main__":
    main()
