"""What the reference pages of the documentation say, taken from the program: settings, commands, the public names.

``docs/conf.py`` puts it into the pages when the site is built, and ``tests/test_docs.py`` holds it against the rule
that nothing goes without a description. Needs nothing but the program itself.
"""

from __future__ import annotations

import ast
import inspect
import re
import runpy
import types
import typing
from collections.abc import Iterator, Mapping
from dataclasses import MISSING, dataclass, fields, is_dataclass
from importlib import import_module
from pathlib import Path
from typing import Annotated, Any, Literal, get_args, get_origin

import click
from pydantic import BaseModel
from pydantic_core import PydanticUndefined

ROOT = Path(__file__).resolve().parents[1]
# The blocks of the YAML files in the order of the page: heading, what its keys begin with, and the class that reads it.
BLOCKS = {
    "ingestion": ("ingestion", "rai_kedro.sources:IngestionParameters"),
    "training": ("training", "rai_kedro.pipelines.parameters:TrainingParameters"),
    "fairness": ("fairness", "rai_kedro.pipelines.parameters:FairnessParameters"),
    "mitigation": ("mitigation", "rai_kedro.pipelines.parameters:MitigationParameters"),
    "proxies": ("proxies", "rai_kedro.proxies:ProxyPolicy"),
    "monitoring": ("monitoring", "rai_kedro.pipelines.parameters:MonitoringParameters"),
    "policy": ("policy", "rai_kedro.policy:Policy"),
    "statements": ("statements", "rai_kedro.pipelines.parameters:Statements"),
    "simulation": ("simulation", "rai_kedro.demo:SimulationParameters"),
    "simulation of the hospital": ("simulation", "rai_kedro.demo:HospitalParameters"),
}
CONTRACT = {"contract": ("metadata.rai", "rai_kedro.contract:DatasetContract")}
REVIEWERS = {"reviewers.yml": ("", "rai_kedro.release.signing:Reviewers")}
# Fields that the program fills in itself: nobody writes them into a file.
_FILLED_IN = {
    "GroupingSpec": {"learnt", "merged"},
    "FairnessParameters": {"unit", "weight"},
    "DatasetContract": {"dataset"},
    "Column": {"name"},
}
_WORDS = {str: "text", int: "whole number", float: "number", bool: "`true` or `false`", Any: "anything"}
_BOUNDS = {"gt": "above", "ge": "at least", "lt": "below", "le": "at most"}


@dataclass(frozen=True)
class Key:
    """One key of a YAML file: its name with all it stands in, and what may be written there."""

    name: str
    kind: str
    default: str
    description: str


@dataclass(frozen=True)
class Block:
    """Keys that one class reads, and what the class is for."""

    title: str
    about: str
    keys: tuple[Key, ...]


def list_blocks(blocks: Mapping[str, tuple[str, str]]) -> list[Block]:
    """Return every key of these blocks, nested ones with their whole path, and each once."""
    found: list[Block] = []
    seen: dict[Any, str] = {}
    names: set[str] = set()
    for title, (prefix, place) in blocks.items():
        module, _, name = place.partition(":")
        model = getattr(import_module(module), name)
        keys = tuple(key for key in _walk(model, prefix, seen) if key.name not in names)
        names |= {key.name for key in keys}
        found.append(Block(title, _summary(model), keys))
    return found


def _walk(model: Any, prefix: str, seen: dict[Any, str], only: str = "") -> Iterator[Key]:
    """Go through the keys of a class; ``only`` says with which value of ``by`` it is the one that reads them."""
    told = _describe_fields(model)
    seen[model] = prefix
    for name, annotation, constraints, default in _list_fields(model):
        if name in _FILLED_IN.get(model.__name__, ()) or (only and name == "by"):
            continue
        path = f"{prefix}.{name}{only}".strip(".")
        inner = list(_models_of(annotation))
        kind = _say_type(Annotated[annotation, *constraints] if constraints else annotation)
        known = [seen[one] for one in inner if one in seen]
        if known:
            kind += f", with the keys of `{known[0]}`"
        description = told.get(name, "")
        if not description and len(inner) == 1:
            description = _summary(inner[0])
        yield Key(path, kind, default, description)
        several = _is_several(annotation)
        for one in inner:
            if one not in seen:
                at = path + (f".<{several}>" if several == "name" else several)
                yield from _walk(one, at, seen, _say_which(one) if len(inner) > 1 else "")


