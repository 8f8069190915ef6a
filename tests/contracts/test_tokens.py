"""Access tokens: only ours, only now, only whole; and who can verify one can make none."""

import base64
import hashlib
import hmac
import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed448, rsa
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from contracts import tokens
from contracts.tokens import Claims, InvalidKey, InvalidToken, PrivateKey, PublicKey, Verifier

pytestmark = pytest.mark.clock

KEY, OTHER, FOREIGN = (PrivateKey.generate() for _ in range(3))
VERIFIER = Verifier(KEY.public)
NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
HOUR = timedelta(hours=1)
ADA = Claims(user_id="u1", company_id="c1", role="agent")
PAYLOAD: dict[str, Any] = {
    "iss": tokens.ISSUER,
    "aud": tokens.AUDIENCE,
    "sub": "u1",
    "company_id": "c1",
    "role": "agent",
    "iat": int(NOW.timestamp()),
    "exp": int((NOW + HOUR).timestamp()),
}


def signed(key: PrivateKey = KEY, *, headers: dict[str, Any] | None = None, **changes: Any) -> str:
    payload = {name: value for name, value in {**PAYLOAD, **changes}.items() if value is not None}
    return jwt.encode(payload, key.key, algorithm="EdDSA", headers={"kid": KEY.public.kid, **(headers or {})})


def part(value: dict[str, Any] | bytes) -> str:
    data = value if isinstance(value, bytes) else json.dumps(value).encode()
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def shared_secret(secret: bytes, algorithm: str = "HS256", **headers: Any) -> str:
    """Return a token that takes what everybody may know of the key for a shared secret."""
    text = f"{part({'alg': algorithm, 'typ': 'JWT', 'kid': KEY.public.kid, **headers})}.{part(PAYLOAD)}"
    return f"{text}.{part(hmac.digest(secret, text.encode(), hashlib.sha256))}"


def unsigned(algorithm: str) -> str:
    return f"{part({'alg': algorithm, 'typ': 'JWT', 'kid': KEY.public.kid})}.{part(PAYLOAD)}."


def test_a_token_says_whose_it_is_until_it_expires() -> None:
    token = tokens.issue(ADA, KEY, now=NOW, lifetime=HOUR)

    assert VERIFIER.read(token, now=NOW) == replace(ADA, issued_at=NOW)
    assert VERIFIER.read(token, now=NOW + HOUR - timedelta(seconds=1)) == replace(ADA, issued_at=NOW)
    with pytest.raises(InvalidToken, match="expired"):
        VERIFIER.read(token, now=NOW + HOUR)


@pytest.mark.parametrize("microsecond", [0, 1, 123_456, 999_999])
def test_a_token_knows_the_microsecond_it_was_issued_in(microsecond: int) -> None:
    now = NOW.replace(microsecond=microsecond)

    claims = VERIFIER.read(tokens.issue(ADA, KEY, now=now, lifetime=HOUR), now=NOW + 2 * HOUR / 3)

    assert claims.issued_at == now


@pytest.mark.parametrize(
    "token",
    [
        pytest.param("", id="empty"),
        pytest.param("a.b.c", id="garbage"),
        pytest.param(signed(FOREIGN), id="forged"),
        pytest.param(signed(FOREIGN, headers={"kid": FOREIGN.public.kid}), id="a key of somebody else"),
        pytest.param(signed(FOREIGN, headers={"jwk": FOREIGN.public.jwk}), id="a key in the header"),
        pytest.param(signed(FOREIGN, headers={"jku": "http://127.0.0.1/jwks.json"}), id="an address of keys"),
        pytest.param(signed(headers={"kid": ""}), id="no kid"),
        pytest.param(signed(headers={"kid": "../../dev/null"}), id="a path as kid"),
        pytest.param(signed(headers={"kid": "' OR '1'='1"}), id="SQL as kid"),
        pytest.param(signed(headers={"kid": "0"}), id="an index as kid"),
        pytest.param(f"{part({'alg': 'EdDSA', 'kid': ['x']})}.{signed().partition('.')[2]}", id="a list as kid"),
        pytest.param(signed() + "x", id="signature changed"),
        pytest.param("x" + signed(), id="header changed"),
        *(pytest.param(unsigned(name), id=f"algorithm {name}") for name in ("none", "None", "NONE", "", "EdDSA")),
        pytest.param(shared_secret(KEY.public.pem.encode()), id="HS256 with the public PEM"),
        pytest.param(shared_secret(KEY.public.pem.strip().encode()), id="HS256 with the stripped PEM"),
        pytest.param(shared_secret(KEY.public.key.public_bytes_raw()), id="HS256 with the public bytes"),
        pytest.param(shared_secret(KEY.public.x.encode()), id="HS256 with x"),
        pytest.param(shared_secret(b""), id="HS256 with nothing"),
        pytest.param(shared_secret(KEY.public.key.public_bytes_raw(), "EdDSA"), id="a MAC that says EdDSA"),
        pytest.param(signed(aud="somebody else"), id="another audience"),
        pytest.param(signed(iss="somebody else"), id="another issuer"),
        pytest.param(signed(exp="never"), id="no time to expire"),
        pytest.param(signed(exp=float("inf")), id="endless"),
        pytest.param(signed(iat="long ago"), id="no time of issue"),
        pytest.param(signed(iat=True), id="a flag as time of issue"),
        pytest.param(signed(iat=1e300), id="issued beyond all time"),
        pytest.param(signed(iat=float("nan")), id="issued at no time"),
        pytest.param(signed(company_id=7), id="a claim that is no text"),
        pytest.param(signed(role=["admin"]), id="a claim that is a list"),
        pytest.param(signed(nbf=int((NOW + 400 * 24 * HOUR).timestamp()) * 1000), id="not valid yet"),
        *(pytest.param(signed(**{claim: None}), id=f"no {claim}") for claim in PAYLOAD),
    ],
)
def test_any_other_token_is_refused(token: str) -> None:
    with pytest.raises(InvalidToken):
        VERIFIER.read(token, now=NOW)


