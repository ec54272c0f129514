"""Several images at once, in a real browser."""

from __future__ import annotations

import csv
import re
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from dermalens.core.decision import RECOMMENDATIONS
from dermalens.serve.pages.i18n import languages
from tests.serve.browser.watched import IRREGULAR, MOLE, ROOT, Watched

VESSELS = ROOT / "docs" / "examples" / "drawn_vessels.jpg"


def answered(watched: Watched, tmp_path: Path) -> Page:
    watched.expected.append("415")  # the browser notes the refusal of the text
    broken = tmp_path / "=broken.jpg"
    broken.write_text("no image")
    page = watched.open("/batch")
    page.set_input_files("#images", [MOLE, IRREGULAR, broken, VESSELS])
    expect(page.locator("#progress-words")).to_contain_text(re.compile("4 (of|von) 4"), timeout=30_000)
    return page


def names(page: Page) -> list[str]:
    return page.locator("#answers tbody tr > :first-child").all_inner_texts()


def test_each_image_has_its_row_and_a_bad_one_its_error(watched: Watched, tmp_path: Path):
    page = answered(watched, tmp_path)
    assert sorted(names(page)) == sorted(["=broken.jpg", MOLE.name, IRREGULAR.name, VESSELS.name])
    expect(page.locator("#answers .row-error")).to_have_count(1)


def test_the_column_heads_sort(watched: Watched, tmp_path: Path):
    page = answered(watched, tmp_path)
    head = page.locator("#answers thead button").first
    head.click()
    up = names(page)
    assert page.locator("#answers th[aria-sort]").first.get_attribute("aria-sort") == "ascending"
    head.click()
    assert names(page) == up[::-1]
    assert page.locator("#answers th[aria-sort]").first.get_attribute("aria-sort") == "descending"


def test_the_table_is_taken_away_as_csv(watched: Watched, tmp_path: Path):
    page = answered(watched, tmp_path)
    with page.expect_download() as download:
        page.locator("#csv").click()
    with Path(download.value.path()).open(encoding="utf-8-sig", newline="") as file:
        table = list(csv.DictReader(file))
    assert len(table) == 4
    assert not any(value.startswith("=") for row in table for value in row.values())
    by_image = {row["image"].lstrip("'"): row for row in table}
    assert by_image[MOLE.name]["decision"] in ("refer", "reassure", "abstain")
    assert by_image["=broken.jpg"]["error"]


@pytest.mark.parametrize("watched", [{"locale": "de-DE"}], indirect=True)
def test_the_csv_of_a_german_page_is_german_throughout(watched: Watched, tmp_path: Path):
    page = answered(watched, tmp_path)
    with page.expect_download() as download:
        page.locator("#csv").click()
    with Path(download.value.path()).open(encoding="utf-8-sig", newline="") as file:
        rows = [row for row in csv.DictReader(file) if row["decision"]]
    german = languages()["de"].texts
    assert {row["recommendation"] for row in rows} <= {german[words] for words in RECOMMENDATIONS.values()}
    assert rows


def test_nothing_of_a_batch_is_kept(watched: Watched, tmp_path: Path):
    watched.open("/history")
    before = watched.page.locator("table.cases tbody tr").count()
    answered(watched, tmp_path)
    watched.open("/history")
    assert watched.page.locator("table.cases tbody tr").count() == before
