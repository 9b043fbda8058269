// SPDX-License-Identifier: UNLICENSED
pragma solidity 0.8.30;

import {OracleSet} from "./OracleSet.sol";
import {IAccessController, ILinkToken} from "./interfaces.sol";

/// What oracles earn in LINK: so much an observation, so much a transmission, and the transmitter's gas.
/// The token is only called when something is owed, so a feed with all rates zero needs no LINK at all.
abstract contract Billing is OracleSet {
    struct Rates {
        uint32 maximumGasPrice; // gwei; the highest price that is paid back
        uint32 reasonableGasPrice; // gwei; below it the transmitter keeps half of what it saved
        uint32 microLinkPerEth; // 1e-6 LINK
        uint32 linkGweiPerObservation; // 1e-9 LINK
        uint32 linkGweiPerTransmission; // 1e-9 LINK
    }

    uint256 private constant GAS_PER_CALLDATA_BYTE = 16;
    /// The bookkeeping that comes after gas was measured.
    uint256 private constant ACCOUNTING_GAS = 6035;

    Rates private rates;
    ILinkToken private linkToken;
    IAccessController public billingAccessController;

    /// By oracle index. Cleared only when a sum is paid: a rise from zero makes earlier observations owed.
    uint16[MAX_ORACLES] private observationCounts;
    uint256[MAX_ORACLES] private transmissionJuels;

    event BillingSet(
        uint32 maximumGasPrice,
        uint32 reasonableGasPrice,
        uint32 microLinkPerEth,
        uint32 linkGweiPerObservation,
        uint32 linkGweiPerTransmission
    );
    event BillingAccessControllerSet(address old, address current);
    event LinkTokenSet(address indexed oldLinkToken, address indexed newLinkToken);
    event OraclePaid(
        address indexed transmitter, address indexed payee, uint256 amount, address indexed linkToken
    );

    constructor(Rates memory rates_, address link, address billingAccessController_) {
        _setRates(rates_);
        linkToken = ILinkToken(link);
        emit LinkTokenSet(address(0), link);
        _setBillingAccessController(billingAccessController_);
    }

    modifier onlyBillingAdmin() {
        require(
            msg.sender == owner || billingAccessController.hasAccess(msg.sender, msg.data),
            "Only owner&billingAdmin can call"
        );
        _;
    }

    function getBilling()
        external
        view
        returns (
            uint32 maximumGasPrice,
            uint32 reasonableGasPrice,
            uint32 microLinkPerEth,
            uint32 linkGweiPerObservation,
            uint32 linkGweiPerTransmission
        )
    {
        Rates memory r = rates;
        return (
            r.maximumGasPrice,
            r.reasonableGasPrice,
            r.microLinkPerEth,
            r.linkGweiPerObservation,
            r.linkGweiPerTransmission
        );
    }

    /// Pays at the old rates first.
    function setBilling(
        uint32 maximumGasPrice,
        uint32 reasonableGasPrice,
        uint32 microLinkPerEth,
        uint32 linkGweiPerObservation,
        uint32 linkGweiPerTransmission
    ) external onlyBillingAdmin {
        _payOracles();
        _setRates(
            Rates(
                maximumGasPrice,
                reasonableGasPrice,
                microLinkPerEth,
                linkGweiPerObservation,
                linkGweiPerTransmission
            )
        );
    }

    function setBillingAccessController(address controller) external onlyOwner {
        _setBillingAccessController(controller);
    }

    function getLinkToken() external view returns (address) {
        return address(linkToken);
    }

    /// Pays everything in the old token, sends what is left of it to the recipient, and changes to the new token.
    function setLinkToken(address newLinkToken, address recipient) external onlyOwner {
        ILinkToken old = linkToken;
        if (address(old) == newLinkToken) return;
        // A call that fails on anything but a token: later it would lock the feed.
        ILinkToken(newLinkToken).balanceOf(address(this));
        _payOracles();
        require(old.transfer(recipient, old.balanceOf(address(this))), "transfer remaining funds failed");
        linkToken = ILinkToken(newLinkToken);
        emit LinkTokenSet(address(old), newLinkToken);
    }

    function oracleObservationCount(address signerOrTransmitter) external view returns (uint16) {
        Seat memory seat = seats[signerOrTransmitter];
        return seat.role == Role.None ? 0 : observationCounts[seat.index];
    }

    function owedPayment(address transmitter) public view returns (uint256 juels) {
        Seat memory seat = seats[transmitter];
        return seat.role == Role.Transmitter ? _owed(seat.index) : 0;
    }

    /// Negative when more is owed than the contract holds.
    function linkAvailableForPayment() external view returns (int256 juels) {
        return int256(linkToken.balanceOf(address(this))) - int256(_totalOwed());
    }

    function withdrawPayment(address transmitter) external {
        require(msg.sender == payees[transmitter], "Only payee can withdraw");
        if (seats[transmitter].role == Role.Transmitter) _pay(transmitter);
    }

    /// Sends up to `amount` of what is not owed to anybody.
    function withdrawFunds(address recipient, uint256 amount) external onlyBillingAdmin {
        uint256 owed = _totalOwed();
        uint256 balance = linkToken.balanceOf(address(this));
        require(balance >= owed, "insufficient balance");
        uint256 free = balance - owed;
        require(linkToken.transfer(recipient, amount < free ? amount : free), "insufficient funds");
    }

    function _payOracles() internal {
        address[] memory all = transmitterList;
        for (uint256 i = 0; i < all.length; ++i) {
            _pay(all[i]);
        }
    }

    /// Counts one observation for each listed oracle; a full counter stays full.
    function _countObservations(bytes memory observers) internal {
        for (uint256 i = 0; i < observers.length; ++i) {
            uint256 index = uint8(observers[i]);
            uint16 count = observationCounts[index];
            if (count != type(uint16).max) observationCounts[index] = count + 1;
        }
    }

    /// Credits the sender's transmission and gas. The seat is read again: a validator may have changed the oracles.
    function _creditTransmission(uint256 initialGas) internal {
        Seat memory seat = seats[msg.sender];
        require(seat.role == Role.Transmitter, "sent by undesignated transmitter");
        Rates memory r = rates;
        uint256 price = tx.gasprice / 1 gwei;
        if (price < r.reasonableGasPrice) price += (r.reasonableGasPrice - price) / 2;
        if (price > r.maximumGasPrice) price = r.maximumGasPrice;
        uint256 gasLeft = gasleft();
        require(initialGas >= gasLeft, "gasLeft cannot exceed initialGas");
        uint256 gasUsed = initialGas - gasLeft + GAS_PER_CALLDATA_BYTE * msg.data.length + ACCOUNTING_GAS;
        uint256 juels = gasUsed * price * 1 gwei * r.microLinkPerEth / 1e6;
        transmissionJuels[seat.index] += juels + uint256(r.linkGweiPerTransmission) * 1 gwei;
    }

    function _pay(address transmitter) private {
        uint256 juels = owedPayment(transmitter);
        if (juels == 0) return;
        uint256 index = seats[transmitter].index;
        observationCounts[index] = 0;
        transmissionJuels[index] = 0;
        address payee = payees[transmitter];
        require(linkToken.transfer(payee, juels), "insufficient funds");
        emit OraclePaid(transmitter, payee, juels, address(linkToken));
    }

    function _owed(uint256 index) private view returns (uint256 juels) {
        return uint256(observationCounts[index]) * rates.linkGweiPerObservation * 1 gwei + transmissionJuels[index];
    }

    function _totalOwed() private view returns (uint256 juels) {
        uint256 n = transmitterList.length;
        for (uint256 i = 0; i < n; ++i) {
            juels += _owed(i);
        }
    }

    function _setRates(Rates memory r) private {
        rates = r;
        emit BillingSet(
            r.maximumGasPrice,
            r.reasonableGasPrice,
            r.microLinkPerEth,
            r.linkGweiPerObservation,
            r.linkGweiPerTransmission
        );
    }

    function _setBillingAccessController(address controller) private {
        address old = address(billingAccessController);
        if (old == controller) return;
        billingAccessController = IAccessController(controller);
        emit BillingAccessControllerSet(old, controller);
    }
}
