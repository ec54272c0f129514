"""Kept cases: found, read, changed, compared, taken away and erased."""

import errno
import io
import json
import os
import re
import time
import zipfile
from datetime import UTC, datetime

import numpy as np
import pytest
from PIL import Image

from dermalens.records.errors import RecordsError
from dermalens.records.tables import CaseRow
from dermalens.serve.pages import explanation
from tests.serve.pages.conftest import GERMAN, HTML
from tests.serve.test_predictions import problem_of

EVIL = '<script>alert("x")</script>'


def test_a_kept_case_is_found_by_decision_label_lesion_and_words(own, mel, naevus, keep):
    first = keep(own, mel, note="itches", lesion="left arm")
    second = keep(own, naevus, note="quiet")

    def found(**fields):
        text = own.get("/history", params=fields, headers=HTML).text
        return [case for case in (first, second) if f'href="/cases/{case}"' in text]

    assert found() == [first, second]
    assert (found(decision="refer"), found(label="nv"), found(text="ITCH")) == ([first], [second], [first])
    assert found(since="2000-01-01", until="2000-12-31") == []
    assert found(since="2000-01-01", text="") == [first, second]


def test_a_date_that_is_none_is_named_on_the_page(own):
    response = own.get("/history", params={"since": "yesterday"}, headers=HTML)
    assert response.status_code == 422
    assert "“yesterday” is not a date" in response.text


def test_a_cursor_that_is_none_is_refused(own):
    assert own.get("/history", params={"after": "???"}, headers=HTML).status_code == 422


def test_older_cases_are_on_the_next_page(own, mel, keep, monkeypatch):
    monkeypatch.setattr("dermalens.serve.pages.history.CASES_PER_PAGE", 2)
    kept = [keep(own, mel, note=f"number {n}") for n in range(3)]
    first = own.get("/history", params={"text": "number"}, headers=HTML).text
    address = first.split("Older cases")[0].rsplit('href="', 1)[1].split('"')[0].replace("&amp;", "&")
    assert "text=number" in address
    assert f"/cases/{kept[0]}" not in first
    assert f"/cases/{kept[0]}" in own.get(address, headers=HTML).text


def test_names_and_notes_are_text_and_never_markup(own, mel, keep):
    case = keep(own, mel, note=EVIL, lesion=EVIL, site=EVIL)
    own.post(f"/cases/{case}/feedback", data={"kind": "agree", "comment": EVIL}, headers=HTML)
    lesion = own.get(f"/cases/{case}", headers=HTML).text.split('href="/lesions/')[1].split('"')[0]
    for path in ("/", "/history", f"/cases/{case}", f"/lesions/{lesion}", f"/history?text={EVIL}"):
        text = own.get(path, headers=HTML).text
        assert "alert(" not in text or "&lt;script&gt;" in text
        assert "<script>" not in text


def test_the_case_page_has_answer_patient_and_square(own, mel, keep):
    case = keep(own, mel, age_years="54", sex="female", site="back", square="10,20,80", note="since June")
    text = own.get(f"/cases/{case}", headers=HTML).text
    assert "Show this lesion to a dermatologist" in text
    assert "since June" in text
    assert ">54<" in text
    assert ">female<" in text
    assert ">back<" in text
    assert 'x="10.0" y="20.0" width="80.0"' in text
    assert "nothing is kept" in text


def test_a_kept_case_that_abstains_shows_no_number(own, chessboard, keep):
    case = keep(own, chessboard)
    text = own.get(f"/cases/{case}", headers=HTML).text
    assert "This image cannot be judged" in text
    assert 'class="bar"' not in text
    assert "%" not in text
    row = own.get("/history", headers=HTML).text.split("<tbody")[1]
    assert "Cannot be judged" in row
    assert "%" not in row


def test_the_image_is_a_png_that_is_never_shown_as_a_page(own, mel, keep):
    response = own.get(f"/cases/{keep(own, mel)}/image")
    assert response.headers["content-type"] == "image/png"
    assert response.headers["content-disposition"].startswith("attachment")


