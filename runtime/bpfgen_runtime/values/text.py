"""Values that are built-in types with a C meaning: text in `char[N]`, and addresses."""

from __future__ import annotations

__all__ = ["Address", "CharArray"]


class CharArray(bytes):
    """The contents of a `char[N]` without its trailing NULs.

    Lossless: encoding pads with NULs to N, so bytes after an inner NUL survive a round trip. It
    is `bytes` in every respect (equal to them, hashed like them), but prints as text.

    Args:
        value: `bytes`, or `str` to be encoded as UTF-8 (surrogateescape undoes what `str()` did).
    """

    __slots__ = ()

    def __new__(cls, value: str | bytes | bytearray = b"") -> CharArray:
        if isinstance(value, str):
            value = value.encode("utf-8", "surrogateescape")
        elif not isinstance(value, (bytes, bytearray)):
            raise TypeError(f"char array needs str or bytes, not {type(value).__name__}: {value!r}")
        return bytes.__new__(cls, value.rstrip(b"\0"))

    def __str__(self) -> str:
        """Return the text up to the first NUL, as a C program would print it."""
        return self.partition(b"\0")[0].decode("utf-8", "surrogateescape")

    def __format__(self, spec: str) -> str:
        return format(str(self), spec)

    def __repr__(self) -> str:
        r"""Show the text as bytes, `b'true'`; what stands behind its NUL only as `b'true\0…'`.

        A program that fills a `char[N]` with a string leaves what was there before behind it.
        """
        text, nul, _ = self.partition(b"\0")
        shown = bytes.__repr__(bytes(text))
        return f"{shown[:-1]}\\0…{shown[-1]}" if nul else shown


class Address(int):
    """An address in the kernel or in a process: an `int` that prints in hexadecimal.

    It cannot be dereferenced from here; arithmetic gives plain `int`s.
    """

    __slots__ = ()

    def __repr__(self) -> str:
        return f"Address({int(self):#x})"

    def __str__(self) -> str:
        return f"{int(self):#x}"
