"""docs/settings.md: every key of the configuration."""

from pydantic import BaseModel

from meshkit.configuration.key_descriptions import KeyDescription, keys, models_in
from meshkit.configuration.keys_by_service import DECLARED
from meshkit.configuration.solution import Solution
from services.aggregator.sources.catalog import DECLARATIONS

INTRODUCTION = (
    "Every key of `configuration.json`. Unknown keys are refused. `feedmesh config explain KEY` says the same of one "
    "key, `feedmesh check` what a file amounts to.\n"
)
OTHER_DEFAULTS = """## Defaults of our own

The defaults are those of the specification, but for these. `feedmesh check` says so of a file that relies on one.

| key | here | there | why |
| --- | --- | --- | --- |
| `sources.*.ttl` | 5000 | 300000 | A feed must not be priced by what was true five minutes ago. |
| `sources.binance.baseUrl` | `https://api.binance.com` | `https://api.binance.us` | Its last trades are old. |
| `sources` | a source that is not named is off | on | Each source that is on costs calls, and some need a key. |
| `refetch.failedPairsRetry.retryDelay` | 5000 | 10000 | A price that is missing is tried for sooner. |
| `faucetMinWei`, `faucetTopupWei` | 10^16, 2 · 10^16 | 2 · 10^13, 10^13 | Theirs pay for no transmission. |
"""
ENVIRONMENT = """`CONFIGURATION_PUBLIC_KEY` is the key that the file must be signed by: SubjectPublicKeyInfo DER in
base64, or the path of a file with it. Without it a signature is not checked, and `feedmesh check` says so.

`CHAINLINK_BIN` is the path of Chainlink's node program, for nodes that run it (`mesh.runtime`); without it that is the
`chainlink` of the PATH.

Each of these stands in for a key that the file does not give; the file's value comes first. The object in
`/etc/process-metrics/config.json`, or the `metricsPush` in it, stands in for `solution.metricsPush` where the file has
none.
"""


def settings_page() -> str:
    """Return docs/settings.md."""
    lines = ["# Settings\n", INTRODUCTION]
    sections: dict[str, list[KeyDescription]] = {}
    for key in keys():
        sections.setdefault(key.path.rpartition(".")[0], []).append(key)
    for place, rows in sections.items():
        lines.append(f"\n## `{place}`\n\n{words_on(place)}\n")
        lines.append("| key | type | default | allowed | meaning |\n| --- | --- | --- | --- | --- |")
        lines += [row(key) for key in rows]
    lines.append(
        "\n## Who reads what\n\nA service can read nothing but its keys and what is below them. `feedmesh apply` "
        "restarts a service when one of them differs; only the supervisor goes on.\n\n| service | keys |\n"
        "| --- | --- |"
    )
    lines += [f"| {each.service} | {', '.join(f'`{place}`' for place in each.places)} |" for each in DECLARED]
    lines.append(
        "\n## Defaults by source\n\n| source | baseUrl | rps | maxConcurrent | maxBatchSize |\n"
        "| --- | --- | --- | --- | --- |"
    )
    lines += [
        f"| {name} | `{known.base_url}` | {float(known.rps):g} | {known.max_concurrent} | {known.max_batch} |"
        for name, known in DECLARATIONS.items()
    ]
    lines.append(f"\n{OTHER_DEFAULTS}\n## Environment\n\n{ENVIRONMENT}\n| variable | key |\n| --- | --- |")
    lines += [f"| `{key.variable}` | `{key.path}` |" for key in keys() if key.variable]
    return "\n".join(lines) + "\n"


def words_on(place: str) -> str:
    """Return what a section is, as its model says."""
    model: type[BaseModel] = Solution
    for part in place.split(".")[1:]:
        if part != "*":
            field = next(each for each in model.model_fields.values() if each.alias == part)
            model = next(iter(models_in(field.annotation)))
    return (model.__doc__ or "").strip()


def row(key: KeyDescription) -> str:
    """Return a key's row."""
    default = {"required": "**required**", "none": "–", "": ""}.get(key.default, f"`{key.default}`")
    kind, allowed, meaning = (text.replace("|", "\\|") for text in (key.kind, key.allowed, key.meaning))
    return f"| `{key.path.rpartition('.')[2]}` | {kind} | {default} | {allowed} | {meaning} |"
