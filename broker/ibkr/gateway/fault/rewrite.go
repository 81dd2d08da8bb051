package fault

import (
	"bytes"
	"math/rand/v2"
	"slices"
	"strings"
)

// Rewrite returns the payload of a message with a [Truncate], [AddFields],
// [Change] or [GarbageInside] done to it. payload is not changed. A field that
// is not there leaves it as it was; the message id always stays.
func Rewrite(payload []byte, a Action, r *rand.Rand) []byte {
	switch a.Verb {
	case Truncate:
		fields := split(payload)
		return bytes.Join(fields[:max(1, len(fields)-a.N)], nil)
	case AddFields:
		return append(slices.Clone(payload), strings.Repeat("0\x00", a.N)...)
	case Change:
		fields := split(payload)
		if a.N <= len(fields) {
			fields[a.N-1] = append([]byte(a.Text), 0)
		}
		return bytes.Join(fields, nil)
	case GarbageInside:
		out := slices.Clone(payload)
		from := bytes.IndexByte(out, 0) + 1
		Noise(out[from:min(len(out), from+a.N)], r)
		return out
	}
	return payload
}

// split cuts a payload into its fields, each with its end.
func split(payload []byte) [][]byte {
	fields := bytes.SplitAfter(payload, []byte{0})
	if last := len(fields) - 1; len(fields[last]) == 0 && last > 0 {
		fields = fields[:last]
	}
	return fields
}

// Noise overwrites b.
func Noise(b []byte, r *rand.Rand) {
	for i := range b {
		b[i] = byte(r.Uint32())
	}
}

// Payload builds the payload of a [Frame].
func Payload(fields []string) []byte {
	var b []byte
	for _, f := range fields {
		b = append(append(b, f...), 0)
	}
	return b
}
