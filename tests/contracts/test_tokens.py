"""Access tokens: only ours, only now, only whole."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import jwt
import pytest

from contracts import tokens
from contracts.tokens import Claims, InvalidToken

pytestmark = pytest.mark.clock

SECRET = "a secret of at least thirty-two bytes"
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


def signed(secret: str = SECRET, algorithm: str = "HS256", **changes: Any) -> str:
    payload = {name: value for name, value in {**PAYLOAD, **changes}.items() if value is not None}
    return jwt.encode(payload, secret, algorithm=algorithm)


def test_a_token_says_whose_it_is_until_it_expires() -> None:
    token = tokens.issue(ADA, SECRET, now=NOW, lifetime=HOUR)

    assert tokens.read(token, SECRET, now=NOW) == replace(ADA, issued_at=NOW)
    assert tokens.read(token, SECRET, now=NOW + HOUR - timedelta(seconds=1)) == replace(ADA, issued_at=NOW)
    with pytest.raises(InvalidToken, match="expired"):
        tokens.read(token, SECRET, now=NOW + HOUR)


@pytest.mark.parametrize("microsecond", [0, 1, 123_456, 999_999])
def test_a_token_knows_the_microsecond_it_was_issued_in(microsecond: int) -> None:
    now = NOW.replace(microsecond=microsecond)

    claims = tokens.read(tokens.issue(ADA, SECRET, now=now, lifetime=HOUR), SECRET, now=NOW + 2 * HOUR / 3)

    assert claims.issued_at == now


@pytest.mark.parametrize(
    "token",
    [
        pytest.param("", id="empty"),
        pytest.param("a.b.c", id="garbage"),
        pytest.param(signed(secret="another secret of thirty-two bytes"), id="forged"),
        pytest.param(signed() + "x", id="signature changed"),
        pytest.param("x" + signed(), id="header changed"),
        pytest.param(jwt.encode(PAYLOAD, None, algorithm="none"), id="algorithm none"),
        pytest.param(signed(secret=SECRET * 2, algorithm="HS512"), id="another algorithm"),
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
        tokens.read(token, SECRET, now=NOW)
