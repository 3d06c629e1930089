"""Likely sensitive columns by name, in several languages, and by content; and what must not be taken for one."""

from __future__ import annotations

from typing import Any

import pandas as pd
import pytest

from rai_kedro.contract.sensitivity import split_words, suspect

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
