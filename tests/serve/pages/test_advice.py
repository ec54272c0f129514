"""How soon somebody should be seen, by what the answer says."""

import pytest

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
    }


@pytest.mark.parametrize(
    ("given", "haste"),
    [
        (answer(mel=0.6, nv=0.4), "melanoma"),
        (answer(mel=0.3, nv=0.7), "melanoma"),
        (answer(mel=0.25, bcc=0.75), "melanoma"),
        (answer(mel=0.1, bcc=0.9), "carcinoma"),
        (answer(mel=0.1, akiec=0.5, nv=0.4), "keratosis"),
        (answer(mel=0.19, akiec=0.19, bcc=0.19, nv=0.43), "malignant"),
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
