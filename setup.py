"""Installs the package `imavatar` from `code/`."""

from setuptools import find_packages, setup

EXTRAS = {
    "preprocess": ["ai-edge-litert>=2.0", "flatbuffers>=23.0"],
    "face-alignment": ["face-alignment>=1.5"],
    "openhead": [],
    "evaluation": ["flip-evaluator>=1.7"],
    "comparison": ["matplotlib>=3.8"],
    "export": ["pygltflib>=1.16", "xatlas>=0.0.9", "fast-simplification>=0.1.7"],
    "synthetic": ["mitsuba>=3.6"],
    "viewer": ["viser==1.1.1", "fast-simplification>=0.1.7"],
    "log": ["tensorboard>=2.15"],
    "wandb": ["wandb>=0.18"],
    "browser": ["playwright>=1.45"],
    "test": ["pytest>=8", "ruff>=0.6", "beartype>=0.18"],
}

setup(
    name="imavatar",
    version="0.1.0",
    description="Implicit morphable head avatars from a monocular video",
    license="MIT",
    package_dir={"": "code"},
    packages=find_packages("code"),
    package_data={"imavatar.export": ["web/*"]},
    python_requires=">=3.10",
    install_requires=[
        "torch>=2.9",
        "numpy>=1.26",
        "scipy>=1.11",
        "pyhocon>=0.3.60",
        "opencv-python-headless>=4.9",
        "scikit-image>=0.22",
        "trimesh>=4,<6",
        "av>=13",
        "jaxtyping>=0.2.34",
        "warp-lang>=1.19",
        "tqdm>=4.66",
    ],
    extras_require=EXTRAS,
)
