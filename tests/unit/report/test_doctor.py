import json
import re

import pytest
from fakes import a_machine

from energygate.meters.base import Domain
from energygate.meters.diagnosis import Accuracy, Diagnosis, Finding, Probe
from energygate.report.doctor import doctor_document, render_doctor

RAPL = Probe(
    name="rapl",
    kind="counter",
    domains=(
        Domain(name="package-0", part="cpu", update_interval_s=0.001, resolution_j=6.1035e-5, detail="intel-rapl:0"),
        Domain(name="dram-0", part="dram", update_interval_s=0.001, resolution_j=1.53e-5, detail="intel-rapl:0:0"),
    ),
    power_w={"package-0": 48.13, "dram-0": 5.0},
)
NO_DRIVER = Finding(what="No driver.", why="GPUs are unknown.", fix="Install it.")
NVML = Probe(name="nvml", kind="counter", refusal=NO_DRIVER)
FAST = Accuracy(trial_s=1.0, edge_error=0.000408, at_most=False)
GOVERNOR = Finding(
    what="The CPU governor is powersave.", why="It follows.", fix="sudo cpupower frequency-set -g performance"
)
UNIT = Finding(
    what="The next boot lets the clock go again.",
    why="So it must be kept.",
    fix="sudo tee /etc/u.service <<'EOF'\n[Unit]\n[Service]\nExecStart=/bin/true\nEOF\nsudo systemctl enable --now u",
)


def diagnosis(*meters, findings=(), **more):
    known = {
        "machine": a_machine(hard={"virtual": "none"}),
        "virtual_machine": None,
        "container": None,
        "clock": "governor powersave, turbo unknown",
        "load_average": 0.125,
        "load": {"foreign": 0.0123, "pressure": None, "steal": 0.0},
        "estimate": "5.00 W per busy core, 0 W base; not calibrated, so its error is unknown",
    }
    return Diagnosis(**known | more, meters=meters, findings=tuple(findings))


def shown(*meters, **more):
    return render_doctor(diagnosis(*meters, **more), color=False)


def test_one_screen_says_what_can_be_measured_how_well_and_what_to_type():
    assert shown((RAPL, FAST), (NVML, None), findings=[UNIT, GOVERNOR]) == (
        "energygate doctor: 1 of 2 hardware counters usable, 3 to mend\n"
        "\n"
        "machine     epyc-7763-2s, bare metal\n"
        "clock       governor powersave, turbo unknown\n"
        "load        other processes 1.2 %, waiting for a processor unknown, taken by the\n"
        "            hypervisor 0 %; load average 0.125\n"
        "\n"
        "meter       domain       now       refreshed  step      trial     edge error\n"
        "rapl        package-0    48.1 W    1.00 ms    0.0610 mJ 1.00 s    0.041 %\n"
        "            dram-0       5.00 W    1.00 ms    0.0153 mJ\n"
        "            reads package-0 intel-rapl:0, dram-0 intel-rapl:0:0\n"
        "nvml        not usable [1]: No driver.\n"
        "estimate    5.00 W per busy core, 0 W base; not calibrated, so its error is\n"
        "            unknown (`energygate doctor --calibrate` mends that); decides only\n"
        "            with `allow_estimates: true`\n"
        "\n"
        "edge error: what refreshes alone make of one trial of that length (standard\n"
        "deviation; <: at most, as the meter waits for them; a GPU's is always too much).\n"
        "See docs/measuring.md.\n"
        "\n"
        "[1] nvml: GPUs are unknown.\n"
        "    Install it.\n"
        "\n"
        "[2] The CPU governor is powersave. It follows.\n"
        "    sudo cpupower frequency-set -g performance\n"
        "\n"
        "[3] The next boot lets the clock go again. So it must be kept.\n"
        "sudo tee /etc/u.service <<'EOF'\n"
        "[Unit]\n"
        "[Service]\n"
        "ExecStart=/bin/true\n"
        "EOF\n"
        "sudo systemctl enable --now u\n"
        "\n"
        "Energy can be measured here by rapl.\n"
    )


def test_in_a_narrow_window_sentences_are_broken_and_what_is_to_be_typed_is_not():
    screen = render_doctor(diagnosis((NVML, None), findings=[GOVERNOR]), color=False, width=40).splitlines()
    assert screen[2:7] == [
        "machine     epyc-7763-2s, bare metal",
        "clock       governor powersave, turbo",
        "            unknown",
        "load        other processes 1.2 %,",
        "            waiting for a processor",
    ]
    commands = ["    sudo cpupower frequency-set -g performance"]
    assert [line for line in screen[1:] if len(line) > 40 and "`" not in line] == commands


