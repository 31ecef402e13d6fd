"""Debian's nginx with files of every kind, behind Trickster's object cache."""

from __future__ import annotations

import os
import random
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar

from twisted.trial.unittest import SynchronousTestCase

from tests.end_to_end.servers import Nginx, Trickster

_MADE = "add_header X-Made $request_id always;"
SERVER = f"""
root www; client_max_body_size 0; access_log access.log;
location /fresh/ {{ {_MADE} add_header Cache-Control max-age=600 always; }}
location /stale/ {{ {_MADE} add_header Cache-Control max-age=0 always; }}
location /heuristic/ {{ {_MADE} }}
location /plain/ {{ {_MADE} etag off; add_header Last-Modified ""; }}
location /zip/ {{
  {_MADE} add_header Cache-Control max-age=600 always;
  gzip on; gzip_vary on; gzip_proxied any; gzip_min_length 1; gzip_types *; gzip_comp_level 1;
}}
location /chunked/ {{
  {_MADE} add_header Cache-Control max-age=600 always;
  sub_filter_types *; sub_filter 'never to be found' 'x';
}}
location /cookie/ {{ {_MADE} add_header Set-Cookie "id=$request_id"; }}
location /cookie-kept/ {{
  {_MADE} add_header Set-Cookie "id=$request_id"; add_header Cache-Control max-age=600;
}}
location /dav/ {{
  {_MADE} add_header Cache-Control max-age=600 always; dav_methods PUT DELETE MOVE;
}}
location /said/ {{
  {_MADE} add_header Cache-Control max-age=600 always;
  return 200 "$request_method $request_uri $http_range $http_if_none_match";
}}
location /moved/ {{ {_MADE} add_header Cache-Control max-age=600 always; return 301 /fresh/; }}
"""
FILES = {"a.bin": 10_000, "empty.bin": 0, "one.bin": 1, "big.bin": 700_000, "huge.bin": 3_000_000}
DIRECTORIES = ("fresh", "stale", "heuristic", "plain", "zip", "chunked", "cookie", "cookie-kept",
               "dav")
LAST_MODIFIED = 1_700_000_000


def octets_of(name: str) -> bytes:
    """:return: the content of a file, which any two octets' distance tells apart."""
    return random.Random(name).randbytes(FILES[name])


class WebCase(SynchronousTestCase):
    """
    One nginx and one Trickster for all tests of a class.

    :cvar backend: options of the only backend besides the origin.
    """

    backend: ClassVar[Mapping[str, Any]] = {}
    more: ClassVar[Mapping[str, Any]] = {}
    directory: ClassVar[tempfile.TemporaryDirectory[str]]
    nginx: ClassVar[Nginx]
    trickster: ClassVar[Trickster]
    www: ClassVar[Path]

    @classmethod
    def setUpClass(cls) -> None:
        cls.directory = tempfile.TemporaryDirectory()
        place = Path(cls.directory.name)
        cls.www = place / "nginx" / "www"
        for directory in DIRECTORIES:
            (cls.www / directory).mkdir(parents=True)
            for name in FILES:
                cls.write(f"{directory}/{name}", octets_of(name))
            cls.write(f"{directory}/text.txt", b"never the same river\n" * 500)
        cls.nginx = Nginx(place / "nginx", SERVER)
        cls.trickster = Trickster(place / "trickster", {
            "web": {"provider": "rpc", "origin_url": cls.nginx.url, "is_default": True,
                    "max_object_size_bytes": 1_000_000, **cls.backend}}, cls.more,
            listener={"drain_timeout": "1s"})

    @classmethod
    def tearDownClass(cls) -> None:
        cls.trickster.stop()
        cls.nginx.stop()
        cls.directory.cleanup()

    @classmethod
    def write(cls, name: str, octets: bytes, modified: int = LAST_MODIFIED) -> None:
        """Put a file where nginx finds it."""
        file = cls.www / name
        file.write_bytes(octets)
        os.utime(file, (modified, modified))

    def asked_of_origin(self) -> int:
        """:return: how many requests nginx has answered up to now."""
        return len((self.www.parent / "access.log").read_text().splitlines())
