"""Held-out frames: images, metrics, tables."""
