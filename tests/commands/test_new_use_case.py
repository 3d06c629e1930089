"""From a table to a folder of YAML: what is written holds for the data, and nothing is written otherwise."""

from __future__ import annotations

import hashlib
import re
import shutil
from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Any

import click
import numpy as np
import pandas as pd
import pytest
import yaml
from click.testing import CliRunner
from kedro.io import DataCatalog, DatasetError

from rai_kedro.commands.accept_draft import Acceptance, DraftError, accept_draft, command
from rai_kedro.commands.accept_draft import _ask as ask_groups
from rai_kedro.commands.new_use_case import NewUseCase, describe, new_use_case
from rai_kedro.commands.use_case_choices import UseCaseRequest, name_columns
from rai_kedro.contract import (
    UNDECIDED,
    LaneError,
    check_frame,
    model_columns,
    read_contract,
    refuse_undecided,
)
from rai_kedro.datasets.own_table import OwnTable
from rai_kedro.errors import RaiError
from rai_kedro.files import find_account
from rai_kedro.pipelines.parameters import FairnessParameters, MitigationParameters, Statements, TrainingParameters
from rai_kedro.policy import Policy
from rai_kedro.proxies import ProxyPolicy
from rai_kedro.release import read_evidence
from rai_kedro.sources import IngestionParameters, split_months

TODAY = date(2024, 6, 1)
ROOT = Path(__file__).resolve().parents[2]
ROWS = 240
Make = Callable[..., NewUseCase]


def rents(rows: int = ROWS) -> pd.DataFrame:
    """A table as people keep one: odd names, codes, dates, gaps, free text, an identifier."""
    draw = np.random.default_rng(7)
    size = draw.normal(80, 20, rows).round(1)
    return pd.DataFrame(
        {
            "Listing ID": [f"L{i:05d}" for i in range(rows)],
            "Größe (m²)": size,
            "rooms.total": draw.integers(1, 6, rows),
            "heating, type": np.where(draw.random(rows) < 0.1, None, draw.choice(["gas", "no", "null?"], rows)),
            "listed on": pd.date_range("2024-01-01", periods=rows, freq="12h").strftime("%d.%m.%Y"),
            "Geschlecht": draw.choice(["m", "w"], rows),
            "month": draw.integers(1, 13, rows),
            "true": draw.choice(["a: b", "# c", "${d}", "{e}"], rows),
            "comment": [f"remark {i}: 'quoted' and \"quoted\", with commas" for i in range(rows)],
            "let": draw.choice(["yes", "no"], rows),
            "rent": (size * 10 + draw.normal(0, 40, rows)).round(2),
        }
    )


@pytest.fixture
def project(tmp_path: Path) -> Path:
    (tmp_path / "conf" / "base").mkdir(parents=True)
    (tmp_path / "conf" / "base" / "globals.yml").write_text("data_root: data\n")
    rents().to_csv(tmp_path / "rents.csv", index=False)
    return tmp_path


@pytest.fixture
def make(project: Path) -> Make:
    def run(table: pd.DataFrame | None = None, **changes: Any) -> NewUseCase:
        if table is not None:
            table.to_csv(project / "rents.csv", index=False)
        asked = {"name": "rents", "data": Path("rents.csv"), "target": "rent", "task": "regression", **changes}
        return new_use_case(UseCaseRequest(**asked), project=project, today=TODAY)

    return run


def load(project: Path, name: str = "rents") -> tuple[dict[str, Any], dict[str, Any]]:
    folder = project / "conf" / "base" / name
    catalog = yaml.safe_load((folder / "catalog.yml").read_text(encoding="utf-8"))
    return catalog, yaml.safe_load((folder / "parameters.yml").read_text(encoding="utf-8"))[name]


def features_of(done: Acceptance, use: str) -> tuple[str, ...]:
    return tuple(one.column for one in done.decisions if one.use == use and not one.is_label)


def files_of(project: Path) -> list[str]:
    return sorted(str(path.relative_to(project)) for path in project.rglob("*") if path != project / "rents.csv")


def test_what_is_written_holds_for_the_data(make: Make, project: Path) -> None:
    make(time="listed on")
    catalog, parameters = load(project)
    own = catalog["rents.own_data"]
    contract = read_contract(project / "conf/base/rents/catalog.yml", as_of=TODAY)

    table = OwnTable(filepath=str(project / own["filepath"]), layout=own["layout"]).load()
    types = {name: c.type for d in contract.datasets.values() for name, c in d.columns.items()}
    made = split_months(table, IngestionParameters.model_validate(parameters["ingestion"]), types)

    assert list(made.features) == [f"month=2024-0{month}" for month in (1, 2, 3, 4)]
    for part in made.features:
        check_frame(made.features[part], contract.datasets["feature_store"], part=part)
        check_frame(made.labels[part], contract.datasets["label_store"], part=part)
    assert sum(map(len, made.features.values())) == ROWS


