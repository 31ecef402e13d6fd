"""How the plugin is packaged: the entry point is all that Trickster needs to find it."""

from setuptools import setup

setup(
    name="trickster-graphite",
    version="1.0",
    description="Graphite behind Trickster",
    license_expression="Apache-2.0",
    python_requires=">=3.11",
    py_modules=["trickster_graphite"],
    install_requires=["attrs", "msgspec", "txtrickster", "zope.interface"],
    entry_points={"trickster.origins": ["graphite = trickster_graphite:graphite"]},
)
