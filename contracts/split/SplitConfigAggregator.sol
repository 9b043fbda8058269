// SPDX-License-Identifier: UNLICENSED
pragma solidity 0.8.30;

import {Feed} from "../Feed.sol";
import {IAdminHelper} from "./IAdminHelper.sol";

/// A feed whose configuration has two parts: the owner sets timings and thresholds, and an account that has proven by
/// certificates where it runs sets the oracles. No owner can swap the oracles, and no oracle the owner's policy.
///
/// For development chains and tests: it stands in for the variant that deployments have.
contract SplitConfigAggregator is Feed {
    struct BillingArguments {
        uint32 maximumGasPrice;
        uint32 reasonableGasPrice;
        uint32 microLinkPerEth;
        uint32 linkGweiPerObservation;
        uint32 linkGweiPerTransmission;
        address link;
        address billingAccessController;
    }

    struct SharedSecretEncryptions {
        bytes32 diffieHellmanPoint;
        bytes32 sharedSecretHash;
        bytes16[] encryptions;
    }

    struct OracleConfig {
        address[] signers;
        address[] transmitters;
        uint8 threshold;
        uint8[] s;
        bytes32[] offchainPublicKeys;
        string peerIDs;
        SharedSecretEncryptions sharedSecretEncryptions;
    }

    /// What nodes decode: both parts, durations in nanoseconds.
    struct Encoded {
        int64 deltaProgress;
        int64 deltaResend;
        int64 deltaRound;
        int64 deltaGrace;
        int64 deltaC;
        uint64 alphaPPB;
        int64 deltaStage;
        uint8 rMax;
        uint8[] s;
        bytes32[] offchainPublicKeys;
        string peerIDs;
        SharedSecretEncryptions sharedSecretEncryptions;
    }

    IAdminHelper private immutable adminHelper;
    Encoded private stored;
    uint64 private version_;
    uint8 private threshold_;

    constructor(
        BillingArguments memory billing,
        int192 minAnswer_,
        int192 maxAnswer_,
        address requesterAccessController_,
        uint8 decimals_,
        string memory description_,
        address adminCertificateHelper
    )
        Feed(
            Rates(
                billing.maximumGasPrice,
                billing.reasonableGasPrice,
                billing.microLinkPerEth,
                billing.linkGweiPerObservation,
                billing.linkGweiPerTransmission
            ),
            billing.link,
            minAnswer_,
            maxAnswer_,
            billing.billingAccessController,
            requesterAccessController_,
            decimals_,
            description_
        )
    {
        require(adminCertificateHelper != address(0), "adminCertificateHelper cannot be zero address");
        adminHelper = IAdminHelper(adminCertificateHelper);
    }

    /// Sets timings and thresholds; a feed that has oracles tells them the new configuration at once.
    function setConsensusConfig(
        int64 deltaProgress,
        int64 deltaResend,
        int64 deltaRound,
        int64 deltaGrace,
        int64 deltaC,
        uint64 alphaPPB,
        int64 deltaStage,
        uint8 rMax,
        uint64 encodedConfigVersion
    ) external onlyOwner {
        stored.deltaProgress = deltaProgress;
        stored.deltaResend = deltaResend;
        stored.deltaRound = deltaRound;
        stored.deltaGrace = deltaGrace;
        stored.deltaC = deltaC;
        stored.alphaPPB = alphaPPB;
        stored.deltaStage = deltaStage;
        stored.rMax = rMax;
        version_ = encodedConfigVersion;
        if (signerList.length > 0) {
            _tell(signerList, transmitterList);
        }
    }

    /// Replaces the oracles. Who was never paid to anybody is paid to the owner.
    function setConfig(OracleConfig calldata config) external {
        require(adminHelper.isAdmin(msg.sender), "Only confidential admin");
        _checkConfig(config.signers.length, config.transmitters.length, config.threshold);
        stored.s = config.s;
        stored.offchainPublicKeys = config.offchainPublicKeys;
        stored.peerIDs = config.peerIDs;
        stored.sharedSecretEncryptions = config.sharedSecretEncryptions;
        threshold_ = config.threshold;
        for (uint256 i = 0; i < config.transmitters.length; ++i) {
            if (payees[config.transmitters[i]] == address(0)) {
                payees[config.transmitters[i]] = owner;
            }
        }
        _tell(config.signers, config.transmitters);
    }

    function _tell(address[] memory signers, address[] memory transmitters_) private {
        _configure(signers, transmitters_, threshold_, version_, abi.encode(stored));
    }
}
