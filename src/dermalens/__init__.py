"""DermaLens classifies dermatoscopic images of skin lesions and says what to do next.

    >>> import dermalens
    >>> answer = dermalens.load().predict("photo.jpg")  # doctest: +SKIP
    >>> answer.decision, answer.malignant_probability  # doctest: +SKIP
    ('refer', 0.412309)

Decision support for research and education, not a medical device.
"""

from __future__ import annotations

import os
from importlib import import_module
from typing import TYPE_CHECKING, Any, Final

from dermalens.core.errors import DermaLensError

if TYPE_CHECKING:
    from dermalens.core.square import Square
    from dermalens.predict.classifier import Classifier, load
    from dermalens.predict.prediction import Prediction

__all__ = ["Classifier", "DermaLensError", "Prediction", "Square", "__version__", "load"]

__version__ = "0.1.0"

os.environ["ORT_DISABLE_TELEMETRY"] = "1"  # heeded when ONNX Runtime is imported; its wheels would tell of each session

_HOMES: Final = {
    "Classifier": "dermalens.predict.classifier",
    "Prediction": "dermalens.predict.prediction",
    "Square": "dermalens.core.square",
    "load": "dermalens.predict.classifier",
}
"""Imported when first asked for (PEP 562): numpy, Pillow and ONNX Runtime take half a second, `--help` needs none."""


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(_HOMES[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
