// SPDX-License-Identifier: UNLICENSED
pragma solidity 0.8.30;

/// Says who is the one admin of many feeds.
interface IAdminHelper {
    function isAdmin(address caller) external view returns (bool);
}
