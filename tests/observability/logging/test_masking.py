"""Tests of C{trickster.observability.logging.masking}."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from trickster.observability.logging.masking import masked_target, masked_text


class MaskingTests(SynchronousTestCase):
    """Secrets in targets."""

    def test_parameters(self) -> None:
        """Values of parameters that look secret are not shown."""
        for name in ("password", "p", "Token", "access_token", "api_key", "X-Amz-Signature",
                     "pass%77ord", "jwt", "key", "authToken", "accesstoken"):
            self.assertEqual(masked_target(f"/q?u=me&{name}=s3cret&x=1".encode()),
                             f"/q?u=me&{name}=*****&x=1")

    def test_others(self) -> None:
        """Values of parameters that do not look secret are shown."""
        target = "/api/v1/query?query=up%7Bx%3D%22y%22%7D&start=1&monkey=2&empty=&flag"
        self.assertEqual(masked_target(target.encode()), target)

    def test_no_query(self) -> None:
        """Paths are shown whole."""
        self.assertEqual(masked_target(b"/password=x"), "/password=x")

    def test_statements(self) -> None:
        """A statement that sets a password is shown without it."""
        cases = [
            (b"/query?q=CREATE+USER+a+WITH+PASSWORD+'s3cret'&x=1",
             "/query?q=CREATE+USER+a+WITH+PASSWORD+'*****&x=1"),
            (b"/query?q=set%20password%20FOR%20%22a%22%20%3D%20%27s3cret%27",
             "/query?q=set%20password%20FOR%20%22*****"),
        ]
        for target, expected in cases:
            self.assertEqual(masked_target(target), expected)

    def test_long(self) -> None:
        """A long target is cut."""
        self.assertEqual(masked_target(b"/" + b"x" * 5000), "/" + "x" * 2047 + "...")

    def test_texts(self) -> None:
        """Users and passwords go from URLs in any text, and so do secret parameters."""
        self.assertEqual(
            masked_text("GET http://me:s3cret@x/?u=1&p=s3cret failed, token=s3cret a=b"),
            "GET http://*****@x/?u=1&p=***** failed, token=***** a=b")
