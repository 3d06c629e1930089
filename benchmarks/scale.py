"""What a month of many rows costs, and that every engine says the same of it.

Months of a made-up use case (loans: eight numbers, two categories, two audited columns, a label of 0 and 1) are written
into stores and put through the stage as it is: validated, scored, tested for drift, compared between groups. Each
measurement is a process of its own; processor time and peak memory are of the whole of it and of its children, after
import. Beside them stand plain pandas, and Evidently's drift report, on the same month read at once.

    python benchmarks/scale.py                                  # 1 M and 10 M rows, this process in blocks
    python benchmarks/scale.py --rows 1e6 1e7 1e8 --engines blocks pandas spark
    python benchmarks/scale.py --equal --rows 6e5               # digests, verdicts and predictions on every engine

Needs no network. Time depends on what else the machine does: compare the lines of one run with each other.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from datetime import date
from functools import cache
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd

ENGINES = ("blocks", "pandas", "spark")
OTHERS = ("plain pandas", "evidently")
MONTH, MADE_AT_ONCE = "2024-02", 250_000
DIFFERENT = 8  # rows are drawn so many times, and come again with other numbers
NUMBERS = [f"x{at}" for at in range(8)]
FEATURES = [*NUMBERS, "purpose", "region"]
_CONTRACT = """
loans.feature_store:
  metadata:
    rai:
      owner: benchmark
      purpose: predict repayment
      key: [loan]
      time: month
      columns:
{numbers}
        purpose: {{type: category, categories: [car, house, other], flags: [], use: model, description: of the loan}}
        region: {{type: category, flags: [], use: model, description: where}}
        sex: {{type: category, flags: [risky, demographic], use: audit, risk: bias, description: of the borrower}}
        age: {{type: float, range: [18, 100], flags: [risky], use: audit, risk: bias, description: in years}}
loans.label_store:
  metadata:
    rai:
      owner: benchmark
      purpose: learn repayment
      key: [loan]
      time: month
      columns:
        repaid: {{type: integer, range: [0, 1], flags: [], use: model, description: whether it was repaid}}
