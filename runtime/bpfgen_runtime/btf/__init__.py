"""BTF, the BPF Type Format: parse, ask, encode.

General layout: `types` has the values, `parse` the outer form, `decode` one record to one type,
`btf` the class `Btf` with what can be asked; `layout`, `cname`, `validate` answer its larger
questions, `encoder` goes the other way, `ext` is `.BTF.ext`, and `kernel` reads this machine's BTF
(nothing else here does).
"""

from __future__ import annotations

from .btf import Btf as Btf
from .types import BTF_FUNC_EXTERN as BTF_FUNC_EXTERN
from .types import BTF_FUNC_GLOBAL as BTF_FUNC_GLOBAL
from .types import BTF_FUNC_STATIC as BTF_FUNC_STATIC
from .types import BTF_INT_BOOL as BTF_INT_BOOL
from .types import BTF_INT_CHAR as BTF_INT_CHAR
from .types import BTF_INT_SIGNED as BTF_INT_SIGNED
from .types import BTF_KIND_ARRAY as BTF_KIND_ARRAY
from .types import BTF_KIND_CONST as BTF_KIND_CONST
from .types import BTF_KIND_DATASEC as BTF_KIND_DATASEC
from .types import BTF_KIND_DECL_TAG as BTF_KIND_DECL_TAG
from .types import BTF_KIND_ENUM as BTF_KIND_ENUM
from .types import BTF_KIND_ENUM64 as BTF_KIND_ENUM64
from .types import BTF_KIND_FLOAT as BTF_KIND_FLOAT
from .types import BTF_KIND_FUNC as BTF_KIND_FUNC
from .types import BTF_KIND_FUNC_PROTO as BTF_KIND_FUNC_PROTO
from .types import BTF_KIND_FWD as BTF_KIND_FWD
from .types import BTF_KIND_INT as BTF_KIND_INT
from .types import BTF_KIND_PTR as BTF_KIND_PTR
from .types import BTF_KIND_RESTRICT as BTF_KIND_RESTRICT
from .types import BTF_KIND_STRUCT as BTF_KIND_STRUCT
from .types import BTF_KIND_TYPE_TAG as BTF_KIND_TYPE_TAG
from .types import BTF_KIND_TYPEDEF as BTF_KIND_TYPEDEF
from .types import BTF_KIND_UNION as BTF_KIND_UNION
from .types import BTF_KIND_UNKN as BTF_KIND_UNKN
from .types import BTF_KIND_VAR as BTF_KIND_VAR
from .types import BTF_KIND_VOLATILE as BTF_KIND_VOLATILE
from .types import BTF_VAR_GLOBAL_ALLOCATED as BTF_VAR_GLOBAL_ALLOCATED
from .types import BTF_VAR_GLOBAL_EXTERN as BTF_VAR_GLOBAL_EXTERN
from .types import BTF_VAR_STATIC as BTF_VAR_STATIC
from .types import KIND_NAMES as KIND_NAMES
from .types import MODIFIER_KINDS as MODIFIER_KINDS
from .types import NR_BTF_KINDS as NR_BTF_KINDS
from .types import VOID as VOID
from .types import Array as Array
from .types import BtfType as BtfType
from .types import Const as Const
from .types import Datasec as Datasec
from .types import DeclTag as DeclTag
from .types import Enum as Enum
from .types import Enum64 as Enum64
from .types import Enumerator as Enumerator
from .types import Float as Float
from .types import Func as Func
from .types import FuncProto as FuncProto
from .types import Fwd as Fwd
from .types import Int as Int
from .types import Member as Member
from .types import Param as Param
from .types import Ptr as Ptr
from .types import Record as Record
from .types import Restrict as Restrict
from .types import SecVar as SecVar
from .types import Struct as Struct
from .types import Typedef as Typedef
from .types import TypeTag as TypeTag
from .types import Union as Union
from .types import Unknown as Unknown
from .types import Var as Var
from .types import Void as Void
from .types import Volatile as Volatile
from .types import is_char as is_char
from .types import kind_name as kind_name

TYPE_CHECKING = False
if TYPE_CHECKING:
    from .encoder import StringTable as StringTable
    from .encoder import encode as encode
    from .ext import CORE_RELO_KINDS as CORE_RELO_KINDS
    from .ext import BtfExt as BtfExt
    from .ext import CoreRelo as CoreRelo
    from .ext import FuncInfo as FuncInfo
    from .ext import InfoTable as InfoTable
    from .ext import LineInfo as LineInfo
    from .kernel import kernel_btf as kernel_btf
    from .kernel import module_btf as module_btf

# Imported when asked for: not every program needs them.
_LAZY = {
    "CORE_RELO_KINDS": "ext",
    "BtfExt": "ext",
    "CoreRelo": "ext",
    "FuncInfo": "ext",
    "InfoTable": "ext",
    "LineInfo": "ext",
    "StringTable": "encoder",
    "encode": "encoder",
    "kernel_btf": "kernel",
    "module_btf": "kernel",
}


def __getattr__(name: str) -> object:
    module = _LAZY.get(name)
    if module is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    # Not importlib.import_module: that package is not loaded at start-up.
    value: object = getattr(__import__(f"{__name__}.{module}", fromlist=(name,)), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *_LAZY})
