"""The documentation agrees with the program and with itself; building it (`make docs`) finds dead links."""

from __future__ import annotations

import importlib
import re
import subprocess
import sys
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[1]
DOCS = ROOT / "docs"
TOOLS = str(ROOT / "tools")


@pytest.fixture(scope="module")
def reference() -> Iterator[Any]:
    sys.path.insert(0, TOOLS)
    yield importlib.import_module("reference")
    sys.path.remove(TOOLS)


def _keys_of(block: Any, path: str) -> Iterator[str]:
    if isinstance(block, dict):
        for name, inner in block.items():
            yield f"{path}.{name}"
            yield from _keys_of(inner, f"{path}.{name}")
    elif isinstance(block, list):
        for inner in block:
            yield from _keys_of(inner, f"{path}[]")


def test_every_key_of_the_yaml_files_is_described(reference: Any) -> None:
    for blocks in (reference.BLOCKS, reference.CONTRACT, reference.REVIEWERS):
        keys = [key for block in reference.list_blocks(blocks) for key in block.keys]
        assert [key.name for key in keys if len(key.description.split()) < 2] == []
        assert len({key.name for key in keys}) == len(keys)


@pytest.mark.parametrize("use_case", ["housing", "hospital"])
def test_every_key_of_a_use_case_is_in_the_reference(reference: Any, use_case: str) -> None:
    text = (ROOT / "conf" / "base" / use_case / "parameters.yml").read_text(encoding="utf-8")
    listed = {
        re.sub(r" \(by: .*", "", key.name) for block in reference.list_blocks(reference.BLOCKS) for key in block.keys
    }
    # Below these stand names of people's own, or what a class elsewhere takes.
    open_ended = re.compile(r"\.(params|parameters|alternatives|cuts|margins|missing)\..*|\.split\.by")
    used = {
        found
        for name, block in yaml.safe_load(text)[use_case].items()
        for found in (name, *_keys_of(block, name))
        if not open_ended.search(found)
    }
    assert sorted(used - listed - set(reference.BLOCKS)) == []


def test_every_key_of_globals_is_in_the_reference() -> None:
    page = (DOCS / "reference" / "environments.md").read_text(encoding="utf-8")
    keys = yaml.safe_load((ROOT / "conf" / "base" / "globals.yml").read_text(encoding="utf-8"))
    assert [name for name in keys if f"| `{name}` |" not in page] == []


def test_the_files_of_a_run_are_in_the_reference(reference: Any) -> None:
    catalog = (ROOT / "conf" / "base" / "catalog.yml").read_text(encoding="utf-8")
    places = {path for path in re.findall(r"filepath: .*data_root\}/([^\s\"]+)", catalog) if "/evidence/" not in path}
    assert {path.replace("{use_case}", "<use_case>") for path in places} == reference.list_files().keys()


def test_what_pages_import_is_public(reference: Any) -> None:
    public = reference.list_public()
    told = "\n".join(path.read_text(encoding="utf-8") for path in [*DOCS.glob("*.md"), ROOT / "README.md"])
    imported = re.findall(r"^from rai_kedro\.([\w.]+) import (.+)$", told, re.MULTILINE)
    assert len(imported) > 5
    assert [one for one in imported if not set(one[1].split(", ")) <= set(public.get(one[0], ()))] == []


def test_every_command_and_every_option_is_described(reference: Any) -> None:
    commands = reference.list_commands()
    assert [command.name for command in commands if not command.description] == []
    options = [(command.name, option) for command in commands for option in command.options]
    assert [(name, one.names) for name, one in options if one.names.startswith("-") and not one.description] == []


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


def test_building_the_site_changes_no_package_of_the_project() -> None:
    def versions(lock: str) -> set[str]:
        return set(re.findall(r"^[a-z0-9].*==[^\s;]+", (ROOT / lock).read_text(encoding="utf-8"), re.MULTILINE))

    ours, added = versions("requirements.lock"), versions("requirements-docs.lock")
    names = {one.partition("==")[0] for one in ours}
    assert {one for one in added if one.partition("==")[0] in names} <= ours
    assert any(one.startswith("sphinx==") for one in added)


class _Page(HTMLParser):
    """What a page names, leads to and fetches."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.ids: set[str] = set()
        self.links: list[str] = []
        self.fetched: list[str] = []
        self.pictures: list[str] = []
        self.feed(path.read_text(encoding="utf-8"))

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        found = {name: value or "" for name, value in attrs}
        self.ids |= {found.get("id", "")}
        if tag == "a" and "href" in found:
            self.links.append(found["href"])
        elif tag in ("script", "img", "iframe") and "src" in found:
            self.fetched.append(found["src"])
        elif tag == "link" and found.get("rel") in ("stylesheet", "icon", "preload", "preconnect"):
            self.fetched.append(found["href"])
        if tag == "img":
            self.pictures.append(found.get("alt", ""))


@pytest.mark.slow
def test_the_site_is_built_whole_and_fetches_nothing(tmp_path: Path) -> None:
    pytest.importorskip("sphinx", reason="`make docs` installs what builds the site")
    command = [sys.executable, "-m", "sphinx", "-q", "-W", "--keep-going", "-d", str(tmp_path / "trees")]
    done = subprocess.run([*command, str(DOCS), str(tmp_path / "site")], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    pages = {path.resolve(): _Page(path) for path in (tmp_path / "site").rglob("*.html")}
    assert len(pages) > 50
    for path, page in pages.items():
        dead = []
        for link in page.links:
            where = urlsplit(link)
            if where.scheme in ("http", "https", "mailto"):
                continue
            target = (path.parent / unquote(where.path)).resolve() if where.path else path
            anchors = pages[target].ids if target in pages else {""}
            dead += [link] if not target.is_file() or unquote(where.fragment) not in {*anchors, ""} else []
        assert (path.name, dead) == (path.name, [])
        assert [one for one in page.fetched if "//" in one] == []
        assert [words for words in page.pictures if len(words.split()) < 3] == []
    styles = "".join(path.read_text(encoding="utf-8") for path in (tmp_path / "site").rglob("*.css"))
    assert re.findall(r"@import|url\(['\"]?https?:", styles) == []
