"""Put files and folders in their place whole or not at all.

Evidently's workspace writes its JSON files in place: a process killed in between leaves half a file, and
``evidently ui`` then refuses to start. So everything is first written into a folder beside the workspace and
moved in when it is complete. Beside, not inside: a running ``evidently ui`` notices what comes in from
outside, but ignores what is moved about within the workspace.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path


@contextmanager
def staging_folder(beside: Path, name: str) -> Iterator[Path]:
    """Lend an empty folder on the same file system, for the length of a ``with`` block.

    What a killed process left under the same name is removed first.

    Args:
        beside: The folder or file that the contents are meant for.
        name: Says what is being staged; two processes must not stage the same thing at once.

    Yields:
        The empty folder.
    """
    room = beside.parent / f".{beside.name}.staging"
    folder = room / name
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        with suppress(OSError):  # another process is staging something else
            room.rmdir()


def move_into_place(source: Path, target: Path) -> None:
    """Replace a file, or place a folder, in one step that survives a crash.

    Args:
        source: A finished file or folder on the same file system.
        target: Its place; an existing file is replaced, an existing folder must be empty.
    """
    for path in [source] if source.is_file() else [path for path in source.rglob("*") if path.is_file()]:
        with path.open("rb") as stream:
            os.fsync(stream.fileno())
    target.parent.mkdir(parents=True, exist_ok=True)
    os.replace(source, target)
    folder = os.open(target.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
