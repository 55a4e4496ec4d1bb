"""How often a property is tried, always with the same examples; `PARLEY_EXAMPLES=20` tries each 20 × more."""

import os
from collections.abc import Callable
from typing import Any

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st

_FACTOR = int(os.environ.get("PARLEY_EXAMPLES", "1"))

# No surrogates: text is UTF-8 wherever it comes from.
text = st.text(st.characters(codec="utf-8"), max_size=40)
ulids = st.text("0123456789ABCDEFGHJKMNPQRSTVWXYZ", min_size=25, max_size=25).map(lambda rest: "0" + rest)
storable = st.recursive(
    st.one_of(text, st.booleans(), st.integers(-(10**37), 10**37)),
    lambda inner: st.one_of(st.lists(inner, max_size=4), st.dictionaries(text, inner, max_size=4)),
    max_leaves=8,
)
anything_json = st.recursive(
    st.one_of(
        st.none(), st.booleans(), st.integers(-(10**18), 10**18), st.floats(allow_nan=False, allow_infinity=False), text
    ),
    lambda inner: st.one_of(st.lists(inner, max_size=4), st.dictionaries(text, inner, max_size=4)),
    max_leaves=8,
)


def tried(times: int) -> Callable[[Any], Any]:
    """Try a property so many times; no deadline, because a busy machine is no bug."""
    return settings(
        max_examples=times * _FACTOR,
        deadline=None,
        database=None,
        derandomize=True,
        suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
    )
