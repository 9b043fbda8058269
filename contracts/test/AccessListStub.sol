// SPDX-License-Identifier: UNLICENSED
pragma solidity 0.8.30;

import {IAccessController} from "../interfaces.sol";

/// Test only: an access controller that anybody edits.
contract AccessListStub is IAccessController {
    mapping(address => bool) private listed;

    function set(address user, bool on) external {
        listed[user] = on;
    }

    function hasAccess(address user, bytes calldata) external view override returns (bool) {
        return listed[user];
    }
}
