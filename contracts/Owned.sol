// SPDX-License-Identifier: UNLICENSED
pragma solidity 0.8.30;

/// One owner, handed over in two steps so that a mistyped address cannot take the contract.
abstract contract Owned {
    address public owner;
    address private proposedOwner;

    event OwnershipTransferRequested(address indexed from, address indexed to);
    event OwnershipTransferred(address indexed from, address indexed to);

    constructor() {
        owner = msg.sender;
    }

    modifier onlyOwner() {
        _checkOwner();
        _;
    }

    function transferOwnership(address to) external onlyOwner {
        proposedOwner = to;
        emit OwnershipTransferRequested(owner, to);
    }

    function acceptOwnership() external {
        require(msg.sender == proposedOwner, "Must be proposed owner");
        address previous = owner;
        owner = msg.sender;
        proposedOwner = address(0);
        emit OwnershipTransferred(previous, msg.sender);
    }

    function _checkOwner() internal view {
        require(msg.sender == owner, "Only callable by owner");
    }
}
