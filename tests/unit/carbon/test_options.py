from pathlib import Path

import pytest

from energygate.carbon.options import EmbodiedOptions, StaticCarbon, TermsOptions
from energygate.config import parse_config
from energygate.conversion import Percent
from energygate.errors import ConfigError

FILE = Path("energygate.yml")
FORM = "not as it must be written. Allowed here:"
OWN = "give `zone` alone, one of DE, FR, GB, US, or your own `intensity: 380 g/kWh` with its `reference` and `year`"


def terms(text):
    return parse_config(f"version: 1\nterms: {text}", FILE).terms


def test_a_whole_block_is_read():
    block = """
  price: 0.24 EUR/kWh
  pue: 1.2
  carbon: {source: static, intensity: 380 g/kWh, reference: our supplier, year: 2025, kind: average}
  embodied: {total_kg: 1205.52, lifespan_years: 4, share: 12.5%, reference: its data sheet}
"""
    assert terms(block) == TermsOptions(
        price="0.24 EUR/kWh",
        pue=1.2,
        carbon=StaticCarbon(intensity="380 g/kWh", reference="our supplier", year=2025, kind="average"),
        embodied=EmbodiedOptions(total_kg=1205.52, lifespan_years=4, share=Percent(0.125), reference="its data sheet"),
    )


def test_an_empty_block_asks_for_kilowatt_hours_alone():
    assert terms("{}") == TermsOptions()
    assert parse_config("version: 1", FILE).terms is None


@pytest.mark.parametrize(
    ("block", "message"),
    [
        ("{prise: 1}", "terms.prise: unknown key. Allowed here: price, pue, carbon, embodied."),
        (
            "{price: 0.24}",
            "terms.price: Expected `str | null`, got `float`. Allowed here: a price such as 0.24 EUR/kWh.",
        ),
        (
            "{price: 0.24 euro}",
            "terms.price: not as it must be written. Allowed here: a price such as 0.24 EUR/kWh.",
        ),
        ("{pue: 0.9}", "terms.pue: Expected `float` >= 1.0."),
        (
            "{carbon: {zone: DE}}",
            "terms.carbon: Object missing required field `source`. Allowed here: static, electricitymaps, watttime.",
        ),
        (
            "{carbon: {source: guess}}",
            "terms.carbon.source: Invalid value 'guess'. Allowed here: static, electricitymaps, watttime.",
        ),
        ("{carbon: {source: static, zone: SE}}", f"terms.carbon: {OWN}."),
        ("{carbon: {source: static, zone: DE, year: 2019}}", f"terms.carbon: {OWN}."),
        (
            "{carbon: {source: static, intensity: 380 g/kWh}}",
            "terms.carbon: `intensity` needs `reference` and `year`: who says so, and of which year.",
        ),
        (
            "{carbon: {source: static, intensity: 380 lb/MWh, reference: x, year: 2025}}",
            f"terms.carbon.intensity: {FORM} grams of CO2 equivalents such as 380 g/kWh.",
        ),
        (
            "{carbon: {source: electricitymaps, zone: D E}}",
            "terms.carbon.zone: not as it must be written. Allowed here: a zone such as DE or US-CAL-CISO.",
        ),
        (
            "{embodied: {total_kg: 1, lifespan_years: 4, reference: x}}",
            "terms: `embodied` is added to the carbon of the electricity: it needs `carbon`.",
        ),
        (
            "{embodied: {total_kg: 1, lifespan_years: 4, share: 200%, reference: x}, carbon: {source: static}}",
            "terms.embodied: `share` must be above 0% and at most 100%.",
        ),
    ],
)
def test_a_fault_is_named_by_file_and_path(block, message):
    with pytest.raises(ConfigError) as refused:
        terms(block)
    assert str(refused.value) == f"energygate.yml:2: {message}"


@pytest.mark.parametrize(
    "url",
    ["http://example.org", "https://user:secret@example.org", "https://example.org/?key=secret", "ftp://example.org"],
)
def test_a_key_goes_over_https_alone_and_never_stands_in_the_file(url):
    with pytest.raises(ConfigError) as refused:
        terms(f"{{carbon: {{source: watttime, zone: CAISO_NORTH, url: '{url}'}}}}")
    assert str(refused.value) == (
        "energygate.yml:2: terms.carbon.url: not as it must be written. Allowed here: an address such as "
        "https://api.electricitymaps.com, http:// on this machine alone."
    )