def test_note_and_lesion_are_changed_by_their_forms(own, mel, keep):
    case = keep(own, mel)
    assert own.post(f"/cases/{case}/about", data={"note": "grown"}, headers=HTML).url.path == f"/cases/{case}"
    text = own.post(f"/cases/{case}/about", data={"lesion": "heel"}, headers=HTML).text
    assert "grown" in text
    assert ">heel</a>" in text
    assert "What you changed is kept." in text
    text = own.post(f"/cases/{case}/about", data={"note": "", "lesion": "", "taken_on": ""}, headers=HTML).text
    assert "/lesions/" not in text
    assert "grown" not in text


def test_what_is_refused_of_note_lesion_and_day_changes_none_of_them(own, mel, keep):
    case = keep(own, mel, note="before", lesion="toe")
    said = {"note": "after", "lesion": "heel", "taken_on": "2999-01-01"}
    refused = own.post(f"/cases/{case}/about", data=said, headers=HTML)
    assert refused.status_code == 422
    assert ">after</textarea>" in refused.text
    assert 'value="heel"' in refused.text
    kept = own.get(f"/cases/{case}", headers=HTML).text
    assert ">before</textarea>" in kept
    assert ">toe</a>" in kept


def test_a_class_with_i_agree_is_asked_about_not_dropped(own, mel, keep):
    case = keep(own, mel)
    said = {"kind": "agree", "label": "mel", "comment": "looks like melanoma"}
    refused = own.post(f"/cases/{case}/feedback", data=said, headers=HTML)
    assert refused.status_code == 422
    assert "A class goes with another opinion only." in refused.text
    assert 'value="looks like melanoma"' in refused.text
    assert '<option value="mel" selected>' in refused.text
    assert "feedback-list" not in own.get(f"/cases/{case}", headers=HTML).text


def test_the_day_of_a_picture_is_stated_with_the_case_or_later_and_taken_back(own, mel, naevus, keep):
    new, old = keep(own, mel, lesion="heel"), keep(own, naevus, lesion="heel", taken_on="2021-03-04")
    assert "Mar 4, 2021" in own.get(f"/cases/{old}", headers=HTML).text
    lesion = own.get(f"/cases/{old}", headers=HTML).text.split('href="/lesions/')[1].split('"')[0]

    def order():
        text = own.get(f"/lesions/{lesion}", headers=HTML).text
        return sorted([new, old], key=text.index)

    assert order() == [old, new]
    listed = own.get("/history", headers=HTML).text
    assert "picture of Mar 4, 2021" in listed
    assert listed.count("picture of ") == 1
    text = own.post(f"/cases/{new}/about", data={"taken_on": "2020-01-31"}, headers=HTML).text
    assert "What you changed is kept." in text
    assert 'value="2020-01-31"' in text
    assert order() == [new, old]
    own.post(f"/cases/{new}/about", data={"taken_on": ""}, headers=HTML)
    assert order() == [old, new]


def test_pictures_of_one_stated_day_can_be_told_apart(own, mel, naevus, keep):
    for image in (mel, naevus, mel):
        case = keep(own, image, lesion="toe", taken_on="2021-03-04")
    lesion = own.get(f"/cases/{case}", headers=HTML).text.split('href="/lesions/')[1].split('"')[0]
    text = own.get(f"/lesions/{lesion}", headers=HTML).text
    assert all(f">Mar 4, 2021 ({number})</th>" in text for number in (1, 2, 3))
    across = re.findall(r'<circle cx="([0-9.]+)" cy="[0-9.]+" r="4.500"', text)
    assert len(set(across)) == len(across) >= 2


def test_a_day_that_is_none_matters_only_where_the_case_is_kept(own, mel, ask):
    assert ask(own, mel, taken_on="long ago").status_code == 200
    refused = ask(own, mel, keep="yes", taken_on="long ago")
    assert refused.status_code == 422
    assert "“long ago” is not a date" in refused.text


@pytest.mark.parametrize(
    ("taken_on", "words"),
    [("31.1.2020", "„31.1.2020“ ist kein Datum"), ("2999-01-01", "2999-01-01; nötig ist einer von 1900 bis heute")],
)
def test_a_day_that_cannot_be_is_refused_and_shown_again(own, mel, keep, taken_on, words):
    response = own.post(f"/cases/{keep(own, mel)}/about", data={"taken_on": taken_on}, headers=GERMAN)
    assert response.status_code == 422
    assert words in response.text
    assert f'value="{taken_on}"' in response.text


