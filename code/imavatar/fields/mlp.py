"""One multi-layer perceptron for all fields: weight normalisation, a skip connection, softplus or ReLU."""

import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn
from torch.autograd.function import once_differentiable

SOFTPLUS_BETA = 100.0
NEGLIGIBLE = 40.0
"""Of |beta x|: beyond it softplus is max(x, 0) to double precision."""


class WeightNormLinear(nn.Module):
    """A linear layer whose rows are a direction `weight_v` times a length `weight_g`.

    The parameters are named as in the authors' checkpoints.
    """

    def __init__(self, n_in: int, n_out: int):
        super().__init__()
        plain = nn.Linear(n_in, n_out)
        self.bias = nn.Parameter(plain.bias.detach().clone())
        self.weight_g = nn.Parameter(torch.empty(n_out, 1))
        self.weight_v = nn.Parameter(torch.empty(n_out, n_in))
        self.cached: Tensor | None = None
        self.set_weight(plain.weight.detach())

    @property
    def weight(self) -> Float[Tensor, "o i"]:
        """The effective weights; see `cached_weights`."""
        # Read once: another thread may end its `cached_weights` at any time.
        cached = self.cached
        if cached is not None and (cached.requires_grad or not self._differentiable):
            return cached
        return self.weight_v * (self.weight_g / self.weight_v.norm(dim=1, keepdim=True))

    @property
    def _differentiable(self) -> bool:
        return torch.is_grad_enabled() and (self.weight_v.requires_grad or self.weight_g.requires_grad)

    @torch.no_grad()
    def set_weight(self, weight: Float[Tensor, "o i"]) -> None:
        """Make `weight` the effective weights."""
        self.weight_v.copy_(weight)
        self.weight_g.copy_(weight.norm(dim=1, keepdim=True))

    def forward(self, x: Float[Tensor, "n i"]) -> Float[Tensor, "n o"]:
        return F.linear(x, self.weight, self.bias)


@contextmanager
def cached_weights(network: nn.Module) -> Iterator[None]:
    """Weight-normalised layers compute the effective weights once, for all evaluations inside.

    Their parameters must not change inside. Gradients reach the parameters as ever: once, through the shared weights.
    Where the weights are cached already nothing happens.
    """
    layers = [m for m in network.modules() if isinstance(m, WeightNormLinear) and m.cached is None]
    try:
        for layer in layers:
            layer.cached = layer.weight
        yield
    finally:
        for layer in layers:
            layer.cached = None


Linear = WeightNormLinear | nn.Linear
"""A linear layer with or without weight normalisation; both have `weight` and `bias`."""


def linear(n_in: int, n_out: int, weight_norm: bool) -> Linear:
    """A new layer, initialised as torch does."""
    return WeightNormLinear(n_in, n_out) if weight_norm else nn.Linear(n_in, n_out)


def assign_weight(layer: Linear, weight: Tensor, bias: Tensor) -> None:
    """Set the effective weights and the bias of a layer made by `linear`."""
    with torch.no_grad():
        layer.bias.copy_(bias)
        if isinstance(layer, WeightNormLinear):
            layer.set_weight(weight)
        else:
            layer.weight.copy_(weight)


def initialise_hidden(layer: Linear) -> None:
    """Weights N(0, sqrt(2) / sqrt(fan_out)), biases 0 (docs/method.md, section 3)."""
    shape = layer.weight.shape
    weight = torch.randn(shape) * (math.sqrt(2) / math.sqrt(shape[0]))
    assign_weight(layer, weight, torch.zeros(shape[0]))


class _Softplus(torch.autograd.Function):
    """On a CPU many times faster than torch's own, which slows down on the denormal numbers that it makes of x << 0.

    The value is all that the derivative needs, so that nothing else is kept for it.
    """

    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        grown = (x * SOFTPLUS_BETA).clamp_(-NEGLIGIBLE, NEGLIGIBLE).exp_()
        value = grown.add_(1).log_().mul_(1 / SOFTPLUS_BETA)
        torch.maximum(value, x, out=value)
        ctx.save_for_backward(value)
        return value

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> Tensor:
        (value,) = ctx.saved_tensors
        return gradient * softplus_slope(value)