def test_a_machine_in_order_has_nothing_to_mend():
    lines = shown((RAPL, FAST)).splitlines()
    assert lines[0] == "energygate doctor: 1 of 1 hardware counters usable, nothing to mend"
    assert lines[-1] == "Energy can be measured here by rapl."


def test_what_one_command_mends_stands_under_one_number():
    one, other = (Finding(what=f"{name} is busy.", why="It is in the number.", fix="Stop it.") for name in "AB")
    assert "\n[1] A is busy. It is in the number. B is busy.\n    Stop it.\n\n" in shown(
        (RAPL, FAST), findings=[one, other]
    )


def test_a_sentence_that_holds_its_own_fix_is_shown_alone():
    finding = Finding(what="A package `tests` shadows yours: delete it.", why="", fix="")
    assert "\n[1] A package `tests` shadows yours: delete it.\n\nEnergy" in shown((RAPL, FAST), findings=[finding])


def test_a_command_inside_a_sentence_is_not_broken():
    command = "`sudo rmmod nvidia_uvm nvidia_drm nvidia_modeset nvidia`"
    text = shown(
        (
            Probe(
                name="nvml",
                kind="counter",
                refusal=Finding(what="A", why="B", fix=f"Reload the module then: {command}."),
            ),
            None,
        )
    )
    assert f"    {command}.\n" in text


def test_a_meter_that_waits_for_refreshes_has_a_bound_of_the_error_that_they_make():
    gpu = Domain(name="gpu-0", part="gpu", update_interval_s=0.1, resolution_j=0.001)
    probe = Probe(
        name="nvml", kind="counter", domains=(gpu,), power_w={"gpu-0": 62.0}, notes=("persistence mode is off.",)
    )
    text = shown((probe, Accuracy(trial_s=10.0, edge_error=0.01, at_most=True)))
    assert "nvml        gpu-0        62.0 W    0.100 s    1.00 mJ   10.0 s    < 1 %\n" in text
    assert "            note: persistence mode is off.\n" in text


def test_a_scraped_meter_without_a_reading_shows_the_trial_that_it_needs():
    series = Domain(name="package-0", part="cpu", update_interval_s=15.0, resolution_j=1e-6, shortest_window_s=300.0)
    probe = Probe(name="prometheus", kind="scraped", domains=(series,))
    text = shown((probe, Accuracy(trial_s=300.0, edge_error=0.004, at_most=True)), wanted=("prometheus",))
    assert "prometheus  package-0    not read  15.0 s     1.00 \N{MICRO SIGN}J   300 s     < 0.4 %\n" in text
    assert text.endswith("Energy can be measured here by prometheus.\n")


@pytest.mark.parametrize(
    ("more", "words"),
    [
        ({"virtual_machine": "KVM"}, "epyc-7763-2s, virtual machine (KVM)"),
        ({"container": "/.dockerenv"}, "epyc-7763-2s, bare metal, container (/.dockerenv)"),
    ],
)
def test_where_this_runs_is_told(more, words):
    assert f"machine     {words}\n" in shown((RAPL, FAST), **more)


def test_without_a_counter_the_estimate_is_offered_and_what_it_decides():
    text = shown((NVML, None))
    assert "--calibrate" not in text
    assert " ".join(text.split("\n\n")[-1].split()) == (
        "No hardware counter can be used here, so a run measures no energy: it estimates it from CPU seconds, labelled "
        "so. That decides only with `allow_estimates: true`."
    )


def test_integrated_power_and_another_tools_estimate_are_no_counters():
    gpu = Probe(
        name="nvml-power", kind="integrated", domains=(Domain(name="gpu-0", part="gpu", update_interval_s=0.05),)
    )
    other = Probe(name="codecarbon", kind="estimate", domains=(Domain(name="package", part="cpu"),))
    text = shown((gpu, FAST), (other, FAST))
    assert text.startswith("energygate doctor: 0 of 0 hardware counters usable")
    assert "            integrated power: decides only with `allow_estimates: true`\n" in text


