"""All quantities that a fixture records, compared."""

from collections.abc import Iterator

import torch
from torch import Tensor

from imavatar.head.flame import Flame
from imavatar.rendering.avatar import Avatar
from imavatar_lab.parity import quantities
from imavatar_lab.parity.architecture import avatar_of_checkpoint, flame_of_checkpoint
from imavatar_lab.parity.comparison import Comparison, compare
from imavatar_lab.parity.fixture import Arrays, Fixture

INPUTS = {"probe/x", "probe/normals"}
"""Recorded beside the results of `probe`, but given to it."""
CANDIDATES = {"root_xc": "root_valid", "cap/all_canonical": "cap/all_valid"}
"""Points that are compared where they are solutions, and what says where; names without the group's."""


def check(fixture: Fixture, *, compat: bool) -> tuple[list[Comparison], list[str]]:
    """Comparisons, and the names of what is recorded but not known here.

    Args:
        compat: compute as the authors' code does where this project differs on purpose.
    """
    checker = _Checker(fixture, compat)
    comparisons = list(checker.run())
    done = {c.name for c in comparisons} | INPUTS
    unknown = [key for key in fixture.outputs if key not in done and key.split("/")[0].split("_")[0] != "in"]
    return comparisons, sorted(unknown)


class _Checker:
    def __init__(self, fixture: Fixture, compat: bool):
        self.fixture, self.compat = fixture, compat

    def run(self) -> Iterator[Comparison]:
        """All groups: what needs the base inputs, then each variant's passes."""
        flame, avatar = self._build("")
        frame = quantities.read_frame(self.fixture.inputs(""), avatar, "in")
        yield from self._compare("flame", quantities.head_quantities(flame, frame.head))
        probe = self.fixture.group("probe")
        if "x" in probe:
            with torch.no_grad():
                posed = flame(frame.head, frame.latent)
            yield from self._compare("probe", quantities.probe_quantities(avatar, posed, probe))
        for variant in self.fixture.variants:
            yield from self._passes(variant)

    def _build(self, variant: str) -> tuple[Flame, Avatar]:
        inputs = self.fixture.inputs(variant)
        shape = inputs["shape_params"].reshape(-1) if "shape_params" in inputs else None
        flame = flame_of_checkpoint(self.fixture.head, self.fixture.state, shape)
        return flame, avatar_of_checkpoint(self.fixture.state, flame, compat=self.compat)

    def _passes(self, variant: str) -> Iterator[Comparison]:
        flame, avatar = self._build(variant)
        surface = quantities.head_surface(flame, self.fixture.head)
        for kind in ("eval", "train"):
            group = f"{kind}{variant}"
            recorded = self.fixture.group(group)
            if not recorded:
                continue
            frame = quantities.read_frame(self.fixture.inputs(variant), avatar, f"in{variant}")
            found = quantities.forward(avatar, flame, frame, training=kind == "train")
            values = quantities.pass_quantities(avatar, surface.supervision, found, recorded)
            losses = {k.removeprefix("loss/"): v for k, v in recorded.items() if k.startswith("loss/")}
            if losses:
                computed = quantities.loss_quantities(surface, avatar, found, losses, compat=self.compat)
                values |= {f"loss/{name}": value for name, value in computed.items()}
                if any(name.startswith("grad") for name in recorded):
                    gradients = quantities.gradients(avatar, found, computed["loss"])
                    values |= {f"grad/{name}": value for name, value in gradients.items()}
                    values |= {f"gradnorm/{name}": value.norm() for name, value in gradients.items()}
            yield from self._compare(group, values)

    def _compare(self, group: str, found: Arrays) -> Iterator[Comparison]:
        recorded = self.fixture.group(group)
        for name, values in found.items():
            if name not in recorded:
                continue
            where = CANDIDATES.get(name)
            if where is None or where not in recorded:
                yield compare(f"{group}/{name}", values, recorded[name])
            else:
                yield self._compare_candidates(f"{group}/{name}", values, recorded[name], recorded[where], found[where])

    def _compare_candidates(
        self, name: str, found: Tensor, recorded: Tensor, recorded_valid: Tensor, found_valid: Tensor
    ) -> Comparison:
        """Solutions only; what has not converged depends on every rounding of ten steps."""
        both = recorded_valid.bool() & found_valid
        left_out = recorded_valid.numel() - int(both.sum())
        note = f"{left_out} of {recorded_valid.numel()} candidates have not converged" if left_out else ""
        return compare(name, found[both], recorded[both], note)