def softplus(x: Tensor) -> Tensor:
    """softplus with beta = 100, log(1 + exp(beta x)) / beta: almost a ReLU but smooth."""
    if x.is_cuda:
        # There what counts is that it is one kernel.
        return F.softplus(x, SOFTPLUS_BETA, NEGLIGIBLE)
    return _Softplus.apply(x)


class _SoftplusAndSlope(torch.autograd.Function):
    """Both from one exponential; the slope is all that either derivative needs."""

    @staticmethod
    def forward(ctx: Any, x: Tensor) -> tuple[Tensor, Tensor]:
        if x.is_cuda:
            value, slope = F.softplus(x, SOFTPLUS_BETA, NEGLIGIBLE), (x * SOFTPLUS_BETA).sigmoid_()
        else:
            grown = (x * SOFTPLUS_BETA).clamp_(-NEGLIGIBLE, NEGLIGIBLE).exp_().add_(1)
            slope = grown.reciprocal().neg_().add_(1)
            value = grown.log_().mul_(1 / SOFTPLUS_BETA)
            torch.maximum(value, x, out=value)
        ctx.save_for_backward(slope)
        ctx.set_materialize_grads(False)
        return value, slope

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, by_value: Tensor | None, by_slope: Tensor | None) -> Tensor | None:
        (slope,) = ctx.saved_tensors
        if by_slope is None:
            return None if by_value is None else by_value * slope
        # The slope is a logistic function: its derivative is beta slope (1 - slope).
        by_x = (1 - slope).mul_(by_slope).mul_(SOFTPLUS_BETA)
        if by_value is not None:
            by_x += by_value
        return by_x.mul_(slope)


def softplus_and_slope(x: Tensor) -> tuple[Tensor, Tensor]:
    """`softplus` and its derivative."""
    return _SoftplusAndSlope.apply(x)


def softplus_slope(activated: Tensor) -> Tensor:
    """Derivative of `softplus` in terms of its value: 1 - exp(-beta softplus(x))."""
    return 1 - (activated * -SOFTPLUS_BETA).exp_()


def layer_with_tangents(
    layer: Linear, value: Float[Tensor, "n i"], tangent: Float[Tensor, "t n i"]
) -> tuple[Float[Tensor, "n o"], Float[Tensor, "t n o"]]:
    """softplus(W v + b) and its derivatives along t directions, given those of v."""
    weight = layer.weight
    value, slope = softplus_and_slope(F.linear(value, weight, layer.bias))
    return value, (tangent @ weight.T) * slope


class LayerStack(nn.Module):
    """Linear layers lin0, lin1, ... of given widths; layer `skip` takes [hidden, input] / sqrt(2).

    Of the input the first `d_skip` numbers come again there, by default all. The layer before the skip is narrower by
    as many, so that the widths keep their meaning (authors' shapes: 473 x 512 before the skip, with
    39 inputs and 512 wide).
    """

    def __init__(
        self,
        d_in: int,
        widths: Sequence[int],
        d_out: int,
        *,
        skip_in: Sequence[int] = (),
        d_skip: int | None = None,
        weight_norm: bool = True,
    ):
        super().__init__()
        self.d_skip = d_in if d_skip is None else d_skip
        self.skip_in = tuple(skip_in)
        sizes = [d_in, *widths, d_out]
        self.n_layers = len(sizes) - 1
        for index in range(self.n_layers):
            n_out = sizes[index + 1] - (self.d_skip if index + 1 in self.skip_in else 0)
            setattr(self, f"lin{index}", linear(sizes[index], n_out, weight_norm))

    @property
    def layers(self) -> list[Linear]:
        """The layers in order."""
        return [getattr(self, f"lin{index}") for index in range(self.n_layers)]

    @property
    def effective_parameters(self) -> list[Tensor]:
        """Everything that the network's values depend on besides its input."""
        return [tensor for layer in self.layers for tensor in (layer.weight, layer.bias)]

    def layer_input(self, index: int, hidden: Tensor, network_input: Tensor) -> Tensor:
        """What layer `index` receives: the hidden values, at a skip joined by the network's input."""
        if index in self.skip_in:
            return torch.cat([hidden, network_input[:, : self.d_skip]], dim=-1) / math.sqrt(2)
        return hidden
