"""What a check of the evidence found wrong, where, and what to do about it."""

from __future__ import annotations

from typing import Final

from rai_kedro.typed import Typed

RESTORE: Final = "find out who changed record, files or database, and restore them from a backup"
RESTORE_CHAIN: Final = "restore the record from a backup; what comes after that line is not to be relied on"
SET_CLOCK: Final = "set the clock of the machine that wrote it right, and have that decision given anew"
SET_TAGS: Final = (
    "find out who changed MLflow's tags or aliases; if the record is right, giving the same decision again "
    "(`kedro rai approve` or `reject`) sets them from it"
)
RETRAIN: Final = (
    "do not approve that version: find out who changed its manifest, the record or the list of keys and restore them, "
    "or train it again"
)
RESTORE_CARD: Final = "restore the card on disk from the artifacts of its run in MLflow"
RESTORE_RECORD: Final = "restore the record from the backup that the anchor agrees with, and find out who changed it"
RESTORE_MONTH: Final = (
    "find out who changed them and restore the month from a backup; if they were corrected, run the monitoring, which "
    "enters that, or `kedro rai rescore`"
)
RESCORE: Final = (
    "find out who changed them; restore them from a backup, or score the month again with "
    "`kedro rai rescore --use-case NAME --month MONTH --reason TEXT`"
)
MONITOR: Final = "run the monitoring, which makes it again from what is on record"


class Finding(Typed):
    """Something that does not hold.

    Attributes:
        what: One sentence.
        where: The part of the evidence that it was found in.
        advice: What to do about it.
    """

    what: str
    where: str = "evidence record"
    advice: str = RESTORE

    def __str__(self) -> str:
        return self.what
