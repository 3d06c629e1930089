"""``<use_case>.monitoring`` of the parameters, typed."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict

from rai_kedro.monitoring import DriftParameters


class MonitoringParameters(BaseModel):
    """Which months to monitor and how drift is tested; each key is explained in the YAML."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    months: Literal["pending", "next"] = "pending"
    drift: DriftParameters
