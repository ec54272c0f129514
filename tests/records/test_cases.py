from __future__ import annotations

import base64
import io
import time
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from PIL import Image
from sqlalchemy import update

from dermalens.core.errors import ImageError
from dermalens.records import audit, cases
from dermalens.records.case import last_day
from dermalens.records.cases import Lesion, Patient, Wanted, keep
from dermalens.records.errors import BadCursor, BadValue, NotKept, RecordsError
from dermalens.records.feedback import add_feedback
from dermalens.records.images import ImageStore
from dermalens.records.tables import CaseRow
from tests.records.made_case import OWNER, answer, drawn, files, new_case

OTHER = "0123456789ab"


def test_a_kept_case_comes_back_as_it_was(records):
    before = datetime.now(UTC)
    kept = keep(records, OWNER, new_case(lesion=" left \n forearm 1 ", note="Grew.\nItches.", square=(1.0, 2.5, 30.0)))
    found = cases.find(records, OWNER, kept.id)
    assert found == kept
    assert before <= found.created <= datetime.now(UTC)
    assert found.created.tzinfo is UTC
    assert (found.answer, found.patient) == (answer(), Patient(54.0, "female", "left forearm"))
    assert (found.lesion, found.note, found.square) == ("left forearm 1", "Grew.\nItches.", (1.0, 2.5, 30.0))
    assert (found.decision, found.diagnosis, found.malignant_probability) == ("refer", "mel", 0.9)
    assert found.consent == "Keep this case."


def test_the_image_comes_back_at_full_resolution(records):
    kept = keep(records, OWNER, new_case())
    picture = Image.open(io.BytesIO(cases.image_of(records, OWNER, kept.id)))
    assert (picture.format, picture.mode, picture.size) == ("PNG", "RGB", (64, 48))


def test_cases_of_another_owner_are_as_if_they_were_not_there(records):
    kept = keep(records, OWNER, new_case(lesion="arm"))
    for look in (cases.find, cases.image_of, cases.delete):
        with pytest.raises(NotKept, match="no such case among yours"):
            look(records, OTHER, kept.id)
    with pytest.raises(NotKept):
        cases.describe(records, OTHER, kept.id, note="mine")
    with pytest.raises(NotKept):
        cases.of_lesion(records, OTHER, kept.lesion_id)
    with pytest.raises(NotKept):
        add_feedback(records, OTHER, kept.id, kind="agree")
    assert cases.search(records, OTHER, Wanted()).cases == ()
    assert cases.lesions(records, OTHER) == ()
    assert cases.find(records, OWNER, kept.id) == kept


@pytest.mark.parametrize("case_id", ["", "0" * 32, "' OR 1=1 --", "\0", "ä" * 32, "A" * 32, "0" * 10_000])
def test_an_unknown_id_is_not_kept(records, case_id):
    with pytest.raises(NotKept):
        cases.find(records, OWNER, case_id)
    with pytest.raises(NotKept):
        cases.of_lesion(records, OWNER, case_id)


def test_the_same_id_is_kept_once(records):
    first = keep(records, OWNER, new_case(note="first"), case_id="a" * 32)
    assert keep(records, OWNER, new_case(note="second"), case_id="a" * 32) == first
    assert len(cases.search(records, OWNER, Wanted()).cases) == 1
    with pytest.raises(BadValue, match="taken"):
        keep(records, OTHER, new_case(), case_id="a" * 32)
    with pytest.raises(BadValue, match="32 digits"):
        keep(records, OWNER, new_case(), case_id="../../etc/passwd")


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"patient": Patient(200.0)}, "200 years"),
        ({"patient": Patient(float("nan"))}, "nan years"),
        ({"patient": Patient(sex="m")}, "male, female, unknown"),
        ({"patient": Patient(site="x" * 201)}, "site has 201"),
        ({"note": "x" * 10_001}, "10,001 characters"),
        ({"lesion": "x" * 201}, "lesion has 201"),
        ({"taken_on": date(1899, 12, 31)}, "1899-12-31; needed is one from 1900 until today"),
        ({"taken_on": last_day() + timedelta(days=1)}, "needed is one from 1900 until today"),
    ],
)
def test_values_out_of_bounds_are_refused_and_nothing_is_kept(records, changes, message):
    with pytest.raises(BadValue, match=message):
        keep(records, OWNER, new_case(**changes))
    assert cases.search(records, OWNER, Wanted()).cases == ()
    assert files(records) == set()


