"""HOCON files to plain dictionaries. The grammar is pyhocon's; what it may read and how much it may do is decided here.

While pyhocon parses, it requests `include url(...)` from the network and imports the module that `include package(...)`
names, and a file that is missing it takes for empty. A configuration may come from anyone, so the includes of a text
are found and read here first. For as long as pyhocon parses, the functions by which it would read an include stand
replaced: it gets the files that were admitted before, and everything else is an error, whatever the text looks like.
"""

import os
import re
import stat
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, NoReturn

import pyparsing
from pyhocon import ConfigTree, config_parser
from pyhocon.config_parser import NO_SUBSTITUTION, ConfigParser
from pyhocon.exceptions import ConfigException

from imavatar.config.substitution import substitute
from imavatar.errors import ConfigError
from imavatar.names import shown
from imavatar.paths import shipped_conf

MAX_BYTES = 256 * 1024
"""Of a configuration with its includes, each as often as it is included. The longest of this project has 4 KB; pyhocon
takes seconds for as many comments as this allows."""
MAX_INCLUDES = 50
MAX_DEPTH = 20
"""Of brackets, an include counting twice: pyhocon uses about twenty of Python's thousand stack frames for each. The
schema is four deep."""
MAX_WORDS = 20_000
"""Most are in lists of frames; a second of pyhocon's time for four thousand."""
MAX_SETTINGS = 1000
"""pyhocon's time grows with their square; the schema has about 120."""
MAX_SUBSTITUTIONS = 100
"""Each may depend on another, in as many of Python's stack frames as a bracket takes."""

NOT_READ = {
    "url": "nothing is read from the network: save the content as a file and include that",
    "package": "no Python package is imported: include a file by its path",
}
WILDCARDS = "*?"

_TOKEN = re.compile(
    r"""
    (?P<comment>(?:\#|//)[^\n]*)
    |(?P<include>(?i:include)(?![A-Za-z0-9_$])[ \t]*(?P<kinds>(?:\w+[ \t]*\([ \t]*)*)
        "(?P<target>(?:[^"\\\n]|\\.)*)"[ \t)]*)
    |(?P<text>\"\"\"(?s:.*?)"*\"\"\"|"(?:[^"\\\n]|\\.)*")
    |(?P<quote>")
    |(?P<substitution>\$\{[^}]*\}|\+=)
    |(?P<open>[{\[])
    |(?P<close>[}\]])
    |(?P<assignment>[=:])
    |(?P<comma>,)
    |(?P<line>\n)
    |(?P<space>[^\S\n]+)
    |(?P<word>(?:[^\s"{}\[\],=:\#\\]|\\.)+|.)
    """,
    re.VERBOSE,
)
"""pyhocon's tokens, as far as it matters where an include, a bracket or a substitution begins."""


def read_hocon(path: str | os.PathLike) -> dict:
    """The content of a configuration file with its includes, as dictionaries, lists and values.

    Raises:
        ConfigError: in one line, with the file and where it is known the line.
    """
    name = os.fspath(path) or "."  # as pathlib has it
    return parse_hocon(_read_text(name, f"{name}: ", regular=False), name)


def parse_hocon(text: str, name: str) -> dict:
    """As `read_hocon`, of a text. Messages name its file, beside which included files are looked for."""
    tree = _Reading(name, text).tree()
    if not isinstance(tree, dict):
        raise ConfigError(f"{name}: is a list, expected sections such as train {{ ... }}")
    return tree


@dataclass(frozen=True)
class _Include:
    """An include as written. `kinds` are the functions around its path, as in `required(file("x"))`."""

    where: str
    target: str
    kinds: tuple[str, ...]
    depth: int


