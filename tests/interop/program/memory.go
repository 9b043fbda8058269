package main

import (
	"context"
	"sync"
	"time"

	"github.com/smartcontractkit/libocr/offchainreporting/types"
)

// memory is the types.Database of one run, and its store of announcements.
type memory struct {
	mutex         sync.Mutex
	config        *types.ContractConfig
	states        map[types.ConfigDigest]types.PersistentState
	pending       map[types.ReportTimestamp]types.PendingTransmission
	announcements map[string][]byte
}

func newMemory() *memory {
	return &memory{
		states:        map[types.ConfigDigest]types.PersistentState{},
		pending:       map[types.ReportTimestamp]types.PendingTransmission{},
		announcements: map[string][]byte{},
	}
}

// locked runs one access at a time.
func (m *memory) locked(access func()) error {
	m.mutex.Lock()
	defer m.mutex.Unlock()
	access()
	return nil
}

func (m *memory) ReadState(_ context.Context, of types.ConfigDigest) (found *types.PersistentState, err error) {
	return found, m.locked(func() {
		if state, ok := m.states[of]; ok {
			found = &state
		}
	})
}

func (m *memory) WriteState(_ context.Context, of types.ConfigDigest, state types.PersistentState) error {
	return m.locked(func() { m.states[of] = state })
}

func (m *memory) ReadConfig(context.Context) (found *types.ContractConfig, err error) {
	return found, m.locked(func() { found = m.config })
}

func (m *memory) WriteConfig(_ context.Context, config types.ContractConfig) error {
	return m.locked(func() { m.config = &config })
}

func (m *memory) StorePendingTransmission(
	_ context.Context, at types.ReportTimestamp, pending types.PendingTransmission,
) error {
	return m.locked(func() { m.pending[at] = pending })
}

func (m *memory) PendingTransmissionsWithConfigDigest(
	_ context.Context, of types.ConfigDigest,
) (map[types.ReportTimestamp]types.PendingTransmission, error) {
	found := map[types.ReportTimestamp]types.PendingTransmission{}
	return found, m.locked(func() {
		for at, pending := range m.pending {
			if at.ConfigDigest == of {
				found[at] = pending
			}
		}
	})
}

func (m *memory) DeletePendingTransmission(_ context.Context, at types.ReportTimestamp) error {
	return m.locked(func() { delete(m.pending, at) })
}

func (m *memory) DeletePendingTransmissionsOlderThan(_ context.Context, limit time.Time) error {
	return m.locked(func() {
		for at, pending := range m.pending {
			if pending.Time.Before(limit) {
				delete(m.pending, at)
			}
		}
	})
}

func (m *memory) StoreAnnouncement(_ context.Context, peer string, announcement []byte) error {
	return m.locked(func() { m.announcements[peer] = announcement })
}

func (m *memory) ReadAnnouncements(_ context.Context, peers []string) (map[string][]byte, error) {
	found := map[string][]byte{}
	return found, m.locked(func() {
		for _, peer := range peers {
			if announcement, ok := m.announcements[peer]; ok {
				found[peer] = announcement
			}
		}
	})
}
