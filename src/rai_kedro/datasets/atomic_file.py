"""Writing a small text file whole or not at all."""

from __future__ import annotations

import os
from pathlib import Path

from rai_kedro.datasets.partition_file import flush_folder, make_folder


def write_text(path: Path, text: str) -> None:
    """Replace a file's content, so that a reader or a kill finds the old or the new, never a part.

    Args:
        path: The file; its folder is made if absent.
        text: The new content, written as UTF-8.
    """
    make_folder(path.parent)
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    with temporary.open("w", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    temporary.replace(path)
    flush_folder(path.parent)
