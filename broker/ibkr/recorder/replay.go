package recorder

import (
	"bytes"
	"errors"
	"fmt"
	"reflect"

	"robotrader/broker/ibkr/wire"
)

// Hello is the client's first words as a message.
type Hello struct{ wire.Hello }

// ServerHello is the gateway's answer to them as a message.
type ServerHello struct{ wire.ServerHello }

// ID returns -1: it has no number.
func (Hello) ID() int { return -1 }

// ID returns -1: it has no number.
func (ServerHello) ID() int { return -1 }

// Append implements [wire.Message].
func (h Hello) Append(dst []byte, _ wire.Version) ([]byte, error) { return h.Hello.Append(dst) }

// Append implements [wire.Message].
func (h ServerHello) Append(dst []byte, _ wire.Version) ([]byte, error) {
	return h.ServerHello.Append(dst)
}

// Again says what becomes of a message that is decoded and encoded again.
type Again string

const (
	// SameBytes means that it is the frame that was recorded.
	SameBytes Again = "same bytes"
	// SameValues means another spelling that says the same: gateways write the
	// unset and numbers in more ways than one, and fields that we do not know.
	SameValues Again = "same values"
	// OtherValues means that it says something else.
	OtherValues Again = "other values"
	// NotEncoded means that our encoder refuses it, or that it was not decoded.
	NotEncoded Again = "not encoded"
)

// Outcome is what the decoder makes of one frame.
type Outcome struct {
	Message wire.Message // nil with an error
	Err     error
	// Known is false for a message whose number the decoder does not know.
	Known bool
	// Leftover means fields behind the last one known: a newer gateway's.
	Leftover bool
	Again    Again
}

// Replay gives every frame of src to the decoder of its direction and version,
// oldest first, and calls do with what came of it; marks are passed over. It
// ends with src, or with an error of src or do.
func Replay(src Source, do func(Record, Outcome) error) error {
	return Select(src, Filter{}, 0, func(r Record) error {
		if !r.Kind.Frame() {
			return nil
		}
		return do(r, Judge(r))
	})
}

// Decode decodes one frame.
func Decode(r Record) (wire.Message, error) {
	switch {
	case !r.Kind.Frame():
		return nil, fmt.Errorf("recorder: %s is a mark and no frame", r.Kind)
	case r.Version == 0 && r.Kind == Out:
		h, n, err := wire.ParseHello(r.Payload)
		if err == nil && n != len(r.Payload) {
			err = fmt.Errorf("recorder: %d bytes behind the hello", len(r.Payload)-n)
		}
		if err != nil {
			return nil, err
		}
		return Hello{h}, nil
	case r.Version == 0:
		h, err := wire.ParseServerHello(r.Payload)
		if err != nil {
			return nil, err
		}
		return ServerHello{h}, nil
	case r.Kind == Out:
		return wire.DecodeClient(r.Version, r.Payload)
	}
	return wire.DecodeServer(r.Version, r.Payload)
}

// Judge decodes one frame, encodes it again and compares.
func Judge(r Record) Outcome {
	m, err := Decode(r)
	if err != nil {
		return Outcome{Err: err, Again: NotEncoded}
	}
	_, unknown := m.(wire.Unknown)
	return Outcome{Message: m, Known: !unknown, Leftover: leftover(r), Again: again(r, m)}
}

func leftover(r Record) bool {
	if r.Version == 0 {
		return false
	}
	strict := wire.DecodeServerStrict
	if r.Kind == Out {
		strict = wire.DecodeClientStrict
	}
	_, err := strict(r.Version, r.Payload)
	return errors.Is(err, wire.ErrLeftover)
}

func again(r Record, m wire.Message) Again {
	b, err := m.Append(nil, r.Version)
	if err != nil {
		return NotEncoded
	}
	if bytes.Equal(b, r.Payload) {
		return SameBytes
	}
	r.Payload = b
	if back, err := Decode(r); err != nil || !reflect.DeepEqual(m, back) {
		return OtherValues
	}
	return SameValues
}
