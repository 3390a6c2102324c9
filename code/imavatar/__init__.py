"""Implicit morphable head avatars from a monocular video."""

__version__ = "0.1.0"
