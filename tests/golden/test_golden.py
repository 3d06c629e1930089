"""The figures of both built-in use cases at their fixed seeds, frozen: a change keeps them, or says why not.

``python tests/golden/test_golden.py DATA`` writes the files anew from the data folder of a project in which
``kedro rai demo`` and hospital's training, approval and monitoring have run.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

sys.path.insert(0, str(Path(__file__).parent))
from facts import collect_facts

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
USE_CASES = ("housing", "hospital")
_DIGITS = 10
_APPROVE = (
    "--version",
    "1",
    "--reviewer",
    "Ada Lovelace",
    "--demo",
    "--statement",
    "Golden run.",
    "--accept-risk",
    "Frozen.",
)
COMMANDS = {
    "housing": [["rai", "demo"]],
    "hospital": [
        ["run", "--pipelines", "hospital"],
        ["rai", "approve", "--use-case", "hospital", *_APPROVE],
        ["run", "--pipelines", "hospital.monitoring"],
    ],
}


def _round(value: Any) -> Any:
    if isinstance(value, float):
        return float(f"{value:.{_DIGITS - 1}e}")
    if isinstance(value, dict):
        return {str(key): _round(item) for key, item in value.items()}
    return [_round(item) for item in value] if isinstance(value, list | tuple) else value


def _differences(found: Any, frozen: Any, place: str = "") -> list[str]:
    if isinstance(found, dict) and isinstance(frozen, dict):
        names = sorted(found.keys() | frozen.keys())
        return [line for name in names for line in _differences(found.get(name), frozen.get(name), f"{place}/{name}")]
    if isinstance(found, list) and isinstance(frozen, list) and len(found) == len(frozen):
        pairs = enumerate(zip(found, frozen, strict=True))
        return [line for at, (one, other) in pairs for line in _differences(one, other, f"{place}/{at}")]
    if isinstance(found, float | int) and isinstance(frozen, float | int):
        return [] if found == pytest.approx(frozen, rel=1e-8, abs=1e-12) else [f"{place}: {frozen} became {found}"]
    return [] if found == frozen else [f"{place}: {frozen} became {found}"]


@pytest.mark.slow
@pytest.mark.e2e
@pytest.mark.parametrize("use_case", USE_CASES)
def test_figures_are_as_frozen(use_case: str, tmp_path: Path) -> None:
    project = tmp_path / "project"
    listing = ["git", "ls-files", "--cached", "--others", "--exclude-standard", "conf", "data", "src", "pyproject.toml"]
    tracked = subprocess.check_output(listing, cwd=ROOT, text=True)
    for name in tracked.splitlines():
        if (ROOT / name).is_file():
            (project / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, project / name)
    environment = {**os.environ, "PYTHONPATH": str(project / "src"), "KEDRO_DISABLE_TELEMETRY": "true"}
    for command in COMMANDS[use_case]:
        done = subprocess.run(
            [sys.executable, "-m", "kedro", *command],
            cwd=project,
            env=environment,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    found = _round(collect_facts(project / "data", use_case))
    frozen = json.loads((HERE / f"{use_case}.json").read_text(encoding="utf-8"))
    differences = _differences(json.loads(json.dumps(found)), frozen)
    assert not differences, f"{len(differences)} figures changed:\n" + "\n".join(differences[:40])


if __name__ == "__main__":
    for name in USE_CASES:
        facts = _round(collect_facts(Path(sys.argv[1]), name))
        text = json.dumps(facts, indent=1, ensure_ascii=False, sort_keys=True)
        (HERE / f"{name}.json").write_text(text + "\n", encoding="utf-8")
