"""The page of a kept case: what its forms send, and what they change."""

import re

from dermalens.records import audit
from tests.serve.pages.conftest import HTML


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
