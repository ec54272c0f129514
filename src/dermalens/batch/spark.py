"""The same scorer for Spark: what `pyspark.ml.functions.predict_batch_udf` wants. Spark is no dependency of ours."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from numpy.typing import NDArray

from dermalens.batch.scorer import NUMBERS, PLAIN, Options, Rows, Scorer, column_names


def make_predict_fn(bundle: str | None = None, options: Options = PLAIN) -> Callable[[NDArray[Any]], Rows]:
    """Load the bundle, and give the function that makes columns of paths or URLs [n].

    `predict_batch_udf` calls what it is given once in each Python worker, without arguments:
    `functools.partial(make_predict_fn, "/bundle")`. What there is none of is "" or NaN in its columns.
    """
    scorer = Scorer(bundle, options)

    def predict(paths: NDArray[Any]) -> Rows:
        return scorer({"path": paths})

    return predict


def spark_columns(classes: Sequence[str]) -> list[tuple[str, str]]:
    """Each column with its type in Spark's words, for the `return_type`.

    >>> spark_columns(["benign", "malignant"])[2:4]
    [('bundle_sha256', 'string'), ('benign', 'double')]
    """
    numbers = {*classes, *NUMBERS}
    return [(name, "double" if name in numbers else "string") for name in column_names(classes)]
