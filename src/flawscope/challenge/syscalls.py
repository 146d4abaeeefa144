"""A filter of system calls for one process that computes and does nothing else (seccomp).

The filter is a small program for the kernel's packet filter: it looks at the number of each call, and a call that
stands in `FORBIDDEN` fails with "not permitted". So the process can neither start another one nor a thread, nor speak
to a network, nor hold memory that its limits do not count, nor reach for the less trodden parts of the kernel.
"""

from __future__ import annotations

import platform
import struct
from errno import EPERM

AUDIT = {"x86_64": 0xC000003E, "aarch64": 0xC00000B7}
"""How the kernel calls the machines for which there is a table."""
FORBIDDEN: dict[str, tuple[int | None, int | None]] = {
    # name: its number on x86_64, on aarch64; None: there is no such call
    # processes and threads
    "clone": (56, 220), "fork": (57, None), "vfork": (58, None), "clone3": (435, 435), "execveat": (322, 281),
    # networks
    "socket": (41, 198), "socketpair": (53, 199), "connect": (42, 203), "bind": (49, 200), "listen": (50, 201),
    # memory that no limit on address space counts
    "memfd_create": (319, 279), "memfd_secret": (447, 447), "shmget": (29, 194), "msgget": (68, 186),
    "semget": (64, 190), "mq_open": (240, 180), "add_key": (248, 217), "request_key": (249, 218),
    "keyctl": (250, 219),
    # other processes
    "ptrace": (101, 117), "process_vm_readv": (310, 270), "process_vm_writev": (311, 271), "kcmp": (312, 272),
    "pidfd_getfd": (438, 438),
    # namespaces and mounts
    "unshare": (272, 97), "setns": (308, 268), "mount": (165, 40), "umount2": (166, 39), "pivot_root": (155, 41),
    "chroot": (161, 51), "open_by_handle_at": (304, 265), "open_tree": (428, 428), "move_mount": (429, 429),
    "fsopen": (430, 430), "fsconfig": (431, 431), "fsmount": (432, 432),
    # parts of the kernel that nothing here needs
    "bpf": (321, 280), "perf_event_open": (298, 241), "userfaultfd": (323, 282), "io_uring_setup": (425, 425),
    "io_uring_enter": (426, 426), "init_module": (175, 105), "finit_module": (313, 273),
}  # fmt: skip
_OTHER_ABI = 0x40000000
"""On x86_64 the same calls have second numbers from here on (x32)."""
_LOAD, _EQUAL, _AT_LEAST, _RETURN = 0x20, 0x15, 0x35, 0x06
_NUMBER, _MACHINE = 0, 4
"""Where the number of the call and the kind of machine stand."""
_KILL, _REFUSE, _ALLOW = 0x80000000, 0x00050000 | EPERM, 0x7FFF0000


def call_filter(machine: str | None = None) -> bytes | None:
    """The filter as the kernel takes it, for this machine or one by name; None where there is no table for it.

    >>> call_filter("pdp11") is None, len(call_filter("x86_64")) % 8
    (True, 0)
    """
    machine = machine or platform.machine()
    if machine not in AUDIT:
        return None
    place = list(AUDIT).index(machine)
    numbers = [row[place] for row in FORBIDDEN.values() if row[place] is not None]
    program = [
        (_LOAD, 0, 0, _MACHINE),
        (_EQUAL, 1, 0, AUDIT[machine]),
        (_RETURN, 0, 0, _KILL),
        (_LOAD, 0, 0, _NUMBER),
        (_AT_LEAST, 0, 1, _OTHER_ABI),
        (_RETURN, 0, 0, _REFUSE),
    ]
    for number in numbers:
        program += [(_EQUAL, 0, 1, number or 0), (_RETURN, 0, 0, _REFUSE)]
    program.append((_RETURN, 0, 0, _ALLOW))
    return b"".join(struct.pack("<HBBI", *each) for each in program)
