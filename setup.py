"""Everything about the package stands in `pyproject.toml`; a wheel also gets the configurations of `confs/`."""

import shutil
from pathlib import Path

from setuptools import setup
from setuptools.command.build_py import build_py


class BuildWithConfigurations(build_py):
    """An installed package has no `confs` beside it: it takes a copy along."""

    def run(self):
        if not self.editable_mode:
            # What an earlier installation from this folder has left there would be packed again.
            shutil.rmtree(self.build_lib, ignore_errors=True)
        super().run()
        if not self.editable_mode:
            shutil.copytree("confs", Path(self.build_lib) / "imavatar" / "confs", dirs_exist_ok=True)


setup(cmdclass={"build_py": BuildWithConfigurations})
