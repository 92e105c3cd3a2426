"""An answer that announces the end of its model is understood."""

from __future__ import annotations

import pytest

from rooroute.providers.retirement import Retirement, announced

PAGE = "https://vendor.example/models/old"


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        pytest.param({}, None, id="nothing-is-announced"),
        pytest.param({"deprecation": "false"}, None, id="denied"),
        pytest.param({"deprecation": "@1790000000"}, Retirement(1_790_000_000.0), id="as-rfc-9745-dates-it"),
        pytest.param({"deprecation": "true"}, Retirement(), id="as-drafts-had-it"),
        pytest.param({"deprecation": "Mon, 21 Sep 2026 14:13:20 GMT"}, Retirement(1_790_000_000.0), id="as-older-drafts-dated-it"),
        pytest.param({"sunset": "Mon, 21 Sep 2026 14:13:20 GMT"}, Retirement(stops_at=1_790_000_000.0), id="as-rfc-8594-dates-the-end"),
        pytest.param(
            {"deprecation": "@1790000000", "link": f'<https://a.example>; rel="next", <{PAGE}>; rel="deprecation"; type="text/html"'},
            Retirement(1_790_000_000.0, page=PAGE),
            id="with-a-page",
        ),
        pytest.param({"deprecation": "@²", "sunset": "soon", "link": "<x"}, Retirement(), id="senseless-dates"),
        pytest.param({"deprecation": "@9" + "9" * 20, "sunset": "9" * 30}, Retirement(), id="dates-beyond-any-calendar"),
    ],
)  # fmt: skip
def test_what_headers_announce(headers: dict[str, str], expected: Retirement | None) -> None:
    assert announced(headers) == expected
