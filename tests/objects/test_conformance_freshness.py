"""Which answers a shared cache uses again: RFC 9111 sections 3, 4.2 and 5, case by case."""

from __future__ import annotations

from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from tests.objects.objectworld import START, World, date


class ReuseTests(SynchronousTestCase):
    """Each case: an answer's fields, and whether it is used for a second request."""

    def is_reused(self, later: float = 3, status: int = 200, asked: dict[str, str] | None = None,
                  options: dict[str, Any] | None = None, **headers: str) -> bool:
        """:return: whether the second of two equal requests is answered from the cache."""
        world = World.of(**(options or {}))
        body = b"" if status == 204 else b"hello"
        world.given(world.answer(status, body, **headers), world.answer(body=b"second"))
        world.ask(**(asked or {}))
        world.clock.advance(later)
        second = world.ask(**(asked or {}))
        self.assertEqual(world.asked == 1, second.octets == body)
        return world.asked == 1

    def check(self, expected: bool, *values: str, name: str = "Cache_Control",
              **more: str) -> None:
        """Check several values of one field."""
        for value in values:
            with self.subTest(value=value):
                self.assertIs(self.is_reused(**{name: value, **more}), expected, value)

    def test_fresh_directives(self) -> None:
        """A lifetime in any legal spelling makes an answer fresh."""
        self.check(True, "max-age=3600", "MAX-AGE=3600", "Max-Age=3600", "max-age=003600",
                   "s-maxage=3600", "s-maxage=3600, max-age=1", "max-age=1, s-maxage=3600",
                   "max-age=1\ns-maxage=3600", "max-age=2147483647", "max-age=2147483648",
                   "max-age=99999999999", "unknown, max-age=3600", "foo=bar, max-age=3600",
                   'foo="max-age=1", max-age=3600', "max-age=3600, foobar=\"a, b\"",
                   'max-age="3600"', "public, max-age=3600", ",,max-age=3600,")

    def test_stale_directives(self) -> None:
        """A response whose max-age or s-maxage is absent, elapsed or invalid is not reused."""
        self.check(False, "max-age=0", "max-age=2", "s-maxage=0, max-age=3600",
                   "max-age=3600, s-maxage=1", "max-age=-3600", "max-age='3600'",
                   'foo="max-age=3600"', "foo=\"x, max-age=3600, y\"", "max-age=3600.0",
                   "max-age=a100", "max-age=100a", "max-age", "max-age=", "public", "maxage=99",
                   "max-age=3600, max-age=1")

    def test_max_age_beats_expires(self) -> None:
        """A max-age makes a response fresh whatever its Expires says."""
        for expires in (date(START - 9000), "0", "rubbish", date(START + 1)):
            self.check(True, "max-age=3600", Expires=expires)
        self.check(False, "max-age=1", Expires=date(START + 9000))
        self.check(True, "s-maxage=3600", Expires=date(START - 9000))

    def test_forbidden(self) -> None:
        """
        A response whose Cache-Control forbids storing is not reused, in any spelling and beside any
        lifetime.
        """
        self.check(False, "no-store", "No-StOrE", "no-store, max-age=3600",
                   "max-age=3600, no-store", "private, max-age=3600", "PRIVATE, max-age=3600",
                   'private="x", max-age=3600', "no-cache, max-age=3600", "max-age=3600\nno-store",
                   'no-cache="set-cookie", max-age=3600')

    def test_expires(self) -> None:
        """The lifetime of a response without max-age is the difference of Expires and Date."""
        self.assertTrue(self.is_reused(Expires=date(START + 3600)))
        self.assertTrue(self.is_reused(Expires=date(2**31 + 10**6)))
        for expires in (date(START - 1), date(START), "0", "", date(START + 2)):
            self.assertFalse(self.is_reused(Expires=expires), expires)

    def test_expires_and_date(self) -> None:
        """Expires is compared with Date of the same response, and not with the local clock."""
        fast, slow = START + 7200, START - 7200
        self.assertFalse(self.is_reused(Date=date(fast), Expires=date(fast - 3600)))
        self.assertTrue(self.is_reused(Date="rubbish", Expires=date(START + 3600)))
        self.assertTrue(self.is_reused(Date=date(slow), Expires=date(START + 3600)))

    def test_expires_spelling(self) -> None:
        """Expires is read in all three date formats and any case; anything else has expired."""
        good = ("Thu, 18 Aug 2050 02:01:18 GMT", "thu, 18 Aug 2050 02:01:18 GMT",
                "THU, 18 AUG 2050 02:01:18 gmt", "Thu, 18 aUg 2050 02:01:18 GmT",
                "Thursday, 18-Aug-50 02:01:18 GMT", "Thu Aug 18 02:01:18 2050",
                "Thu Aug  8 02:01:18 2050")
        bad = ("Thu, 18 Aug 2050 02:01:18 UTC", "Thu, 18 Aug 2050 02:01:18 AEST",
               "Thu, 18 Aug 50 02:01:18 GMT", "Thu 18 Aug 2050 02:01:18 GMT",
               "Thu,  18  Aug  2050  02:01:18  GMT", "Thu, 18-Aug-2050 02:01:18 GMT",
               "Thu, 18 Aug 2050 02.01.18 GMT", "Thu, 18 Aug 2050 2:01:18 GMT",
               "Thu, 18 Aug 2050 02:01:18", "Thu, 38 Aug 2050 02:01:18 GMT",
               f"{date(START + 9)}\n{date(START + 99)}", "18 Aug 2050 02:01:18 GMT")
        self.check(True, *good, name="Expires")
        self.check(False, *bad, name="Expires")

    def test_age_counts(self) -> None:
        """An Age field from upstream is part of the age of a response."""
        old = ("3600", "7200", "2147483647", "2147483648", "2147483649", "99999999999",
               "7200, 0", "7200\n0")
        new = ("0", "abc", "-7200", "7200.0", "0, 7200", "0\n7200", "0, 0", "")
        self.check(False, *old, name="Age", Cache_Control="max-age=3600")
        self.check(True, *new, name="Age", Cache_Control="max-age=3600")
        self.check(False, *old, name="Age", Expires=date(START + 3600))
        self.check(True, *new, name="Age", Expires=date(START + 3600))

    def test_slow_date(self) -> None:
        """A response with an old Date is an old response (RFC 9111 section 4.2.3)."""
        self.assertFalse(self.is_reused(Date=date(START - 7200), Cache_Control="max-age=3600"))
        self.assertTrue(self.is_reused(Date=date(START - 600), Cache_Control="max-age=3600"))

    def test_heuristic(self) -> None:
        """Heuristic freshness needs Last-Modified, and holds only for some statuses."""
        modified = date(START - 86400)
        for status in (200, 203, 204, 300, 301, 308, 404, 405, 410, 414, 501):
            self.assertTrue(self.is_reused(status=status, Last_Modified=modified), status)
        for status in (201, 202, 302, 307, 400, 403, 500, 502, 503, 504, 599):
            self.assertFalse(self.is_reused(status=status, Last_Modified=modified), status)

    def test_heuristic_by_public(self) -> None:
        """Heuristic freshness holds for any status if the response is public."""
        self.assertTrue(self.is_reused(status=599, Last_Modified=date(START - 86400),
                                       Cache_Control="public"))

    def test_heuristic_length(self) -> None:
        """The heuristic lifetime is a tenth of the time since Last-Modified, and at most a day."""
        self.assertTrue(self.is_reused(99, Last_Modified=date(START - 1000)))
        self.assertFalse(self.is_reused(101, Last_Modified=date(START - 1000)))
        self.assertTrue(self.is_reused(86399, Last_Modified=date(START - 10**8)))
        self.assertFalse(self.is_reused(86400, Last_Modified=date(START - 10**8)))
        self.assertFalse(self.is_reused(Last_Modified="rubbish"))
        self.assertFalse(self.is_reused(Last_Modified=date(START + 100)))

    def test_statuses(self) -> None:
        """Any final status with explicit freshness is stored, and fetched anew when stale."""
        for status in (200, 203, 204, 299, 301, 302, 303, 307, 308, 400, 404, 410, 499, 500,
                       502, 503, 504, 599):
            self.assertTrue(self.is_reused(status=status, Cache_Control="max-age=3600"), status)
            self.assertFalse(self.is_reused(status=status, Cache_Control="max-age=2"), status)

    def test_not_final(self) -> None:
        """What answers a condition or a range is not the answer for other clients."""
        for status in (206, 304, 412, 416):
            self.assertFalse(self.is_reused(status=status, Cache_Control="max-age=3600"), status)

    def test_authorization(self) -> None:
        """
        Responses to requests with credentials are shared only where they say so (RFC 9111 section
        3.5).
        """
        asked = {"Authorization": "Basic x"}
        self.assertFalse(self.is_reused(asked=asked, Cache_Control="max-age=3600"))
        for said in ("public", "must-revalidate", "s-maxage=3600"):
            self.assertTrue(self.is_reused(
                asked=asked, Cache_Control=f"max-age=3600, {said}"), said)

    def test_must_understand(self) -> None:
        """
        The must-understand directive overrides no-store where the status is understood (RFC 9111
        section 5.2.2.3).
        """
        said = "max-age=3600, no-store, must-understand"
        self.assertTrue(self.is_reused(Cache_Control=said))
        self.assertFalse(self.is_reused(status=599, Cache_Control=said))
        self.assertFalse(self.is_reused(
            status=599, Cache_Control="max-age=3600, must-understand"))

    def test_set_cookie(self) -> None:
        """A cookie is for the client that asked, however long the answer's lifetime."""
        for said in ("max-age=3600", "s-maxage=3600", "public, max-age=3600"):
            self.assertFalse(self.is_reused(Set_Cookie="a=b", Cache_Control=said))
            self.assertTrue(self.is_reused(
                options={"shares_cookies": True}, Set_Cookie="a=b", Cache_Control=said))
        self.assertFalse(self.is_reused(Set_Cookie="a=b", Last_Modified=date(START - 86400)))

    def test_pragma(self) -> None:
        """Pragma in a response means nothing (RFC 9111 section 5.4)."""
        self.assertTrue(self.is_reused(Pragma="no-cache", Cache_Control="max-age=3600"))
        self.assertFalse(self.is_reused(Pragma="max-age=3600"))

    def test_cookie_in_the_request(self) -> None:
        """A Cookie field in the request does not prevent reuse of a stored response."""
        self.assertTrue(self.is_reused(asked={"Cookie": "a=b"}, Cache_Control="max-age=3600"))

    def test_cdn_cache_control(self) -> None:
        """A valid targeted field decides alone (RFC 9213)."""
        for said in ("max-age=1", "no-store", "private", "max-age=0", "s-maxage=1"):
            self.assertTrue(self.is_reused(
                CDN_Cache_Control="max-age=3600", Cache_Control=said), said)
        self.assertTrue(self.is_reused(
            CDN_Cache_Control="max-age=3600", Expires=date(START - 3600)))
        self.check(False, "max-age=1", "no-store", "private", "no-cache", "max-age=0",
                   "max-age=3600, no-store", "max-age=3600;foo, private", "foo",
                   name="CDN_Cache_Control", Cache_Control="max-age=3600",
                   Expires=date(START + 3600))

    def test_cdn_and_expires(self) -> None:
        """Expires is ignored where a valid CDN-Cache-Control is present."""
        self.assertFalse(self.is_reused(CDN_Cache_Control="foo", Expires=date(START + 3600)))

    def test_cdn_and_age(self) -> None:
        """Age counts against the lifetime that CDN-Cache-Control gives."""
        self.assertFalse(self.is_reused(CDN_Cache_Control="max-age=3600", Age="3600"))

    def test_invalid_cdn_cache_control(self) -> None:
        """An invalid CDN-Cache-Control is ignored as a whole."""
        invalid = ('max-age="1"', "max-age=1.0", "max-age=a", "max-age=", "max-age=1, =",
                   "max-age=1,", "MAX-AGE=1", "max-age=1 foo", "max-age", "no-store=1", "",
                   "no-store=?2", "max-age=1, &&&", 'no-store, foo="', "max-age=1, a=((1))")
        self.check(True, *invalid, name="CDN_Cache_Control", Cache_Control="max-age=3600")


