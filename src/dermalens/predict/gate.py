"""Is this a dermatoscopic image of a lesion at all? The gate before any diagnosis, judged from the embedding."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
import onnxruntime
from numpy.typing import NDArray

from dermalens.core.errors import BundleError
from dermalens.predict.session import BROKEN_GRAPH, Embedding, first_line, open_graph

GATE_INPUT: Final = "embedding"
GATE_OUTPUT: Final = "score"

Scores = NDArray[np.float32]  # [N], higher for what is more like a dermatoscopic image of a lesion

FINDING: Final = "The picture does not look like a dermatoscopic image of a skin lesion."
ADVICE: Final = (
    "Put the dermatoscope flat on the skin, one lesion in the middle that fills about half of the picture, focus, "
    "hold still and take it again. Ordinary photographs, other microscopes and skin without a lesion are not judged."
)


@dataclass(frozen=True, slots=True)
class LesionImage:
    """What the gate says of one picture."""

    score: float
    """0 to 1, rounded to six decimals; higher for what is more like a dermatoscopic image of a lesion. No probability:
    it has no share of lesion images among all pictures to refer to."""
    threshold: float
    accepted: bool
    """Whether the score is at or above the threshold."""

    @property
    def refusal(self) -> tuple[str, ...]:
        """What was found and what to do, in plain sentences; empty for an accepted picture."""
        return () if self.accepted else (FINDING, ADVICE)

    def as_dict(self) -> dict[str, float | bool]:
        """The key `lesion_image` of the answer."""
        return {"score": self.score, "threshold": self.threshold, "accepted": self.accepted}


class LesionGate:
    """The gate of a bundle in ONNX Runtime. It may be used from several threads at once."""

    def __init__(self, name: str, session: onnxruntime.InferenceSession, threshold: float) -> None:
        self._name = name
        self._session = session
        self._threshold = threshold

    def judge(self, embeddings: Embedding) -> list[LesionImage]:
        """One judgement for each embedding [N, D] of the bundle that the gate was fitted for.

        Raises:
            BundleError: the graph fails on them, or gives scores that are not finite numbers.
        """
        return [self._judged(float(score)) for score in self.scores(embeddings)]

    def scores(self, embeddings: Embedding) -> Scores:
        """The scores [N] of embeddings [N, D].

        Raises:
            BundleError: as `judge`.
        """
        try:
            (scores,) = self._session.run([GATE_OUTPUT], {GATE_INPUT: np.asarray(embeddings, dtype=np.float32)})
        except BROKEN_GRAPH as error:
            raise BundleError(f"{self._name} failed in ONNX Runtime: {first_line(error)}") from error
        if scores.shape != (len(embeddings),) or not np.isfinite(scores).all():
            raise BundleError(f"{self._name} gives scores that are not one finite number an image; export it again.")
        return np.asarray(scores)

    def _judged(self, score: float) -> LesionImage:
        shown = round(score, 6)
        return LesionImage(shown, self._threshold, shown >= self._threshold)


def open_gate(graph: bytes, *, name: str, threshold: float) -> LesionGate:
    """Load a gate's graph, given as bytes so that what runs is what was verified, on one thread.

    Raises:
        BundleError: the graph cannot be loaded, or has another input or output than a gate.
    """
    session = open_graph(graph, name=name)
    inputs = [(item.name, item.type, len(item.shape)) for item in session.get_inputs()]
    outputs = [(item.name, item.type, len(item.shape)) for item in session.get_outputs()]
    if inputs != [(GATE_INPUT, "tensor(float)", 2)] or outputs != [(GATE_OUTPUT, "tensor(float)", 1)]:
        raise BundleError(
            f"{name} takes {inputs} and gives {outputs}; a gate takes {GATE_INPUT} tensor(float) [N, D] and gives "
            f"{GATE_OUTPUT} tensor(float) [N]. Export the bundle again."
        )
    return LesionGate(name, session, threshold)
