"""Figures and log lines say what happened, and never what was in it."""

import json
import shutil

import pytest
from prometheus_client.parser import text_string_to_metric_families

from dermalens.records.errors import RecordsError
from dermalens.records.keys import create_key
from tests.serve.test_predictions import problem_of

PATH = "/v1/predictions"


def figures(client, **headers) -> dict:
    """Value by name and labels."""
    families = text_string_to_metric_families(client.get("/metrics", **headers).text)
    return {(one.name, *sorted(one.labels.items())): one.value for family in families for one in family.samples}


def lines(log) -> list[dict]:
    return [json.loads(line) for line in log.getvalue().splitlines()]


def test_the_figures_count_requests_decisions_refusals_and_seconds(client_with, mel, chessboard):
    client = client_with()
    for image in (mel, mel, chessboard, b"text"):
        client.post(PATH, files={"image": image})
    client.get("/nothing")
    found = figures(client)
    by_route = lambda status: (  # noqa: E731
        "dermalens_requests_total", ("method", "POST"), ("route", PATH), ("status", status)
    )  # fmt: skip
    assert found[by_route("200")] == 3
    assert found[by_route("415")] == 1
    unmatched = ("dermalens_requests_total", ("method", "GET"), ("route", "unmatched"), ("status", "404"))
    assert found[unmatched] == 1
    assert found["dermalens_decisions_total", ("decision", "refer")] == 2
    assert found["dermalens_decisions_total", ("decision", "abstain")] == 1
    assert found["dermalens_refusals_total", ("reason", "not-an-image")] == 1
    for name in ("decode_seconds", "inference_seconds"):
        assert found[f"dermalens_{name}_count",] == 3
        assert 0 < found[f"dermalens_{name}_sum",] < 60
    assert found["dermalens_queue_wait_seconds_count",] == 4
    assert found["dermalens_queue_depth",] == 0
    assert found["dermalens_in_flight",] == 0
    bundle = client.app.state.service.classifier.bundle
    assert found["dermalens_bundle_info", ("name", "tiny"), ("sha256", bundle.sha256), ("version", "1.0")] == 1


def test_no_client_can_make_new_series(client_with):
    client = client_with()

    def ask(number):
        client.get(f"/made-up-{number}")
        client.get(f"/v1/predictions/{number:032x}")
        client.request(f"METHOD{number}", "/made-up")
        return set(figures(client))

    figures(client)  # has a series of its own
    known = ask(0)
    assert set.union(*(ask(number) for number in range(1, 10))) == known
    assert not [key for key in figures(client) if "made-up" in str(key) or "METHOD" in str(key)]


def test_a_log_line_has_the_route_the_status_and_the_key_id(client_with, log, mel):
    client = client_with(host="0.0.0.0", address="http://derma.example")
    key, text = create_key(client.app.state.service.records, name="x", scopes=["predict", "records"])
    answered = client.post(
        PATH, files={"image": ("private.png", mel)}, params={"note": "query note"}, headers={"X-API-Key": text}
    )
    line = next(line for line in lines(log) if line["event"] == "request")
    assert {name: line[name] for name in ("level", "method", "route", "status", "key_id")} == {
        "level": "info", "method": "POST", "route": PATH, "status": 200, "key_id": key.id,
    }  # fmt: skip
    assert line["request_id"] == answered.headers["x-request-id"]
    assert line["time"].endswith("Z")
    assert 0 < line["seconds"] < 60


def test_the_log_holds_no_key_file_name_query_or_form(client_with, log, mel):
    client = client_with(host="0.0.0.0", address="http://derma.example")
    _, text = create_key(client.app.state.service.records, name="x", scopes=["predict", "records"])
    for headers in ({"X-API-Key": text}, {"Authorization": f"Bearer {text}"}, {"X-API-Key": text + "x"}):
        for image in (mel, b"content of a text"):
            client.post(
                PATH,
                files={"image": ("private-name.png", image)},
                data={"note": "form-note", "keep": "1", "sex": "bad-sex"},
                params={"lesion": "query-lesion"},
                headers=headers,
            )
    client.get("/v1/predictions?text=query-text", headers={"X-API-Key": text})
    written = log.getvalue()
    assert len(lines(log)) >= 7
    for secret in (text, text.split("_")[-1], "private-name", "form-note", "bad-sex", "query-", "content of"):
        assert secret not in written


@pytest.fixture
def broken(client_with):
    """A server with a mistake in a route."""
    client = client_with()

    @client.app.get("/broken")
    async def broken() -> None:
        secret = "local-value"  # noqa: F841
        raise RuntimeError("the reason")

    return client


