package wire

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"strconv"
	"strings"
)

// Hello is the client's first words: the range of versions it offers, and
// connect options. Section 1.2.
type Hello struct {
	Min, Max int
	// Options follow the range after a blank. The only one known is "+PACEAPI",
	// which is obsolete. Default none.
	Options string
}

var (
	// ErrBadHello means that a client did not open with API, NUL and a range of
	// versions. A gateway resets such a connection.
	ErrBadHello = errors.New("wire: malformed client hello")
	// ErrIncomplete means that the bytes so far are a good beginning.
	ErrIncomplete = errors.New("wire: more bytes needed")
	// ErrNotHello means a frame before the server's hello that is not a version
	// and a time. Skip it: official clients do.
	ErrNotHello = errors.New("wire: not a server hello")
)

const (
	helloPrefix = "API\x00"
	// maxHello bounds the frame after the prefix; a real one is under 30 bytes.
	maxHello = 512
)

// Append appends the hello as it goes to the socket, prefix and frame. Send it
// with one write.
func (h Hello) Append(dst []byte) ([]byte, error) {
	if h.Min < 1 || h.Max < h.Min {
		return dst, fmt.Errorf("wire: hello range %d..%d: %w", h.Min, h.Max, ErrBadHello)
	}
	if !printable(h.Options) || len(h.Options) > maxHello/2 {
		return dst, fmt.Errorf("wire: hello options %.60q: %w", h.Options, ErrText)
	}
	dst = append(dst, helloPrefix...)
	dst, mark := BeginFrame(dst)
	dst = append(dst, 'v')
	dst = strconv.AppendInt(dst, int64(h.Min), 10)
	dst = append(dst, ".."...)
	dst = strconv.AppendInt(dst, int64(h.Max), 10)
	if h.Options != "" {
		dst = append(dst, ' ')
		dst = append(dst, h.Options...)
	}
	return EndFrame(dst, mark)
}

// ParseHello reads a client's hello from the beginning of b, which may hold
// only a part of it, and returns how many bytes it took. The error is
// [ErrIncomplete] until the hello is whole and wraps [ErrBadHello] as soon as
// it cannot become one.
func ParseHello(b []byte) (h Hello, n int, err error) {
	seen := min(len(b), len(helloPrefix))
	if string(b[:seen]) != helloPrefix[:seen] {
		return h, 0, fmt.Errorf("%w: begins with %q, not with API and a NUL", ErrBadHello, b[:seen])
	}
	if len(b) < len(helloPrefix)+headerLen {
		return h, 0, ErrIncomplete
	}
	body := b[len(helloPrefix)+headerLen:]
	size := binary.BigEndian.Uint32(b[len(helloPrefix):])
	if size == 0 || size > maxHello {
		return h, 0, fmt.Errorf("%w: %d bytes of versions, want 1 to %d", ErrBadHello, size, maxHello)
	}
	if len(body) < int(size) {
		return h, 0, ErrIncomplete
	}
	if h, err = parseRange(string(body[:size])); err != nil {
		return Hello{}, 0, err
	}
	return h, len(helloPrefix) + headerLen + int(size), nil
}

// parseRange reads "v100..200", "v200" and either with options.
func parseRange(s string) (h Hello, err error) {
	bad := fmt.Errorf("%w: versions %.60q", ErrBadHello, s)
	s = strings.TrimSuffix(s, "\x00") // some clients end it like a field
	versions, options, _ := strings.Cut(s, " ")
	versions, ok := strings.CutPrefix(versions, "v")
	if !ok || !printable(options) {
		return h, bad
	}
	low, high, ranged := strings.Cut(versions, "..")
	if !ranged {
		high = low
	}
	from, ok1 := parseID([]byte(low))
	to, ok2 := parseID([]byte(high))
	if !ok1 || !ok2 || from < 1 || to < from {
		return h, bad
	}
	return Hello{from, to, options}, nil
}

// ServerHello is the server's answer to a hello: the version agreed on and its
// time. It has no message id. Section 1.3.
type ServerHello struct {
	// Version is the version for the rest of the connection. A negative one
	// means a redirect, see [ServerHello.Redirect].
	Version int
	// Time is when the server saw the connection, such as
	// "20260405 23:49:26 CET". The zone may be anything, in any encoding: show
	// it, and do not depend on it. Bytes that are not UTF-8 are U+FFFD after
	// ParseServerHello, and are written as they are by Append.
	Time string
}

// Redirect returns where the server sends the client, as host or host:port.
func (h ServerHello) Redirect() (target string, ok bool) {
	return h.Time, h.Version < 0
}

