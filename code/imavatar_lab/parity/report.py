"""Comparisons as a table and as JSON."""

import json
from collections.abc import Iterable

from imavatar_lab.parity.comparison import Comparison

MEASURES = {"absolute": "abs", "relative": "rel", "norm": "rel, norm", "equal": "unequal"}


def table(comparisons: Iterable[Comparison], unknown: list[str]) -> str:
    """A line for each quantity: differences, tolerance and what it limits, verdict."""
    comparisons = list(comparisons)
    width = max([len(c.name) for c in comparisons], default=8)
    lines = [f"{'quantity':<{width}}  {'absolute':>9}  {'relative':>9}  {'tolerance':>19}  verdict"]
    for c in comparisons:
        limit = f"{c.limit:.0e} {MEASURES[c.kind]}" if c.kind != "equal" else f"{c.limit:.0f} {MEASURES[c.kind]}"
        verdict = ("ok" if c.passed else "OUT") + (f" ({c.note})" if c.note else "")
        lines.append(f"{c.name:<{width}}  {c.absolute:9.2e}  {c.relative:9.2e}  {limit:>19}  {verdict}")
    lines += [f"{name:<{width}}  not checked: not known here" for name in unknown]
    return "\n".join([*lines, summary(comparisons, unknown)])


def summary(comparisons: list[Comparison], unknown: list[str]) -> str:
    """The last line."""
    out = sum(not c.passed for c in comparisons)
    rest = f"; {len(unknown)} recorded arrays are not known here" if unknown else ""
    return f"{len(comparisons) - out} of {len(comparisons)} quantities within tolerance, {out} out{rest}"


def as_json(comparisons: list[Comparison], unknown: list[str], *, compat: bool) -> str:
    """Everything, for programs."""
    tree = {
        "compat": compat,
        "passed": all(c.passed for c in comparisons),
        "quantities": [c.as_dict() for c in comparisons],
        "not_checked": unknown,
    }
    return json.dumps(tree, indent=1).replace("Infinity", "null")
