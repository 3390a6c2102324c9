"""Configuration files: what parses, what comes back, and one clear message for everything else."""

import dataclasses
import logging
from pathlib import Path

import pytest

from imavatar.config import Config, dump_config, load_config, resolve_path
from imavatar.config.schema import IGNORED_KEYS
from imavatar.errors import ConfigError

PROJECT = Path(__file__).parents[1]
CONFS = sorted((PROJECT / "confs").rglob("*.conf"))

# A file in the authors' manner: every key that theirs have, unquoted names, a trailing comma.
AUTHORS = """
train{
    exps_folder = ../data/experiments/
    methodname = IMavatar
    dataset_class = datasets.real_dataset.FaceDataset
    model_class = model.implicit_morphable_model.IMavatar
    loss_class = model.loss.Loss
    learning_rate = 1.0e-4
    learning_rate_cam = 1.0e-4
    num_pixels = 2048
    batch_size = 1
    plot_freq = 1
    alpha_milestones = []
    alpha_factor = 2
    sched_milestones = [400, 800]
    sched_factor = 0.5
    optimize_latent_code = False
    optimize_expression = False
    optimize_camera = True
    GT_lbs_milestones = [20, 40]
    GT_lbs_factor = 0.5
}
plot{ plot_nimgs = 2, max_depth = 6.0, min_depth = 3.0, res_init = 32, res_up = 3 }
loss{
    mask_weight = 100.0
    lbs_weight = 1.0
    flame_distance_weight = 10000.0
    alpha = 50.0
    gt_w_seg = True
    expression_reg_weight = 0.0
    pose_reg_weight = 0.0
    cam_reg_weight = 0.0
}
dataset{
    data_folder = ../data/datasets
    subject_name = subject1
    json_name = flame_params.json
    train{ sub_dir = [MVI_1810, MVI_1814], img_res = [256, 256], subsample = 1 }
    test{ sub_dir = [MVI_1812], img_res = [256, 256], subsample = 200 }
}
model{
    feature_vector_size = 256
    deformer_class = model.deformer_network.ForwardDeformer
    geometry_network
    {
        d_in = 3
        condition_in = 0,
        d_out = 1
        dims = [512, 512, 512, 512, 512, 512, 512, 512]
        geometric_init = True
        bias = 0.6
        skip_in = [4]
        weight_norm = True
        multires = 6
        use_freq_band = True
    }
    rendering_network
    {
        d_in = 6
        bottleneck = 8
        condition_in = 53
        d_out = 3
        dims = [512, 512, 512, 512]
        weight_norm = True
        multires_view = 0
        multires_pnts = 4
    }
    ray_tracer
    {
        object_bounding_sphere = 1.2
        sdf_threshold = 5.0e-5
        line_search_step = 0.5
        line_step_iters = 3
        sphere_tracing_iters = 10
        n_steps = 100
        n_secant_steps = 8
        use_sphere_tracing = False
    }
    deformer_network
    {
        d_in = 3
        dims = [128, 128, 128, 128]
        weight_norm = True
        multires = 0
        num_exp = 50
        ghostbone = True
    }
}
"""

SMALLEST = "dataset { subject_name = ada, train { sub_dir = [a] }, test { sub_dir = [b] } }\n"


@pytest.fixture
def load(tmp_path):
    """Load a configuration from its text."""

    def load_text(text: str) -> Config:
        path = tmp_path / "some.conf"
        path.write_text(text, encoding="utf-8")
        return load_config(path)

    return load_text


def test_a_file_in_the_authors_manner_is_read(load):
    config = load(AUTHORS)
    assert config.dataset.train.sub_dir == ("MVI_1810", "MVI_1814")
    assert config.dataset.test.subsample == 200
    assert config.train.GT_lbs_milestones == (20, 40)
    assert config.train.learning_rate == 1e-4
    assert config.model.geometry_network.condition_in == 0
    assert config.model.geometry_network.use_freq_band is True


def test_ignored_keys_are_logged_with_their_reason(load, caplog):
    with caplog.at_level(logging.DEBUG, logger="imavatar.config"):
        load(AUTHORS)
    for key, reason in IGNORED_KEYS.items():
        messages = [record.message for record in caplog.records if f" {key} " in record.message]
        assert len(messages) == 1 and reason in messages[0]


