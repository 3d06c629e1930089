"""The documentation agrees with the program and with itself; building it (`make docs`) finds dead links."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
DOCS = ROOT / "docs"


def _listed() -> set[Path]:
    """Return the pages that some table of contents leads to."""
    found = {DOCS / "index.md"}
    for page in DOCS.rglob("*.md"):
        for contents in re.findall(r"```\{toctree\}\n(.*?)```", page.read_text(encoding="utf-8"), re.DOTALL):
            entries = [line for line in contents.splitlines() if line and not line.startswith(":")]
            paths = [re.sub(r".*<(.+)>", r"\1", entry) for entry in entries]
            found |= {one for path in paths for one in page.parent.glob(f"{path}.md")} | {
                page.parent / f"{path}.md" for path in paths if "*" not in path
            }
    return found


def test_every_page_is_in_the_contents_and_every_entry_is_a_page() -> None:
    assert {page for page in DOCS.rglob("*.md") if page.parent.name != "python"} == {
        page for page in _listed() if page.parent.name != "python"
    }


def test_pages_that_other_files_name_are_there() -> None:
    places = [ROOT / "README.md", ROOT / "CHANGELOG.md", ROOT / "CONTRIBUTING.md", ROOT / "Makefile"]
    for folder, pattern in (
        ("src", "*.py"),
        ("src", "*.j2"),
        ("conf", "*.yml"),
        ("notebooks", "*.ipynb"),
        ("tools", "*"),
    ):
        places += [path for path in (ROOT / folder).rglob(pattern) if path.is_file()]
    named = {
        (str(path.relative_to(ROOT)), found)
        for path in places
        if "__pycache__" not in path.parts
        for found in re.findall(r"\bdocs/[\w./-]+\.md", path.read_text(encoding="utf-8"))
    }
    assert len(named) > 50
    assert [one for one in sorted(named) if not (ROOT / one[1]).is_file()] == []
