"""What every result, parameter and record of this project is made of: checked on the way in, plain on the way out."""

from __future__ import annotations

from typing import Any, Self

from pydantic import BaseModel, ConfigDict


class Typed(BaseModel):
    """A frozen value that refuses unknown keys, NaN and infinity, and that JSON can hold."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    def to_dict(self) -> dict[str, Any]:
        """Return plain values that JSON can hold."""
        return self.model_dump(mode="json")

    @classmethod
    def from_dict(cls, plain: Any) -> Self:
        """Rebuild the value from :meth:`to_dict`; pydantic's ``ValidationError`` where it does not fit."""
        return cls.model_validate(plain)
