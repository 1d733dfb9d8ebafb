import ctypes

import pytest

from energygate.children import adopted_orphans


def adopts_orphans():
    found = ctypes.c_int()
    ctypes.CDLL(None).prctl(37, ctypes.byref(found), 0, 0, 0)  # PR_GET_CHILD_SUBREAPER
    return bool(found.value)


@adopted_orphans()
def fail():
    raise OSError(f"adopting: {adopts_orphans()}")


def test_orphans_are_left_to_the_system_again_also_after_an_error():
    before = adopts_orphans()
    with pytest.raises(OSError, match=r"^adopting: True$"):
        fail()
    assert adopts_orphans() == before
