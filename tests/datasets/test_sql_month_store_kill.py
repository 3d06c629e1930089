"""Kill -9 of the writer of a database at random moments: every month is whole, none is lost and none doubled."""

from __future__ import annotations

import random
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import pytest

from rai_kedro.datasets.sql_month_store import SqlMonthStore

pytestmark = pytest.mark.slow

MONTHS = [f"month=2024-0{number}" for number in range(1, 4)]
ROWS = 3_000
SEED = 20240501

# The child writes generation after generation of the same months; all rows of one hold its number.
WRITER = f"""
import sys
import numpy as np
import pandas as pd
from rai_kedro.datasets.partition_file import parse_key
from rai_kedro.datasets.sql_month_store import SqlMonthStore

address, generation = sys.stdin.readline().strip(), int(sys.argv[1])
store = SqlMonthStore(filepath="unused", table="killed", credentials={{"con": address}})
print("ready", flush=True)
while True:
    for key in {MONTHS!r}:
        rows = {{"generation": generation, "row": np.arange({ROWS}), "noise": np.random.random({ROWS})}}
        store.save({{key: pd.DataFrame({{**parse_key(key), **rows}})}})
    print(generation, flush=True)
    generation += 1
"""


def run_and_kill(address: str, first_generation: int, moment: float) -> int:
    """Let the writer finish a generation, kill it later; return the last generation it finished."""
    with subprocess.Popen(
        [sys.executable, "-c", WRITER, str(first_generation)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as child:
        assert child.stdout is not None
        assert child.stdin is not None
        child.stdin.write(f"{address}\n")  # not an argument, which everybody could read
        child.stdin.flush()
        assert child.stdout.readline() == "ready\n", "the writer did not start"
        started = time.monotonic()
        finished = int(child.stdout.readline())
        time.sleep(moment * (time.monotonic() - started))
        child.kill()
        for line in child.stdout:
            finished = int(line)
    assert child.returncode < 0, "the writer has to be killed, not to end"
    return finished


def examine(store: SqlMonthStore, finished: int) -> Counter[str]:
    """Count the months by what a reader finds: the finished generation, the next, or something broken."""
    found: Counter[str] = Counter()
    for read in store.load().values():
        frame = read()
        (generation,) = frame["generation"].unique()
        whole = frame["row"].tolist() == list(range(ROWS)) and frame["noise"].notna().all()
        found[{finished: "old", finished + 1: "new"}.get(int(generation), "lost") if whole else "broken"] += 1
    return found


def torture(address: str, rounds: int) -> Counter[str]:
    moments = random.Random(SEED)  # noqa: S311 - not cryptography
    store = SqlMonthStore(filepath=Path("unused"), table="killed", credentials={"con": address})
    total: Counter[str] = Counter()
    generation = 0
    for _ in range(rounds):
        finished = run_and_kill(address, generation, moments.uniform(0.0, 1.5))
        total += examine(store, finished)
        generation = finished + 2
    return total


def test_a_killed_writer_leaves_every_month_whole(postgres: str) -> None:
    found = torture(postgres, rounds=15)
    assert found["old"] + found["new"] == 15 * len(MONTHS), found
    assert found["new"] > 0, "no kill fell between two months of a generation: the moments are badly chosen"
