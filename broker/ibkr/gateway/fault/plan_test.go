package fault

import (
	"os"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"
)

func readme(t *testing.T) string {
	t.Helper()
	text, err := os.ReadFile("README.md")
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

var (
	newYork, _ = time.LoadLocation("America/New_York")
	opening    = time.Date(2026, 4, 2, 9, 30, 0, 0, newYork)
)

func plan(t testing.TB, text string) *Plan {
	t.Helper()
	s, err := Parse("x", []byte(text))
	if err != nil {
		t.Fatal(err)
	}
	return NewPlan(s, opening, newYork)
}

func at(d time.Duration) Moment { return Moment{d, opening.Add(d)} }

func TestMessagesAreCounted(t *testing.T) {
	for _, tt := range []struct {
		line string
		want string // which of the messages fire: + on, > after
	}{
		{"on the 2nd openOrder to client: drop it", ".+......"},
		{"after the 2nd openOrder to client: reset", ".>......"},
		{"on every openOrder to client: drop it", "++++++++"},
		{"on every 3rd openOrder to client: drop it", "..+..+.."},
		{"on every openOrder to client, 2 times: drop it", "++......"},
		{"on every openOrder to client, until 3s: drop it", "+++....."},
		{"on every openOrder to client of connection 2: drop it", ".+.+.+.+"},
		{"on every openOrder to client of client 1: drop it", "+.+.+.+."},
		{"on the 2nd openOrder to client of each connection: drop it", "..++...."},
		{"on the 2nd message to client: drop it", ".+......"},
		{"on every openOrder from client: drop it", ""}, // no such message
		{"on every placeOrder from client: drop it", "........"},
	} {
		s, err := Parse("x", []byte(tt.line))
		if (err != nil) != (tt.want == "") {
			t.Errorf("%s: %v", tt.line, err)
		}
		if err != nil {
			continue
		}
		p := NewPlan(s, opening, newYork)
		got := ""
		for i := range 8 { // connections 1 and 2 in turn, one a second, from 0 s on
			on, after := p.Message(Message{Conn: 1 + i%2, Client: 1 + i%2, ID: 5}, at(time.Duration(i)*time.Second))
			got += map[[2]int]string{{0, 0}: ".", {1, 0}: "+", {0, 1}: ">"}[[2]int{len(on), len(after)}]
		}
		if got != tt.want {
			t.Errorf("%s: %s, want %s", tt.line, got, tt.want)
		}
	}
}

func TestTimes(t *testing.T) {
	p := plan(t, `
at start: reset
after 5s: reset
at 09:31: reset
at 2026-04-02T09:32:00-04:00: reset
after 10s of connection 1: reset
after 3s of ready: reset
`)
	if list := p.Begin(at(0)); len(list) != 1 || list[0].Rule.Line != 2 {
		t.Errorf("at start: %v", list)
	}
	p.Open(1, at(time.Second))
	p.Ready(1, 7, at(2*time.Second))
	p.Open(2, at(2*time.Second))
	p.Ready(2, 8, at(3*time.Second))
	p.Gone(2)
	type fired struct{ line, conn int }
	got := map[int]fired{}
	for s := range 26 * 3600 {
		for _, f := range p.Due(at(time.Duration(s) * time.Second)) {
			got[s] = fired{f.Rule.Line, f.Conn}
		}
	}
	want := map[int]fired{5: {6 + 1, 1}, 11: {6, 1}, 60: {4, 0}, 120: {5, 0}, 86400 + 60: {4, 0}}
	delete(want, 5)
	// Two at 5 s: after 5s, then the session that was ready at 2 s.
	if got[5].line != 7 || got[5].conn != 1 {
		t.Errorf("at 5 s: %v", got[5])
	}
	delete(got, 5)
	for s, f := range want {
		if got[s] != f {
			t.Errorf("at %d s: %v, want %v", s, got[s], f)
		}
	}
	if len(got) != len(want) {
		t.Errorf("got %v", got)
	}
	if n := p.Fired(); len(n) != 6 || n[2].Times != 2 {
		t.Errorf("fired %+v", n)
	}
}

func TestBytes(t *testing.T) {
	p := plan(t, "on byte 10 to client: reset\non byte 4 to client of connection 2: close\non byte 7 from client: reset")
	for _, tt := range []struct {
		conn    int
		inbound bool
		want    []int64
	}{{1, false, []int64{10}}, {2, false, []int64{4, 10}}, {1, true, []int64{7}}} {
		if got := p.Marks(tt.conn, tt.inbound); !slices.Equal(got, tt.want) {
			t.Errorf("%+v: %v", tt, got)
		}
	}
	if list := p.Byte(2, false, 4, at(0)); len(list) != 1 || list[0].Rule.Line != 2 {
		t.Errorf("%v", list)
	}
}

// The same calls fire the same rules, whatever happens to other sessions.
func TestAPlanIsAFunctionOfItsCalls(t *testing.T) {
	script := "seed 9\nwith probability 0.5 on openOrder to client: drop it\nwith probability 0.3 on every 2nd openOrder to client of each connection: drop it"
	rapid.Check(t, func(t *rapid.T) {
		s, err := Parse("x", []byte(script))
		if err != nil {
			t.Fatal(err)
		}
		alone, among := NewPlan(s, opening, newYork), NewPlan(s, opening, newYork)
		for i := range rapid.IntRange(1, 200).Draw(t, "messages") {
			if rapid.Bool().Draw(t, "another session") {
				among.Message(Message{Conn: 2, ID: 5}, at(0))
			}
			m := Message{Conn: 1, ID: 5}
			a, _ := alone.Message(m, at(0))
			b, _ := among.Message(m, at(0))
			has := func(list []Firing, line int) bool {
				return slices.ContainsFunc(list, func(f Firing) bool { return f.Rule.Line == line })
			}
			if has(a, 2) != has(b, 2) || has(a, 3) != has(b, 3) {
				t.Fatalf("message %d: %v and %v", i, a, b)
			}
		}
	})
}

func TestMemoryOfGoneConnections(t *testing.T) {
	p := plan(t, "on the 2nd openOrder to client of each connection: drop it\nafter 1h of every connection: reset")
	for conn := 1; conn <= 1000; conn++ {
		p.Open(conn, at(0))
		p.Message(Message{Conn: conn, ID: 5}, at(0))
		p.Gone(conn)
	}
	if n := len(p.rules[0].conns) + len(p.timers); n != 0 {
		t.Errorf("%d things are remembered", n)
	}
}
