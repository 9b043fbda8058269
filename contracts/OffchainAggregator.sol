// SPDX-License-Identifier: UNLICENSED
pragma solidity 0.8.30;

import {Feed} from "./Feed.sol";

/// A feed whose owner sets all of its configuration.
contract OffchainAggregator is Feed {
    constructor(
        uint32 maximumGasPrice,
        uint32 reasonableGasPrice,
        uint32 microLinkPerEth,
        uint32 linkGweiPerObservation,
        uint32 linkGweiPerTransmission,
        address link,
        int192 minAnswer_,
        int192 maxAnswer_,
        address billingAccessController_,
        address requesterAccessController_,
        uint8 decimals_,
        string memory description_
    )
        Feed(
            Rates(
                maximumGasPrice,
                reasonableGasPrice,
                microLinkPerEth,
                linkGweiPerObservation,
                linkGweiPerTransmission
            ),
            link,
            minAnswer_,
            maxAnswer_,
            billingAccessController_,
            requesterAccessController_,
            decimals_,
            description_
        )
    {}

    /// Replaces the oracles. The arguments are judged before the caller, as nodes and scripts expect.
    function setConfig(
        address[] memory signers,
        address[] memory transmitters_,
        uint8 threshold,
        uint64 encodedConfigVersion,
        bytes memory encoded
    ) external {
        _checkConfig(signers.length, transmitters_.length, threshold);
        _checkOwner();
        _configure(signers, transmitters_, threshold, encodedConfigVersion, encoded);
    }
}
