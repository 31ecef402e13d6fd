"""Conditional requests, updates and stale answers: RFC 9111 sections 4.2.4 to 4.3, RFC 5861."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from tests.objects.objectworld import START, Client, World, date
from trickster.errors import NotCached, Reason, UpstreamTimeout, UpstreamUnreachable
from trickster.testing.bodies import PausedBody
from trickster.testing.doubles import DictStore


class ClientConditionTests(SynchronousTestCase):
    """A client's own conditions, answered from a fresh stored answer."""

    def asked(self, stored: dict[str, str], status: int = 200, method: bytes = b"GET",
              **asked: str) -> Client:
        """:return: who asked with conditions."""
        world = World.of()
        world.given(world.answer(status, Cache_Control="max-age=99", **stored))
        world.ask()
        client = world.ask(method=method, **asked)
        self.assertEqual(world.asked, 1)
        return client

    def statuses(self, stored: dict[str, str], name: str, *values: str) -> list[int]:
        """:return: the status for each value of a condition."""
        return [self.asked(stored, **{name: value}).status for value in values]

    def test_none_match(self) -> None:
        """If-None-Match compares weakly, and may be a list or a star."""
        strong = {"ETag": '"a"'}
        self.assertEqual(self.statuses(strong, "If_None_Match", '"a"', 'W/"a"', '"b", "a"',
                                       '"b","a"', '"b"\n"a"', "*"), [304] * 6)
        self.assertEqual(self.statuses(strong, "If_None_Match", '"b"', 'a', '"A"', '""', "",
                                       '"b, a"'), [200] * 6)
        self.assertEqual(self.statuses({"ETag": 'W/"a"'}, "If_None_Match", '"a"', 'W/"a"'),
                         [304] * 2)
        self.assertEqual(self.statuses({"ETag": '"a,b"'}, "If_None_Match", '"a,b"'), [304])

    def test_none_match_without_tag(self) -> None:
        """What has no entity tag matches none."""
        self.assertEqual(self.statuses({}, "If_None_Match", '"a"', '""'), [200, 200])

    def test_modified_since(self) -> None:
        """Last-Modified is compared, in any form of date; rubbish is ignored."""
        stored = {"Last_Modified": date(START - 100)}
        self.assertEqual(self.statuses(
            stored, "If_Modified_Since", date(START - 100), date(START),
            "Sunday, 09-Sep-01 01:46:40 GMT"), [304] * 3)
        self.assertEqual(self.statuses(stored, "If_Modified_Since", date(START - 101),
                                       "rubbish", "0", ""), [200] * 4)

    def test_modified_since_without_last_modified(self) -> None:
        """Without Last-Modified, If-Modified-Since is compared with Date."""
        self.assertEqual(self.statuses({}, "If_Modified_Since", date(START),
                                       date(START - 1)), [304, 200])

    def test_none_match_wins(self) -> None:
        """With If-None-Match, If-Modified-Since is ignored."""
        stored = {"ETag": '"a"', "Last_Modified": date(START - 100)}
        self.assertEqual(self.asked(stored, If_None_Match='"b"',
                                    If_Modified_Since=date(START)).status, 200)
        self.assertEqual(self.asked(stored, If_None_Match='"a"',
                                    If_Modified_Since=date(1)).status, 304)

    def test_match(self) -> None:
        """If-Match compares strongly, and comes first."""
        self.assertEqual(self.statuses({"ETag": '"a"'}, "If_Match", '"a"', "*", '"b", "a"'),
                         [200] * 3)
        self.assertEqual(self.statuses({"ETag": '"a"'}, "If_Match", '"b"', 'W/"a"'), [412] * 2)
        self.assertEqual(self.asked({"ETag": 'W/"a"'}, If_Match='W/"a"').status, 412)
        self.assertEqual(self.asked({"ETag": '"a"'}, If_Match='"b"',
                                    If_None_Match='"a"').status, 412)

    def test_unmodified_since(self) -> None:
        """If-Unmodified-Since fails for a newer stored response; If-Match overrides the date."""
        stored = {"ETag": '"a"', "Last_Modified": date(START - 100)}
        self.assertEqual(self.statuses(stored, "If_Unmodified_Since", date(START - 101),
                                       date(START - 100), "rubbish"), [412, 200, 200])
        self.assertEqual(self.asked(stored, If_Unmodified_Since=date(1),
                                    If_Match='"a"').status, 200)

    def test_nothing_to_compare(self) -> None:
        """What only an origin can judge is not judged without the field that it is about."""
        self.assertEqual(self.statuses({}, "If_Match", '"a"', 'W/"a"', "*"), [200] * 3)
        self.assertEqual(self.statuses({}, "If_Unmodified_Since", date(1)), [200])

    def test_fields_of_a_304(self) -> None:
        """A 304 has the fields that RFC 9110 section 15.4.5 names, and no body."""
        stored = {"ETag": '"a"', "Expires": date(START + 99), "Vary": "Foo",
                  "Content_Location": "/y", "Content_Type": "text/x", "Content_Length": "5"}
        client = self.asked(stored, If_None_Match='"a"')
        for name in (b"etag", b"cache-control", b"date", b"expires", b"vary", b"age",
                     b"content-location"):
            self.assertIsNotNone(client.header(name), name)
        self.assertIsNone(client.header(b"content-type"))
        self.assertEqual(client.octets, b"")

    def test_head(self) -> None:
        """HEAD has the same conditions."""
        self.assertEqual(self.asked({"ETag": '"a"'}, method=b"HEAD",
                                    If_None_Match='"a"').status, 304)

    def test_only_for_success(self) -> None:
        """What would not succeed anyway has no conditions (RFC 9110 section 13.2.1)."""
        self.assertEqual(self.asked({"ETag": '"a"'}, 404, If_None_Match='"a"').status, 404)


