"""Settings: HOCON files to frozen dataclasses, strictly, and back."""

from imavatar.config.parse import dump_config, load_config, parse_config
from imavatar.config.schema import Config
from imavatar.config.together import check_class_names, check_method
from imavatar.paths import resolve_path

__all__ = ["Config", "check_class_names", "check_method", "dump_config", "load_config", "parse_config", "resolve_path"]