def test_the_good_one_of_those_is_accepted() -> None:
    assert VERIFIER.read(signed(), now=NOW).user_id == "u1"


def test_tokens_of_two_keys_are_read_and_of_no_third() -> None:
    both = Verifier(KEY.public, OTHER.public)
    for key in (KEY, OTHER):
        assert both.read(tokens.issue(ADA, key, now=NOW, lifetime=HOUR), now=NOW).user_id == "u1"
    with pytest.raises(InvalidToken):
        both.read(tokens.issue(ADA, FOREIGN, now=NOW, lifetime=HOUR), now=NOW)
    with pytest.raises(InvalidToken):  # the name of one key, the signature of the other
        both.read(signed(OTHER), now=NOW)
    assert [key["kid"] for key in both.jwks["keys"]] == [KEY.public.kid, OTHER.public.kid]


def test_what_is_published_verifies_with_another_library_and_holds_no_private_part() -> None:
    (jwk,) = VERIFIER.jwks["keys"]
    assert set(jwk) == {"kty", "crv", "x", "kid", "use", "alg"}
    found = jwt.PyJWK(jwk)
    claims = jwt.decode(signed(exp=4_000_000_000), found, algorithms=["EdDSA"], audience=tokens.AUDIENCE)
    assert claims["sub"] == "u1"


def test_the_name_of_a_key_is_its_thumbprint() -> None:
    """RFC 8037, appendix A.2 and A.3."""
    x, thumbprint = "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo", "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k"
    assert PublicKey(x).kid == thumbprint


def test_keys_are_read_from_their_text() -> None:
    assert PrivateKey.of(KEY.pem).public == KEY.public == PublicKey.of(KEY.public.pem)
    assert PublicKey.of(KEY.public.pem.replace("\n", "\\n")) == KEY.public  # as a file of variables has it
    assert PrivateKey.of(KEY.pem.replace("\n", "\\n")).public == KEY.public
    assert tokens.other_keys("") == ()
    assert KEY.pem.splitlines()[1] not in repr(KEY)


def pem(key: Any, password: bytes | None = None) -> str:
    encryption = serialization.BestAvailableEncryption(password) if password else serialization.NoEncryption()
    return key.private_bytes(  # type: ignore[no-any-return]
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, encryption
    ).decode()


def public_pem(key: Any) -> str:
    return (
        key.public_key()
        .public_bytes(  # type: ignore[no-any-return]
            serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
        )
        .decode()
    )


NO_KEYS = ("", "x", "a secret of at least thirty-two characters")
OTHERS = (
    rsa.generate_private_key(public_exponent=65537, key_size=2048),
    ec.generate_private_key(ec.SECP256R1()),
    ed448.Ed448PrivateKey.generate(),
)


@pytest.mark.parametrize(
    "text",
    [*NO_KEYS, KEY.public.pem, KEY.pem[:-40], *map(pem, OTHERS), pem(Ed25519PrivateKey.generate(), b"password")],
    ids=["none", "short", "secret", "public", "cut", "rsa", "ec", "ed448", "encrypted"],
)
def test_another_private_key_is_refused_without_showing_it(text: str) -> None:
    with pytest.raises(InvalidKey) as refused:
        PrivateKey.of(text)
    assert not text or text not in str(refused.value)


@pytest.mark.parametrize(
    "text",
    ["", "x", "a secret of at least thirty-two characters", KEY.pem, KEY.public.pem[:-40], *map(public_pem, OTHERS)],
    ids=["none", "short", "secret", "private", "cut", "rsa", "ec", "ed448"],
)
def test_another_public_key_is_refused(text: str) -> None:
    with pytest.raises(InvalidKey):
        PublicKey.of(text)
