package broker

import (
	"fmt"
	"regexp"
	"strings"
	"time"
)

// Frame is one message as it went over the wire, for whoever has to find out
// why a session broke. It carries account ids; String masks them.
type Frame struct {
	Out  bool      // from us to the venue
	At   time.Time // wall time
	Size int       // of the whole frame
	// Bytes are its first ones, at most 512. They may be anything.
	Bytes []byte
}

// String is the frame on one line, with its account ids masked: direction,
// time, fields parted by bars. Other bytes than printable ASCII are escaped.
func (f Frame) String() string {
	way := "in "
	if f.Out {
		way = "out"
	}
	var b strings.Builder
	fmt.Fprintf(&b, "%s %s %d bytes: ", way, f.At.UTC().Format("15:04:05.000000"), f.Size)
	for _, c := range f.Bytes {
		switch {
		case c == 0:
			b.WriteByte('|')
		case c < ' ' || c > '~':
			fmt.Fprintf(&b, `\x%02x`, c)
		default:
			b.WriteByte(c)
		}
	}
	if f.Size > len(f.Bytes) {
		b.WriteString("…")
	}
	return MaskAccounts(b.String())
}

// accountID is what an account of the venue looks like: live ones begin with U,
// paper ones with DU, those of advisors with F, I or DF.
var accountID = regexp.MustCompile(`(?:DU|DF|DI|U|F|I)[0-9]{5,}`)

// MaskAccounts replaces all but the first letters and the last two digits of
// what looks like an account id in text.
func MaskAccounts(text string) string {
	return accountID.ReplaceAllStringFunc(text, func(id string) string {
		letters := strings.IndexAny(id, "0123456789")
		return id[:letters] + strings.Repeat("*", len(id)-letters-2) + id[len(id)-2:]
	})
}
