"""What an object file says, editable until it is loaded: specs of maps, programs and variables.

A spec is a plain mutable value, the same on every machine. `Object.load` reads it and never changes
it, so one spec can be loaded several times; `ObjectSpec.copy` gives an independent one to edit.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any

    from typing_extensions import Protocol

    from .btf.btf import Btf
    from .btf.ext import BtfExt
    from .elf.image import ByteOrder, ElfImage
    from .insn import Insn
    from .loader.struct_ops import StructOps
    from .spec_more import ExternSpec as ExternSpec
    from .spec_more import VariableSpec as VariableSpec
    from .uapi.enums import AttachType, MapType, ProgType
    from .values import DataSection

    class HasFileno(Protocol):
        """Anything with a descriptor."""

        def fileno(self) -> int: ...

else:

    def __getattr__(name):
        # A start by a plan has no use for these, and a class costs it as much as a system call.
        if name not in ("ExternSpec", "VariableSpec"):
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        from . import spec_more

        value = globals()[name] = getattr(spec_more, name)
        return value


__all__ = ["ExternSpec", "MapSpec", "ObjectSpec", "ProgramSpec", "RelocSpec", "VariableSpec"]


class _Spec:
    """A record with slots, a repr that shows what is set, and a shallow copy."""

    __slots__: tuple[str, ...] = ()

    #: Properties that stand for a slot of their own.
    _SHOWN: tuple[str, ...] = ()

    def __repr__(self) -> str:
        fields = (
            f"{name}={value!r}"
            for name in (*self.__slots__, *self._SHOWN)
            if not name.startswith("_")
            and not isinstance(value := getattr(self, name), (bytes, bytearray))
            and not (value is None or value == 0 or value in ("", (), {}))
        )
        return f"{type(self).__name__}({', '.join(fields)})"

    if not TYPE_CHECKING:

        def __getattr__(self, name):
            what = type(self).__name__
            if name in self.__slots__:
                raise AttributeError(f"{what}.{name} is not set")
            if "name" in self.__slots__:
                what += f" {self.name!r}"
            # Most often someone wants a method of what it will be once it is loaded.
            raise AttributeError(
                f"{what} has no attribute {name!r}: it is a definition, not yet in the kernel; "
                "what load() returns has the live thing"
            )

    def _clone(self) -> Any:
        cls = type(self)
        twin = cls.__new__(cls)
        for name in cls.__slots__:
            setattr(twin, name, getattr(self, name))
        return twin


class MapSpec(_Spec):
    """The definition of one map, of a `.maps` variable or of a global data section.

    Every attribute may be changed before load. What libbpf would refuse at open is refused by the
    loader; what only the kernel can judge (a `max_entries` of 0, flags) is left to the kernel.

    Attributes:
        name: the C name; for a global data section its ELF name (`.rodata`, `.data.stats`).
        kernel_name: the name given to the kernel, at most 15 bytes, by libbpf's rule.
        section: the ELF section, `.maps` or the data section's own.
        section_index, section_offset: where the definition lies; relocations refer to it so.
        map_type: `BPF_MAP_TYPE_*`; see `type`.
        key_size: bytes.
        value_size: bytes. Setting it on a global data section resizes the section: new bytes are
            zero, and the array that is its last variable gets more or fewer elements.
        max_entries: entries; bytes for ring buffers, pages for arenas.
        map_flags: `BPF_F_*`.
        numa_node: used when `map_flags` has `BPF_F_NUMA_NODE`.
        map_extra: its meaning depends on the map's type (e.g. hash functions of a bloom filter).
        pinning: `LIBBPF_PIN_NONE` (0) or `LIBBPF_PIN_BY_NAME` (1).
        pin_path: where to pin the map at load, or find it pinned; None for the map's name under
            `ObjectSpec.pin_root_path` if `pinning` says so, else nowhere.
        inner: of a map of maps, the definition of the maps in it; or such a map in the kernel.
        values: what a map of maps or a program array holds at first: names of maps or programs by
            slot.
        struct_ops: the kernel struct that a struct_ops map implements, None for other maps.
        arena_data: of an arena, the initial bytes of the `__arena` globals; None if it has none.
        autoattach: whether `attach()` of the skeleton includes a struct_ops map.
        reused: see `reuse`.
        resized: whether `value_size` of a data section was changed.
        key_type_id, value_type_id: ids in the object's BTF, 0 if the definition names only sizes.
        contents: initial bytes of a global data section, None for other maps. Change in place, or
            replace by a buffer of `value_size` bytes.
        autocreate: False leaves the map out at load; a program that uses it is then refused.
        binding: what the live map becomes: `(class, key type, value or event type)`; the class may
            be named, `"ringbuf.RingBuf"`, and is then imported when someone asks for the map. None:
            a class by `map_type`, keys and values as bytes.
        unsupported: what this version cannot load about the map, "" if nothing.
    """

    __slots__ = (
        "_value_size",
        "_viewers",
        "arena_data",
        "autoattach",
        "autocreate",
        "binding",
        "contents",
        "inner",
        "kernel_name",
        "key_size",
        "key_type_id",
        "map_extra",
        "map_flags",
        "map_type",
        "max_entries",
        "name",
        "numa_node",
        "pin_path",
        "pinning",
        "resized",
        "reused",
        "section",
        "section_index",
        "section_offset",
        "struct_ops",
        "unsupported",
        "value_type_id",
        "values",
    )
    _SHOWN = ("value_size",)

    def __init__(
        self,
        name: str,
        map_type: int,
        *,
        key_size: int = 0,
        value_size: int = 0,
        max_entries: int = 0,
        map_flags: int = 0,
        kernel_name: str = "",
        section: str = ".maps",
        section_index: int = 0,
        section_offset: int = 0,
        numa_node: int = 0,
        map_extra: int = 0,
        pinning: int = 0,
        key_type_id: int = 0,
        value_type_id: int = 0,
        contents: bytearray | None = None,
        autocreate: bool = True,
        binding: tuple[type[Any] | str, Any, Any] | None = None,
        unsupported: str = "",
    ) -> None:
        self.name = name
        self.map_type = map_type
        self.key_size = key_size
        self._value_size = value_size
        self.max_entries = max_entries
        self.map_flags = map_flags
        self.kernel_name = kernel_name or name[:15]
        self.section = section
        self.section_index = section_index
        self.section_offset = section_offset
        self.numa_node = numa_node
        self.map_extra = map_extra
        self.pinning = pinning
        self.key_type_id = key_type_id
        self.value_type_id = value_type_id
        self.contents = contents
        self.autocreate = autocreate
        self.binding = binding
        self.unsupported = unsupported
        self.pin_path: str | None = None
        self.inner: MapSpec | HasFileno | int | None = None
        self.values: dict[int, str] = {}
        self.struct_ops: StructOps | None = None
        self.arena_data: bytearray | None = None
        self.autoattach = True
        self.reused: HasFileno | int | None = None
        self.resized = False
        self._viewers: list[DataSection] = []

    @property
    def value_size(self) -> int:
        """Bytes of a value; of a global data section, its size."""
        return self._value_size

    @value_size.setter
    def value_size(self, size: int) -> None:
        if size < 0:
            raise ValueError(f"map {self.name!r} cannot have values of {size} bytes")
        if self.contents is not None and size != len(self.contents):
            for viewer in self._viewers:
                viewer.close()
            self.contents = self.contents[:size].ljust(size, b"\0")
            for viewer in self._viewers:
                viewer._show(self.contents)
            self.resized = True
        self._value_size = size

    def reuse(self, source: HasFileno | int | None) -> None:
        """Take a map that is in the kernel instead of creating one.

        As in libbpf this map's size, flags and type then hold, whatever the definition says, and
        its contents stay. `load` duplicates the descriptor, so keep it open until then. With a pin
        by name or a `pin_path`, a map that is pinned there goes first, and must be like this one;
        if there is none, this one is pinned.

        Args:
            source: a `Map`, a descriptor, or None to create a map after all.
        """
        self.reused = source

    @property
    def type(self) -> MapType | int:
        """The type as `MapType`; the plain number where this version does not know it."""
        from .uapi.enums import MapType

        try:
            return MapType(self.map_type)
        except ValueError:
            return self.map_type

    @type.setter
    def type(self, value: int) -> None:
        self.map_type = int(value)

    @property
    def is_data(self) -> bool:
        """Whether this is a global data section (`.data* .rodata* .bss*`)."""
        return self.contents is not None

    @property
    def is_constant(self) -> bool:
        """Whether programs and, once loaded, user space only read it: `.rodata*`, `.kconfig`."""
        return self.is_rodata or self.name == ".kconfig"

    @property
    def is_rodata(self) -> bool:
        """Whether this is a section of constants: read-only for programs, frozen when loaded."""
        return self.is_data and (self.section + ".").startswith(".rodata.")

    def copy(self) -> MapSpec:
        """Return an independent copy."""
        twin: MapSpec = self._clone()
        if self.contents is not None:
            twin.contents = bytearray(self.contents)
        if self.arena_data is not None:
            twin.arena_data = bytearray(self.arena_data)
        if self.struct_ops is not None:
            twin.struct_ops = self.struct_ops.copy()
        if isinstance(self.inner, MapSpec):
            twin.inner = self.inner.copy()
        twin.values = dict(self.values)
        twin._viewers = []
        return twin


class RelocSpec(_Spec):
    """One ELF relocation of a program's instructions.

    Attributes:
        insn: the instruction, counted from the program's own first one.
        type: `R_BPF_64_64` (1) or `R_BPF_64_32` (10).
        symbol: index into the image's symbols.
    """

    __slots__ = ("insn", "symbol", "type")

    def __init__(self, insn: int, type: int, symbol: int) -> None:
        self.insn = insn
        self.type = type
        self.symbol = symbol


class ProgramSpec(_Spec):
    """One function of the object: an entry program, or a subprogram of `.text`.

    Attributes:
        name: the C function's name.
        section: the `SEC()` name without a leading `?`; decides type and attachment.
        section_index, insn_offset: the ELF section, and the first instruction's index in it.
        code: the instructions as in the file, 8 bytes each, in the object's byte order.
        relocs: the ELF relocations of `code`.
        prog_type: `BPF_PROG_TYPE_*`; `BPF_PROG_TYPE_UNSPEC` (0) if the section's name is unknown.
        expected_attach_type: `BPF_*` attach type, 0 if the program type has none.
        sec_flags: `sections.SLEEPABLE | ATTACH_BTF | …` of the section's definition.
        prog_flags: `BPF_F_*` for `BPF_PROG_LOAD`, besides those that follow from `sec_flags`.
        attach_target: what follows the section's prefix, e.g. `sched/sched_process_exec`; or "".
        autoload: whether load includes the program (`SEC("?…")` starts as False).
        autoattach: whether `attach()` of the skeleton includes it.
        is_subprogram: a function of `.text`; loaded only as part of programs that call it.
        is_replaced: `set_insns` gave it code of another length.
        is_target_set: `set_attach_target` was called: whatever the section says, there is a target.
        is_global, is_hidden: its symbol's binding and visibility; a hidden subprogram is verified
            as if it were static.
        attach_program: the program that `attach_target` is a function of; see `set_attach_target`.
        log_level: 0: a log only when the kernel refuses; else `BPF_LOG_LEVEL*` bits, and the log is
            kept in `Program.log`.
        log_size: bytes of log to begin with, 0 for 64 KiB; grows to 16 MiB where that is too small.
        binding: the subclass of `Program` for the live program, None for `Program` itself.
    """

    __slots__ = (
        "attach_program",
        "attach_target",
        "autoattach",
        "autoload",
        "binding",
        "byte_order",
        "code",
        "expected_attach_type",
        "insn_offset",
        "is_global",
        "is_hidden",
        "is_replaced",
        "is_subprogram",
        "is_target_set",
        "log_level",
        "log_size",
        "name",
        "prog_flags",
        "prog_type",
        "relocs",
        "sec_flags",
        "section",
        "section_index",
    )

    def __init__(
        self,
        name: str,
        section: str,
        code: bytes,
        *,
        prog_type: int = 0,
        expected_attach_type: int = 0,
        sec_flags: int = 0,
        prog_flags: int = 0,
        attach_target: str = "",
        section_index: int = 0,
        insn_offset: int = 0,
        relocs: Sequence[RelocSpec] = (),
        autoload: bool = True,
        autoattach: bool = True,
        is_subprogram: bool = False,
        is_global: bool = True,
        is_hidden: bool = False,
        log_level: int = 0,
        byte_order: ByteOrder = "<",
        binding: type[Any] | None = None,
    ) -> None:
        self.name = name
        self.section = section
        self.code = code
        self.prog_type = prog_type
        self.expected_attach_type = expected_attach_type
        self.sec_flags = sec_flags
        self.prog_flags = prog_flags
        self.attach_target = attach_target
        self.section_index = section_index
        self.insn_offset = insn_offset
        self.relocs = relocs
        self.autoload = autoload
        self.autoattach = autoattach
        self.is_subprogram = is_subprogram
        self.is_global = is_global
        self.is_hidden = is_hidden
        self.is_replaced = False
        self.is_target_set = False
        self.log_level = log_level
        self.log_size = 0
        self.attach_program: HasFileno | int | None = None
        self.byte_order = byte_order
        self.binding = binding

    @property
    def type(self) -> ProgType | int:
        """The type as `ProgType`; the plain number where this version does not know it."""
        from .uapi.enums import ProgType

        try:
            return ProgType(self.prog_type)
        except ValueError:
            return self.prog_type

    @type.setter
    def type(self, value: int) -> None:
        # Another type than the section's: what the section says of flags and attachment is void,
        # as in libbpf; a target that was set is not the section's, and stays.
        if value != self.prog_type:
            self.prog_type = int(value)
            self.sec_flags = 0
            self.autoattach = False

    @property
    def attach_type(self) -> AttachType | int:
        """`expected_attach_type` as `AttachType`; the plain number where this version lacks it."""
        from .uapi.enums import AttachType

        try:
            return AttachType(self.expected_attach_type)
        except ValueError:
            return self.expected_attach_type

    @attach_type.setter
    def attach_type(self, value: int) -> None:
        self.expected_attach_type = int(value)

    @property
    def insn_count(self) -> int:
        """How many 8-byte instruction slots the function has in the file."""
        return len(self.code) // 8

    @property
    def insns(self) -> list[Insn]:
        """The decoded instructions, before any relocation; assigning is `set_insns`."""
        from .insn import decode

        return decode(self.code, self.byte_order)

    @insns.setter
    def insns(self, insns: Sequence[Insn]) -> None:
        self.set_insns(insns)

    def set_insns(self, insns: Sequence[Insn] | bytes) -> None:
        """Put other instructions in place of the compiled ones.

        If they take as many slots, they are relocated like those, by index, and keep their lines in
        the verifier's log. Else they stand alone: no relocation, no CO-RE, no BTF of functions and
        lines. They may not refer to maps by name, then.

        Raises:
            ValueError: there are none, or bytes that are no whole number of instructions.
        """
        from .insn import INSN_SIZE, encode

        code = bytes(insns) if isinstance(insns, bytes) else encode(insns, self.byte_order)
        if not code or len(code) % INSN_SIZE:
            raise ValueError(
                f"program {self.name!r}: {len(code)} bytes are no whole number of instructions"
            )
        if len(code) != len(self.code):
            self.relocs = ()
            self.is_replaced = True
        self.code = code

    def set_attach_target(
        self, function: str | None = None, *, program: HasFileno | int | None = None
    ) -> None:
        """Say what a tracing, LSM or freplace program attaches to; looked up at load.

        Args:
            function: a function, tracepoint, hook or iterator, as it would follow the `/` in
                `SEC()`; with `MODULE:` before it, one of that module. None keeps the section's.
            program: a `Program`, or its descriptor, that has the function; it must be open at load.
                None for the kernel.
        """
        if function is not None:
            self.attach_target = function
        self.attach_program = program
        self.is_target_set = True

    def copy(self) -> ProgramSpec:
        """Return an independent copy."""
        twin: ProgramSpec = self._clone()
        return twin


class ObjectSpec(_Spec):
    """A whole object file.

    Attributes:
        name: libbpf's object name, at most 15 characters.
        byte_order: `"<"` or `">"`.
        license: of section `license`, "" if there is none (GPL-only helpers are then refused).
        kern_version: of section `version`, 0 if there is none.
        maps: by name; `.maps` definitions in BTF's order, then global data sections in the file's.
        programs: entry programs by name, by section and place in it.
        subprograms: the functions of `.text`, by place.
        externs: by name, settings first, in libbpf's order.
        btf, btf_ext: the type information, fixed up as the kernel wants it; None if there is none.
        image: the ELF image that all this was read from.
        unsupported: sections that this version cannot load, e.g. `.struct_ops`.
        btf_custom_path: a file of BTF (raw, or in ELF) that CO-RE relocations go by; None for that
            of the running kernel.
        kconfig: settings for `.kconfig` externs, lines as in a kernel's .config; the running
            kernel's configuration is asked only for what they leave out.
    """

    __slots__ = (
        "_variables",
        "btf",
        "btf_custom_path",
        "btf_ext",
        "byte_order",
        "externs",
        "image",
        "kconfig",
        "kern_version",
        "license",
        "maps",
        "name",
        "pin_root_path",
        "programs",
        "subprograms",
        "unsupported",
    )

    def __init__(
        self,
        name: str,
        image: ElfImage,
        *,
        license: str = "",
        kern_version: int = 0,
        btf: Btf | None = None,
        btf_ext: BtfExt | None = None,
    ) -> None:
        self.name = name
        self.image = image
        self.byte_order = image.byte_order
        self.license = license
        self.kern_version = kern_version
        self.btf = btf
        self.btf_ext = btf_ext
        self.maps: dict[str, MapSpec] = {}
        self.programs: dict[str, ProgramSpec] = {}
        self.subprograms: list[ProgramSpec] = []
        self.externs: dict[str, ExternSpec] = {}
        self.unsupported: tuple[str, ...] = ()
        self.btf_custom_path: str | None = None
        self.pin_root_path = "/sys/fs/bpf"
        self.kconfig = ""
        self._variables: dict[str, VariableSpec] | None = None

    @property
    def variables(self) -> dict[str, VariableSpec]:
        """The global variables by C name, in the order of sections and offsets.

        Static variables of several linked files may share a name; the first one has it.
        """
        if self._variables is None:
            from .loader.globals import collect_variables

            self._variables = collect_variables(self)
        return self._variables

    def btf_bytes(self) -> bytes | None:
        """Return the BTF as the kernel gets it; None if there is none."""
        return None if self.btf is None else self.btf.to_bytes()

    def with_map(self, changed: MapSpec) -> ObjectSpec:
        """Return a copy that differs in one map and shares all else."""
        twin: ObjectSpec = self._clone()
        twin.maps = {**self.maps, changed.name: changed}
        return twin

    def copy(self) -> ObjectSpec:
        """Return an independent copy; image and BTF, which nothing changes, are shared."""
        twin: ObjectSpec = self._clone()
        twin.maps = {name: spec.copy() for name, spec in self.maps.items()}
        twin.programs = {name: spec.copy() for name, spec in self.programs.items()}
        twin.subprograms = list(self.subprograms)
        twin.externs = dict(self.externs)
        twin._variables = None
        return twin
