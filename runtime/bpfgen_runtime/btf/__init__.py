"""BTF, the BPF Type Format: parse, ask, encode.

General layout: `types` has the values, `parse` the outer form, `decode` one record to one type,
`btf` the class `Btf` with what can be asked; `layout`, `cname`, `validate` answer its larger
questions, `encoder` goes the other way, `ext` is `.BTF.ext`, and `kernel` reads this machine's BTF
(nothing else here does).
"""

from __future__ import annotations

from .btf import Btf
from .types import (
    BTF_FUNC_EXTERN,
    BTF_FUNC_GLOBAL,
    BTF_FUNC_STATIC,
    BTF_INT_BOOL,
    BTF_INT_CHAR,
    BTF_INT_SIGNED,
    BTF_KIND_ARRAY,
    BTF_KIND_CONST,
    BTF_KIND_DATASEC,
    BTF_KIND_DECL_TAG,
    BTF_KIND_ENUM,
    BTF_KIND_ENUM64,
    BTF_KIND_FLOAT,
    BTF_KIND_FUNC,
    BTF_KIND_FUNC_PROTO,
    BTF_KIND_FWD,
    BTF_KIND_INT,
    BTF_KIND_PTR,
    BTF_KIND_RESTRICT,
    BTF_KIND_STRUCT,
    BTF_KIND_TYPE_TAG,
    BTF_KIND_TYPEDEF,
    BTF_KIND_UNION,
    BTF_KIND_UNKN,
    BTF_KIND_VAR,
    BTF_KIND_VOLATILE,
    BTF_VAR_GLOBAL_ALLOCATED,
    BTF_VAR_GLOBAL_EXTERN,
    BTF_VAR_STATIC,
    KIND_NAMES,
    MODIFIER_KINDS,
    NR_BTF_KINDS,
    VOID,
    Array,
    BtfType,
    Const,
    Datasec,
    DeclTag,
    Enum,
    Enum64,
    Enumerator,
    Float,
    Func,
    FuncProto,
    Fwd,
    Int,
    Member,
    Param,
    Ptr,
    Record,
    Restrict,
    SecVar,
    Struct,
    Typedef,
    TypeTag,
    Union,
    Unknown,
    Var,
    Void,
    Volatile,
    is_char,
    kind_name,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from .build import BtfBuilder
    from .deduplicate import Deduped, dedup
    from .dump import dump_c, vmlinux_h
    from .dump_data import dump_type_data
    from .encoder import StringTable, encode
    from .ext import CORE_RELO_KINDS, BtfExt, CoreRelo, FuncInfo, InfoTable, LineInfo
    from .file import read_btf
    from .kernel import kernel_btf, module_btf
    from .listing import dump_raw, type_facts
    from .rebase import distill_base, permute, relocate

__all__ = [
    "BTF_FUNC_EXTERN",
    "BTF_FUNC_GLOBAL",
    "BTF_FUNC_STATIC",
    "BTF_INT_BOOL",
    "BTF_INT_CHAR",
    "BTF_INT_SIGNED",
    "BTF_KIND_ARRAY",
    "BTF_KIND_CONST",
    "BTF_KIND_DATASEC",
    "BTF_KIND_DECL_TAG",
    "BTF_KIND_ENUM",
    "BTF_KIND_ENUM64",
    "BTF_KIND_FLOAT",
    "BTF_KIND_FUNC",
    "BTF_KIND_FUNC_PROTO",
    "BTF_KIND_FWD",
    "BTF_KIND_INT",
    "BTF_KIND_PTR",
    "BTF_KIND_RESTRICT",
    "BTF_KIND_STRUCT",
    "BTF_KIND_TYPEDEF",
    "BTF_KIND_TYPE_TAG",
    "BTF_KIND_UNION",
    "BTF_KIND_UNKN",
    "BTF_KIND_VAR",
    "BTF_KIND_VOLATILE",
    "BTF_VAR_GLOBAL_ALLOCATED",
    "BTF_VAR_GLOBAL_EXTERN",
    "BTF_VAR_STATIC",
    "CORE_RELO_KINDS",
    "KIND_NAMES",
    "MODIFIER_KINDS",
    "NR_BTF_KINDS",
    "VOID",
    "Array",
    "Btf",
    "BtfBuilder",
    "BtfExt",
    "BtfType",
    "Const",
    "CoreRelo",
    "Datasec",
    "DeclTag",
    "Deduped",
    "Enum",
    "Enum64",
    "Enumerator",
    "Float",
    "Func",
    "FuncInfo",
    "FuncProto",
    "Fwd",
    "InfoTable",
    "Int",
    "LineInfo",
    "Member",
    "Param",
    "Ptr",
    "Record",
    "Restrict",
    "SecVar",
    "StringTable",
    "Struct",
    "TypeTag",
    "Typedef",
    "Union",
    "Unknown",
    "Var",
    "Void",
    "Volatile",
    "dedup",
    "distill_base",
    "dump_c",
    "dump_raw",
    "dump_type_data",
    "encode",
    "is_char",
    "kernel_btf",
    "kind_name",
    "module_btf",
    "permute",
    "read_btf",
    "relocate",
    "type_facts",
    "vmlinux_h",
]

# Imported when asked for: not every program needs them.
_LAZY = {
    "BtfBuilder": "build",
    "BtfExt": "ext",
    "CORE_RELO_KINDS": "ext",
    "CoreRelo": "ext",
    "Deduped": "deduplicate",
    "FuncInfo": "ext",
    "InfoTable": "ext",
    "LineInfo": "ext",
    "StringTable": "encoder",
    "dedup": "deduplicate",
    "distill_base": "rebase",
    "dump_c": "dump",
    "dump_raw": "listing",
    "dump_type_data": "dump_data",
    "encode": "encoder",
    "kernel_btf": "kernel",
    "module_btf": "kernel",
    "permute": "rebase",
    "read_btf": "file",
    "relocate": "rebase",
    "type_facts": "listing",
    "vmlinux_h": "dump",
}


if not TYPE_CHECKING:  # else any attribute would do

    def __getattr__(name):
        module = _LAZY.get(name)
        if module is None:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        # Not importlib.import_module: that package is not loaded at start-up.
        value = getattr(__import__(f"{__name__}.{module}", fromlist=(name,)), name)
        globals()[name] = value
        return value


def __dir__() -> list[str]:
    return sorted({*globals(), *_LAZY})
