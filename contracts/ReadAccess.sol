// SPDX-License-Identifier: UNLICENSED
pragma solidity 0.8.30;

import {Owned} from "./Owned.sol";
import {IAccessController} from "./interfaces.sol";

/// Who may read prices: everybody off chain, and the contracts that the owner lists.
abstract contract ReadAccess is Owned, IAccessController {
    bool public checkEnabled = true;
    mapping(address => bool) private listed;

    event AddedAccess(address user);
    event RemovedAccess(address user);
    event CheckAccessEnabled();
    event CheckAccessDisabled();

    modifier checkAccess() {
        require(hasAccess(msg.sender, msg.data), "No access");
        _;
    }

    /// tx.origin tells an account from a contract; an eth_call has both equal, so reading off chain is always open.
    function hasAccess(address user, bytes calldata) public view override returns (bool) {
        return listed[user] || !checkEnabled || user == tx.origin;
    }

    function addAccess(address user) external onlyOwner {
        if (listed[user]) return;
        listed[user] = true;
        emit AddedAccess(user);
    }

    function removeAccess(address user) external onlyOwner {
        if (!listed[user]) return;
        listed[user] = false;
        emit RemovedAccess(user);
    }

    function enableAccessCheck() external onlyOwner {
        if (checkEnabled) return;
        checkEnabled = true;
        emit CheckAccessEnabled();
    }

    function disableAccessCheck() external onlyOwner {
        if (!checkEnabled) return;
        checkEnabled = false;
        emit CheckAccessDisabled();
    }
}
