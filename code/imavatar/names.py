"""Names of files and folders that come from a configuration, a command line or a recording; text in messages."""

import unicodedata

MAX_NAME_BYTES = 255
"""Of one part of a path, on every common file system."""

NAME_RULE = (
    "a name that is not empty and is one part of a path: without / and \\, control characters and space at its ends, "
    f"not . or .., at most {MAX_NAME_BYTES} bytes"
)
"""What `is_name` asks for, to follow "expected"."""

_UNPRINTED = {"Cc", "Cs", "Zl", "Zp"}
"""Unicode categories: control characters, half surrogate pairs (no encoding has them), line and paragraph ends."""


def is_name(text: str) -> bool:
    """Whether text names a file or folder in the folder that it is appended to, and never another place."""
    return (
        text != ""
        and text == text.strip()
        and text not in (".", "..")
        and not any(character in "/\\" for character in text)
        and is_plain(text)
        and len(text.encode()) <= MAX_NAME_BYTES
    )


def is_plain(text: str) -> bool:
    """Whether text has no control characters and can be written to a file, as a path or as content."""
    return not any(unicodedata.category(character) in _UNPRINTED for character in text)


def shown(text: str, longest: int = 80) -> str:
    """Text for a message of one line: what does not print is escaped, and a long text is cut."""
    cut = text if len(text) <= longest else text[: longest - 3] + "..."
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode("ascii") for c in cut)