def test_what_is_no_image_is_not_kept(records):
    with pytest.raises(ImageError):
        keep(records, OWNER, new_case(image=b"GIF89a"))
    assert cases.search(records, OWNER, Wanted()).cases == ()


def test_letters_that_a_database_refuses_are_left_out(records):
    kept = keep(records, OWNER, new_case(note="a\0b\ud800c", lesion="\0arm", patient=Patient(site="le\0g")))
    found = cases.find(records, OWNER, kept.id)
    assert (found.note, found.lesion, found.patient.site) == ("abc", "arm", "leg")
    assert cases.search(records, OWNER, Wanted(text="b\0c", label="\0", lesion="\ud800")).cases == ()


def test_search_gives_the_newest_first_page_by_page(records):
    kept = [keep(records, OWNER, new_case(note=str(number))).id for number in range(5)]
    first = cases.search(records, OWNER, Wanted(limit=2))
    second = cases.search(records, OWNER, Wanted(limit=2, after=first.cursor))
    keep(records, OWNER, new_case(note="in between"))
    third = cases.search(records, OWNER, Wanted(limit=2, after=second.cursor))
    pages = [[case.id for case in page.cases] for page in (first, second, third)]
    assert pages == [kept[:2:-1], kept[2:0:-1], kept[:1]]
    assert third.cursor is None


FAR_AWAY = base64.urlsafe_b64encode(f"0001-01-01T00:00:00+23:59|{'0' * 32}".encode()).decode()
"""No database has this time: in UTC it lies before the year 1."""


@pytest.mark.parametrize("cursor", ["", "x", "äöü", "AAAA", "MjAyNg==", "MjAyNi0xMS0yMXxh", "\0" * 40, FAR_AWAY])
def test_a_cursor_of_no_record_is_refused(records, cursor):
    with pytest.raises(BadCursor, match="none that this record gave out"):
        cases.search(records, OWNER, Wanted(after=cursor))


def test_a_limit_out_of_bounds_is_refused(records):
    for limit in (0, -1, 501):
        with pytest.raises(BadValue, match="1 to 500"):
            cases.search(records, OWNER, Wanted(limit=limit))


def test_each_filter_finds_what_it_says(records):
    melanoma = keep(records, OWNER, new_case(note="ÄNDERT sich, 100% sicher", lesion="Rücken_1"))
    nevus = keep(records, OWNER, new_case(answer=answer("nv", "reassure"), note="ruhig"))

    def found(**wanted):
        return [case.id for case in cases.search(records, OWNER, Wanted(**wanted)).cases]

    today = melanoma.created.date()
    day = timedelta(days=1)
    both = [nevus.id, melanoma.id]
    assert found(since=today - day, until=nevus.created.date()) == both
    assert found(until=today - day) == []
    assert found(since=today + 2 * day) == []
    assert found(until=today.max) == both
    assert found(decision="reassure") == [nevus.id]
    assert found(label="mel") == [melanoma.id]
    assert found(lesion=melanoma.lesion_id) == [melanoma.id]
    assert found(text="ändert") == [melanoma.id]
    assert found(text="RÜCKEN_") == [melanoma.id]
    assert found(text="100%") == [melanoma.id]
    assert found(text="1%s") == []
    assert found(text="r_hig") == []
    assert found(text="") == found(text=" ") == both
    assert found(label="mel", decision="reassure") == []


