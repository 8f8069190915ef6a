"""What a lead may bring: decimal text with two places, and a currency."""

from collections.abc import Mapping
from decimal import Decimal, InvalidOperation
from typing import Final

from contracts.events import LeadSummary, Value
from leads.domain.company import Company
from leads.domain.refusals import CurrencyMissing, CurrencyWithoutValue, InvalidAmount, UnknownCurrency

LIMIT: Final = Decimal(10) ** 13  # what numeric(15, 2) holds is below it
_CENT: Final = Decimal("0.01")
CURRENCIES: Final = frozenset(
    """
    AED AFN ALL AMD AOA ARS AUD AWG AZN BAM BBD BDT BHD BIF BMD BND BOB BRL BSD BTN BWP BYN BZD CAD CDF CHF CLP
    CNY COP CRC CUP CVE CZK DJF DKK DOP DZD EGP ERN ETB EUR FJD FKP GBP GEL GHS GIP GMD GNF GTQ GYD HKD HNL HTG
    HUF IDR ILS INR IQD IRR ISK JMD JOD JPY KES KGS KHR KMF KPW KRW KWD KYD KZT LAK LBP LKR LRD LSL LYD MAD MDL
    MGA MKD MMK MNT MOP MRU MUR MVR MWK MXN MYR MZN NAD NGN NIO NOK NPR NZD OMR PAB PEN PGK PHP PKR PLN PYG QAR
    RON RSD RUB RWF SAR SBD SCR SDG SEK SGD SHP SLE SOS SRD SSP STN SVC SYP SZL THB TJS TMT TND TOP TRY TTD TWD
    TZS UAH UGX USD UYU UZS VED VES VND VUV WST XAF XCD XCG XOF XPF YER ZAR ZMW ZWG
    """.split()  # noqa: SIM905 - a list of strings would be a page long
)
"""ISO 4217 codes that people pay with."""


def currency(code: str, pointer: str = "/currency") -> str:
    """Return a currency's code in upper case.

    Raises:
        UnknownCurrency: it is none.
    """
    known = code.strip().upper()
    if known not in CURRENCIES:
        raise UnknownCurrency(pointer)
    return known


def amount(value: str, pointer: str = "/value") -> str:
    """Return an amount as it is kept: `1500.00`.

    Raises:
        InvalidAmount: it is none, is negative, or has parts of a cent.
    """
    try:
        number = Decimal(value)
        if not number.is_finite() or not 0 <= number < LIMIT or number != number.quantize(_CENT):
            raise InvalidAmount(pointer)
    except InvalidOperation:
        raise InvalidAmount(pointer) from None
    return f"{abs(number):.2f}"  # abs: -0 is 0


def money(given: Mapping[str, Value], current: LeadSummary | None, company: Company) -> dict[str, Value]:
    """Return value and currency after new ones: a currency whenever there is a value, and none without.

    Raises:
        InvalidAmount: see `amount`.
        UnknownCurrency: see `currency`.
        CurrencyMissing: neither the lead nor the company has one.
        CurrencyWithoutValue: a currency of nothing.
    """
    if "value" not in given and "currency" not in given:
        return {}
    value = given.get("value", current.value if current else None)
    if value is None:
        if given.get("currency") is not None:
            raise CurrencyWithoutValue("/currency")
        return {"value": None, "currency": None}
    known = current.currency if current and "currency" not in given else None  # null clears it
    code = given.get("currency") or known or company.currency
    if code is None:
        raise CurrencyMissing("/currency")
    return {"value": amount(str(value)), "currency": currency(str(code))}