class NothingStoredTests(SynchronousTestCase):
    """Conditions where nothing is stored."""

    def test_forwarded(self) -> None:
        """The origin decides; its 304 is for this client and not stored."""
        world = World.of()
        world.given(world.answer(304, b"", ETag='"a"', Cache_Control="max-age=9"),
                    world.answer())
        client = world.ask(If_None_Match='"a"')
        self.assertEqual((client.status, client.header(b"etag")), (304, b'"a"'))
        self.assertEqual(world.origin.requests[0].headers.get(b"if-none-match"), b'"a"')
        self.assertEqual(world.ask().octets, b"hello")

    def test_full_answer(self) -> None:
        """A whole answer is passed on, and stored."""
        world = World.of()
        world.given(world.answer(Cache_Control="max-age=9"))
        self.assertEqual(world.ask(If_None_Match='"a"').octets, b"hello")
        self.assertEqual(world.ask().result, "hit")

    def test_same_condition(self) -> None:
        """Waiters share a response to a conditional request only if their conditions are equal."""
        world = World.of()
        one, two = world.ask(If_None_Match='"a"'), world.ask(If_None_Match='"a"')
        world.ask(If_None_Match='"b"')
        self.assertEqual(world.asked, 2)
        world.origin.answer(world.answer(304, b"", ETag='"a"'))
        self.assertEqual((one.status, two.status), (304, 304))

    def test_304_to_no_condition(self) -> None:
        """An origin's mistake is passed on, and not stored."""
        world = World.of()
        world.given(world.answer(304, b"", Cache_Control="max-age=9"), world.answer())
        world.ask()
        self.assertEqual(world.ask().status, 200)


