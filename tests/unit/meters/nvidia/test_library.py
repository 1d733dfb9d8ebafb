import pytest

from energygate.meters.nvidia.library import bindings_fault

REPAIR = "`pip uninstall pynvml && pip install --force-reinstall nvidia-ml-py`"


@pytest.fixture
def site(tmp_path):
    """A folder of installed packages."""

    def install(distribution, *, module=None):
        metadata = tmp_path / f"{distribution.replace('-', '_')}-13.0.dist-info"
        metadata.mkdir()
        (metadata / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {distribution}\nVersion: 13.0\n")
        if module:
            (tmp_path / "pynvml.py").write_text(module)

    install.path = [str(tmp_path)]
    return install


def test_nvidias_own_bindings_have_no_fault(site):
    site("nvidia-ml-py", module="def _nvmlGetFunctionPointer(name): ...\n")
    assert bindings_fault(site.path) is None


def test_the_bindings_installed_here_have_no_fault():
    assert bindings_fault() is None


def test_missing_bindings_are_told(site):
    assert bindings_fault(site.path) == (
        "The module pynvml is missing, so GPUs cannot be read: `pip install nvidia-ml-py`."
    )


def test_bindings_of_others_under_the_same_name_are_told_and_not_imported(site):
    site("pynvml", module="raise AssertionError('imported')\n")
    assert bindings_fault(site.path) == (
        f"The module pynvml is not NVIDIA's own, so GPUs cannot be read right: {REPAIR}."
    )


def test_the_deprecated_distribution_is_told_beside_the_right_module(site):
    site("nvidia-ml-py", module="def _nvmlGetFunctionPointer(name): ...\n")
    site("pynvml")
    assert bindings_fault(site.path) == (
        "The deprecated distribution pynvml is installed, which warns at import and may overwrite NVIDIA's own "
        f"bindings: {REPAIR}."
    )