def test_what_the_configuration_allows_already_is_not_asked_for():
    text = " ".join(shown((NVML, None), allows_estimates=True).split())
    assert "unknown; decides because of `allow_estimates: true`" in text
    assert text.endswith(
        "it estimates it from CPU seconds, labelled so. That decides because of `allow_estimates: true`."
    )
    assert "only with" not in text


POWER = Probe(name="nvml-power", kind="integrated", domains=(Domain(name="gpu-0", part="gpu", update_interval_s=0.05),))
SCRAPED = Probe(name="prometheus", kind="scraped", domains=(Domain(name="package-0", part="cpu"),))
CODECARBON = Probe(name="codecarbon", kind="estimate", domains=(Domain(name="cpu-codecarbon", part="cpu"),))
NOT_HERE = Probe(name="nvml", kind="counter", absent="no NVIDIA GPU here")


@pytest.mark.parametrize(
    ("meters", "wanted", "can_gate", "conclusion"),
    [
        ((RAPL, NOT_HERE), ("auto",), True, "Energy can be measured here by rapl."),
        ((RAPL, NVML), ("auto",), True, "Energy can be measured here by rapl."),
        ((RAPL, SCRAPED), ("rapl", "prometheus"), True, "Energy can be measured here by rapl and prometheus."),
        ((RAPL, NOT_HERE), ("replay:windows.jsonl",), True, "Energy can be measured here by rapl."),
        (
            (RAPL, POWER),
            ("nvml",),
            False,
            (
                "A run measures with nvml-power, which only sums up power readings: its numbers are labelled so, and "
                "decide only with `allow_estimates: true`."
            ),
        ),
        (
            (RAPL, POWER),
            ("auto",),
            False,
            (
                "A run measures with rapl and nvml-power, and nvml-power only sums up power readings: its numbers are "
                "labelled so, and decide only with `allow_estimates: true`."
            ),
        ),
        (
            (RAPL, CODECARBON),
            ("codecarbon",),
            False,
            (
                "A run measures with codecarbon, which only estimates: its numbers are labelled so, and decide only "
                "with `allow_estimates: true`."
            ),
        ),
        (
            (RAPL,),
            ("estimate",),
            False,
            (
                "The configuration asks for an estimate, which decides only with `allow_estimates: true`. "
                "`meters: [rapl]` would measure."
            ),
        ),
        (
            (NVML, SCRAPED),
            ("auto",),
            False,
            "`meters: [auto]` finds no counter here, so a run would measure nothing. Ask for `meters: [prometheus]`.",
        ),
        (
            (RAPL, NVML),
            ("rapl", "nvml"),
            False,
            "The configuration asks for nvml, which cannot be used here: a run would stop with exit code 5.",
        ),
    ],
)
def test_the_conclusion_is_of_the_run_that_the_configuration_asks_for(meters, wanted, can_gate, conclusion):
    found = diagnosis(*((meter, FAST if meter.usable else None) for meter in meters), wanted=wanted)
    assert doctor_document(found)["conclusion"] == conclusion
    assert (found.can_gate, doctor_document(found)["usable"]) == (can_gate, can_gate)


def test_a_meter_for_which_there_is_nothing_here_is_not_counted_and_nothing_to_mend():
    text = shown((RAPL, FAST), (NOT_HERE, None))
    assert text.startswith("energygate doctor: 1 of 1 hardware counters usable, nothing to mend\n")
    assert "\nnvml        no NVIDIA GPU here\n" in text
    assert doctor_document(diagnosis((NOT_HERE, None)))["meters"][0]["absent"] == "no NVIDIA GPU here"


def test_what_blocks_comes_first_however_long_it_is():
    long_refusal = Probe(name="rapl", kind="counter", refusal=UNIT)
    held = Finding(what="Another job measures.", why="", fix="Wait.", blocks=True)
    lines = shown((long_refusal, None), findings=[GOVERNOR, held]).splitlines()
    assert [line for line in lines if re.match(r"\[\d\]", line)] == [
        "[1] Another job measures.",
        "[2] rapl: So it must be kept.",
        "[3] The CPU governor is powersave. It follows.",
    ]


def test_a_refused_meter_that_no_run_needs_does_not_come_first():
    long_refusal = Probe(name="nvml", kind="counter", refusal=UNIT)
    lines = shown((RAPL, FAST), (long_refusal, None), findings=[GOVERNOR]).splitlines()
    assert [line[:4] for line in lines if "governor is" in line or "must be kept" in line] == ["[1] ", "[2] "]


