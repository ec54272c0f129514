"""The stacked logistic regression, fitted on out-of-fold predictions of the train part (Wolpert 1992)."""

from __future__ import annotations

import numpy as np
from sklearn.linear_model import LogisticRegression

from dermalens.core.bundle import Logistic
from dermalens.core.errors import DataError
from dermalens.evaluate.predictions import Labels
from dermalens.predict.ensemble import MemberLogits, stack_inputs

ITERATIONS = 1000


def fit_logistic(logits: MemberLogits, labels: Labels, *, penalty: float) -> Logistic:
    """Fit the regression on the logits [M, N, K] of M members for N images, none of which they were trained on.

    `penalty` is that of scikit-learn's L2 term, 1 / C. Two classes have one row of weights there; here the first
    class has zeros, so that the softmax of the two logits is the sigmoid of the second.

    Raises:
        DataError: a class without an image.
    """
    classes = logits.shape[2]
    missing = classes - len(np.unique(labels))
    if missing:
        raise DataError(f"{missing} of {classes} classes have no out-of-fold image; the stack needs all of them.")
    model = LogisticRegression(C=1 / penalty, max_iter=ITERATIONS).fit(stack_inputs(logits), labels)
    weights, bias = model.coef_, model.intercept_
    if classes == 2:
        weights, bias = np.concatenate([np.zeros_like(weights), weights]), np.concatenate([np.zeros(1), bias])
    return Logistic(weights=weights.tolist(), bias=bias.tolist(), n=len(labels))