@pytest.mark.parametrize(
    ("target", "values", "task"),
    [
        ("let", ["yes", "no"], "classification"),
        ("let", ["yes", "no", "?"], "classification"),
        ("paid", ["1", "0"], "classification"),
        ("rent", ["812.5", "640.0", "701.25"], "regression"),
        ("rent", ["1.812,5", "640,0", "701,25"], "regression"),
        ("rent", [str(number) for number in range(21)], "regression"),
    ],
)
def test_the_task_is_read_off_the_target(target: str, values: list[str], task: str, make: Make) -> None:
    favourable = values[0] if task == "classification" else None
    missing = ("?",) if "?" in values else ()
    decimal = "," if "640,0" in values else None
    table = rents().assign(**{target: np.resize(values, ROWS)})

    made = make(table, target=target, task=None, favourable=favourable, missing=missing, decimal=decimal)

    assert made.draft.task == task
    assert f"({task})" in describe(made)


def test_a_few_whole_numbers_may_be_codes_so_the_task_is_asked_for(make: Make, project: Path) -> None:
    with pytest.raises(RaiError, match=r"(?s)amounts or codes.*it has 1, 2, 3.*--task regression"):
        make(rents().assign(grade=np.resize(["1", "2", "3"], ROWS)), target="grade", task=None)
    assert not (project / "conf/base/rents").exists()


@pytest.mark.parametrize(("task", "target"), [("regression", "rent"), ("classification", "let")])
def test_parameters_are_those_of_the_stages(task: str, target: str, make: Make, project: Path) -> None:
    make(task=task, target=target, favourable=None if task == "regression" else "yes")
    _, parameters = load(project)

    training = TrainingParameters.model_validate(parameters["training"])
    fairness = FairnessParameters.model_validate(parameters["fairness"])
    mitigation = MitigationParameters.model_validate(parameters["mitigation"])
    Statements.model_validate(parameters["statements"])

    assert (training.task, training.target, training.month) == (task, target, "2024-06")
    assert [grouping.columns for grouping in fairness.groupings] == [("Geschlecht",)]
    assert mitigation.sensitive_column == "Geschlecht"
    Policy.model_validate(parameters["policy"])
    groups = {"ingestion", "training", "fairness", "mitigation", "monitoring", "policy", "proxies", "statements"}
    assert set(parameters) == groups
    ProxyPolicy.model_validate(parameters["proxies"])


def test_a_draft_lets_no_column_into_the_model(make: Make, project: Path) -> None:
    make(time="listed on")
    contract = read_contract(project / "conf/base/rents/catalog.yml", as_of=TODAY)
    columns = contract.datasets["feature_store"].columns

    with pytest.raises(LaneError):
        model_columns(contract.datasets["feature_store"], on=TODAY)
    with pytest.raises(RaiError, match=rf"(?s)Nobody has decided.* {len(columns) + 1} of {len(columns) + 1} columns"):
        refuse_undecided(contract)
    assert columns["Geschlecht"].use == "audit" and "demographic" in columns["Geschlecht"].flags
    assert not contract.datasets["feature_store"].with_use("model")


def test_opening_a_column_without_deciding_on_its_flags_is_refused(make: Make, project: Path) -> None:
    make()
    file = project / "conf/base/rents/catalog.yml"
    file.write_text(file.read_text(encoding="utf-8").replace("use: forbidden", "use: model"), encoding="utf-8")
    contract = read_contract(file, as_of=TODAY)

    with pytest.raises(LaneError, match=r"flagged risky.*undecided.*without a justification"):
        model_columns(contract.datasets["feature_store"], on=TODAY)