def _say_which(model: Any) -> str:
    (which,) = get_args(model.model_fields["by"].annotation)
    return f" (by: {which})"


def _list_fields(model: Any) -> Iterator[tuple[str, Any, list[Any], str]]:
    if is_dataclass(model):
        hints = typing.get_type_hints(model, include_extras=True)
        for one in fields(model):
            default = one.default_factory() if one.default_factory is not MISSING else one.default
            yield one.name, hints[one.name], [], "required" if default is MISSING else _say_value(default)
        return
    for name, one in model.model_fields.items():
        default = one.get_default(call_default_factory=True)
        said = "required" if default is PydanticUndefined else _say_value(default)
        yield one.alias or name, one.annotation, one.metadata, said


def _say_value(value: Any) -> str:
    if isinstance(value, BaseModel) or (isinstance(value, tuple) and value and isinstance(value[0], BaseModel)):
        given = value.model_dump(mode="json", exclude_defaults=True) if isinstance(value, BaseModel) else None
        return _say_value(given) if given else "those of its keys" if given == {} else _say_list(value)
    if value is None or isinstance(value, bool):
        return f"`{ {None: 'null', True: 'true', False: 'false'}[value] }`".replace(" ", "")
    if isinstance(value, list | tuple):
        return f"`[{', '.join(map(str, value))}]`"
    if isinstance(value, dict):
        return "`{" + ", ".join(f"{name}: {one}" for name, one in value.items()) + "}`"
    if isinstance(value, float):
        return f"`{value:.4g}`"
    return f"`{value}`" if value != "" else "empty"


def _say_list(values: tuple[BaseModel, ...]) -> str:
    return (
        f"`[{', '.join(_say_value(one.model_dump(mode='json', exclude_defaults=True)).strip('`') for one in values)}]`"
    )


def _models_of(annotation: Any) -> Iterator[Any]:
    if isinstance(annotation, type) and (issubclass(annotation, BaseModel) or is_dataclass(annotation)):
        yield annotation
    for one in get_args(annotation):
        yield from _models_of(one)


def _is_several(annotation: Any) -> str:
    """Say how the path goes on into a list (``[]``) or into entries with names; empty for a block."""
    origin = get_origin(annotation)
    if origin in (Annotated, typing.Union, types.UnionType):
        return next((found for one in get_args(annotation) if (found := _is_several(one))), "")
    if origin is tuple:
        return "[]"
    return "name" if origin in (dict, Mapping) else ""


def _say_type(annotation: Any) -> str:
    origin, args = get_origin(annotation), get_args(annotation)
    if origin is Annotated:
        return _say_annotated(args)
    if origin is Literal:
        return " or ".join(f"`{one}`" for one in args)
    if origin in (typing.Union, types.UnionType):
        kinds = dict.fromkeys("`null`" if one is type(None) else _say_type(one) for one in args)
        return (", or " if any("," in kind or " by " in kind for kind in kinds) else " or ").join(kinds)
    if origin in (tuple, dict, Mapping):
        return _say_several(origin, args)
    if isinstance(annotation, type) and (issubclass(annotation, BaseModel) or is_dataclass(annotation)):
        return "block"
    return _WORDS.get(annotation, getattr(annotation, "__name__", str(annotation)))


def _say_several(origin: Any, args: tuple[Any, ...]) -> str:
    if origin is not tuple:
        return f"{_say_type(args[1])} by name"
    return (
        f"list of {_plural(_say_type(args[0]))}"
        if args[-1] is Ellipsis
        else f"{len(args)} {_plural(_say_type(args[0]))}"
    )


def _plural(kind: str) -> str:
    head, *rest = re.split(r"(?=, )", kind, maxsplit=1)
    return "".join(
        [{"text": "texts", "block": "blocks", "number": "numbers", "month": "months"}.get(head, head), *rest]
    )


