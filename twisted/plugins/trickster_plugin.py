"""Makes C{trickster} known to C{twistd} and C{twist}."""

from twisted.application.service import ServiceMaker

trickster = ServiceMaker(
    "Trickster", "trickster.tap", "A reverse proxy cache and dashboard accelerator.", "trickster")
