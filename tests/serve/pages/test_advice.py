"""How soon somebody should be seen, by what the answer says."""

import numpy as np
import pytest

from dermalens.core.prevalence import shift_classes
from dermalens.serve.pages.advice import advice, haste_of
from dermalens.serve.pages.i18n import languages


def answer(decision="refer", **probabilities):
    malignant = sum(share for code, share in probabilities.items() if code in ("akiec", "bcc", "mel", "malignant"))
    first = max(probabilities, key=probabilities.get)
    return {
        "decision": decision,
        "diagnosis": first,
        "probabilities": probabilities,
        "malignant_probability": malignant,
        "operating_point": {"sensitivity": 0.95},
        "prevalence": None,
    }


@pytest.mark.parametrize(
    ("given", "haste"),
    [
        (answer(mel=0.6, nv=0.4), "melanoma"),
        (answer(mel=0.3, nv=0.7), "melanoma"),
        (answer(mel=0.25, bcc=0.75), "melanoma"),
        (answer(mel=0.1, bcc=0.9), "melanoma"),
        (answer(mel=0.09, bcc=0.91), "carcinoma"),
        (answer(mel=0.09, akiec=0.5, nv=0.41), "keratosis"),
        (answer(mel=0.09, akiec=0.26, bcc=0.25, nv=0.4), "malignant"),
        (answer(mel=0.05, nv=0.95), "caution"),
        (answer(benign=0.4, malignant=0.6), "malignant"),
        (answer(benign=0.8, malignant=0.2), "caution"),
    ],
)
def test_a_possible_melanoma_is_never_less_urgent_than_what_comes_first(given, haste):
    assert haste_of(given) == haste


@pytest.mark.parametrize("code", languages())
def test_every_decision_has_steps_in_every_language_and_only_a_referral_has_a_date(code):
    language = languages()[code]
    told = {verdict: advice(answer(verdict, mel=0.5, nv=0.5), language) for verdict in ("refer", "reassure", "abstain")}
    assert all(len(one.steps) >= 3 and one.why and one.title for one in told.values())
    assert [bool(one.when) for one in told.values()] == [True, False, False]


@pytest.mark.parametrize(
    "given", [answer(mel=0.6, nv=0.4), answer(bcc=1.0), answer(akiec=1.0), answer(mel=0.06, nv=0.94)]
)
def test_how_urgent_it_is_is_left_to_the_physician(given):
    assert "the physician decides" in advice(given, languages()["en"]).why


def test_a_reassurance_says_how_many_malignant_lesions_get_it_too():
    given = answer("reassure", nv=0.99, mel=0.01)
    assert "5% of the malignant lesions" in advice(given, languages()["en"]).why
    given["operating_point"]["sensitivity"] = None
    assert "%" not in advice(given, languages()["en"]).why


@pytest.mark.parametrize("share", [0.01, 0.05, 0.6])
@pytest.mark.parametrize("code", ["mel", "bcc", "akiec", "nv"])
def test_a_stated_share_of_malignant_lesions_makes_nobody_wait_longer(code, share):
    given = answer(**{"mel": 0.05, "bcc": 0.05, "akiec": 0.05, "nv": 0.05, code: 0.85})
    codes = list(given["probabilities"])
    malignant = np.isin(codes, ["mel", "bcc", "akiec"])
    shifted = shift_classes(np.array(list(given["probabilities"].values())), malignant, base=0.33, wanted=share)
    stated = answer(**dict(zip(codes, shifted.tolist(), strict=True))) | {"prevalence": {"malignant": share}}
    assert haste_of(stated, 0.33) == haste_of(given, 0.33)
