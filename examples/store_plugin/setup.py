"""How the plugin is packaged: the entry point is all that Trickster needs to find it."""

from setuptools import setup

setup(
    name="trickster-sqlite",
    version="1.0",
    description="A cache store for Trickster in a file of SQLite",
    license_expression="Apache-2.0",
    python_requires=">=3.11",
    py_modules=["trickster_sqlite"],
    install_requires=["attrs", "Twisted", "txtrickster", "zope.interface"],
    entry_points={"trickster.stores": ["sqlite = trickster_sqlite:sqlite"]},
)
