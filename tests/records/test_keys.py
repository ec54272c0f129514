from __future__ import annotations

from dataclasses import replace

import pytest
from sqlalchemy import text

from dermalens.records import audit
from dermalens.records.errors import BadValue, NotKept
from dermalens.records.keys import check_key, create_key, find_key, keys, renew_key, revoke_key


def test_a_key_opens_until_it_is_revoked(records):
    key, secret = create_key(records, name="Ward 3", scopes=["records", "predict"], rate_per_minute=30)
    assert (key.name, key.scopes, key.rate_per_minute, key.revoked) == ("Ward 3", ("predict", "records"), 30, None)
    assert secret.startswith(f"dl_{key.id}_")
    assert check_key(records, secret) == key == find_key(records, key.id)
    revoke_key(records, key.id)
    revoke_key(records, key.id)
    assert check_key(records, secret) is None
    assert find_key(records, key.id).revoked is not None


@pytest.mark.parametrize("is_revoked", [False, True])
def test_a_renewed_key_has_another_text_and_is_otherwise_the_same(records, is_revoked):
    key, old = create_key(records, name="Ward 3", scopes=["records"], rate_per_minute=30)
    if is_revoked:
        revoke_key(records, key.id)
    renewed, new = renew_key(records, key.id)
    assert replace(renewed, fingerprint=key.fingerprint) == key != renewed
    assert check_key(records, new) == renewed == find_key(records, key.id)
    assert check_key(records, old) is None
    assert audit.entries(records)[-1].action == "key.renew"
    assert audit.verify(records).count == 2 + is_revoked
    assert renewed.fingerprint not in new


def test_a_key_that_is_not_there_cannot_be_renewed(records):
    for unknown in ("0123456789ab", "", "dl_x_y", "\0"):
        with pytest.raises(NotKept, match="There is no key"):
            renew_key(records, unknown)
    assert audit.entries(records) == ()


@pytest.mark.parametrize("change", [lambda s: s[:-1], lambda s: s + "x", lambda s: "", lambda s: s.replace("dl_", "")])
def test_a_text_that_is_not_quite_the_key_opens_nothing(records, change):
    _, secret = create_key(records, name="Ward 3", scopes=["predict"])
    assert check_key(records, change(secret)) is None


@pytest.mark.parametrize("text", ["dl__", "dl_a_b", "dl_\0_x", "dl_ä_x", "\ud800", "dl_0123456789ab_\ud800", "_" * 99])
def test_an_unknown_or_malformed_key_opens_nothing(records, text):
    assert check_key(records, text) is None


def test_the_secret_is_not_stored(records):
    _, secret = create_key(records, name="Ward 3", scopes=["predict"])
    with records.reading() as session:
        stored = str(session.execute(text("SELECT * FROM keys")).all())
    assert "Ward 3" in stored
    assert secret.split("_", 2)[2] not in stored


def test_keys_are_listed_the_oldest_first(records):
    made = [create_key(records, name=name, scopes=["admin"])[0] for name in ("one", "two", "one")]
    assert keys(records) == tuple(made)


@pytest.mark.parametrize(
    ("scopes", "rate"), [([], 1), (["predict", "root"], 1), (["predict"], 0), (["predict"], 10**9)]
)
def test_a_key_that_makes_no_sense_is_refused(records, scopes, rate):
    with pytest.raises(BadValue):
        create_key(records, name="x", scopes=scopes, rate_per_minute=rate)
    assert keys(records) == ()


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("", "--name is empty; say whose key it is"),
        (" ", "--name is empty"),
        ("\udcff", "--name is empty"),
        ("Ward\x1b[31m", r"control characters: Ward\\x1b\[31m\. Type"),
        ("Ward\n3", "control characters"),
        ("Ward\x9b", "control characters"),
    ],
)
def test_a_key_needs_a_name_that_can_be_shown(records, name, message):
    with pytest.raises(BadValue, match=message):
        create_key(records, name=name, scopes=["predict"])
    assert keys(records) == ()


@pytest.mark.parametrize("key_id", ["0123", "\udcff", "a\0b", ""])
def test_an_unknown_key_cannot_be_revoked(records, key_id):
    with pytest.raises(NotKept, match=f"no key {key_id}"):
        revoke_key(records, key_id)
