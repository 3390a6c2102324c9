"""`${path}` in what pyhocon has parsed: put in here, since of cycles pyhocon itself often never comes back."""

import os
from collections import OrderedDict
from collections.abc import Callable, Iterator
from typing import Any

from pyhocon import ConfigTree
from pyhocon.config_tree import ConfigSubstitution, ConfigValues, NoneValue
from pyhocon.exceptions import ConfigWrongTypeException

from imavatar.errors import ConfigError
from imavatar.names import shown

MAX_SUBSTITUTED = 2**20
"""Characters and values put in, in all: a text that is doubled thirty times is a gigabyte."""

_ABSENT = object()
"""Where nothing is put in: a key without a value is left out, as pyhocon does."""


def substitute(tree: ConfigTree | list, where: Callable[[str, int], str]) -> ConfigTree | list:
    """The tree with values in place of its substitutions.

    `${path}` is the value that the configuration has at the path in the end, or where it has none an environment
    variable; `${?path}` may be missing. A key that refers to itself means the value that it had before. For messages
    `where` gives file and line of a place in a text that pyhocon parsed.

    Raises:
        ConfigError: a substitution has no value, depends on itself, or all together are too large.
    """
    return _Substitution(tree, where).value(tree)


class _Substitution:
    """Every value with substitutions is put together once, when it is first asked for."""

    def __init__(self, root: ConfigTree | list, where: Callable[[str, int], str]):
        self._root = root
        self._where = where
        self._done: dict[int, object] = {}
        self._begun: set[int] = set()
        self._size = 0

    def value(self, node: object) -> Any:
        """A node of the tree without substitutions."""
        if isinstance(node, ConfigValues):
            return self._put_together(node)
        if isinstance(node, ConfigTree):
            found = ConfigTree()
            for key in OrderedDict.keys(node):
                value = self.value(OrderedDict.get(node, key))  # pyhocon's own get takes a key with dots for a path
                if value is not _ABSENT:
                    OrderedDict.__setitem__(found, key, value)
            return found
        if isinstance(node, list):
            return [None if value is _ABSENT else value for value in map(self.value, node)]
        return node

    def _put_together(self, node: ConfigValues):
        """One value of several parts: text, lists or sections one after another."""
        if id(node) not in self._done:
            if id(node) in self._begun:
                first = next(token for token in node.tokens if isinstance(token, ConfigSubstitution))
                raise ConfigError(f"{self._place(first)}: ${{{shown(first.variable)}}} depends on itself")
            self._begun.add(id(node))
            self._done[id(node)] = self._joined(node)
        return self._done[id(node)]

    def _joined(self, node: ConfigValues):
        parts, last = [], len(node.tokens) - 1
        for index, token in enumerate(node.tokens):
            if isinstance(token, ConfigSubstitution):
                value = self._substituted(token, node)
                if value is _ABSENT or isinstance(value, NoneValue):
                    continue
                parts.append(value if index == last or isinstance(value, dict | list) else f"{value}{token.ws}")
            elif token is not None:
                parts.append(self.value(token))
        before = node.overridden_value
        if not parts:
            is_missing = any(isinstance(token, ConfigSubstitution) and token.optional for token in node.tokens)
            return self.value(before) if is_missing and before is not None else _ABSENT
        joined = ConfigValues(parts, "", 0)
        if isinstance(parts[0], ConfigTree):
            # Sections add to what the key had; text and lists replace it.
            earlier = self.value(before)
            joined.overridden_value = earlier if isinstance(earlier, ConfigTree) else None
        try:
            return joined.transform()
        except ConfigWrongTypeException as error:
            raise ConfigError(
                f"{self._where(node._instring, node._loc)}: a value of several parts mixes text, lists and sections"
            ) from error

    def _substituted(self, substitution: ConfigSubstitution, owner: ConfigValues):
        """What takes the place of a substitution, which is part of `owner`."""
        value = self.value(self._find(ConfigTree.parse_key(substitution.variable), owner))
        if value is _ABSENT:
            value = os.environ.get(substitution.variable, _ABSENT)
        if value is _ABSENT and not substitution.optional:
            raise ConfigError(
                f"{self._place(substitution)}: ${{{shown(substitution.variable)}}} is not defined, neither by the "
                "configuration nor as an environment variable"
            )
        for size in _sizes(value):
            self._size += size
            if self._size > MAX_SUBSTITUTED:
                where = self._place(substitution)
                raise ConfigError(f"{where}: substitutions make more than {MAX_SUBSTITUTED} characters")
        return value

    def _find(self, path: list[str], owner: ConfigValues):
        """The node at a path of the configuration, as `owner` means it."""
        node = self._root
        for part in path:
            node = self.value(node) if isinstance(node, ConfigValues) else node
            node = OrderedDict.get(node, part, _ABSENT) if isinstance(node, ConfigTree) else _ABSENT
            node = self._earlier(node, owner)
        return node

    def _place(self, substitution: ConfigSubstitution) -> str:
        return self._where(substitution.instring, substitution.loc)

    @staticmethod
    def _earlier(node: object, owner: ConfigValues) -> Any:
        """The node, or where the owner is a part of it what its key had before."""
        if not any(part is owner for part in _with_earlier(node)):
            return node
        return _ABSENT if owner.overridden_value is None else owner.overridden_value


def _with_earlier(node: object) -> Iterator[ConfigValues]:
    """A value and those that its key had before it."""
    seen = set()
    while isinstance(node, ConfigValues) and id(node) not in seen:
        seen.add(id(node))
        yield node
        node = node.overridden_value


def _sizes(value: object) -> Iterator[int]:
    """Of a value and all in it: characters, or one."""
    yield len(value) if isinstance(value, str) else 1
    if isinstance(value, dict):
        for key in dict.keys(value):
            yield len(key)
            yield from _sizes(OrderedDict.get(value, key))
    elif isinstance(value, list):
        for item in value:
            yield from _sizes(item)