def test_a_mistake_of_ours_is_a_problem_without_a_trace_and_loud_in_the_log(broken, log):
    answered = broken.get("/broken")
    assert problem_of(answered) == (500, "internal")
    assert "the reason" not in answered.text
    assert answered.headers["x-content-type-options"] == "nosniff"
    line = next(line for line in lines(log) if line["event"] == "unexpected")
    assert line["level"] == "error"
    assert line["request_id"] == answered.headers["x-request-id"]
    assert line["request_id"] in answered.json()["detail"]
    assert line["exception"][0]["exc_value"] == "the reason"
    assert "local-value" not in log.getvalue()
    assert figures(broken)["dermalens_requests_total", ("method", "GET"), ("route", "/broken"), ("status", "500")] == 1


def test_the_probes_answer_past_the_queue(client_with):
    client = client_with(queue_size=1, workers=1)
    pool = client.app.state.running.pool
    with pool.place(), pool.place():
        assert problem_of(client.post(PATH, content=b"x", headers={"content-type": "image/png"})) == (503, "busy")
        assert client.get("/livez").status_code == 200
        assert client.get("/readyz").status_code == 200
        assert client.get("/metrics").status_code == 200


def test_a_stopping_server_is_not_ready_and_refuses_what_is_new(client_with, mel):
    client = client_with()
    client.app.state.running.pool.is_draining = True
    for refused in (client.get("/readyz"), client.post(PATH, files={"image": mel})):
        assert problem_of(refused) == (503, "draining")
        assert int(refused.headers["retry-after"]) >= 1
    alive = client.get("/livez")
    assert alive.status_code == 200
    assert alive.headers["connection"] == "close"


def test_the_log_says_why_a_case_was_not_kept_and_why_the_records_cannot_be_used(client_with, log, mel):
    client = client_with()
    folder = client.app.state.service.settings.data_folder
    shutil.rmtree(folder / "images")
    (folder / "images").write_text("no folder")
    answered = client.post(PATH, files={"image": mel}, params={"keep": "1", "note": "private"})
    assert answered.json()["kept_error"]
    client.app.state.service.records.engine.dispose()
    (folder / "records.sqlite").unlink()
    assert problem_of(client.get(PATH)) == (503, "records-unavailable")
    kept, listed = (line for line in lines(log) if line["event"] == "request")
    assert kept["error"].startswith("not kept: The data folder cannot be used")
    assert listed["problem"] == "records-unavailable"
    assert "database" in listed["error"]
    assert "private" not in log.getvalue()


def test_what_the_driver_says_of_the_database_is_in_the_log_and_in_no_answer(client_with, log, mel, monkeypatch):
    client = client_with()

    def away(*_, **__):
        raise RecordsError("The database cannot be used: no db.internal.", public="The database cannot be used.")

    monkeypatch.setattr("dermalens.records.store.check", away)
    monkeypatch.setattr("dermalens.serve.turns.keep", away)
    asked = [
        client.get("/readyz"),
        client.post(PATH, files={"image": mel}, data={"keep": "1"}),
        client.post("/answer", files={"image": mel}, data={"keep": "yes"}),
    ]
    assert [answer.status_code for answer in asked] == [503, 200, 200]
    assert all("The database cannot be used." in answer.text for answer in asked)
    assert not any("db.internal" in answer.text for answer in asked)
    assert log.getvalue().count("db.internal") == 3


def test_a_monitor_may_ask_for_the_head_alone(client_with):
    client = client_with()
    for path in ("/livez", "/readyz", "/v1/model"):
        whole, head = client.get(path), client.head(path)
        assert (head.status_code, head.content) == (200, b"")
        assert head.headers["content-length"] == whole.headers["content-length"]
        assert head.headers["x-content-type-options"] == "nosniff"
    assert client.head("/v1/quality").status_code == 405


def test_a_method_that_does_not_fit_is_told_all_that_do(client_with):
    client = client_with()
    for path, methods in (
        (PATH, "GET, HEAD, POST"),
        (f"{PATH}/{'0' * 32}", "DELETE, GET, HEAD"),
        ("/livez", "GET, HEAD"),
    ):
        refused = client.put(path)
        assert problem_of(refused) == (405, "method-not-allowed")
        assert refused.headers["allow"] == methods


def test_a_value_that_was_not_taken_is_in_the_answer_and_not_in_the_log(client_with, log, mel):
    client = client_with()
    answer = client.post(PATH, files={"image": mel}, data={"keep": "1", "taken_on": "1812-03-04"}).json()
    assert "1812-03-04" in answer["kept_error"]
    page = client.post("/answer", files={"image": mel}, data={"keep": "yes", "age_years": "131"})
    assert "131" in page.text
    assert "not kept: a value that is not taken" in log.getvalue()
    assert "1812" not in log.getvalue()
    assert "131 years" not in log.getvalue()
