"""The examples in the face of every room run and give what they say."""

from __future__ import annotations

import doctest
import importlib
from pathlib import Path

import pytest

import rai_kedro

FACES = sorted(
    f"rai_kedro.{path.parent.name}"
    for path in Path(rai_kedro.__path__[0]).glob("*/__init__.py")
    if ">>>" in path.read_text(encoding="utf-8")
)


def test_faces_are_found() -> None:
    assert {"rai_kedro.fairness", "rai_kedro.performance"} <= set(FACES)


@pytest.mark.parametrize("face", FACES)
def test_examples_of_a_face_hold(face: str) -> None:
    found = doctest.testmod(importlib.import_module(face), optionflags=doctest.NORMALIZE_WHITESPACE)
    assert found.attempted > 0
    assert found.failed == 0