def test_a_form_that_is_sent_again_keeps_no_second_case(own, mel, naevus, keep):
    form = re.search(r'name="form" value="([0-9a-f]{32})"', own.get("/", headers=HTML).text)[1]
    first = keep(own, mel, form=form, note="x")
    assert keep(own, mel, form=form, note="x") == first
    another = re.search(r'name="form" value="([0-9a-f]{32})"', own.get("/", headers=HTML).text)[1]
    others = [keep(own, naevus, form=form, note="x"), keep(own, mel, form=form, note="y"), keep(own, mel, form=another)]
    assert len({first, *others, keep(own, mel), keep(own, mel)}) == 6


def test_feedback_is_kept_and_shown(own, mel, keep):
    case = keep(own, mel)
    form = {"kind": "histology", "label": "nv", "comment": "lab 7"}
    text = own.post(f"/cases/{case}/feedback", data=form, headers=HTML).text
    assert "Histology has a result: Melanocytic naevus" in text
    assert "lab 7" in text


def test_feedback_without_a_diagnosis_is_refused_in_the_language_of_the_page(own, mel, keep):
    case = keep(own, mel)
    response = own.post(f"/cases/{case}/feedback", data={"kind": "other"}, headers=GERMAN)
    assert response.status_code == 422
    assert "Wählen Sie aus, welche Klasse Sie meinen" in response.text


def test_a_form_that_is_refused_keeps_what_was_typed(own, mel, keep):
    case = keep(own, mel, note="before", lesion="left arm")
    said = {"kind": "other", "comment": "a collarette"}
    feedback = own.post(f"/cases/{case}/feedback", data=said, headers=HTML).text
    assert 'value="other" checked' in feedback
    assert feedback.count(" checked") == 1
    assert 'value="a collarette"' in feedback
    assert ">before</textarea>" in feedback
    too_long = {"kind": "other", "label": "nv", "comment": "x" * 10_001}
    assert '<option value="nv" selected>' in own.post(f"/cases/{case}/feedback", data=too_long, headers=HTML).text
    note = own.post(f"/cases/{case}/about", data={"note": "y" * 10_001}, headers=HTML)
    assert note.status_code == 422
    assert f">{'y' * 10_001}</textarea>" in note.text
    assert 'value="left arm"' in note.text
    assert 'value="agree" checked' in note.text


def test_a_case_is_erased_only_after_a_second_question(own, mel, keep):
    case = keep(own, mel)
    assert "Delete this case?" in own.get(f"/cases/{case}/delete", headers=HTML).text
    assert own.get(f"/cases/{case}", headers=HTML).status_code == 200
    after = own.post(f"/cases/{case}/delete", headers=HTML)
    assert after.url.path == "/history"
    assert "The case is deleted." in after.text
    gone = own.get(f"/cases/{case}", headers=GERMAN)
    assert gone.status_code == 404
    assert "Diese Seite gibt es nicht" in gone.text
    assert own.get(f"/cases/{case}/image").status_code == 404


def test_a_lesion_is_compared_over_time(own, mel, naevus, chessboard, keep):
    keep(own, naevus, lesion="left arm")
    keep(own, mel, lesion="left arm")
    case = keep(own, chessboard, lesion="left arm")
    lesion = own.get(f"/cases/{case}", headers=HTML).text.split('href="/lesions/')[1].split('"')[0]
    text = own.get(f"/lesions/{lesion}", headers=HTML).text
    assert "3 images, in the order of the days on which they were taken or else kept." in text
    assert text.count("<circle cx=") >= 2
    assert "points" in text
    assert "+" in text.split("<tbody")[1]
    assert "could not be judged has no numbers here" in text


def test_everything_can_be_taken_away(own, mel, keep):
    case = keep(own, mel, note="mine")
    content = json.loads(own.get("/export.json").content)
    assert case in json.dumps(content)
    assert "mine" in json.dumps(content)
    archive = zipfile.ZipFile(io.BytesIO(own.get("/export.zip").content))
    assert archive.testzip() is None
    assert any(name.endswith(".png") for name in archive.namelist())
    assert json.loads(own.get(f"/cases/{case}/answer.json").content)["answer"]["decision"] == "refer"


def test_a_zip_that_the_disk_has_no_room_for_is_refused_and_says_so(own, mel, keep, monkeypatch):
    keep(own, mel)
    folder = own.app.state.service.records.images.temporary
    monkeypatch.setattr("dermalens.serve.pages.history.TemporaryFile", lambda **where: Full(where == {"dir": folder}))
    response = own.get("/export.zip", headers=HTML)
    assert response.status_code == 503
    assert "Make room" in response.text