def test_keys_left_out_have_the_papers_values(load):
    paper = load(AUTHORS.replace("use_freq_band = True", "").replace("GT_lbs_milestones = [20, 40]", ""))
    smallest = load(SMALLEST)
    assert dataclasses.replace(smallest, dataset=paper.dataset) == paper


@pytest.mark.parametrize("path", CONFS, ids=lambda path: path.name)
def test_every_configuration_of_the_project_is_read_and_written_back_equal(path, load):
    config = load_config(path)
    assert load(dump_config(config)) == config


def test_the_projects_supervised_configuration_has_the_authors_values(load):
    ours = load_config(PROJECT / "confs" / "IMavatar_supervised.conf")
    theirs = load(AUTHORS.replace("use_freq_band = True", "").replace("GT_lbs_milestones = [20, 40]", ""))
    assert ours == theirs


def test_the_unsupervised_configuration_differs_in_supervision_only():
    one, other = (load_config(PROJECT / f"confs/IMavatar_{name}.conf") for name in ("supervised", "unsupervised"))
    assert (other.loss.lbs_weight, other.loss.flame_distance_weight, other.loss.gt_w_seg) == (
        0,
        0,
        False,
    )
    assert other.train.methodname == "IMavatar_unsupervised"
    assert other.model == one.model and other.dataset == one.dataset


@pytest.mark.parametrize(
    "name",
    [
        "018",
        "null",
        "True",
        "a b",
        'a "b"',
        "a#b",
        "Zoë",
        "10 seconds",
        "${x}",
    ],
)
def test_awkward_names_survive_being_written_and_read(load, name):
    config = load(SMALLEST)
    split = dataclasses.replace(config.dataset.train, sub_dir=(name, "k"), subsample=(1, 5))
    dataset = dataclasses.replace(config.dataset, subject_name=name, train=split)
    loss = dataclasses.replace(config.loss, alpha=1e-5, mask_weight=1e20, lbs_weight=0.1 + 0.2)
    config = dataclasses.replace(config, dataset=dataset, loss=loss)
    assert load(dump_config(config)) == config


@pytest.mark.parametrize("text", ["../a//b", "/", "back\\slash", 'a "b"', "..", "a\u00a0b"])
def test_awkward_paths_survive_being_written_and_read(load, text):
    config = load(SMALLEST)
    train = dataclasses.replace(config.train, exps_folder=text)
    config = dataclasses.replace(config, train=train)
    assert load(dump_config(config)) == config


def test_whole_numbers_are_accepted_for_numbers(load):
    alpha = load(SMALLEST + "loss.alpha = 20").loss.alpha
    assert alpha == 20.0 and isinstance(alpha, float)


def test_single_networks_can_have_their_own_learning_rate(load):
    rates = load(SMALLEST + "train.learning_rates { texture = 2e-3, deformer = null }").train.learning_rates
    assert (rates.geometry, rates.deformer, rates.texture) == (None, None, 2e-3)


def test_a_misspelt_key_names_its_path_the_nearest_and_the_known_keys(load):
    with pytest.raises(ConfigError) as caught:
        load(SMALLEST + "train { num_pixles = 5 }")
    message = str(caught.value)
    assert "some.conf: unknown key train.num_pixles; did you mean num_pixels?" in message
    assert "learning_rate_cam" in message


def test_a_key_in_the_wrong_section_is_sent_to_the_right_one(load):
    with pytest.raises(ConfigError, match=r"unknown key train\.mask_weight; did you mean loss\.mask_weight\?"):
        load(SMALLEST + "train { mask_weight = 5 }")