def _say_annotated(args: tuple[Any, ...]) -> str:
    from rai_kedro.months import Month

    base, *constraints = args
    if set(get_args(Month)[1:]) & set(constraints):
        return "month"
    said = [_say_type(base)]
    for one in _flatten(constraints):
        said += [
            f"{words} {limit:g}" for name, words in _BOUNDS.items() if (limit := getattr(one, name, None)) is not None
        ]
        if (fewest := getattr(one, "min_length", None)) and get_origin(base) is tuple:
            said.append(f"at least {'one' if fewest == 1 else fewest}")
        if (pattern := getattr(one, "pattern", None)) and isinstance(pattern, str):
            said.append(f"of the form `{pattern}`")
    return ", ".join(said)


def _flatten(constraints: list[Any]) -> Iterator[Any]:
    for one in constraints:
        yield from getattr(one, "metadata", None) or [one]


def _summary(model: Any) -> str:
    return _to_markdown(inspect.cleandoc(model.__doc__ or "").split("\n\n")[0])


def _describe_fields(model: Any) -> dict[str, str]:
    """Return what the docstrings of a class, and of those it is made from, say of each field."""
    told: dict[str, str] = {}
    for one in reversed(model.__mro__):
        if one.__doc__ and one.__module__.startswith("rai_kedro"):
            told |= _read_section(inspect.cleandoc(one.__doc__))
    if isinstance(model, type) and issubclass(model, BaseModel):
        for name, one in model.model_fields.items():
            if one.alias and name in told:
                told[one.alias] = told[name]
    return told


def _read_section(text: str) -> dict[str, str]:
    found = re.search(r"^(?:Attributes|Args):\n((?:    .*\n?|\n)+)", text, re.MULTILINE)
    told = {}
    for entry in re.split(r"^    (?=\w+:)", found[1], flags=re.MULTILINE)[1:] if found else ():
        name, _, rest = entry.partition(":")
        told[name] = _to_markdown(" ".join(rest.split()))
    return told


def _to_markdown(text: str) -> str:
    """Return the text of a docstring with its code and its references as Markdown has them."""
    text = re.sub(r":\w+:`~?([^`<]+)`", r"`\1`", " ".join(text.split()))
    text = re.sub(r"``([^`]+)``", r"`\1`", text)
    return re.sub(r"`None`|\bNone\b", "`null`", text)


@dataclass(frozen=True)
class Option:
    """An option or an argument of a command."""

    names: str
    is_required: bool
    description: str
    default: str = ""


@dataclass(frozen=True)
class Command:
    """One command as it is typed, with what its own help says."""

    name: str
    persona: str
    description: str
    options: tuple[Option, ...]


def list_commands() -> list[Command]:
    """Return every command of ``kedro rai`` by who needs it, those of a group one by one."""
    from rai_kedro.cli import COMMANDS, cli

    group = cli.commands["rai"]
    assert isinstance(group, click.Group)  # noqa: S101 - what the CLI is made of, for the type checker
    return [
        found for persona, names in COMMANDS.items() for found in _list_group(group, "kedro rai", list(names), persona)
    ]


def _list_group(group: click.Group, name: str, words: list[str], persona: str) -> Iterator[Command]:
    context = click.Context(group)
    for word in words:
        command = group.get_command(context, word)
        if isinstance(command, click.Group):
            yield from _list_group(command, f"{name} {word}", command.list_commands(context), persona)
        elif command is not None and not command.hidden:
            description = _as_text(inspect.cleandoc(command.help or ""))
            yield Command(f"{name} {word}", persona, description, tuple(_list_options(command)))


def _list_options(command: click.Command) -> Iterator[Option]:
    context = click.Context(command)
    for one in command.params:
        if isinstance(one, click.Argument):
            yield Option(one.make_metavar(context), one.required, "")
        elif isinstance(one, click.Option) and not one.hidden:
            value = "" if one.is_flag else f" {one.make_metavar(context)}"
            names = ", ".join(f"{name}{value}" for name in (*one.opts, *one.secondary_opts))
            default = f"{one.default}" if one.show_default else ""
            yield Option(names, one.required, _as_text(one.help or ""), default)


