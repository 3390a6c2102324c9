"""Whatever the project's texts refer to is there: documents, their numbered sections, links, anchors, pictures."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
FOLDERS = ("code", "tests", "confs", "scripts", "docs", "flame", "examples", ".github")
TOP_FILES = (
    "README.md",
    "data/README.md",
    "CONTRIBUTING.md",
    "CHANGELOG.md",
    "CITATION.cff",
    "environment.yml",
    "pyproject.toml",
)
SUFFIXES = {".py", ".conf", ".sh", ".md", ".yml", ".yaml", ".toml", ".cff", ".smk", ".ipynb", ".css", ".js", ".html"}
SKIPPED = {"__pycache__", "node_modules", "build", "site"}
NOT_OF_THE_PROJECT = {"DATA_CARD.md", "RESULTS.md", "LICENSE.md"}
"""Documents that commands write among a user's results, or that lie in a fetched package."""

NUMBERS = r"\d+(?:(?:, | and | to )\d+)*"
IN_CODE = re.compile(rf"docs/(?P<page>[\w/-]+\.md)(?:#(?P<anchor>[\w-]+))?(?:, sections? (?P<numbers>{NUMBERS}))?")
IN_MARKDOWN = re.compile(rf"\]\((?P<page>[\w./-]+\.md)\), sections? (?P<numbers>{NUMBERS})")
OWN_SECTION = re.compile(rf"(?<!\.md, )(?<!\.md\), )\b[Ss]ections? (?P<numbers>{NUMBERS})\b")
DOCUMENT = re.compile(r"\b[A-Z][A-Z_]+\.md\b")
LINK = re.compile(r"!?\[[^\]]*\]\((?P<target>[^)\s]+)(?: \"[^\"]*\")?\)|(?:src|href)=\"(?P<html>[^\"]+)\"")
CODE_FILE = re.compile(r"(?:\w+/)*\w+\.(?:py|sh|conf)")
WRITTEN_BY_COMMANDS = {"config.conf"}
DOTTED = re.compile(r"[a-z_]+(?:\.[A-Za-z_]\w*)+(?<!\.json)(?<!\.conf)")
HEADING = re.compile(r"^#{1,6} (?P<text>.+?)\s*$", re.MULTILINE)


def texts() -> list[Path]:
    """All texts of the project."""
    found = [ROOT / name for name in TOP_FILES if (ROOT / name).is_file()]
    for folder in FOLDERS:
        paths = (ROOT / folder).rglob("*")
        found += [p for p in paths if p.suffix in SUFFIXES and p.is_file() and not SKIPPED & set(p.parts)]
    return sorted(path for path in found if path != Path(__file__))


def joined(text: str) -> str:
    """The text in one line, so that a citation may be broken between lines, in comments too."""
    return re.sub(r"\s*\n\s*(?:# |// )?", " ", text)


def without_code(markdown: str) -> str:
    """Markdown without code, in which brackets and hashes mean something else."""
    markdown = re.sub(r"^```.*?^```\s*$", "", markdown, flags=re.MULTILINE | re.DOTALL)
    markdown = re.sub(r"^(?: {4}|\t).*$", "", markdown, flags=re.MULTILINE)
    return re.sub(r"`[^`\n]*`", "`code`", markdown)


def section_numbers(markdown: str) -> set[int]:
    """Of the headings that begin with a number."""
    return {int(number) for number in re.findall(r"^#{2,3} (\d+)\. ", markdown, re.MULTILINE)}


def anchors(markdown: str) -> set[str]:
    """Of all headings, as GitHub makes them, and of the elements that have a name."""
    seen: dict[str, int] = {}
    found = set(re.findall(r"<a (?:id|name)=\"([^\"]+)\"", markdown))
    for heading in HEADING.finditer(re.sub(r"^```.*?^```\s*$", "", markdown, flags=re.MULTILINE | re.DOTALL)):
        plain = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", heading["text"])
        slug = re.sub(r"[^\w\- ]", "", plain.lower()).replace(" ", "-")
        found.add(f"{slug}-{seen[slug]}" if slug in seen else slug)
        seen[slug] = seen.get(slug, 0) + 1
    return found


