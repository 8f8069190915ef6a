"""Pusher's signatures: the vectors of the protocol's own pages and of the SDKs."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts import signing

KEY, SECRET, SOCKET = "gwkey0001", "gwsecret0001", "1234.5678"
TIMED = [("auth_key", KEY), ("auth_timestamp", "1700000000"), ("auth_version", "1.0")]


def test_channels_are_signed_as_the_sdks_do() -> None:
    data = '{"user_id":"42","user_info":{"name":"Ada"}}'

    assert signing.channel_auth(KEY, SECRET, SOCKET, "private-orders") == (
        f"{KEY}:9705bf4a76d66e2ead150cd3288e795e68165558060797c5f42520687afb3667"
    )
    assert signing.channel_auth(KEY, SECRET, SOCKET, "presence-room", data) == (
        f"{KEY}:c314fc157482a92c4c2372b419bf76f56237e561e42ecc6241f98ee2832d5ad6"
    )


def test_empty_channel_data_is_none() -> None:
    assert signing.channel_auth(KEY, SECRET, SOCKET, "private-orders", "") == signing.channel_auth(
        KEY, SECRET, SOCKET, "private-orders"
    )


def test_users_are_signed_as_the_sdks_do() -> None:
    assert signing.user_auth(KEY, SECRET, SOCKET, '{"id": "42", "watchlist": ["7"]}') == (
        f"{KEY}:30a4267750ad863fce59cee598ef8e3fe7141ac2eda87cc1626ecf9efb4307c9"
    )


def test_the_example_of_pushers_documentation_verifies() -> None:
    body = b'{"name":"foo","channels":["project-3"],"data":"{\\"some\\":\\"data\\"}"}'
    parameters = [
        ("auth_key", "278d425bdf160c739803"),
        ("auth_timestamp", "1353088179"),
        ("auth_version", "1.0"),
        ("body_md5", signing.body_md5(body)),
    ]

    assert signing.body_md5(body) == "ec365a775a4cd0599faeb73354201b6f"
    assert signing.sign("7ad3773142a6692b25b8", signing.request_text("POST", "/apps/3/events", parameters)) == (
        "da454824c97ba181a32ccc17a72625ba02771f50b50e1e7430e47a1f3f457e6c"
    )


@pytest.mark.parametrize(
    ("method", "path", "parameters", "signature"),
    [
        (
            "POST",
            "/apps/4242/events",
            [("body_md5", "466da081f720a8b16bb02012736b3283")],
            "3a9a02d1f4e8e6020937a31d41d2a7680644ed05364ca618f1bcfe2d2d96288b",
        ),
        (
            "get",
            "/apps/4242/channels",
            [("filter_by_prefix", "presence-"), ("info", "user_count")],
            "f504a29cf33a78e42bb2cdf19670c3760159fa115f0c7b3635ae3c2ff0d8b07e",
        ),
        (
            "GET",
            "/apps/4242/channels",
            [("info", "user_count"), ("Filter_By_Prefix", "presence-"), ("body_md5", signing.body_md5(b""))],
            "b9bb0da79b8883859ad171b81d743d413d943adf08bce9cd43f84b262bb62caa",
        ),
    ],
)
def test_requests_are_signed_as_the_sdks_do(
    method: str, path: str, parameters: list[tuple[str, str]], signature: str
) -> None:
    text = signing.request_text(method, path, [*parameters, *TIMED, ("auth_signature", "anything")])

    assert signing.sign(SECRET, text) == signature


def test_a_body_is_summed_as_the_sdks_do() -> None:
    body = b'{"name":"order.paid","channels":["private-orders"],"data":"{\\"id\\":1}"}'

    assert signing.body_md5(body) == "466da081f720a8b16bb02012736b3283"


def test_a_webhook_body_is_signed_as_it_stands() -> None:
    body = b'{"time_ms":1700000000000,"events":[{"name":"channel_occupied","channel":"private-orders"}]}'

    assert signing.sign(SECRET, body) == "b0e2fe224022d926bc78943c174bab7c641d76b443e22ed3d89081576fe57f28"


@given(st.text(st.characters(codec="ascii")), st.text(st.characters()))
def test_comparing_takes_whatever_a_stranger_sends(ours: str, theirs: str) -> None:
    assert signing.equal(ours, theirs) == (ours == theirs)
