// SPDX-License-Identifier: UNLICENSED
pragma solidity 0.8.30;

import {Billing} from "./Billing.sol";
import {ReadAccess} from "./ReadAccess.sol";
import {IAccessController, IAnswerValidator} from "./interfaces.sol";

/// A price feed: takes reports that enough of its oracles have signed and keeps the median of their observations.
///
/// The outside is that of "AccessControlledOffchainAggregator 4.0.0": Chainlink nodes and consumers cannot tell it
/// from that one. What reverted there without a reason, or with all gas gone, does so here. How it is configured, and
/// by whom, is the matter of the contracts that inherit from it.
abstract contract Feed is Billing, ReadAccess {
    string public constant typeAndVersion = "AccessControlledOffchainAggregator 4.0.0";
    uint256 public constant version = 4;

    /// Selector, three offsets, rawVs and three lengths.
    uint256 private constant TRANSMIT_FIXED_BYTES = 4 + 7 * 32;
    /// What a CALL itself costs at most; the validator must get its whole limit on top.
    uint256 private constant CALL_GAS_CUSHION = 5000;

    struct State {
        bytes16 configDigest;
        uint40 epochAndRound; // of the last report: epoch * 256 + round
        uint8 threshold; // how many oracles may be faulty
        uint32 aggregatorRoundId;
    }

    struct Transmission {
        int192 answer;
        uint64 timestamp;
    }

    struct ValidatorConfig {
        address validator;
        uint32 gasLimit;
    }

    uint8 public immutable decimals;
    int192 public immutable minAnswer;
    int192 public immutable maxAnswer;
    string private text;

    State private state;
    uint32 private configCount;
    uint32 private configBlockNumber;
    mapping(uint32 => Transmission) private transmissions;
    IAccessController public requesterAccessController;
    ValidatorConfig public validatorConfig;

    event ConfigSet(
        uint32 previousConfigBlockNumber,
        uint64 configCount,
        address[] signers,
        address[] transmitters,
        uint8 threshold,
        uint64 encodedConfigVersion,
        bytes encoded
    );
    event NewTransmission(
        uint32 indexed aggregatorRoundId,
        int192 answer,
        address transmitter,
        int192[] observations,
        bytes observers,
        bytes32 rawReportContext
    );
    event NewRound(uint256 indexed roundId, address indexed startedBy, uint256 startedAt);
    event AnswerUpdated(int256 indexed current, uint256 indexed roundId, uint256 updatedAt);
    event RoundRequested(address indexed requester, bytes16 configDigest, uint32 epoch, uint8 round);
    event RequesterAccessControllerSet(address old, address current);
    event ValidatorConfigSet(
        address indexed previousValidator,
        uint32 previousGasLimit,
        address indexed currentValidator,
        uint32 currentGasLimit
    );

    constructor(
        Rates memory rates_,
        address link,
        int192 minAnswer_,
        int192 maxAnswer_,
        address billingAccessController_,
        address requesterAccessController_,
        uint8 decimals_,
        string memory description_
    ) Billing(rates_, link, billingAccessController_) {
        minAnswer = minAnswer_;
        maxAnswer = maxAnswer_;
        decimals = decimals_;
        text = description_;
        _setRequesterAccessController(requesterAccessController_);
    }

    // ---------------------------------------------------------------- configuration

    /// What is refused whoever asks for it.
    function _checkConfig(uint256 signers, uint256 transmitters_, uint8 threshold) internal pure {
        require(signers <= MAX_ORACLES, "too many signers");
        require(threshold > 0, "threshold must be positive");
        require(signers == transmitters_, "oracle addresses out of registration");
        require(signers > 3 * uint256(threshold), "faulty-oracle threshold too high");
    }

    /// Replaces the oracles and tells the new configuration, by which reports of an older one are refused.
    function _configure(
        address[] memory signers,
        address[] memory transmitters_,
        uint8 threshold,
        uint64 encodedConfigVersion,
        bytes memory encoded
    ) internal {
        _payOracles();
        _seatOracles(signers, transmitters_);

        uint32 previousBlock = configBlockNumber;
        configBlockNumber = uint32(block.number);
        uint64 count = ++configCount;
        state.configDigest = bytes16(
            keccak256(
                abi.encode(
                    address(this), count, signers, transmitters_, threshold, encodedConfigVersion, encoded
                )
            )
        );
        state.epochAndRound = 0;
        state.threshold = threshold;
        emit ConfigSet(previousBlock, count, signers, transmitters_, threshold, encodedConfigVersion, encoded);
    }

    function latestConfigDetails() external view returns (uint32 count, uint32 blockNumber, bytes16 configDigest) {
        return (configCount, configBlockNumber, state.configDigest);
    }

    function setValidatorConfig(address validator, uint32 gasLimit) external onlyOwner {
        ValidatorConfig memory old = validatorConfig;
        if (old.validator == validator && old.gasLimit == gasLimit) return;
        validatorConfig = ValidatorConfig(validator, gasLimit);
        emit ValidatorConfigSet(old.validator, old.gasLimit, validator, gasLimit);
    }

    // ---------------------------------------------------------------- rounds

    /// Asks the oracles for a report; changes nothing. Returns the id that the next round will have.
    function requestNewRound() external returns (uint80) {
        require(
            msg.sender == owner || requesterAccessController.hasAccess(msg.sender, msg.data),
            "Only owner&requester can call"
        );
        State memory s = state;
        emit RoundRequested(msg.sender, s.configDigest, uint32(s.epochAndRound >> 8), uint8(s.epochAndRound));
        return uint80(s.aggregatorRoundId) + 1;
    }

    function setRequesterAccessController(address controller) external onlyOwner {
        _setRequesterAccessController(controller);
    }

    /// Takes a report: abi.encode(bytes32 rawReportContext, bytes32 rawObservers, int192[] observations), with
    /// signatures over its keccak256. The length must fit exactly, so nobody can make the transmitter's gas
    /// reimbursement grow with padding.
    function transmit(bytes calldata report, bytes32[] calldata rs, bytes32[] calldata ss, bytes32 rawVs) external {
        uint256 initialGas = gasleft();
        require(
            msg.data.length == TRANSMIT_FIXED_BYTES + report.length + 32 * (rs.length + ss.length),
            "transmit message too long"
        );
        (bytes32 context, bytes32 rawObservers, int192[] calldata observations) = _openReport(report);
        State memory s = state;
        require(s.configDigest == bytes16(context << 88), "configDigest mismatch");
        uint40 epochAndRound = uint40(uint256(context));
        require(s.epochAndRound < epochAndRound, "stale report");
        require(rs.length > s.threshold, "not enough signatures");
        require(rs.length <= MAX_ORACLES, "too many signatures");
        require(rs.length == ss.length, "signatures out of registration");
        require(observations.length <= MAX_ORACLES, "num observations out of bounds");
        require(observations.length > 2 * uint256(s.threshold), "too few values to trust median");
        bytes memory observers = _openObservers(rawObservers, observations.length);
        require(seats[msg.sender].role == Role.Transmitter, "unauthorized transmitter");
        _checkSignatures(keccak256(report), rs, ss, rawVs);

        s.epochAndRound = epochAndRound;
        _record(s, observations, observers, context);
        _countObservations(observers);
        _callValidator(s.aggregatorRoundId);
        _creditTransmission(initialGas);
    }

    /// May be called off chain only: contracts should read answers, not the protocol's progress.
    function latestTransmissionDetails()
        external
        view
        returns (bytes16 configDigest, uint32 epoch, uint8 round, int192 answer, uint64 timestamp)
    {
        require(msg.sender == tx.origin, "Only callable by EOA");
        State memory s = state;
        Transmission memory last = transmissions[s.aggregatorRoundId];
        return (
            s.configDigest, uint32(s.epochAndRound >> 8), uint8(s.epochAndRound), last.answer, last.timestamp
        );
    }

    // ---------------------------------------------------------------- reading

    function description() external view checkAccess returns (string memory) {
        return text;
    }

    function latestAnswer() external view checkAccess returns (int256) {
        return transmissions[state.aggregatorRoundId].answer;
    }

    function latestTimestamp() external view checkAccess returns (uint256) {
        return transmissions[state.aggregatorRoundId].timestamp;
    }

    function latestRound() external view checkAccess returns (uint256) {
        return state.aggregatorRoundId;
    }

    function getAnswer(uint256 roundId) external view checkAccess returns (int256) {
        return roundId > type(uint32).max ? int256(0) : transmissions[uint32(roundId)].answer;
    }

    function getTimestamp(uint256 roundId) external view checkAccess returns (uint256) {
        return roundId > type(uint32).max ? 0 : transmissions[uint32(roundId)].timestamp;
    }

    function getRoundData(uint80 roundId_)
        external
        view
        checkAccess
        returns (uint80 roundId, int256 answer, uint256 startedAt, uint256 updatedAt, uint80 answeredInRound)
    {
        require(roundId_ <= type(uint32).max, "No data present");
        return _roundData(uint32(roundId_));
    }

    function latestRoundData()
        external
        view
        checkAccess
        returns (uint80 roundId, int256 answer, uint256 startedAt, uint256 updatedAt, uint80 answeredInRound)
    {
        return _roundData(state.aggregatorRoundId);
    }

    function _roundData(uint32 id) private view returns (uint80, int256, uint256, uint256, uint80) {
        Transmission memory t = transmissions[id];
        return (id, t.answer, t.timestamp, t.timestamp, id);
    }

    // ---------------------------------------------------------------- the steps of transmit

    /// Decodes without abi.decode, which would answer an absurd array length with a panic instead of an empty revert.
    function _openReport(bytes calldata report)
        private
        pure
        returns (bytes32 context, bytes32 rawObservers, int192[] calldata observations)
    {
        uint256 size = report.length;
        if (size < 128) revert();
        (context, rawObservers) = (bytes32(report[0:32]), bytes32(report[32:64]));
        uint256 start = uint256(bytes32(report[64:96]));
        if (start > size - 32) revert();
        uint256 count = uint256(bytes32(report[start:start + 32]));
        start += 32;
        if (count > (size - start) / 32) revert();
        assembly ("memory-safe") {
            observations.offset := add(report.offset, start)
            observations.length := count
        }
    }

    /// Returns the observers' indices, one byte each, distinct and below MAX_ORACLES.
    function _openObservers(bytes32 rawObservers, uint256 count) private pure returns (bytes memory observers) {
        observers = new bytes(count);
        uint256 seen;
        for (uint256 i = 0; i < count; ++i) {
            uint256 index = uint8(rawObservers[i]);
            if (index >= MAX_ORACLES) {
                assembly ("memory-safe") {
                    invalid()
                }
            }
            require(seen & (1 << index) == 0, "observer index repeated");
            seen |= 1 << index;
            observers[i] = rawObservers[i];
        }
    }

    function _checkSignatures(bytes32 hash, bytes32[] calldata rs, bytes32[] calldata ss, bytes32 rawVs)
        private
        view
    {
        uint256 seen;
        for (uint256 i = 0; i < rs.length; ++i) {
            uint8 v;
            unchecked {
                v = uint8(rawVs[i]) + 27; // wraps: a byte of 229 and more is simply a bad signature
            }
            address signer = ecrecover(hash, v, rs[i], ss[i]);
            Seat memory seat = seats[signer];
            // ecrecover answers 0x0 to anything malformed; that must stay nobody, whatever the configuration says.
            require(signer != address(0) && seat.role == Role.Signer, "address not authorized to sign");
            require(seen & (1 << seat.index) == 0, "non-unique signature");
            seen |= 1 << seat.index;
        }
    }

    /// Stores and announces the median; of an even number of observations it is the upper middle one.
    function _record(State memory s, int192[] calldata observations, bytes memory observers, bytes32 context)
        private
    {
        for (uint256 i = 1; i < observations.length; ++i) {
            require(observations[i - 1] <= observations[i], "observations not sorted");
        }
        int192 median = observations[observations.length / 2];
        require(minAnswer <= median && median <= maxAnswer, "median is out of min-max range");
        uint32 id = ++s.aggregatorRoundId;
        state = s;
        transmissions[id] = Transmission(median, uint64(block.timestamp));
        emit NewTransmission(id, median, msg.sender, observations, observers, context);
        emit NewRound(id, address(0), block.timestamp);
        emit AnswerUpdated(median, id, block.timestamp);
    }

    /// Gives the validator exactly its gas limit; whatever it does, the round stands.
    function _callValidator(uint32 id) private {
        ValidatorConfig memory config = validatorConfig;
        if (config.validator == address(0)) return;
        bytes memory data = abi.encodeCall(
            IAnswerValidator.validate, (id - 1, transmissions[id - 1].answer, id, transmissions[id].answer)
        );
        (address target, uint256 gasLimit) = (config.validator, config.gasLimit);
        uint256 left = gasleft();
        left = left > CALL_GAS_CUSHION ? left - CALL_GAS_CUSHION : 0;
        // A call may pass on 63/64 of the gas left and would silently pass on less than asked for.
        require(left - left / 64 > gasLimit, "insufficient gas");
        assembly ("memory-safe") {
            // No room for returned data: copying it would let the validator burn the transmitter's gas.
            pop(call(gasLimit, target, 0, add(data, 32), mload(data), 0, 0))
        }
    }

    function _setRequesterAccessController(address controller) private {
        address old = address(requesterAccessController);
        if (old == controller) return;
        requesterAccessController = IAccessController(controller);
        emit RequesterAccessControllerSet(old, controller);
    }
}
