package fault

import "strings"

// Verb is what an [Action] does; the table of the language says it in words.
type Verb uint8

// The verbs.
const (
	Wedge Verb = iota + 1
	Silence
	StopReading
	DelayAll
	Drip
	Join
	SplitAll
	Reset
	Close
	HalfClose
	KeepID
	Garbage
	GarbageHello
	LongLength
	ZeroLength
	Frame
	FrameFirst
	ZoneTime
	Redirect
	AccountList
	NextID
	IDs
	Drop
	Duplicate
	Hold
	Truncate
	AddFields
	Change
	SplitIt
	ResetInside
	GarbageInside
	FillFirst
	FillLate
	Correct
	Bust
	Refuse
	Restart
	Freeze
	HalfDead
	Code
	Farm
	Halt
	IDsBack
	numVerbs
)

// need is what a verb asks of its trigger.
type need uint8

const (
	anything  need = iota
	handshake      // on a connection: before a byte of it was handled
	message        // on a message, from or to the client
	answer         // on a message to the client
	bytesOf        // on a message to the client, or the hello
	cancel         // on a cancelOrder from the client
	execution      // on an execDetails to the client
)

// needText completes "it goes with".
var needText = [...]string{
	handshake: `"on connection N" or "on every connection"`,
	message:   `a message, such as "on the 2nd orderStatus to client"`,
	answer:    `a message to the client, such as "on the 2nd orderStatus to client"`,
	bytesOf:   `a message to the client, such as "on the 2nd orderStatus to client"`,
	cancel:    `"on the 1st cancelOrder from client"`,
	execution: `"on the 1st execDetails to client"`,
}

// Word is one row of the language's table of actions.
type Word struct {
	Verb    Verb
	Pattern string // [a] may be left out, (a|b) is one of them, {name:kind} a value
	Says    string
	needs   need
	// lockstep is whether it may be used where market time moves only with the
	// client: what the client waits for must come in the end.
	lockstep bool
}

// Words returns the table of actions.
func Words() []Word { return words[:] }

var words = [...]Word{
	{Wedge, "wedge [for {for:duration}]", "On a connection: it is accepted and not answered. Elsewhere: all new connections are, and the old ones fall silent and are not read.", anything, true},
	{Silence, "silence [for {for:duration}]", "The session stays, and nothing is written to it; what waits comes afterwards.", anything, false},
	{StopReading, "stop reading [for {for:duration}]", "What the client sends stays in the socket, its close included.", anything, false},
	{DelayAll, "delay everything {wait:duration} [for {for:duration}]", "Each write waits that long.", anything, true},
	{Drip, "drip {n:count} (byte|bytes) every {wait:duration} [for {for:duration}]", "What is written comes in small pieces.", anything, true},
	{Join, "join {n:count} frames [within {wait:duration}]", "Frames are collected and written at once, after 1s at the latest unless said otherwise.", anything, false},
	{SplitAll, "split every frame at byte {n:count}", "Each frame is written in two parts, 20 ms apart.", anything, true},
	{Reset, "reset", "What waits is written, then the connection is reset (RST).", anything, true},
	{Close, "close", "What waits is written, then the session is closed (FIN).", anything, true},
	{HalfClose, "half close", "The gateway closes its sending side only, and goes on reading.", anything, false},
	{KeepID, "keep client id for {for:duration}", "The gateway does not notice the client's close for so long: the id stays taken.", anything, true},
	{Garbage, "garbage {n:count} (byte|bytes)", "Seeded bytes between two frames.", anything, true},
	{GarbageHello, "garbage {n:count} (byte|bytes) instead of hello", "Seeded bytes in place of the version reply.", handshake, true},
	{LongLength, "oversize length", "A length prefix of 16 MiB, which clients must take for a broken stream.", anything, true},
	{ZeroLength, "zero length", "A length prefix of 0.", anything, true},
	{Frame, "frame {text:text}", `A frame of the fields in the text, separated by |, such as "9999|1|x": an unknown id.`, anything, true},
	{FrameFirst, "frame {text:text} before hello", "The same, before the version reply, as news have been seen there.", handshake, true},
	{ZoneTime, "connection time (gbk|without zone|hex {text:hex}|{text:text})", `The connection time ends in a zone of GBK bytes, in none, or is what stands here.`, handshake, true},
	{Redirect, "redirect to {text:text}", "The version reply carries -1 and an address.", handshake, true},
	{AccountList, "account list (empty|missing|with trailing comma|{text:text})", "What managedAccts says, or that it does not come, in the handshake.", handshake, true},
	{NextID, "next id (missing|late by {wait:duration}|{n:id})", "What nextValidId says, or that it does not come, or late, in the handshake.", handshake, true},
	{IDs, "ids (reversed|late by {wait:duration})", "nextValidId before managedAccts; or both late.", handshake, true},
	{Drop, "drop it", "The message is lost.", message, true},
	{Duplicate, "duplicate it [after {wait:duration}]", "The message comes twice; the second time at once, or later.", message, true},
	{Hold, "delay it {wait:duration}", "The message comes later. One to the client is overtaken by others; one from the client holds up those behind it.", message, true},
	{Truncate, "truncate it by {n:count} (field|fields)", "Its last fields are missing.", answer, true},
	{AddFields, "add {n:count} (field|fields) to it", "It has more fields at its end than any version knows.", answer, true},
	{Change, "change field {n:count} of it to {text:text}", "Field 1 is the message id.", answer, true},
	{SplitIt, "split it at byte {n:count}", "It is written in two parts, 20 ms apart.", bytesOf, true},
	{ResetInside, "reset inside it at byte {n:count}", "So many bytes of its frame are written, then RST.", bytesOf, true},
	{GarbageInside, "garbage {n:count} (byte|bytes) inside it", "So many bytes after its id are overwritten, seeded; its length stays.", answer, true},
	{FillFirst, "fill it first", "The order that the client cancels fills before the cancel is seen: 10148.", cancel, true},
	{FillLate, "fill it late [by {wait:duration}]", "The client is told that the order is cancelled, then that it has filled.", cancel, true},
	{Correct, "correct it by {price:price} [after {wait:duration}]", "A second execution report follows, its id ending .02, with another price.", execution, true},
	{Bust, "bust it [after {wait:duration}]", "A second execution report follows, its id ending .02, for no shares.", execution, true},
	{Refuse, "refuse [for {for:duration}]", "The port is closed to new connections.", anything, true},
	{Restart, "restart down {for:duration} [with ids back by {n:count}]", "All sessions are reset, the port is closed so long (wall time), then it listens again.", anything, true},
	{Freeze, "freeze for {for:duration}", "Nothing is read, written or answered, and all sockets stay open, as after SIGSTOP.", anything, true},
	{HalfDead, "half dead [reversed] [for {for:duration}]", "Sessions are served and new handshakes hang; reversed: the other way round.", anything, false},
	{Code, "error {code:id} [{text:text}] [to client {client:id}]", "An errMsg about no request. Who is told 1100 or 2110 hears no market data until 1101 or 1102; 1101 forgets its subscriptions; 1300 closes.", anything, true},
	{Farm, "farm {farm:farm} (up|up without streams|idle|down [for {for:duration}])", "The farm's notices. Down, usfarm sends no market data and ushmds answers no history; without streams, subscriptions from before stay dead.", anything, true},
	{Halt, "halt {symbol:symbol} for {for:duration}", "No trades in the symbol (market time), told as tick 49.", anything, true},
	{IDsBack, "ids back by {n:count}", "The gateway forgets the newest order ids of all clients, as a bad restart does.", anything, true},
}

