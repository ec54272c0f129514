"""`dermalens serve`: what is not of the server itself."""

from __future__ import annotations

import pytest

from dermalens.cli.serve import page_address


@pytest.mark.parametrize(
    ("host", "address"),
    [
        ("127.0.0.1", "http://127.0.0.1:8000/"),
        ("0.0.0.0", "http://127.0.0.1:8000/"),
        ("::", "http://127.0.0.1:8000/"),
        ("::1", "http://[::1]:8000/"),
        ("192.168.1.5", "http://192.168.1.5:8000/"),
    ],
)
def test_the_page_is_opened_where_the_server_listens(host, address):
    assert page_address(host, 8000) == address
