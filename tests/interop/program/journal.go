package main

import (
	"context"
	"encoding/json"
	"fmt"
	"math/big"
	"sync"
	"time"

	"github.com/smartcontractkit/libocr/commontypes"
	"github.com/smartcontractkit/libocr/offchainreporting/types"
)

// attested is what the library says when a report with its signatures reaches the transmission protocol.
const attested = "Received transmit event"

// journal writes JSON lines: what the library logs, and the moments of rounds.
type journal struct {
	mutex sync.Mutex
	out   *json.Encoder
}

type line struct {
	AtNs   int64             `json:"at_ns"`
	Level  string            `json:"level"`
	Said   string            `json:"said"`
	Fields map[string]string `json:"fields,omitempty"`
}

func (j *journal) write(level, said string, fields commontypes.LogFields) {
	l := line{time.Now().UnixNano(), level, said, make(map[string]string, len(fields))}
	for name, value := range fields {
		l.Fields[name] = fmt.Sprintf("%+v", value)
	}
	j.mutex.Lock()
	defer j.mutex.Unlock()
	// Nobody is left to tell when the reader is gone.
	_ = j.out.Encode(l)
}

// tell notes a moment.
func (j *journal) tell(moment string, fields commontypes.LogFields) {
	j.write("moment", moment, fields)
}

func (j *journal) Trace(string, commontypes.LogFields) {}

// Debug keeps nothing but the end of a round; the rest would cost more than the round.
func (j *journal) Debug(said string, fields commontypes.LogFields) {
	if said == attested {
		j.tell("attested", fields)
	}
}

func (j *journal) Info(said string, fields commontypes.LogFields)  { j.write("info", said, fields) }
func (j *journal) Warn(said string, fields commontypes.LogFields)  { j.write("warn", said, fields) }
func (j *journal) Error(said string, fields commontypes.LogFields) { j.write("error", said, fields) }
func (j *journal) Critical(said string, fields commontypes.LogFields) {
	j.write("critical", said, fields)
}

// source observes a price that rises with each round.
type source struct {
	mutex sync.Mutex
	value int64
	log   *journal
}

func (s *source) Observe(_ context.Context, at types.ReportTimestamp) (types.Observation, error) {
	s.log.tell("observe", commontypes.LogFields{"epoch": at.Epoch, "round": at.Round})
	s.mutex.Lock()
	defer s.mutex.Unlock()
	s.value += 1_000_000
	return big.NewInt(s.value), nil
}
