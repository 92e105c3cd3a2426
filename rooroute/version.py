"""The package's version and the protocol's; the only place either is written."""

from typing import Final

VERSION: Final = "0.1.0"
PROTOCOL_VERSION: Final = "1.0"
