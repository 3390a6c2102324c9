"""Settings: HOCON files to frozen dataclasses, strictly, and back."""

from imavatar.config.dump import dump_config
from imavatar.config.parse import load_config, with_current_keys
from imavatar.config.schema import Config
from imavatar.paths import resolve_path

__all__ = ["Config", "dump_config", "load_config", "resolve_path", "with_current_keys"]
