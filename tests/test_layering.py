"""Imports point strictly down, and what else holds for the tree as a whole."""

import ast
from collections.abc import Iterator
from pathlib import Path

import imavatar

PACKAGE = Path(imavatar.__file__).parent
LAYERS = [
    {"errors", "anatomy", "names", "progress"},
    {"files"},
    {"types", "assets"},
    {"numerics"},
    {"head", "fields"},
    {"rendering", "data"},
    {"baking"},
    {"baselines"},
    {"losses"},
    {"training", "evaluation", "export", "preprocessing", "synthetic", "viewer", "data_check"},
    {"config", "parity"},
    {"build"},
    {"benchmark", "comparison"},
    {"cli"},
]


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


def violations(root: Path) -> Iterator[str]:
    level = {name: i for i, names in enumerate(LAYERS) for name in names}
    for path in sorted(root.rglob("*.py")):
        importer = path.relative_to(root).parts[0].removesuffix(".py")
        if importer == "__init__":
            continue
        for node in ast.walk(ast.parse(path.read_text())):
            for module in imported_modules(node):
                if not module.startswith("imavatar."):
                    continue
                imported = module.split(".")[1]
                if importer != imported and level.get(imported, 99) >= level[importer]:
                    yield f"{path.relative_to(root)}:{node.lineno} imports {module}"


def test_imports_point_down():
    assert not list(violations(PACKAGE))


def test_every_package_has_a_layer():
    known = set().union(*LAYERS)
    found = {path.stem for path in PACKAGE.iterdir() if path.suffix == ".py" or (path / "__init__.py").exists()}
    assert found - {"__init__"} <= known


def test_an_import_that_points_up_is_found(tmp_path):
    (tmp_path / "numerics").mkdir()
    (tmp_path / "numerics" / "bad.py").write_text("def f():\n    from imavatar.rendering.avatar import Avatar\n")
    (tmp_path / "types.py").write_text("import imavatar.cli\n")
    (tmp_path / "errors.py").write_text("from .types import Camera\n")
    assert len(list(violations(tmp_path))) == 3


def test_the_standard_librarys_module_code_is_not_shadowed():
    assert not (PACKAGE.parent / "__init__.py").exists()


def test_no_module_is_bound_to_one_device():
    bound = [path for path in PACKAGE.rglob("*.py") if ".cuda(" in path.read_text()]
    assert not bound
