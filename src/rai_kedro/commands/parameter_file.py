"""Changing a few values of a YAML file that people wrote, and leaving every other character as it is.

PyYAML would lose the comments, so the file is not written from its values. PyYAML only says where a value stands; the
text there is replaced, and the result is read again: unless exactly the asked-for values have changed and no comment
was lost, the edit is refused.
"""

from __future__ import annotations

import copy
import json
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

from rai_kedro.errors import RaiError

_STEP = 2
_WIDTH = 120
_WORD = re.compile(r"[A-Za-z][A-Za-z0-9_]*")
_YAML_WORDS = {"yes", "no", "true", "false", "on", "off", "null", "y", "n"}


class ParameterFileError(RaiError):
    """A parameters file cannot be changed without risk to what else stands in it."""


def read_text(path: Path) -> str:
    """Return the file's text with its own line ends; empty if there is no file.

    Raises:
        ParameterFileError: It cannot be read.
    """
    try:
        return path.read_bytes().decode("utf-8") if path.exists() else ""
    except (OSError, UnicodeDecodeError) as error:
        raise ParameterFileError(
            "The parameters file cannot be read.", where=str(path), example=str(error), remedy="make it readable UTF-8"
        ) from None


def read_section(text: str, keys: Sequence[str]) -> dict[str, Any]:
    """Return the mapping that stands under these keys; empty where there is none."""
    found: Any = yaml.safe_load(text)
    for key in keys:
        found = found.get(key) if isinstance(found, Mapping) else None
    return dict(found) if isinstance(found, Mapping) else {}


def set_values(text: str, keys: Sequence[str], values: Mapping[str, Any], *, where: str = "") -> str:
    """Set values in one section, changing no other character.

    Args:
        text: The file's text.
        keys: Where the section stands, for example ``("hospital", "fairness")``; made where absent.
        values: New values of keys of that section: text, lists and mappings of text.
        where: Name of the file, for messages.

    Returns:
        The new text. A comment inside a replaced value is kept and stands before the new one.

    Raises:
        ParameterFileError: The text is no YAML, or is written in a way (anchors, a key given twice) in which the change
            would touch something else.
    """
    newline = "\r\n" if "\r\n" in text else "\n"
    try:
        changed = text
        for key, value in values.items():
            changed = _set_one(changed, (*keys, key), value, newline)
        is_clean = _is_only_change(text, changed, keys, values)
    except (yaml.YAMLError, TypeError, AttributeError) as error:
        raise _refuse(where, keys, values, str(error)) from None
    if not is_clean:
        raise _refuse(where, keys, values, None)
    return changed


def _set_one(text: str, keys: Sequence[str], value: Any, newline: str) -> str:
    """Replace or insert one value."""
    node: Any = yaml.compose(text, Loader=yaml.SafeLoader)
    if node is None:
        return _join(text, _render_block(keys, value, 0), newline)
    for depth, key in enumerate(keys):
        found = _find(node, key)
        if found is None:
            return _insert(text, node, keys[depth:], value, newline)
        if _is_null(found) and depth < len(keys) - 1:
            # ``fairness:`` with nothing under it
            return _replace(text, found, _nest(keys[depth + 1 :], value), newline)
        node = found
    return _replace(text, node, value, newline)


def _find(node: Any, key: str) -> Any:
    if not isinstance(node, yaml.MappingNode):
        raise TypeError(f"'{key}' is to stand in a mapping, and there is none on line {node.start_mark.line + 1}")
    return next((value for name, value in node.value if name.value == key), None)


def _is_null(node: yaml.Node) -> bool:
    return isinstance(node, yaml.ScalarNode) and node.tag == "tag:yaml.org,2002:null"


def _nest(keys: Sequence[str], value: Any) -> Any:
    for key in reversed(keys):
        value = {key: value}
    return value


def _replace(text: str, node: yaml.Node, value: Any, newline: str) -> str:
    start, end = node.start_mark.index, _find_end(text, node)
    column = _indent_of_line(text, start) + 2 * _STEP
    kept = _find_comments(text, start, end)
    new = _render_flow(value, column, kept).replace("\n", newline)
    # After "key:" with nothing there, and in a list that stands no deeper than its key, flow style needs more room.
    glue = " " if text[start - 1 : start] == ":" else " " * _STEP if _opens_line(text, start) else ""
    return text[:start] + glue + new + text[end:]