def test_accepting_decides_as_proposed_and_changes_nothing_else(make: Make, project: Path) -> None:
    make(time="listed on")
    file = project / "conf/base/rents/catalog.yml"
    before = file.read_text(encoding="utf-8").splitlines()

    done = accept_draft("rents", "R. Viewer", project=project, today=TODAY)

    after = file.read_text(encoding="utf-8").splitlines()
    contract = read_contract(file, as_of=TODAY)
    refuse_undecided(contract)
    assert features_of(done, "model") == ("Größe_m2", "rooms_total", "heating_type", "own_month", "true", "let")
    assert features_of(done, "audit") == ("Geschlecht",)
    assert features_of(done, "forbidden") == ("Listing_ID", "comment")
    assert model_columns(contract.datasets["feature_store"], on=TODAY) == features_of(done, "model")
    assert [one.column for one in done.decisions if one.is_label] == ["rent"]
    assert not any(one.by_hand for one in done.decisions)
    assert {dataset.owner for dataset in contract.datasets.values()} == {"R. Viewer"}
    assert (
        after[0]
        == "# Draft accepted by R. Viewer on 2024-06-01: proposals that were left then are decided as written here."
    )
    unread = [line for line in after if "unread: " in line]
    assert unread == [f'      unread: "{n} of {n} columns, by R. Viewer on 2024-06-01"' for n in (9, 1)]
    assert len(after) == len(before) + 1 + len(unread)
    columns = [line for line in before if UNDECIDED in line or "nullable: " in line or "owner: " in line]
    untouched = [line for line in before if line not in columns]
    assert [line for line in after[1:] if line in set(untouched)] == untouched
    was, now = (yaml.safe_load("\n".join(lines)) for lines in (before, after))
    for column in now["rents.feature_store"]["metadata"]["rai"]["columns"].items():
        kept = was["rents.feature_store"]["metadata"]["rai"]["columns"][column[0]]
        same = ("type", "range", "categories", "nullable", "description")
        assert {key: column[1].get(key) for key in same} == {key: kept.get(key) for key in same}
        assert [flag for flag in column[1]["flags"] if flag != "risky"] == kept["flags"][1:]


def test_accepting_leaves_what_a_person_wrote(make: Make, project: Path) -> None:
    make()
    file = project / "conf/base/rents/catalog.yml"

    text = file.read_text(encoding="utf-8")
    start = text.index("Geschlecht:")
    mine = text[start:].replace("use: audit", "use: forbidden", 1)
    # One more decided in full, in as many lines as somebody likes, with a remark of their own.
    start = mine.index("own_month:")
    end = mine.index("}", start) + 1
    decided = """own_month:     # as the landlord told us
          type: integer
          description: when the contract began
          flags: [risky]
          risk: foretells who moves often
          use: audit"""
    file.write_text(text[: text.index("Geschlecht:")] + mine[:start] + decided + mine[end:], encoding="utf-8")

    done = accept_draft("rents", "R. Viewer", project=project, today=TODAY)

    told = {one.column: (str(one), one.by_hand) for one in done.decisions}
    assert told["Geschlecht"] == ("forbidden (risky, demographic)", True)
    assert told["own_month"] == ("audit (risky)", True)
    assert told["Größe_m2"] == ("model", False)
    assert set(told) == {*load(project)[0]["rents.feature_store"]["metadata"]["rai"]["columns"], "rent"}
    assert decided in file.read_text(encoding="utf-8")


