"""Every room has a face, and other rooms come in by it."""

from __future__ import annotations

import ast
import importlib
import sys
from pathlib import Path

import pytest

SOURCE = Path(__file__).resolve().parents[1] / "src" / "rai_kedro"
KEDRO_ROOMS = {"pipelines", "datasets", "hooks", "commands", "ui", "server"}
ROOMS = sorted(path.parent.name for path in SOURCE.glob("*/__init__.py") if path.parent.name not in KEDRO_ROOMS)
HEAVY = ("mlflow", "evidently", "fairlearn", "hypothesis", "skops", "plotly")


def _exports(room: str) -> dict[str, str]:
    stub = ast.parse((SOURCE / room / "__init__.pyi").read_text(encoding="utf-8"))
    return {
        alias.asname or alias.name: node.module or ""
        for node in stub.body
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
    }


def _imports_past_a_face(text: str, room: str | None) -> list[str]:
    return [
        node.module
        for node in ast.walk(ast.parse(text))
        if isinstance(node, ast.ImportFrom) and node.module and node.module.count(".") > 1
        if node.module.split(".")[0] == "rai_kedro" and node.module.split(".")[1] in ROOMS
        if node.module.split(".")[1] != room
    ]


@pytest.mark.parametrize("room", ROOMS)
def test_a_face_tells_its_story_and_every_name_of_it_is_there(room: str) -> None:
    face = importlib.import_module(f"rai_kedro.{room}")
    names = _exports(room)
    assert names, f"{room}/__init__.pyi names nothing"
    assert face.__doc__, f"{room} tells no story"
    assert ">>>" in face.__doc__, f"{room} has no runnable example"
    assert set(dir(face)) >= set(names)
    assert not [name for name in names if not hasattr(face, name)]
    modules = {path.stem for path in (SOURCE / room).glob("*.py")}
    assert not names.keys() & modules, "a name of the face hides a module"


def test_a_face_loads_nothing_heavy() -> None:
    code = f"import sys\n{chr(10).join(f'import rai_kedro.{room}' for room in ROOMS)}\nimport rai_kedro.cli\n"
    code += f"print([name for name in {HEAVY!r} if name in sys.modules])"
    import subprocess

    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_other_rooms_come_in_by_the_face() -> None:
    past = {
        str(path.relative_to(SOURCE)): found
        for path in SOURCE.rglob("*.py")
        if (found := _imports_past_a_face(path.read_text(encoding="utf-8"), path.relative_to(SOURCE).parts[0]))
    }
    assert past == {}


def test_an_import_past_a_face_is_found() -> None:
    assert _imports_past_a_face("from rai_kedro.fairness.metrics import METRICS", "report") != []
    assert _imports_past_a_face("from rai_kedro.fairness import METRICS", "report") == []
    assert _imports_past_a_face("from rai_kedro.fairness.metrics import METRICS", "fairness") == []
