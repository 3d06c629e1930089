"""Values are set in a file that people wrote, and nothing else in it changes."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from rai_kedro.commands.parameter_file import ParameterFileError, read_section, read_text, set_values

ROOT = Path(__file__).resolve().parents[2]
KEYS = ("hospital", "fairness")
PATH = [
    {"question": "individual_or_group", "answer": "no", "asked": 'Does it "matter": # or {not}?', "means": "groups"},
    {"question": "standard", "answer": "yes", "asked": "Is it required?", "means": "it is"},
]
VALUES: dict[str, Any] = {"metrics": ["equalized_odds", "equal_opportunity"], "questionnaire": PATH}
HEAD = "# The hospital.\nhospital:   # one of two\n\n  training:\n    month: 2024-01   # first\n"
TAIL = "\n  # said by a person\n  statements:\n    limits:\n      - 'One: # not a comment'   # but this is\n"


def comments(text: str) -> list[str]:
    """Return the comments by a way of its own: whole lines, and what follows three blanks, sorted."""
    own_lines = [line.strip() for line in text.splitlines() if line.strip().startswith("#")]
    return sorted(
        [*own_lines, *(f"#{line.split('   #')[1]}" for line in text.splitlines() if re.search(r"\S   #", line))]
    )


@pytest.mark.parametrize(
    "section",
    [
        "",
        "  fairness:\n",
        "  fairness:   # to be chosen\n",
        "  fairness: {}\n",
        "  fairness: null   # to be chosen\n",
        "  fairness: {level: 0.95}   # in short\n",
        "  fairness: {metrics: [statistical_parity], level: 0.95}\n",
        "  fairness:\n    metrics: [statistical_parity]   # by the board\n    level: 0.95\n",
        "  fairness:\n    metrics:\n      - calibration   # by the board\n      - consistency\n    level: 0.95\n",
        "  fairness:\n    metrics:\n    - calibration\n    # between\n    - consistency\n\n    # after\n    level: 1\n",
        "  fairness:\n    metrics:   # none yet\n    level: 0.95\n    # the end\n",
        "  fairness:\n    metrics: !!seq [calibration]\n",
        "  fairness:\n    metrics: [\n      a,   # first\n      b\n    ]\n    questionnaire: []   # nobody asked\n",
        "  fairness:\n    questionnaire:\n      - question: a\n        answer: 'no'   # sure\n    metrics: [b]\n",
        "  fairness:\n    metrics: [b]\n    text: |\n      '#no comment'\n      words\n",
        "  fairness:\n    metrics: [b]\n    text: >-\n      folded\n      words\n\n",
    ],
)
@pytest.mark.parametrize("newline", ["\n", "\r\n"])
def test_only_the_values_change(section: str, newline: str) -> None:
    before = (HEAD + section + TAIL).replace("\n", newline)
    after = set_values(before, KEYS, VALUES)

    expected = yaml.safe_load(before)
    expected["hospital"]["fairness"] = (expected["hospital"].get("fairness") or {}) | VALUES
    assert yaml.safe_load(after) == expected
    assert comments(after) == comments(before)
    assert after.startswith(HEAD.replace("\n", newline))
    assert TAIL.replace("\n", newline) in after
    assert after.count(newline) == after.count("\n")


def test_the_result_reads_like_this() -> None:
    before = HEAD + "\n  fairness:\n    metrics: [statistical_parity]   # by the board\n" + TAIL
    long = {"question": "standard", "answer": "yes", "asked": f"Is {'really ' * 9}required?", "means": "it is " * 9}
    section = f"""
  fairness:
    metrics: [equalized_odds, equal_opportunity]   # by the board
    questionnaire: [
        {{question: individual_or_group, answer: "no"}},
        {{question: standard, answer: "yes",
         asked: "Is {"really " * 9}required?",
         means: "{"it is " * 9}"}},
      ]