class StaleTests(SynchronousTestCase):
    """How stale responses are validated."""

    def world(self, cache_control: str = "max-age=5", later: float = 6, **stored: str) -> World:
        """:return: a world in which an answer has become stale."""
        world = World.of()
        world.given(world.answer(Cache_Control=cache_control, **stored))
        world.ask()
        world.clock.advance(later)
        return world

    def test_conditions(self) -> None:
        """
        A stale response is validated by its ETag and Last-Modified, not by the client's conditions.
        """
        world = self.world(ETag='W/"a"', Last_Modified=date(1))
        world.ask(If_None_Match='"client"', If_Match="*", If_Unmodified_Since=date(2))
        sent = world.origin.requests[1].headers
        self.assertEqual(sent.get_all(b"if-none-match"), [b'W/"a"'])
        self.assertEqual(sent.get_all(b"if-modified-since"), [date(1).encode()])
        self.assertNotIn(b"if-match", sent)
        self.assertNotIn(b"if-unmodified-since", sent)

    def test_selecting_fields_are_sent(self) -> None:
        """The fields that selected the stored answer go with it."""
        world = self.world(ETag='"a"', Vary="Foo")
        world.ask(Foo="1")
        self.assertEqual(world.origin.requests[-1].headers.get(b"foo"), b"1")

    def test_no_cache(self) -> None:
        """A no-cache response is stored, and validated at each use."""
        world = self.world("no-cache, max-age=99", 1, ETag='"a"')
        for _ in range(2):
            world.given(world.answer(304, b"", ETag='"a"'))
            client = world.ask()
            self.assertEqual((client.result, client.octets), ("rhit", b"hello"))

    def test_client_condition_after_validation(self) -> None:
        """The client's conditions are answered from what was validated."""
        world = self.world(ETag='"a"')
        world.given(world.answer(304, b"", ETag='"a"'))
        client = world.ask(If_None_Match='"a"')
        self.assertEqual((client.status, client.result), (304, "rhit"))

    def test_update(self) -> None:
        """Fields of a 304 replace those stored, but for what describes the octets."""
        kept = {"Content_Encoding": "gzip", "Content_Range": "x", "Test_Old": "1"}
        world = self.world(ETag='"a"', Content_Foo="1", Test="1", Content_Type="a", **kept)
        world.given(world.answer(
            304, b"", ETag='"a"', Content_Foo="2", Test="2\n3", Cache_Control="max-age=50",
            Content_Length="77", Content_Encoding="br"))
        for client in (world.ask(), world.ask()):
            self.assertEqual(client.response.headers.get_all(b"test"), [b"2", b"3"])
            self.assertEqual(client.header(b"content-foo"), b"2")
            self.assertEqual(client.header(b"content-encoding"), b"gzip")
            self.assertEqual(client.header(b"test-old"), b"1")
            self.assertEqual(client.header(b"content-type"), b"a")
            self.assertIsNone(client.header(b"content-length"))
        self.assertEqual(client.outcome.ttl, 50.0)

    def test_update_forgets_the_age(self) -> None:
        """A validated answer is new: its age begins again."""
        world = self.world(ETag='"a"', Age="3")
        world.given(world.answer(304, b""))
        self.assertEqual(world.ask().header(b"age"), b"0")
        world.clock.advance(4)
        self.assertEqual(world.ask().header(b"age"), b"4")

    def test_update_without_date(self) -> None:
        """A 304 without Date was made when it arrived."""
        world = self.world(ETag='"a"')
        answer = world.answer(304, b"")
        world.given(type(answer)(304, answer.headers.without(b"date")))
        world.ask()
        world.clock.advance(3)
        self.assertEqual(world.ask().result, "hit")

    def test_update_to_no_store(self) -> None:
        """A stored answer that may no longer be stored is forgotten."""
        world = self.world(ETag='"a"')
        world.given(world.answer(304, b"", Cache_Control="no-store"), world.answer(body=b"new"))
        self.assertEqual(world.ask().octets, b"hello")
        self.assertEqual(world.ask().octets, b"new")

    def test_304_of_another(self) -> None:
        """A 304 with another strong entity tag is not about what is stored."""
        world = self.world(ETag='"a"')
        world.given(world.answer(304, b"", ETag='"b"'),
                    world.answer(ETag='"b"', Cache_Control="max-age=9", body=b"new"))
        self.assertEqual(world.ask().octets, b"new")
        self.assertNotIn(b"if-none-match", world.origin.requests[-1].headers)

    def test_no_older_answer_after_no_store(self) -> None:
        """Once a newer answer was seen that must not be stored, the older is not used."""
        world = self.world("max-age=5, stale-while-revalidate=99", ETag='"a"')
        world.given(world.answer(Cache_Control="no-store", body=b"1"),
                    world.answer(Cache_Control="no-store", body=b"2"))
        self.assertEqual(world.ask().octets, b"hello")
        self.assertEqual(world.ask().octets, b"2")

    def test_one_validation(self) -> None:
        """However many ask, what is stale is validated once."""
        world = self.world(ETag='"a"')
        clients = [world.ask() for _ in range(9)]
        self.assertEqual(world.asked, 2)
        world.origin.answer(world.answer(304, b""))
        self.assertEqual([c.result for c in clients], ["rhit"] + ["proxy-hit"] * 8)
        self.assertEqual({c.octets for c in clients}, {b"hello"})

    def test_octet_store(self) -> None:
        """A store of octets keeps what is needed for validation."""
        world = World.of(DictStore)
        world.given(world.answer(Cache_Control="max-age=5", ETag='"a"'))
        world.ask()
        world.clock.advance(6)
        world.given(world.answer(304, b"", Cache_Control="max-age=5"))
        self.assertEqual([world.ask().result, world.ask().result], ["rhit", "hit"])

    def test_kept_for_validation(self) -> None:
        """What can be validated is kept for longer than it is fresh, by a factor."""
        world = World.of(revalidation_factor=1.5)
        for later, conditional in ((1499, True), (1501, False)):
            world.given(world.answer(Cache_Control="max-age=1000", ETag='"a"'))
            world.ask()
            world.clock.advance(later)
            world.given(world.answer(Cache_Control="max-age=1000", ETag='"b"'))
            world.ask(Pragma="x")
            self.assertIs(b"if-none-match" in world.origin.requests[-1].headers, conditional)
            world.clock.advance(10_000)


