"""What the tests in test/clients share: TAP lines, and a server of the test's own."""

import contextlib
import os
import socket
import subprocess
import sys
import time

TIMEOUT = 60

count = 0
failed = 0


def ok(good, name, detail=None):
    global count, failed
    count += 1
    print("%sok %d - %s" % ("" if good else "not ", count, name), flush=True)
    if not good:
        failed += 1
        if detail is not None:
            print("#   " + str(detail).replace("\n", "\n#   "), flush=True)
    return good


def equal(got, want, name):
    return ok(got == want, name, "got  %r\nwant %r" % (got, want))


def skip(name, why):
    global count
    count += 1
    print("ok %d - %s # SKIP %s" % (count, name, why), flush=True)


def done():
    print("1..%d" % count, flush=True)
    sys.exit(1 if failed else 0)


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@contextlib.contextmanager
def serving(command, log, port, cwd=None, **environment):
    """Runs a server until the end of the block; entered when it accepts connections, or has ended."""
    with open(log, "w") as output:
        process = subprocess.Popen(command, env=dict(os.environ, **environment), cwd=cwd,
                                   stdin=subprocess.DEVNULL, stdout=output, stderr=output)
    try:
        end = time.monotonic() + TIMEOUT
        while process.poll() is None and time.monotonic() < end:
            try:
                socket.create_connection(("127.0.0.1", port), 1).close()
                break
            except OSError:
                time.sleep(0.1)
        yield
    finally:
        process.terminate()
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