// Append appends the payload, without the length prefix.
func (h ServerHello) Append(dst []byte) ([]byte, error) {
	if strings.IndexByte(h.Time, 0) >= 0 {
		return dst, fieldError("server hello", "time", []byte(h.Time), ErrText)
	}
	dst = strconv.AppendInt(dst, int64(h.Version), 10)
	dst = append(dst, 0)
	dst = append(dst, h.Time...)
	return append(dst, 0), nil
}

// ParseServerHello reads the payload of a server's hello. The error wraps
// [ErrNotHello] when the frame is anything but an integer and a text: then the
// next frame may be it.
func ParseServerHello(payload []byte) (ServerHello, error) {
	version, rest, ok1 := bytes.Cut(payload, []byte{0})
	text, rest, ok2 := bytes.Cut(rest, []byte{0})
	n, ok := parseInt(version)
	if !ok1 || !ok2 || !ok || len(rest) > 0 || len(version) > 9 {
		return ServerHello{}, fmt.Errorf("%w: %.60q", ErrNotHello, payload)
	}
	return ServerHello{int(n), strings.ToValidUTF8(string(text), "\uFFFD")}, nil
}

// StartAPI begins the session under a client id. Nothing may be sent between
// it and both [ManagedAccts] and [NextValidID]. Section 1.4.
type StartAPI struct {
	ClientID     int
	Capabilities string // default none
}

// ID implements [Message].
func (StartAPI) ID() int { return IDStartAPI }

// Append implements [Message].
func (m StartAPI) Append(dst []byte, v Version) ([]byte, error) {
	w := clientMessage(dst, v, "startApi", IDStartAPI)
	w.int(2)
	w.int(m.ClientID)
	w.str("capabilities", m.Capabilities)
	return w.finish()
}

func (m *StartAPI) read(r *reader) {
	r.skip("version")
	m.ClientID = r.int("clientId")
	m.Capabilities = r.str("capabilities")
}

// ManagedAccts tells which accounts the login may use.
type ManagedAccts struct {
	// List is the venue's comma-separated list, see [ManagedAccts.Accounts].
	List string
}

// Accounts splits the list and drops what is empty. No account at all means
// that the login is not finished: the accounts are unknown, ask again.
func (m ManagedAccts) Accounts() []string {
	var accounts []string
	for a := range strings.SplitSeq(m.List, ",") {
		if a = strings.TrimSpace(a); a != "" {
			accounts = append(accounts, a)
		}
	}
	return accounts
}

// ID implements [Message].
func (ManagedAccts) ID() int { return IDManagedAccts }

// Append implements [Message].
func (m ManagedAccts) Append(dst []byte, v Version) ([]byte, error) {
	w := serverMessage(dst, v, "managedAccts", IDManagedAccts)
	w.int(1)
	w.str("accountsList", m.List)
	return w.finish()
}

func (m *ManagedAccts) read(r *reader) {
	r.skip("version")
	m.List = r.str("accountsList")
}

// ReqManagedAccts asks for [ManagedAccts] again.
type ReqManagedAccts struct{}

// ID implements [Message].
func (ReqManagedAccts) ID() int { return IDReqManagedAccts }

// Append implements [Message].
func (ReqManagedAccts) Append(dst []byte, v Version) ([]byte, error) {
	return plainRequest(dst, v, "reqManagedAccts", IDReqManagedAccts)
}

func (*ReqManagedAccts) read(r *reader) { r.skip("version") }

// plainRequest is a client's message that says no more than its id.
func plainRequest(dst []byte, v Version, name string, id int) ([]byte, error) {
	w := clientMessage(dst, v, name, id)
	w.int(1)
	return w.finish()
}

// NextValidID tells the least order id that the client may use next. It comes
// unasked after [StartAPI], and as the answer to [ReqIDs].
type NextValidID struct{ OrderID int64 }

// ID implements [Message].
func (NextValidID) ID() int { return IDNextValidID }

// Append implements [Message].
func (m NextValidID) Append(dst []byte, v Version) ([]byte, error) {
	w := serverMessage(dst, v, "nextValidId", IDNextValidID)
	w.int(1)
	w.int64(m.OrderID)
	return w.finish()
}

func (m *NextValidID) read(r *reader) {
	r.skip("version")
	m.OrderID = r.int64("orderId")
}

// ReqIDs asks for [NextValidID].
type ReqIDs struct {
	Num int // ignored by the server; send 1
}

// ID implements [Message].
func (ReqIDs) ID() int { return IDReqIDs }

// Append implements [Message].
func (m ReqIDs) Append(dst []byte, v Version) ([]byte, error) {
	w := clientMessage(dst, v, "reqIds", IDReqIDs)
	w.int(1)
	w.int(m.Num)
	return w.finish()
}

