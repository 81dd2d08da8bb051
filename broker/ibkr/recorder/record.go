package recorder

import (
	"bytes"
	"encoding/binary"
	"hash/crc32"
	"strconv"
	"strings"
	"time"

	"robotrader/broker/ibkr/wire"
)

// Kind says what a record is.
type Kind uint8

// The kinds. They are on disk: the numbers never change.
const (
	// In is a frame from the gateway, and Out one to it.
	In  Kind = 1
	Out Kind = 2
	// Begun means that a connection was made. The payload is gateway and client
	// id, each ended by a NUL.
	Begun Kind = 3
	// Ended means that a session is over; the payload says why.
	Ended Kind = 4
	// Gap means that frames are missing here. The payload is their count, and
	// why, each ended by a NUL; the time is that of the first one.
	Gap Kind = 5
	// carried stands at the head of a segment for each session that is open: as
	// Begun, with its accounts behind.
	carried Kind = 6
)

var kindNames = [...]string{In: "in", Out: "out", Begun: "begun", Ended: "ended", Gap: "gap", carried: "carried"}

// String returns a word, such as "in".
func (k Kind) String() string {
	if k.known() {
		return kindNames[k]
	}
	return "kind " + strconv.Itoa(int(k))
}

func (k Kind) known() bool { return k >= In && k <= carried }

// Frame reports whether the record is a frame; the other kinds are marks.
func (k Kind) Frame() bool { return k == In || k == Out }

// Record is one frame, or a mark between frames.
type Record struct {
	Kind Kind
	// Session counts the connections of one data folder from 1. A gap has 0: it
	// is of all.
	Session uint64
	At      time.Time // wall time, to the nanosecond
	// Version is what both sides agreed on, 0 before that; it chooses the layout.
	Version wire.Version
	// Payload is the frame without its length prefix. The client's hello, which
	// is no frame, is whole.
	Payload []byte
}

// ID returns the message id of a frame; the hellos and marks have none.
func (r Record) ID() (id int, ok bool) {
	if !r.Kind.Frame() || r.Version == 0 {
		return 0, false
	}
	return wire.PeekID(r.Payload)
}

// Name returns the message's name, "hello" and "serverHello" for the first
// words, and the kind's word for a mark.
func (r Record) Name() string {
	switch id, ok := r.ID(); {
	case !r.Kind.Frame():
		return r.Kind.String()
	case r.Version == 0 && r.Kind == Out:
		return "hello"
	case r.Version == 0:
		return "serverHello"
	case !ok:
		return "garbage"
	case r.Kind == Out:
		return wire.ClientName(id)
	default:
		return wire.Name(id)
	}
}

// Fields returns the payload's fields as they stand on the wire.
func (r Record) Fields() []string {
	return strings.Split(strings.TrimSuffix(string(r.Payload), "\x00"), "\x00")
}

// accounts returns the account ids that the record names as such.
func (r Record) accounts() []string {
	switch {
	case r.Kind == carried:
		if f := r.Fields(); len(f) > 2 {
			return strings.Split(f[2], ",")
		}
	case r.Kind == In && namesAccounts(r.Payload):
		if m, err := wire.DecodeServer(r.Version, r.Payload); err == nil {
			if list, ok := m.(wire.ManagedAccts); ok {
				return list.Accounts()
			}
		}
	}
	return nil
}

// accountsHead begins every list of the managed accounts: message 15.
var accountsHead = []byte("15\x00")

func namesAccounts(payload []byte) bool { return bytes.HasPrefix(payload, accountsHead) }

// A segment begins with magic and the number of the newest session before it.
// A record is the length of its body, the body's CRC-32C, and the body: kind,
// version (2 bytes), session (8), Unix nanoseconds (8), payload. Numbers are
// big-endian.
const (
	magic      = "RTFRAME1"
	headLen    = len(magic) + 8
	prefixLen  = 8
	bodyMin    = 1 + 2 + 8 + 8
	recordMin  = prefixLen + bodyMin
	maxPayload = wire.MaxFrame + 64 // the client's hello has a few bytes more than a frame
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

func appendHead(b []byte, lastSession uint64) []byte {
	return binary.BigEndian.AppendUint64(append(b, magic...), lastSession)
}

// appendUnsealed appends a record without its checksum: see seal.
func appendUnsealed[P []byte | string](b []byte, kind Kind, session uint64, at time.Time, v wire.Version, payload P) []byte {
	b = binary.BigEndian.AppendUint32(b, uint32(bodyMin+len(payload)))
	b = append(b, 0, 0, 0, 0, byte(kind))
	b = binary.BigEndian.AppendUint16(b, uint16(v))
	b = binary.BigEndian.AppendUint64(b, session)
	b = binary.BigEndian.AppendUint64(b, uint64(at.UnixNano()))
	return append(b, payload...)
}

// seal writes the checksum of the record at the beginning of b and returns the
// record's length.
func seal(b []byte) int {
	n := recordLen(b)
	binary.BigEndian.PutUint32(b[4:], crc32.Checksum(b[prefixLen:n], castagnoli))
	return n
}

// recordLen returns the length of our own record at the beginning of b.
func recordLen(b []byte) int { return prefixLen + int(binary.BigEndian.Uint32(b)) }

// countFrames counts the frames in our own records.
func countFrames(b []byte) (n uint64) {
	for ; len(b) > 0; b = b[recordLen(b):] {
		if Kind(b[prefixLen]).Frame() {
			n++
		}
	}
	return n
}

// fault says what is wrong with the record at the beginning of some bytes.
type fault string

const (
	whole    fault = ""
	cutOff   fault = "the end is cut off, or still being written"
	badSize  fault = "the length is none"
	badSum   fault = "the checksum does not fit"
	badShape fault = "the kind is not known"
)

// parseRecord reads the record at the beginning of b, which it shares. With
// badSum and badShape n is where the next record would begin.
func parseRecord(b []byte) (r Record, n int, why fault) {
	if len(b) < prefixLen {
		return r, 0, cutOff
	}
	size := uint64(binary.BigEndian.Uint32(b))
	if size < bodyMin || size > bodyMin+maxPayload {
		return r, 0, badSize
	}
	if uint64(len(b)) < prefixLen+size {
		return r, 0, cutOff
	}
	n = prefixLen + int(size)
	body := b[prefixLen:n:n]
	if crc32.Checksum(body, castagnoli) != binary.BigEndian.Uint32(b[4:]) {
		return r, n, badSum
	}
	r = Record{
		Kind:    Kind(body[0]),
		Version: wire.Version(binary.BigEndian.Uint16(body[1:])),
		Session: binary.BigEndian.Uint64(body[3:]),
		At:      time.Unix(0, int64(binary.BigEndian.Uint64(body[11:]))).UTC(),
		Payload: body[bodyMin:],
	}
	if !r.Kind.known() {
		return r, n, badShape
	}
	return r, n, whole
}
