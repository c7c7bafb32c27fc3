import os
import subprocess
import sys


def test_collect(request):
    out = os.path.dirname(request.config.option.xmlpath) + "/logs"
    names = ["null"]
    done = subprocess.run(
        [sys.executable, "tools/verifier_logs.py", out, *names, "--unprivileged"],
        capture_output=True,
        text=True,
    )
    print(done.stdout, done.stderr)
    assert done.returncode == 0, done.stderr