class HeadTests(SynchronousTestCase):
    """What HEAD says of a stored answer to GET (RFC 9111 section 4.3.5)."""

    def after(self, status: int = 200, **head: str) -> World:
        """:return: a world in which a stale answer was asked for with HEAD."""
        world = World.of()
        world.given(world.answer(Cache_Control="max-age=5", ETag='"a"', Last_Modified=date(1)))
        world.ask()
        world.clock.advance(6)
        world.given(world.answer(status, b"", Cache_Control="max-age=50", **head))
        world.ask(method=b"HEAD")
        self.assertEqual(world.origin.requests[-1].method, b"HEAD")
        return world

    def test_confirmed(self) -> None:
        """A response to HEAD that agrees with the stored response makes that one fresh."""
        world = self.after(ETag='"a"', Content_Length="5", Test="x")
        client = world.ask()
        self.assertEqual((client.result, client.octets, client.header(b"test")),
                         ("hit", b"hello", b"x"))

    def test_contradicted(self) -> None:
        """A response to HEAD that contradicts the stored response invalidates that one."""
        for head in ({"ETag": '"b"'}, {"ETag": '"a"', "Content_Length": "6"},
                     {"Last_Modified": date(2)}):
            world = self.after(**head)
            world.given(world.answer(body=b"new"))
            self.assertEqual(world.ask().octets, b"new")
            self.assertNotIn(b"if-none-match", world.origin.requests[-1].headers)

    def test_gone(self) -> None:
        """
        A response to HEAD that the target is gone invalidates the stored response; an error does
        not.
        """
        for status, conditional in ((410, False), (404, False), (503, True)):
            world = self.after(status)
            world.given(world.answer(304, b""))
            world.ask()
            self.assertIs(b"if-none-match" in world.origin.requests[-1].headers, conditional)


