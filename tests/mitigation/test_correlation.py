from __future__ import annotations

import numpy as np
import pytest
from fairlearn.preprocessing import CorrelationRemover
from sklearn.linear_model import LinearRegression

from rai_kedro.mitigation.sensitive import MitigationError
from rai_kedro.mitigation.transformed import CorrelationRemovalModel, GroupCorrelationRemover


@pytest.mark.parametrize("alpha", [1.0, 0.4])
def test_the_same_as_fairlearn_for_two_groups(admissions, alpha):
    data = admissions.features.assign(white=(admissions.group == "White").astype(int))
    theirs = CorrelationRemover(sensitive_feature_ids=["white"], alpha=alpha).fit_transform(data)
    ours = GroupCorrelationRemover("race", alpha=alpha).fit_transform(admissions.with_group)

    assert ours.to_numpy() == pytest.approx(theirs)
    assert ours.columns.tolist() == ["age", "pulse", "fever"]


def test_group_means_are_equal_for_three_groups_and_missing_values(admissions):
    data = admissions.with_group
    data["race"] = data["race"].where(data["age"] < 62)
    data.loc[data.index % 5 == 0, "pulse"] = np.nan
    after = GroupCorrelationRemover("race").fit_transform(data)
    means = after.groupby(data["race"].fillna("missing")).mean()

    assert len(means) == 3
    assert means.to_numpy() == pytest.approx(np.tile(data[["age", "pulse", "fever"]].mean().to_numpy(), (3, 1)))
    assert after["pulse"].isna().equals(data["pulse"].isna())


def test_new_rows_are_changed_alone_as_in_a_batch(admissions):
    remover = GroupCorrelationRemover("race").fit(admissions.with_group.head(2000))
    batch = remover.transform(admissions.with_group.tail(50))

    assert remover.transform(admissions.with_group.tail(1)).to_numpy() == pytest.approx(batch.tail(1).to_numpy())


def test_mean_predictions_of_a_linear_model_are_equal(admissions):
    model = CorrelationRemovalModel(LinearRegression(), "race").fit(admissions.with_group, admissions.outcome)
    predictions = model.predict(admissions.with_group)

    means = [predictions[admissions.group == name].mean() for name in ("White", "Black")]
    assert means == pytest.approx([admissions.outcome.mean()] * 2)


def test_a_share_beyond_one_is_refused(admissions):
    with pytest.raises(MitigationError, match="cannot use 2 here"):
        GroupCorrelationRemover("race", alpha=2).fit(admissions.with_group)


def test_a_constant_sensitive_column_is_refused(admissions):
    with pytest.raises(MitigationError, match="only one group"):
        GroupCorrelationRemover("race").fit(admissions.with_group.assign(race="White"))
