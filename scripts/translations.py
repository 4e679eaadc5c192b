"""Brings the catalogues of core and of the modules up to date, or tells with --check if they are.

A package with texts in gettext calls has translations/<language>/LC_MESSAGES/messages.po, which
people fill in, and messages.mo beside it, which the application reads; both are committed.
"""

import io
import re
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from babel.messages.catalog import Catalog, Message
from babel.messages.extract import extract_from_dir
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po, write_po

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

import settings  # noqa: E402 - the project's folder is not on the path of a script

TEMPLATES = ("**/templates/**.html", "**/templates/**.txt")
METHODS = [("tests/**", "ignore"), ("**.py", "python"), *((one, "jinja2") for one in TEMPLATES)]
OPTIONS = {one: {"extensions": "jinja2.ext.do"} for one in TEMPLATES}
LANGUAGE = re.compile(r"""^LANGUAGE(?:: \w+)? = ["'](\w+)["']""", re.MULTILINE)
# A text in the recipes of the documents or in a template of the generator, and its plural.
WRITTEN = re.compile(r"""\b(?:_l?|ngettext)\(\s*(["'])(.+?)\1(?:, "(.+?)")?""")
NAMES = re.compile(r"%\((\w+)\)")
KEYWORDS = {
    **dict.fromkeys(("_", "_l", "gettext", "lazy_gettext")),
    **dict.fromkeys(("pgettext", "lazy_pgettext"), ((1, "c"), 2)),
    **dict.fromkeys(("ngettext", "lazy_ngettext"), (1, 2)),
    "npgettext": ((1, "c"), 2, 3),
}


def packages() -> list[Path]:
    """Return core, the modules of the product, and app/ for its own templates."""
    return [ROOT / "core", *modules(), ROOT / "app"]


def modules() -> list[Path]:
    """Return the folders of the modules."""
    return sorted(path.parent for path in ROOT.glob("app/*/__init__.py"))


def template_of(package: Path) -> Catalog:
    """Return what the package's code and templates want translated."""
    catalog = Catalog()
    inside = [(f"{one.name}/**", "ignore") for one in modules() if one.parent == package]
    found = extract_from_dir(
        str(package), [*inside, *METHODS], OPTIONS, KEYWORDS, ("Translators:",)
    )
    for filename, _, message, comments, context in found:
        catalog.add(message, None, [(filename, 0)], auto_comments=comments, context=context)
    for text in texts_to_copy() if package == ROOT / "core" else ():
        catalog.add(text)
    return catalog


def texts_to_copy() -> Iterator[str | tuple[str, str]]:
    """Yield the texts of code that people copy or generate: it reads from core what it says."""
    for path in (*ROOT.glob("docs/recipes.md"), *ROOT.glob("core/generator/files/**/*.jinja")):
        for _, text, plural in WRITTEN.findall(path.read_text(encoding="utf-8")):
            # What the generator fills in has the words of the product.
            if "[[" not in text:
                yield (text, plural) if plural else text


def brought_up_to_date(package: Path, language: str, template: Catalog) -> tuple[Path, Catalog]:
    """Return the path of the package's catalogue, and what it should be."""
    path = package / "translations" / language / "LC_MESSAGES" / "messages.po"
    catalog = Catalog(locale=language)
    if path.exists():
        with path.open("rb") as file:
            catalog = read_po(file, locale=language)
    catalog.update(template, no_fuzzy_matching=True)
    catalog.obsolete.clear()
    return path, catalog


def contents(catalog: Catalog) -> tuple[bytes, bytes]:
    """Return the two files of a catalogue, without what changes from run to run."""
    po, mo = io.BytesIO(), io.BytesIO()
    write_po(po, catalog, omit_header=True, no_location=True, sort_output=True, width=100)
    head = 'msgid ""\nmsgstr ""\n"Content-Type: text/plain; charset=utf-8\\n"\n'
    plural = f'"Plural-Forms: {catalog.plural_forms}\\n"\n\n'
    text = head.encode() + plural.encode() + po.getvalue()
    compiled = read_po(io.BytesIO(text), locale=str(catalog.locale))
    # The file tells when it was made: a fixed time, so that equal texts give equal files.
    compiled.creation_date = compiled.revision_date = datetime(2000, 1, 1, tzinfo=UTC)
    write_mo(mo, compiled)
    return text, mo.getvalue()