class StaleUseTests(SynchronousTestCase):
    """When what is stale may be used: RFC 9111 section 4.2.4, RFC 5861."""

    def stale(self, said: str, later: float = 7, ETag: str | None = None,
              Last_Modified: str | None = None, **options: float) -> World:
        """:return: a world with an answer that was fresh for 5 seconds, some seconds ago."""
        world = World.of(**options)
        fields = {"ETag": ETag, "Last_Modified": Last_Modified}
        world.given(world.answer(Cache_Control=f"max-age=5, {said}",
                                 **{name: value for name, value in fields.items() if value}))
        world.ask()
        world.clock.advance(later)
        return world

    def error_is_replaced(self, said: str, later: float = 7, **options: float) -> bool:
        """:return: whether the stale answer is used in the place of all kinds of errors."""
        found = set()
        for error in (503, 500, UpstreamUnreachable(""), UpstreamTimeout("")):
            world = self.stale(said, later, **options)
            world.given(world.answer(error, b"error") if isinstance(error, int) else error)
            found.add(world.ask().octets == b"hello")
            self.assertEqual(world.asked, 2)
        [is_replaced] = found
        return is_replaced

    def test_if_error(self) -> None:
        """
        A stale response is used on an error within its stale-if-error window, and never after.
        """
        self.assertTrue(self.error_is_replaced("stale-if-error=5"))
        self.assertFalse(self.error_is_replaced("stale-if-error=1"))
        self.assertFalse(self.error_is_replaced("x"))

    def test_if_error_default(self) -> None:
        """A configured stale-if-error window holds for responses that have none."""
        self.assertTrue(self.error_is_replaced("x", stale_if_error=5.0))
        self.assertFalse(self.error_is_replaced("stale-if-error=0", stale_if_error=5.0))

    def test_if_error_forbidden(self) -> None:
        """A response that forbids stale use is never used on an error."""
        for said in ("must-revalidate", "proxy-revalidate", "s-maxage=5"):
            self.assertFalse(self.error_is_replaced(f"stale-if-error=99, {said}"), said)

    def test_if_error_outcome(self) -> None:
        """The outcome of a stale response that was used on an error says so."""
        world = self.stale("stale-if-error=9")
        world.given(world.answer(503))
        client = world.ask()
        self.assertEqual((client.outcome.reason, client.outcome.cause, client.outcome.detail,
                          client.outcome.origin_status),
                         (Reason.STALE, Reason.ORIGIN_STATUS, "stale-if-error", 503))
        self.assertEqual(client.header(b"age"), b"7")

    def test_if_error_is_no_fresh_answer_for_waiters(self) -> None:
        """
        A client that wants a fresh answer is given no stale one where another waits,
        and takes it.
        """
        for said, asked in (("max-age=3", 2), ("min-fresh=1", 2), ("max-age=9", 1)):
            world = self.stale("stale-if-error=9", honour_request_directives=True)
            before = world.asked
            first, second = world.ask(), world.ask(Cache_Control=said)
            world.origin.answer(world.answer(503))
            self.assertEqual(first.response.status, 200)
            self.assertEqual(world.asked - before, asked, said)
            if asked > 1:
                world.origin.answer(world.answer(503))
            self.assertEqual(second.response.status, 503 if asked > 1 else 200, said)

    def test_if_error_is_no_fresh_answer(self) -> None:
        """A client that wants a fresher response than the stale one gets the error."""
        for said, status in (("no-cache", 503), ("max-age=0", 503), ("max-age=3", 503),
                             ("min-fresh=1", 503), ("max-age=9", 200), ("min-fresh=0", 503)):
            for later in (4, 7):
                world = self.stale("stale-if-error=9", later, honour_request_directives=True)
                world.given(world.answer(503))
                is_fresh = later == 4 and said in ("min-fresh=1", "min-fresh=0", "max-age=9")
                self.assertEqual(world.ask(Cache_Control=said).status, 200 if is_fresh else status,
                                 (said, later))

    def test_if_error_for_all(self) -> None:
        """Waiters that get a stale response have an outcome that says so, and why."""
        for error in (UpstreamUnreachable("gone"), UpstreamTimeout("late")):
            world = self.stale("stale-if-error=9")
            clients = [world.ask() for _ in range(3)]
            world.origin.answer(error)
            self.assertEqual({(one.result, one.outcome.reason, one.outcome.cause)
                              for one in clients}, {("hit", Reason.STALE, error.reason)})

    def test_max_stale_outcome(self) -> None:
        """The outcome for a client with max-stale says that the response was stale, if it was."""
        world = World.of(honour_request_directives=True)
        world.given(world.answer(Cache_Control="max-age=5", ETag='"a"'))
        world.ask()
        client = world.ask(Cache_Control="max-stale")
        self.assertEqual((client.result, client.outcome.reason), ("hit", None))
        world.clock.advance(7)
        client = world.ask(Cache_Control="max-stale")
        self.assertEqual((client.result, client.outcome.reason, client.outcome.detail),
                         ("hit", Reason.STALE, "max-stale"))

    def test_again(self) -> None:
        """A stale response may be used on an error any number of times within its limit."""
        world = self.stale("stale-if-error=9")
        for _ in range(3):
            world.given(world.answer(503))
            self.assertEqual(world.ask().outcome.reason, Reason.STALE)

    def test_client_error_is_no_error(self) -> None:
        """A 4xx response is no error that allows a stale response to be used."""
        world = self.stale("stale-if-error=9")
        world.given(world.answer(404))
        self.assertEqual(world.ask().status, 404)

    def test_while_revalidate(self) -> None:
        """Within its window a stale response is served at once, and refreshed in the background."""
        world = self.stale("stale-while-revalidate=5")
        client = world.ask()
        self.assertEqual(client.octets, b"hello")
        self.assertEqual((client.result, client.outcome.reason, client.outcome.detail),
                         ("hit", Reason.STALE, "stale-while-revalidate"))
        world.origin.answer(world.answer(Cache_Control="max-age=5", body=b"new"))
        self.assertEqual(world.ask().octets, b"new")

    def test_while_revalidate_is_over(self) -> None:
        """A stale response is not served after its stale-while-revalidate window."""
        world = self.stale("stale-while-revalidate=2")
        self.assertIsNone(world.ask().response)

    def test_while_revalidate_forbidden(self) -> None:
        """A response that forbids stale use is not served while it is revalidated."""
        for said in ("must-revalidate", "proxy-revalidate", "s-maxage=5", "no-cache"):
            self.assertIsNone(self.stale(f"stale-while-revalidate=99, {said}").ask().response)

    def test_while_revalidate_default(self) -> None:
        """A configured stale-while-revalidate window holds for responses that have none."""
        self.assertEqual(self.stale("x", stale_while_revalidate=9.0).ask().octets, b"hello")

    def test_refresh_validates(self) -> None:
        """
        A refresh is a validation (RFC 5861 section 3), also for a client that wants a part; where
        nothing has changed, the stored response is fresh again.
        """
        for validator, value, condition in (
                ("ETag", '"a"', b"if-none-match"), ("ETag", 'W/"a"', b"if-none-match"),
                ("Last_Modified", "Sun, 06 Nov 1994 08:49:37 GMT", b"if-modified-since")):
            for asked in ({}, {"Range": "bytes=1-2"}, {"If_None_Match": '"b"'}):
                world = self.stale("stale-while-revalidate=9", **{validator: value})
                self.assertEqual(world.ask(**asked).result, "hit")
                sent = world.origin.requests[-1].headers
                self.assertEqual(sent.get(condition), value.encode())
                self.assertEqual([name for name in (b"range", b"if-range") if name in sent], [])
                world.origin.answer(world.answer(304, b"", Cache_Control="max-age=60"))
                client = world.ask()
                self.assertEqual((client.octets, client.outcome.reason, world.asked),
                                 (b"hello", None, 2))

    def test_refresh_fails(self) -> None:
        """A refresh that fails changes nothing."""
        world = self.stale("stale-while-revalidate=9")
        world.ask()
        world.origin.answer(UpstreamUnreachable(""))
        self.assertEqual(world.ask().octets, b"hello")
        self.assertEqual(world.asked, 3)

    def test_refresh_of_a_large_body(self) -> None:
        """A refresh that turns out too large is given up, not read without a client."""
        world = self.stale("stale-while-revalidate=9", max_object_size_bytes=9)
        world.ask()
        body = PausedBody()
        world.origin.answer(world.answer(Cache_Control="max-age=5", body=body))
        body.feed(b"x" * 10)
        self.assertTrue(body.is_closed)
        self.assertEqual(world.fetches, 0)

    def test_refresh_not_for_the_cache(self) -> None:
        """A refresh whose answer cannot be stored leaves nothing open."""
        world = self.stale("stale-while-revalidate=9")
        world.ask()
        body = PausedBody()
        world.origin.answer(world.answer(Cache_Control="no-store", body=body))
        self.assertTrue(body.is_closed)


