// SPDX-License-Identifier: UNLICENSED
pragma solidity 0.8.30;

/// A certificate cut up: the fields that are looked at, and in `nonSerializedParts` all bytes between them.
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

/// What can be told of a certificate from its pieces: until when it is valid, and whose key signed it.
library CertificateChecks {
    bytes32 private constant AUTHORITY = keccak256(hex"30030101ff");

    function isAuthority(Certificate calldata certificate) internal pure returns (bool) {
        return keccak256(certificate.ca) == AUTHORITY;
    }

    /// Reverts unless the key has signed the pieces, joined as they stood in the certificate.
    function requireSignedBy(Certificate calldata certificate, bytes memory publicKey) internal pure {
        bytes[] calldata parts = certificate.nonSerializedParts;
        bytes memory signed = bytes.concat(parts[1], certificate.serialNumber, parts[2], certificate.expirationDate);
        signed = bytes.concat(signed, parts[3], certificate.publicKey, parts[4], certificate.ca, parts[5]);
        if (certificate.userData != 0) signed = bytes.concat(signed, certificate.userData, parts[6]);
        if (certificate.mrEnclave != 0) signed = bytes.concat(signed, certificate.mrEnclave);
        if (certificate.mrSigner != 0) signed = bytes.concat(signed, parts[7], certificate.mrSigner);
        bytes calldata signature = certificate.signature;
        require(signature.length == 64, "Invalid signature length");
        (bytes32 r, bytes32 s) = (bytes32(signature[0:32]), bytes32(signature[32:64]));
        address signer = address(uint160(uint256(keccak256(publicKey))));
        bytes32 digest = sha256(signed);
        // A certificate does not say which of the two points it is, nor is its s the lower one.
        require(ecrecover(digest, 27, r, s) == signer || ecrecover(digest, 28, r, s) == signer, "Invalid signature");
    }

    /// Returns the seconds since 1970 of a time as certificates have it until 2049: YYMMDDhhmmssZ.
    function secondsOf(bytes memory date) internal pure returns (uint256) {
        require(date.length == 13, "Only 13 and 19 bytes are supported date formats");
        uint256 year = pair(date, 0);
        year += year < 50 ? 2000 : 1900;
        (uint256 month, uint256 day) = (pair(date, 2), pair(date, 4));
        require(month >= 1 && month <= 12, "Invalid month");
        require(day >= 1 && day <= 31, "Invalid day");
        // Days since 1 March of year 0 (Howard Hinnant, days_from_civil), less those until 1970.
        uint256 shifted = month > 2 ? year : year - 1;
        uint256 dayOfYear = (153 * (month > 2 ? month - 3 : month + 9) + 2) / 5 + day - 1;
        uint256 daysGone = shifted * 365 + shifted / 4 - shifted / 100 + shifted / 400 + dayOfYear - 719468;
        return daysGone * 1 days + pair(date, 6) * 1 hours + pair(date, 8) * 1 minutes + pair(date, 10);
    }

    function pair(bytes memory text, uint256 place) private pure returns (uint256) {
        return digit(text[place]) * 10 + digit(text[place + 1]);
    }

    function digit(bytes1 symbol) private pure returns (uint256) {
        require(symbol >= "0" && symbol <= "9", "ASCII symbol is not a number");
        return uint8(symbol) - 48;
    }
}