WRONG = {
    "text for a boolean": (
        'loss.gt_w_seg = "False"',
        'gt_w_seg is the text "False", expected True or False',
    ),
    "a number for a boolean": (
        "loss.gt_w_seg = 0",
        "gt_w_seg is the number 0, expected True or False",
    ),
    "a boolean for a number": (
        "train.num_pixels = True",
        "num_pixels is True, expected a whole number",
    ),
    "a boolean for a float": ("loss.alpha = True", "alpha is True, expected a number"),
    "a fraction for a whole number": ("train.num_pixels = 2048.0", "expected a whole number"),
    "text for a number": ("loss.alpha = high", 'alpha is the text "high", expected a number'),
    "null for a number": ("loss.alpha = null", "alpha is null, expected a number"),
    "too large a number": ("loss.alpha = 1e999", "alpha is inf, expected a finite number"),
    "a numeric name": (
        "dataset.subject_name = 018",
        "subject_name is the number 18, expected text; put quotes",
    ),
    "a numeric name in a list": (
        "dataset.train.sub_dir = [018]",
        r"sub_dir\[0\] is the number 18.*put quotes",
    ),
    "a name like a duration": (
        "train.methodname = 10 seconds",
        "methodname is the duration.*put quotes",
    ),
    "a name for a list of names": (
        "dataset.test.sub_dir = b",
        'sub_dir is the text "b", expected a list',
    ),
    "a number for a list": ("train.alpha_milestones = 5", "expected a list"),
    "a list for a number": ("train.num_pixels = [5]", "num_pixels is a list of 1 values"),
    "one side only": ("dataset.test.img_res = [256]", "img_res has 1 values, expected 2"),
    "text in a list": ("model.geometry_network.dims = [8, x]", r"dims\[1\] is the text \"x\""),
    "a value for a section": ("loss = 3", "loss is the number 3, expected a section"),
    "a section for a value": (
        "train.num_pixels { a = 1 }",
        "num_pixels is a section with the keys a",
    ),
    "no pixels": ("train.num_pixels = 0", "num_pixels is 0, expected a number above 0"),
    "a negative weight": (
        "loss.mask_weight = -1.0",
        "mask_weight is -1.0, expected a number of at least 0",
    ),
    "an image without width": (
        "dataset.train.img_res = [64, 0]",
        "expected .height, width., both positive",
    ),
    "milestones out of order": (
        "train.sched_milestones = [8, 4]",
        r"is \[8, 4\], expected a list of ascending",
    ),
    "a decay above one": ("train.lr_decay = 2", "expected a number above 0 and at most 1"),
    "an unknown search": ("model.ray_tracer.search = fast", "is 'fast', expected paper or proxy"),
    "an empty name": ('dataset.subject_name = ""', "expected a name that is not empty"),
    "no recordings": ("dataset.train.sub_dir = []", "expected a list of at least one name"),
    "a subsample of one index": (
        "dataset.train.subsample = [3]",
        r"is \[3\], expected n for every n-th",
    ),
    "a backward range": ("dataset.train.subsample = [5, 2]", "expected n for every n-th"),
    "a size that is not built": ("model.geometry_network.d_in = 4", "d_in is 4, expected 3"),
    "a condition of another size": (
        "model.deformer_network.num_exp = 20",
        "condition_in is 53, expected 23",
    ),
    "a latent code without room": (
        "train.optimize_latent_code = True",
        "condition_in is 0; expected 32",
    ),
    "a skip beyond the layers": (
        "model.geometry_network.skip_in = [9]",
        "layer 9, expected at most 8",
    ),
    "a skip with no room": (
        "model.geometry_network.dims = [64, 64, 64, 39, 64]",
        r"dims\[3\] is 39, expected .* 40",
    ),
}


@pytest.mark.parametrize("case", WRONG)
def test_a_wrong_value_is_named_with_what_was_expected(load, case):
    line, message = WRONG[case]
    with pytest.raises(ConfigError, match=rf"some\.conf: .*{message}"):
        load(SMALLEST + line)


def test_a_key_without_a_default_must_be_given(load):
    with pytest.raises(ConfigError, match=r"dataset\.subject_name is missing"):
        load("dataset { train { sub_dir = [a] }, test { sub_dir = [b] } }")
    with pytest.raises(ConfigError, match="dataset is missing"):
        load("")


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(ConfigError, match=r"absent\.conf: no such file"):
        load_config(tmp_path / "absent.conf")


@pytest.mark.parametrize(
    ("text", "line"),
    [("train {\n  seed = 3\n", 3), ("a = 1\nb = = 2\n", 2), ("train { seed = ${x} }", 1)],
)
def test_broken_hocon_names_file_and_line(load, text, line):
    with pytest.raises(ConfigError, match=rf"some\.conf: .*line:? {line}"):
        load(text)


def test_a_file_that_is_a_list_is_refused(load):
    with pytest.raises(ConfigError, match="is a list, expected sections"):
        load("[1, 2]")


def test_relative_paths_start_at_the_code_folder():
    assert resolve_path("../data/datasets") == PROJECT.resolve() / "data" / "datasets"
    assert resolve_path("/tmp/x").is_absolute()
