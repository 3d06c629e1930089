"""YAML that people write, read strictly: no key twice, and no few lines that unfold into millions."""

from __future__ import annotations

import os
from collections.abc import Hashable, Sequence
from typing import Any

import yaml

try:
    from yaml import CSafeLoader as _SafeLoader  # eight times as fast; wheels of PyYAML have it
except ImportError:
    from yaml import SafeLoader as _SafeLoader  # type: ignore[assignment]

# Deeper than anybody writes; some hundred thousand levels would end the process in C, past any `except`.
_MOST_LEVELS = 100
# An alias repeats a block for a few characters; nested aliases multiply. 1,000 columns of a contract are some 20,000.
_MOST_NODES = 200_000
# Kedro reads the same files with OmegaConf, whose own limit of 10,000 a table of some 700 columns exceeds.
os.environ.setdefault("OMEGACONF_MAX_YAML_EXPANDED_NODES", str(_MOST_NODES))


class _StrictLoader(_SafeLoader):
    """Refuses a key given twice, of which YAML would silently take the second, and aliases that multiply."""

    def get_single_node(self) -> yaml.Node | None:
        node = super().get_single_node()
        if node is not None and _count(node, {}) > _MOST_NODES:
            raise yaml.constructor.ConstructorError(
                None, None, f"its aliases (*name) unfold into more than {_MOST_NODES:,} values", node.start_mark
            )
        return node

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Hashable, Any]:
        seen: set[Any] = set()
        # '<<' takes over what another mapping says; a key that stands here as well outranks it.
        for key_node in (key for key, _ in node.value if key.tag != "tag:yaml.org,2002:merge"):
            key = self.construct_object(key_node, deep=True)
            if key in seen:
                raise yaml.constructor.ConstructorError(
                    "while reading a mapping", node.start_mark, f"key '{key}' is given twice", key_node.start_mark
                )
            seen.add(key)
        return super().construct_mapping(node, deep)


def read_yaml(text: str) -> Any:
    """Read YAML; ``yaml.YAMLError`` if it is none, has a key twice, or goes too deep or its aliases unfold too far."""
    level = 0
    for event in yaml.parse(text, Loader=_SafeLoader):
        level += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
        if level > _MOST_LEVELS:
            raise yaml.YAMLError(f"it is nested more than {_MOST_LEVELS} levels deep")
    return yaml.load(text, Loader=_StrictLoader)  # noqa: S506 - a SafeLoader


def has_aliases(text: str) -> bool:
    """Say whether YAML names a value in one place (&name) and repeats it in another (*name)."""
    return any(isinstance(token, yaml.AliasToken | yaml.AnchorToken) for token in yaml.scan(text))


def find_line(text: str, path: Sequence[int | str]) -> int:
    """Return the line (from 1) of the key or entry that a path of keys and positions leads to, as far as it leads."""
    node = yaml.compose(text, Loader=yaml.SafeLoader)
    line = node.start_mark.line if node else 0
    for step in path:
        if isinstance(node, yaml.MappingNode):
            found = next(((key, value) for key, value in node.value if key.value == str(step)), None)
        elif isinstance(node, yaml.SequenceNode) and isinstance(step, int) and step < len(node.value):
            found = (node.value[step], node.value[step])
        else:
            found = None
        if found is None:
            break
        line, node = found[0].start_mark.line, found[1]
    return line + 1


def _count(node: yaml.Node, known: dict[int, int]) -> int:
    """Count the nodes that a node unfolds into, each shared one once for every place it stands in."""
    if id(node) in known:
        return known[id(node)]
    known[id(node)] = _MOST_NODES + 1  # an alias of itself never ends
    if isinstance(node, yaml.MappingNode):
        parts = [part for pair in node.value for part in pair]
    else:
        parts = node.value if isinstance(node, yaml.SequenceNode) else []
    known[id(node)] = 1 + sum(_count(part, known) for part in parts)
    return known[id(node)]