class Full(io.BytesIO):
    """A file on a full disk."""

    def __init__(self, is_beside_the_images):
        super().__init__()
        assert is_beside_the_images

    def write(self, _):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def test_records_that_are_away_are_said_and_images_are_answered_all_the_same(own, mel, ask, tmp_path):
    (tmp_path / "data").rename(tmp_path / "gone")
    (tmp_path / "data").write_text("no folder")
    own.app.state.service.records.engine.dispose()
    response = own.get("/history", headers=GERMAN)
    assert response.status_code == 503
    assert "nicht verfügbar" in response.text
    assert own.get("/", headers=HTML).status_code == 200
    answered = ask(own, mel, keep="yes")
    assert answered.status_code == 200
    assert "The case was not kept." in answered.text


def test_the_heat_map_of_a_kept_case_is_made_anew_where_it_is_asked_for(own, mel, chessboard, keep):
    case = keep(own, mel)
    assert "data:image/png" not in own.get(f"/cases/{case}", headers=HTML).text
    assert own.get(f"/cases/{case}?heatmap=1", headers=HTML).text.count("data:image/png;base64,") == 2
    abstained = own.get(f"/cases/{keep(own, chessboard)}?heatmap=1", headers=HTML).text
    assert "heat map" not in abstained.lower()


@pytest.fixture
def large(own, mel, keep, monkeypatch):
    """A kept case whose file has more bytes than one that is sent may have."""
    case = keep(own, mel)
    size = len(own.get(f"/cases/{case}/image").content)
    monkeypatch.setattr("dermalens.core.header.MAX_BYTES", size - 1)
    return case


def test_a_kept_image_is_read_however_many_bytes_its_file_has(own, large):
    for path in (f"/cases/{large}/report.pdf", f"/v1/predictions/{large}/report.pdf"):
        report = own.get(path)
        assert report.status_code == 200
        assert report.content.count(b"/Subtype /Image") == 2
    assert own.get(f"/cases/{large}?heatmap=1", headers=HTML).text.count("data:image/png;base64,") == 2
    assert own.get(f"/cases/{large}/square").headers["content-type"] == "image/jpeg"


def test_a_kept_image_of_too_many_pixels_is_one_clear_problem(own, mel, keep, monkeypatch):
    case = keep(own, mel)
    monkeypatch.setattr("dermalens.core.header.MAX_PIXELS", 1000)
    for path in (f"/v1/predictions/{case}/report.pdf", f"/cases/{case}/report.pdf", f"/cases/{case}/square"):
        refused = own.get(path)
        assert problem_of(refused) == (400, "undecodable")
        assert "megapixels are decoded" in refused.json()["detail"]
    assert "megapixels are decoded" in own.get(f"/cases/{case}?heatmap=1", headers=HTML).text


def test_a_heat_map_that_cannot_be_made_now_is_said_in_its_place(own, mel, keep):
    case = keep(own, mel)
    own.app.state.running.pool.close(seconds=5)
    response = own.get(f"/cases/{case}?heatmap=1", headers=GERMAN)
    assert response.status_code == 200
    assert "data:image/png" not in response.text
    assert "Der Server bringt zu Ende, was er angenommen hat" in response.text
    assert "Der Server bringt zu Ende" not in own.get(f"/cases/{case}", headers=GERMAN).text


def test_lists_show_the_square_that_the_model_saw(own, mel, keep):
    case = keep(own, mel, square="10,20,80")
    assert f'src="/cases/{case}/square"' in own.get("/history", headers=HTML).text
    response = own.get(f"/cases/{case}/square")
    assert response.headers["content-type"] == "image/jpeg"
    assert response.headers["content-disposition"].startswith("attachment")
    small = Image.open(io.BytesIO(response.content))
    whole = Image.open(io.BytesIO(own.get(f"/cases/{case}/image").content))
    assert small.size == (80, 80)
    assert whole.size != small.size
    expected = np.asarray(whole.convert("RGB").crop((10, 20, 90, 100)), dtype=float)
    assert np.abs(np.asarray(small, dtype=float) - expected).mean() < 5


