"""A step that counts itself: `counted.py FOLDER NAME LINES SECONDS CODE`, with the standard library only.

Appends `begin` and `end` to FOLDER/NAME.runs, and `overlap` if anything of another run of it is alive. Prints LINES
numbered lines over SECONDS, and leaves a process behind that lives as long as it can.
"""

import fcntl
import os
import sys
import time


def note(path: str, word: str) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    os.write(descriptor, f"{word}\n".encode())
    os.close(descriptor)


def main(folder: str, name: str, lines: int, seconds: float, code: int) -> None:
    runs = f"{folder}/{name}.runs"
    # Held by what this process starts as well, until the last of it has ended.
    lock = os.open(f"{folder}/{name}.lock", os.O_WRONLY | os.O_CREAT, 0o600)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        note(runs, "overlap")
    note(runs, "begin")
    if os.fork() == 0:
        os.setsid()
        time.sleep(1000)
    for number in range(lines):
        os.write(1, f"line {number}\n".encode())
        time.sleep(seconds / lines)
    note(runs, "end")
    sys.exit(code)


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], int(sys.argv[3]), float(sys.argv[4]), int(sys.argv[5]))
