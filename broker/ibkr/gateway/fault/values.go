package fault

import (
	"encoding/hex"
	"strconv"
	"strings"
	"time"

	"robotrader/broker/ibkr/wire"
	"robotrader/broker/market"
)

// value is a word that was read as some kind of value.
type value struct {
	n      int
	wait   time.Duration
	text   string
	at     time.Time
	clock  Clock
	chance float64
	price  market.Price
}

// kind is a kind of value of the language.
type kind struct {
	describe string
	quoted   bool // written in quotes
	read     func(string) (value, bool)
	near     func() []string // words for which a slip may stand
}

// kinds are the kinds of value, by their name in the patterns.
var kinds = map[string]*kind{
	"count":    {describe: "a number such as 3", read: number(1)},
	"id":       {describe: "a number from 0 on", read: number(0)},
	"ordinal":  {describe: "a place such as 1st, 2nd or 10th", read: readOrdinal},
	"duration": {describe: "a duration such as 500ms, 5s or 2m", read: readDuration},
	"clock":    {describe: "a time of day in New York such as 16:00", read: readClock},
	"date":     {describe: "a time such as 2026-11-23T10:30:00-05:00", read: readDate},
	"chance":   {describe: "a probability such as 0.05", read: readChance},
	"price":    {describe: "a price such as 0.01", read: readPrice},
	"symbol":   {describe: "a symbol such as AAPL", read: readSymbol},
	"farm":     {describe: "a farm such as usfarm, ushmds or secdefnj", read: readFarm, near: func() []string { return []string{"usfarm", "ushmds", "secdefnj"} }},
	"hex":      {describe: "bytes such as c4e3bac3", read: readHex},
	"text":     {describe: `a text in quotes`, quoted: true, read: readText},
	"request":  {describe: "a message of the client such as placeOrder", read: messageIn(requests), near: func() []string { return names(requests) }},
	"answer":   {describe: "a message to the client such as orderStatus", read: messageIn(answers), near: func() []string { return names(answers) }},
}

func number(least int) func(string) (value, bool) {
	return func(s string) (value, bool) {
		n, err := strconv.Atoi(s)
		return value{n: n}, err == nil && n >= least && n <= MaxCount && s[0] != '+'
	}
}

func readOrdinal(s string) (value, bool) {
	s = strings.ToLower(s)
	for i, word := range []string{"first", "second", "third"} {
		if s == word {
			return value{n: i + 1}, true
		}
	}
	for _, end := range []string{"st", "nd", "rd", "th"} {
		if digits, ok := strings.CutSuffix(s, end); ok {
			return number(1)("0" + digits) // the 0 lets no sign pass
		}
	}
	return value{}, false
}

func readDuration(s string) (value, bool) {
	d, err := time.ParseDuration(s)
	return value{wait: d}, err == nil && d > 0 && d <= MaxDuration
}

func readClock(s string) (value, bool) {
	for _, layout := range []string{"15:04:05", "15:04"} {
		if t, err := time.Parse(layout, s); err == nil && len(s) == len(layout) {
			return value{clock: Clock{t.Hour(), t.Minute(), t.Second()}}, true
		}
	}
	return value{}, false
}

func readDate(s string) (value, bool) {
	t, err := time.Parse(time.RFC3339, s)
	return value{at: t}, err == nil
}

func readChance(s string) (value, bool) {
	f, err := strconv.ParseFloat(s, 64)
	return value{chance: f}, err == nil && f > 0 && f <= 1
}

func readPrice(s string) (value, bool) {
	p, err := market.ParsePrice(s)
	return value{price: p}, err == nil && !p.IsZero()
}

func readSymbol(s string) (value, bool) {
	sym, err := market.ParseSymbol(s)
	return value{text: string(sym)}, err == nil
}

// readFarm takes any name, because farms are many; two words of the language
// that would follow one are none.
func readFarm(s string) (value, bool) {
	s = strings.ToLower(s)
	for _, c := range s {
		if (c < 'a' || c > 'z') && (c < '0' || c > '9') && c != '.' {
			return value{}, false
		}
	}
	return value{text: s}, s != "up" && s != "down" && s != "idle" && len(s) <= 20
}

func readHex(s string) (value, bool) {
	b, err := hex.DecodeString(s)
	return value{text: string(b)}, err == nil && len(b) <= 1000
}

func readText(s string) (value, bool) { return value{text: s}, len(s) <= 1000 }

// lastID is above every message id of the protocol.
const lastID = 300

// requests and answers lead from the lower-case names of messages to ids, in
// each direction.
var (
	requests = table(wire.ClientName)
	answers  = table(wire.Name)
)

type named struct {
	id   int
	name string
}

func table(name func(int) string) map[string]named {
	all := map[string]named{"message": {AnyMessage, "message"}}
	for id := range lastID {
		if n := name(id); !strings.HasPrefix(n, "message ") {
			all[strings.ToLower(n)] = named{id, n}
		}
	}
	return all
}

func messageIn(list map[string]named) func(string) (value, bool) {
	return func(s string) (value, bool) {
		if s := strings.ToLower(s); s == "hello" {
			_, ours := list["tickprice"] // only the gateway's hello can be told
			return value{n: Hello, text: s}, ours
		}
		m, ok := list[strings.ToLower(s)]
		return value{n: m.id, text: m.name}, ok
	}
}

func names(list map[string]named) []string {
	all := make([]string, 0, len(list))
	for _, m := range list {
		all = append(all, m.name)
	}
	return all
}
