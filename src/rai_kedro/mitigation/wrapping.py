"""What all mitigated models have in common. A method is a dataclass: fields are its parameters, ``_learn`` its fit."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Annotated, Any, ClassVar, Self, cast, get_type_hints

import numpy as np
import numpy.typing as npt
import pandas as pd
from pydantic import AfterValidator, ConfigDict, Field, TypeAdapter, ValidationError
from sklearn.base import BaseEstimator, MetaEstimatorMixin, clone, is_regressor
from sklearn.utils import Tags, assert_all_finite, check_consistent_length, get_tags
from sklearn.utils.metaestimators import available_if
from sklearn.utils.multiclass import check_classification_targets, type_of_target
from sklearn.utils.validation import check_is_fitted, column_or_1d, validate_data

from rai_kedro.mitigation.sensitive import (
    Codes,
    Column,
    MitigationError,
    drop_column,
    find_groups,
    learn_groups,
    take_column,
)
from rai_kedro.modelling import has_scores

Share = Annotated[float, Field(ge=0, le=1)]
Folds = Annotated[int, Field(ge=2)]
Count = Annotated[int, Field(ge=1)]


def one_of(names: Iterable[str]) -> AfterValidator:
    """Return a check, for a parameter's type, that a text is one of these."""
    known = tuple(names)

    def check(value: str) -> str:
        if value not in known:
            raise ValueError(f"there are: {', '.join(known)}")
        return value

    return AfterValidator(check)


class Parameters:
    """Parameters of an estimator, checked against its dataclass fields, and the groups of its ``sensitive_column``."""

    sensitive_column: Column | None
    cuts: Sequence[float] | None

    def check_parameters(self) -> None:
        """Refuse parameters that do not serve; ``fit`` asks this first, and so does whoever reads a configuration."""
        for name, kind in _read_types(cast("Any", type(self))).items():
            value = getattr(self, name)
            plain = value.tolist() if isinstance(value, np.generic | np.ndarray) else value
            try:
                kind.validate_python(plain)
            except ValidationError as error:
                raise self._refuse(name, error.errors()[0]["msg"]) from None
        self._check_together()

    def _check_together(self) -> None:
        """Refuse parameters that serve alone and not together; a method with such ones overrides this."""

    def _refuse(self, name: str, why: str, remedy: str = "") -> MitigationError:
        return MitigationError(
            f"{type(self).__name__} cannot use {getattr(self, name)!r} here.",
            where=f"parameter {name}",
            example=why,
            remedy=remedy or f"give '{name}' a value of that kind, or leave it out to get its default",
        )

    def _check_table(self, X: Any, *, reset: bool, **checks: Any) -> Any:
        """Check an array as scikit-learn does; of a data frame only the names, as its content is the estimator's."""
        if isinstance(X, pd.DataFrame):
            validate_data(self, X, reset=reset, skip_check_array=True)
            return X
        return validate_data(self, X, reset=reset, ensure_min_samples=2 if reset else 1, **checks)

    def _read_sensitive(self, X: Any) -> Any:
        return take_column(X, self.sensitive_column)

    def _learn_groups(self, sensitive: Any, name: Column) -> Codes:
        """Keep the names of the groups and their cut points, and return each row's group."""
        names, cuts, codes = learn_groups(sensitive, name, self.cuts)
        self.groups_, self.cuts_ = list(names), None if cuts is None else list(cuts)
        return codes

    def _find_groups(self, X: Any) -> Codes:
        return find_groups(self._read_sensitive(X), str(self.sensitive_column), self.groups_, self.cuts_)


@cache
def _read_types(kind: Any) -> dict[str, TypeAdapter[Any]]:
    """Return a strict check of each parameter: a text is no number."""
    hints, strict = get_type_hints(kind, include_extras=True), ConfigDict(strict=True)
    names = [one.name for one in dataclasses.fields(kind) if one.name not in {"estimator", "sensitive_column"}]
    return {name: TypeAdapter(hints[name], config=strict) for name in names}


@dataclass(frozen=True, eq=False)
class TrainingRows:
    """Checked training rows: features ``X`` as given, ``inputs`` as the estimator gets them, target and groups."""

    X: Any
    inputs: Any
    target: npt.NDArray[Any]
    codes: Codes  # position of each row's group in ``groups_``


