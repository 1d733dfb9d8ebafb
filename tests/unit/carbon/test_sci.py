import pytest

from energygate.carbon.sci import embodied_g_co2e, operational_g_co2e, sci_g_co2e, years_to_s

HOUR_S = 3600.0


def test_the_specifications_own_example_of_a_time_share_comes_out():
    # A device of 1000 kg, used for four years, of which one hour is reserved: around 28 g.
    share = embodied_g_co2e(total_g_co2e=1e6, reserved_s=HOUR_S, lifespan_s=years_to_s(4), share=1.0)
    assert share == pytest.approx(1e6 / (4 * 365 * 24))
    assert 28 < share < 29


def test_the_foundations_case_study_of_an_app_server_comes_out():
    # eShoppen: E = 0.0656 kWh, I = 951 g/kWh, TE = 1205.52 kg, 1 of 35,040 h, 2 of 16 vCPUs; it prints 66.6906 g,
    # because it rounds M to 4.305 g where its own factors give 4.3006 g.
    operational = operational_g_co2e(energy_kwh=0.0656, intensity_g_co2e_per_kwh=951)
    embodied = embodied_g_co2e(total_g_co2e=1205_520, reserved_s=HOUR_S, lifespan_s=35_040 * HOUR_S, share=2 / 16)
    assert operational == pytest.approx(62.3856)
    assert embodied == pytest.approx(4.30051, abs=1e-4)
    assert sci_g_co2e(operational_g=operational, embodied_g=embodied, units=1) == pytest.approx(66.6906, abs=0.005)


def test_the_pue_multiplies_the_energy_and_not_what_is_embodied():
    assert operational_g_co2e(energy_kwh=2.0, intensity_g_co2e_per_kwh=100, pue=1.5) == pytest.approx(300)


def test_more_functional_units_share_one_amount_of_carbon():
    assert sci_g_co2e(operational_g=300, embodied_g=100, units=1000) == pytest.approx(0.4)