func (m *ReqIDs) read(r *reader) {
	r.skip("version")
	m.Num = r.int("numIds")
}

// ReqCurrentTime asks for [CurrentTime]. Of two within one second the second
// gets no answer (ib_insync #604).
type ReqCurrentTime struct{}

// ID implements [Message].
func (ReqCurrentTime) ID() int { return IDReqCurrentTime }

// Append implements [Message].
func (ReqCurrentTime) Append(dst []byte, v Version) ([]byte, error) {
	return plainRequest(dst, v, "reqCurrentTime", IDReqCurrentTime)
}

func (*ReqCurrentTime) read(r *reader) { r.skip("version") }

// CurrentTime is the server's time.
type CurrentTime struct{ Epoch int64 } // seconds since 1970

// ID implements [Message].
func (CurrentTime) ID() int { return IDCurrentTime }

// Append implements [Message].
func (m CurrentTime) Append(dst []byte, v Version) ([]byte, error) {
	w := serverMessage(dst, v, "currentTime", IDCurrentTime)
	w.int(1)
	w.int64(m.Epoch)
	return w.finish()
}

func (m *CurrentTime) read(r *reader) {
	r.skip("version")
	m.Epoch = r.int64("epochSeconds")
}

// ReqTimeInMillis asks for [TimeInMillis]; since version 197. Its payload is
// its id and nothing else.
type ReqTimeInMillis struct{}

// ID implements [Message].
func (ReqTimeInMillis) ID() int { return IDReqTimeInMillis }

// Append implements [Message].
func (ReqTimeInMillis) Append(dst []byte, v Version) ([]byte, error) {
	w := clientMessage(dst, v, "reqCurrentTimeInMillis", IDReqTimeInMillis)
	w.since(verTimeInMillis)
	return w.finish()
}

func (*ReqTimeInMillis) read(r *reader) { r.since(verTimeInMillis) }

// TimeInMillis is the server's time; since version 197.
type TimeInMillis struct{ Epoch int64 } // milliseconds since 1970

// ID implements [Message].
func (TimeInMillis) ID() int { return IDTimeInMillis }

// Append implements [Message].
func (m TimeInMillis) Append(dst []byte, v Version) ([]byte, error) {
	w := serverMessage(dst, v, "currentTimeInMillis", IDTimeInMillis)
	w.since(verTimeInMillis)
	w.int64(m.Epoch)
	return w.finish()
}

func (m *TimeInMillis) read(r *reader) {
	r.since(verTimeInMillis)
	m.Epoch = r.int64("epochMillis")
}

// ErrMsg carries errors, warnings and news alike. Section 8 lists the codes.
type ErrMsg struct {
	// RequestID is the request or order it is about. -1 and 2147483647 both
	// mean none, see [ErrMsg.About].
	RequestID int64
	Code      int
	Text      string
	Reject    string // advancedOrderRejectJson, usually empty
	Time      int64  // milliseconds since 1970; since version 194, 0 = not told
}

// About returns the request or order the message is about; ok is false when it
// is about none.
func (m ErrMsg) About() (id int64, ok bool) {
	return m.RequestID, m.RequestID != -1 && m.RequestID != 2147483647
}

// ID implements [Message].
func (ErrMsg) ID() int { return IDErrMsg }

// Append implements [Message].
func (m ErrMsg) Append(dst []byte, v Version) ([]byte, error) {
	w := serverMessage(dst, v, "errMsg", IDErrMsg)
	if v < verErrorTime {
		w.int(2)
	}
	w.int64(m.RequestID)
	w.int(m.Code)
	w.text("text", m.Text)
	w.text("advancedOrderRejectJson", m.Reject)
	if v >= verErrorTime {
		w.int64(m.Time)
	}
	return w.finish()
}

func (m *ErrMsg) read(r *reader) {
	if r.v < verErrorTime {
		r.skip("version")
	}
	m.RequestID = r.int64("id")
	m.Code = r.int("code")
	m.Text = r.text("text")
	m.Reject = r.text("advancedOrderRejectJson")
	if r.v >= verErrorTime {
		m.Time = r.int64("errorTime")
	}
}

// SetServerLogLevel sets how much the server logs.
type SetServerLogLevel struct{ Level int } // 1 to 5

// ID implements [Message].
func (SetServerLogLevel) ID() int { return IDSetServerLogLevel }

// Append implements [Message].
func (m SetServerLogLevel) Append(dst []byte, v Version) ([]byte, error) {
	w := clientMessage(dst, v, "setServerLogLevel", IDSetServerLogLevel)
	w.int(1)
	w.int(m.Level)
	return w.finish()
}

func (m *SetServerLogLevel) read(r *reader) {
	r.skip("version")
	m.Level = r.int("level")
}