class RequestDirectiveTests(SynchronousTestCase):
    """A client's directives, where they are to be honoured (RFC 9111 section 5.2.1)."""

    def asked(self, said: str, later: float = 10, honoured: bool = True, **stored: str) -> Client:
        """:return: who asked so, of an answer that is fresh for 20 seconds."""
        world = World.of(honour_request_directives=honoured)
        stored = {"Cache_Control": "max-age=20", "ETag": '"a"', **stored}
        world.given(world.answer(**stored), world.answer(body=b"new", Cache_Control="max-age=9"))
        world.ask()
        world.clock.advance(later)
        return world.ask(Cache_Control=said)

    def test_honoured(self) -> None:
        """Each request directive decides whether a stored response is used."""
        for said, later, result in (
                ("max-age=10", 10, "hit"), ("max-age=9", 10, "kmiss"), ("max-age=0", 0, "kmiss"),
                ("min-fresh=10", 10, "hit"), ("min-fresh=11", 10, "kmiss"),
                ("max-stale", 99, "hit"), ("max-stale=10", 30, "hit"),
                ("max-stale=9", 30, "kmiss"), ("no-cache", 1, "kmiss"),
                ("only-if-cached", 1, "hit"), ("x", 1, "hit")):
            self.assertEqual(self.asked(said, later).result, result, said)

    def test_max_stale_forbidden(self) -> None:
        """A request's max-stale does not override a response that forbids stale use."""
        self.assertEqual(self.asked("max-stale", 99, Cache_Control="max-age=5, must-revalidate")
                         .result, "kmiss")

    def test_only_if_cached(self) -> None:
        """A request with only-if-cached and without a stored response gets 504."""
        world = World.of(honour_request_directives=True)
        client = world.ask(Cache_Control="only-if-cached")
        self.assertIsInstance(client.error, NotCached)
        self.assertEqual(world.asked, 0)

    def test_no_store(self) -> None:
        """The response to a no-store request is not stored."""
        world = World.of(honour_request_directives=True)
        world.given(world.answer(Cache_Control="max-age=9"), world.answer())
        client = world.ask(Cache_Control="no-store")
        self.assertEqual(client.outcome.reason, Reason.REQUEST_NO_STORE)
        world.ask()
        self.assertEqual(world.asked, 2)

    def test_not_honoured(self) -> None:
        """By default only directives for a fresh response have an effect."""
        for said in ("max-age=0", "min-fresh=99", "only-if-cached", "max-stale", "private"):
            self.assertEqual(self.asked(said, honoured=False).result, "hit", said)
        for said in ("no-cache", "no-store", "x, NO-CACHE"):
            self.assertEqual(self.asked(said, honoured=False).octets, b"new", said)

    def test_pragma(self) -> None:
        """Pragma counts only without Cache-Control (section 5.4)."""
        for headers, result in (({"Pragma": "no-cache"}, "kmiss"),
                                ({"Pragma": "no-cache", "Cache_Control": "x"}, "hit")):
            world = World.of()
            world.given(world.answer(Cache_Control="max-age=9"), world.answer())
            world.ask()
            self.assertEqual(world.ask(**headers).result, result)


class NegativeCacheTests(SynchronousTestCase):
    """Statuses that are kept for a configured time."""

    def test_kept(self) -> None:
        """A status with a negative lifetime is stored, whatever freshness the response has."""
        world = World.of(negative={404: 3.0})
        world.given(world.answer(404, Cache_Control="max-age=99", Age="50"), world.answer())
        self.assertEqual([world.ask().result, world.ask().result], ["kmiss", "nchit"])
        world.clock.advance(3)
        self.assertEqual(world.ask().status, 200)

    def test_personal(self) -> None:
        """A failure is not kept for a configured time where it is for one client alone."""
        for headers in ({"Cache_Control": "private"}, {"Cache_Control": "no-store"},
                        {"Set_Cookie": "a=b"}):
            world = World.of(negative={404: 3.0})
            world.given(world.answer(404, **headers), world.answer(404, **headers))
            world.ask(), world.ask()
            self.assertEqual(world.asked, 2, headers)

    def test_max_ttl(self) -> None:
        """No answer is fresh for longer than the limit."""
        world = World.of(max_ttl=10.0)
        world.given(world.answer(Cache_Control="max-age=99"), world.answer())
        world.ask()
        world.clock.advance(10)
        world.ask()
        self.assertEqual(world.asked, 2)
