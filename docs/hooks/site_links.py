"""Makes pages of texts outside of docs/, and links between all texts, right on the site as they are in the repository.

In the repository a link is relative to the file that it stands in. On the site README.md is the first page, other
texts of `PAGES` are pages too, and any other file that is linked to is copied.
"""

import posixpath
import re
from pathlib import Path

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

DOCS = "docs"
PAGES = {
    "README.md": "index.md",
    "CONTRIBUTING.md": "contributing.md",
    "CHANGELOG.md": "changelog.md",
    "flame/README.md": "flame.md",
    "data/README.md": "data_folder.md",
}
"""Texts outside of docs/ that become pages, if they are there."""
COPIES = "repository"
"""Folder of the site for linked files that are no pages."""
LINK = re.compile(r"(\]\()(?P<target>[^)\s]+)(\))")
FENCE = re.compile(r"(^```.*?^```[^\n]*$)", re.MULTILINE | re.DOTALL)


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Adds the pages of texts outside of docs/, and the other files that are linked to."""
    root = Path(config.docs_dir).parent
    sources = {f"{DOCS}/{page.src_uri}": Path(page.abs_src_path) for page in files.documentation_pages()}
    for source, place in PAGES.items():
        if (root / source).is_file():
            sources[source] = root / source
            files.append(_file(config, place, root / source))
    for source, path in sources.items():
        for target in _linked(source, path.read_text(encoding="utf-8")):
            place = _place(target)
            if (root / target).is_file() and place.startswith(COPIES) and files.get_file_from_path(place) is None:
                files.append(_file(config, place, root / target))
    return files


def on_page_markdown(markdown: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Turns links of the repository into those of the site."""
    here = page.file.src_uri
    source = next((source for source, place in PAGES.items() if place == here), f"{DOCS}/{here}")

    def rewritten(found: re.Match) -> str:
        target, hash_sign, anchor = found["target"].partition("#")
        if not target or re.match(r"[a-z]+:", target):
            return found[0]
        place = _place(_resolved(source, target))
        return f"{found[1]}{posixpath.relpath(place, posixpath.dirname(here) or '.')}{hash_sign}{anchor}{found[3]}"

    parts = FENCE.split(markdown)
    return "".join(part if part.startswith("```") else LINK.sub(rewritten, part) for part in parts)


def _linked(source: str, markdown: str) -> list[str]:
    targets = [found["target"].partition("#")[0] for found in LINK.finditer(FENCE.sub("", markdown))]
    return [_resolved(source, target) for target in targets if target and not re.match(r"[a-z]+:", target)]


def _resolved(source: str, target: str) -> str:
    """Path in the repository of a link's target."""
    return posixpath.normpath(posixpath.join(posixpath.dirname(source), target))


def _place(path: str) -> str:
    """Where a file of the repository is on the site."""
    if path in PAGES:
        return PAGES[path]
    return path.removeprefix(f"{DOCS}/") if path.startswith(f"{DOCS}/") else f"{COPIES}/{path}"


def _file(config: MkDocsConfig, place: str, path: Path) -> File:
    if path.suffix == ".md":
        return File.generated(config, place, content=path.read_text(encoding="utf-8"))
    return File.generated(config, place, abs_src_path=str(path))