def test_probabilities_for_different_prevalences_are_not_compared_silently(own, mel, keep):
    keep(own, mel, lesion="heel", prevalence="3")
    case = keep(own, mel, lesion="heel", prevalence="3")
    address = "/lesions/" + own.get(f"/cases/{case}", headers=HTML).text.split('href="/lesions/')[1].split('"')[0]
    assert "was stated differently" not in own.get(address, headers=HTML).text
    keep(own, mel, lesion="heel")
    assert "was stated differently" in own.get(address, headers=HTML).text


@pytest.fixture
def in_los_angeles(monkeypatch):
    """The clock of this machine; reset afterwards."""
    monkeypatch.setenv("TZ", "America/Los_Angeles")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


@pytest.mark.skipif(not hasattr(time, "tzset"), reason="the time zone of a process cannot be set here")
@pytest.mark.usefixtures("in_los_angeles")
def test_the_days_of_the_search_are_those_that_the_page_shows(own, mel, keep):
    case = keep(own, mel)
    records = own.app.state.service.records
    with records.writing() as session:
        session.get(CaseRow, case).created = datetime(2026, 3, 2, 1, 0, tzinfo=UTC)  # the evening of the day before
    text = own.get("/history", params={"since": "2026-03-01", "until": "2026-03-01"}, headers=HTML).text
    assert f'href="/cases/{case}"' in text
    assert "Mar 1, 2026" in text
    later = own.get("/history", params={"since": "2026-03-02"}, headers=HTML).text
    assert f'href="/cases/{case}"' not in later


def test_an_answer_without_a_class_is_not_found_by_its_class(own, chessboard, keep):
    case = keep(own, chessboard)
    label = own.get(f"/v1/predictions/{case}").json()["answer"]["diagnosis"]
    found = own.get("/history", params={"label": label}, headers=HTML).text
    assert f'href="/cases/{case}"' not in found
    assert f'href="/cases/{case}"' in own.get("/history", params={"decision": "abstain"}, headers=HTML).text


def test_a_heat_map_of_a_kept_case_is_no_decision(own, mel, keep):
    case = keep(own, mel)
    for path in (f"/cases/{case}?heatmap=1", f"/cases/{case}/report.pdf"):
        assert own.get(path, headers=HTML).status_code == 200
    assert own.post("/v1/quality", files={"image": mel}).status_code == 200
    assert 'dermalens_decisions_total{decision="refer"} 1.0' in own.get("/metrics").text


def test_the_heat_map_is_that_of_the_answer_whatever_share_the_server_assumes_later(
    client_with, mel, keep, monkeypatch
):
    case = keep(client_with(workers=1), mel)
    asked = []
    of_page = explanation.answer

    async def answer(request, order, **options):
        asked.append(order.prevalence)
        return await of_page(request, order, **options)

    monkeypatch.setattr(explanation, "answer", answer)
    later = client_with(workers=1, default_prevalence=0.01)
    assert later.get(f"/cases/{case}?heatmap=1", headers=HTML).status_code == 200
    assert asked == [0.2]


SAME = {"lesion": "left forearm 1", "age_years": "54", "sex": "female", "site": "back", "taken_on": "2021-03-04"}


@pytest.mark.parametrize(
    ("other", "words"),
    [
        ({"sex": "male"}, "Different sexes were stated"),
        ({"site": "scalp"}, "Different places on the body were stated"),
        ({"age_years": "31"}, "The ages that were stated do not fit the days"),
        ({"age_years": "54", "taken_on": "2026-03-04"}, "The ages that were stated do not fit the days"),
    ],
    ids=["sex", "place", "age", "no age for years"],
)
def test_images_of_two_patients_under_one_name_are_not_compared_silently(own, mel, keep, other, words):
    for fields in (SAME, SAME | {"taken_on": "2021-12-24"}, SAME | {"sex": "unknown", "site": "", "age_years": ""}):
        case = keep(own, mel, **fields)
    address = "/lesions/" + own.get(f"/cases/{case}", headers=HTML).text.split('href="/lesions/')[1].split('"')[0]
    assert "may be of different" not in own.get(address, headers=HTML).text
    keep(own, mel, **SAME | other)
    text = own.get(address, headers=HTML).text
    assert words in text
    assert text.count("may be of different") == 1


