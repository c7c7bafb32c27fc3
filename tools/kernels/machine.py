"""Boot a kernel and run a command in it, over this machine's file system.

There is no KVM to rely on: qemu translates instructions, some ten times slower than the machine.
The guest sees the file system twice over 9p. What virtme-ng makes its root is not cached, and so
every page of every program costs a round trip; tests run below a second mount, which the guest
caches, under an overlay in the guest's memory: they may write anywhere, and nothing of it reaches
this machine except what is written into the run's own directory.
"""

from __future__ import annotations

import os
import shlex
import signal
import subprocess
import time
from pathlib import Path
from typing import NamedTuple

from .store import Kernel

#: Seconds for booting and shutting down; 10 to 20 are usual.
BOOT_TIME = 120

_SHARE = "bpfgen"

_running: set[subprocess.Popen[bytes]] = set()

# Runs as root; $OUT, $BOOT_CONFIG, $RELEASE, $TIME and $COMMAND are set above it.
_GUEST = """
export PATH=/usr/local/bin:/usr/bin:/usr/sbin:/bin:/sbin
exec >"$OUT/guest.log" 2>&1
set -eu
state=/run/bpfgen
root=$state/root
mkdir -p $state/host $state/memory $root
mount -t 9p -o ro,trans=virtio,version=9p2000.L,access=any,msize=512000,cache=loose %s $state/host
mount -t tmpfs -o mode=755 tmpfs $state/memory
mkdir $state/memory/upper $state/memory/work
mount -t overlay -o lowerdir=$state/host,upperdir=$state/memory/upper,workdir=$state/memory/work \\
    overlay $root
for place in proc sys dev; do
    mount --rbind /$place $root/$place
done
mount -t tmpfs -o mode=755 tmpfs $root/run
mkdir -p $root/usr/lib/modules "$root$OUT" $root/boot
mount --rbind /usr/lib/modules $root/usr/lib/modules
mount --bind "$OUT" "$root$OUT"
mount -t bpf bpf $root/sys/fs/bpf
if [ -n "$BOOT_CONFIG" ]; then
    cp "$BOOT_CONFIG" "$root/boot/config-$RELEASE"
fi
ip link set lo up
uname -r >"$OUT/release"
echo "ready after $(cut -d ' ' -f 1 /proc/uptime) s"
status=0
timeout -s INT -k 30 "$TIME" chroot $root /bin/sh -c "$COMMAND" >"$OUT/output.txt" 2>&1 || status=$?
echo "done after $(cut -d ' ' -f 1 /proc/uptime) s"
dmesg >"$OUT/dmesg.txt" || true
echo $status >"$OUT/status"
"""


class Outcome(NamedTuple):
    """What became of a run."""

    status: int | None  # the command's exit status; None if the guest did not get that far
    reason: str  # why there is none
    seconds: float
    directory: Path  # output.txt, guest.log, console.log, dmesg.txt and what the command wrote


def run(
    kernel: Kernel,
    command: str,
    out: Path,
    *,
    tools: Path,
    limit: int,
    cpus: int = 2,
    memory: str = "2G",
) -> Outcome:
    """Boot a kernel, run a shell command as root, and shut down.

    Args:
        command: for /bin/sh, with this machine's paths; 124 is its status if it took too long.
        out: an empty directory, the only one that guest and machine share for writing.
        tools: the directory of `vng`.
        limit: seconds that the command may take.
    """
    script = out / "guest.sh"
    settings = {
        "OUT": str(out),
        "BOOT_CONFIG": str(kernel.config or ""),
        "RELEASE": kernel.release,
        "TIME": str(limit),
        "COMMAND": command,
    }
    head = "".join(f"{name}={shlex.quote(value)}\n" for name, value in settings.items())
    script.write_text(f"#!/bin/sh\n{head}{_GUEST % _SHARE}")
    script.chmod(0o755)
    share = (
        f"-fsdev local,id={_SHARE},path=/,security_model=none,readonly=on,multidevs=remap "
        f"-device virtio-9p-pci,fsdev={_SHARE},mount_tag={_SHARE}"
    )
    words = [str(tools / "vng"), "--run", str(kernel.image), "--disable-kvm"]
    words += ["--rwdir", str(out), "--cpus", str(cpus), "--memory", memory]
    # BPF LSM programs run only where "bpf" is among the security modules.
    words += ["--append", "lsm=capability,bpf", f"--qemu-opts={share}", "--exec", str(script)]
    environment = os.environ | {"PATH": f"{tools}:{os.environ.get('PATH', os.defpath)}"}
    started = time.monotonic()
    reason = ""
    with open(out / "console.log", "wb") as console:
        guest = subprocess.Popen(
            words,
            stdin=subprocess.DEVNULL,
            stdout=console,
            stderr=subprocess.STDOUT,
            env=environment,
            cwd=out,
            start_new_session=True,
        )
        _running.add(guest)
        try:
            guest.wait(limit + BOOT_TIME)
        except subprocess.TimeoutExpired:
            reason = f"the guest did not end within {limit + BOOT_TIME} s"
        finally:
            _end(guest)
            _running.discard(guest)
    status = _status(out / "status")
    if status is None and not reason:
        reason = f"the guest ended early (vng: {guest.returncode}); see {out}/guest.log"
    return Outcome(status, reason, time.monotonic() - started, out)


def end_all() -> None:
    """End the guests that are running, as nobody waits for them any more."""
    for guest in list(_running):
        _end(guest)


def _status(path: Path) -> int | None:
    try:
        return int(path.read_text())
    except (FileNotFoundError, ValueError):
        return None


def _end(guest: subprocess.Popen[bytes]) -> None:
    """End what is left of a session of ours: vng, and the qemu that it started."""
    if guest.poll() is not None:
        return
    for how in (signal.SIGTERM, signal.SIGKILL):
        try:
            os.killpg(guest.pid, how)
        except ProcessLookupError:
            break
        try:
            guest.wait(10)
            break
        except subprocess.TimeoutExpired:
            continue
