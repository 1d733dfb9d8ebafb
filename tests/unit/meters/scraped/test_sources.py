import pytest

from energygate.meters.options import PrometheusOptions, ScrapedDomain
from energygate.meters.scraped.scrapes import Unscrapable
from energygate.meters.scraped.sources import find_sources, selectors

SYSFS = "/host/sys/class/powercap"


def series(name, **labels):
    return tuple(sorted({"__name__": name, "instance": "runner-7:9100", "job": "node", **labels}.items()))


def options(preset, **more):
    return PrometheusOptions(url="http://127.0.0.1:9090", preset=preset, **more)


def rapl(name, path, index="0", **labels):
    return series(f"node_rapl_{name}_joules_total", index=index, path=f"{SYSFS}/{path}", **labels)


def labelled(zone, path, index="0"):
    return series("node_rapl_joules_total", rapl_zone=zone, index=index, path=f"{SYSFS}/{path}")


def legacy(kind, mode, **labels):
    name = f"kepler_node_{kind}_joules_total"
    return series(name, package="0", mode=mode, exported_instance="node-1", **labels)


CLIENT = [
    ("core", "intel-rapl:0:0"),
    ("package", "intel-rapl-mmio:0"),
    ("package", "intel-rapl:0"),
    ("psys", "intel-rapl:1"),
    ("dram", "intel-rapl:0:2"),
    ("dram", "intel-rapl-mmio:0:0"),
]
DCGM = "DCGM_FI_DEV_TOTAL_ENERGY_CONSUMPTION"
KEPLER = "kepler_node_cpu_{}_joules_total"


@pytest.mark.parametrize(
    ("preset", "found", "expected"),
    [
        (
            "node_exporter",
            [rapl(zone, path) for zone, path in CLIENT],
            [("dram-0", "", "J", "intel-rapl:0:2"), ("package-0", "", "J", "intel-rapl:0")],
        ),
        (
            "node_exporter",
            [labelled(zone, path) for zone, path in CLIENT],
            [("dram-0", "", "J", "intel-rapl:0:2"), ("package-0", "", "J", "intel-rapl:0")],
        ),
        (  # memory on the second socket alone is the exporter's dram 0
            "node_exporter",
            [rapl("package", "intel-rapl:0"), rapl("package", "intel-rapl:a", "1"), rapl("dram", "intel-rapl:a:0")],
            [
                ("dram-1", "", "J", "intel-rapl:a:0"),
                ("package-0", "", "J", "intel-rapl:0"),
                ("package-1", "", "J", "intel-rapl:a"),
            ],
        ),
        (
            "node_exporter",
            [
                rapl("package_0_die_0", "intel-rapl:0"),
                rapl("package_0_die_1", "intel-rapl:1"),
                rapl("dram", "intel-rapl:1:0"),
            ],
            [
                ("dram-0", "die 1", "J", "intel-rapl:1:0"),
                ("package-0", "die 0", "J", "intel-rapl:0"),
                ("package-0", "die 1", "J", "intel-rapl:1"),
            ],
        ),
        (
            "node_exporter",
            [labelled("package-1-die-0", "intel-rapl:0")],
            [("package-1", "die 0", "J", "intel-rapl:0")],
        ),
        (
            "kepler",
            [
                *(
                    series(KEPLER.format(share), zone=zone, path="aggregated-package")
                    for share in ("active", "idle")
                    for zone in ("package", "dram", "core", "psys")
                ),
                series("kepler_node_gpu_joules_total", gpu="1", gpu_uuid="GPU-8932f937"),
            ],
            [
                ("dram-0", "active", "J", "aggregated-package"),
                ("dram-0", "idle", "J", ""),
                ("gpu-1", "", "J", "GPU-8932f937"),
                ("package-0", "active", "J", "aggregated-package"),
                ("package-0", "idle", "J", ""),
            ],
        ),
        (
            "kepler-legacy",
            [legacy(kind, mode) for kind in ("package", "dram") for mode in ("dynamic", "idle")],
            [(f"{kind}-0", mode, "J", "") for kind in ("dram", "package") for mode in ("dynamic", "idle")],
        ),
        (
            "scaphandre",
            [
                series("scaph_socket_energy_microjoules", socket_id="0"),
                series("scaph_domain_energy_microjoules", socket_id="0", domain_name="dram"),
                series("scaph_domain_energy_microjoules", socket_id="0", domain_name="core"),
            ],
            [("dram-0", "", "uJ", ""), ("package-0", "", "uJ", "")],
        ),
        (
            "dcgm",
            [series(DCGM, gpu="0", UUID="GPU-8932f937", modelName="NVIDIA A100")],
            [("gpu-0", "", "mJ", "NVIDIA A100 GPU-8932f937")],
        ),
    ],
    ids=["mmio", "zone label", "asymmetric dram", "dies", "labelled dies", "kepler", "legacy", "scaphandre", "dcgm"],
)
def test_only_series_that_may_be_added_are_measured(preset, found, expected):
    sources = find_sources(options(preset), [found])
    assert [(source.domain, source.share, source.unit, source.detail) for source in sources] == expected
    assert all(source.range_j is None for source in sources)


