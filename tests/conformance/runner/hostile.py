"""A step that does what it can to outlive its end. `hostile.py KIND MODE PIPE`, with the standard library only.

Everything that it starts keeps PIPE open for writing: who reads the pipe sees its end once the last of them is dead. It
writes `up` when the tree stands. MODE `stay` then waits for ever, `end` exits with success.
"""

import ctypes
import os
import platform
import signal
import sys
import threading
import time

LIBC = ctypes.CDLL(None, use_errno=True)
PR_SET_CHILD_SUBREAPER = 36
PTRACE_TRACEME = 0
SYS_EXIT = {"x86_64": 60, "aarch64": 93}.get(platform.machine(), 0)


def sleep_for_ever():
    while True:
        time.sleep(1000)


def spawn(work):
    """A child that does `work`, never to return."""
    pid = os.fork()
    if pid == 0:
        try:
            work()
        finally:
            os._exit(0)
    return pid


def deaf():
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGUSR1):
        signal.signal(number, signal.SIG_IGN)


def when_up(work):
    """Have `work` done somewhere below, and go on once it says that it stands."""
    read, write = os.pipe()

    def up():
        os.write(write, b"u")

    work(up)
    os.read(read, 1)


def double_fork(up):
    def second():
        deaf()
        up()
        sleep_for_ever()

    def first():
        os.setsid()
        spawn(second)

    os.waitpid(spawn(first), 0)


def hidden(up):
    """No marker, no session, no parent: another program with an empty environment."""

    def second():
        up()
        os.execve("/bin/sleep", ["sleep", "1000"], {})

    def first():
        os.setsid()
        spawn(second)

    os.waitpid(spawn(first), 0)


def stopped(up):
    def stop():
        deaf()
        os.kill(os.getpid(), signal.SIGSTOP)
        sleep_for_ever()

    os.waitpid(spawn(stop), os.WUNTRACED)
    up()


def traced(up):
    def stop():
        LIBC.ptrace(PTRACE_TRACEME, 0, 0, 0)
        os.kill(os.getpid(), signal.SIGSTOP)
        sleep_for_ever()

    os.waitpid(spawn(stop), os.WUNTRACED)
    up()


def headless(up):
    """A process whose first thread has ended: it looks like a zombie, and its other threads go on."""

    def lose_head():
        deaf()
        os.setsid()
        threading.Thread(target=sleep_for_ever).start()
        up()
        LIBC.syscall(SYS_EXIT, 0)

    def first():
        spawn(lose_head)

    os.waitpid(spawn(first), 0)


def forking(up):
    """A chain of processes that each fork the next and end: whoever looks at one looks at a dead one."""

    def link():
        deaf()
        while os.fork() == 0:
            time.sleep(0.002)
        os._exit(0)

    def first():
        os.setsid()
        spawn(link)
        up()

    os.waitpid(spawn(first), 0)


def detached(up):
    """Gives up being the one to whom its orphans come."""
    LIBC.prctl(PR_SET_CHILD_SUBREAPER, 0, 0, 0, 0)
    hidden(up)


def keeper(up):
    """A child that keeps orphans of its own."""

    def keep():
        os.setsid()
        deaf()
        LIBC.prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
        double_fork(up)
        sleep_for_ever()

    spawn(keep)


def many(up):
    """Forty processes, each below the other, all deaf."""

    def below(depth):
        deaf()
        if depth:
            spawn(lambda: below(depth - 1))
        else:
            up()
        sleep_for_ever()

    spawn(lambda: below(40))


KINDS = [double_fork, hidden, stopped, traced, headless, forking, detached, keeper, many]


def main(kind, mode, pipe):
    post = os.open(pipe, os.O_WRONLY)
    os.set_inheritable(post, True)
    deaf()
    when_up({work.__name__: work for work in KINDS}[kind])
    os.write(post, b"up\n")
    if mode == "stay":
        sleep_for_ever()


if __name__ == "__main__":
    main(*sys.argv[1:])
