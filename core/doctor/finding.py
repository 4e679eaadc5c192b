"""What a check of `flask doctor` reports: one line, and a one-line remedy if something is wrong."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Finding:
    """One result; only `fail` makes the command fail."""

    name: str
    status: str
    text: str
    remedy: str = ""


def ok(name: str, text: str) -> Finding:
    """Report that all is well."""
    return Finding(name, "ok", text)


def warn(name: str, text: str, remedy: str) -> Finding:
    """Report what may be intended, or will cause trouble one day."""
    return Finding(name, "warn", text, remedy)


def fail(name: str, text: str, remedy: str) -> Finding:
    """Report what does not work, or must not be deployed."""
    return Finding(name, "fail", text, remedy)


def crash(name: str, error: BaseException) -> Finding:
    """Report an error that nobody foresaw."""
    text = f"{type(error).__name__}: {error}".splitlines()[0]
    return fail(name, text, "mend what it names; `flask routes` shows where")