def test_a_search_finds_all_its_words_in_any_order(records):
    itches = keep(records, OWNER, new_case(note="The mole on the back\nitches", lesion="Rücken 1"))
    keep(records, OWNER, new_case(note="Another mole"))

    def found(text):
        return [case.id for case in cases.search(records, OWNER, Wanted(text=text)).cases]

    assert found("itches mole") == found(" mole  itch ") == found("rücken mole") == [itches.id]
    assert len(found("mole ")) == 2
    assert found("mole bleeds") == []
    assert found(" ".join(["mole", "itches"] * 100)) == [itches.id]


def test_a_note_takes_the_place_of_the_one_before(records):
    kept = keep(records, OWNER, new_case(note="old"))
    assert cases.describe(records, OWNER, kept.id, note="new").note == "new"
    assert cases.find(records, OWNER, kept.id).note == "new"


def test_a_line_end_is_one_character_however_it_was_sent(records):
    full = "\n".join(["x" * 100] * 99)
    full += "x" * (10_000 - len(full))
    kept = keep(records, OWNER, new_case(note=full.replace("\n", "\r\n")))
    assert kept.note == full
    assert cases.describe(records, OWNER, kept.id, note=full.replace("\n", "\r")).note == full
    assert cases.describe(records, OWNER, kept.id, note=full.replace("\n", "\r\n")).note == full
    with records.writing() as session:
        session.get_one(CaseRow, kept.id).note = "as kept\r\nbefore"
    cases.describe(records, OWNER, kept.id, note="as kept\nbefore")
    assert [entry.action for entry in audit.entries(records)] == ["case.keep"]


def test_cases_of_one_name_are_one_lesion_in_order_of_time(records):
    first = keep(records, OWNER, new_case(lesion="arm"))
    second = keep(records, OWNER, new_case())
    stranger = keep(records, OTHER, new_case(lesion="arm"))
    assert cases.describe(records, OWNER, second.id, lesion="arm").lesion_id == first.lesion_id
    assert [case.id for case in cases.of_lesion(records, OWNER, first.lesion_id)] == [first.id, second.id]
    assert cases.lesions(records, OWNER) == (Lesion(first.lesion_id, "arm", 2),)
    assert stranger.lesion_id != first.lesion_id


def test_a_lesion_is_in_the_order_of_the_days_of_its_pictures(records):
    def of_lesion(lesion_id):
        return [(case.id, case.taken_on) for case in cases.of_lesion(records, OWNER, lesion_id)]

    today, old = keep(records, OWNER, new_case(lesion="arm")), date(2019, 5, 1)
    older = keep(records, OWNER, new_case(lesion="arm", taken_on=old))
    assert of_lesion(today.lesion_id) == [(older.id, old), (today.id, None)]
    assert cases.describe(records, OWNER, today.id, taken_on=date(2018, 1, 1)).taken_on == date(2018, 1, 1)
    assert of_lesion(today.lesion_id) == [(today.id, date(2018, 1, 1)), (older.id, old)]
    assert cases.describe(records, OWNER, older.id, taken_on=None) == cases.find(records, OWNER, older.id)
    assert of_lesion(today.lesion_id) == [(today.id, date(2018, 1, 1)), (older.id, None)]
    with pytest.raises(BadValue, match="1800-01-01"):
        cases.describe(records, OWNER, older.id, taken_on=date(1800, 1, 1))
    with pytest.raises(NotKept):
        cases.describe(records, OTHER, older.id, taken_on=None)


def test_a_picture_of_the_day_on_which_it_was_kept_stands_at_that_moment(records):
    kept = keep(records, OWNER, new_case())
    same_day = cases.describe(records, OWNER, kept.id, taken_on=kept.created.astimezone().date())
    assert same_day.seen == kept.seen == kept.created