class AgeTests(SynchronousTestCase):
    """The Age that reused answers carry (RFC 9111 section 5.1)."""

    def test_grows(self) -> None:
        """Age grows from the value that came from upstream; Date and Expires stay as stored."""
        world = World.of()
        kept = {"Date": date(START - 5), "Expires": date(START + 50)}
        world.given(world.answer(Cache_Control="max-age=60", Age="10", **kept))
        self.assertEqual(world.ask().header(b"age"), b"10")
        for seconds in (3, 4):
            world.clock.advance(seconds)
        reused = world.ask()
        self.assertEqual(reused.header(b"age"), b"17")
        self.assertEqual((reused.header(b"date"), reused.header(b"expires")),
                         (kept["Date"].encode(), kept["Expires"].encode()))

    def test_delay_at_the_origin(self) -> None:
        """The time that an answer took to come is part of its age."""
        world = World.of()
        client = world.ask()
        made = world.answer(Cache_Control="max-age=60")
        world.clock.advance(10)
        world.origin.answer(made)
        self.assertIsNone(client.header(b"age"))
        self.assertEqual(world.ask().header(b"age"), b"10")

    def test_delay_and_clock(self) -> None:
        """Delay is part of the age where Date does not show it, and on top of what Age says."""
        for age, expected in (({}, b"10"), ({"Age": "5"}, b"15")):
            world = World.of()
            world.ask()
            world.clock.advance(10)
            world.origin.answer(world.answer(Cache_Control="max-age=60", **age))
            self.assertEqual(world.ask().header(b"age"), expected)

    def test_date_is_added(self) -> None:
        """An answer without Date gets that of its arrival (RFC 9110 section 6.6.1)."""
        world = World.of()
        answer = world.answer(Cache_Control="max-age=60")
        world.given(type(answer)(200, answer.headers.without(b"date"), answer.body))
        world.ask()
        world.clock.advance(7)
        self.assertEqual(world.ask().header(b"date"), date(START).encode())

    def test_clock_set_back(self) -> None:
        """No age is negative."""
        world = World.of()
        world.given(world.answer(Cache_Control="max-age=60", Date=date(START + 99)))
        world.ask()
        self.assertEqual(world.ask().header(b"age"), b"0")


