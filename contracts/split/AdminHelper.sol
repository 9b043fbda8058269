// SPDX-License-Identifier: UNLICENSED
pragma solidity 0.8.30;

import {Owned} from "../Owned.sol";
import {IAdminHelper} from "./IAdminHelper.sol";

/// Holds the one admin: whoever last showed a certificate of the authorised solution and signed with its key.
///
/// For development chains and tests: unlike the contract that deployments have, it takes any chain that ends at the
/// root it was given, and looks neither at dates nor at signatures of certificates.
contract AdminHelper is Owned, IAdminHelper {
    struct Certificate {
        bytes[] nonSerializedParts;
        bytes expirationDate;
        bytes ca;
        bytes32 userData;
        bytes publicKey;
        bytes serialNumber;
        bytes32 mrEnclave;
        bytes32 mrSigner;
        bytes signature;
    }

    address private admin;
    uint256 private nonce;
    uint256 private immutable root;
    bytes32 private immutable solution;

    event SetAdmin(address indexed oldAdmin, address indexed newAdmin, Certificate[] certsChain, uint256 rootCertId);

    constructor(uint256 rootCertId, bytes32 authorizedSolutionHash) {
        require(authorizedSolutionHash != 0, "AuthorizedSolutionHash cannot be zero");
        root = rootCertId;
        solution = authorizedSolutionHash;
    }

    function isAdmin(address caller) external view override returns (bool) {
        return caller == admin;
    }

    function getSignatureNonce() external view returns (uint256) {
        return nonce;
    }

    function getAuthorizedSolutionHash() external view returns (bytes32) {
        return solution;
    }

    function addAdmin(Certificate[] calldata certsChain, uint256 rootCertId, bytes calldata signature) external {
        require(rootCertId == root, "Root certificate is not exist");
        require(certsChain.length > 0, "certsChain cannot be empty array");
        require(certsChain[0].userData == solution, "Only authorized solution");
        bytes32 statement = sha256(abi.encode(msg.sender, block.chainid, address(this), nonce));
        require(signature.length == 65, "Invalid signature length");
        address signer =
            ecrecover(statement, uint8(signature[64]), bytes32(signature[0:32]), bytes32(signature[32:64]));
        address leaf = address(uint160(uint256(keccak256(certsChain[0].publicKey))));
        require(signer != address(0) && signer == leaf, "Invalid data signature");
        address before = admin;
        admin = msg.sender;
        ++nonce;
        emit SetAdmin(before, msg.sender, certsChain, rootCertId);
    }
}