def _as_text(text: str) -> str:
    """Return the help of a command so that Markdown takes no sign of it for markup, and an option for code."""
    plain = re.sub(r"([<>*_`\[\]])", r"\\\1", text.replace("\b\n", ""))
    return re.sub(r"(?<![\w-])--[a-z][a-z-]*", r"`\g<0>`", plain)


def list_public() -> dict[str, list[str]]:
    """Return the names that other programs may rely on, by room: those that a test keeps from being taken away."""
    public = runpy.run_path(str(ROOT / "tests" / "test_public_api.py"))["PUBLIC"]
    return {room: names.split() for room, names in public.items()}


def write_settings(blocks: Mapping[str, tuple[str, str]]) -> str:
    """Return the keys of these blocks as MyST Markdown."""
    lines = []
    for block in list_blocks(blocks):
        lines += [f"## {block.title}", "", block.about, ""]
        for key in block.keys:
            lines += [f"```{{confval}} {key.name}", f":type: {key.kind}", f":default: {key.default}", ""]
            lines += [key.description, "```", ""]
    return "\n".join(lines)


def write_commands() -> str:
    """Return every command with its options as MyST Markdown."""
    lines: list[str] = []
    for command in list_commands():
        if f"## {command.persona}" not in lines:
            lines += [f"## {command.persona}", ""]
        lines += [f"### {command.name.removeprefix('kedro ')}", "", command.description, ""]
        arguments = " ".join(one.names for one in command.options if not one.names.startswith("-"))
        lines += ["```text", f"{command.name} {'[OPTIONS] ' if command.options else ''}{arguments}".strip(), "```", ""]
        lines += [f"```{{program}} {command.name}", "```", ""]
        for option in command.options:
            if not option.names.startswith("-"):
                continue
            notes = ["Required."] if option.is_required else []
            notes += [f"Default: `{option.default}`."] if option.default else []
            lines += [f"```{{option}} {option.names}", " ".join([option.description, *notes]), "```", ""]
    return "\n".join(lines)


def list_files() -> dict[str, str]:
    """Return what is in each file or folder that a run writes under the data folder, by the comments of the catalogue.

    The evidence record has several entries there, one for each kind of line, and is left to the page.
    """
    entry = re.compile(r'^"\{use_case\}\.\w+":[^#\n]*# (.*)\n((?: +.*\n)+)', re.MULTILINE)
    path = re.compile(r'filepath: "?\$\{globals:data_root\}/([^\s"]+)')
    found: dict[str, str] = {}
    for meaning, body in entry.findall((ROOT / "conf" / "base" / "catalog.yml").read_text(encoding="utf-8")):
        for place in path.findall(body):
            if "/evidence/" not in place:
                found.setdefault(place.replace("{use_case}", "<use_case>"), meaning)
    return found


def write_files() -> str:
    """Return these files as a Markdown table."""
    lines = ["| below the data folder | holds |", "|---|---|"]
    return "\n".join([*lines, *(f"| `{path}` | {meaning} |" for path, meaning in sorted(list_files().items()))])


def write_room(room: str, names: list[str]) -> str:
    """Return the page of one room of the Python interface as MyST Markdown."""
    lines = [f"# rai_kedro.{room}", "", "```{eval-rst}", f".. automodule:: rai_kedro.{room}", "   :no-members:", ""]
    face = import_module(f"rai_kedro.{room}")
    for name in sorted(names, key=str.lower):
        one = getattr(face, name)
        if isinstance(one, type):
            form = "exception" if issubclass(one, Exception) else "class"
            lines += [f".. auto{form}:: rai_kedro.{room}.{name}", ""]
        elif callable(one):
            lines += [f".. autofunction:: rai_kedro.{room}.{name}", ""]
        else:  # what is said of a value stands in the module that it comes from
            lines += [f".. autodata:: {_find_module(room, name)}.{name}", "   :no-value:", ""]
    return "\n".join([*lines, "```", ""])


def _find_module(room: str, name: str) -> str:
    stub = ast.parse((ROOT / "src" / "rai_kedro" / room / "__init__.pyi").read_text(encoding="utf-8"))
    imports = (node for node in stub.body if isinstance(node, ast.ImportFrom))
    (module,) = (node.module for node in imports if name in [alias.name for alias in node.names])
    return f"rai_kedro.{room}.{module}"
