"""What every part of the model card is made of: a part that refuses the unknown."""

from __future__ import annotations

from pydantic import ConfigDict

from rai_kedro.errors import RaiError


class ModelCardError(RaiError):
    """A model card cannot be built, written or read."""


class CardPart:
    """A part of the card; what a part does not know is refused when a card is read."""

    __pydantic_config__ = ConfigDict(extra="forbid")
