package main

import (
	"context"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"math/big"
	"time"

	"github.com/ethereum/go-ethereum/common"
	"github.com/smartcontractkit/libocr/offchainreporting2/reportingplugin/median"
	"github.com/smartcontractkit/libocr/offchainreporting2plus/chains/evmutil"
	"github.com/smartcontractkit/libocr/offchainreporting2plus/confighelper"
	"github.com/smartcontractkit/libocr/offchainreporting2plus/types"
	"golang.org/x/crypto/curve25519"
)

// ocr2Oracle is an oracle of a configuration; config is its X25519 scalar.
type ocr2Oracle struct {
	Signer      common.Address `json:"signer"`
	Transmitter common.Address `json:"transmitter"`
	Offchain    secret         `json:"offchain"`
	Peer        string         `json:"peer"`
	Config      secret         `json:"config"`
}

// ocr2Settings is an OCR2 configuration in numbers; durations are nanoseconds.
type ocr2Settings struct {
	DeltaProgress  time.Duration  `json:"deltaProgress"`
	DeltaResend    time.Duration  `json:"deltaResend"`
	DeltaRound     time.Duration  `json:"deltaRound"`
	DeltaGrace     time.Duration  `json:"deltaGrace"`
	DeltaStage     time.Duration  `json:"deltaStage"`
	RMax           uint8          `json:"rMax"`
	S              []int          `json:"s"`
	ReportInfinite bool           `json:"alphaReportInfinite"`
	ReportPPB      uint64         `json:"alphaReportPPB"`
	AcceptInfinite bool           `json:"alphaAcceptInfinite"`
	AcceptPPB      uint64         `json:"alphaAcceptPPB"`
	DeltaC         time.Duration  `json:"deltaC"`
	Initialization *time.Duration `json:"maxDurationInitialization"`
	Query          time.Duration  `json:"maxDurationQuery"`
	Observation    time.Duration  `json:"maxDurationObservation"`
	Report         time.Duration  `json:"maxDurationReport"`
	Accept         time.Duration  `json:"maxDurationShouldAccept"`
	Transmit       time.Duration  `json:"maxDurationShouldTransmit"`
	F              int            `json:"f"`
	Min            string         `json:"min"`
	Max            string         `json:"max"`
	Oracles        []ocr2Oracle   `json:"oracles"`
}

// ocr2Event is what a ConfigSet event says, bytes in hexadecimal.
type ocr2Event struct {
	ChainID         uint64           `json:"chainId"`
	Contract        common.Address   `json:"contract"`
	Count           uint64           `json:"count"`
	Signers         []common.Address `json:"signers"`
	Transmitters    []common.Address `json:"transmitters"`
	F               uint8            `json:"f"`
	Onchain         string           `json:"onchain"`
	OffchainVersion uint64           `json:"offchainVersion"`
	Offchain        string           `json:"offchain"`
}

// ocr2Encode prints what the library makes of settings.
func ocr2Encode(in io.Reader, out io.Writer) error {
	var given ocr2Settings
	if err := json.NewDecoder(in).Decode(&given); err != nil {
		return err
	}
	oracles := make([]confighelper.OracleIdentityExtra, 0, len(given.Oracles))
	for _, oracle := range given.Oracles {
		var public [32]byte
		curve25519.ScalarBaseMult(&public, (*[32]byte)(&oracle.Config))
		identity := confighelper.OracleIdentity{
			OffchainPublicKey: types.OffchainPublicKey(oracle.Offchain),
			OnchainPublicKey:  oracle.Signer.Bytes(),
			PeerID:            oracle.Peer,
			TransmitAccount:   types.Account(oracle.Transmitter.String()),
		}
		oracles = append(oracles, confighelper.OracleIdentityExtra{
			OracleIdentity: identity, ConfigEncryptionPublicKey: public,
		})
	}
	least, ok := new(big.Int).SetString(given.Min, 10)
	highest, ok2 := new(big.Int).SetString(given.Max, 10)
	if !ok || !ok2 {
		return fmt.Errorf("min and max: not numbers")
	}
	onchain, err := median.StandardOnchainConfigCodec{}.Encode(
		context.Background(), median.OnchainConfig{Min: least, Max: highest})
	if err != nil {
		return err
	}
	plugin := median.OffchainConfig{
		AlphaReportInfinite: given.ReportInfinite,
		AlphaReportPPB:      given.ReportPPB,
		AlphaAcceptInfinite: given.AcceptInfinite,
		AlphaAcceptPPB:      given.AcceptPPB,
		DeltaC:              given.DeltaC,
	}
	signers, transmitters, f, onchain, version, offchain, err := confighelper.ContractSetConfigArgsForTests(
		given.DeltaProgress, given.DeltaResend, given.DeltaRound, given.DeltaGrace, given.DeltaStage, given.RMax,
		given.S, oracles, plugin.Encode(), given.Initialization, given.Query, given.Observation, given.Report,
		given.Accept, given.Transmit, given.F, onchain)
	if err != nil {
		return err
	}
	event := ocr2Event{F: f, Onchain: hex.EncodeToString(onchain), OffchainVersion: version,
		Offchain: hex.EncodeToString(offchain)}
	for i := range signers {
		event.Signers = append(event.Signers, common.BytesToAddress(signers[i]))
		event.Transmitters = append(event.Transmitters, common.HexToAddress(string(transmitters[i])))
	}
	return json.NewEncoder(out).Encode(event)
}

