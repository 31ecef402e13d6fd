"""What connections to servers go by, as the options of a store say."""

from __future__ import annotations

from typing import Any

from attrs import evolve, field, fields, frozen

from trickster.stores.redis.options import RedisOptions

_ZERO_IS_DEFAULT = ("dial_timeout", "read_timeout", "write_timeout", "pool_timeout", "pool_size")
# Seconds without an answer after which a server is not listened to any more.
_SILENCE = 3.0


@frozen(kw_only=True)
class Credentials:
    """
    Who we are to a server.

    :ivar username: empty for the server's user C{default}.
    :ivar password: never shown.
    """

    username: str = ""
    password: str = field(default="", repr=False)

    def hidden(self, text: str) -> str:
        """:return: a text of the server's without the password, which it may repeat."""
        return text.replace(self.password, "...") if self.password else text


@frozen(kw_only=True)
class Settings:
    """
    How the connections to one server are made and kept.

    Times are seconds.

    :ivar db: number of the database.
    :ivar is_master: whether a server is not used that says that it is no master.
    :ivar dial_timeout: to connect, authentication included.
    :ivar read_timeout: for the answer to a command.
    :ivar write_timeout: to send a command.
    :ivar pool_timeout: to wait for a connection that takes another command.
    :ivar pool_size: most connections.
    :ivar min_idle: connections that are kept without need.
    :ivar max_age: after which a connection is replaced; 0 for never.
    :ivar idle_timeout: after which an unused connection is closed; 0 for never.
    :ivar tracked: what the keys begin with of whose changes the server is to tell; None for none.
    """

    credentials: Credentials = field(factory=Credentials)
    db: int = 0
    is_master: bool = False
    dial_timeout: float = 5.0
    read_timeout: float = 3.0
    write_timeout: float = 3.0
    pool_timeout: float = 4.0
    pool_size: int = 20
    min_idle: int = 0
    max_age: float = 0.0
    idle_timeout: float = 300.0
    tracked: bytes | None = None

    @classmethod
    def of(cls, options: RedisOptions) -> Settings:
        """
        :param options: where 0 stands for a default that is not 0, that default is used.
        :return: for a server in which entries are kept.
        """
        defaults = {each.name: each.default for each in fields(RedisOptions)}
        given: dict[str, Any] = {
            name: getattr(options, name) or defaults[name] for name in _ZERO_IS_DEFAULT}
        return cls(
            credentials=Credentials(username=options.username, password=options.password),
            db=options.db, is_master=options.client_type == "sentinel",
            min_idle=options.min_idle_conns, max_age=options.max_conn_age,
            idle_timeout=options.idle_timeout,
            tracked=options.key_prefix.encode("utf-8", "surrogatepass"), **given)

    def of_sentinels(self, options: RedisOptions) -> Settings:
        """:return: for the Sentinels, which have users of their own, and no databases."""
        ours = Credentials(username=options.sentinel_username, password=options.sentinel_password)
        return evolve(self, credentials=ours, db=0, is_master=False, pool_size=1, min_idle=0,
                      tracked=None)

    @property
    def listening(self) -> Settings:
        """:return: for a connection that is listened to: whether it works is to be known soon."""
        return evolve(self, db=0, read_timeout=min(self.read_timeout, _SILENCE))

    @property
    def timeout(self) -> float:
        """:return: seconds that a command takes at most, the wait for a connection included."""
        return self.pool_timeout + self.write_timeout + self.read_timeout