def numbers_in(text: str | None) -> list[int]:
    """Of "3", "3 and 4", "3, 4 and 7"; a range gives its ends."""
    return [int(number) for number in re.findall(r"\d+", text or "")]


def missing_citations(path: Path, text: str, root: Path) -> Iterator[str]:
    """Documents, sections and anchors that a text cites and that are not there; `path` is where the text stands."""
    flat = joined(text)
    cited = [(root / "docs" / found["page"], found) for found in IN_CODE.finditer(flat)]
    if path.suffix == ".md":
        cited += [(path.parent / found["page"], found) for found in IN_MARKDOWN.finditer(flat)]
    for page, found in cited:
        if not page.is_file():
            yield f"{path}: {found[0]}: no such document"
            continue
        content = page.read_text(encoding="utf-8")
        groups = found.groupdict()
        if groups.get("anchor") and groups["anchor"] not in anchors(content):
            yield f"{path}: {found[0]}: no such heading"
        for number in set(numbers_in(groups["numbers"])) - section_numbers(content):
            yield f"{path}: {found[0]}: no section {number}"
    yield from _missing_own_sections(path, text, flat)
    for document in set(DOCUMENT.findall(text)) - NOT_OF_THE_PROJECT:
        if not any((root / folder / document).is_file() for folder in ("", "docs", "flame", "data")):
            yield f"{path}: {document}: no such document"


def _missing_own_sections(path: Path, text: str, flat: str) -> Iterator[str]:
    """A section without a document is one of the same page, or of nothing."""
    own = section_numbers(text) if path.suffix == ".md" else set()
    for found in OWN_SECTION.finditer(flat):
        if not flat[: found.start()].endswith("paper, "):
            for number in set(numbers_in(found["numbers"])) - own:
                yield f"{path}: {found[0]}: of which document is section {number}?"


def broken_links(path: Path, text: str, root: Path) -> Iterator[str]:
    """Relative links of a Markdown page whose file or heading is not there, or lies outside the project."""
    for found in LINK.finditer(without_code(text)):
        target = found["target"] or found["html"]
        if re.match(r"[a-z]+:", target):
            continue
        name, _, anchor = target.partition("#")
        page = (path.parent / name).resolve() if name else path
        if not page.is_relative_to(root.resolve()) or not page.exists():
            yield f"{path}: {target}: no such file"
        elif anchor and (page.suffix != ".md" or anchor not in anchors(page.read_text(encoding="utf-8"))):
            yield f"{path}: {target}: no such heading"


def missing_code(path: Path, text: str, root: Path) -> Iterator[str]:
    """Modules, functions and files of code that a Markdown page names and that are not there.

    Modules are named without the product's own name, as `rendering.avatar.Avatar`, files from any folder of code on.
    """
    packages = sorted((root / "code").glob("imavatar*"))
    folders = [root, root / "code", *packages, root / "scripts", root / "confs"]
    for name in set(re.findall(r"`([\w./]+)`", re.sub(r"^```.*?^```\s*$", "", text, flags=re.MULTILINE | re.DOTALL))):
        if CODE_FILE.fullmatch(name) and name not in WRITTEN_BY_COMMANDS:
            if not any((folder / name).is_file() for folder in folders):
                yield f"{path}: {name}: no such file"
        elif DOTTED.fullmatch(name):
            parts = name.split(".")
            homes = [root / "code"] if parts[0].startswith("imavatar") else packages
            start = next((f for f in homes if (f / parts[0]).is_dir() or (f / f"{parts[0]}.py").is_file()), None)
            if start is not None and not _defined(start, parts):
                yield f"{path}: {name}: no such module, or no such name in it"


def _defined(folder: Path, parts: list[str]) -> bool:
    """Whether a dotted name leads to a package, a module, or something that a module's text defines."""
    for depth in range(len(parts), 0, -1):
        module = folder.joinpath(*parts[:depth])
        for source in (module.with_suffix(".py"), module / "__init__.py"):
            if source.is_file():
                content = source.read_text(encoding="utf-8")
                return all(
                    re.search(rf"^\s*(?:class|def) {part}\b|^\s*{part}\b.*[:=]", content, re.M)
                    for part in parts[depth:]
                )
    return False


def test_code_that_pages_name_is_there():
    pages = [path for path in texts() if path.suffix == ".md" and path.name != "CHANGELOG.md"]
    assert not [problem for path in pages for problem in missing_code(path, path.read_text("utf-8"), ROOT)]


