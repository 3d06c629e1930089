"""A use case whose files are no YAML stops nobody but who works on it."""

from __future__ import annotations

from typing import Any

import pytest

pytestmark = [pytest.mark.e2e, pytest.mark.slow]

BROKEN = "other.feature_store:\n  type: pandas.CSVDataset\n  metadata: [\n"


@pytest.mark.parametrize("name", ["catalog.yml", "parameters.yml"])
def test_a_file_that_is_no_yaml_stops_its_own_use_case_only(copy_of: Any, simulated: Any, name: str) -> None:
    copied = copy_of(simulated)
    folder = copied.root / "conf" / "base" / "other"
    folder.mkdir()
    (folder / "catalog.yml").write_text("{}\n", encoding="utf-8")
    (folder / name).write_text(BROKEN, encoding="utf-8")

    for command in (("run", "--pipelines", "housing.simulation"), ("rai", "status", "--use-case", "housing")):
        outcome = copied.succeed(*command)
        assert "'other'" in outcome.output
        assert f"conf/base/other/{name}, line 4" in outcome.output
    asked_for = copied.kedro("run", "--pipelines", "other")
    assert asked_for.code != 0
    assert "not valid YAML" in asked_for.output and f"{name}, line 4" in asked_for.output


def test_an_environment_s_file_that_is_no_yaml_stops_its_own_use_case_only(copy_of: Any, simulated: Any) -> None:
    copied = copy_of(simulated)
    file = copied.root / "conf" / "test" / "hospital" / "parameters.yml"
    file.write_text("hospital: {a: [1, 2\n", encoding="utf-8")

    told = copied.succeed("run", "--pipelines", "simulation").output
    assert "'hospital'" in told and "conf/test/hospital/parameters.yml, line" in told
    for command in (("run", "--pipelines", "hospital.simulation"), ("rai", "status", "--use-case", "hospital")):
        asked_for = copied.kedro(*command)
        assert asked_for.code != 0
        assert "not valid YAML" in asked_for.output and "parameters.yml, line" in asked_for.output