@dataclass(eq=False, repr=False)
class MitigatedModel(Parameters, MetaEstimatorMixin, BaseEstimator):  # type: ignore[misc]
    """An estimator and the mitigation around it; wrapped in ``sklearn.frozen.FrozenEstimator`` it is used as fitted.

    Where a method ``needs_sensitive``, ``X`` holds the sensitive column at training and at prediction, and the wrapped
    estimator never sees it.
    """

    needs_sensitive: ClassVar[bool] = False

    estimator: Any = None
    sensitive_column: Column | None = None  # its name, or its position if X is an array
    # Of a continuous one; by default its training median; empty: each value a group.
    cuts: Sequence[float] | None = None

    def __sklearn_tags__(self) -> Tags:
        """Say what the wrapped estimator says of itself."""
        tags = super().__sklearn_tags__()
        if self.estimator is not None:
            base = get_tags(self.estimator)
            tags.estimator_type = base.estimator_type
            tags.classifier_tags, tags.regressor_tags = base.classifier_tags, base.regressor_tags
            tags.input_tags.allow_nan = base.input_tags.allow_nan
        tags.target_tags.required = True
        tags.input_tags.sparse = False
        return tags

    def fit(self, X: Any, y: Any, sensitive: Any = None) -> Self:
        """Fit the mitigation and the estimator on features ``X``, shape (rows, columns).

        The larger of two classes of ``y`` is the favourable one. By default, and for a method that reads it at
        prediction, the sensitive column is taken from ``X``. A ``MitigationError`` names what does not serve.
        """
        self.check_parameters()
        self._learn(self._check_training(X, y, sensitive))
        return self

    def _learn(self, rows: TrainingRows) -> None:
        raise NotImplementedError

    def predict(self, X: Any) -> Any:
        """Predict with the fitted estimator, shape (rows,); a row is always decided in the same way."""
        inputs = self._read_inputs(X)
        return self.estimator_.predict(inputs)

    @available_if(has_scores)  # type: ignore[untyped-decorator]
    def predict_proba(self, X: Any) -> Any:
        """Return the probability of each class, shape (rows, classes)."""
        inputs = self._read_inputs(X)
        return self.estimator_.predict_proba(inputs)

    def score(self, X: Any, y: Any) -> float:
        """Return the accuracy of a classifier, or the coefficient of determination of a regressor."""
        from sklearn.metrics import accuracy_score, r2_score

        return float((r2_score if is_regressor(self) else accuracy_score)(y, self.predict(X)))

    def _check_training(self, X: Any, y: Any, sensitive: Any) -> TrainingRows:
        if self.estimator is None:
            raise MitigationError(
                f"{type(self).__name__} has no estimator to mitigate.", remedy="give one as 'estimator'"
            )
        X = self._check_features(X, reset=True)
        if y is None:
            raise MitigationError(
                f"{type(self).__name__} requires y to be passed, but the target y is None.", remedy="give the target"
            )
        target = column_or_1d(y, warn=True)
        assert_all_finite(target, input_name="y")
        check_consistent_length(X, target)
        if sensitive is None or self.needs_sensitive:
            sensitive = self._read_sensitive(X)
        check_consistent_length(X, sensitive)
        codes = self._learn_groups(sensitive, "sensitive" if self.sensitive_column is None else self.sensitive_column)
        return TrainingRows(X, self._without_sensitive(X), target, codes)

    def _read_inputs(self, X: Any) -> Any:
        """Return what the estimator sees of new rows."""
        check_is_fitted(self)
        return self._without_sensitive(self._check_features(X, reset=False))

    def _check_features(self, X: Any, *, reset: bool) -> Any:
        finite = "allow-nan" if get_tags(self).input_tags.allow_nan else True
        least = 2 if reset and self.needs_sensitive else 1
        return self._check_table(X, reset=reset, ensure_all_finite=finite, ensure_min_features=least)

    def _without_sensitive(self, X: Any) -> Any:
        return drop_column(X, self.sensitive_column) if self.needs_sensitive else X

    def _find_groups(self, X: Any) -> Codes:
        return super()._find_groups(self._check_features(X, reset=False))

    def _fit_estimator(self, inputs: Any, target: npt.NDArray[Any], **weights: Any) -> None:
        self.estimator_ = clone(self.estimator).fit(inputs, target, **weights)
        if hasattr(self.estimator_, "classes_"):
            self.classes_ = self.estimator_.classes_


class TwoClassModel(MitigatedModel):
    """A mitigated classifier for two classes only."""

    def __sklearn_tags__(self) -> Tags:
        tags = super().__sklearn_tags__()
        if tags.classifier_tags is not None:
            tags.classifier_tags.multi_class = False
            tags.classifier_tags.multi_label = False
        return tags

    def _encode(self, target: npt.NDArray[Any]) -> Codes:
        """Return outcomes as 0 and 1, 1 the favourable one, and keep the classes."""
        outcomes, self.classes_ = encode_classes(target, binary=True)
        return outcomes


def encode_classes(target: npt.NDArray[Any], *, binary: bool) -> tuple[Codes, npt.NDArray[Any]]:
    """Return classes as 0..K-1 and their values in rising order; class 1 of two is the favourable outcome."""
    check_classification_targets(target)
    classes, codes = np.unique(target, return_inverse=True)
    if len(classes) < 2:  # noqa: PLR2004 - a classification needs two
        raise MitigationError(
            "The target has only one class.",
            how_many=f"1 class in {len(target)} rows",
            example=f"all are {classes[0]!r}",
            remedy="give training data with both outcomes",
        )
    if binary and len(classes) > 2:  # noqa: PLR2004 - binary
        raise MitigationError(
            f"Only binary classification is supported. The type of the target is {type_of_target(target)}.",
            how_many=f"{len(classes)} classes",
            remedy="make the target 0/1 with 1 as the favourable outcome, or choose another method",
        )
    return codes.astype(np.intp), classes
