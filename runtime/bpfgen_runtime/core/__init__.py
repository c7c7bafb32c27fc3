"""CO-RE: compile once, run everywhere: field offsets and the like as the kernel at hand has them.

General layout: `access` reads what a record speaks of, `candidates` finds the types of the kernel
that may be meant, `match` and `compat` decide which are, `value` computes what belongs into the
instruction, `patch` puts it there; `resolve` is the way through them, and `relocate` does it for
all functions of an object.

Kernel: struct bpf_core_relo, enum bpf_core_relo_kind (include/uapi/linux/bpf.h).
"""

from __future__ import annotations

from .names import essential_name as essential_name
from .patch import POISON as POISON
from .patch import patch as patch
from .patch import poison as poison
from .relocate import Poison as Poison
from .relocate import relocate as relocate
from .resolve import Resolver as Resolver
from .value import Resolution as Resolution

__all__ = [
    "POISON",
    "Poison",
    "Resolution",
    "Resolver",
    "essential_name",
    "patch",
    "poison",
    "relocate",
]
