from __future__ import annotations

import numpy as np
import pytest
from scipy.special import softmax
from sklearn.linear_model import LogisticRegression

from dermalens.core.errors import DataError
from dermalens.evaluate.stacking import fit_logistic
from dermalens.predict.ensemble import combined, stack_inputs


def members(classes: int, images: int = 400):
    """Logits of a good member, a poor one and one that knows nothing, and the labels."""
    random = np.random.default_rng(classes)
    labels = np.arange(images) % classes
    signal = np.eye(classes)[labels]
    return np.stack([random.normal(size=(images, classes)) + skill * signal for skill in (3.0, 0.7, 0.0)]), labels


@pytest.mark.parametrize("classes", [2, 3, 7])
@pytest.mark.parametrize("penalty", [0.1, 10.0])
def test_the_softmax_of_the_stack_is_what_scikit_learn_predicts(classes, penalty):
    logits, labels = members(classes)
    stack = fit_logistic(logits, labels, penalty=penalty)
    model = LogisticRegression(C=1 / penalty, max_iter=1000).fit(stack_inputs(logits), labels)
    unseen = np.random.default_rng(9).normal(scale=3, size=(3, 50, classes))
    expected = model.predict_proba(stack_inputs(unseen))
    assert softmax(combined(unseen, stack).astype(np.float64), axis=1) == pytest.approx(expected, abs=1e-5)
    assert stack.n == 400


def test_the_good_member_weighs_most_and_a_high_penalty_shrinks_all():
    logits, labels = members(2)
    weights = np.abs(np.array(fit_logistic(logits, labels, penalty=1.0).weights[1])).reshape(3, 2).max(axis=1)
    assert weights[0] > 3 * weights[1] > 3 * weights[2]
    shrunk = fit_logistic(logits, labels, penalty=1000.0).weights[1]
    assert np.abs(shrunk).max() < weights[0] / 3


def test_a_stack_beats_the_mean_where_a_member_is_poor():
    logits, labels = members(3)
    stack = fit_logistic(logits[:, ::2], labels[::2], penalty=1.0)
    right = [np.mean(combined(logits[:, 1::2], how).argmax(axis=1) == labels[1::2]) for how in (stack, "mean")]
    assert right[0] > right[1]


def test_a_class_without_an_out_of_fold_image_is_refused():
    logits, labels = members(3)
    with pytest.raises(DataError, match="1 of 3 classes have no out-of-fold image"):
        fit_logistic(logits, np.minimum(labels, 1), penalty=1.0)
