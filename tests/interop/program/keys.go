package main

import (
	"crypto/ecdsa"
	"crypto/ed25519"

	"github.com/ethereum/go-ethereum/crypto"
	"github.com/smartcontractkit/libocr/offchainreporting/types"
	"golang.org/x/crypto/curve25519"
)

// keys is the types.PrivateKeys of an oracle.
type keys struct {
	signing  *ecdsa.PrivateKey
	offchain ed25519.PrivateKey
	config   secret
}

func newKeys(given settings) (keys, error) {
	signing, err := crypto.ToECDSA(given.Signing[:])
	return keys{signing, ed25519.NewKeyFromSeed(given.Offchain[:]), given.Config}, err
}

func (k keys) SignOnChain(message []byte) ([]byte, error) {
	return crypto.Sign(crypto.Keccak256(message), k.signing)
}

func (k keys) SignOffChain(message []byte) ([]byte, error) {
	return ed25519.Sign(k.offchain, message), nil
}

func (k keys) ConfigDiffieHellman(point *[32]byte) (*[32]byte, error) {
	shared, err := curve25519.X25519(k.config[:], point[:])
	if err != nil {
		return nil, err
	}
	return (*[32]byte)(shared), nil
}

func (k keys) PublicKeyAddressOnChain() types.OnChainSigningAddress {
	return types.OnChainSigningAddress(crypto.PubkeyToAddress(k.signing.PublicKey))
}

func (k keys) PublicKeyOffChain() types.OffchainPublicKey {
	return types.OffchainPublicKey(k.offchain.Public().(ed25519.PublicKey))
}

func (k keys) PublicKeyConfig() (public [32]byte) {
	curve25519.ScalarBaseMult(&public, (*[32]byte)(&k.config))
	return public
}