class _Reading:
    """One configuration: its files, and pyhocon while it parses them."""

    def __init__(self, name: str, text: str):
        self.name = name
        self.texts = {name: text}
        self._found: dict[str, str] = {}
        self._counts: dict[str, int] = {}
        self._size = self._n_includes = self._n_parsed = 0
        self.open_files = [name]
        self._parser = _parser_for(self)
        self._admit(name, [(os.path.realpath(name), name)], depth=0)

    def tree(self) -> dict | list:
        """The parsed content."""
        with _in_charge_of_includes(self):
            return self._parse(self.name, lambda tree: _plain(substitute(tree, self.where)))

    def _admit(self, name: str, chain: list[tuple[str, str]], depth: int) -> None:
        """Read the files that a file includes, and what those include."""
        self._size += len(self.texts[name].encode())
        if self._size > MAX_BYTES:
            raise ConfigError(
                f"{self.name}: has more than {MAX_BYTES // 1024} KB with what it includes; is it a configuration?"
            )
        for include in self._scan(name, depth):
            asked = _included_path(include, name)
            # An installed package's configurations lie in a folder that nobody knows: they are included by their names.
            shipped = None if os.path.lexists(asked) else shipped_conf(include.target)
            path = self._found[asked] = asked if shipped is None else os.fspath(shipped)
            if path not in self.texts:
                self.texts[path] = _read_text(path, f"{include.where}: {shown(include.target)}: ", regular=True)
            chain_here = [*chain, (os.path.realpath(path), path)]
            if chain_here[-1][0] in [real for real, _ in chain]:
                names = " -> ".join(shown(part) for _, part in chain_here)
                raise ConfigError(f"{include.where}: includes itself: {names}")
            self._n_includes += 1
            if self._n_includes > MAX_INCLUDES:
                raise ConfigError(f"{include.where}: more than {MAX_INCLUDES} includes")
            self._admit(path, chain_here, include.depth + 2)

    def _scan(self, name: str, depth: int) -> Iterator[_Include]:
        """The includes of a text, in order; how much it asks for is counted on the way."""
        line, before, text = 1, "line", self.texts[name]
        for token in _TOKEN.finditer(text):
            kind, where = token.lastgroup, f"{name}: line {line}"
            if kind == "include":
                if before not in ("line", "open", "close", "comma"):
                    raise ConfigError(
                        f"{where}: an include is read at the start of a line of a section, not in a value; "
                        "put quotes around text with the word include"
                    )
                kinds = tuple(re.findall(r"\w+", token["kinds"]))
                # Unescaped as pyhocon does it.
                target = re.sub(r"\\.", lambda it: ConfigParser.REPLACEMENTS.get(it[0], it[0]), token["target"])
                yield _Include(where, target, kinds, depth)
            elif kind == "quote":
                raise ConfigError(f'{where}: a quote (") is opened and not closed on this line')
            elif kind == "open":
                depth += 1
                if depth > MAX_DEPTH:
                    raise ConfigError(f"{where}: brackets are nested more than {MAX_DEPTH} deep")
            elif kind == "close":
                depth -= 1
            self._count(kind, where)
            line += token[0].count("\n")
            before = before if kind in ("space", "comment") else kind

    def _count(self, kind: str, where: str) -> None:
        for counted, most, what in (
            (("assignment", "open"), MAX_SETTINGS, "settings and brackets"),
            (("substitution",), MAX_SUBSTITUTIONS, "substitutions"),
            (("word", "text"), MAX_WORDS, "words and values"),
        ):
            if kind in counted:
                self._counts[what] = self._counts.get(what, 0) + 1
                if self._counts[what] > most:
                    raise ConfigError(f"{where}: more than {most} {what}")

    def _parse(self, name: str, finish: Callable = lambda tree: tree) -> dict | list:
        """What pyhocon makes of one of the files; its includes come back through `parse_file`."""
        self.open_files.append(name)
        try:
            return finish(self._parser.parse(self.texts[name], os.path.dirname(name), False, NO_SUBSTITUTION))
        except ConfigError:
            raise
        except pyparsing.ParseBaseException as error:
            raise ConfigError(
                f"{name}: line {error.lineno}, column {error.column}: {_expected(error.msg)}; "
                "look for a missing bracket or quote there or above"
            ) from error
        except ConfigException as error:
            raise ConfigError(f"{name}: {shown(str(error), 400)}") from error
        except Exception as error:
            # Of text that makes no sense pyhocon raises whatever its code runs into (KeyError, AttributeError,
            # OverflowError, RecursionError, ...): there is no list of it, and the cause is the text in any case.
            raise ConfigError(
                f"{name}: cannot be read as HOCON ({type(error).__name__}: {shown(str(error))})"
            ) from error
        finally:
            self.open_files.pop()

    def parse_file(self, filename: str, **options: object) -> ConfigTree | list:
        """Called by pyhocon for an include, in place of its own function."""
        self._n_parsed += 1
        if filename not in self._found or self._n_parsed > MAX_INCLUDES:
            raise ConfigError(f"{self.open_files[-1]}: an include stands where none is read: {shown(filename)}")
        return self._parse(self._found[filename])

    def parse_URL(self, url: str, **options: object) -> NoReturn:
        """Called by pyhocon for an include of an address, in place of its own function."""
        raise ConfigError(f"{self.open_files[-1]}: include of {shown(url)}: {NOT_READ['url']}")

    def where(self, instring: str, loc: int) -> str:
        """File and line of a place; pyhocon has no text of what it makes of +=."""
        for name, text in self.texts.items():
            if instring == text.expandtabs():  # as pyparsing keeps it
                return f"{name}: line {pyparsing.lineno(loc, instring)}"
        return self.name