// ocr2Decode prints what the library reads of an event: whether nodes take it, its digest and its settings.
func ocr2Decode(in io.Reader, out io.Writer) error {
	var given ocr2Event
	if err := json.NewDecoder(in).Decode(&given); err != nil {
		return err
	}
	onchain, err := hex.DecodeString(given.Onchain)
	if err != nil {
		return err
	}
	offchain, err := hex.DecodeString(given.Offchain)
	if err != nil {
		return err
	}
	change := types.ContractConfig{ConfigCount: given.Count, F: given.F, OnchainConfig: onchain,
		OffchainConfigVersion: given.OffchainVersion, OffchainConfig: offchain}
	for i := range given.Signers {
		change.Signers = append(change.Signers, given.Signers[i].Bytes())
	}
	for i := range given.Transmitters {
		change.Transmitters = append(change.Transmitters, types.Account(given.Transmitters[i].String()))
	}
	digester := evmutil.EVMOffchainConfigDigester{ChainID: given.ChainID, ContractAddress: given.Contract}
	change.ConfigDigest, err = digester.ConfigDigest(context.Background(), change)
	if err != nil {
		return err
	}
	answer := map[string]any{"digest": change.ConfigDigest.Hex()}
	if err := ocr2Read(change, answer); err != nil {
		answer["error"] = err.Error()
	}
	return json.NewEncoder(out).Encode(answer)
}

func ocr2Read(change types.ContractConfig, answer map[string]any) error {
	public, err := confighelper.PublicConfigFromContractConfig(false, change)
	if err != nil {
		return err
	}
	plugin, err := median.DecodeOffchainConfig(public.ReportingPluginConfig)
	if err != nil {
		return err
	}
	limits, err := median.StandardOnchainConfigCodec{}.Decode(context.Background(), public.OnchainConfig)
	if err != nil {
		return err
	}
	read := ocr2Settings{public.DeltaProgress, public.DeltaResend, public.DeltaRound, public.DeltaGrace,
		public.DeltaStage, public.RMax, public.S, plugin.AlphaReportInfinite, plugin.AlphaReportPPB,
		plugin.AlphaAcceptInfinite, plugin.AlphaAcceptPPB, plugin.DeltaC, public.MaxDurationInitialization,
		public.MaxDurationQuery, public.MaxDurationObservation, public.MaxDurationReport,
		public.MaxDurationShouldAcceptFinalizedReport, public.MaxDurationShouldTransmitAcceptedReport, public.F,
		limits.Min.String(), limits.Max.String(), nil}
	for _, oracle := range public.OracleIdentities {
		read.Oracles = append(read.Oracles, ocr2Oracle{
			Signer: common.BytesToAddress(oracle.OnchainPublicKey), Transmitter: common.HexToAddress(
				string(oracle.TransmitAccount)), Offchain: secret(oracle.OffchainPublicKey), Peer: oracle.PeerID})
	}
	answer["settings"] = read
	return nil
}