class StoredFieldTests(SynchronousTestCase):
    """Which fields are stored and sent again (RFC 9111 section 3.1)."""

    def test_replayed(self) -> None:
        """All end-to-end fields are stored and sent again, known or not, in all their lines."""
        names = ("Test_Header", "X_Test", "Content_Foo", "X_Content_Foo",
                 "Content_Type", "Content_Encoding", "Content_Language", "Content_Location",
                 "Content_Security_Policy", "Clear_Site_Data", "X_Frame_Options", "Server",
                 "Strict_Transport_Security", "Link", "ETag", "Cache_Control", "P3P")
        world = World.of()
        sent = {**{name: "a\nb" for name in names}, "Cache_Control": "max-age=9",
                "Content_Disposition": "attachment"}
        world.given(world.answer(**sent))
        first, second = world.ask(), world.ask()
        self.assertEqual(second.result, "hit")
        self.assertEqual(second.response.headers.without(b"age").pairs,
                         first.response.headers.pairs)
        self.assertEqual(second.response.headers.get_all(b"x-test"), [b"a", b"b"])

    def test_hop_by_hop(self) -> None:
        """Hop-by-hop fields, and those that Connection names, are not stored."""
        names = ("Connection", "Keep_Alive", "Proxy_Connection", "Proxy_Authenticate",
                 "Proxy_Authentication_Info", "Proxy_Authorization", "TE", "Transfer_Encoding",
                 "Upgrade", "X_Named", "X_Other")
        world = World.of()
        world.given(world.answer(**{**{name: "x" for name in names}, "Cache_Control": "max-age=9",
                                    "Connection": "X-Named, close\nx-other"}))
        world.ask()
        second = world.ask()
        for name in names:
            self.assertIsNone(second.header(name.lower().replace("_", "-").encode()), name)
