// SPDX-License-Identifier: UNLICENSED
pragma solidity 0.8.30;

import {Owned} from "./Owned.sol";

/// Who the oracles are, and who is paid for each of them.
/// An oracle is an index: the same position in the lists of signers and of transmitters.
abstract contract OracleSet is Owned {
    uint256 internal constant MAX_ORACLES = 31;

    enum Role {
        None,
        Signer,
        Transmitter
    }

    struct Seat {
        uint8 index;
        Role role;
    }

    /// One namespace for both roles: an address sits at most once.
    mapping(address => Seat) internal seats;
    address[] internal signerList;
    address[] internal transmitterList;

    /// Keyed by transmitter, and kept when the oracle set changes.
    mapping(address => address) internal payees;
    mapping(address => address) private proposedPayees;

    event PayeeshipTransferRequested(address indexed transmitter, address indexed current, address indexed proposed);
    event PayeeshipTransferred(address indexed transmitter, address indexed previous, address indexed current);

    function transmitters() external view returns (address[] memory) {
        return transmitterList;
    }

    /// Sets first payees; the owner can never replace one, so that it cannot redirect what an oracle has earned.
    function setPayees(address[] calldata transmitters_, address[] calldata payees_) external onlyOwner {
        require(transmitters_.length == payees_.length, "transmitters.size != payees.size");
        for (uint256 i = 0; i < transmitters_.length; ++i) {
            address transmitter = transmitters_[i];
            address current = payees[transmitter];
            address payee = payees_[i];
            require(current == address(0) || current == payee, "payee already set");
            if (current == payee) continue;
            payees[transmitter] = payee;
            emit PayeeshipTransferred(transmitter, current, payee);
        }
    }

    function transferPayeeship(address transmitter, address proposed) external {
        require(msg.sender == payees[transmitter], "only current payee can update");
        require(msg.sender != proposed, "cannot transfer to self");
        if (proposedPayees[transmitter] == proposed) return;
        proposedPayees[transmitter] = proposed;
        emit PayeeshipTransferRequested(transmitter, msg.sender, proposed);
    }

    function acceptPayeeship(address transmitter) external {
        require(msg.sender == proposedPayees[transmitter], "only proposed payees can accept");
        address previous = payees[transmitter];
        payees[transmitter] = msg.sender;
        proposedPayees[transmitter] = address(0);
        emit PayeeshipTransferred(transmitter, previous, msg.sender);
    }

    function _seatOracles(address[] memory signers_, address[] memory transmitters_) internal {
        _unseat(signerList);
        _unseat(transmitterList);
        for (uint256 i = 0; i < signers_.length; ++i) {
            require(seats[signers_[i]].role == Role.None, "repeated signer address");
            seats[signers_[i]] = Seat(uint8(i), Role.Signer);
            require(payees[transmitters_[i]] != address(0), "payee must be set");
            require(seats[transmitters_[i]].role == Role.None, "repeated transmitter address");
            seats[transmitters_[i]] = Seat(uint8(i), Role.Transmitter);
        }
        signerList = signers_;
        transmitterList = transmitters_;
    }

    function _unseat(address[] storage list) private {
        for (uint256 i = 0; i < list.length; ++i) {
            delete seats[list[i]];
        }
    }
}
