"""Configuration -> frames, and the folder of a run; configurations for another subject or sequence."""

from dataclasses import replace

from imavatar.config import Config, resolve_path
from imavatar.data.dataset import FaceDataset
from imavatar.data.subject_table import SubjectTable
from imavatar.errors import ConfigError
from imavatar.names import NAME_RULE, is_name, shown
from imavatar.training.run_folder import RunFolder


def build_run_folder(config: Config) -> RunFolder:
    """Where a run of this configuration lies."""
    return RunFolder.of(
        resolve_path(config.train.exps_folder),
        config.dataset.subject_name,
        config.train.methodname,
        config.dataset.train.sub_dir,
    )


def build_dataset(
    config: Config, split: str, *, only_json: bool = False, use_semantics: bool | None = None
) -> FaceDataset | SubjectTable:
    """The frames of one split, `train` or `test`.

    Args:
        only_json: without their images, as a `SubjectTable`.
        use_semantics: whether frames carry semantics; else those of training do that is supervised by them.
    """
    if use_semantics is None:
        use_semantics = config.loss.gt_w_seg and split == "train"
    part = getattr(config.dataset, split)
    folder, subject = resolve_path(config.dataset.data_folder), config.dataset.subject_name
    options = {
        "subsample": part.subsample,
        "json_name": config.dataset.json_name,
        "n_expression": config.model.deformer_network.num_exp,
    }
    if only_json:
        return SubjectTable(folder, subject, part.sub_dir, part.img_res, **options)
    return FaceDataset(folder, subject, part.sub_dir, part.img_res, use_semantics=use_semantics, **options)


def with_test_dir(config: Config, sub_dir: str) -> Config:
    """The configuration with one test sequence.

    Raises:
        ConfigError: it is no name; those of a configuration are checked when it is read.
    """
    _check_name(sub_dir, "--sequence")
    test = replace(config.dataset.test, sub_dir=(sub_dir,))
    return replace(config, dataset=replace(config.dataset, test=test))


def with_subject(config: Config, subject: str | None) -> Config:
    """The configuration for another subject.

    Raises:
        ConfigError: it is no name.
    """
    if subject is None:
        return config
    _check_name(subject, "--subject")
    return replace(config, dataset=replace(config.dataset, subject_name=subject))


def _check_name(text: str, option: str) -> None:
    """What a command line puts in a configuration's place is held to the same rule."""
    if not is_name(text):
        raise ConfigError(f'{option} is "{shown(text)}", expected {NAME_RULE}')
