"""What is packaged, what it needs, and the names under which its plugins are found."""

from __future__ import annotations

import re
from pathlib import Path

from setuptools import find_packages, setup

HERE = Path(__file__).parent


def version() -> str:
    """:return: the version that the package itself states; read, not imported."""
    text = (HERE / "trickster" / "__init__.py").read_text(encoding="utf-8")
    found = re.search(r'^__version__ = "([^"]+)"$', text, re.MULTILINE)
    if found is None:
        raise RuntimeError("trickster/__init__.py states no __version__")
    return found.group(1)


FAST = ["brotli>=1.1", "isal>=1.7"]
# Reads what Redis sends, in C; without it txredisapi does so in Python.
REDIS = ["hiredis>=3"]
# For "make demo", which runs from a checkout: the demonstration itself is not installed.
DEMO = ["treq>=26.7"]
TEST = [
    *FAST,
    *REDIS,
    *DEMO,
    "build>=1.2",
    "coverage[toml]>=7.6",
    "httptools>=0.6.4",  # llhttp, a reading of HTTP that is not ours
    "hypothesis>=6.120",
    "pytest>=9",
    "pytest-xdist>=3.6",
    "setuptools>=77",
]
LINT = [
    "import-linter>=2.3",
    "mypy==2.4.0",  # mypy-zope follows mypy's internals, and works with the one it was made for
    "mypy-zope==1.0.17",
    "ruff>=0.17,<0.18",
    "towncrier>=24.8",
    "types-PyYAML",
    "types-cachetools",
]
LOCK = ["uv>=0.9"]
DOCS = ["furo>=2025.7", "myst-parser>=4", "sphinx>=8"]

# Not decided yet; a name that is kept free for such cases (RFC 2606), so that no link leads to
# people who have nothing to do with this project.  CONTRIBUTING.md: "Releasing".
HOME = "https://txtrickster.example"
MAINTAINERS = "The maintainers of Trickster for Python"

setup(
    # "trickster" is another project's in the index; package, command and twistd's name are ours.
    name="txtrickster",
    version=version(),
    description="An event-driven HTTP reverse proxy cache and time-series dashboard accelerator",
    long_description=(HERE / "README.md").read_text(encoding="utf-8"),
    long_description_content_type="text/markdown",
    project_urls={
        "Homepage": HOME,
        "Source": f"{HOME}/source",
        "Documentation": f"{HOME}/docs",
        "Changelog": f"{HOME}/source/CHANGELOG.md",
        "Issues": f"{HOME}/issues",
        "Security": f"{HOME}/source/SECURITY.md",
        "Trickster in Go": "https://github.com/trickstercache/trickster",
    },
    author=MAINTAINERS,
    author_email="maintainers@txtrickster.example",
    maintainer=MAINTAINERS,
    maintainer_email="maintainers@txtrickster.example",
    license_expression="Apache-2.0",
    license_files=["LICENSE"],
    keywords="twisted proxy cache prometheus grafana dashboard time-series",
    classifiers=[
        "Development Status :: 3 - Alpha",
        "Environment :: No Input/Output (Daemon)",
        "Framework :: Twisted",
        "Intended Audience :: System Administrators",
        "Operating System :: POSIX :: Linux",
        "Programming Language :: Python :: 3",
        "Programming Language :: Python :: 3 :: Only",
        "Programming Language :: Python :: 3.11",
        "Programming Language :: Python :: 3.12",
        "Programming Language :: Python :: 3.13",
        "Programming Language :: Python :: 3.14",
        "Programming Language :: Python :: Implementation :: CPython",
        "Topic :: Internet :: Proxy Servers",
        "Topic :: System :: Monitoring",
        "Typing :: Typed",
    ],
    python_requires=">=3.11",
    # twisted.plugins has no __init__.py, here or installed: it is Twisted's, and we add a file.
    packages=[*find_packages(include=["trickster", "trickster.*"]), "twisted.plugins"],
    # Makes an editable install a plain .pth entry.  Without it pip installs an import hook,
    # which Twisted's plugin search cannot see, and "twistd trickster" is an unknown command.
    package_dir={"": "."},
    package_data={"trickster": ["py.typed"]},
    zip_safe=False,
    install_requires=[
        "attrs>=24.2",
        "cachetools>=6",
        "google-re2>=1.1.20250805",
        "http-sfv>=0.9.9",
        "lmdb>=3",  # the first with lmdb.verify, which reads damaged files without mapping them
        "msgspec>=0.21",
        "multipart>=2",
        "prometheus-client>=0.23",
        "PyYAML>=6.0.2",
        "treq>=26.7",
        "twisted[tls]>=26.10",
        "txredisapi>=1.6,<2",
        "zope.interface>=8",
        "zstandard>=0.23",
    ],
    extras_require={
        "fast": FAST,
        "redis": REDIS,
        "demo": DEMO,
        "test": TEST,
        "lint": LINT,
        "docs": DOCS,
        "dev": [*TEST, *LINT, *DOCS, *LOCK],
    },
    entry_points={
        "console_scripts": ["trickster = trickster.console:main"],
        "trickster.origins": [
            "prometheus = trickster.origins.prometheus:prometheus",
            "reverseproxycache = trickster.origins.web:reverse_proxy_cache",
            "rpc = trickster.origins.web:reverse_proxy_cache",
            "reverseproxy = trickster.origins.web:reverse_proxy",
            "proxy = trickster.origins.web:reverse_proxy",
            "rp = trickster.origins.web:reverse_proxy",
        ],
        "trickster.stores": [
            "memory = trickster.stores.memory:memory",
            "filesystem = trickster.stores.filesystem.store:filesystem",
            "redis = trickster.stores.redis.kind:redis",
            "lmdb = trickster.stores.lmdb.kinds:lmdb",
            "bbolt = trickster.stores.lmdb.kinds:bbolt",
            "badger = trickster.stores.lmdb.kinds:badger",
        ],
        "trickster.middlewares": [
            "compression = trickster.middleware.compression:compression",
            "rewriting = trickster.middleware.rewriting:rewriting",
            "static = trickster.middleware.static_response:static",
        ],
    },
)
