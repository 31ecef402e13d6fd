"""What of ours waits for the collector of cycles, where counting references should suffice."""

from __future__ import annotations

import gc
from collections import Counter
from collections.abc import Callable


def left_in_cycles(act: Callable[[], object]) -> Counter[str]:
    """
    :param act: called twice: what is made once, such as memos and classes, does not count.
    :return: how many objects of ours only the collector has found after it, by type.
    """
    act()
    # What earlier tests have left, and what its finalizers leave, is not this one's.
    while gc.collect():
        pass
    was_enabled = gc.isenabled()
    gc.disable()
    gc.set_debug(gc.DEBUG_SAVEALL)
    try:
        act()
        gc.collect()
        return Counter(type(one).__qualname__ for one in gc.garbage
                       if type(one).__module__.startswith("trickster."))
    finally:
        gc.set_debug(0)
        gc.garbage.clear()
        if was_enabled:
            gc.enable()