def _parser_for(reading: _Reading) -> type[ConfigParser]:
    """pyhocon's parser without its includes of packages."""

    class Parser(ConfigParser):
        @classmethod
        def resolve_package_path(cls, package_path: str) -> NoReturn:
            what = f"include of the package {shown(package_path)}"
            raise ConfigError(f"{reading.open_files[-1]}: {what}: {NOT_READ['package']}")

    return Parser


@contextmanager
def _in_charge_of_includes(reading: _Reading) -> Iterator[None]:
    """Inside, the names by which pyhocon's grammar reads includes lead to a reading; afterwards all is as before.

    That is also so of pyparsing's white space, which pyhocon leaves changed when it fails.
    """
    factory, glob = config_parser.ConfigFactory, config_parser.glob
    white_space = pyparsing.ParserElement.DEFAULT_WHITE_CHARS
    # Wildcards are refused by now, so that what is left for glob are folders with such a character in their name.
    config_parser.ConfigFactory, config_parser.glob = reading, lambda path, **_: [path]
    try:
        yield
    finally:
        config_parser.ConfigFactory, config_parser.glob = factory, glob
        pyparsing.ParserElement.set_default_whitespace_chars(white_space)


def _included_path(include: _Include, name: str) -> str:
    """The path of an include in a file, as pyhocon will ask for it."""
    unknown = [kind for kind in include.kinds if kind not in ("file", "required")]
    is_address = re.match(r"(https?|file)://", include.target) is not None and include.kinds[-1:] != ("file",)
    if unknown or is_address:
        kind = unknown[0] if unknown else "url"
        why = NOT_READ.get(kind, "known are include file(...) and include required(...)")
        raise ConfigError(f"{include.where}: include {kind}(...) is not supported: {why}")
    if any(character in include.target for character in WILDCARDS):
        raise ConfigError(
            f"{include.where}: {shown(include.target)}: wildcards are not supported; include each file by its path"
        )
    return os.path.join(os.path.dirname(name), include.target)


def _read_text(path: str, where: str, *, regular: bool) -> str:
    """The text of a file; a byte order mark, as editors on Windows write it, is left out.

    Args:
        where: begins messages.
        regular: whether nothing but a regular file is read: devices and pipes may never end. Who runs a command may
            name a pipe, who wrote a configuration may not.
    """
    try:
        status = os.stat(path)
        if stat.S_ISDIR(status.st_mode):
            empty = "; is the path empty?" if path == "." and not regular else ""
            raise ConfigError(f"{where}is a folder, expected a configuration file{empty}")
        if regular and not stat.S_ISREG(status.st_mode):
            raise ConfigError(f"{where}is no regular file")
        with open(path, "rb") as file:
            content = file.read(MAX_BYTES + 1)
    except FileNotFoundError:
        hint = "" if regular else "; the configurations of this project are in its folder confs"
        raise ConfigError(f"{where}no such file{hint}") from None
    except (OSError, ValueError) as error:
        raise ConfigError(f"{where}cannot be read ({getattr(error, 'strerror', None) or error})") from error
    if len(content) > MAX_BYTES:
        raise ConfigError(f"{where}has more than {MAX_BYTES // 1024} KB; is it a configuration?")
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise ConfigError(f"{where}is not UTF-8 text ({error.reason} at byte {error.start})") from error
    return text.replace("\r\n", "\n").replace("\r", "\n")


def _expected(message: str) -> str:
    """pyparsing's message; one that recites the grammar in other words."""
    if "'=' | ':' | '+='" in message:
        return "expected =, : or { after a key"
    return message if message and "\n" not in message and len(message) < 80 else "cannot be understood"


def _plain(value: object) -> Any:
    """pyhocon's trees as plain ones, which do not take a key with dots for a path."""
    if isinstance(value, ConfigTree):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_plain(item) for item in value]
    return value
