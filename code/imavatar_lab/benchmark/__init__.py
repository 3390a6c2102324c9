"""Costs of the fast search and step against the paper's, on the same weights, head and frames."""
