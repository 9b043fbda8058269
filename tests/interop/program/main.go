// Command interop runs one participant of an OCR1 network by libocr: what a Chainlink node contains, without the node.
//
//	interop bytecode     print the creation code of the aggregator contract, in hexadecimal
//	interop bytecode2    the same of the aggregator contract of OCR2
//	interop encode2      print what an OCR2 configuration (JSON on standard input) is on chain
//	interop decode2      print what an OCR2 configuration on chain (JSON on standard input) is to a node
//	interop oracle       take part as an oracle
//	interop bootstrap    let the oracles of the contract find each other
//
// The last two read their settings as JSON from standard input, tell what happens as JSON lines on standard output,
// and run until SIGTERM.
package main

import (
	"context"
	"crypto/ed25519"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/ethereum/go-ethereum/common"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/smartcontractkit/libocr/commontypes"
	aggregator "github.com/smartcontractkit/libocr/gethwrappers/accesscontrolledoffchainaggregator"
	aggregator2 "github.com/smartcontractkit/libocr/gethwrappers2/accesscontrolledocr2aggregator"
	"github.com/smartcontractkit/libocr/networking"
	"github.com/smartcontractkit/libocr/offchainreporting"
	"github.com/smartcontractkit/libocr/offchainreporting/types"
)

// secret is 32 bytes, in hexadecimal in the settings.
type secret [32]byte

func (s secret) MarshalText() ([]byte, error) { return []byte(hex.EncodeToString(s[:])), nil }

func (s *secret) UnmarshalText(text []byte) error {
	if n, err := hex.Decode(s[:], text); err != nil || n != len(s) {
		return fmt.Errorf("not %d bytes in hexadecimal", len(s))
	}
	return nil
}

type settings struct {
	RPC           string                            `json:"rpc"` // a WebSocket URL
	Contract      common.Address                    `json:"contract"`
	Listen        string                            `json:"listen"`
	Bootstrappers []commontypes.BootstrapperLocator `json:"bootstrappers"`
	Peer          secret                            `json:"peer"`
	// Of oracles only.
	Signing     secret `json:"signing"`
	Offchain    secret `json:"offchain"`
	Config      secret `json:"config"`
	Transmitter secret `json:"transmitter"`
	Value       int64  `json:"value"` // the first observation
}

// participant is an oracle or a bootstrapper.
type participant interface {
	Start() error
	Close() error
}

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "interop:", err)
		os.Exit(1)
	}
}

func run(arguments []string) error {
	if len(arguments) != 1 {
		return fmt.Errorf("give one command: bytecode, bytecode2, encode2, decode2, oracle or bootstrap")
	}
	command := arguments[0]
	switch command {
	case "bytecode":
		fmt.Println(aggregator.AccessControlledOffchainAggregatorMetaData.Bin)
		return nil
	case "bytecode2":
		fmt.Println(aggregator2.AccessControlledOCR2AggregatorMetaData.Bin)
		return nil
	case "encode2":
		return ocr2Encode(os.Stdin, os.Stdout)
	case "decode2":
		return ocr2Decode(os.Stdin, os.Stdout)
	}
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, syscall.SIGINT)
	defer stop()
	var given settings
	if err := json.NewDecoder(os.Stdin).Decode(&given); err != nil {
		return fmt.Errorf("settings: %w", err)
	}
	log := &journal{out: json.NewEncoder(os.Stdout)}
	member, err := join(ctx, command, given, log)
	if err != nil {
		return err
	}
	if err := member.Start(); err != nil {
		return err
	}
	log.tell("started", nil)
	<-ctx.Done()
	return member.Close()
}

func join(ctx context.Context, command string, given settings, log *journal) (participant, error) {
	chain, err := dial(ctx, given.RPC, given.Contract, given.Transmitter)
	if err != nil {
		return nil, fmt.Errorf("chain: %w", err)
	}
	store := newMemory()
	peer, err := networking.NewPeer(networking.PeerConfig{
		PrivKey:              ed25519.NewKeyFromSeed(given.Peer[:]),
		Logger:               log,
		V2ListenAddresses:    []string{given.Listen},
		V2DeltaReconcile:     time.Second,
		V2DeltaDial:          500 * time.Millisecond,
		V2DiscovererDatabase: store,
		V2EndpointConfig:     networking.EndpointConfigV2{IncomingMessageBufferSize: 10, OutgoingMessageBufferSize: 10},
		MetricsRegisterer:    prometheus.NewRegistry(),
	})
	if err != nil {
		return nil, fmt.Errorf("peer: %w", err)
	}
	// The smallest that a node accepts outside of its development mode.
	local := types.LocalConfig{
		BlockchainTimeout:                      3 * time.Second,
		ContractConfigConfirmations:            1,
		ContractConfigTrackerPollInterval:      15 * time.Second,
		ContractConfigTrackerSubscribeInterval: time.Minute,
		ContractTransmitterTransmitTimeout:     5 * time.Second,
		DatabaseTimeout:                        time.Second,
		DataSourceTimeout:                      time.Second,
		DataSourceGracePeriod:                  100 * time.Millisecond,
	}
	switch command {
	case "bootstrap":
		return offchainreporting.NewBootstrapNode(offchainreporting.BootstrapNodeArgs{
			BootstrapperFactory:   peer.OCR1BootstrapperFactory(),
			V2Bootstrappers:       given.Bootstrappers,
			ContractConfigTracker: chain,
			Database:              store,
			LocalConfig:           local,
			Logger:                log,
		})
	case "oracle":
		own, err := newKeys(given)
		if err != nil {
			return nil, fmt.Errorf("keys: %w", err)
		}
		return offchainreporting.NewOracle(offchainreporting.OracleArgs{
			BinaryNetworkEndpointFactory: peer.OCR1BinaryNetworkEndpointFactory(),
			V2Bootstrappers:              given.Bootstrappers,
			ContractTransmitter:          chain,
			ContractConfigTracker:        chain,
			Database:                     store,
			Datasource:                   &source{value: given.Value, log: log},
			LocalConfig:                  local,
			Logger:                       log,
			PrivateKeys:                  own,
		})
	}
	return nil, fmt.Errorf("%q is no command: give bytecode, bytecode2, encode2, decode2, oracle or bootstrap", command)
}
