"""The BPF object of a skeleton that was generated with `--sidecar`: a file beside the module."""

from __future__ import annotations

from .errors import ElfError
from .skeleton import EmbeddedObject

TYPE_CHECKING = False
if TYPE_CHECKING:
    from .spec import ObjectSpec

__all__ = ["SidecarObject"]


class SidecarObject(EmbeddedObject):
    """An object that lies beside the module, in a directory, a zip file, or wherever modules are.

    It has no load plan, and its ELF file is parsed at each open, which takes pyelftools (some
    30 ms): a skeleton with the object inside starts faster.

    Attributes:
        module: the full name of the generated module.
        file: the object's name, without directories.
    """

    __slots__ = ("file", "module")

    def __init__(self, *, name: str, generator: str, sha256: str, module: str, file: str) -> None:
        super().__init__(name=name, generator=generator, sha256=sha256, image="")
        self.module = module
        self.file = file

    def _read(self) -> ObjectSpec:
        from hashlib import sha256

        from .elf.reader import read_elf
        from .loader import load_spec

        try:
            data = _beside(self.module, self.file)
        except OSError as error:
            raise ElfError(
                f"skeleton {self.name!r} keeps its object in {self.file!r} beside the module "
                f"{self.module!r}, where it cannot be read ({error}): put it there (package data "
                "of a wheel), or generate the module without --sidecar"
            ) from error
        found = sha256(data).hexdigest()
        if found != self.sha256:
            raise ElfError(
                f"{self.file!r} beside the module {self.module!r} is another object than the "
                f"module was generated from (sha256 {found[:12]}…, not {self.sha256[:12]}…): "
                "generate the module again"
            )
        # As the file's name says, whatever name the skeleton was given.
        return load_spec(read_elf(data, name=self.name))

    def __repr__(self) -> str:
        return f"<SidecarObject {self.name!r}, {self.file!r}, sha256 {self.sha256[:12]}…>"


def _beside(module: str, file: str) -> bytes:
    """Read a file from the directory or archive that a module was imported from.

    Raises:
        OSError: it is not there.
    """
    package = module.rpartition(".")[0]
    if package:
        from importlib.resources import files

        return files(package).joinpath(file).read_bytes()
    # importlib.resources asks for a package; a module without one has its loader.
    import os
    import sys

    this = sys.modules[module]
    path = os.path.join(os.path.dirname(this.__file__ or ""), file)
    data: bytes = this.__loader__.get_data(path)  # type: ignore[union-attr]
    return data