"""
    values = {**VALUES, "questionnaire": [{"question": "individual_or_group", "answer": "no"}, long]}

    assert set_values(before, KEYS, values) == HEAD + section + TAIL


@pytest.mark.parametrize("before", ["", "# nothing yet\n", "# nothing yet", "housing:\n  level: 1", "hospital:\n"])
def test_a_file_without_the_section_gets_it(before: str) -> None:
    after = set_values(before, KEYS, VALUES)

    assert read_section(after, KEYS) == VALUES
    assert after.startswith(before.rstrip("\n"))


def test_doing_it_twice_changes_nothing() -> None:
    once = set_values(HEAD + TAIL, KEYS, VALUES)

    assert set_values(once, KEYS, VALUES) == once


def test_the_projects_own_file_keeps_every_line() -> None:
    before = (ROOT / "conf" / "base" / "housing" / "parameters.yml").read_text()
    after = set_values(before, ("housing", "fairness"), VALUES)

    position = 0
    for line in before.splitlines():
        if line.strip().startswith("#"):
            position = after.index(line, position)
    unchanged = {k: v for k, v in yaml.safe_load(after)["housing"].items() if k != "fairness"}
    assert unchanged == {k: v for k, v in yaml.safe_load(before)["housing"].items() if k != "fairness"}


@pytest.mark.parametrize(
    "before",
    [
        "hospital:\n  fairness:\n    metrics: &both [a]\n  other: *both\n",
        "hospital:\n  other: &both [a]\n  fairness:\n    metrics: *both\n",
        "hospital:\n  fairness:\n    metrics: [a]\n    metrics: [b]\n",
        "hospital:\n  fairness:\n    metrics: [a]\n  fairness:\n    level: 1\n",
        "hospital:\n  fairness: [a]\n",
        "hospital: words\n",
        "- hospital\n",
        "hospital:\n  fairness: {metrics: [a],}\n",
        "hospital: [a\n",
        "a: 1\n---\nb: 2\n",
        "base: &base {metrics: [a]}\nhospital:\n  fairness:\n    <<: *base\n    level: 1\nother: {<<: *base}\n",
    ],
)
def test_an_unsafe_edit_is_refused_or_right(before: str) -> None:
    """Anchors, keys given twice and the like: either exactly the values change, or nothing does."""
    try:
        after = set_values(before, KEYS, VALUES, where="parameters.yml")
    except ParameterFileError as error:
        assert "enter it by hand" in str(error) and "equalized_odds" in str(error)
        return
    expected = yaml.safe_load(before)
    expected["hospital"]["fairness"] |= VALUES
    assert yaml.safe_load(after) == expected


@pytest.mark.parametrize(
    "before",
    [
        "hospital:\n  fairness:\n    metrics: &both [a]\n  other: *both\n",
        "hospital:\n  fairness:\n    metrics: [a]\n    metrics: [b]\n",
        "hospital: words\n",
        "hospital: [a\n",
    ],
)
def test_these_are_refused(before: str) -> None:
    with pytest.raises(ParameterFileError, match=r"conf, parameters\.yml"):
        set_values(before, KEYS, VALUES, where="conf, parameters.yml")


plain = st.one_of(st.booleans(), st.integers(), st.floats(allow_nan=True), st.text(max_size=12), st.none())
trees = st.recursive(
    plain, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=6), inner, max_size=3)
)


@settings(max_examples=200, deadline=None)
@given(st.dictionaries(st.text(max_size=6), trees, max_size=3), trees, st.booleans(), st.integers(20, 200))
def test_any_yaml_is_kept(others: dict[str, Any], fairness: Any, flow: bool, width: int) -> None:
    content = {**others, "hospital": {"before": others, "fairness": fairness, "after": others}}
    before = yaml.safe_dump(content, default_flow_style=flow, width=width, sort_keys=False, allow_unicode=True)
    expected = yaml.safe_load(before)
    try:
        after = set_values(before, KEYS, VALUES)
    except ParameterFileError:
        # Only where the section is no mapping, or an anchor ties it to another place.
        assert "&id" in before or not (fairness is None or isinstance(fairness, dict))
        return
    expected["hospital"]["fairness"] = (expected["hospital"]["fairness"] or {}) | VALUES
    assert repr(yaml.safe_load(after)) == repr(expected)


def test_a_file_in_another_encoding_is_named(tmp_path: Path) -> None:
    file = tmp_path / "parameters.yml"
    file.write_bytes("# für\n".encode("latin-1"))

    with pytest.raises(ParameterFileError, match=r"(?s)cannot be read.*parameters\.yml"):
        read_text(file)


def test_no_file_is_an_empty_text(tmp_path: Path) -> None:
    assert read_text(tmp_path / "parameters.yml") == ""
