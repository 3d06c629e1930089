"""``<use_case>.training``, ``fairness`` and ``statements`` of the parameters, typed."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator

from rai_kedro.fairness.request import FairnessSpec
from rai_kedro.fairness.verdicts import Gate, Tolerance
from rai_kedro.modelling.estimator import EstimatorConfig
from rai_kedro.modelling.preparation import PreparationParameters


class TrainingParameters(BaseModel):
    """What to train on, with which split and which estimator; each key is explained in the YAML."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    task: Literal["regression", "classification"] = "regression"
    month: str = Field(pattern=r"^\d{4}-(0[1-9]|1[0-2])$")
    target: str
    unit: str = ""
    features: tuple[str, ...] | None = None
    test_size: float = Field(gt=0, lt=1)
    random_state: int = Field(ge=0)
    preparation: PreparationParameters | None = None
    estimator: EstimatorConfig
    allowed_modules: tuple[str, ...] = Field(min_length=1)
    interval_level: float = Field(default=0.95, gt=0.5, lt=1)
    resamples: int = Field(default=1000, ge=100)

    @field_validator("allowed_modules")
    @classmethod
    def _no_empty_prefix(cls, modules: tuple[str, ...]) -> tuple[str, ...]:
        if any(not module.strip(" .") for module in modules):
            raise ValueError("an empty module prefix would allow every module")
        return modules


class FairnessParameters(FairnessSpec):
    """What is assessed for fairness, and how far groups may lie apart; each key is explained in the YAML."""

    tolerances: tuple[Tolerance, ...]

    @property
    def gate(self) -> Gate:
        """The gate these tolerances make."""
        return Gate(tolerances=self.tolerances, level=self.level)


class Statements(BaseModel):
    """What a person says of the model, for its card."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    model_name: str
    intended_use: str
    out_of_scope_use: str
    limits: tuple[str, ...] = ()
