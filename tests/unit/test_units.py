import math

import pytest

from energygate import units


def test_microjoules_become_joules_and_millijoules_microjoules():
    assert units.uj_to_j(1_250_000) == 1.25
    assert units.mj_to_uj(3) == 3000
    assert units.mj_to_uj(2**62 + 1) == (2**62 + 1) * 1000


def test_joules_become_kilowatt_hours_and_pounds_for_a_megawatt_hour_grams_for_a_kilowatt_hour():
    assert units.j_to_kwh(3_600_000) == 1.0
    assert units.lb_per_mwh_to_g_per_kwh(1000) == pytest.approx(453.59237)


@pytest.mark.parametrize(
    ("shown", "expected"),
    [
        (units.format_energy(0.00106667), "1.07 Wh"),
        (units.format_energy(2.4e-6), "2.40 mWh"),
        (units.format_energy(12.5), "12.5 kWh"),
        (units.format_carbon(0.00512), "5.12 mg CO2e"),
        (units.format_carbon(0.4937), "0.494 g CO2e"),
        (units.format_carbon(1205.52), "1.21 kg CO2e"),
        (units.format_money(0.00030721, "EUR"), "0.000307 EUR"),
        (units.format_money(1234.5, "USD"), "1230 USD"),
        (units.format_money(0.0, "EUR"), "0 EUR"),
    ],
)
def test_energy_carbon_and_money_have_three_significant_digits_and_a_unit_that_people_know(shown, expected):
    assert shown == expected


@pytest.mark.parametrize(
    ("text", "fraction"), [("5%", 0.05), (" 2.5 % ", 0.025), ("0%", 0.0), ("100%", 1.0), ("250%", 2.5)]
)
def test_a_percentage_is_read_as_a_fraction(text, fraction):
    assert units.parse_percent(text) == fraction


@pytest.mark.parametrize("text", ["5", 5, 0.05, "%", "-5%", "5%%", "1e2%", "5 percent", "", None, True, "5,5%", ".5%"])
def test_anything_but_a_percentage_is_refused_because_a_bare_number_is_ambiguous(text):
    with pytest.raises(ValueError, match=r"^expected a percentage such as 5%, got ") as refusal:
        units.parse_percent(text)
    assert str(refusal.value) == f"expected a percentage such as 5%, got {text!r}"


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (3.4249, "3.42 J"),
        (105.2, "105 J"),
        (12345.0, "12300 J"),
        (0.0523456, "0.0523 J"),
        (1.0, "1.00 J"),
        (9.996, "10.0 J"),
        (99.95, "100 J"),
        (999.6, "1000 J"),
        (0.09999, "0.100 J"),
        (6.1e-05, "0.0610 mJ"),
        (0.0043647, "4.36 mJ"),
        (6.4e-06, "6.40 \N{MICRO SIGN}J"),
        (-0.002, "\N{MINUS SIGN}2.00 mJ"),
        (-2.5, "\N{MINUS SIGN}2.50 J"),
        (1e-300, "1.00e\N{MINUS SIGN}294 \N{MICRO SIGN}J"),
        (-1e300, "\N{MINUS SIGN}1.00e+300 J"),
        (0.0, "0 J"),
        (math.inf, "inf J"),
        (math.nan, "nan J"),
    ],
)
def test_a_quantity_has_three_significant_digits_and_its_unit(value, shown):
    assert units.format_quantity(value, "J") == shown


@pytest.mark.parametrize(
    ("value", "like", "shown"),
    [
        (0.0136, 0.00936, "13.6 mJ"),
        (0.00936, 0.0136, "0.00936 J"),
        (2.5, -0.002, "2500 mJ"),
        (0.002, 0.0, "2.00 mJ"),
        (0.002, math.inf, "0.00200 J"),
        (0.0, 0.002, "0 J"),
    ],
)
def test_a_quantity_can_be_shown_in_the_thousandths_of_another(value, like, shown):
    assert units.format_quantity(value, "J", like=like) == shown


def test_a_unit_with_a_hyphen_is_left_as_it_is():
    assert units.format_quantity(-1.5, "J/kilo-token") == "\N{MINUS SIGN}1.50 J/kilo-token"


@pytest.mark.parametrize(
    ("ratio", "shown"),
    [
        (1.041, "+4.1 %"),
        (0.95, "\N{MINUS SIGN}5.0 %"),
        (1.0, "0.0 %"),
        (1.0004, "0.0 %"),
        (0.9996, "0.0 %"),
        (3.0, "+200.0 %"),
        (0.0, "\N{MINUS SIGN}100.0 %"),
        (math.inf, "+inf %"),
        (999_999.0, "+99999800.0 %"),
        (1e300, "\N{MULTIPLICATION SIGN} 1e+300"),
    ],
)
def test_a_change_has_a_sign_and_one_decimal(ratio, shown):
    assert units.format_change(ratio) == shown


@pytest.mark.parametrize(("fraction", "shown"), [(0.05, "5 %"), (0.025, "2.5 %"), (0.07, "7 %"), (1.0, "100 %")])
def test_a_share_is_shown_in_its_shortest_form(fraction, shown):
    assert units.format_percent(fraction) == shown


@pytest.mark.parametrize(
    ("p_value", "shown"),
    [
        (0.16, "0.16"),
        (0.5, "0.5"),
        (1.0, "1"),
        (0.0031, "0.0031"),
        (0.0503, "0.0503"),
        (0.16449, "0.164"),
        (0.001, "0.001"),
        (0.0009, "< 0.001"),
        (0.0, "< 0.001"),
        (0.01, "0.01"),
    ],
)
def test_a_p_value_is_shown_as_far_as_it_matters(p_value, shown):
    assert units.format_p(p_value) == shown


def test_what_is_not_known_of_nothing_is_shown_with_two_decimals():
    assert units.format_uncertainty(0.5, "J", of=0.0, like=3.0) == "0.50 J"
