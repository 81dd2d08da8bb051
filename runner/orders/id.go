package orders

import (
	"crypto/sha256"
	"encoding/base32"
	"encoding/binary"
	"strings"
	"time"

	"robotrader/broker/market"
)

// idEncoding keeps the order of letters that an order reference may have.
var idEncoding = base32.NewEncoding("0123456789abcdefghjkmnpqrstvwxyz").WithPadding(base32.NoPadding)

// ID returns the id of the n-th intent, counted from 1, of a strategy at one
// market time: the symbol and the time for people, and behind it 45 bits of a
// hash over everything, which tell apart strategies, runs and counts. It has
// at most 40 characters, as order references demand.
func ID(run, strategy string, s market.Symbol, at time.Time, n int) string {
	h := sha256.New()
	for _, part := range []string{run, strategy, string(s)} {
		h.Write([]byte(part))
		h.Write([]byte{0})
	}
	var num [16]byte
	binary.BigEndian.PutUint64(num[:8], uint64(at.UnixNano()))
	binary.BigEndian.PutUint64(num[8:], uint64(n))
	h.Write(num[:])
	hash := idEncoding.EncodeToString(h.Sum(nil))[:9]
	name := strings.ReplaceAll(string(s), " ", ".")
	return name + "-" + at.UTC().Format("060102T150405.000") + "-" + hash
}
