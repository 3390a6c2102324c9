"""Settings: HOCON files to frozen dataclasses, strictly, and back."""

from imavatar.config.dump import dump_config
from imavatar.config.parse import load_config, resolve_path
from imavatar.config.schema import Config

__all__ = ["Config", "dump_config", "load_config", "resolve_path"]
