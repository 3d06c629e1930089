"""The graph of a use case's pipelines as pages that need no server of ours, by kedro-viz."""

from __future__ import annotations

import json
import logging
import re
from collections.abc import Iterator
from contextlib import contextmanager
from io import BytesIO
from pathlib import Path
from typing import Any

from rai_kedro.files import project_folder

_FONTS = re.compile(rb"<link[^>]*fonts\.g[^>]*>\s*")
# The one holds a script that reports to its makers, the other reloads the page of a running server.
_UNORDERED = {"tags", "edges", "children", "inputs", "outputs", "modular_pipelines"}
_LEFT_OUT = {"telemetry.html", "autoreload.html"}


def build_graph(use_case: str, env: str | None) -> tuple[dict[str, bytes], str]:
    """Return the files of the graph below ``graph/``, and what they are in words; none where kedro-viz draws none.

    As ``kedro viz build`` makes them, without a network, the time of day and this machine's paths.
    """
    try:
        return _draw(use_case, env), "kedro-viz, static: `python -m http.server -d graph`, then http://localhost:8000"
    except Exception as error:  # whatever kedro-viz makes of a project; a pack without it can be checked as well
        return {}, f"not there, since kedro-viz could not draw it ({type(error).__name__}: {error})"


class _Collected:
    """As much of a file system of fsspec as kedro-viz writes its answers to."""

    protocol = "memory"

    def __init__(self) -> None:
        self.files: dict[str, bytes] = {}

    @contextmanager
    def open(self, path: str, _mode: str) -> Iterator[BytesIO]:
        """Take what is written to a file."""
        buffer = BytesIO()
        yield buffer
        self.files[path] = buffer.getvalue()


def _draw(use_case: str, env: str | None) -> dict[str, bytes]:
    import kedro_viz
    from kedro_viz.api.rest.responses.save_responses import save_api_responses_to_fs
    from kedro_viz.server import load_and_populate_data

    logging.getLogger("kedro_viz").setLevel(logging.ERROR)  # of runs and parameters that it does not find
    project = project_folder()
    load_and_populate_data(project, env, package_name="rai_kedro", pipeline_name=use_case)
    pages = Path(kedro_viz.__file__).parent / "html"
    collected = _Collected()
    save_api_responses_to_fs("graph", collected, False)
    answers = {name: _clean(content, project) for name, content in collected.files.items()}
    drawn = {f"graph/{name}": content for name, content in _read(pages).items() if name not in _LEFT_OUT}
    for page in ("graph/index.html", "graph/404.html"):
        drawn[page] = _FONTS.sub(b"", drawn[page])
    return {**drawn, **answers}


def _read(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def _clean(content: bytes, project: Path) -> bytes:
    """Leave out where on this machine the project lies, and give what has no order always the same."""
    content = json.dumps(_order(json.loads(content)), ensure_ascii=False).encode()
    return content.replace(f"{project}/".encode(), b"").replace(f'"{project.name}/'.encode(), b'"')


def _order(value: Any, name: str = "") -> Any:
    if isinstance(value, dict):
        return {key: _order(item, key) for key, item in value.items()}
    if isinstance(value, list):
        items = [_order(item) for item in value]
        return sorted(items, key=json.dumps) if name in _UNORDERED else items
    return value
