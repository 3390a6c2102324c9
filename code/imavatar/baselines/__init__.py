"""The methods that the paper compares with, behind the avatar's own interfaces (docs/baselines.md)."""
