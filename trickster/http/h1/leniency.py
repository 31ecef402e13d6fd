"""What origins do that HTTP does not know, and that is taken all the same."""

from __future__ import annotations

from enum import Enum


class Leniency(Enum):
    """
    One way not to keep to RFC 9112; the values are labels of a metric.

    None of these can smuggle anything, since the connection is not used again: two views of
    where an answer ends only matter where another answer follows.
    """

    LINE_FEED = "line-feed"
    BLANK_LINE = "blank-line"
    VERSION = "version"
    STATUS_LINE = "status-line"
    STATUS = "status"
    SPACE_BEFORE_COLON = "space-before-colon"
    FOLD = "fold"
    FIELD_NAME = "field-name"
    CONTROL = "control-octet"
    REPEATED_LENGTH = "repeated-length"
    LENGTH_AND_CODING = "length-and-coding"
    REPEATED_CODING = "repeated-coding"
    IDENTITY_CODING = "identity-coding"
    OLD_CODING = "coding-in-http-1.0"
    CHUNK_PADDING = "chunk-padding"
    TRAILER = "trailer"


# Where servers differ about what the answer is, and not only about how it should be spelled:
# it is passed on, and kept by no cache.
DOUBTFUL = frozenset((
    Leniency.VERSION, Leniency.STATUS, Leniency.FIELD_NAME, Leniency.LENGTH_AND_CODING,
    Leniency.REPEATED_CODING, Leniency.IDENTITY_CODING, Leniency.OLD_CODING,
))
NO_LENIENCIES: frozenset[Leniency] = frozenset()
