// SPDX-License-Identifier: UNLICENSED
pragma solidity 0.8.30;

import {IAnswerValidator} from "../interfaces.sol";

/// Test only: a contract that calls what it is told to, at once or when it is asked to validate an answer.
contract Actor is IAnswerValidator {
    address private target;
    bytes private data;
    bool private fails;

    event Validated(
        uint256 previousRoundId, int256 previousAnswer, uint256 roundId, int256 answer, uint256 gasLeft
    );

    function run(address target_, bytes calldata data_) external returns (bytes memory) {
        return _call(target_, data_);
    }

    function runWhenValidating(address target_, bytes calldata data_, bool fails_) external {
        (target, data, fails) = (target_, data_, fails_);
    }

    function validate(uint256 previousRoundId, int256 previousAnswer, uint256 roundId, int256 answer)
        external
        override
        returns (bool)
    {
        uint256 gasLeft = gasleft();
        require(!fails, "told to fail");
        emit Validated(previousRoundId, previousAnswer, roundId, answer, gasLeft);
        if (target != address(0)) _call(target, data);
        return true;
    }

    function _call(address target_, bytes memory data_) private returns (bytes memory answer) {
        bool ok;
        (ok, answer) = target_.call(data_);
        if (!ok) {
            assembly ("memory-safe") {
                revert(add(answer, 32), mload(answer))
            }
        }
    }
}
