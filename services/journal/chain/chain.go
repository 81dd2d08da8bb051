// Package chain says whether stored rows are what was stored: a check sum for
// each row, one chain of hashes through all of them, and the witness, a small
// text that holds how far the chain came.
//
// It is pure: bytes in, values out. A check sum (CRC-32C) finds every flip of
// up to three bits of a row; the chain finds a row that is missing, doubled,
// moved or replaced; the witness finds a missing end. All are against accident
// and carelessness: there is no secret in them, so whoever wants to forge a
// journal can.
package chain

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"hash/crc32"
	"strconv"
	"strings"
)

// Hash stands for a row and all rows before it: the first 16 bytes of SHA-256.
type Hash [16]byte

// Append adds the canonical form of values to b: a letter for the type, the
// length where it varies, the bytes. Two different lists never have the same
// form. It refuses types that the store would not give back as they are.
func Append(b []byte, values ...any) ([]byte, error) {
	for _, v := range values {
		switch v := v.(type) {
		case nil:
			b = append(b, 'n')
		case int64:
			b = binary.BigEndian.AppendUint64(append(b, 'i'), uint64(v)) //nolint:gosec // the bits, whatever the sign
		case int:
			b = binary.BigEndian.AppendUint64(append(b, 'i'), uint64(v)) //nolint:gosec // as above
		case bool: // the store has 0 and 1
			var bit uint64
			if v {
				bit = 1
			}
			b = binary.BigEndian.AppendUint64(append(b, 'i'), bit)
		case string:
			b = binary.BigEndian.AppendUint64(append(b, 't'), uint64(len(v)))
			b = append(b, v...)
		case []byte:
			b = binary.BigEndian.AppendUint64(append(b, 'b'), uint64(len(v)))
			b = append(b, v...)
		default:
			return nil, fmt.Errorf("chain: a value of type %T has no canonical form", v)
		}
	}
	return b, nil
}

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// Sum is the check sum of a row in canonical form.
func Sum(row []byte) int64 { return int64(crc32.Checksum(row, castagnoli)) }

// Next is the hash of a row in canonical form that follows the row of prev.
// The first row follows the zero hash.
func Next(prev Hash, row []byte) Hash {
	h := sha256.New()
	h.Write(prev[:])
	h.Write(row)
	var sum [sha256.Size]byte
	return Hash(h.Sum(sum[:0])[:len(Hash{})])
}

// Witness tells how far a chain came.
type Witness struct {
	Count int64 // rows
	Hash  Hash  // of the last one
	Note  string
}

const witnessName = "journal-witness-1"

// Text is the witness as its file holds it: one line with a check sum of its
// own.
func (w Witness) Text() string {
	s := fmt.Sprintf("%s %d %x %q", witnessName, w.Count, w.Hash, w.Note)
	return fmt.Sprintf("%s %08x\n", s, Sum([]byte(s)))
}

// ParseWitness reads what Text wrote, and nothing else.
func ParseWitness(text string) (w Witness, err error) {
	bad := func(what string) (Witness, error) {
		return Witness{}, fmt.Errorf("chain: witness %.120q: %s", text, what)
	}
	line, ended := strings.CutSuffix(text, "\n")
	end := strings.LastIndexByte(line, ' ')
	if !ended || end < 0 {
		return bad("it is cut short")
	}
	if line[end+1:] != fmt.Sprintf("%08x", Sum([]byte(line[:end]))) {
		return bad("its check sum is wrong")
	}
	fields := strings.SplitN(line[:end], " ", 4)
	if len(fields) != 4 || fields[0] != witnessName {
		return bad("it is of another version")
	}
	if w.Count, err = strconv.ParseInt(fields[1], 10, 64); err != nil {
		return bad("its count is no number")
	}
	hash, err := hex.DecodeString(fields[2])
	if err != nil || len(hash) != len(w.Hash) {
		return bad("its hash is no hash")
	}
	w.Hash = Hash(hash)
	if w.Note, err = strconv.Unquote(fields[3]); err != nil {
		return bad("its note is not quoted")
	}
	return w, nil
}