def test_the_list_of_what_was_accepted_is_complete(
    make: Make, project: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    make()
    file = project / "conf/base/rents/catalog.yml"
    text = file.read_text(encoding="utf-8")
    file.write_text(text.replace("use: audit", "use: forbidden"), encoding="utf-8")
    monkeypatch.chdir(project)
    for place in ("local/globals.yml", "base/catalog.yml"):
        (project / "conf" / place).parent.mkdir(exist_ok=True)
        shutil.copy(ROOT / "conf" / "base" / Path(place).name, project / "conf" / place)

    command.main(["--use-case", "rents", "--reviewer", "R. Viewer"], standalone_mode=False)

    (entry,) = read_evidence(project / "data" / "08_reporting" / "evidence" / "rents.jsonl")
    assert (entry.kind, entry.body["reviewer"], entry.body["by"]) == ("draft", "R. Viewer", find_account())
    assert entry.body["contract"] == hashlib.sha256(file.read_bytes()).hexdigest()
    assert entry.body["columns"]["Geschlecht"] == {"decided": "forbidden (risky, demographic)", "by_hand": True}
    drafted, _, by_hand = capsys.readouterr().out.partition("decided by hand:")
    assert re.search(r"model: +Größe_m2, rooms_total, heating_type, own_month, true, let\n", drafted)
    assert re.search(r"forbidden \(risky\): +Listing_ID, listed_on, comment\n", drafted)
    assert re.search(r"label: +rent\n", drafted)
    assert re.search(r"forbidden \(risky, demographic\): +Geschlecht\n", by_hand)


@pytest.mark.parametrize(
    ("name", "reviewer", "words"), [("rents", "  ", "by a person"), ("none", "R", "no such contract")]
)
def test_what_cannot_be_accepted(name: str, reviewer: str, words: str, make: Make, project: Path) -> None:
    make()

    with pytest.raises(DraftError, match=words):
        accept_draft(name, reviewer, project=project)


def test_accepting_twice_is_refused(make: Make, project: Path) -> None:
    make(accept_draft="R. Viewer")

    with pytest.raises(DraftError, match="nothing to accept"):
        accept_draft("rents", "R. Viewer", project=project)


@pytest.mark.parametrize(
    ("period", "first", "last"), [("week", "2024-W01", "2024-W18"), ("quarter", "2024-Q1", "2024-Q2")]
)
def test_a_use_case_by_week_or_quarter(period: str, first: str, last: str, make: Make, project: Path) -> None:
    made = make(time="listed on", period=period)
    _, parameters = load(project)
    settings = IngestionParameters.model_validate(parameters["ingestion"])
    assert settings.period == period
    TrainingParameters.model_validate(parameters["training"])
    assert f"{period}s from {first} to {last}" in describe(made)
    assert " month" not in describe(made)


def test_a_month_of_another_kind_than_the_period_is_refused(make: Make) -> None:
    with pytest.raises(RaiError, match=r"(?s)'2024-05' is not a week.*2024-W18"):
        make(month="2024-05", period="week")


def test_says_what_to_decide(make: Make) -> None:
    text = describe(make(time="listed on"))

    assert "Geschlecht: describes sex or gender" in text
    assert "comment: " in text and "Listing_ID: " in text
    assert "kedro rai accept-draft --use-case rents" in text
    assert "kedro run --pipelines rents" in text
    assert "'Größe (m²)' to Größe_m2" in text


def test_says_that_nothing_sensitive_was_found_and_that_months_are_missing(make: Make) -> None:
    table = rents().drop(columns="Geschlecht")
    table["listed on"] = np.where(np.arange(ROWS) < 30, "2024-01-05", "2024-04-05")

    made = make(table, time="listed on")

    assert "no proof that there is none" in describe(made)
    assert "2 months have no row (2024-02, 2024-03)" in describe(made)
    assert made.draft.training_month == "2024-04"


@pytest.mark.parametrize("columns", [2, 200, pytest.param(998, marks=pytest.mark.slow)])
def test_from_2_to_998_columns(columns: int, make: Make, project: Path) -> None:
    draw = np.random.default_rng(1)
    table = pd.DataFrame(draw.normal(size=(ROWS, columns)), columns=[f"x {i}" for i in range(columns)])

    made = make(table, target="x 0")

    assert len(made.draft.columns) == columns - 1
    accept_draft("rents", "R. Viewer", project=project)
    contract = read_contract(project / "conf/base/rents/catalog.yml", as_of=TODAY)
    assert len(model_columns(contract.datasets["feature_store"], on=TODAY)) == columns - 1


def test_parquet_with_types(project: Path, make: Make) -> None:
    table = rents().assign(**{"listed on": pd.date_range("2024-01-01", periods=ROWS, freq="12h", tz="UTC")})
    table["heating, type"] = table["heating, type"].astype("category")
    table["let"] = table["let"] == "yes"
    table.to_parquet(project / "rents.parquet")

    made = make(data=Path("rents.parquet"), target="let", favourable="True", task="classification", time="listed on")

    assert list(made.rows) == ["2024-01", "2024-02", "2024-03", "2024-04"]
    assert made.draft.ingestion.favourable == "True"


def test_key_of_the_table(make: Make, project: Path) -> None:
    make(key="Listing ID", time="listed on")
    contract = read_contract(project / "conf/base/rents/catalog.yml", as_of=TODAY)

    assert contract.datasets["feature_store"].key == ("Listing_ID",)
    assert "Listing_ID" not in contract.datasets["feature_store"].columns


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"target": "price"}, r"no column 'price'.*--target"),
        ({"time": "when"}, r"no column 'when'.*--time"),
        ({"key": "rent"}, r"have to be different columns"),
        ({"key": "Geschlecht"}, r"does not identify a row"),
        ({"time": "comment"}, r"not written as a date"),
        ({"target": "comment"}, r"regression is a number.*240 of 240"),
        ({"target": "rent", "task": "classification"}, r"two values.*different values"),
        ({"target": "let", "task": "classification", "favourable": "maybe"}, r"no value 'maybe'.*no and yes"),
        ({"target": "Geschlecht", "task": "classification"}, r"favourable outcome.*m and w.*--favourable"),
        ({"name": "Rents"}, r"cannot be the name"),
        ({"name": "../rents"}, r"cannot be the name"),
        ({"name": "training"}, r"cannot be the name"),
        ({"data": Path("absent.csv")}, r"file is missing"),
        ({"delimiter": "|"}, r"fewer than two columns|another number of values"),
        ({"month": "2024-13"}, r"not a month.*--month.*YYYY-MM"),
    ],
)
def test_what_cannot_be_asked_for_writes_nothing(
    changes: dict[str, Any], words: str, make: Make, project: Path
) -> None:
    before = files_of(project)

    with pytest.raises(RaiError, match=f"(?s){words}"):
        make(**changes)

    assert files_of(project) == before


