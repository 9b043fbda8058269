// SPDX-License-Identifier: UNLICENSED
pragma solidity 0.8.30;

/// The part of the LINK token that pay-outs need.
interface ILinkToken {
    function balanceOf(address holder) external view returns (uint256);

    function transfer(address to, uint256 juels) external returns (bool);
}

/// Says who may call something: billing administration, requests for rounds, reading.
interface IAccessController {
    function hasAccess(address user, bytes calldata data) external view returns (bool);
}

/// Is told about every new answer; what it returns is ignored.
interface IAnswerValidator {
    function validate(uint256 previousRoundId, int256 previousAnswer, uint256 roundId, int256 answer)
        external
        returns (bool);
}
