"""The audit of exercises about NumPy: disguises are for its arrays, too."""

import numpy as np

from autograder.audit.disguises import DISGUISES, disguised
from autograder.audit.matrix import audit


def test_numpys_arrays_are_disguised():
    def numbers():
        return np.arange(6.0).reshape(2, 3)[:, ::-1]

    found = {name: disguised(numbers, disguise)() for name, disguise in DISGUISES.items()}
    assert all(isinstance(x, np.ndarray) and x.shape == (2, 3) for x in found.values())
    assert found["cast to float16"].dtype == np.float16
    assert not found["made non-contiguous"].flags.c_contiguous


def test_a_cast_that_mends_the_dtype_is_no_disguise(warmup):
    row = audit(warmup.find("one_hot"), [0])
    assert row.faults == []
    assert row.worth_no_more == row.disguises == 29
