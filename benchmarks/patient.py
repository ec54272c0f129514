"""Would age, sex and site of the patient help? What they add to the packaged answers on the validation part.

    python -m benchmarks.patient SPLIT OTHER_HOSPITALS OUT.json

A logistic regression on the train part learns how likely each class is for an age, a sex and a site; its log ratio to
the train part's own mix, times a strength, is added to the log probabilities of the image. OTHER_HOSPITALS is an index
of images from elsewhere, on which that regression, without any image, is asked what it asks of the validation part.
"""

from __future__ import annotations

import json
import sys
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from itertools import combinations
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.special import softmax
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score

from dermalens.core.taxonomy import CLASSES
from dermalens.data.index import Row, read_index
from dermalens.data.split import read_split
from dermalens.evaluate.judge import logits_of, scored
from dermalens.evaluate.metrics import Scored
from dermalens.evaluate.paired import compare
from dermalens.evaluate.predictions import truth_of
from dermalens.evaluate.subgroups import age_band
from dermalens.predict.classifier import load

Numbers = NDArray[np.float64]

ALL = ("age", "sex", "site")
STRENGTHS = (0.3, 0.5, 0.7, 1.0)
SENSITIVITY = 0.95
KNOTS = (0, 20, 40, 60, 80)
"""Of a line with corners through the ages, in years."""
SHOWN = ("accuracy", "balanced_accuracy", "macro_auc", "melanoma_auc", "malignant_auc", "negative_log_likelihood")


class Patients:
    """What age, sex and site say of the class, learned from rows."""

    def __init__(self, rows: Sequence[Row], *, of: Sequence[str]) -> None:
        self._of = of
        self._sites = sorted({row.site for row in rows if row.site})
        labels = np.array([CLASSES.index(row.label) for row in rows])
        images = Counter(row.lesion_id for row in rows)
        weights = np.array([1 / images[row.lesion_id] for row in rows])
        self._mix = np.log(np.bincount(labels, weights, minlength=len(CLASSES)) / weights.sum())
        self._model = LogisticRegression(max_iter=5000).fit(self._table(rows), labels, sample_weight=weights)

    def ratios(self, rows: Sequence[Row]) -> Numbers:
        """Log of the probability of each class for a patient over that in the whole mix [N, K]."""
        return np.asarray(self._model.predict_log_proba(self._table(rows)) - self._mix)

    def _table(self, rows: Sequence[Row]) -> Numbers:
        return np.array([[value for name in self._of for value in self._values(row, name)] for row in rows], float)

    def _values(self, row: Row, name: str) -> list[float]:
        if name == "sex":
            return [float(row.sex == sex) for sex in ("male", "female")]
        if name == "site":
            return [float(row.site == site) for site in self._sites]
        if row.age_years is None:
            return [1.0, *[0.0] * len(KNOTS)]
        return [0.0, *[max(0.0, 1 - abs(row.age_years - knot) / 20) for knot in KNOTS]]


def main() -> None:
    """Write what was found."""
    split_file, other, out = (Path(argument) for argument in sys.argv[1:])
    split = read_split(split_file)
    train, val = split.part("train"), split.part("val")
    classifier = load(threads=1)
    truth = truth_of(val, classifier.manifest.classes)
    image = scored(classifier, logits_of(classifier, val), truth)
    ratios = Patients(train, of=ALL).ratios(val)
    elsewhere = read_index(other)
    with_patient = {strength: added(image, strength * ratios) for strength in STRENGTHS}
    figures = {
        str(strength): {
            name: figure.model_dump()
            for name, figure in compare(one, image, truth).differences.items()
            if name in SHOWN
        }
        for strength, one in with_patient.items()
    }
    content = {
        "what": __doc__,
        "bundle_sha256": classifier.bundle.sha256,
        "images": len(val),
        "change_of_figures": figures,
        "by_age": {
            "image": by_age(image, val),
            **{str(strength): by_age(one, val) for strength, one in with_patient.items()},
        },
        "without_an_image": {
            "+".join(of): {"validation part": areas(patients, val), other.stem: areas(patients, elsewhere)}
            for of, patients in ((of, Patients(train, of=of)) for of in (("age",), ("sex",), ("site",), ALL))
        },
    }
    out.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")


def added(image: Scored, logs: Numbers) -> Scored:
    """The answers with these log ratios added."""
    return replace(image, probabilities=softmax(np.log(np.clip(image.probabilities, 1e-9, 1)) + logs, axis=1))


def by_age(one: Scored, rows: Sequence[Row]) -> dict[str, object]:
    """Sensitivity and specificity of each band of age at the threshold that finds 95 % of all that is malignant."""
    malignant, score = one.is_malignant, one.malignant_probability
    threshold = float(np.quantile(score[malignant], 1 - SENSITIVITY))
    bands = np.array([age_band(row.age_years) for row in rows])
    return {
        "threshold": round(threshold, 4),
        "specificity": round(float((score[~malignant] < threshold).mean()), 3),
        "bands": {
            str(band): {
                "malignant": int((malignant & (bands == band)).sum()),
                "sensitivity": share(score[malignant & (bands == band)] >= threshold),
                "benign": int((~malignant & (bands == band)).sum()),
                "specificity": share(score[~malignant & (bands == band)] < threshold),
            }
            for band in sorted(set(bands.tolist()))
        },
    }


def share(flags: NDArray[np.bool_]) -> float | None:
    """Of those that are true; None of none."""
    return round(float(flags.mean()), 3) if len(flags) else None


def areas(patients: Patients, rows: Sequence[Row]) -> dict[str, float]:
    """How well the patients alone tell two of the three classes that both places have: areas under the ROC curve."""
    known = [row for row in rows if row.age_years is not None and row.sex and row.site]
    ratios, labels = patients.ratios(known), np.array([row.label for row in known])
    found = {"images": float(len(known))}
    for one, other in combinations(("mel", "bkl", "nv"), 2):
        of_both = np.isin(labels, (one, other))
        difference = ratios[:, CLASSES.index(one)] - ratios[:, CLASSES.index(other)]
        found[f"{one} or {other}"] = round(float(roc_auc_score(labels[of_both] == one, difference[of_both])), 3)
    return found


if __name__ == "__main__":
    main()
