"""Errors that a user can cause. Messages name the file, the field, what was found and what was expected."""


class ImavatarError(Exception):
    """Base of all errors that the commands print without a traceback."""


class ConfigError(ImavatarError):
    """A configuration file cannot be used: unknown key, wrong type, impossible value."""


class DataError(ImavatarError):
    """A recording or subject folder cannot be used."""


class CheckpointError(ImavatarError):
    """A checkpoint is missing, broken, or belongs to another configuration."""


class TrainingError(ImavatarError):
    """A training cannot go on: what it computes is not finite, or nothing is left to learn from."""


class AssetError(ImavatarError):
    """A file that the project does not ship is missing, cannot be fetched, or is not what it should be."""


class BusyError(ImavatarError):
    """Another process is working in the folder that this one needs for itself."""