def _insert(text: str, node: yaml.MappingNode, keys: Sequence[str], value: Any, newline: str) -> str:
    """Add a key at the end of a mapping."""
    if node.flow_style:
        end = node.end_mark.index - 1
        column = _indent_of_line(text, node.start_mark.index) + 2 * _STEP
        entry = f"{keys[0]}: {_render_flow(_nest(keys[1:], value), column)}".replace("\n", newline)
        return text[:end] + (", " if node.value else "") + entry + text[end:]
    lines = _render_block(keys, value, node.value[0][0].start_mark.column)
    if len(keys) > 1:
        lines = f"\n{lines}"
    end_of_line = text.find("\n", _find_end(text, node))
    if end_of_line < 0:
        return _join(text, lines, newline)
    return text[: end_of_line + 1] + lines.replace("\n", newline) + text[end_of_line + 1 :]


def _join(text: str, lines: str, newline: str) -> str:
    glue = "" if not text or text.endswith("\n") else newline
    return text + glue + lines.replace("\n", newline)


def _find_end(text: str, node: yaml.Node) -> int:
    """Return where a value ends; a block's own mark lies behind the comments that follow it."""
    if isinstance(node, yaml.CollectionNode) and not node.flow_style and node.value:
        last = node.value[-1]
        return _find_end(text, last[1] if isinstance(last, tuple) else last)
    start: int = node.start_mark.index
    return start + len(text[start : node.end_mark.index].rstrip())


def _indent_of_line(text: str, index: int) -> int:
    line = text[text.rfind("\n", 0, index) + 1 : index]
    return len(line) - len(line.lstrip(" "))


def _opens_line(text: str, index: int) -> bool:
    return not text[text.rfind("\n", 0, index) + 1 : index].strip(" ")


def _find_comments(text: str, start: int = 0, end: int | None = None) -> list[str]:
    """Return the comments of a stretch of YAML: what stands between its tokens and is not blank."""
    end = len(text) if end is None else end
    found, position = [], start
    for token in yaml.scan(text, Loader=yaml.SafeLoader):
        found += text[position : min(token.start_mark.index, end)].splitlines()
        position = max(position, token.end_mark.index)
    found += text[position:end].splitlines()
    return [line.strip() for line in found if line.strip().startswith("#")]


def _render_block(keys: Sequence[str], value: Any, column: int) -> str:
    lines = [f"{' ' * (column + _STEP * depth)}{key}:" for depth, key in enumerate(keys)]
    flow = _render_flow(value, column + _STEP * (len(keys) + 1))
    return "\n".join(lines) + f" {flow}\n"


def _render_flow(value: Any, column: int, comments: Sequence[str] = ()) -> str:
    """Render a value as YAML in flow style; a list of mappings, or one with comments, on lines of its own."""
    if isinstance(value, Mapping):
        return "{" + _wrap([f"{key}: {_render_flow(item, column)}" for key, item in value.items()], column + 1) + "}"
    if not isinstance(value, list | tuple):
        return _render_text(str(value))
    items = [_render_flow(item, column) for item in value]
    if not comments and not any(isinstance(item, Mapping) for item in value):
        return f"[{', '.join(items)}]"
    pad = " " * column
    lines = [*(f"{pad}{comment}" for comment in comments), *(f"{pad}{item}," for item in items)]
    return "\n".join(["[", *lines, " " * max(column - _STEP, 1) + "]"])


def _wrap(parts: Sequence[str], column: int) -> str:
    """Join the parts of a mapping by commas, on a new line wherever the line would get too long."""
    lines: list[str] = []
    for part in parts:
        if lines and column + len(lines[-1]) + len(part) + len(", ,}") <= _WIDTH:
            lines[-1] += f", {part}"
        else:
            lines.append(part)
    return f",\n{' ' * column}".join(lines)


def _render_text(text: str) -> str:
    """Leave a plain word bare, and quote whatever YAML might take for something else."""
    is_plain = _WORD.fullmatch(text) and text.lower() not in _YAML_WORDS
    return text if is_plain else json.dumps(text, ensure_ascii=False)


def _is_only_change(before: str, after: str, keys: Sequence[str], values: Mapping[str, Any]) -> bool:
    """Compare what the texts mean: written out, so that order counts and not-a-number equals itself."""
    expected = copy.deepcopy(yaml.safe_load(before))
    expected = {} if expected is None else expected
    section = expected
    for key in keys:
        if section.get(key) is None:
            section[key] = {}
        section = section[key]
    section.update({key: _plain(value) for key, value in values.items()})
    lost = Counter(_find_comments(before)) - Counter(_find_comments(after))
    return repr(yaml.safe_load(after)) == repr(expected) and not lost


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _plain(item) for key, item in value.items()}
    return [_plain(item) for item in value] if isinstance(value, list | tuple) else str(value)


def _refuse(where: str, keys: Sequence[str], values: Mapping[str, Any], reason: str | None) -> ParameterFileError:
    return ParameterFileError(
        "The parameters file is written in a way in which this cannot be entered without touching something else.",
        where=where or None,
        example=reason,
        remedy="nothing was written; enter it by hand:\n" + _render_block(list(keys), dict(values), 0).rstrip(),
    )
