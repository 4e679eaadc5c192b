"""Audits every pin of the lock files, for all systems; fails when one was not audited."""

import json
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
PIN = re.compile(r"^([a-z0-9._-]+)(?:\[[^]]+\])?==([^\s;\\]+)", re.IGNORECASE | re.MULTILINE)


def main(arguments: list[str]) -> str | None:
    """Audit; print what was found. Return a sentence if the audit does not pass."""
    wanted = pins()
    audited = {}
    for group in groups(wanted):
        for found in audit(group, arguments):
            if "skip_reason" not in found:
                audited[found["name"], found["version"]] = found["vulns"]
    if not audited:
        return (
            "Nothing was audited: the advisory service does not answer. Try again with a network."
        )
    if missing := sorted(wanted - audited.keys()):
        names = ", ".join(f"{name} {version}" for name, version in missing)
        return f"Not audited: {names}. An audit that leaves a package out does not pass."
    vulnerable = [line for pin, vulns in sorted(audited.items()) for line in described(pin, vulns)]
    print("\n".join(vulnerable) or f"{len(audited)} packages audited, none with a known fault.")
    return "Renew these packages: make lock UPGRADE=1" if vulnerable else None


def described(pin: tuple[str, str], vulns: list[dict[str, Any]]) -> Iterator[str]:
    """Yield a line for each known fault of a package."""
    for vuln in vulns:
        fixed = ", ".join(vuln["fix_versions"]) or "no release yet"
        yield f"{' '.join(pin)}: {vuln['id']}, fixed in {fixed}"


def pins() -> set[tuple[str, str]]:
    """Return name and version of every pin, those for other systems too."""
    texts = [path.read_text(encoding="utf-8") for path in ROOT.glob("requirements*.txt")]
    found = (pin for text in texts for pin in PIN.findall(text))
    return {(re.sub(r"[-_.]+", "-", name).lower(), version) for name, version in found}


def groups(wanted: set[tuple[str, str]]) -> list[list[tuple[str, str]]]:
    """Spread the pins so that no group has two versions of one package, which pip-audit refuses."""
    spread: list[dict[str, str]] = []
    for name, version in sorted(wanted):
        room = next((group for group in spread if name not in group), None)
        if room is None:
            spread.append(room := {})
        room[name] = version
    return [list(group.items()) for group in spread]


def audit(group: list[tuple[str, str]], arguments: list[str]) -> list[dict[str, Any]]:
    """Ask the advisory service; return nothing if it gave no answer."""
    with tempfile.NamedTemporaryFile("w", suffix=".txt", delete=False) as file:
        file.writelines(f"{name}=={version}\n" for name, version in group)
    # Without its --strict, which stops at the first package that has no answer and names no other.
    options = ["--no-deps", "--disable-pip", "--progress-spinner=off", "--format=json"]
    command = [sys.executable, "-m", "pip_audit", *options, "-r", file.name, *arguments]
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    Path(file.name).unlink()
    try:
        return json.loads(result.stdout)["dependencies"]
    except ValueError:
        # The last line is the cause; above it stands pip-audit's own traceback.
        print(result.stderr.strip().rpartition("\n")[2], file=sys.stderr)
        return []


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
