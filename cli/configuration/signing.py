"""Keys and signatures of configuration files."""

import json
import os
import re
from pathlib import Path
from typing import Any, Final

from cli.errors import CliError, UsageError
from cli.json_output import print_json
from meshkit import atomic_file
from meshkit.configuration.reading import document
from meshkit.configuration.signing import signature
from meshkit.configuration.signing.signature import PUBLIC_KEY_VARIABLE, BadSignature

PRIVATE_FILE: Final = "configuration-signing.key"
PUBLIC_FILE: Final = "configuration-signing.pub"


def keygen(directory: Path, as_json: bool) -> None:
    """Write a new pair of keys; raise CliError rather than replace one."""
    key = signature.new_private_key()
    private, public = directory / PRIVATE_FILE, directory / PUBLIC_FILE
    if found := [path for path in (private, public) if path.exists()]:
        raise CliError(f"{found[0]} exists already", "choose another directory: what it has signed needs it")
    try:
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        atomic_file.replace(private, f"{signature.private_text(key)}\n", 0o600)
        atomic_file.replace(public, f"{signature.public_text(key.public_key())}\n", 0o644)
    except OSError as error:
        raise CliError(f"{directory} cannot be written: {error.strerror}") from error
    name = signature.fingerprint(key.public_key())
    told = {"private": str(private), "public": str(public), "key": name}
    words = f"{private}: keep it secret\n{public}: {PUBLIC_KEY_VARIABLE}={public}\nthe key is {name}"
    _tell(told, words, as_json)


def sign(path: Path, key_file: Path, out: Path | None, as_json: bool) -> None:
    """Sign a file; everything but its signature stays as it is written."""
    read, key = document.read(path), signature.private_key(key_file)
    signed = _with_signature(read.content, read.given, signature.sign(read.given, key))
    target = out or path
    try:
        mode = path.stat().st_mode & 0o777
        atomic_file.replace(target, signed, mode)
    except OSError as error:
        raise CliError(f"{target} cannot be written: {error.strerror}") from error
    # What was written is looked at, not what was meant.
    signature.verify(document.read(target).given, key.public_key())
    name = signature.fingerprint(key.public_key())
    _tell({"file": str(target), "key": name}, f"{target} is signed by the key {name}", as_json)


def verify(path: Path, key_text: str, as_json: bool) -> None:
    """Raise CliError unless a file is signed by a key."""
    if not key_text:
        raise UsageError(f"--key: found nothing, allowed: a public key, or {PUBLIC_KEY_VARIABLE} in the environment")
    field = PUBLIC_KEY_VARIABLE if key_text == os.environ.get(PUBLIC_KEY_VARIABLE) else "--key"
    key = signature.public_key(key_text, field)
    name = signature.fingerprint(key)
    try:
        signature.verify(document.read(path).given, key)
    except BadSignature as error:
        raise CliError(
            f"{path}: solution.signature: found {error}, allowed: the signature of this content by the key {name}"
        ) from None
    _tell({"file": str(path), "key": name}, f"{path} is valid by the key {name}", as_json)


def _with_signature(content: str, given: Any, text: str) -> str:
    """Return the file's text with a signature in it: in the old one's place, else first in `solution`."""
    old = given["solution"].get("signature")
    written = json.dumps(text)
    if "signature" in given["solution"] and isinstance(old, str | None):
        pattern = rf'("signature"\s*:\s*){re.escape(json.dumps(old))}'
        changed, count = re.subn(pattern, lambda match: match[1] + written, content)
        if count == 1 and _is_same(changed, given, text):
            return changed
    elif "signature" not in given["solution"]:
        gap = re.search(r'"solution"\s*:\s*\{(\s*)', content)
        if gap is not None:
            comma = f",{gap[1]}" if given["solution"] else ""
            changed = f'{content[: gap.end()]}"signature": {written}{comma}{content[gap.end() :]}'
            if _is_same(changed, given, text):
                return changed
    # It is written in a way of its own, with escapes for example.
    signed = {**given, "solution": {**given["solution"], "signature": text}}
    return json.dumps(signed, indent=2, ensure_ascii=False) + "\n"


def _is_same(content: str, given: Any, text: str) -> bool:
    try:
        return bool(json.loads(content) == {**given, "solution": {**given["solution"], "signature": text}})
    except json.JSONDecodeError:
        return False


def _tell(told: dict[str, str], words: str, as_json: bool) -> None:
    if as_json:
        print_json({"ok": True, **told})
    else:
        print(words)
