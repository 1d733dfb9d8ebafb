"""Builds the look-alike of libnvidia-ml.so.1 (lookalike.c) and controls the GPUs that it shows.

Energy is a closed form of CLOCK_MONOTONIC, so that the truth of every window is known. `LD_LIBRARY_PATH` and
`FAKE_NVML_STATE` must be set before a process starts, so what reads the look-alike is a child.
"""

import ctypes
import mmap
import os
import shutil
import subprocess
import time
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path

SOURCE = Path(__file__).with_name("lookalike.c")
MAGIC = 0x4E564D4C
MAX_GPUS = 16
MAX_PROCESSES = 4


class Gpu(ctypes.Structure):
    """As in lookalike.c.

    `energy_period` 0 is a continuous counter; `virt` 2 is a vGPU; `error` is an NVML code that every call answers;
    `energy_error`, `power_error` and `clock_error` are codes of one call; from `lost_at` (monotonic seconds) on the GPU
    is lost. `pids` are compute processes; `reasons` is why clocks are lower, as NVML's mask.
    """

    _fields_ = (
        ("name", ctypes.c_char * 96),
        ("uuid", ctypes.c_char * 96),
        ("bus", ctypes.c_char * 32),
        *(
            (name, ctypes.c_double)
            for name in [
                *["base_mj", "base_s", "power_w", "past_w", "past_s", "energy_period", "limit_w", "lost_at"],
                *["power_period", "power_scale", "memory", "memory_used"],
            ]
        ),
        ("reasons", ctypes.c_uint64),
        *(
            (name, ctypes.c_int32)
            for name in [
                *["energy_ok", "limit_ok", "mig_ok", "mig", "virt", "error", "energy_error"],
                *["power_ok", "state_ok", "processes_ok", "power_error", "clock_error"],
                *["sm_mhz", "sm_mhz_max", "temperature", "pstate", "persistence", "ecc"],
            ]
        ),
        ("pids", ctypes.c_int32 * MAX_PROCESSES),
    )


class State(ctypes.Structure):
    _fields_ = (
        ("magic", ctypes.c_uint32),
        ("sequence", ctypes.c_uint32),
        ("gpus", ctypes.c_uint32),
        ("init_error", ctypes.c_int32),
        ("cuda", ctypes.c_int32),
        ("driver", ctypes.c_char * 80),
        ("gpu", Gpu * MAX_GPUS),
    )


class LookAlike:
    """The GPUs of one state file: `LookAlike(path, [{"energy_period": 0.1}, {"energy_ok": 0}])`."""

    def __init__(
        self, path: Path, gpus: list[dict], *, init_error: int = 0, driver: str = "570.86.15", cuda: int = 12080
    ) -> None:
        self.path = path
        path.write_bytes(bytes(ctypes.sizeof(State)))
        with path.open("r+b") as file:
            self._state = State.from_buffer(mmap.mmap(file.fileno(), ctypes.sizeof(State)))
        self._state.gpus, self._state.init_error = len(gpus), init_error
        self._state.driver, self._state.cuda = driver.encode(), cuda
        for i, wanted in enumerate(gpus):
            self._set_fields(i, **{**_usual(i), **wanted})
        self._state.magic = MAGIC

    def set(self, i: int, **fields) -> None:
        """Change fields of one GPU; a reader sees all of them or none."""
        with self._writing():
            self._set_fields(i, **fields)

    def run_at(self, i: int, power_w: float) -> None:
        """From now on it draws this much."""
        gpu, now_s = self._state.gpu[i], time.monotonic()
        so_far_mj = gpu.base_mj + gpu.power_w * 1e3 * (now_s - gpu.base_s)
        self.set(i, base_mj=so_far_mj, base_s=now_s, past_w=gpu.power_w, past_s=gpu.base_s, power_w=power_w)

    def restart_counter(self, i: int) -> None:
        """It counts from 0 again, as after a reload of the driver."""
        now_s = time.monotonic()
        self.set(i, base_mj=0.0, base_s=now_s, past_s=now_s)

    def true_j(self, i: int) -> float:
        """The energy up to now, without steps."""
        gpu = self._state.gpu[i]
        return (gpu.base_mj + gpu.power_w * 1e3 * (time.monotonic() - gpu.base_s)) / 1e3

    def _set_fields(self, i: int, **fields) -> None:
        for name, value in fields.items():
            setattr(self._state.gpu[i], name, _as_c(value))

    @contextmanager
    def _writing(self):
        self._state.sequence += 1
        yield
        self._state.sequence += 1


def _usual(i: int) -> dict:
    return {
        "name": "NVIDIA H100 80GB HBM3",
        "uuid": f"GPU-{i:08x}-0000-0000-0000-{i:012x}",
        "bus": f"00000000:{i + 1:02X}:00.0",
        "base_mj": 1e6 * (i + 1),
        "base_s": time.monotonic(),
        "power_w": 60.0,
        "past_w": 60.0,
        "limit_w": 700.0,
        "memory": 80 * 2.0**30,
        "memory_used": 2.0**30,
        "power_scale": 1.0,
        "sm_mhz": 1755,
        "sm_mhz_max": 1980,
        "temperature": 40,
        "persistence": 1,
        "ecc": 1,
        **dict.fromkeys(["energy_ok", "limit_ok", "mig_ok", "power_ok", "state_ok", "processes_ok"], 1),
    }


def _as_c(value):
    match value:
        case str():
            return value.encode()
        case list():
            return (ctypes.c_int32 * MAX_PROCESSES)(*value)
        case _:
            return value


def missing() -> str:
    """What is needed to build the library and is not here; empty if it can be built."""
    absent = [] if shutil.which("gcc") else ["gcc"]
    return " and ".join(absent if header_folder() else [*absent, "nvml.h (pip install nvidia-nvml-dev)"])


def header_folder() -> Path | None:
    """Where the package nvidia-nvml-dev put nvml.h."""
    spec = find_spec("nvidia")
    roots = spec.submodule_search_locations or () if spec else ()
    return next((header.parent for root in roots for header in Path(root).rglob("nvml.h")), None)


def build(folder: Path, *definitions: str) -> None:
    """Compile `folder`/libnvidia-ml.so.1; `OLD_DRIVER` is one without the functions of newer drivers."""
    library = folder / "libnvidia-ml.so.1"
    flags = ["-O2", "-Wall", "-Werror", "-shared", "-fPIC", "-fvisibility=hidden", f"-Wl,-soname,{library.name}"]
    defined = [f"-D{name}" for name in definitions]
    subprocess.run(["gcc", *flags, *defined, f"-I{header_folder()}", "-o", library, SOURCE, "-lm"], check=True)


def environment(folder: Path, state: Path) -> dict[str, str]:
    """What a child needs to read the look-alike."""
    return {**os.environ, "LD_LIBRARY_PATH": str(folder), "FAKE_NVML_STATE": str(state)}
