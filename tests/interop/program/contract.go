package main

import (
	"context"
	"fmt"
	"math/big"
	"time"

	"github.com/ethereum/go-ethereum/accounts/abi/bind"
	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/crypto"
	"github.com/ethereum/go-ethereum/ethclient"
	"github.com/ethereum/go-ethereum/event"
	"github.com/smartcontractkit/libocr/gethwrappers/offchainaggregator"
	"github.com/smartcontractkit/libocr/offchainreporting/confighelper"
	"github.com/smartcontractkit/libocr/offchainreporting/types"
)

const transmitGas = 500_000

// chain is the aggregator contract as an oracle sees it: its types.ContractConfigTracker and
// types.ContractTransmitter.
type chain struct {
	client   *ethclient.Client
	contract *offchainaggregator.OffchainAggregator
	id       *big.Int
	account  *bind.TransactOpts // nil without a transmitter
}

func dial(ctx context.Context, url string, address common.Address, transmitter secret) (*chain, error) {
	client, err := ethclient.DialContext(ctx, url)
	if err != nil {
		return nil, err
	}
	contract, err := offchainaggregator.NewOffchainAggregator(address, client)
	if err != nil {
		return nil, err
	}
	id, err := client.ChainID(ctx)
	if err != nil || transmitter == (secret{}) {
		return &chain{client, contract, id, nil}, err
	}
	key, err := crypto.ToECDSA(transmitter[:])
	if err != nil {
		return nil, err
	}
	account, err := bind.NewKeyedTransactorWithChainID(key, id)
	return &chain{client, contract, id, account}, err
}

// subscription passes the contract's ConfigSet events on until it is closed or the chain is gone.
type subscription struct {
	configs chan types.ContractConfig
	watch   event.Subscription
}

func (s *subscription) Configs() <-chan types.ContractConfig { return s.configs }
func (s *subscription) Close()                               { s.watch.Unsubscribe() }

func (c *chain) SubscribeToNewConfigs(ctx context.Context) (types.ContractConfigSubscription, error) {
	events := make(chan *offchainaggregator.OffchainAggregatorConfigSet)
	watch, err := c.contract.WatchConfigSet(&bind.WatchOpts{Context: ctx}, events)
	if err != nil {
		return nil, err
	}
	s := &subscription{make(chan types.ContractConfig, 1), watch}
	go func() {
		defer close(s.configs)
		for {
			select {
			case set := <-events:
				select {
				case s.configs <- confighelper.ContractConfigFromConfigSetEvent(*set):
				default: // One that waits is enough: it only makes the oracle look at the contract.
				}
			case <-watch.Err():
				return
			}
		}
	}()
	return s, nil
}

func (c *chain) LatestConfigDetails(ctx context.Context) (uint64, types.ConfigDigest, error) {
	details, err := c.contract.LatestConfigDetails(&bind.CallOpts{Context: ctx})
	return uint64(details.BlockNumber), details.ConfigDigest, err
}

func (c *chain) ConfigFromLogs(ctx context.Context, block uint64) (types.ContractConfig, error) {
	found, err := c.contract.FilterConfigSet(&bind.FilterOpts{Start: block, End: &block, Context: ctx})
	if err != nil {
		return types.ContractConfig{}, err
	}
	defer func() { _ = found.Close() }()
	var last *offchainaggregator.OffchainAggregatorConfigSet
	for found.Next() {
		last = found.Event
	}
	if last == nil {
		return types.ContractConfig{}, fmt.Errorf("no ConfigSet in block %d: %w", block, found.Error())
	}
	return confighelper.ContractConfigFromConfigSetEvent(*last), nil
}

func (c *chain) LatestBlockHeight(ctx context.Context) (uint64, error) {
	return c.client.BlockNumber(ctx)
}

func (c *chain) Transmit(ctx context.Context, report []byte, rs, ss [][32]byte, vs [32]byte) error {
	account := *c.account
	account.Context, account.GasLimit = ctx, transmitGas
	_, err := c.contract.Transmit(&account, report, rs, ss, vs)
	return err
}

func (c *chain) LatestTransmissionDetails(
	ctx context.Context,
) (types.ConfigDigest, uint32, uint8, types.Observation, time.Time, error) {
	d, err := c.contract.LatestTransmissionDetails(&bind.CallOpts{Context: ctx})
	return d.ConfigDigest, d.Epoch, d.Round, d.LatestAnswer, time.Unix(int64(d.LatestTimestamp), 0), err
}

// LatestRoundRequested looks at the whole chain: those of tests are short.
func (c *chain) LatestRoundRequested(
	ctx context.Context, _ time.Duration,
) (digest types.ConfigDigest, epoch uint32, round uint8, err error) {
	found, err := c.contract.FilterRoundRequested(&bind.FilterOpts{Context: ctx}, nil)
	if err != nil {
		return digest, 0, 0, err
	}
	defer func() { _ = found.Close() }()
	for found.Next() {
		digest, epoch, round = found.Event.ConfigDigest, found.Event.Epoch, found.Event.Round
	}
	return digest, epoch, round, found.Error()
}

func (c *chain) FromAddress() common.Address { return c.account.From }
func (c *chain) ChainID() *big.Int           { return c.id }
