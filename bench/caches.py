"""Trickster, nginx and Varnish in front of one origin, with the same rules."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path

from attrs import frozen

from bench.measuring import ON_SERVER_CORE
from tests.end_to_end.servers import Nginx, Trickster, Varnish

# Where nothing is kept.
PASSED = "/passed/"
_BACKEND = 'backend origin {{ .host = "127.0.0.1"; .port = "{port}"; }}'
_PASSING = f'sub vcl_recv {{ if (req.url ~ "^{PASSED}") {{ return (pass); }} }}'
# A waiting client of nginx gives up after 5 seconds, and asks the origin itself.
_NGINX_HTTP = """\
  upstream origin {{ server 127.0.0.1:{port}; keepalive 32; keepalive_requests 1000000000; }}
  proxy_cache_path {cache} keys_zone=objects:10m max_size=1g use_temp_path=off;
  proxy_http_version 1.1; proxy_set_header Connection "";
"""
_NGINX_SERVER = f"""\
    location {PASSED} {{ proxy_pass http://origin; }}
    location / {{
      proxy_pass http://origin; proxy_cache objects; proxy_cache_lock on;
      proxy_cache_lock_timeout 60s; proxy_cache_lock_age 60s; proxy_max_temp_file_size 1024m;
    }}
"""


@frozen
class Caches:
    """The three of them, on the same core."""

    trickster: Trickster
    nginx: Nginx
    varnish: Varnish

    @classmethod
    def started(cls, running: ExitStack, directory: Path, origin_port: int,
                progressive: bool = False) -> Caches:
        """
        :param running: ends them.
        :param directory: for what they write.
        :param origin_port: of the origin, on 127.0.0.1.
        :param progressive: whether Trickster serves what is still on its way.
        """
        trickster = _trickster(directory / "trickster", origin_port, progressive)
        running.callback(trickster.stop)
        nginx = Nginx(
            directory / "nginx", _NGINX_SERVER,
            _NGINX_HTTP.format(port=origin_port, cache=directory / "nginx" / "cache"),
            prefix=ON_SERVER_CORE)
        running.callback(nginx.stop)
        varnish = Varnish(directory / "varnish", _BACKEND.format(port=origin_port) + _PASSING,
                          prefix=ON_SERVER_CORE)
        running.callback(varnish.stop)
        return cls(trickster, nginx, varnish)

    @property
    def all(self) -> dict[str, Trickster | Nginx | Varnish]:
        """By name, ours first."""
        return {"trickster": self.trickster, "nginx": self.nginx, "varnish": self.varnish}


def _trickster(directory: Path, origin_port: int, progressive: bool) -> Trickster:
    collapsed = "progressive" if progressive else "basic"
    return Trickster(directory, {"objects": {
        "provider": "reverseproxycache", "origin_url": f"http://127.0.0.1:{origin_port}",
        "max_object_size_bytes": "128MiB",
        "paths": [
            {"path": PASSED, "match_type": "prefix", "handler": "proxy", "methods": ["*"]},
            {"path": "/", "match_type": "prefix", "handler": "proxycache",
             "collapsed_forwarding": collapsed},
        ],
    }}, {"caches": {"default": {"provider": "memory", "index": {"max_size_bytes": "1GiB"},
                                "memory": {"max_size_bytes": "1GiB"}}}}, prefix=ON_SERVER_CORE, sheds=True)
