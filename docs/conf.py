"""The documentation site: `make docs` builds it with Sphinx, every warning an error. Why Sphinx: ADR 28."""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "tools"))

import reference  # noqa: E402 - from tools/
from pydantic import BaseModel  # noqa: E402

project = "rai_kedro"
author = "the authors of rai_kedro"
html_title = "rai_kedro"
language = "en"

extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.napoleon"]
exclude_patterns = ["operations/*", "_static"]
myst_heading_anchors = 4
myst_enable_extensions = ["colon_fence", "deflist"]

autodoc_typehints = "description"
autodoc_typehints_description_target = "documented"
autodoc_member_order = "bysource"
autodoc_default_options = {"members": True, "exclude-members": "model_config, model_post_init"}
autodoc_preserve_defaults = True
napoleon_numpy_docstring = False
napoleon_use_ivar = True
napoleon_use_rtype = False  # what stands before the colon of a return value is no type
default_role = "literal"
add_module_names = False
python_maximum_signature_line_length = 80

html_theme = "furo"
html_static_path = ["_static"]
html_css_files = ["site.css"]
html_copy_source = False
html_domain_indices = False
html_show_sphinx = False
html_show_copyright = False
highlight_language = "none"
pygments_style = "friendly"
pygments_dark_style = "github-dark"

# Where a page says `<!-- … -->`, this is put in when it is read.
_GENERATED = {
    "<!-- commands -->": reference.write_commands,
    "<!-- files -->": reference.write_files,
    "<!-- parameters -->": lambda: reference.write_settings(reference.BLOCKS),
    "<!-- contract -->": lambda: reference.write_settings(reference.CONTRACT),
    "<!-- reviewers -->": lambda: reference.write_settings(reference.REVIEWERS),
}


def write_rooms(_app: Any) -> None:
    """Write a page for each room of the Python interface (not tracked), for the contents to list."""
    folder = HERE / "reference" / "python"
    folder.mkdir(exist_ok=True)
    rooms = reference.list_public()
    for old in {*folder.glob("*.md")} - {folder / f"{room}.md" for room in rooms}:
        old.unlink()
    for room, names in rooms.items():
        page, text = folder / f"{room}.md", reference.write_room(room, names)
        if not page.is_file() or page.read_text(encoding="utf-8") != text:
            page.write_text(text, encoding="utf-8")


def fill_in(_app: Any, _name: str, content: list[str]) -> None:
    """Put what is generated where a page asks for it."""
    for mark, write in _GENERATED.items():
        if mark in content[0]:
            content[0] = content[0].replace(mark, write())


def leave_out_fields(_app: Any, what: str, _name: str, one: Any, *_: Any) -> tuple[str, str] | None:
    """Show no signature of a result: nobody calls it, and its fields are described below."""
    return ("", "") if what == "class" and issubclass(one, BaseModel) else None


def name_months(app: Any, _what: str, name: str, *_: Any) -> None:
    """Write ``Month`` where Sphinx has found out what pydantic makes of it."""
    noted = app.env.current_document.autodoc_annotations.get(name, {})
    for argument, kind in noted.items():
        noted[argument] = re.sub(r"[\w.~]*Annotated\[str, .*?check_month[^\]]*\]", "Month", kind)


def setup(app: Any) -> None:
    """Connect these to Sphinx."""
    app.connect("autodoc-process-signature", leave_out_fields)
    app.connect("autodoc-process-signature", name_months, priority=900)  # after Sphinx's own
    app.connect("builder-inited", write_rooms)
    app.connect("source-read", fill_in)
