"""The configuration that each feed shall have, by the version of its protocol."""

from collections.abc import Sequence

from chainlink.ocr.contract_config import OcrConfig
from chainlink.ocr2.contract_config import Ocr2Config
from chainlink.ocr2.median_config import AnswerRange
from meshkit.configuration.feeds.timings import FeedTimings
from services.operator.config import FeedTarget
from services.operator.nodes.identity import OracleIdentity
from services.operator.onchain import ocr_config
from services.operator.onchain.configuration import ocr2_config


class WantedConfigs:
    """Make the configurations once for each set of settings: hundreds of feeds share one."""

    def __init__(self, oracles: Sequence[OracleIdentity], settings: FeedTimings, chain_id: int) -> None:
        self._oracles = tuple(oracles)
        self._settings = settings
        self._chain_id = chain_id
        self._made: dict[tuple[int, FeedTimings, AnswerRange | None], OcrConfig | Ocr2Config] = {}

    def of(self, feed: FeedTarget, answers: AnswerRange) -> OcrConfig | Ocr2Config:
        """
        Return what a feed shall be configured as; of OCR2 for a contract that takes these answers.

        Raises:
            InvalidOcrConfig: when every node would refuse it; timings below the chain's minimums are such.
        """
        settings = self._settings if feed.ocr is None else feed.ocr
        key = (feed.ocr_version, settings, answers if feed.ocr_version == 2 else None)
        if key not in self._made:
            self._made[key] = (
                ocr2_config.desired(self._oracles, settings, answers)
                if feed.ocr_version == 2
                else ocr_config.desired(self._oracles, settings, self._chain_id)
            )
        return self._made[key]