def main(check: bool) -> int:
    """Write the catalogues, or with `check` only compare; return the number of findings."""
    findings = 0
    # What core, the first of the packages, has translated the others read from there.
    in_core: dict[str, set[Any]] = {}
    # Of modules that translate one text each in their way all show the one of the last.
    of_modules: dict[Any, Any] = {}
    for package in packages():
        template, is_core = template_of(package), package == ROOT / "core"
        if is_core:
            in_core["en"] = {one.id for one in template}
        for language in languages_of(package) if len(template) else ():
            path, catalog = brought_up_to_date(package, language, template)
            known: set[Any] = {one.id for one in catalog if all(_strings(one.string))}
            general = _catalogue(ROOT / "core", language)
            known |= in_core.setdefault(general, known if is_core else set())
            # A text needs no translation into the language in which the code has it.
            is_source = language == source_of(package)
            for fault in faults_of(catalog, {one.id for one in catalog} if is_source else known):
                findings += 1
                print(f"{path.relative_to(ROOT)}: {fault}")
            if not is_core:
                name_clashes(path, language, catalog, of_modules)
            findings += stale(path, catalog, check)
    return findings


def stale(path: Path, catalog: Catalog, check: bool) -> int:
    """Write the two files of a catalogue, or with `check` name and count those that differ."""
    findings = 0
    files = path, path.with_suffix(".mo")
    for file, content in zip(files, contents(catalog), strict=True):
        if check and (not file.exists() or file.read_bytes() != content):
            findings += 1
            print(f"{file.relative_to(ROOT)}: not up to date; run make translations")
        elif not check:
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(content)
    return findings


def faults_of(catalog: Catalog, known: set[Any]) -> Iterator[str]:
    """Yield what is wrong with the texts of a catalogue; those in `known` have a translation."""
    for text in (one.id for one in catalog if one.id and one.id not in known):
        yield f"no translation of {text!r}"
    for one in catalog:
        if not keeps_names(one):
            yield f"{one.string!r} has other names in %(...)s than {one.id!r}: leave them as there"


def keeps_names(message: Message) -> bool:
    """Tell whether a translation can be filled in with what the text is filled in with."""
    texts = _strings(message.id)
    joined = " ".join(map(str, texts))
    values = dict.fromkeys(NAMES.findall(joined), 0)
    # Where nothing is filled in a % is a %.
    is_filled_in = "%" in joined and all(_takes(one, values) for one in texts)
    return not is_filled_in or all(_takes(one, values) for one in _strings(message.string) if one)


def _takes(text: Any, values: dict[str, int]) -> bool:
    try:
        return bool(text % values)
    except (KeyError, TypeError, ValueError):
        return False


def name_clashes(path: Path, language: str, catalog: Catalog, seen: dict[Any, Any]) -> None:
    """Print the texts that a module before this one has translated in another way."""
    for one in catalog:
        string = one.string if one.id and all(_strings(one.string)) else None
        first, before = seen.setdefault((language, one.context, one.id), (path, string))
        if None not in (string, before) and string != before:
            print(
                f"{path.relative_to(ROOT)}: {one.id!r} is translated otherwise in "
                f"{first.relative_to(ROOT)}, and the module listed last wins in both: "
                "tell them apart by pgettext(context, text)."
            )


def languages_of(package: Path) -> list[str]:
    """Return the languages of the package's catalogues: es_CO reads that of es if it has no own.

    The language in which the code has its texts needs none; who has made the folder of one has it.
    """
    found = [_catalogue(package, language) for language in settings.LANGUAGES]
    made = package / "translations"
    return [
        language
        for language in dict.fromkeys(found)
        if language != source_of(package) or (made / language).is_dir()
    ]


def source_of(package: Path) -> str:
    """Return the language of the texts in a package's code: its LANGUAGE, or English."""
    init = package / "__init__.py"
    said = LANGUAGE.search(init.read_text(encoding="utf-8")) if init.exists() else None
    return said[1] if said else "en"


def _catalogue(package: Path, language: str) -> str:
    general = language.partition("_")[0]
    is_general = general == "en" or (ROOT / "core/translations" / general).is_dir()
    has_own = (package / "translations" / language).is_dir()
    return general if is_general and not has_own else language


def _strings(string: object) -> tuple[object, ...]:
    return string if isinstance(string, tuple) else (string,)


if __name__ == "__main__":
    sys.exit(min(main("--check" in sys.argv), 1))
