// SPDX-License-Identifier: UNLICENSED
pragma solidity 0.8.30;

import {Owned} from "../Owned.sol";
import {Certificate, CertificateChecks} from "./CertificateChecks.sol";
import {IAdminHelper} from "./IAdminHelper.sol";

/// Holds the one admin: whoever last showed a certificate of the authorised solution and signed with its key.
///
/// For development chains and tests. It refuses what the contract of deployments refuses, in the same words: a chain of
/// certificates that does not lead to a registered root by valid signatures, one that is expired or blocked, and an
/// issuer that may issue nothing.
contract AdminHelper is Owned, IAdminHelper {
    using CertificateChecks for Certificate;

    struct Blocking {
        bytes item;
        bool isBlacklisted;
    }

    address private admin;
    uint256 private nonce;
    bytes32 private immutable solution;
    Certificate[] private roots;
    mapping(bytes32 => bool) private isBlocked;

    event SetAdmin(address indexed oldAdmin, address indexed newAdmin, Certificate[] certsChain, uint256 rootCertId);
    event SetRootCert(uint256 indexed serialNumber);

    constructor(bytes32 authorizedSolutionHash) {
        require(authorizedSolutionHash != 0, "AuthorizedSolutionHash cannot be zero");
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

    function setRootCert(Certificate calldata certificate) external onlyOwner {
        require(certificate.isAuthority(), "Root certificate cannot be non-intermediate");
        check(certificate, certificate.publicKey);
        emit SetRootCert(roots.length);
        roots.push(certificate);
    }

    /// Blocks certificates by their serial numbers, or allows them again.
    function setCertsBlacklist(Blocking[] calldata serialNumbers) external onlyOwner {
        for (uint256 at; at < serialNumbers.length; ++at) {
            isBlocked[keccak256(serialNumbers[at].item)] = serialNumbers[at].isBlacklisted;
        }
    }

    function addAdmin(Certificate[] calldata certsChain, uint256 rootCertId, bytes calldata signature) external {
        checkChain(certsChain, rootCertId);
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

    function checkChain(Certificate[] calldata chain, uint256 rootCertId) private view {
        require(rootCertId < roots.length, "Root certificate is not exist");
        require(chain.length > 0, "certsChain cannot be empty array");
        Certificate storage root = roots[rootCertId];
        require(!isBlocked[keccak256(root.serialNumber)], "Root certificate is blacklisted");
        require(CertificateChecks.secondsOf(root.expirationDate) > block.timestamp, "Root certificate is expired");
        for (uint256 at; at < chain.length; ++at) {
            bool isLast = at == chain.length - 1;
            bytes memory issuerKey = root.publicKey;
            if (!isLast) {
                require(chain[at + 1].isAuthority(), "Intermediate certificate does not have ca flag");
                issuerKey = chain[at + 1].publicKey;
            }
            check(chain[at], issuerKey);
        }
    }

    function check(Certificate calldata certificate, bytes memory issuerKey) private view {
        require(!isBlocked[keccak256(certificate.serialNumber)], "Certificate is blacklisted");
        require(CertificateChecks.secondsOf(certificate.expirationDate) > block.timestamp, "Certificate is expired");
        certificate.requireSignedBy(issuerKey);
    }
}
