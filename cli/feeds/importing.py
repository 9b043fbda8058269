"""`feedmesh feeds import`: job templates as feeds of a configuration, and what is wrong with them."""

import json
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final, TextIO

from cli.errors import CliError, UsageError
from cli.json_output import print_json
from meshkit import atomic_file, feeds
from meshkit.configuration.aggregator import SOURCES
from meshkit.ethereum.address import checksummed
from meshkit.job_templates import contract_addresses, template
from meshkit.job_templates.contract_addresses import BadAddresses, ContractAddresses
from meshkit.job_templates.findings import Finding, findings
from meshkit.job_templates.template import SUFFIX, BadTemplate, JobTemplate

_MODE: Final = 0o600


@dataclass(frozen=True, slots=True)
class Imported:
    """
    Hold what becomes of templates.

    Attributes:
        configuration: Part of a configuration.json, with the feeds that are known here and their contracts.
        staying: Templates of feeds that nobody knows here, by file: only as templates can they be served.
        findings: What is wrong with the templates, errors first.
    """

    configuration: dict[str, Any]
    staying: dict[str, str]
    findings: tuple[Finding, ...]

    @property
    def feeds(self) -> list[str]:
        """Return the names of the feeds that were taken over."""
        names: list[str] = self.configuration["solution"]["mesh"]["feeds"]
        return names


def imported(templates: Sequence[JobTemplate | BadTemplate], listed: ContractAddresses) -> Imported:
    """
    Return the feeds of templates as a configuration has them; each is priced by what is known of its assets.

    Raises CliError for an address with a wrong checksum.
    """
    read = [each for each in templates if isinstance(each, JobTemplate)]
    known = list(dict.fromkeys(each.name for each in read if each.name in feeds.load()))
    addresses = {
        each.name: _with_checksum(each.name, address)
        for each in read
        if each.name in feeds.load()
        and (address := listed.addresses.get(each.name, listed.addresses.get(each.file.removesuffix(SUFFIX))))
    }
    mesh: dict[str, Any] = {"feeds": known}
    if addresses:
        mesh["contracts"] = {"addresses": addresses}
    staying = {each.file: each.name for each in read if each.name not in feeds.load()}
    return Imported({"solution": {"mesh": mesh}}, staying, findings(templates, SOURCES))


def show(directory: Path, addresses_file: Path | None, chain_id: int | None, out: Path | None, *, as_json: bool) -> int:
    """Write the part of a configuration and the report; return 1 if not one feed was taken over."""
    result = imported(_templates(directory), _addresses(directory, addresses_file, chain_id))
    errors = {each.feed or each.file for each in result.findings if each.severity == "error"}
    if out is not None:
        _write(out, result.configuration)
    if as_json:
        print_json(
            {
                "ok": bool(result.feeds),
                "feeds": result.feeds,
                "stay_templates": result.staying,
                "feeds_with_errors": sorted(errors),
                "findings": [asdict(each) for each in result.findings],
                "configuration": result.configuration,
            }
        )
    else:
        # What a program may read is alone on standard output.
        _report(result, errors, sys.stderr if out is None else sys.stdout)
        if out is None:
            print(json.dumps(result.configuration, indent=2, ensure_ascii=False))
    return 0 if result.feeds else 1


def _templates(directory: Path) -> Sequence[JobTemplate | BadTemplate]:
    try:
        found = template.read_directory(directory)
    except OSError as error:
        raise CliError(f"{directory} cannot be listed: {error.strerror}", "a directory of job templates") from error
    if not found:
        raise CliError(f"{directory} has no *{SUFFIX}", "a directory of job templates")
    return found


def _addresses(directory: Path, file: Path | None, chain_id: int | None) -> ContractAddresses:
    if chain_id is None:
        if file is not None:
            raise UsageError("--chain-id: found none, needed: the chain whose addresses --addresses has")
        return ContractAddresses({})
    path = directory / contract_addresses.FILE_NAME if file is None else file
    try:
        return contract_addresses.read(path, chain_id)
    except BadAddresses as error:
        raise CliError(str(error)) from error


def _with_checksum(name: str, address: str) -> str:
    """Return an address as configurations have it. Raises CliError for one with another checksum."""
    letters, right = address[2:], checksummed(address)
    if letters not in (letters.lower(), letters.upper()) and address != right:
        found = f"the address of {name}: found {address}, with a wrong checksum"
        raise CliError(f"{found}, allowed: one whose checksum is right (EIP-55), or in small letters")
    return right


def _write(out: Path, configuration: dict[str, Any]) -> None:
    try:
        atomic_file.replace(out, json.dumps(configuration, indent=2, ensure_ascii=False) + "\n", _MODE)
    except OSError as error:
        raise CliError(f"{out} cannot be written: {error.strerror}") from error


def _report(result: Imported, errors: set[str], stream: TextIO) -> None:
    stream.writelines(
        f"{each.severity:<7}  {each.feed or each.file}: {each.rule}: {each.message} ({each.file})\n"
        for each in result.findings
    )
    stream.writelines(
        f"stays    {name}: nobody knows this feed here; it can be served by its template ({file})\n"
        for file, name in result.staying.items()
    )
    warnings = {each.feed for each in result.findings if each.severity == "warning"}
    stream.write(
        f"{len(result.feeds)} feeds taken over, {len(result.staying)} stay templates; "
        f"{len(errors)} templates have errors, which the feeds taken over do not have; {len(warnings)} have warnings\n"
    )
