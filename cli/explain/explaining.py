"""`feedmesh explain`: why a round's answer is what it is, or why there is none."""

from pathlib import Path

from cli.explain.asked_round import asked_round
from cli.json_output import print_json
from meshkit.explain.round_story import RoundStory, moments_ms
from meshkit.explain.sentences import Explanation, explain
from meshkit.ocr.hops import durations_ms


async def explain_round(run_dir: Path, feed: str, round_text: str, as_json: bool) -> None:
    """Print the way of a round's price from the exchanges into a block, one line a hop, and the reason in words."""
    kept = await asked_round(run_dir, feed, round_text)
    told = explain(kept.story)
    if as_json:
        print_json(as_dict(kept.story, told))
        return
    print("\n".join(lines(kept.story, told)))


def lines(story: RoundStory, told: Explanation) -> list[str]:
    """Return what a person reads."""
    width = max(len(hop.name) for hop in told.hops)
    shown = [told.title, told.words + "." if told.words else "", ""]
    for hop in told.hops:
        after = "" if hop.at_ms is None else f"{(hop.at_ms - story.began_ms) / 1000:+.2f} s"
        shown.append(f"{hop.name:<{width}}  {after:>9}  {hop.words}")
    if told.answer:
        shown += ["", f"answer {told.answer}"]
    return shown


def as_dict(story: RoundStory, told: Explanation) -> dict[str, object]:
    """Return what a program reads; times are Unix milliseconds, prices decimal texts."""
    return {
        "feed": story.feed,
        "epoch": story.epoch,
        "round": story.round,
        "contract_round": story.contract_round or None,
        "config_digest": story.config_digest,
        "began_ms": story.began_ms,
        "answer": told.answer or None,
        "words": told.words,
        "faults": [{"kind": fault.kind.value, "words": fault.words} for fault in told.faults],
        "hops": [{"name": hop.name, "at_ms": hop.at_ms, "words": hop.words} for hop in told.hops],
        "durations_ms": {hop.value: took_ms for hop, took_ms in durations_ms(moments_ms(story))},
        "unheard": dict(story.unheard),
    }
