"""Figures of confidence: is it deserved, what is gained by answering only where it is high, how large are the sets."""

from __future__ import annotations

from collections.abc import Sequence

from matplotlib.axes import Axes

from dermalens.evaluate.evaluation_types import (
    CalibrationFigures,
    Confidence,
    ConformalJudged,
    Evaluation,
    ReliabilityBin,
    RiskCoverage,
)
from dermalens.evaluate.figure_style import BAD, FAINT, GOOD, Drawn, colour_of, grid, new_figure, show_interval
from dermalens.evaluate.report_names import interval_words, value_words


def reliability(calibration: CalibrationFigures, *, name: str, title: str) -> Drawn:
    """Accuracy over confidence in bins of equal width with intervals, and how many images each bin has."""
    error = calibration.figures["expected_calibration_error"]
    figure = new_figure(4.4)
    upper, lower = figure.subplots(2, 1, sharex=True, height_ratios=(3.2, 1))
    bins = [found for found in calibration.bins if found.confidence is not None]
    upper.plot([0, 1], [0, 1], color=FAINT, linewidth=1, linestyle=(0, (2, 2)))
    upper.vlines(
        [found.confidence for found in bins if found.accuracy.low is not None],
        [found.accuracy.low for found in bins if found.accuracy.low is not None],
        [found.accuracy.high for found in bins if found.accuracy.high is not None],
        color=GOOD,
        linewidth=1.6,
        alpha=0.6,
    )
    upper.plot(*_points(bins), "o-", color=GOOD, markersize=4.5, linewidth=1.2)
    upper.set_ylim(-0.02, 1.02)
    upper.set_ylabel("accuracy")
    upper.set_title(f"expected calibration error {interval_words(error, 3)}")
    _counts(lower, calibration.bins)
    for axes in (upper, lower):
        axes.set_xlim(0, 1)
        grid(axes)
    listed = "; ".join(f"confidence {found.confidence:.2f} accuracy {value_words(found.accuracy, 2)}" for found in bins)
    alt = f"Reliability diagram, expected calibration error {interval_words(error, 3)}. {listed}."
    return Drawn(name, title, alt, figure)


def _points(bins: Sequence[ReliabilityBin]) -> tuple[list[float | None], list[float | None]]:
    return [found.confidence for found in bins], [found.accuracy.value for found in bins]


def _counts(axes: Axes, bins: Sequence[ReliabilityBin]) -> None:
    lows = [found.low for found in bins]
    widths = [0.92 * (found.high - found.low) for found in bins]
    axes.bar(lows, [found.accuracy.n for found in bins], width=widths, align="edge", color=FAINT, alpha=0.6)
    axes.set_ylabel("images")
    axes.set_xlabel("confidence (highest probability)")


def confidence(found: Confidence) -> Drawn:
    """Histograms of the highest probability of right and of wrong answers, one above the other."""
    figure = new_figure(4.0)
    panels = figure.subplots(2, 1, sharex=True)
    kinds = (("right", found.right, found.mean_right, GOOD), ("wrong", found.wrong, found.mean_wrong, BAD))
    for axes, (word, counts, mean, colour) in zip(panels, kinds, strict=True):
        widths = [0.92 * (high - low) for low, high in zip(found.edges, found.edges[1:], strict=False)]
        axes.bar(found.edges[:-1], counts, width=widths, align="edge", color=colour)
        if mean.value is not None:
            axes.axvline(mean.value, color=FAINT, linewidth=1.4, linestyle=(0, (2, 2)))
        axes.set_title(f"{sum(counts):,} {word} answers, mean {interval_words(mean)}")
        axes.set_ylabel("images")
        axes.set_xlim(0, 1)
        grid(axes, "y")
    panels[1].set_xlabel("confidence (highest probability)")
    alt = (
        f"Histograms of the confidence of {sum(found.right)} right answers, mean {value_words(found.mean_right)}, and "
        f"{sum(found.wrong)} wrong ones, mean {value_words(found.mean_wrong)}."
    )
    return Drawn("confidence", "Confidence of right and of wrong answers", alt, figure)


def risk_coverage(found: RiskCoverage) -> Drawn:
    """Share of wrong answers when only the most confident are given."""
    figure = new_figure()
    axes: Axes = figure.subplots()
    axes.plot(found.coverage, found.risk, color=GOOD, linewidth=1.8)
    axes.fill_between(found.coverage, found.risk, color=GOOD, alpha=0.15, linewidth=0)
    axes.set_xlim(0, 1)
    axes.set_ylim(0, max(0.05, 1.1 * max(found.risk, default=0)))
    axes.set_xlabel("share of images answered, the most confident first")
    axes.set_ylabel("share of wrong answers")
    axes.set_title(f"area {interval_words(found.area, 3)}\nabove the best order {interval_words(found.excess_area, 3)}")
    grid(axes)
    alt = (
        f"Risk over coverage. When every image is answered {found.risk[-1]:.3f} of the answers are wrong; the area "
        f"under the curve is {interval_words(found.area, 3)}."
    )
    return Drawn("risk_coverage", "Risk and coverage", alt, figure)


def set_sizes(found: ConformalJudged) -> Drawn:
    """How many classes the prediction sets name."""
    figure = new_figure(3.0)
    axes: Axes = figure.subplots()
    places = range(len(found.sizes))
    bars = axes.bar(places, found.sizes, width=0.7, color=GOOD)
    axes.bar_label(bars, [f"{count:,}" for count in found.sizes], padding=2, fontsize=9)
    axes.set_xticks(places)
    axes.margins(y=0.12)
    axes.set_xlabel("classes in the prediction set")
    axes.set_ylabel("images")
    grid(axes, "y")
    listed = ", ".join(f"{size} classes {count}" for size, count in enumerate(found.sizes))
    return Drawn(
        "conformal_set_sizes", "Sizes of the prediction sets", f"Images by size of their set: {listed}.", figure
    )


def set_coverage(evaluation: Evaluation, found: ConformalJudged) -> Drawn:
    """How often the sets hold the class, by class, against what they were fitted for."""
    figure = new_figure(0.36 * len(evaluation.classes) + 1.1)
    axes: Axes = figure.subplots()
    codes = tuple(found.per_class)
    for place, code in enumerate(codes):
        show_interval(axes, place, found.per_class[code].coverage, colour_of(code, evaluation.classes))
    axes.axvline(found.wanted, color=FAINT, linewidth=1.2, linestyle=(0, (2, 2)))
    axes.set_yticks(range(len(codes)), codes)
    axes.set_ylim(len(codes) - 0.4, -0.6)
    axes.set_xlim(right=1.01)
    axes.set_xlabel(f"share of sets that hold the class (dotted: {found.wanted:g} wanted)")
    grid(axes)
    listed = ", ".join(f"{code} {value_words(found.per_class[code].coverage)}" for code in codes)
    alt = f"Coverage of the prediction sets by class, {found.wanted:g} wanted: {listed}."
    return Drawn("conformal_coverage", "Coverage of the prediction sets", alt, figure)
