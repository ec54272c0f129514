"""Cases over the API: kept only when asked, found again, judged, deleted."""

import pytest

from dermalens.records.errors import RecordsError
from tests.serve.conftest import encoded
from tests.serve.test_predictions import problem_of
from tests.tiny_bundle import lesion

PATH = "/v1/predictions"


@pytest.fixture
def client(client_with):
    return client_with()


def kept(client, code="mel", **fields) -> dict:
    data = {"keep": "true", **fields}
    return client.post(PATH, files={"image": ("private.png", encoded(lesion(code)))}, data=data).json()


def test_nothing_is_kept_unless_asked(client, mel, tmp_path):
    client.post(PATH, files={"image": mel})
    assert client.get(PATH).json() == {"items": [], "cursor": None}
    assert [path for path in (tmp_path / "data" / "images").rglob("*") if path.is_file()] == []


def test_a_kept_case_is_found_with_all_that_was_said(client):
    said = {"age_years": "54", "sex": "female", "site": "back", "lesion": "mole 1", "note": "Ärmel"}
    said["taken_on"] = "2024-02-29"
    answer = kept(client, square="10,5,100", **said)
    case = client.get(f"{PATH}/{answer['id']}").json()
    assert case["answer"] == {key: value for key, value in answer.items() if key != "id"}
    assert case["patient"] == {"age_years": 54, "sex": "female", "site": "back"}
    assert (case["lesion"], case["note"], case["square"]) == ("mole 1", "Ärmel", [10, 5, 100])
    assert case["taken_on"] == "2024-02-29"
    assert "owner" not in case


def test_a_request_that_is_sent_again_keeps_no_second_case(client, mel):
    def send(image, key):
        headers = {"Idempotency-Key": key} if key else {}
        return client.post(PATH, files={"image": image}, data={"keep": "true"}, headers=headers).json()

    first = send(mel, "4f2d")
    assert send(mel, "4f2d")["id"] == first["id"]
    assert len(client.get(PATH).json()["items"]) == 1
    assert len({first["id"], send(mel, "another")["id"], send(mel, None)["id"], send(mel, None)["id"]}) == 4
    assert send(encoded(lesion("nv")), "4f2d")["diagnosis"] == "nv"
    assert len(client.get(PATH).json()["items"]) == 5


def test_the_same_key_with_other_options_loses_nothing(client, mel):
    def send(**fields):
        headers = {"Idempotency-Key": "photo 7"}
        return client.post(PATH, files={"image": mel}, data={"keep": "true", **fields}, headers=headers).json()["id"]

    said = ({}, {"square": "10,5,100"}, {"note": "left one"}, {"taken_on": "2024-02-29"}, {"lesion": "a"})
    kept = [send(**fields) for fields in said]
    assert len(set(kept)) == len(said)
    assert [send(**fields) for fields in said] == kept
    assert client.get(f"{PATH}/{kept[2]}").json()["note"] == "left one"


@pytest.mark.parametrize("taken_on", ["yesterday", "2024-02-30", "0", "86400", "20240229", "2024-02-29T00:00:00"])
def test_a_day_that_is_none_is_invalid(client, mel, taken_on):
    response = client.post(PATH, files={"image": mel}, data={"keep": "true", "taken_on": taken_on})
    assert problem_of(response) == (422, "invalid")
    assert "taken_on" in response.json()["detail"]


def test_a_picture_of_the_future_is_answered_and_not_kept(client):
    answer = kept(client, taken_on="2999-01-01")
    assert answer["id"] is None
    assert "2999-01-01" in answer["kept_error"]
    assert answer["decision"]


def test_cases_are_listed_by_pages_and_filters(client):
    first, second = kept(client, "mel", note="red"), kept(client, "nv", lesion="arm")
    page = client.get(PATH, params={"limit": 1}).json()
    assert [item["id"] for item in page["items"]] == [second["id"]]
    rest = client.get(PATH, params={"limit": 1, "cursor": page["cursor"]}).json()
    assert [item["id"] for item in rest["items"]] == [first["id"]]
    assert rest["cursor"] is None
    for wanted, expected in (
        ({"label": "mel"}, [first]),
        ({"decision": second["decision"], "label": "nv"}, [second]),
        ({"text": "red"}, [first]),
        ({"text": "arm"}, [second]),
        ({"since": "2000-01-01", "until": "2001-01-01"}, []),
        ({"since": "2000-01-01"}, [second, first]),
    ):
        found = client.get(PATH, params=wanted).json()["items"]
        assert [item["id"] for item in found] == [one["id"] for one in expected], wanted


@pytest.mark.parametrize("wanted", [
    {"cursor": "nonsense"}, {"limit": "0"}, {"limit": "100000"}, {"since": "yesterday"}, {"until": "86400"},
    {"label": "wart"}, {"decision": "maybe"}, {"lesion": "x"}, {"unknown": "1"},
])  # fmt: skip
def test_a_filter_that_cannot_be_used_is_invalid(client, wanted):
    assert problem_of(client.get(PATH, params=wanted)) == (422, "invalid")