@pytest.mark.skipif(not hasattr(time, "tzset"), reason="the zone of a process cannot be changed here")
@pytest.mark.parametrize("zone", ["Pacific/Auckland", "Pacific/Honolulu"])
def test_a_stated_day_comes_before_the_first_minutes_of_the_next(records, monkeypatch, zone):
    at_midnight = datetime(2026, 1, 11, 0, 30, tzinfo=ZoneInfo(zone)).astimezone(UTC)
    at_night = datetime(2026, 1, 9, 23, 30, tzinfo=ZoneInfo(zone)).astimezone(UTC)
    with monkeypatch.context() as patch:
        patch.setenv("TZ", zone)
        time.tzset()
        early, stated, late = (keep(records, OWNER, new_case(lesion="arm")) for _ in range(3))
        cases.describe(records, OWNER, stated.id, taken_on=date(2026, 1, 10))
        with records.writing() as session:
            for case, moment in ((early, at_night), (late, at_midnight)):
                session.get_one(CaseRow, case.id).created = moment
        found = cases.of_lesion(records, OWNER, early.lesion_id)
        assert [case.day.day for case in found] == [9, 10, 11]
        assert found[1].seen.astimezone(ZoneInfo(zone)).hour == 12
    time.tzset()


def test_a_name_that_no_case_bears_any_more_is_gone(records):
    kept = keep(records, OWNER, new_case(lesion="arm"))
    renamed = cases.describe(records, OWNER, kept.id, lesion="leg")
    assert [one.name for one in cases.lesions(records, OWNER)] == ["leg"]
    cases.describe(records, OWNER, kept.id, lesion="leg")
    assert cases.find(records, OWNER, kept.id).lesion_id == renamed.lesion_id
    assert cases.describe(records, OWNER, kept.id, lesion="").lesion_id is None
    with pytest.raises(NotKept):
        cases.of_lesion(records, OWNER, renamed.lesion_id)


def test_feedback_is_added_to_what_was_said_before(records):
    kept = keep(records, OWNER, new_case())
    add_feedback(records, OWNER, kept.id, kind="agree")
    case = add_feedback(records, OWNER, kept.id, kind="histology", label="mel", comment="Breslow 0.4 mm")
    assert [(one.kind, one.label, one.comment) for one in case.feedback] == [
        ("agree", "", ""),
        ("histology", "mel", "Breslow 0.4 mm"),
    ]
    assert cases.find(records, OWNER, kept.id).feedback == case.feedback
    again = add_feedback(records, OWNER, kept.id, kind="histology", label="mel", comment="Breslow 0.4 mm")
    assert again.feedback == case.feedback  # a request that was sent twice
    assert len(add_feedback(records, OWNER, kept.id, kind="agree").feedback) == 3  # another mind


@pytest.mark.parametrize(("kind", "label"), [("maybe", ""), ("agree", "mel"), ("other", ""), ("histology", "melanoma")])
def test_feedback_that_makes_no_sense_is_refused(records, kind, label):
    kept = keep(records, OWNER, new_case())
    with pytest.raises(BadValue):
        add_feedback(records, OWNER, kept.id, kind=kind, label=label)
    assert cases.find(records, OWNER, kept.id).feedback == ()


def test_a_deleted_case_is_gone_with_its_image_and_lesion(records):
    kept = keep(records, OWNER, new_case(lesion="arm"))
    add_feedback(records, OWNER, kept.id, kind="agree")
    cases.delete(records, OWNER, kept.id)
    with pytest.raises(NotKept):
        cases.find(records, OWNER, kept.id)
    assert cases.lesions(records, OWNER) == ()
    assert files(records) == set()
    with pytest.raises(NotKept):
        cases.delete(records, OWNER, kept.id)


def test_two_cases_share_a_file_until_both_are_deleted(records):
    first, second = keep(records, OWNER, new_case()), keep(records, OTHER, new_case())
    assert files(records) == {f"{first.image_sha256}.png"}
    cases.delete(records, OWNER, first.id)
    assert cases.image_of(records, OTHER, second.id)
    cases.delete(records, OTHER, second.id)
    assert files(records) == set()


