"""NASNet-A (4 @ 1056) against the paper's figure 4, the lists of its authors' code and the sizes that Keras prints."""

from __future__ import annotations

import pytest
import torch
from torch import nn
from torch.nn import functional

from dermalens.models.nasnet_mobile import (
    CURRENT,
    FILTERS,
    NORMAL,
    PLAN,
    PREVIOUS,
    REDUCTION,
    Cell,
    Halve,
    NasNetMobile,
    Pool,
    SeparableTwice,
    Wiring,
)

# As the authors published the cells (TensorFlow models, slim/nets/nasnet/nasnet.py): operations and hidden states in
# order, two a block.
AUTHORS = {
    "normal": (
        "sep_5 sep_3 sep_5 sep_3 avg_3 identity avg_3 avg_3 sep_3 identity",
        [0, 1, 1, 1, 0, 1, 1, 1, 0, 0],
    ),
    "reduction": (
        "sep_5 sep_7 max_3 sep_7 avg_3 sep_5 identity avg_3 sep_3 max_3",
        [0, 1, 0, 1, 0, 1, 3, 2, 2, 0],
    ),
}


@pytest.fixture(scope="module")
def network() -> NasNetMobile:
    torch.manual_seed(0)
    return NasNetMobile().eval()


def test_it_has_the_size_that_keras_prints(network: NasNetMobile) -> None:
    trainable = sum(parameter.numel() for parameter in network.parameters())
    statistics = sum(b.numel() for name, b in network.named_buffers() if "num_batches_tracked" not in name)
    assert (trainable, statistics) == (4_232_978, 36_738)
    assert trainable + statistics == 4_269_716


@pytest.mark.parametrize(("side", "cells"), [(224, 7), (97, 3), (32, 1)])
def test_it_gives_1056_maps_at_a_thirty_second_of_the_side(network: NasNetMobile, side: int, cells: int) -> None:
    with torch.inference_mode():
        maps = network(torch.rand(1, 3, side, side))
    assert maps.shape == (1, network.num_features, cells, cells)
    assert network.num_features == 1056
    assert maps.min() >= 0


@pytest.mark.parametrize(("kind", "wiring"), [("normal", NORMAL), ("reduction", REDUCTION)])
def test_the_tables_are_those_of_the_authors(kind: str, wiring: Wiring) -> None:
    names, states = AUTHORS[kind]
    # A sum has no order, and the figure none either.
    given = [sorted(block) for block in wiring.blocks]
    pairs = list(zip(names.split(), states, strict=True))
    assert given == [sorted(pairs[i : i + 2]) for i in range(0, 10, 2)]


def linear_cell(wiring: Wiring) -> Cell:
    """A cell whose operations all leave their input as it is, so that its output shows what was added to what."""
    cell = Cell((2, 2), 2, wiring, fit=nn.Identity())
    cell.squeeze = nn.Sequential()
    cell.branches = nn.ModuleList(nn.Identity() for _ in cell.branches)
    return cell


@pytest.mark.parametrize(
    ("wiring", "expected"),
    [
        (NORMAL, [(0, 1), (1, 1), (0, 2), (1, 1), (0, 2), (2, 0)]),
        (REDUCTION, [(1, 1), (1, 1), (2, 2), (2, 1)]),
    ],
    ids=["normal", "reduction"],
)
def test_a_cell_joins_the_states_of_figure_4(wiring: Wiring, expected: list[tuple[int, int]]) -> None:
    """Each joined state as (times the current input, times the previous one), added up by hand from the figure."""
    current, previous = (torch.eye(2)[state].view(1, 2, 1, 1) for state in (CURRENT, PREVIOUS))
    joined = linear_cell(wiring)(current, previous).view(-1, 2)
    assert [tuple(int(number) for number in state) for state in joined] == expected


@pytest.mark.parametrize("wiring", [NORMAL, REDUCTION], ids=["normal", "reduction"])
def test_each_branch_is_the_operation_of_its_row_and_only_the_inputs_are_halved(wiring: Wiring) -> None:
    rows = [branch for block in wiring.blocks for branch in block]
    for (name, state), branch in zip(rows, Cell((8, 8), 4, wiring, fit=nn.Identity()).branches, strict=True):
        stride = wiring.stride if state in (CURRENT, PREVIOUS) else 1
        if isinstance(branch, SeparableTwice):
            assert (f"sep_{branch.kernel}", stride) == (name, branch.stride)
            assert [m.kernel_size[0] for m in branch.modules() if isinstance(m, nn.Conv2d)] == [branch.kernel, 1] * 2
        elif isinstance(branch, Pool):
            assert (f"{branch.kind}_3", stride) == (name, branch.stride)
        else:
            assert (name, stride) == ("identity", 1)


def test_cells_take_the_two_before_them_and_halve_the_older_one_after_a_reduction(network: NasNetMobile) -> None:
    kinds = ["reduction" if wiring is REDUCTION else "normal" for wiring, _ in PLAN]
    blocks = ["normal"] * 4
    assert kinds == ["reduction", "reduction", *blocks, "reduction", *blocks, "reduction", *blocks]
    assert [filters for _, filters in PLAN] == [11, 22, *[44] * 4, *[88] * 5, *[176] * 5]
    fits = [cell.fit for cell in network.cells]
    assert isinstance(fits[0], nn.Identity)
    halved = {number: fit.even.in_channels for number, fit in enumerate(fits) if isinstance(fit, Halve)}
    # The stem, the first cell, and the last normal cell before each later reduction.
    assert halved == {1: 32, 2: 4 * 11, 7: 6 * FILTERS, 12: 12 * FILTERS}


@pytest.mark.parametrize("side", [6, 7])
@pytest.mark.parametrize("stride", [1, 2])
def test_pools_leave_out_what_lies_beyond_the_border_and_align_as_tensorflow(side: int, stride: int) -> None:
    maps = torch.randn(1, 2, side, side)
    lower = 0 if stride == 2 and side % 2 == 0 else 1  # "same" has the odd spare cell at the end
    border = [lower, 1, lower, 1]
    share = functional.avg_pool2d(functional.pad(torch.ones_like(maps), border), 3, stride)
    average = functional.avg_pool2d(functional.pad(maps, border), 3, stride) / share
    highest = functional.max_pool2d(functional.pad(maps, border, value=-torch.inf), 3, stride)
    torch.testing.assert_close(Pool("avg", stride)(maps), average)
    torch.testing.assert_close(Pool("max", stride)(maps), highest)


def test_halving_takes_every_second_cell_and_its_neighbour_further_down_and_right() -> None:
    halve = Halve(1, 2).eval()
    with torch.no_grad():
        halve.even.weight.fill_(1)
        halve.odd.weight.fill_(1)
        cells = halve(torch.arange(1.0, 10.0).view(1, 1, 3, 3))
    scale = (1 + halve.norm.eps) ** 0.5
    even, odd = (cells[0] * scale).round().int().tolist()
    assert even == [[1, 3], [7, 9]]
    assert odd == [[5, 0], [0, 0]]
