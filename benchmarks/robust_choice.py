"""Is a bundle that was trained on bad pictures to be packaged? Decided on the validation part, never the test part.

    dermalens evaluate BUNDLE SPLIT --part val --robustness --allow-seen --out FOLDER      (of both bundles)
    python -m benchmarks.robust_choice NEW_FOLDER OLD_FOLDER OUT.json [LEAST_GAIN]

In the place of a folder may stand the OUT.json of an earlier choice; then it is the bundle that was taken there.

The new one is taken if, under the corruptions of `dermalens evaluate --robustness`, its balanced accuracy (mean over
families and severities) is higher by at least LEAST_GAIN, and if on unchanged images its mean of balanced accuracy,
macro AUC and malignant AUC is lower by at most 0.005 (what `choose_export` calls a tie) and its calibration error is at
most 0.03. LEAST_GAIN is 0.03 where it is not given: less is not worth other networks in the history, which keeps every
copy. It is 0 for another calibration of the same networks, which costs nothing.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from pathlib import Path
from statistics import mean
from typing import Any

from benchmarks.choose_export import AIMS, LARGEST_ECE, TIE
from dermalens.evaluate.report import REPORT_JSON
from dermalens.evaluate.report_json import read_report
from dermalens.evaluate.robustness import KEPT

LEAST_GAIN = 0.03


def main() -> None:
    """Write the figures of both and which one is taken."""
    new, old, out = (Path(argument) for argument in sys.argv[1:4])
    least_gain = float(sys.argv[4]) if len(sys.argv) > 4 else LEAST_GAIN
    found = {name: figures_of(path) for name, path in (("new", new), ("old", old))}
    content = {"rule": __doc__, "least_gain": least_gain, "taken": choose(**found, least_gain=least_gain), **found}
    out.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")
    print(content["taken"])


def figures_of(path: Path) -> dict[str, Any]:
    """Those of a folder of `dermalens evaluate`, or of the bundle that an earlier choice took."""
    if path.is_dir():
        return figures(read_report(path / REPORT_JSON))
    earlier = json.loads(path.read_text(encoding="utf-8"))
    taken: dict[str, Any] = earlier[earlier["taken"]]
    return taken


def figures(content: Mapping[str, Any]) -> dict[str, Any]:
    """What the rule needs, and what is worth a look beside it."""
    values = {name: figure["value"] for name, figure in content["evaluation"]["overall"].items()}
    robustness = content["robustness"]
    families = {
        family: {name: round(mean(by_severity[at][name]["value"] for at in by_severity), 4) for name in KEPT}
        for family, by_severity in robustness["corrupted"].items()
    }
    return {
        "bundle_sha256": content["subject"]["sha256"],
        "unchanged": {name: round(values[name], 4) for name in (*AIMS, "melanoma_auc", "expected_calibration_error")},
        "same_images_unchanged": {name: round(robustness["clean"][name]["value"], 4) for name in KEPT},
        "corrupted": {name: round(mean(of[name] for of in families.values()), 4) for name in KEPT},
        "corrupted_by_family": families,
    }


def choose(new: dict[str, Any], old: dict[str, Any], *, least_gain: float = LEAST_GAIN) -> str:
    """The rule that stands at the top of this file."""
    gain = new["corrupted"]["balanced_accuracy"] - old["corrupted"]["balanced_accuracy"]
    loss = mean(old["unchanged"][name] for name in AIMS) - mean(new["unchanged"][name] for name in AIMS)
    is_calibrated = new["unchanged"]["expected_calibration_error"] <= LARGEST_ECE
    return "new" if gain >= least_gain and loss <= TIE and is_calibrated else "old"


if __name__ == "__main__":
    main()
