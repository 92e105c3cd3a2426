"""A LiteLLM proxy: chat completions in front of others' models, https://docs.litellm.ai/docs/proxy/user_keys.

Its errors tell of two worlds: the proxy's own keys and budgets, and the upstream's failures, whose class name begins the sentence
(https://docs.litellm.ai/docs/exception_mapping). An upstream's bad key is the proxy's trouble, not this profile's.
"""

from __future__ import annotations

from typing import Final

from rooroute.outcome import Fault, Scope
from rooroute.providers.failures import Row, pattern, statuses
from rooroute.providers.openai import ChatCompletions
from rooroute.providers.ranges import Range

LITELLM_ROWS: Final = (
    # Every deployment behind the name is resting: https://github.com/BerriAI/litellm/issues/5177
    Row(
        Fault.OVERLOAD,
        text=pattern(r"no (?:healthy )?deployments? available"),
        scope=Scope.ENDPOINT,
        per_model=True,
    ),
    Row(Fault.BILLING, codes=frozenset({"budget_exceeded"})),
    Row(Fault.BILLING, text=pattern(r"budget has been exceeded|exceededbudget")),
    Row(
        Fault.PERMISSION,
        codes=frozenset({"key_model_access_denied", "team_model_access_denied", "user_model_access_denied"}),
        per_model=True,
    ),
    Row(Fault.CREDENTIAL, codes=frozenset({"expired_key", "token_not_found_in_db"})),
    Row(Fault.CREDENTIAL, codes=frozenset({"auth_error"}), status=statuses(400, 401, 403), confirm=True),
    Row(
        Fault.MODEL,
        status=statuses(400, 404),
        text=pattern(r"invalid model name|litellm\.notfounderror"),
        per_model=True,
    ),
    Row(
        Fault.CONTEXT,
        text=pattern(r"contextwindowexceedederror"),
        window=pattern(r"(?:maximum context length is |number of tokens allowed \(?|> )([\d,]+)"),
    ),
    Row(Fault.POLICY, text=pattern(r"contentpolicyviolationerror")),
    Row(Fault.PERMISSION, text=pattern(r"litellm\.(?:authenticationerror|permissiondeniederror)"), per_model=True),
    Row(Fault.RATE_LIMIT, text=pattern(r"litellm\.ratelimiterror"), scope=Scope.ENDPOINT, per_model=True),
    Row(Fault.OVERLOAD, text=pattern(r"litellm\.serviceunavailableerror"), scope=Scope.ENDPOINT, per_model=True),
    # A proxy without a database knows its master key alone and answers 400 to any other; one that lost its database answers 503:
    # https://github.com/BerriAI/litellm/blob/main/litellm/proxy/auth/user_api_key_auth.py
    Row(Fault.CREDENTIAL, codes=frozenset({"no_db_connection"}), status=statuses(400), confirm=True),
    Row(Fault.TRANSIENT, codes=frozenset({"no_db_connection"}), scope=Scope.ENDPOINT),
)
LITELLM: Final = ChatCompletions(rows=LITELLM_ROWS, ranges=(Range("temperature", 0, 2), Range("top_p", 0, 1)))
