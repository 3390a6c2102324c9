"""Work in other processes: order, exceptions, and processes that end in the middle of their work."""

import os
import signal
import time

import numpy as np
import pytest
import torch

from imavatar.errors import DataError, ImavatarError
from imavatar.synthetic.processes import work_in_processes


class Work:
    """Squares numbers, in one of two ways; some numbers go wrong."""

    def __init__(self, careful: bool):
        self.careful = careful

    def __call__(self, number: int) -> tuple[int, bool]:
        if number == 3 and not self.careful:
            os.kill(os.getpid(), signal.SIGSEGV)
        if number == 13:
            raise DataError("thirteen")
        if number == 666:
            os._exit(1)
        time.sleep(0.05 * (number % 2))
        return number**2, self.careful


def test_results_come_in_order_and_a_piece_whose_process_ends_is_done_the_careful_way():
    found = list(work_in_processes(Work, range(8), n_processes=2))
    assert found == [(k**2, k == 3) for k in range(8)]


def test_results_are_handed_over_before_all_are_there():
    results = work_in_processes(Work, [1, 2, 13], n_processes=1)
    assert next(results) == (1, False)
    assert next(results) == (4, False)
    with pytest.raises(DataError, match="thirteen"):
        next(results)


def test_a_process_that_ends_both_ways_is_an_error():
    with pytest.raises(ImavatarError, match="ended without an answer, twice"):
        list(work_in_processes(Work, [666], n_processes=1))


def test_nothing_to_do_starts_nothing():
    assert list(work_in_processes(Work, [], n_processes=2)) == []


def identity(careful: bool):
    """Work that hands back what it gets."""
    return abs


def test_arrays_that_look_at_a_tensor_keep_its_values():
    tensor = torch.arange(200_000, dtype=torch.float32)
    view = tensor.numpy()
    pieces = [tensor[k : k + 1000] for k in range(0, 200_000, 1000)]
    found = list(work_in_processes(identity, pieces, n_processes=1))
    assert not tensor.is_shared()
    del tensor, pieces
    np.testing.assert_array_equal(view, np.arange(200_000))
    torch.testing.assert_close(torch.cat(found), torch.arange(200_000, dtype=torch.float32))
