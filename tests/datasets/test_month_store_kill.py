"""Kill -9 at random moments: every month loads whole, as it was or as it is now, never neither."""

import random
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import pandas as pd
import pytest

from rai_kedro.datasets.month_store import MonthStore

MONTHS = [f"month=2024-0{number}" for number in range(1, 4)]
ROWS = 60_000
SEED = 20240501

# The child writes generation after generation of the same months. All rows of one hold its number, so that
# a month that is a mixture, or short, shows. It writes with the dataset that its command line names.
WRITER = f"""
import sys
import numpy as np
import pandas as pd
from rai_kedro.datasets.month_store import MonthStore
from rai_kedro.datasets.partition_file import parse_key

def make(key, generation):
    return pd.DataFrame(
        {{**parse_key(key), "generation": generation, "row": np.arange({ROWS}),
          "noise": np.random.default_rng(generation).random({ROWS})}}
    )

kind, root, generation = sys.argv[1], sys.argv[2], int(sys.argv[3])
if kind == "month_store":
    store = MonthStore(filepath=root)
else:
    from kedro_datasets.partitions import PartitionedDataset
    dataset = {{"type": "pandas.ParquetDataset"}}
    store = PartitionedDataset(path=root, dataset=dataset, filename_suffix="/part-0.parquet")
print("ready", flush=True)
while True:
    for key in {MONTHS!r}:
        store.save({{key: make(key, generation)}})
    print(generation, flush=True)
    generation += 1
"""


def run_and_kill(kind: str, root: Path, first_generation: int, moment: float) -> int:
    """Let the writer finish a generation, kill it later; return the last generation it finished.

    Args:
        kind: The dataset to write with.
        root: Its folder.
        first_generation: Number of the first generation.
        moment: When to kill, in the times that the first generation took.
    """
    command = [sys.executable, "-c", WRITER, kind, str(root), str(first_generation)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as child:
        assert child.stdout is not None
        assert child.stdout.readline() == "ready\n", "the writer did not start"
        started = time.monotonic()
        finished = int(child.stdout.readline())
        time.sleep(moment * (time.monotonic() - started))
        child.kill()
        for line in child.stdout:
            finished = int(line)
    assert child.returncode < 0, "the writer has to be killed, not to end"
    return finished


def examine(root: Path, finished: int) -> Counter[str]:
    """Count the months by what a reader finds: the finished generation, the next, or something broken."""
    found: Counter[str] = Counter()
    for key in MONTHS:
        try:
            frame = pd.read_parquet(root / key / "part-0.parquet", partitioning=None)
        except Exception:
            found["broken"] += 1
            continue
        (generation,) = frame["generation"].unique()
        whole = frame["row"].tolist() == list(range(ROWS)) and frame["noise"].notna().all()
        found[{finished: "old", finished + 1: "new"}.get(int(generation), "lost") if whole else "broken"] += 1
    return found


def torture(kind: str, root: Path, rounds: int) -> Counter[str]:
    moments = random.Random(SEED)  # noqa: S311 - not cryptography
    total: Counter[str] = Counter()
    generation = 0
    for _ in range(rounds):
        finished = run_and_kill(kind, root, generation, moments.uniform(0.0, 1.5))
        total += examine(root, finished)
        generation = finished + 2
    return total


@pytest.mark.slow
def test_killed_writer_leaves_every_month_whole(tmp_path: Path) -> None:
    found = torture("month_store", tmp_path, rounds=25)
    assert found["broken"] == 0, found
    assert found["lost"] == 0, found
    assert found["old"] + found["new"] == 25 * len(MONTHS)
    assert found["new"] > 0, "no kill fell between two months of a generation: the moments are badly chosen"

    store = MonthStore(filepath=tmp_path)
    assert list(store.load()) == MONTHS
    store.save({MONTHS[0]: store.load()[MONTHS[0]]()})
    names = {path.name for path in tmp_path.rglob("*") if path.is_file()}
    assert names == {"part-0.parquet", ".lock"}, "the next save has to clean up after the killed ones"


@pytest.mark.slow
def test_the_same_kills_break_the_stock_dataset(tmp_path: Path) -> None:
    """Shows that the test above can fail."""
    found: Counter[str] = Counter()
    for _ in range(3):
        found += torture("partitioned", tmp_path / str(sum(found.values())), rounds=8)
        if found["broken"]:
            break
    assert found["broken"] > 0, found
