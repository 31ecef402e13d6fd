"""How the plugin is packaged: the entry point is all that Trickster needs to find it."""

from setuptools import setup

setup(
    name="trickster-request-id",
    version="1.0",
    description="Request names for Trickster",
    license_expression="Apache-2.0",
    python_requires=">=3.11",
    py_modules=["trickster_request_id"],
    install_requires=["attrs", "txtrickster", "zope.interface"],
    entry_points={"trickster.middlewares": ["request_id = trickster_request_id:request_id"]},
)