// whens are the triggers, in the same notation.
var whens = []struct {
	trigger Trigger
	pattern string
}{
	{AtStart, "at start"},
	{AtClock, "at {clock:clock}"},
	{AtDate, "at {date:date}"},
	{AfterStart, "after {wait:duration}"},
	{AfterOpen, "after {wait:duration} of (connection {connection:count}|every connection)"},
	{AfterReady, "after {wait:duration} of ready [of client {client:id}]"},
	{OnConnection, "on (connection {connection:count}|every connection)"},
	{OnMessage, "(on|after|with probability {chance:chance} (on|after)) (the {nth:ordinal}|every|every {every:ordinal}) ({message:request} from|{message:answer} to) client [of client {client:id}|of connection {connection:count}|of each connection]"},
	{OnMessage, "with probability {chance:chance} (on|after) ({message:request} from|{message:answer} to) client [of client {client:id}|of connection {connection:count}|of each connection]"},
	{OnByte, "on byte {byte:count} (from|to) client [of connection {connection:count}]"},
}

// limit is what may follow a trigger, after a comma.
type limit uint8

const (
	once limit = iota + 1
	times
	until
)

var limits = []struct {
	limit   limit
	pattern string
}{
	{once, "once"},
	{times, "{n:count} times"},
	{until, "until ({wait:duration}|{clock:clock}|{date:date})"},
}

// grammar is all patterns, expanded.
type grammar struct {
	whens   []form[Trigger]
	limits  []form[limit]
	actions []form[Verb]
}

func newGrammar() *grammar {
	g := &grammar{}
	for _, w := range whens {
		for _, steps := range expand(w.pattern) {
			g.whens = append(g.whens, form[Trigger]{steps, w.trigger})
		}
	}
	for _, l := range limits {
		for _, steps := range expand(l.pattern) {
			g.limits = append(g.limits, form[limit]{steps, l.limit})
		}
	}
	for _, w := range words {
		for _, steps := range expand(w.Pattern) {
			g.actions = append(g.actions, form[Verb]{steps, w.Verb})
		}
	}
	return g
}

// wordOf returns the row of a verb.
func wordOf(v Verb) Word {
	for _, w := range words {
		if w.Verb == v {
			return w
		}
	}
	return Word{}
}

// String is the verb's pattern up to its first value or choice.
func (v Verb) String() string {
	p := wordOf(v).Pattern
	for i, c := range p {
		if c == '[' || c == '{' || c == '(' {
			return p[:i]
		}
	}
	return p
}

// Show is the pattern as people read it: values in capitals, without their
// kinds.
func (w Word) Show() string {
	var b []byte
	for i := 0; i < len(w.Pattern); i++ {
		if w.Pattern[i] != '{' {
			b = append(b, w.Pattern[i])
			continue
		}
		end := i + strings.IndexByte(w.Pattern[i:], '}')
		_, kind, _ := strings.Cut(w.Pattern[i+1:end], ":")
		b = append(b, shown[kind]...)
		i = end
	}
	return string(b)
}

// shown are the values of a pattern as people read them.
var shown = map[string]string{
	"count": "N", "id": "N", "duration": "D", "text": `"TEXT"`, "hex": "HEX", "price": "PRICE", "farm": "FARM", "symbol": "SYMBOL",
}