def test_the_answer_says_that_the_lesion_had_images_before(own, mel, ask, keep):
    keep(own, mel, lesion="P17 heel")
    assert "now has" not in ask(own, mel, keep="yes", lesion="P18 heel").text
    assert "now has" not in ask(own, mel, keep="yes").text
    text = ask(own, mel, keep="yes", lesion="P17 heel").text
    address, words = re.search(r'<a href="(/lesions/[0-9a-f]{32})">([^<]*)</a>', text).groups()
    assert words == "“P17 heel” now has 2 images"
    assert "P17 heel over time" in own.get(address, headers=HTML).text


def test_the_form_asks_for_a_name_that_is_of_one_patient(own, mel, keep):
    text = own.get("/", headers=HTML).text
    assert "one lesion of one patient" in text
    assert "“P17 left forearm 1”" in text
    for page in (text, own.get(f"/cases/{keep(own, mel)}", headers=HTML).text):
        assert 'autocapitalize="off"' in re.search(r'<input [^>]*id="lesion"[^>]*>', page)[0]


def test_an_export_without_its_database_is_refused_and_not_broken_off(own, mel, keep, monkeypatch):
    keep(own, mel)

    def away(*_, **__):
        raise RecordsError("The database cannot be used.")

    monkeypatch.setattr("dermalens.records.export.search", away)
    assert problem_of(own.get("/export.json")) == (503, "records-unavailable")


@pytest.mark.parametrize(
    "sent",
    [
        {"json": {"note": "new"}},
        {"data": {}},
        {"data": {"other": "x"}},
        {"files": {"note": ("note.txt", b"new")}},
        {"data": {"lesion": "heel"}, "files": {"note": ("note.txt", b"")}},
    ],
    ids=["JSON", "nothing", "another field", "a file", "an empty file"],
)
def test_a_form_about_a_case_without_a_text_is_refused_and_changes_nothing(own, mel, keep, sent):
    case = keep(own, mel, note="before", lesion="toe")
    refused = own.post(f"/cases/{case}/about", **sent)
    assert problem_of(refused) == (422, "invalid")
    assert "note, lesion, taken_on" in refused.json()["detail"]
    kept = own.get(f"/v1/predictions/{case}").json()
    assert (kept["note"], kept["lesion"]) == ("before", "toe")


@pytest.mark.parametrize(("typed", "shown"), [("0.5", "0.5"), ("0.25", "0.25"), ("0", "0"), ("54", "54")])
def test_the_age_of_an_infant_is_not_rounded_away(own, mel, keep, typed, shown):
    case = keep(own, mel, age_years=typed)
    assert f"<dt>Age in years</dt><dd>{shown}</dd>" in own.get(f"/cases/{case}", headers=HTML).text


def test_a_wrong_age_sex_or_site_is_put_right_on_the_page_of_the_case(own, mel, keep):
    case = keep(own, mel, age_years="54", sex="male", site="back")
    assert '<option value="male" selected>' in own.get(f"/cases/{case}", headers=HTML).text
    text = own.post(
        f"/cases/{case}/about", data={"age_years": "45,5", "sex": "female", "site": "face"}, headers=HTML
    ).text
    assert "What you changed is kept." in text
    assert 'name="age_years" autocomplete="off" maxlength="10" value="45.5"' in text
    assert "<dd>female</dd>" in text
    assert "<dd>face</dd>" in text
    for wrong, why in (
        ({"age_years": "old"}, "“old” is not a number."),
        ({"age_years": "200"}, "The age is 200 years"),
    ):
        refused = own.post(f"/cases/{case}/about", data=wrong, headers=HTML)
        assert refused.status_code == 422
        assert why in refused.text
    assert (
        '<option value="flank" selected>' in own.post(f"/cases/{case}/about", data={"site": "flank"}, headers=HTML).text
    )


def test_the_same_picture_twice_is_no_sign_that_nothing_changed(own, mel, naevus, keep):
    keep(own, mel, lesion="twice")
    case = keep(own, naevus, lesion="twice")
    lesion = own.get(f"/cases/{case}", headers=HTML).text.split('href="/lesions/')[1].split('"')[0]
    assert "the same picture" not in own.get(f"/lesions/{lesion}", headers=HTML).text
    keep(own, mel, lesion="twice", taken_on="2021-03-04")
    assert "Some of these are the same picture" in own.get(f"/lesions/{lesion}", headers=HTML).text