"""


def make_rows(start: int, rows: int, month: str) -> pd.DataFrame:
    """Make loans of a month by number; the same number is the same loan, however many are made at once."""
    parts = [_make_part(at, month) for at in range(start // MADE_AT_ONCE, -(-(start + rows) // MADE_AT_ONCE))]
    whole = pd.concat(parts, ignore_index=True)
    offset = start % MADE_AT_ONCE
    return whole.iloc[offset : offset + rows].reset_index(drop=True)


def _make_part(number: int, month: str) -> pd.DataFrame:
    return _draw_part(number % DIFFERENT, month).assign(loan=np.arange(MADE_AT_ONCE) + number * MADE_AT_ONCE)


@cache
def _draw_part(seed: int, month: str) -> pd.DataFrame:
    rng, rows = np.random.default_rng([seed, int(month[-2:])]), MADE_AT_ONCE
    frame = pd.DataFrame({"month": pd.Series([month] * rows, dtype="str"), "loan": np.zeros(rows, dtype="int64")})
    values = rng.normal(size=(rows, len(NUMBERS))).round(4)
    values[:, 3] += 0.5 * (month > "2024-01")  # drift
    frame = frame.join(pd.DataFrame(values, columns=NUMBERS))
    frame.loc[rng.random(rows) < 0.02, "x7"] = np.nan  # noqa: PLR2004
    frame["purpose"] = rng.choice(["car", "house", "other"], rows, p=[0.5, 0.3, 0.2])
    frame["region"] = rng.choice([f"r{at}" for at in range(20)], rows)
    frame["sex"] = rng.choice(["f", "m"], rows)
    frame["age"] = rng.integers(18, 90, rows).astype(float)
    logit = values[:, :4].sum(axis=1) / 2 + 0.3 * (frame["sex"] == "m")
    return frame.assign(repaid=(rng.random(rows) < 1 / (1 + np.exp(-logit))).astype("int64"))


def write_stores(folder: Path, rows: int, *, shuffled: bool = False) -> None:
    """Write features and labels of the month, block by block; shuffled, not in the order of the key."""
    from rai_kedro.datasets.month_store import MonthStore
    from rai_kedro.datasets.partition_file import SpooledMonth

    columns = {"feature_store": lambda one: one.drop(columns="repaid"), "label_store": lambda one: one[_LABELS]}
    for name, take in columns.items():
        frames = (take(one) for one in _iterate(rows, shuffled=shuffled))
        MonthStore(filepath=folder / name).save({f"month={MONTH}": SpooledMonth(f"month={MONTH}", frames)})


_LABELS = ["month", "loan", "repaid"]


def _iterate(rows: int, *, shuffled: bool) -> Iterator[pd.DataFrame]:
    starts = list(range(0, rows, MADE_AT_ONCE))
    for start in reversed(starts) if shuffled else starts:
        part = make_rows(start, min(MADE_AT_ONCE, rows - start), MONTH)
        yield part.sample(frac=1, random_state=start) if shuffled else part


def fit() -> tuple[Any, Any]:
    """Fit a model on an earlier month, and make the reference that months are compared with."""
    from sklearn.compose import make_column_transformer
    from sklearn.impute import SimpleImputer
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import OneHotEncoder

    from rai_kedro.modelling import predict_rows
    from rai_kedro.monitoring import Baseline, VersionReference

    rows, test = make_rows(0, 20_000, "2024-01"), make_rows(20_000, 20_000, "2024-01")
    encode = OneHotEncoder(handle_unknown="ignore", sparse_output=False)
    prepare = make_column_transformer((SimpleImputer(), NUMBERS), (encode, ["purpose", "region"]))
    model = make_pipeline(prepare, LogisticRegression()).fit(rows[FEATURES], rows["repaid"])
    baseline = Baseline(
        task="classification",
        target="repaid",
        features=tuple(FEATURES),
        fairness={
            "groupings": [{"columns": ["sex"]}, {"columns": ["sex", "age"], "cuts": {"age": [30, 60]}}],
            "metrics": ["statistical_parity", "equal_opportunity", "calibration_within_groups"],
        },
        tolerances=({"metric": "statistical_parity", "kind": "difference", "limit": 0.1},),
    )
    reference = test.drop(columns=["month", "loan"]).join(predict_rows(model, test[FEATURES]))
    return model, VersionReference(reference, baseline, ("2024-01",))


def monitor(folder: Path, engine: str, model: Any, reference: Any) -> dict[str, Any]:
    """Put the month through the stage, and return digests and verdicts."""
    from kedro.io import DataCatalog, MemoryDataset
    from kedro.runner import SequentialRunner

    from rai_kedro.contract import read_contract
    from rai_kedro.datasets.contract import ContractValidator
    from rai_kedro.datasets.engine import EngineDataset
    from rai_kedro.datasets.month_store import MonthStore
    from rai_kedro.datasets.record import RecordDataset
    from rai_kedro.monitoring import MonitoringPolicy
    from rai_kedro.pipelines.monitoring import create_pipeline
    from rai_kedro.pipelines.parameters import MonitoringParameters

    file = folder / "conf" / "loans" / "catalog.yml"
    file.parent.mkdir(parents=True, exist_ok=True)
    numbers = [
        f"        {one}: {{type: float, flags: [], use: model, nullable: true, description: a number}}"
        for one in NUMBERS
    ]
    file.write_text(_CONTRACT.format(numbers="\n".join(numbers)), encoding="utf-8")
    made, by = folder / engine, ["month", "model_version"]
    stores = {name: MonthStore(filepath=made / name, partition_by=by) for name in _RESULTS}
    record = RecordDataset(filepath=made / "evidence" / "loans.jsonl")
    inputs = {
        name: ContractValidator(str(file), name).validate(MonthStore(filepath=folder / name).load())
        for name in ("feature_store", "label_store")
    }
    options = {"spark.master": "local[2]"} if engine == "spark" else {}
    manifest = SimpleNamespace(digest="5e88")
    values = {
        **inputs,
        "contract": read_contract(file, as_of=date(2026, 1, 1)),
        "engine": EngineDataset(name=engine, options=options).load(),
        "scoring_model": SimpleNamespace(model=model, version="1", run_id="abc", manifest=manifest),
        "references": lambda _: reference,
        "params:monitoring": MonitoringParameters(policy=MonitoringPolicy()),
    }
    catalog = DataCatalog(
        {
            **{name: MemoryDataset(value, copy_mode="assign") for name, value in values.items()},
            **stores,
            **dict.fromkeys(("record", "scoring_record", "record_history"), record),
            **{f"{name.removesuffix('_store')}_history": store for name, store in stores.items()},
            "month_reader": MemoryDataset(copy_mode="assign"),
        }
    )
    stage = create_pipeline().only_nodes("select_months", "score_months", "watch_drift", "measure_outcomes")
    problems = SequentialRunner().run(stage, catalog)
    for name in ("scoring_problems", "testing_problems", "measuring_problems"):
        if found := problems[name].load():
            sys.exit(f"{engine}: {found}")
    return _digest_results(stores, record)


_RESULTS = ("prediction_store", "drift_store", "outcome_store")


def _digest_results(stores: dict[str, Any], record: Any) -> dict[str, Any]:
    from rai_kedro import monitoring, release

    key = f"month={MONTH}/model_version=1"
    (entry,) = release.read_months(release.read_evidence(record._filepath)).values()
    drift = monitoring.from_frame(stores["drift_store"].load()[key]())
    outcome = monitoring.read_outcome(stores["outcome_store"].load()[key]())
    verdicts = [f"{one.column} {one.verdict}" for one in drift.columns]
    verdicts += [f"{one.name} {one.group} {one.verdict}" for one in outcome.figures if one.verdict]
    exact = {"drift": drift.to_dict(), "outcome": outcome.to_dict()}
    return {
        "features": entry.month.features,
        "predictions": entry.month.predictions,
        "results": hashlib.sha256(json.dumps(exact, sort_keys=True).encode()).hexdigest(),
        "verdicts": hashlib.sha256("\n".join(verdicts).encode()).hexdigest(),
    }


def run_plain(folder: Path, what: str, model: Any, reference: Any) -> dict[str, Any]:
    """Do what a script would: read the month at once, score it, and test it for drift."""
    rows = pd.read_parquet(folder / "feature_store" / f"month={MONTH}" / "part-0.parquet")
    rows["score"] = model.predict_proba(rows[FEATURES])[:, 1]
    if what == "plain pandas":
        rows["prediction"] = rows["score"] > 0.5  # noqa: PLR2004
        rows.groupby("sex")["prediction"].mean()
        return {}
    from evidently import DataDefinition, Dataset, Report
    from evidently.presets import DataDriftPreset

    definition = DataDefinition(numerical_columns=[*NUMBERS, "score"], categorical_columns=["purpose", "region"])
    columns = [*NUMBERS, "score", "purpose", "region"]
    now, before = (Dataset.from_pandas(one[columns], definition) for one in (rows, reference.rows))
    Report([DataDriftPreset()]).run(now, before)
    return {}


def measure(folder: Path, what: str) -> dict[str, Any]:
    """Measure one way in a process of its own."""
    command = [sys.executable, __file__, "--one", what, "--folder", str(folder)]
    done = subprocess.run(command, stdout=subprocess.PIPE, check=False, text=True)  # noqa: S603
    if done.returncode:
        return {"failed": f"ended with code {done.returncode}"}
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


def measure_here(folder: Path, what: str) -> None:
    """Do the work in this process, and print what it took beyond the import."""
    import kedro.runner  # noqa: F401
    import scipy.stats  # noqa: F401
    import sklearn.linear_model  # noqa: F401

    import rai_kedro.pipelines.monitoring  # noqa: F401

    if what == "evidently":
        import evidently.presets  # noqa: F401
    known = fit()
    before, started = _used(), time.perf_counter()
    found = monitor(folder, what, *known) if what in ENGINES else run_plain(folder, what, *known)
    cpu, wall = _used() - before, time.perf_counter() - started
    unit = 1 if sys.platform == "darwin" else 1024
    peak = max(resource.getrusage(who).ru_maxrss for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    print(json.dumps({**found, "cpu": cpu, "wall": wall, "peak": peak * unit / 2**20}))


def _used() -> float:
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(one.ru_utime + one.ru_stime for one in used)


def compare(rows: list[int], whats: list[str], place: str | None) -> None:
    """Print a table of what every way takes at every size."""
    print("| rows | engine | processor s | wall s | peak MB | predictions |\n|---|---|---|---|---|---|")
    for size in rows:
        with tempfile.TemporaryDirectory(prefix="rai-scale-", dir=place) as folder:
            write_stores(Path(folder), size)
            for what in whats:
                one = measure(Path(folder), what)
                if "failed" in one:
                    print(f"| {size:,} | {what} | {one['failed']} | | | |", flush=True)
                    continue
                shown = one.get("predictions", "")[:12]
                figures = f"{one['cpu']:.1f} | {one['wall']:.1f} | {one['peak']:.0f}"
                print(f"| {size:,} | {what} | {figures} | {shown} |", flush=True)


def find_differences(folder: Path, rows: int, engines: list[str]) -> list[str]:
    """Say in which digests engines differ, on a month in the order of its key and on the same in another order."""
    said, known = [], dict[str, Any]()
    for shuffled in (False, True):
        place = folder / f"shuffled-{shuffled}"
        write_stores(place, rows, shuffled=shuffled)
        for engine in engines:
            found = measure(place, engine)
            known = known or found
            compared = ("features", "predictions", "results", "verdicts")
            order = "another order" if shuffled else "key order"
            said += [f"{engine}, {order}: {found['failed']}"] if "failed" in found else []
            said += [f"{engine}, {order}: other {name}" for name in compared if found.get(name) != known.get(name)]
    return said


def main() -> None:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--rows", nargs="+", type=float, default=[1e6, 1e7])
    parser.add_argument("--engines", nargs="+", default=["blocks", *OTHERS], choices=[*ENGINES, *OTHERS])
    parser.add_argument("--equal", action="store_true", help="say whether all engines say the same")
    parser.add_argument("--place", help="folder for the months; the temporary one by default")
    parser.add_argument("--one", help=argparse.SUPPRESS)
    parser.add_argument("--folder", type=Path, help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.one:
        measure_here(asked.folder, asked.one)
    elif asked.equal:
        with tempfile.TemporaryDirectory(prefix="rai-scale-", dir=asked.place) as folder:
            engines = [one for one in asked.engines if one in ENGINES]
            said = find_differences(Path(folder), int(asked.rows[0]), engines if len(engines) > 1 else list(ENGINES))
        print("\n".join(said) or "all engines say the same, to the last bit")
        sys.exit(bool(said))
    else:
        os.environ.setdefault("DO_NOT_TRACK", "true")
        compare([int(one) for one in asked.rows], asked.engines, asked.place)


if __name__ == "__main__":
    main()
