"""Every error that bpfgen and its runtime raise on purpose.

```
BpfError
  FormatError(section, offset) > ElfError, BtfError
  RelocationError, LinkerError, GenerateError
  ClosedError
  RecordError(data)
  NotSupportedError(feature)
  SyscallError(BpfError, OSError; command)
    KeyMissingError(+KeyError), KeyExistsError, VerifierError(log, summary, source …)
```

A message says what was being done, to which object, and what to try. All of them pickle.
"""

from __future__ import annotations

import errno as _errno
import os

TYPE_CHECKING = False
if TYPE_CHECKING:
    from .errors_more import BtfError as BtfError
    from .errors_more import ElfError as ElfError
    from .errors_more import FormatError as FormatError
    from .errors_more import GenerateError as GenerateError
    from .errors_more import KeyExistsError as KeyExistsError
    from .errors_more import KeyMissingError as KeyMissingError
    from .errors_more import LinkerError as LinkerError
    from .errors_more import RecordError as RecordError
    from .errors_more import RelocationError as RelocationError
    from .errors_more import VerifierError as VerifierError
else:

    def __getattr__(name):
        # Making a class of errors costs a start as much as a system call: these wait.
        if name not in __all__:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        from . import errors_more

        value = globals()[name] = getattr(errors_more, name)
        return value


__all__ = [
    "BpfError",
    "BtfError",
    "ClosedError",
    "ElfError",
    "FormatError",
    "GenerateError",
    "KeyExistsError",
    "KeyMissingError",
    "LinkerError",
    "NotSupportedError",
    "RecordError",
    "RelocationError",
    "SyscallError",
    "VerifierError",
]


class BpfError(Exception):
    """The root of the tree: catch it to catch everything that this project raises on purpose."""

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.message = message

    def __str__(self) -> str:
        return self.message

    def __reduce__(self) -> tuple[object, ...]:
        # Exceptions pickle as cls(*args); ours have keyword arguments: the state goes along whole.
        return _rebuild, (type(self), self.args, self._state())

    def _state(self) -> dict[str, object]:
        return dict(self.__dict__)


def _rebuild(cls: type[BpfError], args: tuple[object, ...], state: dict[str, object]) -> BpfError:
    error = cls.__new__(cls)
    error.args = args
    for name, value in state.items():
        setattr(error, name, value)
    return error


class ClosedError(BpfError):
    """The caller used something that it had closed, destroyed, or handed on."""


class NotSupportedError(BpfError):
    """A feature that the kernel, or this version of bpfgen, lacks.

    Args:
        feature: what is missing, e.g. `"CO-RE relocations"`.
        hint: what to do about it; a sentence of its own.
    """

    def __init__(self, feature: str, hint: str = "") -> None:
        super().__init__(f"{feature} not supported{': ' + hint if hint else ''}")
        self.feature = feature
        self.hint = hint


class SyscallError(BpfError, OSError):
    """A system call failed.

    Args:
        errno: the kernel's error number, positive.
        command: the call, e.g. `"BPF_MAP_CREATE"`.
        what: what was being done and to which object, e.g. `"create map 'counts'"`.
        hint: what to try; a sentence of its own.
    """

    def __init__(self, errno: int, command: str, what: str, hint: str = "") -> None:
        code = _errno.errorcode.get(errno, str(errno))
        text = f"{what}: {command}: {code} ({os.strerror(errno)})"
        BpfError.__init__(self, f"{text}. {hint}" if hint else text)
        self.errno = errno
        self.strerror = os.strerror(errno)
        self.filename = None
        self.command = command
        self.what = what
        self.hint = hint

    def __str__(self) -> str:  # KeyError and OSError each have one of their own
        return self.message

    def _state(self) -> dict[str, object]:
        # OSError keeps these in C, outside __dict__.
        return super()._state() | {"errno": self.errno, "strerror": self.strerror}
