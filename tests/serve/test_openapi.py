"""The OpenAPI document says what the API does: schemathesis asks it all sorts of things, in this process."""

import io

import hypothesis
import hypothesis.strategies as st
import pytest
import schemathesis
from schemathesis.config import SchemathesisConfig

from dermalens.records.keys import create_key
from dermalens.serve.app import create_app
from dermalens.serve.logs import make_logger
from dermalens.serve.problems import PROBLEMS, problem_response
from dermalens.serve.problems import Refusal as ARefusal
from dermalens.serve.service import close_service, open_service
from dermalens.serve.settings import read_settings
from tests.serve.conftest import encoded
from tests.tiny_bundle import lesion, page

IMAGES = st.sampled_from([encoded(lesion("mel")), encoded(lesion("nv"), "JPEG"), encoded(page())])
MODES = (schemathesis.GenerationMode.POSITIVE, schemathesis.GenerationMode.NEGATIVE)
CONFIG = """
[checks]
not_a_server_error.expected-statuses = ["2xx", "3xx", "4xx", 503, 504]
# A square outside of the picture, or millimetres without an outline, are refused for what they mean together.
positive_data_acceptance.expected-statuses = ["2xx", 401, 403, 404, 422]
"""

schemathesis.openapi.format("binary", IMAGES)
for kind in ("jpeg", "png", "webp", "tiff", "bmp", "gif"):
    schemathesis.openapi.media_type(f"image/{kind}", IMAGES)
schemathesis.openapi.media_type("application/octet-stream", IMAGES)


@pytest.fixture(scope="module")
def guarded(bundle_folder, tmp_path_factory):
    """A server that needs a key, and the headers with one."""
    settings = read_settings(
        host="0.0.0.0", bundle=bundle_folder, data_folder=tmp_path_factory.mktemp("data"), workers=2
    )
    service = open_service(settings)
    _, text = create_key(service.records, name="x", scopes=["predict", "records", "admin"], rate_per_minute=1_000_000)
    yield create_app(service, logger=make_logger(io.StringIO())), {"Authorization": f"Bearer {text}"}
    close_service(service)


@pytest.fixture(scope="module")
def api_schema(guarded):
    config = SchemathesisConfig.from_str(CONFIG)
    return schemathesis.openapi.from_asgi("/openapi.json", guarded[0], config=config)


LITTLE = hypothesis.settings(
    max_examples=15, deadline=None, derandomize=True, database=None,
    suppress_health_check=list(hypothesis.HealthCheck),
)  # fmt: skip
OPERATIONS = [
    "livez", "readyz", "metrics", "predict", "list_predictions", "get_prediction", "delete_prediction", "report",
    "add_feedback", "predict_batch", "get_job", "delete_job", "model", "model_card", "quality",
]  # fmt: skip


@pytest.mark.parametrize("operation_id", OPERATIONS)
def test_the_api_does_what_its_document_says(operation_id, api_schema, guarded):
    operation = api_schema.find_operation_by_id(operation_id)
    cases = st.one_of(operation.as_strategy(generation_mode=mode) for mode in MODES)

    @LITTLE
    @hypothesis.given(cases)
    def ask(case):
        case.call_and_validate(headers=guarded[1])

    ask()


def test_every_operation_is_named_described_and_has_its_problems(client):
    document = client.get("/openapi.json").json()
    ids = []
    for path, operations in document["paths"].items():
        for operation in operations.values():
            ids.append(operation["operationId"])
            assert operation["summary"], path
            assert operation["description"], path
            for parameter in operation.get("parameters", ()):
                assert parameter.get("description"), (path, parameter["name"])
            if path.startswith("/v1/"):
                assert {"401", "403", "429"} <= set(operation["responses"]), path
                assert operation["security"], path
            for status, response in operation["responses"].items():
                assert status < "400" or list(response["content"]) == ["application/problem+json"], (path, status)
    assert len(set(ids)) == len(ids)
    assert set(ids) == set(OPERATIONS)
    assert "HTTPValidationError" not in document["components"]["schemas"]


def test_both_ways_to_send_an_image_are_documented(client):
    body = client.get("/openapi.json").json()["paths"]["/v1/predictions"]["post"]["requestBody"]["content"]
    assert {"multipart/form-data", "image/jpeg", "application/octet-stream"} <= set(body)
    form = body["multipart/form-data"]["schema"]
    assert form["required"] == ["image"]
    fields = form["properties"]
    assert {"heatmap", "outline", "operating_point", "prevalence", "keep", "square"} <= set(fields)
    assert (fields["keep"]["default"], fields["sex"]["default"], fields["note"]["default"]) == (False, "unknown", "")
    assert fields["operating_point"]["example"] == fields["age_years"]["example"] == ""  # or "Try it out" makes some up


def test_the_kinds_of_problems_stay_what_they_are():
    assert {problem.slug: problem.status for problem in PROBLEMS.values()} == {
        "undecodable": 400, "unauthenticated": 401, "forbidden": 403, "cross-origin": 403, "not-found": 404,
        "method-not-allowed": 405, "too-large": 413, "not-an-image": 415, "invalid": 422, "too-many-requests": 429,
        "internal": 500, "busy": 503, "draining": 503, "records-unavailable": 503, "deadline": 504,
    }  # fmt: skip
    for problem in PROBLEMS.values():
        assert problem.type == f"/problems/{problem.slug}"
        response = problem_response(ARefusal(problem.slug, "why"))
        assert response.status_code == problem.status
        assert response.media_type == "application/problem+json"
