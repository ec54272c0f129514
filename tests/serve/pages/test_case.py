"""The page of a kept case: what its forms send, and what they change."""

import io
import re

import pytest
from pypdf import PdfReader

from dermalens.records import audit
from tests.serve.pages.conftest import GERMAN, HTML


def sent_by(text):
    """What a browser would send of the form about a case that nobody touched."""
    form = text.split('/about"')[1].split("</form>")[0]
    typed = dict(re.findall(r'<input[^>]* name="(\w+)"[^>]* value="([^"]*)"', form))
    chosen = dict(re.findall(r'<select id="(\w+)".*?<option value="([^"]*)" selected>', form))
    return {**typed, **chosen, "note": re.search(r"<textarea[^>]*>(.*?)</textarea>", form, re.DOTALL)[1]}


def test_the_form_of_a_case_that_nobody_touched_changes_nothing(own, mel):
    fields = {"keep": "1", "age_years": "54.37260273972603", "sex": "male", "site": "left  heel", "note": "x\ny"}
    case = own.post("/v1/predictions", files={"image": mel}, data=fields).json()["id"]
    before = own.get(f"/v1/predictions/{case}").json()
    sent = sent_by(own.get(f"/cases/{case}", headers=HTML).text)
    assert (sent["age_years"], sent["sex"], sent["site"], sent["note"]) == ("54.373", "male", "left heel", "x\ny")
    own.post(f"/cases/{case}/about", data=sent, headers=HTML)
    assert own.get(f"/v1/predictions/{case}").json() == before
    assert audit.entries(own.app.state.service.records)[-1].action == "case.keep"


def listed(text):
    """The feedback that a page shows, one text for each."""
    return text.split('class="feedback-list"')[1].split("</ul>")[0].split("<li")[1:]


def say(own, case, said):
    """Give feedback one after the other; the page at the end."""
    for kind, label, comment in said:
        fields = {"kind": kind, "label": label, "comment": comment}
        text = own.post(f"/cases/{case}/feedback", data=fields, headers=HTML).text
    return text


def test_of_several_histologies_the_last_one_counts_and_all_feedback_is_shown_in_the_order_of_time(own, mel, keep):
    case = keep(own, mel)
    said = [
        ("histology", "mel", "wrong patient"),
        ("other", "bkl", ""),
        ("agree", "", ""),
        ("histology", "nv", ""),
        ("other", "df", ""),
    ]
    shown = listed(say(own, case, said))
    assert ["Replaced by a later one: " in one for one in shown] == [True, False, False, False, False]
    names = ("Melanoma", "Benign keratosis", "I agree", "Melanocytic naevus", "Dermatofibroma")
    assert all(name in one for name, one in zip(names, shown, strict=True))
    kept = own.get(f"/v1/predictions/{case}").json()["feedback"]
    assert [(one["kind"], one["label"], one["comment"]) for one in kept] == said


@pytest.mark.parametrize(
    ("headers", "mark", "result"),
    [
        (HTML, "Feedback: Replaced by a later one: ", "Feedback: Histology has a result: Melanocytic naevus"),
        (
            GERMAN,
            "Rückmeldung: Durch eine spätere Angabe ersetzt: ",
            "Rückmeldung: Die Histologie hat ein Ergebnis: Melanozytärer Nävus",
        ),
    ],
)
def test_the_report_names_first_what_counts_and_nothing_earlier_without_a_mark(own, mel, keep, headers, mark, result):
    case = keep(own, mel, age_years="54", sex="male", site="back", lesion="left arm", taken_on="2021-03-04")
    say(
        own,
        case,
        [*(("histology", code, "wrong patient") for code in ("mel", "akiec", "bcc")), ("histology", "nv", "")],
    )
    pdf = PdfReader(io.BytesIO(own.get(f"/cases/{case}/report.pdf", headers=headers).content))
    words = " ".join(pdf.pages[0].extract_text().split())
    assert 0 < words.index(result) < words.index(mark)
    assert words.count(mark.partition(":")[0]) == words.count(mark) + 1


def test_the_report_names_the_histology_whatever_else_was_said(own, mel, keep):
    case = keep(own, mel, age_years="54", sex="male", site="back", lesion="l" * 80, taken_on="2021-03-04")
    talk = [("agree", "", f"{number} " + "some words " * 25) for number in range(4)]
    say(own, case, [*talk, ("histology", "mel", "Breslow 1.2 mm")])
    pdf = PdfReader(io.BytesIO(own.get(f"/cases/{case}/report.pdf", headers=HTML).content))
    assert "Breslow 1.2 mm" in pdf.pages[0].extract_text()
