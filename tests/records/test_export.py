from __future__ import annotations

import base64
import io
import json
import zipfile
from datetime import date

import pytest

from dermalens.records import cases
from dermalens.records.cases import keep
from dermalens.records.errors import RecordsError, Stopped
from dermalens.records.export import export_json, export_zip
from dermalens.records.feedback import add_feedback
from tests.records.made_case import OWNER, drawn, new_case

DAY = date(2024, 2, 29)


def exported(records):
    return json.loads(b"".join(export_json(records, OWNER)))


def test_an_empty_record_is_exported_as_a_document_without_cases(records):
    assert exported(records)["cases"] == []


def test_a_database_that_is_away_is_told_before_the_first_piece(records, monkeypatch):
    def away(*_, **__):
        raise RecordsError("The database cannot be used.")

    monkeypatch.setattr("dermalens.records.export.search", away)
    with pytest.raises(RecordsError, match="cannot be used"):
        export_json(records, OWNER)


def test_the_export_holds_all_that_was_kept_of_its_owner(records, monkeypatch):
    monkeypatch.setattr("dermalens.records.export._PAGE", 2)
    kept = [keep(records, OWNER, new_case(note=f"Größe {number}", lesion="arm", taken_on=DAY)) for number in range(3)]
    keep(records, "0123456789ab", new_case())
    add_feedback(records, OWNER, kept[0].id, kind="other", label="nv", comment="see")
    document = exported(records)
    assert (document["format"], document["version"]) == ("dermalens-cases", 1)
    assert [case["id"] for case in document["cases"]] == [case.id for case in reversed(kept)]
    first = document["cases"][-1]
    assert (first["note"], first["lesion"], first["consent"]) == ("Größe 0", "arm", "Keep this case.")
    assert first["patient"] == {"age_years": 54.0, "sex": "female", "site": "left forearm"}
    assert first["answer"] == kept[0].answer
    assert (first["taken_on"], document["cases"][0]["taken_on"]) == ("2024-02-29", "2024-02-29")
    assert [(one["kind"], one["label"], one["comment"]) for one in first["feedback"]] == [("other", "nv", "see")]
    assert base64.b64decode(first["embedding_float32_base64"]) == new_case().embedding


def test_the_zip_has_each_image_once_under_the_name_in_the_document(records):
    kept = [keep(records, OWNER, new_case(image=drawn(code))) for code in ("mel", "nv", "mel")]
    stream = io.BytesIO()
    export_zip(records, OWNER, stream)
    with zipfile.ZipFile(stream) as archive:
        assert archive.testzip() is None
        names = archive.namelist()
        document = json.loads(archive.read("cases.json"))
        assert sorted(names) == sorted({"cases.json", *(case["image"] for case in document["cases"])})
        assert len(names) == 3
        assert archive.read(document["cases"][0]["image"]) == cases.image_of(records, OWNER, kept[-1].id)


@pytest.mark.parametrize("asked", range(6))  # once for each image, and once for what is said of it
def test_a_zip_that_is_stopped_says_that_it_is_not_complete(records, asked):
    for code in ("mel", "nv", "bcc"):
        keep(records, OWNER, new_case(image=drawn(code)))
    left = iter(range(asked))
    stream = io.BytesIO()
    with pytest.raises(Stopped, match="not complete"):
        export_zip(records, OWNER, stream, is_stopped=lambda: next(left, None) is None)
    with zipfile.ZipFile(stream) as archive:
        assert len([name for name in archive.namelist() if name.endswith(".png")]) == min(asked, 3)


def test_an_image_that_is_damaged_is_left_out_and_the_document_says_so(on_sqlite):
    damaged, whole = (keep(on_sqlite, OWNER, new_case(image=drawn(code))) for code in ("mel", "nv"))
    on_sqlite.images.path_of(damaged.image_sha256).write_bytes(b"other")
    stream = io.BytesIO()
    export_zip(on_sqlite, OWNER, stream)
    with zipfile.ZipFile(stream) as archive:
        found = {case["id"]: case for case in json.loads(archive.read("cases.json"))["cases"]}
        assert archive.namelist() == [found[whole.id]["image"], "cases.json"]
    assert found[damaged.id]["image"] is None
    assert "is damaged" in found[damaged.id]["image_error"]
    assert "image_error" not in found[whole.id]