@pytest.mark.parametrize(
    ("value", "task", "words"),
    [
        (None, "regression", r"Nothing can be learned.*0 of 240"),
        (3.5, "regression", r"Nothing can be learned.*1 of them different"),
        ("yes", "classification", r"two values.*1 different"),
        (None, "classification", r"two values.*0 different"),
        (["a", "b", "c"] * 80, "classification", r"two values.*3 different.*a, b, c"),
        ([1.5] * 5 + [None] * 235, "regression", r"Nothing can be learned"),
    ],
)
def test_targets_that_cannot_be_learned(value: Any, task: str, words: str, make: Make, project: Path) -> None:
    with pytest.raises(RaiError, match=f"(?s){words}"):
        make(rents().assign(rent=value), task=task)

    assert files_of(project) == ["conf", "conf/base", "conf/base/globals.yml"]


def test_days_and_months_that_may_have_changed_places_are_asked_for(make: Make) -> None:
    table = rents().assign(**{"listed on": ["01/02/2024", "03/04/2024"] * (ROWS // 2)})

    with pytest.raises(RaiError, match=r"(?s)more than one way.*2 ways: %d/%m/%Y, %m/%d/%Y.*--time-format"):
        make(table, time="listed on")

    assert list(make(table, time="listed on", time_format="%d/%m/%Y").rows) == ["2024-02", "2024-04"]


def test_an_existing_name_is_left_as_it_is(make: Make, project: Path) -> None:
    make()
    before = (project / "conf/base/rents/catalog.yml").read_bytes()

    with pytest.raises(RaiError, match="already; it is left as it is"):
        make(target="Größe (m²)")

    assert (project / "conf/base/rents/catalog.yml").read_bytes() == before


def test_a_folder_that_cannot_be_written_leaves_nothing(make: Make, project: Path) -> None:
    # Where the folder is made before it is moved to its place, a file is in the way.
    (project / "conf" / ".base.staging").write_text("in the way")
    before = files_of(project)

    with pytest.raises(RaiError, match=r"(?s)cannot be written; nothing was"):
        make()

    assert files_of(project) == before


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("size", "size"),
        ("Größe (m²)", "Größe_m2"),
        ("a.b", "a_b"),
        ("2020", "own_2020"),
        ("month", "own_month"),
        ("prediction", "own_prediction"),
        ("***", "column_1"),
        ("年齢", "年齢"),
        (" x ", "x"),
    ],
)
def test_names_for_the_stores(old: str, new: str) -> None:
    assert name_columns([old]) == {old: new}


def test_names_stay_different() -> None:
    assert name_columns(["a b", "a.b", "a_b"]) == {"a b": "a_b_2", "a.b": "a_b_3", "a_b": "a_b"}


def test_undecided_is_the_word_in_the_file(make: Make, project: Path) -> None:
    make()

    assert f'risk: "{UNDECIDED}, proposed ' in (project / "conf/base/rents/catalog.yml").read_text(encoding="utf-8")


def test_a_draft_of_50_columns_is_read_on_two_screens(make: Make, project: Path) -> None:
    draw = np.random.default_rng(1)
    table = pd.DataFrame(draw.normal(size=(ROWS, 51)), columns=[f"measurement {i}" for i in range(51)])

    make(table, target="measurement 0")

    text = (project / "conf/base/rents/catalog.yml").read_text(encoding="utf-8")
    lines = text[text.index("      columns:\n") : text.index("rents.label_store:")].splitlines()
    assert len(lines) <= 2 * 52


def test_what_cannot_be_loaded_is_not_announced(make: Make, project: Path) -> None:
    (project / "conf" / "base" / "globals.yml").write_text("another: data\n")
    before = files_of(project)

    with pytest.raises(RaiError, match=r"(?s)does not load; nothing was written.*data_root"):
        make()

    assert files_of(project) == before


def test_what_a_killed_draft_left_is_cleared_by_the_next(make: Make, project: Path) -> None:
    left = project / "conf" / ".base.staging" / "rents.99999999.abc"
    left.mkdir(parents=True)

    make()

    assert not left.parent.exists()


def test_a_column_name_longer_than_any_file_holds_just_works(make: Make, project: Path) -> None:
    long = "how satisfied were you with the service at the counter of your branch on your last visit? " * 4

    made = make(rents().assign(**{long: 1.5, f"{long}!": 2.5}))

    names = [name for name in made.draft.ingestion.rename.values() if name.startswith("how_satisfied")]
    assert len(set(names)) == 2 and max(map(len, names)) <= 100
    assert "renamed for the stores" in describe(made)


def test_words_that_may_mean_missing_are_counted_by_column(make: Make, project: Path) -> None:
    table = rents().assign(job=["clerk", "cook"] * (ROWS // 2), income="1200", floor=["1"] * ROWS)
    table.loc[:2, "job"], table.loc[3:9, "job"], table.loc[10, "job"], table.loc[11, "job"] = "?", "NA", " ", "nan"
    table.loc[:1, "income"] = "unknown"

    made = make(table)

    told = describe(made)
    assert "job: 7 x 'NA' read as missing, 3 x '?' kept as a value, 1 x ' ' read as missing, 1 x 'nan' read as" in told
    assert "income: 2 x 'unknown' read as missing" in told and "floor" not in told.partition("missing value:")[2]
    contract = read_contract(project / "conf/base/rents/catalog.yml", as_of=TODAY)
    job = contract.datasets["feature_store"].columns["job"]
    assert job.categories == ("?", "clerk", "cook") and job.nullable
    assert "3 x '?' kept as a value" in job.description


@pytest.mark.parametrize("written", [["1.0", "0.0"], ["1", "0"], [1.0, 0.0]])
def test_a_target_of_decimal_ones_and_zeros_keeps_its_own_contract(written: list[Any], make: Make) -> None:
    made = make(rents().assign(repaid=written * (ROWS // 2)), target="repaid", task="classification")

    assert (made.draft.ingestion.favourable, made.draft.ingestion.unfavourable) == ("1", "0")


def test_months_by_year_are_refused_at_once(make: Make, project: Path) -> None:
    table = rents().assign(**{"listed on": ["2023", "2024"] * (ROWS // 2)})
    before = files_of(project)

    with pytest.raises(RaiError, match=r"(?s)do not say which month.*--time-format %Y.*2023"):
        make(table, time="listed on", time_format="%Y")

    assert files_of(project) == before


def test_mixed_time_zones_are_asked_about_with_counts_and_an_example(make: Make, project: Path) -> None:
    moments = ["2024-01-31T23:30:00-02:00", "2024-02-01T00:30:00+01:00"] * (ROWS // 2)
    table = rents().assign(**{"listed on": moments})

    with pytest.raises(RaiError, match=r"(?s)different offsets.*120 rows with -02:00.*2024-01-31T23.*--time-zone"):
        make(table, time="listed on")
    with pytest.raises(RaiError, match="no time zone 'Berlin'"):
        make(table, time="listed on", time_zone="Berlin")

    assert list(make(table, time="listed on", time_zone="as written").rows) == ["2024-01", "2024-02"]


@pytest.fixture
def warehouse(project: Path) -> Path:
    """Months that another system fills: features and label in one table, names and label as that system has them."""
    table = rents().drop(columns=["month", "listed on"]).assign(number=range(ROWS))
    for month, rows in enumerate(np.array_split(np.arange(ROWS), 3), start=1):
        folder = project / "warehouse" / f"month=2024-0{month}"
        folder.mkdir(parents=True)
        table.iloc[rows].to_parquet(folder / "export.parquet")
    return project / "warehouse"


def test_a_use_case_from_stores_that_are_there(
    warehouse: Path, make: Make, project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(project)
    made = make(data=None, stores="warehouse", key="number", target="let", favourable="yes", task="classification")

    assert made.rows == {"2024-01": 80, "2024-02": 80, "2024-03": 80}
    catalog, parameters = load(project)
    assert "ingestion" not in parameters
    for entry in ("rents.feature_store", "rents.label_store"):
        catalog[entry]["filepath"] = str(warehouse)
    stores = DataCatalog.from_config({name: entry for name, entry in catalog.items() if not name.startswith("_")})
    features, labels = stores.load("rents.feature_store"), stores.load("rents.label_store")
    assert list(features) == list(labels) == ["month=2024-01", "month=2024-02", "month=2024-03"]
    assert set(labels["month=2024-02"]()["let"]) == {0, 1}
    # Of the drafted columns only the audited one may be read.
    assert list(features["month=2024-02"]()) == ["month", "number", "Geschlecht"]
    with pytest.raises(DatasetError, match="stores of another system"):
        stores.save("rents.feature_store", {})


def test_labels_that_lie_apart_are_joined_by_the_key(warehouse: Path, make: Make, project: Path) -> None:
    for month in sorted(warehouse.glob("month=*")):
        table = pd.read_parquet(month / "export.parquet")
        for store, part in (
            ("feature_store", table.drop(columns="let")),
            ("label_store", table[["number", "let"]][5:]),
        ):
            (warehouse / store / month.name).mkdir(parents=True)
            part.to_parquet(warehouse / store / month.name / "part.parquet")

    made = make(data=None, stores="warehouse", key="number", target="let", favourable="yes", task="classification")

    assert made.rows == {"2024-01": 80, "2024-02": 80, "2024-03": 80}


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"stores": None, "data": None}, r"one file, or from stores.*--data FILE or --stores"),
        ({"data": Path("rents.csv")}, r"one file, or from stores"),
        ({"key": None}, r"need a key of their own.*--key"),
        ({"time": "listed on"}, r"say which month it is.*leave --time"),
    ],
)
def test_what_cannot_be_asked_of_stores(
    changes: dict[str, Any], words: str, warehouse: Path, make: Make, project: Path
) -> None:
    before = files_of(project)

    with pytest.raises(RaiError, match=f"(?s){words}"):
        make(**{"data": None, "stores": "warehouse", "key": "number", "target": "let", **changes})

    assert files_of(project) == before


CONTRACT = """
kind: DataContract
apiVersion: v3.1.0
id: rents
version: 1.0.0
servers: [{server: own, type: custom}]
schema:
  - name: rents
    properties:
      - {name: Größe (m²), logicalType: number, logicalTypeOptions: {minimum: 0, maximum: 999}, required: true,
         description: living space}
      - {name: rooms.total, logicalType: integer, required: true, description: rooms, customProperties: [
          {property: raiUse, value: model}, {property: raiFlags, value: []}]}
      - {name: Geschlecht, logicalType: string, required: true, enum: [{value: m}, {value: w}]}
      - {name: gone, logicalType: string}
"""


def test_a_data_contract_describes_columns_and_decides_only_what_it_decides(make: Make, project: Path) -> None:
    (project / "rents.odcs.yaml").write_text(CONTRACT, encoding="utf-8")
    made = make(time="listed on", contract=Path("rents.odcs.yaml"))
    columns = read_contract(project / "conf/base/rents/catalog.yml", as_of=TODAY).datasets["feature_store"].columns

    assert (columns["Größe_m2"].range, columns["Größe_m2"].description) == ((0, 999), "living space")
    assert columns["Größe_m2"].use == "forbidden" and str(columns["Größe_m2"].risk).startswith(UNDECIDED)
    assert (columns["rooms_total"].use, columns["rooms_total"].risk) == ("model", None)
    assert columns["Geschlecht"].categories == ("m", "w") and columns["Geschlecht"].use == "audit"
    assert str(columns["comment"].description).startswith("to be written"), "not in the contract: drafted from the data"
    told = describe(made)
    assert "taken over as it is: rooms_total (model)" in told
    assert "not in the data: gone" in told and "servers" in told


def test_data_that_break_the_data_contract_are_refused(make: Make, project: Path) -> None:
    (project / "rents.odcs.yaml").write_text(CONTRACT.replace("999", "90"), encoding="utf-8")
    with pytest.raises(RaiError, match=r"Größe_m2.*outside \[0, 90\]"):
        make(time="listed on", contract=Path("rents.odcs.yaml"))
    assert not (project / "conf/base/rents").exists()


def test_a_data_contract_that_is_none_names_its_file(make: Make, project: Path) -> None:
    (project / "rents.odcs.yaml").write_text("a: 1", encoding="utf-8")
    with pytest.raises(RaiError, match=r"(?s)kind: DataContract.*rents\.odcs\.yaml"):
        make(contract=Path("rents.odcs.yaml"))


def test_a_draft_is_accepted_group_by_group(make: Make, project: Path) -> None:
    make(rents().assign(shift=["F", "M"] * (ROWS // 2), predicted=1.5), target="rent")
    folder = project / "conf/base/rents"
    made = (folder / "catalog.yml").read_text(encoding="utf-8")
    order = [made.index(f"        {name}: {{type") for name in ("shift", "Geschlecht", "Listing_ID", "let")]
    assert order == sorted(order) and "# nobody is sure whether they describe people" in made

    some = accept_draft("rents", "R. Viewer", groups=("audit", "unsure"), project=project, today=TODAY)

    assert {one.column for one in some.decisions if not one.is_open} == {"shift", "Geschlecht"}
    contract = read_contract(folder / "catalog.yml", as_of=TODAY)
    assert contract.datasets["feature_store"].unread is None
    with pytest.raises(RaiError, match="Nobody has decided"):
        refuse_undecided(contract)
    with pytest.raises(DraftError, match=r"(?s)no column of audit is undecided.*closed, label, leak, model"):
        accept_draft("rents", "R. Viewer", groups=("audit",), project=project)

    rest = accept_draft("rents", "R. Viewer", project=project, today=TODAY)

    assert not any(one.is_open for one in rest.decisions)
    said = read_contract(folder / "catalog.yml", as_of=TODAY).datasets["feature_store"].unread
    assert said is not None and re.fullmatch(r"\d+ of 12 columns, by R\. Viewer on 2024-06-01", said)


def test_groups_are_shown_and_asked_for(make: Make, project: Path) -> None:
    make()

    @click.command()
    def ask() -> None:
        click.echo(f"\n{ask_groups(project / 'conf/base/rents/catalog.yml')}")

    shown = CliRunner().invoke(ask, input="y\nn\ny\nn\n").output

    assert "Geschlecht: audit; describes sex or gender" in shown
    assert "closed: proposed to stay closed (3)" in shown
    assert shown.splitlines()[-1] == "('audit', 'model')"


@pytest.mark.parametrize(
    ("target", "values", "words"),
    [
        ("two_year_recid", ["0", "1"], r"favourable outcome.*sounds like nothing that people want.*--favourable '0'"),
        ("let", ["yes", "no"], r"favourable outcome.*it has no and yes.*--favourable 'yes'"),
        ("repaid", ["yes", "no", "?"], r"two values.*3 different.*--missing '\?'"),
    ],
)
def test_a_target_of_no_plain_meaning_is_asked_about(target: str, values: list[str], words: str, make: Make) -> None:
    with pytest.raises(RaiError, match=f"(?s){words}"):
        make(rents().assign(**{target: np.resize(values, ROWS)}), target=target, task="classification")


def test_numbers_spoiled_by_a_word_stay_numbers_and_more_is_missing_when_asked(make: Make, project: Path) -> None:
    table = rents().assign(income=np.arange(ROWS) * 7 % 1000, points=np.arange(ROWS) % 50, repaid="yes").astype(str)
    table.loc[::9, "income"], table.loc[::7, "points"] = "?", "999"
    table.loc[::5, "repaid"], table.loc[::11, "repaid"] = "no", "?"

    made = make(table, target="repaid", task="classification", missing=("repaid=?",))
    columns = {column.name: column for column in made.draft.columns}
    assert (columns["income"].type, columns["income"].nullable) == ("float", True)
    assert "35 x '999' kept as a value" in describe(made)
    assert load(project)[1]["ingestion"]["missing"] == {"income": ["?"], "repaid": ["?"]}
    shutil.rmtree(project / "conf/base/rents")
    made = make(table, target="repaid", task="classification", missing=("?", "points=999"))
    assert made.draft.ingestion.missing["points"] == ("999",)
    with pytest.raises(RaiError, match=r"(?s)in no column.*--missing"):
        make(table, name="other", target="repaid", task="classification", missing=("xyz",))


def test_a_name_that_stands_twice_is_read_and_said(make: Make, project: Path) -> None:
    table = rents()
    table.insert(1, "again", np.arange(ROWS) * 1.5)
    made = make(table.rename(columns={"again": "comment"}))

    assert made.draft.ingestion.rename["comment (2)"] == "comment_2"
    assert "the header has a name more than once, which is read: 'comment' again, as comment_2" in describe(made)


@pytest.mark.parametrize(
    ("name", "text", "words"),
    [
        ("c.csv", "column,value,label\nrooms.total,1,one\nRent,1,x\n", r"not there.*1 of 2 columns, 1 of them but for"),
        (
            "c.csv",
            "column,value,label\nrooms.total,1,one\nrooms.total,1,two\n",
            r"two labels.*entry 2.*'one' and 'two'",
        ),
        (
            "c.yml",
            "rooms.total: {11: eleven}",
            r"labels no value that is there.*0 of 5 values.*labelled are 11; there are 1",
        ),
        ("c.json", "[1, 2]", r"not written as one.*column, value and label"),
        ("c.csv", "name,code\na,1\n", r"not written as one.*name, code"),
        ("c.yml", "a: [", r"not written as one"),
        ("gone.csv", None, r"file is missing"),
    ],
)
def test_a_codebook_that_does_not_fit_is_refused(
    name: str, text: str | None, words: str, make: Make, project: Path
) -> None:
    if text is not None:
        (project / name).write_text(text)
    with pytest.raises(RaiError, match=f"(?s){words}"):
        make(codebook=project / name)
    assert not (project / "conf/base/rents").exists()


def test_a_codebook_tells_what_codes_mean(make: Make, project: Path) -> None:
    (project / "codes.yml").write_text("rooms.total: {1: Married, 2: Divorced, 3: Widowed}\nlet: Was it let?\n")

    made = make(codebook=Path("codes.yml"))

    column = next(one for one in made.draft.columns if one.name == "rooms_total")
    assert (column.type, column.use) == ("category", "audit")
    assert "the codebook has no label for\n  rooms.total: 2 of 5 values (4, 5)" in describe(made)


def test_few_rows_to_train_on_are_said_with_what_to_do(make: Make) -> None:
    advice = describe(make(rents(), time="listed on"))

    assert "few rows: month 2024-01, the one to train on, has 62 rows, about 20 of them for the test" in advice
    assert "with 'last_month: 2024-04' in parameters.yml it is 240" in advice
