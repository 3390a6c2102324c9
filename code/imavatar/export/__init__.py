"""Meshes and videos of an avatar."""
