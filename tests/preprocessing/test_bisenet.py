"""The face-parsing network, with random weights: shapes, names, and what its parts are by definition."""

import io

import numpy as np
import pytest
import torch

from imavatar.anatomy import ParsingLabel
from imavatar.assets import is_there
from imavatar.errors import AssetError
from imavatar.preprocessing import face_parsing
from imavatar.preprocessing.bisenet import BiSeNet
from imavatar.preprocessing.face_parsing import FaceParser, with_parsed
from made_face import SIZE, made_face


@pytest.fixture(scope="module")
def network() -> BiSeNet:
    torch.manual_seed(0)
    return BiSeNet().eval()


def published(network: BiSeNet) -> dict[str, torch.Tensor]:
    """Weights as the public file has them, with those that serve training only."""
    return network.state_dict() | {
        "conv_out16.conv.conv.weight": torch.zeros(1),
        "conv_out32.conv_out.weight": torch.zeros(1),
    }


def stored(weights) -> bytes:
    file = io.BytesIO()
    torch.save(weights, file)
    return file.getvalue()


def test_logits_have_the_size_of_the_images_and_no_image_changes_another(network):
    images = torch.randn(2, 3, 64, 96)
    with torch.inference_mode():
        logits = network(images)
        assert logits.shape == (2, 19, 64, 96)
        torch.testing.assert_close(network(images[1:]), logits[1:], rtol=1e-4, atol=1e-4)


def test_the_deepest_features_are_a_32nd_of_the_image_and_the_finest_an_8th(network):
    with torch.inference_mode():
        shapes = [tuple(features.shape[1:]) for features in network.cp.resnet(torch.randn(1, 3, 64, 96))]
        fine, context = network.cp(torch.randn(1, 3, 64, 96))
    assert shapes == [(128, 8, 12), (256, 4, 6), (512, 2, 3)]
    assert fine.shape == context.shape == (1, 128, 8, 12)


def test_names_of_weights_are_those_of_the_public_file(network):
    names = set(network.state_dict())
    expected = {
        "cp.resnet.conv1.weight",
        "cp.resnet.layer1.1.bn2.running_var",
        "cp.resnet.layer4.0.downsample.0.weight",
        "cp.arm32.conv_atten.weight",
        "cp.conv_avg.bn.bias",
        "cp.conv_head16.conv.weight",
        "ffm.convblk.conv.weight",
        "ffm.conv2.weight",
        "conv_out.conv.conv.weight",
        "conv_out.conv_out.weight",
    }
    # The public file has 191 arrays, of which 14 are of the outputs for training.
    assert expected <= names and len(names) == 191 - 14


def test_a_parser_reads_weights_and_gives_labels_of_the_head_alone(network, monkeypatch, caplog):
    monkeypatch.setattr(face_parsing, "asset_bytes", lambda name: stored(published(network)))
    monkeypatch.setattr(face_parsing, "SIZE", 64)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    parser = FaceParser()
    assert "non-commercial" in caplog.text
    labels = parser(np.random.default_rng(0).integers(0, 255, (SIZE, SIZE, 3), dtype=np.uint8), made_face(0.5))
    assert labels.shape == (SIZE, SIZE) and labels.max() < 19
    assert not labels[120:].any() and not labels[:, 120:].any()


def test_other_weights_are_refused_and_no_code_in_them_is_run(network, monkeypatch, tmp_path):
    monkeypatch.setenv("IMAVATAR_ASSETS", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    lacking = {name: values for name, values in network.state_dict().items() if "ffm" not in name}
    for content in (stored(lacking), stored({"evil": Evil()}), b"none"):
        monkeypatch.setattr(face_parsing, "asset_bytes", lambda name, content=content: content)
        with pytest.raises(AssetError, match=r"bisenet\.pth has no weights of BiSeNet"):
            FaceParser()
    assert not (tmp_path / "ran").exists()


class Evil:
    """Would make a file of the name `ran` where it is unpickled."""

    def __reduce__(self):
        return open, ("ran", "w")


def test_fused_features_count_by_one_and_their_weight(network):
    fine, context = torch.randn(1, 128, 4, 6), torch.randn(1, 128, 4, 6)
    fusion = network.ffm
    with torch.inference_mode():
        features = fusion.convblk(torch.cat([fine, context], dim=1))
        hidden = torch.einsum("oi,bi->bo", fusion.conv1.weight[:, :, 0, 0], features.mean(dim=(2, 3))).clamp(min=0)
        weight = 1 / (1 + torch.exp(-torch.einsum("oi,bi->bo", fusion.conv2.weight[:, :, 0, 0], hidden)))
        torch.testing.assert_close(fusion(fine, context), features * (1 + weight[:, :, None, None]))


def test_the_public_weights_fit():
    if not is_there("bisenet"):
        pytest.skip("bisenet has not been fetched")
    parser = FaceParser()
    assert parser(np.full((SIZE, SIZE, 3), 255, np.uint8), made_face()).shape == (SIZE, SIZE)


def test_the_parsers_labels_replace_where_it_sees_something_and_sides_are_the_subjects():
    labels = np.full((SIZE, SIZE), ParsingLabel.CLOTH, np.uint8)
    labels[:20] = ParsingLabel.BACKGROUND
    parsed = np.zeros((SIZE, SIZE), np.uint8)
    parsed[:100] = ParsingLabel.LEFT_EYE
    joined = with_parsed(labels, parsed, made_face())
    assert not joined[:20].any() and (joined[100:] == ParsingLabel.CLOTH).all()
    assert (joined[20:100, 101:] == ParsingLabel.LEFT_EYE).all()
    assert (joined[20:100, :100] == ParsingLabel.RIGHT_EYE).all()
