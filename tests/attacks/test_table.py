"""The table of attacks in the documentation names every test of this folder, and no other."""

from __future__ import annotations

import re
from pathlib import Path

HERE = Path(__file__).parent
PAGE = HERE.parents[1] / "docs" / "trust.md"


def test_every_attack_is_in_the_table_under_its_attacker() -> None:
    told = PAGE.read_text(encoding="utf-8").partition("## The attacks")[2]
    for section in re.split(r"^\*\*", told, flags=re.MULTILINE)[1:]:
        file = re.search(r"`(test_\w+\.py)`", section)
        assert file is not None, section
        known = re.findall(r"^def test_(\w+)\(", (HERE / file[1]).read_text(encoding="utf-8"), re.MULTILINE)
        cells = [line.split("|")[1] for line in section.splitlines() if line.startswith("| `")]
        named = [name for cell in cells for name in re.findall(r"`(\w+)`", cell)]
        assert sorted(named) == sorted(known), file[1]


def test_every_attacker_has_a_table() -> None:
    files = {file.name for file in HERE.glob("test_*.py")} - {Path(__file__).name}
    assert files == set(re.findall(r"`(test_\w+\.py)`", PAGE.read_text(encoding="utf-8")))
