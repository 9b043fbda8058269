// SPDX-License-Identifier: UNLICENSED
pragma solidity 0.8.30;

import {ILinkToken} from "../interfaces.sol";

/// Test only: a token that anybody mints, that answers false when short, and that refuses everything when frozen.
contract LinkStub is ILinkToken {
    mapping(address => uint256) public override balanceOf;
    bool public frozen;

    function mint(address to, uint256 juels) external {
        balanceOf[to] += juels;
    }

    function freeze(bool on) external {
        frozen = on;
    }

    function transfer(address to, uint256 juels) external override returns (bool) {
        if (frozen || balanceOf[msg.sender] < juels) return false;
        balanceOf[msg.sender] -= juels;
        balanceOf[to] += juels;
        return true;
    }
}
