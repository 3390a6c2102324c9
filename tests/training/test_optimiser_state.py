"""Adam's state under the authors' numbering, against a plain Adam over all parameters in their order."""

import copy

import pytest
import torch
from torch import nn

from imavatar.errors import CheckpointError
from imavatar.training.optimiser_state import adam_state, load_adam_state, load_table_state

WHERE = "latest.pth"


def networks() -> nn.ModuleDict:
    generator = torch.Generator().manual_seed(1)
    found = nn.ModuleDict({"geometry": nn.Linear(3, 4), "deformer": nn.Linear(4, 2), "texture": nn.Linear(2, 3)})
    for parameter in found.parameters():
        parameter.data = torch.randn(parameter.shape, generator=generator)
    return found


def loss(found: nn.ModuleDict) -> torch.Tensor:
    value = torch.ones(5, 3)
    for layer in found.values():
        value = torch.sin(layer(value))
    return value.square().sum()


def step(optimiser, found, n: int = 1) -> None:
    for _ in range(n):
        optimiser.zero_grad()
        loss(found).backward()
        optimiser.step()


def in_groups(found: nn.ModuleDict) -> torch.optim.Adam:
    """This project's way: groups with rates of their own, in another order than the modules'."""
    return torch.optim.Adam([{"params": list(found[name].parameters()), "lr": 1e-2} for name in ("texture", "geometry")]
                            + [{"params": list(found["deformer"].parameters()), "lr": 1e-2}])  # fmt: skip


def as_the_authors(found: nn.ModuleDict) -> torch.optim.Adam:
    """One group: two parameters of the head model without a gradient, then the networks'."""
    head = [nn.Parameter(torch.zeros(1, n), requires_grad=False) for n in (6, 3)]
    return torch.optim.Adam([*head, *found.parameters()], lr=1e-2)


def test_a_state_of_one_group_goes_on_as_if_it_had_never_stopped():
    theirs, ours = networks(), networks()
    reference = as_the_authors(theirs)
    step(reference, theirs, 3)
    ours.load_state_dict(theirs.state_dict())
    optimiser = in_groups(ours)
    load_adam_state(optimiser, list(ours.parameters()), copy.deepcopy(reference.state_dict()), WHERE)
    assert [len(group["params"]) for group in optimiser.param_groups] == [2, 2, 2]
    step(reference, theirs)
    step(optimiser, ours)
    for expected, found in zip(theirs.parameters(), ours.parameters(), strict=True):
        assert torch.equal(expected, found)


def test_what_is_written_is_read_by_a_plain_optimiser_of_their_parameters():
    theirs, ours = networks(), networks()
    optimiser = in_groups(ours)
    step(optimiser, ours, 3)
    theirs.load_state_dict(ours.state_dict())
    reference = as_the_authors(theirs)
    state = copy.deepcopy(adam_state(optimiser, list(ours.parameters())))
    assert sorted(state["state"]) == list(range(2, 8)) and state["param_groups"][0]["params"] == list(range(8))
    reference.load_state_dict(state)
    step(reference, theirs)
    step(optimiser, ours)
    for expected, found in zip(theirs.parameters(), ours.parameters(), strict=True):
        assert torch.equal(expected, found)


def test_a_state_without_a_step_is_read():
    found = networks()
    optimiser = in_groups(found)
    load_adam_state(optimiser, list(found.parameters()), adam_state(optimiser, list(found.parameters())), WHERE)
    assert not optimiser.state_dict()["state"]


def test_a_state_of_other_parameters_is_refused():
    found = networks()
    optimiser, parameters = in_groups(found), list(found.parameters())
    step(optimiser, found)
    content = optimiser.state_dict()
    with pytest.raises(CheckpointError, match=r"6 parameters in 3 group\(s\), expected 8 in one"):
        load_adam_state(optimiser, parameters, content, WHERE)
    content = adam_state(optimiser, parameters)
    content["state"][4]["exp_avg"] = torch.zeros(7)
    with pytest.raises(CheckpointError, match=r"parameter 4: exp_avg is \(7,\), expected \(2, 4\)"):
        load_adam_state(optimiser, parameters, content, WHERE)
    with pytest.raises(CheckpointError, match="no optimiser's state"):
        load_adam_state(optimiser, parameters, {}, WHERE)


def test_tables_find_their_states_by_shape():
    def tables(*sizes: int) -> list[nn.Embedding]:
        return [nn.Embedding(4, size, sparse=True) for size in sizes]

    def sparse(layers):
        return torch.optim.SparseAdam([layer.weight for layer in layers], lr=1e-3)

    theirs, ours = tables(15, 3, 50), tables(50, 15, 3)
    reference, optimiser = sparse(theirs), sparse(ours)
    sum(layer(torch.tensor([1])).square().sum() for layer in theirs).backward()
    reference.step()
    load_table_state(optimiser, [layer.weight for layer in ours], reference.state_dict(), WHERE)
    for number, layer in enumerate(theirs):
        moved = optimiser.state[ours[(1, 2, 0)[number]].weight]
        assert torch.equal(moved["exp_avg_sq"], reference.state[layer.weight]["exp_avg_sq"])
    other = tables(50, 15)
    with pytest.raises(CheckpointError, match=r"shape \(4, 3\), the run optimises"):
        load_table_state(sparse(other), [layer.weight for layer in other], reference.state_dict(), WHERE)
