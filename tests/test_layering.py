"""Imports point strictly down, and what else holds for the tree as a whole."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

import imavatar

PACKAGE = Path(imavatar.__file__).parent
LAB = PACKAGE.parent / "imavatar_lab"
LAYERS = [
    {"errors", "anatomy", "names", "progress"},
    {"files", "paths", "settings"},
    {"types", "assets"},
    {"numerics"},
    {"head", "fields"},
    {"rendering", "data"},
    {"baking"},
    {"baselines", "motion"},
    {"losses"},
    {"training", "evaluation", "export", "preprocessing", "synthetic", "viewer", "data_check"},
    {"config"},
    {"builders"},
    {"build"},
    {"workflows"},
    {"cli"},
]
LAB_LAYERS = [{"parity"}, {"benchmark", "reproduce", "tracking"}, {"cli"}]


def imported_modules(node: ast.AST) -> list[str]:
    if isinstance(node, ast.Import):
        return [alias.name for alias in node.names]
    if isinstance(node, ast.ImportFrom):
        if node.level:
            return ["imavatar.<relative>"]
        if node.module == "imavatar":
            return [f"imavatar.{alias.name}" for alias in node.names]
        return [node.module or ""]
    return []


def violations(root: Path, package: str = "imavatar", layers: list[set[str]] = LAYERS) -> Iterator[str]:
    """Imports within a package that do not point down, and those of the lab outside it."""
    level = {name: i for i, names in enumerate(layers) for name in names}
    for path in sorted(root.rglob("*.py")):
        importer = path.relative_to(root).parts[0].removesuffix(".py")
        if importer in ("__init__", "__main__"):
            continue
        for node in ast.walk(ast.parse(path.read_text())):
            for module in imported_modules(node):
                if module.split(".")[0] == "imavatar_lab" and package == "imavatar":
                    yield f"{path.relative_to(root)}:{node.lineno} imports {module}"
                if not module.startswith(f"{package}."):
                    continue
                imported = module.split(".")[1]
                if importer != imported and level.get(imported, 99) >= level[importer]:
                    yield f"{path.relative_to(root)}:{node.lineno} imports {module}"


def test_imports_point_down():
    assert not list(violations(PACKAGE))
    assert not list(violations(LAB, "imavatar_lab", LAB_LAYERS))


@pytest.mark.parametrize(("root", "layers"), [(PACKAGE, LAYERS), (LAB, LAB_LAYERS)])
def test_every_package_has_a_layer(root, layers):
    known = set().union(*layers)
    found = {path.stem for path in root.iterdir() if path.suffix == ".py" or (path / "__init__.py").exists()}
    assert found - {"__init__", "__main__"} <= known


def test_an_import_that_points_up_is_found(tmp_path):
    (tmp_path / "numerics").mkdir()
    (tmp_path / "numerics" / "bad.py").write_text("def f():\n    from imavatar.rendering.avatar import Avatar\n")
    (tmp_path / "types.py").write_text("import imavatar.cli\n")
    (tmp_path / "errors.py").write_text("from .types import Camera\n")
    (tmp_path / "cli.py").write_text("from imavatar_lab.parity.check import check\n")
    assert len(list(violations(tmp_path))) == 4


def test_the_standard_librarys_module_code_is_not_shadowed():
    assert not (PACKAGE.parent / "__init__.py").exists()


def test_no_module_is_bound_to_one_device():
    bound = [path for root in (PACKAGE, LAB) for path in root.rglob("*.py") if ".cuda(" in path.read_text()]
    assert not bound


def layers_in(document: str) -> list[list[set[str]]]:
    """The packages of each picture in docs/architecture.md, from the bottom up; a remark follows three spaces."""
    pictures = [block.split("```", 1)[0] for block in document.split("```text\n")[1:]]
    return [[set(line.split("   ")[0].split()) for line in reversed(picture.splitlines())] for picture in pictures]


def test_the_document_shows_these_layers():
    document = (Path(__file__).parents[1] / "docs" / "architecture.md").read_text(encoding="utf-8")
    assert layers_in(document) == [LAYERS, LAB_LAYERS]
