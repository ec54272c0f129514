"""Batches: taken at once, worked off behind direct requests, and over a restart."""

import threading
import time

import pytest
from starlette.testclient import TestClient

from dermalens.predict.classifier import load
from dermalens.records.jobs import add_job, find_job
from dermalens.serve.app import create_app
from tests.serve.conftest import ADDRESS, encoded
from tests.serve.test_predictions import problem_of
from tests.tiny_bundle import lesion

PATH = "/v1/predictions:batch"


def finished(client, address) -> dict:
    until = time.monotonic() + 20
    while (job := client.get(address).json())["state"] != "done":
        assert time.monotonic() < until, job
        time.sleep(0.02)
    return job


def test_a_batch_is_accepted_and_each_image_gets_the_answer_of_the_classifier(client, bundle_folder):
    codes = ("mel", "nv", "vasc")
    images = [encoded(lesion(code)) for code in codes]
    accepted = client.post(PATH, files=[("image", image) for image in images], data={"name": codes, "outline": "1"})
    assert accepted.status_code == 202
    assert accepted.json()["total"] == 3
    job = finished(client, accepted.headers["location"])
    assert job["id"] == accepted.json()["id"]
    assert [item["name"] for item in job["items"]] == list(codes)
    classifier = load(bundle_folder)
    assert [item["answer"] for item in job["items"]] == [classifier.predict(i, outline=True).as_dict() for i in images]


@pytest.mark.parametrize(
    ("given", "named"), [(["a", "", "c"], ["a", "", "c"]), (["", "", ""], [""] * 3), ([""], [""] * 3)]
)
def test_an_image_may_have_no_name_where_others_have_one(client, mel, given, named):
    accepted = client.post(PATH, files=[("image", mel)] * 3, data={"name": given})
    assert accepted.status_code == 202
    assert [item["name"] for item in finished(client, accepted.headers["location"])["items"]] == named


def test_a_batch_that_is_sent_again_is_the_first_one(client, mel):
    def send(images, key="clinic 7", **fields):
        files, headers = [("image", image) for image in images], {"Idempotency-Key": key}
        return client.post(PATH, files=files, data=fields, headers=headers).json()["id"]

    first = send([mel, mel])
    finished(client, f"/v1/jobs/{first}")
    assert send([mel, mel]) == first
    assert client.get(f"/v1/jobs/{first}").json()["state"] == "done"
    others = {
        send([mel]),
        send([mel, mel], "clinic 8"),
        send([mel, mel], outline="1"),
        send([mel] * 2, name=["a", "b"]),
    }
    assert len(others - {first}) == 4


def test_an_image_that_cannot_be_used_fails_alone(client, mel):
    accepted = client.post(PATH, files=[("image", b"text"), ("image", mel)])
    job = finished(client, accepted.headers["location"])
    assert [item["state"] for item in job["items"]] == ["failed", "done"]
    assert "whatever its name says" in job["items"][0]["error"]
    assert (job["done"], job["failed"]) == (1, 1)


@pytest.mark.parametrize(("files", "data", "expected"), [
    (0, {}, (422, "invalid")),
    (2, {"name": ["one"]}, (422, "invalid")),
    (1, {"operating_point": "nowhere"}, (422, "invalid")),
    (1, {"keep": "1"}, (422, "invalid")),
    (4, {}, (400, "undecodable")),
])  # fmt: skip
def test_a_batch_that_cannot_be_answered_is_refused_at_once(client_with, mel, files, data, expected):
    client = client_with(max_batch_images=3)
    boundary = {"files": [("image", mel)] * files} if files else {"content": b"--b--\r\n", "headers": {
        "content-type": "multipart/form-data; boundary=b"}}  # fmt: skip
    assert problem_of(client.post(PATH, **boundary, **({"data": data} if files else {}))) == expected


def test_a_deleted_batch_is_gone(client, mel):
    address = client.post(PATH, files=[("image", mel)]).headers["location"]
    finished(client, address)
    assert client.delete(address).status_code == 204
    assert problem_of(client.get(address)) == (404, "not-found")


def test_what_an_earlier_server_accepted_is_worked_off_by_the_next(service_with, mel):
    service = service_with()
    job = add_job(service.records, "local", [("", mel)] * 3, {})
    assert find_job(service.records, "local", job.id).state == "waiting"
    with TestClient(create_app(service), base_url=ADDRESS) as client:
        assert finished(client, f"/v1/jobs/{job.id}")["done"] == 3


def test_a_batch_may_be_larger_than_one_image(client_with):
    client = client_with(max_upload_bytes=30_000, max_batch_bytes=200_000)
    image = encoded(lesion("mel", (90, 90)), "BMP")
    assert client.post(PATH, files=[("image", image)] * 4).status_code == 202
    assert problem_of(client.post(PATH, files=[("image", image)] * 10)) == (413, "too-large")
    assert problem_of(client.post("/v1/predictions", files=[("image", image + bytes(9000))])) == (413, "too-large")


class Failing:
    """A classifier whose graph fails on each image."""

    def __init__(self, classifier):
        self._classifier = classifier

    def __getattr__(self, name):
        return getattr(self._classifier, name)

    def answer(self, *_):
        raise RuntimeError("a mistake of ours")


class Together:
    """A classifier that answers once another one is at an image too; it notes the width of each image."""

    def __init__(self, classifier, others, widths):
        self._classifier, self._others, self._widths = classifier, others, widths

    def __getattr__(self, name):
        return getattr(self._classifier, name)

    def answer(self, decoded, *more):
        self._widths.append(decoded.original_size[0])
        self._others.wait(timeout=10)
        return self._classifier.answer(decoded, *more)


def test_two_workers_are_at_two_images_of_a_batch_at_once(client_with, bundle_folder):
    others, widths = threading.Barrier(2), []
    client = client_with(classifiers=[Together(load(bundle_folder), others, widths) for _ in range(2)])
    images = [encoded(lesion("mel", (width, 90))) for width in (100, 110)]
    job = finished(client, client.post(PATH, files=[("image", image) for image in images]).headers["location"])
    assert [item["state"] for item in job["items"]] == ["done", "done"]
    assert sorted(widths) == [100, 110]


def test_an_image_that_the_server_fails_on_does_not_hold_up_the_others(client_with, bundle_folder, mel, log):
    client = client_with(workers=1, classifiers=(Failing(load(bundle_folder)),))
    accepted = client.post(PATH, files=[("image", mel)] * 2)
    job = finished(client, accepted.headers["location"])
    assert [item["state"] for item in job["items"]] == ["failed", "failed"]
    assert job["items"][0]["error"].startswith("The server failed")
    assert '"event": "unexpected"' in log.getvalue()
    assert "a mistake of ours" in log.getvalue()


def test_options_that_another_version_put_down_fail_the_image_and_nothing_else(service_with, mel):
    service = service_with()
    old = add_job(service.records, "local", [("", mel)], {"gone": True})
    new = add_job(service.records, "local", [("", mel)], {})
    with TestClient(create_app(service), base_url=ADDRESS) as client:
        assert finished(client, f"/v1/jobs/{new.id}")["done"] == 1
        assert "gone" in finished(client, f"/v1/jobs/{old.id}")["items"][0]["error"]


def test_only_so_many_batches_are_held_in_memory(client_with, mel):
    client = client_with()
    batches = client.app.state.running.batches
    with batches.room(), batches.room():
        refused = client.post(PATH, files=[("image", mel)])
        assert problem_of(refused) == (503, "busy")
        assert int(refused.headers["retry-after"]) >= 1
    assert client.post(PATH, files=[("image", mel)]).status_code == 202
