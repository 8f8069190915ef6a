"""What `provision` reads."""

from typing import Any
from uuid import uuid4

import pytest
from pydantic import ValidationError

from leads.provision import CompanySpec


def test_a_company_may_come_with_a_country_and_a_currency() -> None:
    company = CompanySpec(id=uuid4(), name="Acme", region="BR", currency="BRL")

    assert (company.region, company.currency) == ("BR", "BRL")
    assert CompanySpec(id=uuid4(), name="Acme").region is None


@pytest.mark.parametrize("values", [{"region": "XX"}, {"currency": "XXX"}])
def test_no_company_is_in_a_country_or_pays_with_what_does_not_exist(values: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        CompanySpec(id=uuid4(), name="Acme", **values)
