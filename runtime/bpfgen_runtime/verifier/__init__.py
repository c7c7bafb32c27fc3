"""The verifier's log, read for people: what it refused, where in the source, and what to do.

Pure, and imported only once a load has failed and somebody looks at the error.
"""

from __future__ import annotations

from .explain import explain
from .lines import source_lines
from .log import SourceLine, VerifierLog, VerifierStats, parse

__all__ = ["SourceLine", "VerifierLog", "VerifierStats", "explain", "parse", "source_lines"]
