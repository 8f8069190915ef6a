"""E-mail addresses: one rule for leads, for users, and for what `provision` reads."""

import pytest
from pydantic import ValidationError

from leads.api.lead_bodies import NewLeadBody
from leads.api.users import NewUserBody
from leads.domain.refusals import InvalidEmail
from leads.domain.text import email
from leads.provision import UserSpec

SMUGGLED = [
    "a@b.com?bcc=x@y.com",
    "a@b.com&body=hello",
    "a@b.com%0d%0abcc:x",
    "a%40b@c.com",
    "a?cc=x@b.com",
    "a@b.com,x@y.com",
    "a,b@c.com",
    "a@b.com;c",
    "<a@b.com>",
    'a"b@c.com',
    "a\\b@c.com",
    "(a)@b.com",
    "a:b@c.com",
    "a b@c.com",
    "a\u00a0b@c.com",
    "a@b.com\r\nbcc: x",
    "a\x00@b.com",
    "a\x85@b.com",
    "a@b\u202e.com",
    "a\u200b@b.com",
    "a@\ufeffb.com",
    "a\u00ad@b.com",
]
"""Addresses that say more than an address, or hide what they say."""


@pytest.mark.parametrize("address", SMUGGLED)
def test_an_address_that_says_more_than_an_address_is_refused_everywhere_alike(address: str) -> None:
    user = {"name": "Ada", "role": "agent", "password": "secret words", "email": address}
    with pytest.raises(InvalidEmail):
        email(address)
    for model in (NewUserBody, UserSpec):
        with pytest.raises(ValidationError, match="email"):
            model.model_validate(user)
    with pytest.raises(ValidationError, match="email"):
        NewLeadBody.model_validate({"name": "Ada", "email": address})


@pytest.mark.parametrize(
    "address", ["ana@example.com", "ana.souza+crm@mail.example.com", "o'neil_1@example.com", "joão@exemplo.com.br"]
)
def test_a_plain_address_is_taken_everywhere_alike(address: str) -> None:
    user = {"name": "Ada", "role": "agent", "password": "secret words", "email": address}

    assert email(address) == address
    assert NewUserBody.model_validate(user).email == address
    assert UserSpec.model_validate(user).email == address
    assert NewLeadBody.model_validate({"name": "Ada", "email": address}).email == address