@pytest.mark.parametrize(
    ("preset", "found", "refusal"),
    [
        (
            "node_exporter",
            [],
            (
                "The server has no energy counter of node_exporter. Look at its page of targets, and at "
                "prometheus.preset and prometheus.selector."
            ),
        ),
        (
            "node_exporter",
            [rapl("psys", "intel-rapl:1")],
            (
                "The server has no energy counter of node_exporter. Look at its page of targets, and at "
                "prometheus.preset and prometheus.selector."
            ),
        ),
        (
            "node_exporter",
            [series("node_rapl_package_joules_total", index="0")],
            (
                "The series of node_exporter have no label `path`: without it the package is counted twice on client "
                "processors, whose intel-rapl-mmio repeats it. Use node_exporter 1.3 or newer, and keep the label."
            ),
        ),
        (
            "node_exporter",
            [rapl("package", "intel-rapl:0"), rapl("package", "intel-rapl:0", instance="runner-8\x1b[31m:9100")],
            (
                'The energy counters of 2 targets match: job="node",instance="runner-7:9100", '
                'job="node",instance="runner-8 [31m:9100". Pick the one of this machine: '
                "prometheus: {selector: 'instance=\"runner-7:9100\"'}."
            ),
        ),
        (
            "node_exporter",
            [rapl("package", "intel-rapl:0", replica=replica) for replica in "ab"],
            "More than one series counts package-0: "
            + ", ".join(
                f'node_rapl_package_joules_total{{index="0",instance="runner-7:9100",job="node",'
                f'path="/host/sys/class/powercap/intel-rapl:0",replica="{replica}"}}'
                for replica in "ab"
            )
            + ". Pick one with prometheus.selector; with custom, give each domain a counter of its own.",
        ),
        (
            "kepler",
            [series(KEPLER.format("active"), zone="package")],
            "Of package-0 the server has active, and its energy is active + idle. Let the exporter export both.",
        ),
        (
            "kepler-legacy",
            [legacy("package", "dynamic")],
            "Of package-0 the server has dynamic, and its energy is dynamic + idle. Let the exporter export both.",
        ),
        (
            "dcgm",
            [series(DCGM, gpu="0", GPU_I_ID="3", GPU_I_PROFILE="1g.5gb")],
            "GPU 0 is in MIG mode, and its counter is the board's, not a slice's. Switch MIG off: `nvidia-smi -mig 0`.",
        ),
    ],
    ids=["none", "psys alone", "no path", "two machines", "two replicas", "no idle", "legacy without idle", "mig"],
)
def test_series_that_would_mislead_are_refused(preset, found, refusal):
    with pytest.raises(Unscrapable) as refused:
        find_sources(options(preset), [found])
    assert str(refused.value) == refusal


def custom(**domains):
    return options("custom", domains={name.replace("_", "-"): domain for name, domain in domains.items()})


def test_a_custom_domain_is_one_series_with_the_unit_and_the_range_that_were_written():
    chosen = custom(
        package_0=ScrapedDomain(select='my_total{cpu="0"}', unit="J", range_j=262143.32885),
        gpu_0=ScrapedDomain(select="board_total", unit="mJ"),
    )
    assert selectors(chosen) == ('my_total{cpu="0"}', "board_total")
    sources = find_sources(chosen, [[series("my_total", cpu="0")], [series("board_total", instance="elsewhere")]])
    assert [(s.domain, s.part, s.unit, s.range_j, s.bound_w) for s in sources] == [
        ("gpu-0", "gpu", "mJ", None, 16000.0),
        ("package-0", "cpu", "J", 262143.32885, 1000.0),
    ]


def test_a_custom_selector_of_no_series_or_of_several_is_refused():
    chosen = custom(package_0=ScrapedDomain(select="my_total", unit="J"))
    with pytest.raises(Unscrapable, match=r"^prometheus\.domains\.package-0\.select finds 0 series\. Write a selector"):
        find_sources(chosen, [[]])
    with pytest.raises(Unscrapable, match=r'select finds 2 series: my_total\{cpu="0",.*\}, my_total\{cpu="1",.*\}\.'):
        find_sources(chosen, [[series("my_total", cpu="0"), series("my_total", cpu="1")]])


def test_one_counter_under_two_custom_domains_is_refused():
    chosen = custom(
        package_0=ScrapedDomain(select="my_total", unit="J"), package_1=ScrapedDomain(select='{x=""}', unit="J")
    )
    with pytest.raises(Unscrapable, match=r'^Several domains count my_total\{instance="runner-7:9100",job="node"\}\.'):
        find_sources(chosen, [[series("my_total")], [series("my_total")]])


def test_the_selector_picks_one_machine():
    chosen = options("dcgm", selector='instance="runner-7:9400",')
    assert selectors(chosen) == ('{__name__=~"DCGM_FI_DEV_TOTAL_ENERGY_CONSUMPTION",instance="runner-7:9400"}',)
