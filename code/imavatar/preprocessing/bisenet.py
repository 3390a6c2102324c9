"""BiSeNet (Yu et al., ECCV 2018) for face parsing: a residual network whose deep features are pooled, weighted by
attention, and fused with finer ones.

Names of modules are those of the public weights; the outputs that serve training only are left out. The spatial path is
the residual network's second stage.
"""

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional

STAGES = (64, 128, 256, 512)
FUSED = 128
N_LABELS = 19
TRAINING_ONLY = ("conv_out16.", "conv_out32.")
"""Beginnings of the names of weights that are not used."""


class BiSeNet(nn.Module):
    """Images, normalised as for ImageNet, to logits of 19 face-parsing labels at the images' size."""

    def __init__(self):
        super().__init__()
        self.cp = _ContextPath()
        self.ffm = _Fusion(STAGES[1] + FUSED, 2 * FUSED)
        self.conv_out = _Output(2 * FUSED, N_LABELS)

    def forward(self, images: Float[Tensor, "b 3 h w"]) -> Float[Tensor, "b 19 h w"]:
        """Logits of the labels; the sides of the images are multiples of 32."""
        fine, context = self.cp(images)
        logits = self.conv_out(self.ffm(fine, context))
        return functional.interpolate(logits, images.shape[2:], mode="bilinear", align_corners=True)


class _Convolution(nn.Module):
    """Convolution, batch normalisation, and what is positive of it."""

    def __init__(self, n_in: int, n_out: int, size: int = 3):
        super().__init__()
        self.conv = nn.Conv2d(n_in, n_out, size, padding=size // 2, bias=False)
        self.bn = nn.BatchNorm2d(n_out)

    def forward(self, features: Float[Tensor, "b i h w"]) -> Float[Tensor, "b o h w"]:
        return functional.relu(self.bn(self.conv(features)))


class _Residual(nn.Module):
    """Two convolutions beside the identity, or beside a projection where the size changes."""

    def __init__(self, n_in: int, n_out: int, stride: int):
        super().__init__()
        self.conv1 = nn.Conv2d(n_in, n_out, 3, stride, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(n_out)
        self.conv2 = nn.Conv2d(n_out, n_out, 3, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(n_out)
        self.downsample = None
        if stride > 1 or n_in != n_out:
            self.downsample = nn.Sequential(nn.Conv2d(n_in, n_out, 1, stride, bias=False), nn.BatchNorm2d(n_out))

    def forward(self, features: Float[Tensor, "b i h w"]) -> Float[Tensor, "b o h2 w2"]:
        residual = self.bn2(self.conv2(functional.relu(self.bn1(self.conv1(features)))))
        kept = features if self.downsample is None else self.downsample(features)
        return functional.relu(kept + residual)


def _stage(n_in: int, n_out: int, stride: int) -> nn.Sequential:
    return nn.Sequential(_Residual(n_in, n_out, stride), _Residual(n_out, n_out, 1))


class _ResNet18(nn.Module):
    """Features at an 8th, a 16th and a 32nd of the images' size."""

    def __init__(self):
        super().__init__()
        self.conv1 = nn.Conv2d(3, STAGES[0], 7, 2, padding=3, bias=False)
        self.bn1 = nn.BatchNorm2d(STAGES[0])
        self.layer1 = _stage(STAGES[0], STAGES[0], 1)
        self.layer2 = _stage(STAGES[0], STAGES[1], 2)
        self.layer3 = _stage(STAGES[1], STAGES[2], 2)
        self.layer4 = _stage(STAGES[2], STAGES[3], 2)

    def forward(self, images: Float[Tensor, "b 3 h w"]) -> tuple[Tensor, Tensor, Tensor]:
        features = functional.relu(self.bn1(self.conv1(images)))
        features = self.layer1(functional.max_pool2d(features, 3, 2, padding=1))
        eighth = self.layer2(features)
        sixteenth = self.layer3(eighth)
        return eighth, sixteenth, self.layer4(sixteenth)


class _Attention(nn.Module):
    """Features whose channels are weighted by what the whole image shows."""

    def __init__(self, n_in: int, n_out: int):
        super().__init__()
        self.conv = _Convolution(n_in, n_out)
        self.conv_atten = nn.Conv2d(n_out, n_out, 1, bias=False)
        self.bn_atten = nn.BatchNorm2d(n_out)

    def forward(self, features: Float[Tensor, "b i h w"]) -> Float[Tensor, "b o h w"]:
        features = self.conv(features)
        return features * torch.sigmoid(self.bn_atten(self.conv_atten(_mean(features))))


class _ContextPath(nn.Module):
    """Fine features, and deep ones brought to their size."""

    def __init__(self):
        super().__init__()
        self.resnet = _ResNet18()
        self.arm16, self.arm32 = _Attention(STAGES[2], FUSED), _Attention(STAGES[3], FUSED)
        self.conv_head32, self.conv_head16 = _Convolution(FUSED, FUSED), _Convolution(FUSED, FUSED)
        self.conv_avg = _Convolution(STAGES[3], FUSED, 1)

    def forward(self, images: Float[Tensor, "b 3 h w"]) -> tuple[Tensor, Tensor]:
        eighth, sixteenth, deepest = self.resnet(images)
        deep = self.arm32(deepest) + self.conv_avg(_mean(deepest))
        deep = self.conv_head32(functional.interpolate(deep, sixteenth.shape[2:]))
        deep = self.arm16(sixteenth) + deep
        return eighth, self.conv_head16(functional.interpolate(deep, eighth.shape[2:]))


class _Fusion(nn.Module):
    """Both paths' features, of which those that the whole image asks for count twice."""

    def __init__(self, n_in: int, n_out: int):
        super().__init__()
        self.convblk = _Convolution(n_in, n_out, 1)
        self.conv1 = nn.Conv2d(n_out, n_out // 4, 1, bias=False)
        self.conv2 = nn.Conv2d(n_out // 4, n_out, 1, bias=False)

    def forward(self, fine: Float[Tensor, "b f h w"], context: Float[Tensor, "b c h w"]) -> Float[Tensor, "b o h w"]:
        features = self.convblk(torch.cat([fine, context], dim=1))
        weights = torch.sigmoid(self.conv2(functional.relu(self.conv1(_mean(features)))))
        return features * weights + features


class _Output(nn.Module):
    def __init__(self, n_in: int, n_out: int):
        super().__init__()
        self.conv = _Convolution(n_in, n_in)
        self.conv_out = nn.Conv2d(n_in, n_out, 1, bias=False)

    def forward(self, features: Float[Tensor, "b i h w"]) -> Float[Tensor, "b o h w"]:
        return self.conv_out(self.conv(features))


def _mean(features: Float[Tensor, "b c h w"]) -> Float[Tensor, "b c 1 1"]:
    return features.mean(dim=(2, 3), keepdim=True)
