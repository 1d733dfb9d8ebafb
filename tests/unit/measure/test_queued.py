"""In a process of its own: a stand-in for PyTorch, found as the real one is."""

import subprocess
import sys

import pytest

TORCH = """\
class cuda:
    initialized, devices, reserved, current, waited = True, 1, {}, 0, []

    is_initialized = classmethod(lambda cls: cls.initialized)
    device_count = classmethod(lambda cls: cls.devices)
    current_device = classmethod(lambda cls: cls.current)
    memory_reserved = classmethod(lambda cls, device: cls.reserved.get(device, 0))
    synchronize = classmethod(lambda cls, device: cls.waited.append(device))
"""


@pytest.fixture
def say(tmp_path):
    """Run a script beside that PyTorch; give what it prints."""
    (tmp_path / "torch.py").write_text(TORCH)

    def run(script):
        whole = f"import sys\nfrom energygate.measure.queued import finish_queued_work\n{script}"
        environment = {"PYTHONPATH": f"{tmp_path}:{':'.join(sys.path)}"}
        done = subprocess.run(
            [sys.executable, "-W", "error", "-c", whole], check=True, capture_output=True, text=True, env=environment
        )
        return done.stdout.strip()

    return run


def test_pytorch_is_never_imported(say):
    assert say("finish_queued_work(); print('torch' in sys.modules)") == "False"


@pytest.mark.parametrize(
    ("state", "waited"),
    [
        pytest.param("", "[0]", id="one GPU"),
        pytest.param("cuda.initialized = False", "[]", id="CUDA is not used"),
        pytest.param("cuda.devices, cuda.current = 4, 2", "[2]", id="the current one of four"),
        pytest.param("cuda.devices, cuda.reserved = 4, {1: 512, 3: 512}", "[0, 1, 3]", id="and those that hold memory"),
    ],
)
def test_what_pytorch_has_queued_is_waited_for_where_it_uses_a_gpu(say, state, waited):
    assert say(f"import torch; cuda = torch.cuda\n{state}\nfinish_queued_work(); print(cuda.waited)") == waited


def test_a_pytorch_that_is_just_being_imported_is_left_alone(say):
    assert say("import types; sys.modules['torch'] = types.ModuleType('torch'); finish_queued_work()") == ""


def test_a_window_waits_for_pytorch_unless_it_is_told_what_to_wait_for(say):
    assert (
        say(
            "import torch\n"
            "from energygate.clock import SystemClock\n"
            "from energygate.measure.open_trial import OpenTrial\n"
            "from energygate.meters.base import Window\n"
            "from energygate.meters.group import MeterGroup\n"
            "with OpenTrial(meters=MeterGroup([]), window=Window(), clock=SystemClock()):\n"
            "    pass\n"
            "print(torch.cuda.waited)"
        )
        == "[0, 0]"
    )
