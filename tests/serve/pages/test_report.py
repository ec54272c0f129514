"""One page of A4, whatever is written on it."""

import io

import pytest
from pypdf import PdfReader

from dermalens.core.bundlefile import read_bundle, write_bundle
from dermalens.records.cases import find, image_of
from dermalens.serve.pages.i18n import languages
from dermalens.serve.pages.report import case_pdf
from tests.serve.pages.conftest import HTML


def pages_of(pdf):
    return len(PdfReader(io.BytesIO(pdf)).pages)


def words_of(pdf):
    return " ".join(PdfReader(io.BytesIO(pdf)).pages[0].extract_text().split())


@pytest.fixture
def report(own, mel, keep):
    def made(language="en", image=mel, heatmap=None, **fields):
        case_id = keep(own, image, **fields)
        records = own.app.state.service.records
        case = find(records, "local", case_id)
        bundle = own.app.state.service.classifier.bundle
        words = languages()[language]
        return case_pdf(case, image_of(records, "local", case_id), bundle, words, heatmap_png=heatmap)

    return made


def test_the_report_has_decision_probabilities_model_and_limits(report):
    pdf = report(note="itches since June", lesion="left arm", age_years="54")
    words = words_of(pdf)
    assert pdf.startswith(b"%PDF-")
    assert pages_of(pdf) == 1
    for part in ("Show this lesion to a dermatologist", "best within two weeks", "Malignant probability", "Melanoma"):
        assert part in words
    for part in ("itches since June", "left arm", "54", "tiny 1.0", "Knows seven colours.", "Not a medical device"):
        assert part in words


def test_a_stated_prevalence_stands_beside_the_numbers_that_it_shifted(report):
    shifted = report(prevalence="3")
    assert "Over all lesions, where 3.0% of them are malignant. Of 100 lesions at or above" in words_of(shifted)
    assert pages_of(shifted) == 1
    assert "Over all lesions" not in words_of(report())


def test_the_paper_says_for_which_share_its_number_holds(own, mel, keep):
    case = keep(own, mel)
    words = words_of(own.get(f"/cases/{case}/report.pdf", headers=HTML).content)
    assert "Where 20.0% of the lesions seen are malignant, as this model assumes; where fewer are" in words
    assert "More likely malignant than benign, where 20.0%" in words
    assert "as this model assumes" in own.get(f"/cases/{case}", headers=HTML).text


def test_the_share_of_another_bundle_is_not_taken_for_that_of_the_case(client_with, bundle_folder, mel, keep, tmp_path):
    case = keep(client_with(workers=1), mel)
    bundle = read_bundle(bundle_folder)
    write_bundle(tmp_path / "other", bundle.manifest.model_copy(update={"prevalence": 0.4}), bundle.graphs)
    other = client_with(workers=1, bundle=tmp_path / "other")
    pdf = other.get(f"/cases/{case}/report.pdf", headers=HTML).content
    for words in (words_of(pdf), other.get(f"/cases/{case}", headers=HTML).text):
        assert "at the share that the model assumes" in words
        assert "of the lesions seen are malignant as the model assumes; where fewer are, it is lower." in words
        assert "40" not in words.split("More likely")[1].split("lower.")[0]


def test_a_long_note_is_cut_and_the_page_stays_one(report):
    pdf = report(note="word " * 1900)
    assert pages_of(pdf) == 1
    assert words_of(pdf).rstrip().endswith("...")
    assert "Not a medical device" in words_of(pdf)


def test_many_facts_stay_within_their_column(report):
    assert pages_of(report(lesion="x" * 200, site="y " * 90, age_years="99", sex="male")) == 1


def test_a_long_name_is_cut_and_pushes_no_other_fact_out(report, mel):
    words = words_of(report(heatmap=mel, lesion="W" * 200, site="W" * 200, age_years="54", sex="male"))
    facts = words.split("Limits")[0]
    assert facts.count("W ...") == 2
    assert "Age in years: 54" in facts
    assert "Sex: male" in facts


def test_a_text_of_other_letters_is_written_with_them(report):
    pdf = report(note="swędzi; Ω ≥ 5 – родинка „ja“", lesion="Hand 手")
    words = words_of(pdf)
    assert "swędzi; Ω >= 5 – родинка „ja“" in words
    assert "Hand ?" in words
    assert len(pdf) < len(report(note="itches")) + 30_000  # the letters used, not the whole font


def test_typographic_signs_alone_ask_for_no_other_font(report):
    pdf = report(note="größer – “ja”")
    assert 'größer - "ja"' in words_of(pdf)
    assert b"NotoSans" not in pdf


def test_the_report_is_german_for_a_german_reader(report):
    assert "Zeigen Sie diese Stelle einer Hautärztin" in words_of(report("de"))


def test_an_answer_that_abstains_has_no_number_on_paper(report, chessboard, mel):
    words = words_of(report(image=chessboard, heatmap=mel))
    assert "This image cannot be judged" in words
    assert "%" not in words.split("Not a medical device")[0].split("Note")[0]


def test_the_page_adds_the_heat_map(own, mel, keep):
    response = own.get(f"/cases/{keep(own, mel)}/report.pdf")
    assert response.headers["content-type"] == "application/pdf"
    assert response.content.count(b"/Subtype /Image") == 2


def test_the_report_is_given_without_a_heat_map_while_the_server_is_busy(own, mel, keep):
    case = keep(own, mel)
    own.app.state.running.pool.close(seconds=5)
    response = own.get(f"/cases/{case}/report.pdf")
    assert response.status_code == 200
    assert response.content.count(b"/Subtype /Image") == 1


def test_a_report_speaks_of_the_day_of_the_picture(report):
    words = words_of(report(taken_on="2021-03-04"))
    assert "Image of Mar 4, 2021, case" in words
    assert "Day of the picture: Mar 4, 2021" in words
    assert "Image of Mar 4, 2021" not in words_of(report())
