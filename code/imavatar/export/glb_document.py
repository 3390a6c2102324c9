"""Look-ups in the description of a glTF file, which may hold anything in any place."""

from collections.abc import Iterator
from typing import Any

from imavatar.export.glb_container import WrongGlb, shown


class GltfDocument:
    """A description, whose lists and numbers are looked up strictly: WrongGlb where they are something else."""

    def __init__(self, description: dict[str, Any]):
        self.description = description
        self._lists: dict[str, list[dict[str, Any]]] = {}

    def all(self, kind: str) -> list[dict[str, Any]]:
        """The objects of a list of the description, none where it has no such list."""
        if kind not in self._lists:
            self._lists[kind] = objects(self.description, kind)
        return self._lists[kind]

    def number(self, where: str, owner: dict[str, Any], key: str, least: int = 0, default: int | None = None) -> int:
        """A whole number of an object."""
        value = owner.get(key, default)
        if not isinstance(value, int) or isinstance(value, bool) or value < least:
            raise WrongGlb(f"{where}: {key} is {shown(value)}, not a whole number from {least}")
        return value

    def referred(self, where: str, owner: dict[str, Any], key: str, kind: str) -> dict[str, Any]:
        """The object of a list that an object names by its number."""
        index, found = self.number(where, owner, key), self.all(kind)
        if index >= len(found):
            raise WrongGlb(f"{where}: {key} is {index}, of {len(found)} {kind}")
        return found[index]

    def all_referred(self, where: str, owner: dict[str, Any], key: str, kind: str) -> None:
        """See that a list of numbers, which is not empty, names objects that are there."""
        indices = owner.get(key)
        if not isinstance(indices, list) or not indices:
            raise WrongGlb(f"{where}: {key} is {shown(indices)}, not a list of numbers")
        for index in indices:
            self.referred(where, {key: index}, key, kind)


def objects(owner: dict[str, Any], key: str) -> list[dict[str, Any]]:
    """A list of objects, empty where it is not there."""
    found = owner.get(key, [])
    if not isinstance(found, list) or not all(isinstance(one, dict) for one in found):
        raise WrongGlb(f"{key} is {shown(found)}, not a list of objects")
    return found


def values_of(key: str, value: Any) -> Iterator[Any]:
    """All values of a key, however deep."""
    left = [value]
    while left:
        value = left.pop()
        if isinstance(value, dict):
            yield from (own for name, own in value.items() if name == key)
            left += value.values()
        elif isinstance(value, list):
            left += value
