"""Likely sensitive columns by name, in several languages, and by content; and what must not be taken for one."""

from __future__ import annotations

from typing import Any

import pandas as pd
import pytest
from known_columns import AT_HAND, HELD_OUT, list_columns

from rai_kedro.contract.sensitivity import Suspicion, split_words, suspect

PLAIN = pd.Series([1.5, 2.5, 3.5])


@pytest.mark.parametrize(
    ("name", "ground"),
    [
        ("sex", "sex or gender"),
        ("Gender", "sex or gender"),
        ("Geschlecht", "sex or gender"),
        ("género", "sex or gender"),
        ("applicantSex", "sex or gender"),
        ("RACE", "race or ethnic origin"),
        ("ethnicity_code", "race or ethnic origin"),
        ("age", "age"),
        ("Alter (Jahre)", "age"),
        ("âge", "age"),
        ("idade", "age"),
        ("date of birth", "age"),
        ("dateOfBirth", "age"),
        ("Geburtsdatum", "age"),
        ("Religionszugehörigkeit", "religion or belief"),
        ("nationalité", "nationality or migration"),
        ("Staatsangehörigkeit", "nationality or migration"),
        ("native_country", "nationality or migration"),
        ("marital-status", "family status"),
        ("Familienstand", "family status"),
        ("disability", "disability or health"),
        ("zip_code", "origin by place"),
        ("PLZ", "origin by place"),
        ("Postleitzahl", "origin by place"),
        ("union", "political opinion or union"),
        ("email", "a single person"),
        ("last_name", "a single person"),
        ("Vorname", "a single person"),
    ],
)
def test_names_that_are_suspect(name: str, ground: str) -> None:
    found = suspect(name, PLAIN)

    assert found is not None
    assert found.ground == ground
    assert found.identifies == (ground == "a single person")


@pytest.mark.parametrize(
    "name",
    ["average", "usage", "page", "message", "sextant", "storage", "income", "rooms", "pressure", "trace", "agent"],
)
def test_names_that_only_look_alike(name: str) -> None:
    assert suspect(name, PLAIN) is None


@pytest.mark.parametrize(
    ("values", "ground"),
    [
        (["m", "f", None], "sex or gender"),
        (["M", "F", "X"], "sex or gender"),
        (["Männlich", "weiblich", "divers"], "sex or gender"),
        (["homme", "femme"], "sex or gender"),
        (["White", "Black", "Asian"], "race or ethnic origin"),
        (["married", "single", "widowed"], "family status"),
        (["a@b.org", "c@d.net"], "a single person"),
    ],
)
def test_contents_that_are_suspect(values: list[Any], ground: str) -> None:
    found = suspect("x17", pd.Series(values))

    assert found is not None
    assert found.ground == ground


@pytest.mark.parametrize("values", [["s", "m", "l", "f"], ["a", "b"], [1, 2], [None, None], ["yes", "no"]])
def test_contents_that_are_not(values: list[Any]) -> None:
    assert suspect("x17", pd.Series(values)) is None


def test_names_are_split_as_people_write_them() -> None:
    assert split_words("dateOfBirth_Größe (m²)") == ("date", "of", "birth", "grosse", "m")


def find(name: str, values: Any) -> Suspicion | None:
    return suspect(name, pd.Series(values))


def measure(sets: dict[str, tuple[str, str]]) -> tuple[int, float, float, float]:
    """Return columns, precision and recall of what is called sure or likely, and the share seen at all."""
    found = [(is_person, suspect(name, values)) for name, values, is_person in list_columns(sets)]
    named = [is_person for is_person, seen in found if seen is not None and seen.confidence != "unsure"]
    people = [seen for is_person, seen in found if is_person]
    return (
        len(found),
        sum(named) / len(named),
        sum(named) / len(people),
        sum(seen is not None for seen in people) / len(people),
    )


def test_columns_of_public_data_sets_the_rules_were_written_by() -> None:
    columns, precision, recall, seen = measure(AT_HAND)

    assert columns > 250 and precision == 1
    assert (round(recall, 2), round(seen, 2)) == (0.92, 0.94)


def test_columns_of_public_data_sets_the_rules_had_not_seen() -> None:
    columns, precision, recall, seen = measure(HELD_OUT)

    assert columns > 140 and precision == 1
    assert (round(recall, 2), round(seen, 2)) == (0.82, 0.85)


def test_ages_of_things_and_letters_of_other_meaning_are_no_people() -> None:
    assert find("HouseAge", [10, 20, 52] * 20) is None
    assert find("Telephone", ["A191", "A192"] * 20) is None
    assert find("telephone", ["+49 30 123", "0711 44 22"] * 20) is not None
    grade = find("charge_degree", ["F", "M"] * 20)
    assert grade is not None and grade.confidence == "unsure" and "something else" in grade.text
    assert (find("Sex", ["F", "M"] * 20) or grade).confidence == "sure"
    assert (find("DIS", [1, 2] * 20) or grade).ground == "disability or health"
    assert find("DIS", [1.13, 4.09, 12.1] * 20) is None
    wrong = find("age", [100, 4000] * 20)
    assert wrong is not None and wrong.confidence == "unsure" and "from 100 to 4000" in wrong.text


def test_values_of_a_codebook_tell_what_codes_mean() -> None:
    coded = pd.Series([1, 2] * 20)

    assert suspect("q17", coded) is None
    by_value = suspect("q17", coded, {"1": "Married", "2": "Divorced"})
    assert by_value is not None and by_value.ground == "family status"
    by_column = suspect("q17", coded, {"": "Religion of the respondent"})
    assert by_column is not None and by_column.ground == "religion or belief"


def test_colours_are_not_taken_for_people_for_certain() -> None:
    assert (find("wine_color", ["white", "black"] * 20) or Suspicion("", "")).confidence == "unsure"
    assert find("paint", ["white", "black", "red", "blue"] * 20) is None
    assert find("room", ["single", "double"] * 20) is None