def test_feedback_stands_with_the_case(client):
    address = f"{PATH}/{kept(client)['id']}"
    for said in ({"kind": "agree"}, {"kind": "histology", "label": "nv", "comment": "excised"}):
        assert client.post(f"{address}/feedback", json=said).status_code == 201
    feedback = client.get(address).json()["feedback"]
    assert [(one["kind"], one["label"], one["comment"]) for one in feedback] == [
        ("agree", "", ""), ("histology", "nv", "excised"),
    ]  # fmt: skip


@pytest.mark.parametrize("said", [
    {}, {"kind": "perhaps"}, {"kind": "agree", "label": "nv"}, {"kind": "other"}, {"kind": "other", "label": "wart"},
    {"kind": "agree", "more": 1}, [], "text",
])  # fmt: skip
def test_feedback_that_says_nothing_is_invalid(client, said):
    assert problem_of(client.post(f"{PATH}/{kept(client)['id']}/feedback", json=said)) == (422, "invalid")


def test_a_deleted_case_is_gone_with_its_image(client, tmp_path):
    address = f"{PATH}/{kept(client)['id']}"
    images = tmp_path / "data" / "images"
    assert [path for path in images.rglob("*") if path.is_file()]
    assert client.delete(address).status_code == 204
    assert problem_of(client.get(address)) == (404, "not-found")
    assert problem_of(client.delete(address)) == (404, "not-found")
    assert [path for path in images.rglob("*") if path.is_file()] == []


def test_an_id_that_is_none_is_invalid_or_not_found(client):
    assert problem_of(client.get(f"{PATH}/nothing")) == (422, "invalid")
    assert problem_of(client.get(f"{PATH}/{'0' * 32}")) == (404, "not-found")


def test_records_that_fail_leave_the_answer_and_say_that_it_was_not_kept(client, mel, monkeypatch):
    def full(*_, **__):
        raise RecordsError("The data folder cannot be written: No space left on device. Make room on its disk.")

    monkeypatch.setattr("dermalens.serve.turns.keep", full)
    monkeypatch.setattr("dermalens.serve.api.predictions.search", full)
    answered = client.post(PATH, files={"image": mel}, data={"keep": "1"})
    assert answered.status_code == 200
    assert answered.json()["decision"] == "refer"
    assert answered.json()["id"] is None
    assert "No space left" in answered.json()["kept_error"]
    assert problem_of(client.get(PATH)) == (503, "records-unavailable")


def test_readiness_turns_with_the_records_and_comes_back(client, monkeypatch):
    assert client.get("/readyz").status_code == 200
    with monkeypatch.context() as patched:

        def away(_):
            raise RecordsError("The database is away.")

        patched.setattr("dermalens.records.store.check", away)
        monkeypatch.setattr("dermalens.serve.readiness.REMEMBERED_SECONDS", -1.0)
        assert problem_of(client.get("/readyz")) == (503, "records-unavailable")
    assert client.get("/readyz").status_code == 200


def test_a_case_has_a_report_to_print(client):
    pytest.importorskip("dermalens.serve.pages.report")
    case_id = kept(client)["id"]
    report = client.get(f"{PATH}/{case_id}/report.pdf", params={"language": "de"})
    assert report.content.startswith(b"%PDF-")
    assert report.content.count(b"/Subtype /Image") == 2  # with the heat map
    assert report.headers["content-type"] == "application/pdf"
    assert report.headers["content-disposition"].startswith("attachment; ")
    assert problem_of(client.get(f"{PATH}/{'0' * 32}/report.pdf")) == (404, "not-found")
    unknown = client.get(f"{PATH}/{case_id}/report.pdf", params={"language": "zz"})
    assert problem_of(unknown) == (422, "invalid")
    assert "needed is one of en, de." in unknown.json()["detail"]


def test_feedback_may_say_no_more_than_benign_or_malignant(client):
    case = kept(client)["id"]
    said = {"kind": "histology", "label": "malignant"}
    assert client.post(f"{PATH}/{case}/feedback", json=said).status_code == 201
    assert client.get(f"{PATH}/{case}").json()["feedback"][0]["label"] == "malignant"
    assert client.get(PATH, params={"label": "malignant"}).json()["items"] == []


def test_a_note_of_ten_thousand_letters_of_any_alphabet_is_kept(client):
    note = "ж" * 10_000
    assert client.get(f"{PATH}/{kept(client, note=note)['id']}").json()["note"] == note


def test_a_line_end_of_a_form_is_counted_as_it_is_kept(client):
    typed = "\r\n".join("x" * 5_000)
    case = kept(client, note=typed)["id"]
    assert client.get(f"{PATH}/{case}").json()["note"] == typed.replace("\r\n", "\n")
    said = {"kind": "agree", "comment": typed}
    assert client.post(f"{PATH}/{case}/feedback", json=said).status_code == 201
    assert problem_of(client.post(f"{PATH}/{case}/feedback", json={**said, "comment": "x" * 10_001})) == (
        422,
        "invalid",
    )
    assert problem_of(client.post(f"{PATH}/{case}/feedback", json={**said, "comment": 5})) == (422, "invalid")


def test_days_the_wrong_way_round_are_refused_not_searched(client):
    refused = client.get(PATH, params={"since": "2026-12-30", "until": "2026-01-01"})
    assert problem_of(refused) == (422, "invalid")
    assert "2026-12-30, is after the last one, 2026-01-01" in refused.json()["detail"]
    assert client.get(PATH, params={"since": "2026-01-01", "until": "2026-01-01"}).status_code == 200
