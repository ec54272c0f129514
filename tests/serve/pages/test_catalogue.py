"""A text without a translation would be English on a German page."""

import re
import shutil

import pytest
from babel.messages.pofile import read_po

from dermalens.serve.pages import i18n
from dermalens.serve.pages.i18n import LOCALES, language_of, languages
from tests.serve.pages.catalogue import marked, of_the_core

PLACEHOLDER = re.compile(r"\{\w+\}")
NEEDED = sorted(marked() | of_the_core(), key=str)


def catalogue_of(code):
    with (LOCALES / code / "LC_MESSAGES" / "dermalens.po").open("rb") as file:
        return {one.id: one.string for one in read_po(file, locale=code) if one.id}


def forms(text):
    return [text] if isinstance(text, str) else list(text)


def test_enough_texts_were_found_to_trust_the_search():
    assert len(NEEDED) > 400
    assert {"Classify an image", "Refer", "melanoma"} <= set(NEEDED)


def test_every_text_has_a_german_translation():
    german = catalogue_of("de")
    assert [text for text in NEEDED if not all(forms(german.get(text, "")))] == []


def test_a_translation_has_the_placeholders_of_its_text():
    wrong = [
        text
        for text, translation in catalogue_of("de").items()
        for form in forms(translation)
        if set(PLACEHOLDER.findall(form)) != set(PLACEHOLDER.findall("".join(forms(text))))
    ]
    assert wrong == []


def test_the_catalogue_has_no_text_that_nobody_uses():
    assert [text for text in catalogue_of("de") if text not in NEEDED] == []


def test_a_translation_differs_from_its_text_unless_the_word_is_the_same():
    same = {text for text, translation in catalogue_of("de").items() if text == translation}
    assert same <= {"Status {status}, type {type}", "{length} mm", "Name", "Arm", "Text"}


@pytest.mark.parametrize(
    ("cookie", "accepted", "code"),
    [
        (None, None, "en"),
        (None, "de-AT,de;q=0.9", "de"),
        (None, "fr, de;q=0.3, en;q=0.1", "de"),
        (None, "en;q=0.4, de;q=0", "en"),
        (None, "ja", "en"),
        (None, "DE", "de"),
        ("de", "en", "de"),
        ("xx", "de", "de"),
        ("../../etc", ";;q=,", "en"),
    ],
)
def test_the_language_is_the_chosen_one_else_the_first_accepted_one_else_english(cookie, accepted, code):
    assert language_of(cookie, accepted).code == code


def test_numbers_and_dates_are_written_as_the_language_does():
    english, german = languages()["en"], languages()["de"]
    assert (english.percent(0.123, 1), german.percent(0.123, 1)) == ("12.3%", "12,3\xa0%")
    assert (english.number(1234.5, 1), german.number(1234.5, 1)) == ("1,234.5", "1.234,5")


def test_a_share_is_never_rounded_to_none_or_to_all():
    english = languages()["en"]
    assert (english.percent(0.0005, 1), english.percent(0.9995, 1)) == ("< 0.1%", "> 99.9%")  # as rounded
    assert (english.percent(0.0001, 1), english.percent(0.0), english.percent(0.99999, 1)) == (
        "< 0.1%",
        "0%",
        "> 99.9%",
    )


@pytest.fixture
def locales(tmp_path, monkeypatch):
    """A copy of the catalogues, to which a language can be added."""
    shutil.copytree(LOCALES, tmp_path / "locale")
    monkeypatch.setattr(i18n, "LOCALES", tmp_path / "locale")
    languages.cache_clear()
    yield tmp_path / "locale"
    languages.cache_clear()


@pytest.mark.parametrize("accepted", ["pt-BR", "pt_BR", "pt-br,en"])
def test_a_language_of_one_country_is_found_however_it_is_written(locales, accepted):
    shutil.copytree(locales / "de", locales / "pt_BR")
    found = language_of(None, accepted)
    assert (found.code, found.name, found.number(0.5, 1)) == ("pt-BR", "Português (Brasil)", "0,5")
    assert language_of("pt-BR", "en") is found


def test_a_third_language_is_one_file(locales):
    (locales / "pl" / "LC_MESSAGES").mkdir(parents=True)
    plural = "nplurals=3; plural=(n==1 ? 0 : n%10>=2 && n%10<=4 && (n%100<10 || n%100>=20) ? 1 : 2);"
    (locales / "pl" / "LC_MESSAGES" / "dermalens.po").write_text(
        'msgid ""\nmsgstr "Content-Type: text/plain; charset=utf-8\\nPlural-Forms: ' + plural + '\\n"\n\n'
        'msgid "Help"\nmsgstr "Pomoc"\n\n'
        'msgid "{n} image."\nmsgid_plural "{n} images, in the order in which they were kept."\n'
        'msgstr[0] "{n} obraz."\nmsgstr[1] "{n} obrazy."\nmsgstr[2] "{n} obrazów."\n',
        encoding="utf-8",
    )
    polish = languages()["pl"]
    assert list(languages()) == ["en", "de", "pl"]
    assert (polish.name, polish.gettext("Help"), polish.gettext("History")) == ("Polski", "Pomoc", "History")
    said = [polish.ngettext("{n} image.", "{n} images, in the order in which they were kept.", n) for n in (1, 3, 5)]
    assert said == ["1 obraz.", "3 obrazy.", "5 obrazów."]
