"""A user's own table through the real commands, by YAML only: drafted, decided on, trained, approved, monitored."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import pytest
import yaml

pytestmark = pytest.mark.e2e

RENT_ROWS, LOAN_ROWS = 1500, 9000


@dataclass(frozen=True)
class Own:
    """A table made on the spot, and what is asked for with it.

    Attributes:
        name: Name of the use case.
        table: The table.
        asked: Options of ``kedro rai new-use-case``.
        audited: The column that has to be found sensitive.
        features: The columns that may reach the model once the draft is accepted.
        write: How the CSV file is written.
    """

    name: str
    table: Callable[[], pd.DataFrame]
    asked: tuple[str, ...]
    audited: str
    features: tuple[str, ...]
    write: dict[str, Any]


def make_rents() -> pd.DataFrame:
    """Rents by two months, written as a German office would: semicolons, decimal commas, day first."""
    draw = np.random.default_rng(3)
    size = draw.normal(80, 20, RENT_ROWS)
    heating = draw.choice(["Gas", "Öl", "no"], RENT_ROWS)
    rent = 10 * size + np.where(heating == "Gas", 30, 0) + draw.normal(0, 40, RENT_ROWS)
    return pd.DataFrame(
        {
            "Wohnungs-Nr.": [f"W{i:05d}" for i in range(RENT_ROWS)],
            "Größe (m²)": np.where(draw.random(RENT_ROWS) < 0.05, np.nan, size.round(1)),
            "Heizung": np.where(draw.random(RENT_ROWS) < 0.05, None, heating),
            "Geschlecht": draw.choice(["m", "w"], RENT_ROWS),
            "Bemerkung": [f"Text {i}; mit Semikolon und ein paar Worten mehr" for i in range(RENT_ROWS)],
            "Datum": pd.date_range("2024-01-01", "2024-02-29", periods=RENT_ROWS).strftime("%d.%m.%Y"),
            "Miete": rent.round(2),
        }
    )


def make_loans() -> pd.DataFrame:
    """Loans as one snapshot, with a yes/no label and a column of race."""
    draw = np.random.default_rng(4)
    income = draw.normal(40, 10, LOAN_ROWS).round(2)
    job = draw.choice(["clerk", "driver", "nurse"], LOAN_ROWS)
    return pd.DataFrame(
        {
            "income": income,
            "job": job,
            "race": draw.choice(["White", "Black"], LOAN_ROWS),
            "repaid": np.where(income + draw.normal(0, 6, LOAN_ROWS) + (job == "nurse") > 38, "yes", "no"),
        }
    )


RENTS = Own(
    "rents",
    make_rents,
    ("--target", "Miete", "--task", "regression", "--time", "Datum"),
    "Geschlecht",
    ("Größe_m2", "Heizung"),
    {"sep": ";", "decimal": ","},
)
LOANS = Own(
    "loans",
    make_loans,
    ("--target", "repaid", "--task", "classification", "--month", "2024-01"),
    "race",
    ("income", "job"),
    {},
)


@pytest.fixture(
    scope="session", params=[RENTS, pytest.param(LOANS, marks=pytest.mark.slow)], ids=["regression", "classification"]
)
def own(request: pytest.FixtureRequest) -> Own:
    found: Own = request.param
    return found


@pytest.fixture(scope="session")
def drafted(own: Own, fresh: Any, tmp_path_factory: pytest.TempPathFactory) -> Any:
    """The use case as drafted, with its snapshots written; nobody has decided anything."""
    project = fresh.copy_to(tmp_path_factory.mktemp(own.name) / "project")
    own.table().to_csv(project.root / "mine.csv", index=False, **own.write)
    project.succeed("rai", "new-use-case", own.name, "--data", "mine.csv", *own.asked)
    project.succeed("run", "--pipelines", f"{own.name}.ingestion,{own.name}.governance")
    return project


@pytest.fixture(scope="session")
def accepted(own: Own, drafted: Any, tmp_path_factory: pytest.TempPathFactory) -> Any:
    """The draft accepted and trained on: one candidate."""
    project = drafted.copy_to(tmp_path_factory.mktemp(f"{own.name}_accepted") / "project")
    project.succeed("rai", "accept-draft", "--use-case", own.name, "--reviewer", "R. Viewer")
    write_statements(project, own.name)
    project.succeed("run", "--pipelines", own.name)
    return project


def write_statements(project: Any, name: str) -> None:
    """Write what a draft leaves to a person, without which nothing can be approved."""
    for file in ("catalog.yml", "parameters.yml"):
        path = project.root / f"conf/base/{name}/{file}"
        path.write_text(
            path.read_text(encoding="utf-8").replace("to be written", "as R. Viewer knows it"), encoding="utf-8"
        )


def columns(project: Any, own: Own) -> dict[str, Any]:
    catalog = yaml.safe_load((project.root / f"conf/base/{own.name}/catalog.yml").read_text(encoding="utf-8"))
    found: dict[str, Any] = catalog[f"{own.name}.feature_store"]["metadata"]["rai"]["columns"]
    return found


def test_a_draft_allows_nothing_and_training_names_what_is_undecided(
    own: Own, drafted: Any, copy_of: Callable[[Any], Any], assert_one_screen: Callable[[Any], str]
) -> None:
    project = copy_of(drafted)

    outcome = project.kedro("run", "--pipelines", f"{own.name}.training")

    error = assert_one_screen(outcome)
    assert "Nobody has decided" in error
    assert f"kedro rai accept-draft --use-case {own.name} --reviewer NAME" in " ".join(error.split())
    assert own.features[0] in error and f"--use-case {own.name}" in error
    assert {spec["use"] for spec in columns(project, own).values()} <= {"audit", "forbidden"}
    assert columns(project, own)[own.audited]["use"] == "audit"
    assert project.query("SELECT name FROM registered_models") == []


@pytest.mark.slow
def test_an_accepted_draft_is_trained_on_what_was_accepted_only(own: Own, accepted: Any) -> None:
    opened = tuple(name for name, spec in columns(accepted, own).items() if spec["use"] == "model")

    assert opened == own.features
    assert accepted.query("SELECT name, version FROM model_versions") == [(own.name, 1)]
    assert (accepted.data / "08_reporting" / own.name / "model_card_v1.html").is_file()


@pytest.mark.slow
def test_approved_and_monitored(own: Own, accepted: Any, copy_of: Callable[[Any], Any]) -> None:
    project = copy_of(accepted)
    review = ("--version", "1", "--reviewer", "R. Viewer", "--statement", "figures and card read")

    # Both tables are fair, and large enough for the gate to say so.
    assert project.kedro("rai", "gate", "--use-case", own.name).code == 0
    project.succeed("rai", "approve", "--use-case", own.name, *review)
    project.succeed("run", "--pipelines", f"{own.name}.monitoring")

    store = project.data / "07_model_output" / own.name / "prediction_store"
    months = sorted(path.name for path in store.glob("month=*"))
    assert months == (["month=2024-01", "month=2024-02"] if own is RENTS else ["month=2024-01"])
    predictions = pd.concat(pd.read_parquet(path) for path in store.rglob("*.parquet"))
    assert len(predictions) == (RENT_ROWS if own is RENTS else LOAN_ROWS)
    assert predictions["prediction"].notna().all()
    if own is LOANS:
        assert predictions["score"].between(0, 1).all()
        assert set(predictions["prediction"]) == {0, 1}
    drift = project.data / "07_model_output" / own.name / "drift_store"
    assert sorted(path.name for path in drift.glob("month=*")) == months


@pytest.mark.parametrize("own", [RENTS], ids=["regression"], indirect=True)
def test_later_rows_come_in_as_a_new_month(accepted: Any, own: Own, copy_of: Callable[[Any], Any]) -> None:
    project = copy_of(accepted)
    before = project.digests(project.data / "03_primary" / "rents")
    later = make_rents().tail(300).assign(Datum="15.03.2024")
    pd.concat([make_rents(), later]).to_csv(project.root / "mine.csv", index=False, **own.write)

    project.succeed("run", "--pipelines", "rents.ingestion")

    store = project.data / "03_primary" / "rents" / "feature_store"
    assert sorted(path.name for path in store.glob("month=*")) == [f"month=2024-0{month}" for month in (1, 2, 3)]
    after = project.digests(project.data / "03_primary" / "rents")
    assert {path: after[path] for path in before} == before


@pytest.mark.parametrize("own", [RENTS], ids=["regression"], indirect=True)
def test_a_file_exported_anew_names_the_months_that_changed_or_vanished(
    drafted: Any, own: Own, copy_of: Callable[[Any], Any]
) -> None:
    project = copy_of(drafted)
    store = project.data / "03_primary" / "rents"
    before = project.digests(store)
    table = make_rents()
    january = table["Datum"].str.endswith(".01.2024")
    later = table.tail(100).assign(Datum="15.03.2024")

    # One value of February corrected, January left out, March new.
    table.loc[table.index[-1], "Größe (m²)"] = 99.9
    pd.concat([table[~january], later]).to_csv(project.root / "mine.csv", index=False, **own.write)
    told = project.succeed("run", "--pipelines", "rents.ingestion").output

    assert "rents.feature_store: 1 month changed at its source and is replaced: 2024-02" in told
    assert "rents.feature_store: 1 month is no longer at its source and stays in the store: 2024-01" in told
    assert "label_store: 1 month changed" not in told
    after = project.digests(store)
    touched = {path for path in after if before.get(path) != after[path] and path.endswith(".parquet")}
    assert touched == {
        "data/test/03_primary/rents/feature_store/month=2024-02/part-0.parquet",
        "data/test/03_primary/rents/feature_store/month=2024-03/part-0.parquet",
        "data/test/03_primary/rents/label_store/month=2024-03/part-0.parquet",
    }


@pytest.mark.slow
@pytest.mark.parametrize("own", [RENTS], ids=["regression"], indirect=True)
def test_a_contract_broken_by_hand_stops_its_own_use_case_only(
    drafted: Any, own: Own, copy_of: Callable[[Any], Any], assert_one_screen: Callable[[Any], str]
) -> None:
    project = copy_of(drafted)
    file = project.root / "conf/base/rents/catalog.yml"
    file.write_text(file.read_text(encoding="utf-8").replace("use: audit", "use: audti"), encoding="utf-8")

    told = project.succeed("run", "--pipelines", "housing.simulation").output
    assert "The contract of 'rents' cannot be read" in told and "audti" in told
    assert "Unknown word for 'use'" in assert_one_screen(project.kedro("run", "--pipelines", "rents.governance"))


@pytest.mark.slow
@pytest.mark.parametrize("own", [RENTS], ids=["regression"], indirect=True)
def test_a_month_is_added_on_its_own_and_replaced_only_when_asked(
    drafted: Any, own: Own, copy_of: Callable[[Any], Any], assert_one_screen: Callable[[Any], str]
) -> None:
    project = copy_of(drafted)
    store = project.data / "03_primary" / "rents"
    before = project.digests(store)
    (project.root / "mine.csv").unlink()  # the past is not read again
    march = make_rents().tail(100).assign(Datum="15.03.2024")

    def add(table: pd.DataFrame, *more: str) -> Any:
        table.to_csv(project.root / "march.csv", index=False, **own.write)
        return project.kedro("rai", "add-month", "rents", "march.csv", *more)

    assert "not all of one month" in assert_one_screen(add(make_rents().tail(1400)))
    assert "should be float" in assert_one_screen(add(march.assign(Miete="viel")))
    assert "is not one of" in assert_one_screen(add(march.assign(Heizung="Kohle")))
    assert project.digests(store) == before

    assert "added (feature_store): 100 rows, 0 of them" in add(march.drop(columns="Miete")).output
    assert "added (label_store): 100 rows, 100 of them" in add(march, "--month", "2024-03").output
    added = project.digests(store)
    assert {path: added[path] for path in before} == before and len(added) == len(before) + 2

    project.succeed("rai", "verify", "--use-case", "rents")  # what is stored is what was entered
    assert "is there already and equal" in add(march).output
    other = march.assign(Miete=march["Miete"] + 1)
    assert "there already, with other rows; nothing was written" in assert_one_screen(add(other))
    assert project.digests(store) == added
    assert "replaced (label_store)" in add(other, "--replace").output
    project.succeed("rai", "verify", "--use-case", "rents")
    changed = {path for path, digest in project.digests(store).items() if added[path] != digest}
    assert changed == {"data/test/03_primary/rents/label_store/month=2024-03/part-0.parquet"}
    assert "files of its own" in assert_one_screen(project.kedro("rai", "add-month", "housing", "march.csv"))


@pytest.mark.slow
def test_stores_that_another_system_fills_start_at_governance(
    fresh: Any, copy_of: Callable[[Any], Any], assert_one_screen: Callable[[Any], str]
) -> None:
    project = copy_of(fresh)
    table = make_loans().assign(loan=range(LOAN_ROWS))
    for month, rows in enumerate(np.array_split(np.arange(LOAN_ROWS), 2), start=1):
        folder = project.root / "warehouse" / f"month=2024-0{month}"
        folder.mkdir(parents=True)
        table.iloc[rows].to_parquet(folder / "export.parquet")
    before = project.digests(project.root / "warehouse")
    asked = ("--stores", "warehouse", "--key", "loan", "--target", "repaid", "--task", "classification")

    project.succeed("rai", "new-use-case", "loans", *asked)
    project.succeed("rai", "accept-draft", "--use-case", "loans", "--reviewer", "R. Viewer")
    write_statements(project, "loans")
    assert "loans.ingestion" not in project.succeed("registry", "list").output
    project.succeed("run", "--pipelines", "loans")
    review = ("--version", "1", "--reviewer", "R. Viewer", "--statement", "figures and card read")
    project.succeed("rai", "approve", "--use-case", "loans", *review)
    project.succeed("run", "--pipelines", "loans.monitoring")

    predictions = project.data / "07_model_output" / "loans" / "prediction_store"
    assert sorted(path.name for path in predictions.glob("month=*")) == ["month=2024-01", "month=2024-02"]
    assert project.digests(project.root / "warehouse") == before
    assert not (project.data / "03_primary" / "loans").exists()
    assert "another system" in assert_one_screen(project.kedro("rai", "add-month", "loans", "x.csv"))


@pytest.mark.parametrize(
    ("broken", "words"),
    [
        ("a;b\n1;2\n3\n", "line 3"),
        ("1,5;2\n3;4\n", "no header"),
        ("", "is empty"),
    ],
)
def test_a_broken_file_makes_no_use_case(
    broken: str,
    words: str,
    fresh: Any,
    copy_of: Callable[[Any], Any],
    assert_one_screen: Callable[[Any], str],
) -> None:
    project = copy_of(fresh)
    (project.root / "mine.csv").write_text(broken, encoding="utf-8")

    outcome = project.kedro(
        "rai", "new-use-case", "mine", "--data", "mine.csv", "--target", "b", "--task", "regression"
    )

    assert words in assert_one_screen(outcome)
    assert not (project.root / "conf" / "base" / "mine").exists()
