package orders

import (
	"crypto/sha256"
	"encoding/binary"
	"time"

	"robotrader/broker/market"
)

// idLetters stand for five bits each.
const idLetters = "0123456789abcdefghjkmnpqrstvwxyz"

// ID returns the id of the n-th intent, counted from 1, of a strategy at one
// market time: the symbol and the time for people, and behind it 45 bits of a
// hash over everything, which tell apart strategies, runs and counts. It has
// at most 40 characters, as order references demand.
//
// It is on the way from a tick to its order, so it writes into one buffer and
// uses no layout.
func ID(run, strategy string, s market.Symbol, at time.Time, n int) string {
	b := make([]byte, 0, 128)
	for _, part := range [...]string{run, strategy, string(s)} {
		b = append(append(b, part...), 0)
	}
	b = binary.BigEndian.AppendUint64(b, uint64(at.UnixNano()))
	b = binary.BigEndian.AppendUint64(b, uint64(n))
	hash := sha256.Sum256(b)
	b = b[:0]
	for i := range len(s) {
		c := s[i]
		if c == ' ' {
			c = '.'
		}
		b = append(b, c)
	}
	at = at.UTC()
	year, month, day := at.Date()
	hour, minute, second := at.Clock()
	b = appendDigits(append(b, '-'), year, 2)
	b = appendDigits(b, int(month), 2)
	b = appendDigits(b, day, 2)
	b = appendDigits(append(b, 'T'), hour, 2)
	b = appendDigits(b, minute, 2)
	b = appendDigits(b, second, 2)
	b = appendDigits(append(b, '.'), at.Nanosecond()/1e6, 3)
	b = append(b, '-')
	bits := binary.BigEndian.Uint64(hash[:])
	for range 9 {
		b = append(b, idLetters[bits>>59])
		bits <<= 5
	}
	return string(b)
}

// appendDigits appends the last digits of n, as many as width says.
func appendDigits(b []byte, n, width int) []byte {
	for range width {
		b = append(b, '0')
	}
	for i := len(b) - 1; width > 0; i, width = i-1, width-1 {
		b[i] = byte('0' + n%10)
		n /= 10
	}
	return b
}
