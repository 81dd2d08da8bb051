package feed

import (
	"encoding/json"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// client folds snapshot and deltas as a page does, over plain JSON and without
// a word of the feed's own code. It is the twin of web/src/lib/fold.ts.
type client struct {
	epoch string
	seq   uint64
	data  obj
	at    []time.Time          // of the messages
	kinds map[string]int       // deltas by type
	seen  map[string][]message // deltas by type, in order
}

type (
	obj  = map[string]any
	list = []any
)

// message is a frame with its data still to be read.
type message struct {
	Type  string    `json:"type"`
	Epoch string    `json:"epoch"`
	Seq   uint64    `json:"seq"`
	At    time.Time `json:"at"`
	Data  any       `json:"data"`
}

func decode(raw []byte) message {
	var m message
	if err := json.Unmarshal(raw, &m); err != nil {
		panic(fmt.Sprintf("%s: %v", raw, err))
	}
	return m
}

func newClient(first []byte) *client {
	m := decode(first)
	if m.Type != "snapshot" {
		panic("the first message is " + m.Type)
	}
	return &client{epoch: m.Epoch, seq: m.Seq, data: m.Data.(obj), kinds: map[string]int{}, seen: map[string][]message{}}
}

// fold takes one delta, which must be the next.
func (c *client) fold(raw []byte) error {
	m := decode(raw)
	if m.Epoch != c.epoch || m.Seq != c.seq+1 {
		return fmt.Errorf("message %d of %s after %d of %s", m.Seq, m.Epoch, c.seq, c.epoch)
	}
	c.seq = m.Seq
	c.at = append(c.at, m.At)
	c.kinds[m.Type]++
	c.seen[m.Type] = append(c.seen[m.Type], m)
	c.apply(m)
	return nil
}

func (c *client) apply(m message) {
	d := m.Data
	switch m.Type {
	case "beat":
	case "link", "health", "mode", "read_only", "orders", "fills", "positions", "protection", "risk", "sim", "alerts", "bus":
		c.data[m.Type] = d
	case "quote":
		c.data["quotes"].(obj)[d.(obj)["symbol"].(string)] = d
	case "data":
		c.data["data"].(obj)[d.(obj)["symbol"].(string)] = d
	case "bar":
		bars, sym := c.data["bars"].(obj), d.(obj)["symbol"].(string)
		bars[sym] = putAny(bars[sym], d.(obj)["bar"], 500, "start", "start")
		c.data["bar_width"] = d.(obj)["width"]
	case "bars":
		for sym, bars := range d.(obj)["bars"].(obj) {
			c.data["bars"].(obj)[sym] = bars
		}
		c.data["bar_width"] = d.(obj)["width"]
	case "order":
		by := []string{"ref"}
		if d.(obj)["ref"] == "" {
			by = []string{"ref", "perm_id", "order_id", "client_id"}
		}
		c.data["orders"] = putAny(c.data["orders"], d, 200, "created", by...)
	case "fill":
		c.data["fills"] = putAny(c.data["fills"], d, 500, "at", "exec_id")
	case "position":
		c.data["positions"] = putAny(c.data["positions"], d, 200, "", "symbol", "account")
	case "strategy":
		c.data["strategies"] = putAny(c.data["strategies"], d, 200, "", "name", "symbol")
	case "event":
		events := append(c.data["events"].(list), d)
		c.data["events"] = events[max(0, len(events)-200):]
	case "finding":
		c.data["findings"] = putAny(c.data["findings"], d, 50, "at", "kind", "symbol", "ref", "at")
	case "account":
		c.data["account"] = d
	case "portfolio":
		c.data["account"].(obj)["portfolio"] = d
		if p := d.(obj); p["equity"] != nil && p["market"] != "0001-01-01T00:00:00Z" {
			at := timeOf(p["market"]).Truncate(time.Minute).Format(time.RFC3339)
			c.data["equity"] = putAny(c.data["equity"], obj{"at": at, "equity": p["equity"]}, 1000, "at", "at")
		}
	default:
		panic("a delta of the type " + m.Type)
	}
}

func timeOf(v any) time.Time {
	at, err := time.Parse(time.RFC3339Nano, v.(string))
	if err != nil {
		panic(err)
	}
	return at
}

// putAny replaces what has the same fields by, or inserts by time.
func putAny(l, v any, most int, at string, by ...string) list {
	all, _ := l.(list)
	all = slices.Clone(all)
	for i, x := range slices.Backward(all) {
		if !slices.ContainsFunc(by, func(k string) bool { return x.(obj)[k] != v.(obj)[k] }) {
			all[i] = v
			return all
		}
	}
	where := len(all)
	for at != "" && where > 0 && timeOf(all[where-1].(obj)[at]).After(timeOf(v.(obj)[at])) {
		where--
	}
	all = slices.Insert(all, where, v)
	return all[max(0, len(all)-most):]
}

// check compares what the client has folded with a fresh snapshot.
func (c *client) check(fresh []byte) error {
	m := decode(fresh)
	if m.Seq != c.seq || m.Epoch != c.epoch {
		return fmt.Errorf("the client is at %d of %s, the snapshot at %d of %s", c.seq, c.epoch, m.Seq, m.Epoch)
	}
	if diff := cmp.Diff(m.Data, any(c.data)); diff != "" {
		return fmt.Errorf("what was folded (+) is not the snapshot (-):\n%s", diff)
	}
	return nil
}

// recorder is a Broadcaster that keeps everything, in order. It belongs to the
// feed's goroutine until that has ended, but for what add gets.
type recorder struct {
	told  chan []byte // nil, or gets every message
	all   [][]byte
	joins []*client
}

func (r *recorder) Broadcast(msg []byte) {
	r.all = append(r.all, msg)
	for _, c := range r.joins {
		if err := c.fold(msg); err != nil {
			panic(err)
		}
	}
	if r.told != nil {
		r.told <- msg
	}
}

func (r *recorder) join(first []byte) { r.joins = append(r.joins, newClient(first)) }

// fresh returns a snapshot of a feed that has no goroutine.
func fresh(t interface{ Fatal(...any) }, f *Feed) []byte {
	msg, err := f.snapshot()
	if err != nil {
		t.Fatal(err)
	}
	return msg
}

func TestClientNoticesAGap(t *testing.T) {
	c := newClient([]byte(`{"type":"snapshot","epoch":"e","seq":4,"at":"2026-01-05T14:30:00Z","data":{}}`))
	for raw, ok := range map[string]bool{
		`{"type":"beat","epoch":"e","seq":6}`: false,
		`{"type":"beat","epoch":"e","seq":4}`: false,
		`{"type":"beat","epoch":"x","seq":5}`: false,
	} {
		if err := c.fold([]byte(raw)); (err == nil) != ok {
			t.Errorf("%s: %v", raw, err)
		}
	}
	if err := c.fold([]byte(`{"type":"beat","epoch":"e","seq":5}`)); err != nil {
		t.Error(err)
	}
}