def test_a_damaged_or_missing_image_is_said(records):
    kept = keep(records, OWNER, new_case())
    path = records.images.path_of(kept.image_sha256)
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(RecordsError, match="is damaged"):
        cases.image_of(records, OWNER, kept.id)
    path.unlink()
    with pytest.raises(RecordsError, match="data folder"):
        cases.image_of(records, OWNER, kept.id)
    keep(records, OWNER, new_case(image=drawn()))
    assert cases.image_of(records, OWNER, kept.id)


def test_images_of_the_record_are_for_its_owner_only(on_sqlite):
    kept = keep(on_sqlite, OWNER, new_case())
    path = on_sqlite.images.path_of(kept.image_sha256)
    assert path.stat().st_mode & 0o077 == 0
    assert on_sqlite.images.folder.parent.stat().st_mode & 0o077 == 0
    assert all(file.stat().st_mode & 0o077 == 0 for file in on_sqlite.images.folder.parent.glob("test.sqlite3*"))


def test_cases_of_one_instant_are_each_found_once_over_the_pages(records):
    ids = {keep(records, OWNER, new_case()).id for _ in range(5)}
    with records.writing() as session:
        session.execute(update(CaseRow).values(created=datetime(2026, 1, 1, tzinfo=UTC)))
    seen, after = [], None
    while not seen or after:
        page = cases.search(records, OWNER, Wanted(limit=2, after=after))
        seen += [case.id for case in page.cases]
        after = page.cursor
    assert sorted(seen) == sorted(ids)


def test_an_image_that_a_sweep_took_before_its_case_was_written_is_written_anew(on_sqlite):
    class SweptOnce(ImageStore):
        swept = False

        def put(self, png):
            sha256 = super().put(png)
            if not SweptOnce.swept:
                SweptOnce.swept = True
                self.remove(sha256)
            return sha256

    images = SweptOnce(on_sqlite.images.folder, on_sqlite.images.temporary)
    case = keep(replace(on_sqlite, images=images), OWNER, new_case())
    assert cases.image_of(on_sqlite, OWNER, case.id).startswith(b"\x89PNG")


def test_a_wrong_age_sex_or_site_is_put_right_one_by_one_and_each_change_is_logged_once(records):
    case_id = keep(records, OWNER, new_case(patient=Patient(54, "male", "back"))).id
    assert cases.describe(records, OWNER, case_id, sex="female").patient == Patient(54, "female", "back")
    assert cases.describe(records, OWNER, case_id, site=" left  heel ").patient == Patient(54, "female", "left heel")
    assert cases.describe(records, OWNER, case_id, age_years=4.5).patient == Patient(4.5, "female", "left heel")
    assert cases.describe(records, OWNER, case_id, age_years=None, site="").patient == Patient(None, "female", "")
    cases.describe(records, OWNER, case_id, age_years=None, sex="female", site="")
    assert [entry.action for entry in audit.entries(records)] == ["case.keep", *["case.patient"] * 4]
    for wrong in ({"age_years": 131.0}, {"sex": "other"}, {"site": "x" * 201}):
        with pytest.raises(BadValue):
            cases.describe(records, OWNER, case_id, note="not kept", **wrong)
    assert cases.find(records, OWNER, case_id).note != "not kept"


def test_an_age_to_the_hour_stays_where_a_page_sends_back_its_three_decimals(records):
    case_id = keep(records, OWNER, new_case(patient=Patient(54.37260273972603))).id
    assert cases.describe(records, OWNER, case_id, age_years=54.373, sex="female").patient == Patient(
        54.37260273972603, "female"
    )
    cases.describe(records, OWNER, case_id, age_years=54.373)
    assert [entry.action for entry in audit.entries(records)] == ["case.keep", "case.patient"]
    assert cases.describe(records, OWNER, case_id, age_years=54.374).patient.age_years == 54.374
