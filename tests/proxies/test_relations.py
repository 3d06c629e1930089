"""Columns in disguise: every kind is found and named, and chance is not taken for one."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from rai_kedro.proxies import find_leaks, find_relations, find_suspicions

ROWS = 300


@pytest.fixture(scope="module")
def guarded() -> pd.DataFrame:
    random = np.random.default_rng(0)
    race = pd.Series(random.choice(list("abc"), ROWS, p=[0.6, 0.3, 0.1]))
    age = pd.Series(random.integers(18, 95, ROWS)).astype(float)
    return pd.DataFrame({"race": race, "age": age, "income": np.exp(random.normal(size=ROWS))})


def disguise(kind: str, guarded: pd.DataFrame) -> pd.DataFrame:
    random, race, age, income = np.random.default_rng(1), guarded["race"], guarded["age"], guarded["income"]
    part = income * random.random(ROWS)
    made = {
        "copy": {"x": income},
        "shifted": {"x": income - 2},
        "scaled down": {"x": -3 * income},
        "monotone": {"x": np.log(income)},
        "noisy": {"x": income + random.normal(0, 0.02, ROWS)},
        "bent": {"x": (np.log(income) - 0.3) ** 2},
        "renamed": {"x": race.map({"a": 7, "b": 2, "c": 5})},
        "one-hot": {"x": (race == "b").astype(int)},
        "grouped": {"x": race.isin(["a", "c"])},
        "finer": {"x": race + pd.Series(random.choice(list("xy"), ROWS))},
        "binned": {"x": pd.cut(age, 5, labels=False)},
        "binned text": {"x": pd.cut(age, [0, 40, 100]).astype(str)},
        "sum": {"x": part, "y": income - part},
        "product": {"x": part, "y": income / part},
        "copy with gaps": {"x": income.where(random.random(ROWS) > 0.4)},
    }
    return pd.DataFrame(made[kind]).assign(noise=random.normal(size=ROWS))


@pytest.mark.parametrize(
    ("kind", "of", "expected"),
    [
        ("copy", "income", "copy"),
        ("shifted", "income", "scaled"),
        ("scaled down", "income", "scaled"),
        ("monotone", "income", "monotone"),
        ("noisy", "income", "nearly"),
        ("bent", "income", "function"),
        ("renamed", "race", "recoded"),
        ("one-hot", "race", "category"),
        ("grouped", "race", "category"),
        ("finer", "race", "gives away"),
        ("binned", "age", "binned"),
        ("binned text", "age", "binned"),
        ("sum", "income", "sum"),
        ("product", "income", "product"),
        ("copy with gaps", "income", "copy"),
    ],
)
def test_every_disguise_is_found_and_both_columns_are_named(
    kind: str, of: str, expected: str, guarded: pd.DataFrame
) -> None:
    found = find_relations(disguise(kind, guarded), guarded)

    columns = ("x", "y") if kind in ("sum", "product") else ("x",)
    assert [(one.columns, one.of, one.kind) for one in found] == [(columns, of, expected)]
    assert all(name in found[0].text for name in (*columns, of))


def test_independent_columns_are_no_disguise() -> None:
    """Of 42 pairs in each of 60 tables, rare values, many categories and heavy tails among them: none."""
    for seed in range(60):
        random = np.random.default_rng(seed)
        rows = int(random.choice([40, 200, 1000]))
        own = {
            "number": random.normal(size=rows),
            "flag": random.integers(0, 2, rows),
            "list": random.choice(list("pqrst"), rows),
            "rare": (random.random(rows) < 0.03).astype(int),
            "heavy": np.exp(2 * random.normal(size=rows)),
            "codes": random.choice(40, rows).astype(str),
        }
        others = {
            "s": random.normal(size=rows),
            "t": random.integers(0, 2, rows),
            "u": random.choice(["a", "b"], rows, p=[0.96, 0.04]),
            "v": random.choice(list("abcdef"), rows),
            "w": random.choice(60, rows).astype(str),
            "x": random.integers(18, 90, rows),
        }
        assert find_relations(pd.DataFrame(own), pd.DataFrame(others)) == ()


def test_a_strong_but_honest_correlation_is_no_disguise() -> None:
    random = np.random.default_rng(0)
    income = random.normal(size=500)
    rent = 0.95 * income + np.sqrt(1 - 0.95**2) * random.normal(size=500)

    assert find_relations(pd.DataFrame({"rent": rent}), pd.DataFrame({"income": income})) == ()


def test_what_a_place_has_alike_is_no_disguise_of_the_place() -> None:
    """Every column of a shop is a function of its number: that alone tells nothing of which shop it is."""
    random = np.random.default_rng(0)
    shop = random.integers(0, 60, 1000)
    kind = random.choice(list("abc"), 60)[shop]

    assert find_relations(pd.DataFrame({"kind": kind}), pd.DataFrame({"shop": shop.astype(str)})) == ()


def test_a_column_that_tells_a_label_apart_gives_it_away() -> None:
    random = np.random.default_rng(0)
    label = random.integers(0, 2, 400)
    columns = pd.DataFrame({"discharged_to": 3.5 * label + random.normal(size=400), "age": random.normal(size=400)})

    (found,) = find_relations(columns, pd.DataFrame({"died": label}))

    assert found.text == "discharged_to gives away the value of died"


def test_empty_constant_and_few_rows_say_nothing() -> None:
    empty = pd.DataFrame({"x": [np.nan] * 50, "y": [1.0] * 50, "z": range(50)})
    few = pd.DataFrame({"x": range(10)})

    assert find_relations(empty, pd.DataFrame({"s": [1.0] * 50})) == ()
    assert find_relations(few, few.rename(columns={"x": "s"})) == ()


def test_a_column_that_alone_tells_the_target_too_well_is_suspicious_and_no_leak() -> None:
    random = np.random.default_rng(0)
    y, noise = random.integers(0, 2, 3000), random.normal(size=3000)
    table = {
        spread: pd.DataFrame({"x": y + spread * noise, "other": random.normal(size=3000)}) for spread in (0.2, 0.4, 0.6)
    }
    target = pd.DataFrame({"repaid": y})

    found = {spread: [one.columns for one in find_suspicions(frame, target)] for spread, frame in table.items()}

    # Areas under the curve of 1.00, .96 and .88.
    assert found == {0.2: [], 0.4: [("x",)], 0.6: []}
    assert [one.kind for one in find_leaks(table[0.2], target)] == ["gives away"]
    assert find_leaks(table[0.4], target) == ()
    amount = pd.DataFrame({"amount": random.normal(size=500)})
    close = amount["amount"] + 0.2 * random.normal(size=500)
    assert [str(one.text) for one in find_suspicions(close.to_frame("x"), amount)] == [
        "x alone, with an AUC or correlation of .95 or more, tells amount"
    ]
