"""What `import imavatar` gives: every name exists, is documented, and costs nothing until it is used."""

import ast
import importlib
import inspect
import subprocess
import sys
from pathlib import Path

import pytest

import imavatar

SOURCE = Path(imavatar.__file__)
NAMES = [name for name in imavatar.__all__ if not name.startswith("__")]


def test_importing_the_package_loads_no_other_library():
    code = "import sys, imavatar; print('torch' in sys.modules, 'numpy' in sys.modules)"
    environment = {"PYTHONPATH": str(SOURCE.parents[1])}
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, env=environment)
    assert found.stdout.split() == ["False", "False"]


@pytest.mark.parametrize("name", NAMES)
def test_every_public_name_is_documented(name):
    value = getattr(imavatar, name)
    assert value.__name__ == name and inspect.getdoc(value)
    if inspect.isclass(value):
        methods = [own for key, own in vars(value).items() if inspect.isfunction(own) and not key.startswith("_")]
        assert all(inspect.getdoc(method) for method in methods)
    else:
        hints = inspect.signature(value).parameters.values()
        assert all(parameter.annotation is not inspect.Parameter.empty for parameter in hints)


def test_what_type_checkers_see_is_what_there_is():
    """The imports under TYPE_CHECKING and the table of names, which are read by different programs, agree."""
    tree = ast.parse(SOURCE.read_text())
    (block,) = [node for node in tree.body if isinstance(node, ast.If)]
    seen = {alias.name: node.module for node in block.body for alias in node.names}
    assert sorted(seen) == sorted(NAMES)
    for name, module in seen.items():
        assert getattr(importlib.import_module(module), name) is getattr(imavatar, name)


def test_an_unknown_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match="no attribute 'lode'"):
        _ = imavatar.lode
    assert set(imavatar.__all__) <= set(dir(imavatar))
