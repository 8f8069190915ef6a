"""Start a statically linked program with a moved clock: `python -m leadwire.vdso SECONDS PROGRAM ARGUMENTS…`.

`moved_clock.c` replaces functions of the C library. A Go program such as nats-server does not call those: it reads the
time from the vDSO, code that the kernel maps into every process. So this process becomes the program, and a helper
replaces `clock_gettime` in the program's copy of that code before its first instruction runs.

Linux on x86-64 only. See vdso(7), ptrace(2), and the System V ABI's AMD64 supplement, section 3.2.3.
"""

import contextlib
import ctypes
import os
import platform
import signal
import struct
import sys
from pathlib import Path
from typing import Final, NoReturn

SYMBOL: Final = b"__vdso_clock_gettime"

_PTRACE_CONT: Final = 7
_PTRACE_DETACH: Final = 17
_PTRACE_SEIZE: Final = 0x4206
_PTRACE_O_TRACEEXEC: Final = 0x10
_PTRACE_EVENT_EXEC: Final = 4
_WALL: Final = 0x40000000
_PR_SET_PTRACER: Final = 0x59616D61
_PR_SET_PTRACER_ANY: Final = -1
_PT_DYNAMIC: Final = 2
_DT_STRTAB: Final = 5
_DT_SYMTAB: Final = 6
_SYMBOL_SIZE: Final = 24


class Unsupported(Exception):
    """The clock of a static program cannot be moved here; the text says why."""


def clock_gettime(seconds: int) -> bytes:
    """Return machine code for a `clock_gettime` that adds seconds to CLOCK_REALTIME and to no other clock."""
    return (
        b"\xb8\xe4\x00\x00\x00"  # mov eax, 228: the number of the system call
        b"\x0f\x05"  # syscall: the arguments are in edi, the clock, and rsi, where to write the time
        b"\x85\xff"  # test edi, edi: CLOCK_REALTIME is 0
        b"\x75\x0d"  # jnz to the last instruction
        b"\x48\xb9" + struct.pack("<q", seconds) + b"\x48\x01\x0e"  # mov rcx, seconds; add [rsi], rcx
        b"\xc3"  # ret
    )


def find(image: bytes, symbol: bytes = SYMBOL) -> int:
    """Return the offset of a function in a vDSO: an ELF shared object linked at address 0.

    Raises:
        Unsupported: it has none of that name.
    """
    (headers,) = struct.unpack_from("<Q", image, 32)
    size, count = struct.unpack_from("<HH", image, 54)
    tables: dict[int, int] = {}
    for index in range(count):
        kind, _flags, offset, _address, _physical, length = struct.unpack_from("<IIQQQQ", image, headers + index * size)
        if kind == _PT_DYNAMIC:
            tables = dict(struct.iter_unpack("<qQ", image[offset : offset + length - length % 16]))
    names, symbols = tables.get(_DT_STRTAB, 0), tables.get(_DT_SYMTAB, 0)
    for place in range(symbols, names, _SYMBOL_SIZE):  # the names follow the symbols
        name, _info, _other, _section, value, _size = struct.unpack_from("<IBBHQQ", image, place)
        if image[names + name : image.index(b"\0", names + name)] == symbol:
            return int(value)
    raise Unsupported(f"the vDSO has no {symbol.decode()}")


def main(arguments: list[str]) -> NoReturn:
    """Become the program.

    Raises:
        Unsupported: see there.
    """
    seconds, *command = arguments
    if platform.machine() != "x86_64":
        raise Unsupported(f"the clock of {command[0]} can be moved on x86_64 only, not on {platform.machine()}")
    program, (reader, writer) = os.getpid(), os.pipe()
    _libc().prctl(_PR_SET_PTRACER, _PR_SET_PTRACER_ANY, 0, 0, 0)  # where Yama asks for it
    if (child := os.fork()) == 0:
        if os.fork() == 0:  # a grandchild: the program shall have no child that it does not know
            _help(program, int(seconds), writer)
        os._exit(0)
    os.waitpid(child, 0)
    os.close(writer)
    if problem := os.read(reader, 1000):
        raise Unsupported(problem.decode())
    os.execvp(command[0], command)  # noqa: S606 - no shell is the point


def _help(program: int, seconds: int, writer: int) -> NoReturn:
    """Wait until a process has become the program, then move its clock."""
    try:
        _trace(_PTRACE_SEIZE, program, _PTRACE_O_TRACEEXEC)
    except OSError as error:
        os.write(writer, f"ptrace is refused: {error.strerror}".encode())
        os._exit(1)
    os.close(writer)
    try:
        _await_exec(program)
        _patch(program, clock_gettime(seconds))
        _trace(_PTRACE_DETACH, program, 0)
    except (OSError, ValueError, Unsupported) as error:
        print(f"its clock cannot be moved: {error}", file=sys.stderr, flush=True)
        with contextlib.suppress(ProcessLookupError):
            os.kill(program, signal.SIGKILL)
        os._exit(1)
    os._exit(0)


def _await_exec(program: int) -> None:
    while True:
        _, status = os.waitpid(program, _WALL)
        if not os.WIFSTOPPED(status):
            raise Unsupported("it ended")
        if status >> 16 == _PTRACE_EVENT_EXEC:
            return
        _trace(_PTRACE_CONT, program, 0 if status >> 16 else os.WSTOPSIG(status))


def _patch(program: int, code: bytes) -> None:
    with Path(f"/proc/{program}/maps").open() as maps:
        begin, end = next(
            (int(part, 16) for part in line.split()[0].split("-")) for line in maps if line.rstrip().endswith("[vdso]")
        )
    with Path(f"/proc/{program}/mem").open("r+b", buffering=0) as memory:
        memory.seek(begin)
        image = memory.read(end - begin)
        memory.seek(begin + find(image))
        memory.write(code)


def _trace(request: int, process: int, data: int) -> None:
    if _libc().ptrace(request, process, None, ctypes.c_void_p(data)) == -1:
        error = ctypes.get_errno()
        raise OSError(error, os.strerror(error))


def _libc() -> ctypes.CDLL:
    library = ctypes.CDLL(None, use_errno=True)
    library.ptrace.argtypes = (ctypes.c_long, ctypes.c_long, ctypes.c_void_p, ctypes.c_void_p)
    library.ptrace.restype = ctypes.c_long
    library.prctl.argtypes = (ctypes.c_int, *(ctypes.c_long,) * 4)
    return library


if __name__ == "__main__":
    main(sys.argv[1:])