@pytest.mark.parametrize(
    ("option", "setting"),
    [
        ("Leave GPUs out with --energy-meters=rapl,prometheus.", "Leave GPUs out with `meters: [rapl, prometheus]`."),
        ("Use another meter with --energy-meters.", "Use another meter with `meters:`."),
        ("Docker: `--energy-sysfs=/host/sys`, as root.", "Docker: `sysfs: /host/sys`, as root."),
        ("Put up with it: --energy-allow-estimates.", "Put up with it: `allow_estimates: true`."),
    ],
)
def test_settings_are_called_as_the_configuration_calls_them_on_the_screen_and_in_the_document(option, setting):
    refused = Probe(name="rapl", kind="counter", notes=(option,), refusal=Finding(what="a", why="b", fix=option))
    found = diagnosis((refused, None), findings=[Finding(what=option, why="", fix="")])
    document = doctor_document(found)
    assert document["meters"][0]["notes"] == [setting]
    assert (document["meters"][0]["refusal"]["fix"], document["findings"][0]["what"]) == (setting, setting)
    screen = " ".join(render_doctor(found, color=False).split())
    assert (screen.count(setting), option in screen) == (3, False)


def test_a_long_name_of_a_domain_is_not_cut():
    probe = Probe(name="prometheus", kind="scraped", domains=(Domain(name="package-of-the-other-host", part="cpu"),))
    header, row = [
        line for line in shown((RAPL, FAST), (probe, FAST)).splitlines() if " now " in line or "-host" in line
    ]
    assert row.index("not read") == header.index("now")
    assert "package-of-the-other-host  not read" in row


def test_what_a_driver_says_cannot_steer_the_terminal():
    evil = Probe(name="nvml", kind="counter", refusal=Finding(what="a\x1b[2Jb\nc", why="", fix="\x1b]0;x\x07do it."))
    assert "\x1b" not in shown((evil, None))
    assert "nvml        not usable [1]: a" in shown((evil, None))


def test_colour_is_given_where_it_is_asked_for():
    assert "\x1b[1;32mEnergy can be measured here by rapl." in render_doctor(diagnosis((RAPL, FAST)), color=True)


def test_the_document_says_the_same():
    document = doctor_document(diagnosis((RAPL, FAST), (NVML, None), findings=[GOVERNOR]))
    assert json.loads(json.dumps(document)) == {
        "usable": True,
        "conclusion": "Energy can be measured here by rapl.",
        "machine": {
            "hardware_fingerprint": "0123456789ab",
            "label": "epyc-7763-2s",
            "hard": {"virtual": "none"},
            "soft": {"kernel": "6.8.0"},
        },
        "surroundings": {
            "virtual_machine": None,
            "container": None,
            "clock": "governor powersave, turbo unknown",
            "load_average": 0.125,
            "foreign": 0.0123,
            "pressure": None,
            "steal": 0.0,
        },
        "meters": [
            {
                "name": "rapl",
                "kind": "counter",
                "usable": True,
                "domains": [
                    {
                        "name": "package-0",
                        "part": "cpu",
                        "update_interval_s": 0.001,
                        "resolution_j": 6.1035e-5,
                        "shortest_window_s": None,
                        "power_w": 48.13,
                        "detail": "intel-rapl:0",
                    },
                    {
                        "name": "dram-0",
                        "part": "dram",
                        "update_interval_s": 0.001,
                        "resolution_j": 1.53e-5,
                        "shortest_window_s": None,
                        "power_w": 5.0,
                        "detail": "intel-rapl:0:0",
                    },
                ],
                "trial_s": 1.0,
                "edge_error": 0.000408,
                "notes": [],
                "refusal": None,
                "absent": None,
            },
            {
                "name": "nvml",
                "kind": "counter",
                "usable": False,
                "domains": [],
                "trial_s": None,
                "edge_error": None,
                "notes": [],
                "refusal": {"what": "No driver.", "why": "GPUs are unknown.", "fix": "Install it."},
                "absent": None,
            },
        ],
        "estimate": "5.00 W per busy core, 0 W base; not calibrated, so its error is unknown",
        "findings": [
            {
                "what": "The CPU governor is powersave.",
                "why": "It follows.",
                "fix": "sudo cpupower frequency-set -g performance",
            }
        ],
    }
