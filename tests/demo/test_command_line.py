"""The command line: what it prints, what it returns, and how it complains."""

import os
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest

import covector
import covector.demo as demo
from covector import __main__ as command_line
from covector.demo import plotting
from covector.demo.data import Problem
from covector.demo.fitting import Fit

SOURCE = Path(covector.__file__).resolve().parents[1]
needs_matplotlib = pytest.mark.skipif(find_spec("matplotlib") is None, reason="pictures need matplotlib")


def covector_command(*arguments: str) -> subprocess.CompletedProcess[str]:
    """Run ``python -m covector`` as a user would, in an ASCII-only terminal, warnings as errors."""
    environment = {**os.environ, "PYTHONPATH": str(SOURCE), "PYTHONIOENCODING": "ascii"}
    command = [sys.executable, "-W", "error", "-m", "covector", *arguments]
    return subprocess.run(command, capture_output=True, text=True, env=environment, check=False)


@pytest.fixture(scope="module")
def demo_run() -> subprocess.CompletedProcess[str]:
    return covector_command("demo")


def complaint(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    """The message on standard error of a call that must end with status 2 and print nothing else."""
    with pytest.raises(SystemExit) as caught:
        command_line.main(arguments)
    assert caught.value.code == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    return captured.err


def test_the_demo_succeeds_and_says_so(demo_run: subprocess.CompletedProcess[str]) -> None:
    assert demo_run.returncode == 0, demo_run.stdout + demo_run.stderr
    assert demo_run.stderr == ""
    assert "All 4 models agree with the certified values" in demo_run.stdout


def test_the_demo_shows_every_part(demo_run: subprocess.CompletedProcess[str]) -> None:
    for title in ("Misra1a:", "Thurber:", "MGH09:", "DanWood:", "Hessian-vector product", "Batched Jacobian", "Result"):
        assert f"\n{title}" in demo_run.stdout
    for kind in ("2-point", "exact  ", "exact + Newton"):
        table = [line for line in demo_run.stdout.splitlines() if kind in line and line.endswith(" ms")]
        assert len(table) == 8, kind


def test_the_demo_fits_a_plain_terminal(demo_run: subprocess.CompletedProcess[str]) -> None:
    assert demo_run.stdout.isascii()
    assert "\x1b" not in demo_run.stdout
    assert max(len(line) for line in demo_run.stdout.splitlines()) <= 100


def test_a_fit_that_misses_makes_the_demo_fail(monkeypatch: pytest.MonkeyPatch) -> None:
    exact = demo.fit_problem

    def spoiled(problem: Problem) -> list[Fit]:
        fits = exact(problem)
        if problem.name != "MGH09":
            return fits
        return [Fit(**{**vars(fit), "parameter_digits": min(fit.parameter_digits, 8.9)}) for fit in fits]

    monkeypatch.setattr(demo, "fit_problem", spoiled)
    written: list[str] = []
    assert demo.run_demo(write=written.append) == 1
    assert "MGH09: parameters agree to 8.9 digits (needed: 9)" in "\n".join(written)
    assert "All 4 models agree" not in "\n".join(written)


def test_a_wrong_product_makes_the_demo_fail(monkeypatch: pytest.MonkeyPatch) -> None:
    from covector.demo import showcase

    def wrong_hvp(fun: object, primals: tuple[np.ndarray], tangents: tuple[np.ndarray]) -> object:
        gradient, (product,) = covector.hvp(fun, primals, tangents)
        return gradient, (product * (1 + 1e-6),)

    monkeypatch.setattr(showcase, "hvp", wrong_hvp)
    written: list[str] = []
    assert demo.run_demo(write=written.append) == 1
    assert "hvp agrees with the full Hessian to 6.0 digits only" in "\n".join(written)


def test_help_lists_the_commands(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        command_line.main(["--help"])
    assert caught.value.code == 0
    shown = capsys.readouterr().out
    for command in command_line.COMMANDS:
        assert f"    {command.__name__} " in shown


def test_help_of_the_demo_explains_the_plot(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        command_line.main(["demo", "--help"])
    assert caught.value.code == 0
    assert "--plot FILE" in capsys.readouterr().out


def test_without_a_command_the_help_is_shown() -> None:
    ran = covector_command()
    assert ran.returncode == 2
    assert ran.stdout == ""
    assert "demo" in ran.stderr and "usage:" in ran.stderr


def test_an_unknown_command_is_named_with_what_was_probably_meant(capsys: pytest.CaptureFixture[str]) -> None:
    message = complaint(capsys, "dmo")
    assert "there is no command 'dmo'. Did you mean 'demo'? The commands are: demo" in message
    assert "python -m covector --help" in message


def test_an_unlike_command_gets_no_suggestion(capsys: pytest.CaptureFixture[str]) -> None:
    message = complaint(capsys, "frobnicate")
    assert "there is no command 'frobnicate'. The commands are: demo" in message


def test_an_unknown_option_is_named(capsys: pytest.CaptureFixture[str]) -> None:
    assert "--colour" in complaint(capsys, "demo", "--colour")


def test_a_closed_pipe_is_no_traceback() -> None:
    environment = {**os.environ, "PYTHONPATH": str(SOURCE)}
    command = [sys.executable, "-m", "covector", "demo"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment) as process:
        assert process.stdout is not None and process.stderr is not None
        process.stdout.close()
        assert process.stderr.read() == b""
    assert process.returncode == 1


def test_plot_without_matplotlib_says_how_to_get_it(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(plotting, "find_spec", lambda name: None)
    message = complaint(capsys, "demo", "--plot", str(tmp_path / "fits.png"))
    assert "pip install matplotlib" in message
    assert "without --plot" in message


@needs_matplotlib
@pytest.mark.parametrize(
    ("target", "expected"),
    [("missing/fits.png", "does not exist"), (".", "is a folder"), ("fits.xyz", "'.xyz' names no picture format"),
     ("fits", "it has no ending")],
)  # fmt: skip
def test_plot_targets_that_cannot_be_written_are_refused_at_once(
    target: str, expected: str, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    assert expected in complaint(capsys, "demo", "--plot", str(tmp_path / target))


@needs_matplotlib
def test_the_picture_shows_every_model(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    target = tmp_path / "fits.svg"
    assert command_line.main(["demo", "--plot", str(target)]) == 0
    assert f"The picture of the fits is in {target}." in capsys.readouterr().out
    picture = target.read_text(encoding="utf-8")
    assert picture.count("<!-- residual -->") == 4  # matplotlib notes every text beside its outlines
    for name in ("Misra1a", "Thurber", "MGH09", "DanWood"):
        assert name in picture


def test_matplotlib_is_loaded_only_for_a_picture() -> None:
    program = "import sys, covector.demo; sys.exit('matplotlib' in sys.modules)"
    environment = {**os.environ, "PYTHONPATH": str(SOURCE)}
    assert subprocess.run([sys.executable, "-c", program], env=environment, check=False).returncode == 0
