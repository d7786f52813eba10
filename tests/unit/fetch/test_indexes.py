"""What of an index's address may be written down."""

import pytest

from snakedev.fetch.indexes import public_address


@pytest.mark.parametrize(
    ("address", "public"),
    [
        ("https://user:secret@index.example.org:8443/cpu", "https://index.example.org:8443/cpu"),
        ("https://token@index.example.org/cpu/", "https://index.example.org/cpu/"),
        ("https://index.example.org/cpu", "https://index.example.org/cpu"),
    ],
)
def test_a_password_stays_out_of_records_and_keys(address, public):
    assert public_address(address) == public
