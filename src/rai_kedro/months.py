"""Calendar months as text, ``YYYY-MM``: the one form in which the project writes, compares and counts them."""

from __future__ import annotations

import re
from typing import Annotated

from pydantic import AfterValidator

_MONTH = re.compile(r"\d{4}-(0[1-9]|1[0-2])")


def check_month(text: str) -> str:
    """Return the month, or raise ``ValueError`` if it is not written as YYYY-MM."""
    if not _MONTH.fullmatch(text):
        raise ValueError(f"{text!r} is not a month: write it as YYYY-MM, e.g. 2024-05")
    return text


Month = Annotated[str, AfterValidator(check_month)]
