"""What a user sees when a stage cannot go on: one line and an exit status, never a traceback."""

import errno
import subprocess
import sys

import pytest

from lcm.errors import UserError, run_main


def stops(error: BaseException) -> int:
    def main() -> None:
        raise error

    with pytest.raises(SystemExit) as stopped:
        run_main(main)
    return stopped.value.code


@pytest.mark.parametrize(
    "error,status,says",
    [
        (UserError("params.yaml: lcm.alpha is -1"), 1, "error: params.yaml: lcm.alpha is -1\n"),
        (OSError(errno.ENOSPC, "No space left on device", "a.json"), 1, "a.json: No space left on device; what had"),
        (MemoryError(), 1, "out of memory"),
        (KeyboardInterrupt(), 130, "run the same command again to continue"),
    ],
)
def test_what_a_user_can_mend_is_one_line(capsys, error, status, says):
    assert stops(error) == status
    said = capsys.readouterr().err
    assert says in said and said.count("\n") == 1


def test_a_fault_of_the_program_keeps_its_traceback():
    for error in (ValueError("a bug"), OSError(errno.ESPIPE, "Illegal seek")):
        with pytest.raises(type(error)):
            run_main(lambda error=error: (_ for _ in ()).throw(error))


def test_a_reader_who_has_seen_enough_is_no_error():
    program = "from lcm.errors import run_main; run_main(lambda: [print('a line') for _ in range(100000)])"
    command = [sys.executable, "-c", program]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout.readline() == b"a line\n"
        process.stdout.close()  # as `| head -1` does
        assert process.stderr.read() == b""
    assert process.returncode == 1
