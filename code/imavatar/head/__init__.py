"""Parametric head models in the file layout of FLAME."""