def test_code_that_is_not_there_is_found(made_up):
    package = made_up / "code" / "imavatar" / "fields"
    package.mkdir(parents=True)
    (package / "__init__.py").touch()
    (package / "mlp.py").write_text("SIZE = 3\n\nclass Layer:\n    def forward(self): ...\n")
    good = "`fields.mlp.Layer.forward`, `imavatar.fields.mlp`, `fields.mlp.SIZE`, `fields/mlp.py`, `loss.alpha`"
    assert not list(missing_code(made_up / "page.md", good, made_up))
    wrong = "`fields.mlp.Stack`, `fields.mlps`, `imavatar.fields.mlp.WIDTH`, `fields/grid.py`"
    assert len(list(missing_code(made_up / "page.md", wrong, made_up))) == 4


def test_what_texts_cite_is_there():
    assert not [problem for path in texts() for problem in missing_citations(path, path.read_text("utf-8"), ROOT)]


def test_links_of_pages_lead_somewhere():
    pages = [path for path in texts() if path.suffix == ".md"]
    assert not [problem for path in pages for problem in broken_links(path, path.read_text("utf-8"), ROOT)]


def test_the_code_cites_its_documents():
    """The finder sees the project's citations: the method's sections are cited from many modules."""
    found = [cited for path in texts() if path.suffix == ".py" for cited in IN_CODE.finditer(joined(path.read_text()))]
    assert sum(bool(cited["numbers"]) for cited in found) > 30
    assert {"method.md", "data_format.md", "checkpoints.md"} <= {cited["page"] for cited in found}


@pytest.fixture
def made_up(tmp_path) -> Path:
    """A project with one document."""
    (tmp_path / "docs").mkdir()
    page = "# Page\n\n## 1. First, `x`\n\n## 2. Second\n\n```\n## 3. Code\n```\n\n## Again\n\n## Again\n"
    (tmp_path / "docs" / "page.md").write_text(page)
    return tmp_path


@pytest.mark.parametrize(
    "text",
    [
        '"""What it is (docs/page.md, section 2)."""',
        "see docs/page.md,\n    # section 1, and (paper, section 3)",
        "docs/page.md, sections 1 and 2; docs/page.md#again-1",
    ],
)
def test_citations_that_are_right_pass(made_up, text):
    assert not list(missing_citations(made_up / "code.py", text, made_up))


@pytest.mark.parametrize(
    "text",
    [
        "(docs/other.md)",
        "(docs/page.md, section 4)",
        "docs/page.md, sections 1 and 5",
        "docs/page.md,\n# section\n# 7",
        "docs/page.md#third",
        "(THEORY section 7)",
        "as section 2 says",
        "within NOTES.md's range",
    ],
)
def test_a_wrong_citation_is_found(made_up, text):
    assert len(list(missing_citations(made_up / "code.py", text, made_up))) == 1


@pytest.mark.parametrize("link", ["page.md", "page.md#1-first-x", "#own", "../docs", "https://example.org/x#y"])
def test_links_that_are_right_pass(made_up, link):
    (made_up / "docs" / "new.md").write_text(f"# Own\n\n[text]({link}), `[code](nowhere.md)`\n")
    text = (made_up / "docs" / "new.md").read_text()
    assert not list(broken_links(made_up / "docs" / "new.md", text, made_up))


@pytest.mark.parametrize("link", ["pages.md", "page.md#3-code", "#other", "images/x.png", "../../elsewhere.md"])
def test_a_broken_link_is_found(made_up, link):
    path = made_up / "docs" / "new.md"
    path.write_text(f"# Own\n\n[text]({link})\n")
    assert len(list(broken_links(path, path.read_text(), made_up))) == 1


def test_a_section_of_another_page_is_not_taken_for_an_own_one(made_up):
    path = made_up / "docs" / "new.md"
    text = "## 1. Own\n\nSection 1, and [the page](page.md), section 2.\n"
    path.write_text(text)
    assert not list(missing_citations(path, text, made_up))
    wrong = "## 1. Own\n\nSection 2, and [the page](page.md), section 9.\n"
    assert len(list(missing_citations(path, wrong, made_up))) == 2
