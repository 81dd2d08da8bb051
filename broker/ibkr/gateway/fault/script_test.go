package fault

import (
	"errors"
	"strings"
	"testing"
	"time"
)

func TestParse(t *testing.T) {
	s, err := Parse("x.faults", []byte(`# a comment
seed 42

on the 2nd orderStatus to client of client 7, 3 times, until 90s: drop it  # lost
on every connection: connection time gbk then next id 5
at 16:00: restart down 20s with ids back by 10
with probability 0.25 on every tickPrice to client: change field 4 of it to "a # \"b\""
after 5s of ready: error 1100 "gone" to client 0 then silence for 2s
on byte 1000 to client of connection 2: reset
at 2026-11-23T10:30:00-05:00, once: farm usfarm down for 30s
`))
	if err != nil {
		t.Fatal(err)
	}
	if s.Seed != 42 || len(s.Rules) != 7 {
		t.Fatalf("seed %d, %d rules", s.Seed, len(s.Rules))
	}
	r := s.Rules[0]
	if r.Line != 4 || r.Times != 3 || r.Until.After != 90*time.Second || r.When.Nth != 2 || r.When.Message != 3 || r.When.Inbound ||
		r.When.Client == nil || *r.When.Client != 7 || len(r.What) != 1 || r.What[0].Verb != Drop {
		t.Errorf("line 4: %+v", r)
	}
	if r.Text != "on the 2nd orderStatus to client of client 7, 3 times, until 90s: drop it" {
		t.Errorf("text %q", r.Text)
	}
	if r := s.Rules[1]; len(r.What) != 2 || r.What[0].Word != "gbk" || r.What[1].N != 5 || r.What[1].Word != "" {
		t.Errorf("line 5: %+v", r)
	}
	if r := s.Rules[2]; r.When.Clock != (Clock{16, 0, 0}) || r.What[0].For != 20*time.Second || r.What[0].N != 10 {
		t.Errorf("line 6: %+v", r)
	}
	if r := s.Rules[3]; r.When.Chance != 0.25 || r.What[0].Text != `a # "b"` || r.What[0].N != 4 {
		t.Errorf("line 7: %+v", r)
	}
	if r := s.Rules[4]; r.When.Trigger != AfterReady || r.What[0].N != 1100 || *r.What[0].Client != 0 || r.What[1].For != 2*time.Second {
		t.Errorf("line 8: %+v", r)
	}
	if r := s.Rules[5]; r.When.Byte != 1000 || r.When.Connection != 2 || r.What[0].Verb != Reset {
		t.Errorf("line 9: %+v", r)
	}
	if r := s.Rules[6]; r.When.Date.IsZero() || r.Times != 1 || r.What[0].Word != "down" || r.What[0].Text != "usfarm" {
		t.Errorf("line 10: %+v", r)
	}
}

// Each error names the place, the word, what was expected, and a near miss.
func TestParseErrors(t *testing.T) {
	for _, tt := range []struct{ line, want string }{
		{"on the 3rd opneOrder to client: drop it", `x:1:12: "opneOrder": when: expected a message of the client such as placeOrder or a message to the client such as orderStatus: did you mean openOrder?`},
		{"on connection 1: wedgee", `x:1:18: "wedgee"`},
		{"on connection 1: wedgee", "did you mean wedge?"},
		{"on connection 1 wedge", `x:1:17: "wedge": expected ":"`},
		{"on connection 1:", `x:1:17: "end of line": what: expected`},
		{"on connection 0: wedge", "expected a number such as 3"},
		{"at 25:00: reset", "expected a time of day in New York"},
		{"after 5: reset", "a duration such as 500ms"},
		{"after -5s: reset", "a duration such as 500ms"},
		{"after 5s: drop it", `"drop it" goes with a message`},
		{"after the 1st openOrder to client: drop it", `"drop it" goes with a message`},
		{"on the 1st placeOrder from client: truncate it by 2 fields", "goes with a message to the client"},
		{"after 5s: connection time gbk", `goes with "on connection N"`},
		{"on the 1st openOrder to client: fill it first", `goes with "on the 1st cancelOrder from client"`},
		{"on the 1st openOrder to client: bust it", `goes with "on the 1st execDetails to client"`},
		{"on the 1st hello from client: reset", "expected to"},
		{"after the 1st hello to client: reset", "the hello has no after"},
		{`on connection 1: redirect to "x`, "is not ended"},
		{"on connection 1: redirect to x", "expected a text in quotes"},
		{"after 5s, twice: reset", `x:1:11: "twice": limit: expected`},
		{"after 5s: reset reset", `expected the end of the line, or "then"`},
		{"seed x", "expected a number from 0 on"},
		{"seed 1 2", "expected seed and one number"},
		{"whenever: reset", `"whenever": when: expected after, at, on or with`},
		{"after 5s: garbage 100000 bytes", "at most 65536"},
		{"after 5s: farm usfram dwon", "did you mean down?"},
		{"with probability 2 on openOrder to client: drop it", "expected a probability"},
		{"after 5s: \x01", "not readable text"},
	} {
		_, err := Parse("x", []byte(tt.line))
		var e *Error
		if err == nil || !errors.As(err, &e) || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s\n got %v\nwant %s", tt.line, err, tt.want)
		}
	}
	_, err := Parse("x", []byte("after 5s: resett\nat start: refus\nreset"))
	if err == nil || strings.Count(err.Error(), "\n") != 2 {
		t.Errorf("not all three: %v", err)
	}
	for _, big := range []string{
		strings.Repeat("#", MaxSize+1),
		strings.Repeat("\n", MaxLines+1),
		strings.Repeat("after 5s: reset\n", MaxRules+1),
		"seed 1\nseed 2",
		"at start: refuse\nseed 2",
	} {
		if _, err := Parse("x", []byte(big)); err == nil {
			t.Errorf("%d bytes beginning %.20q were taken", len(big), big)
		}
	}
}

func TestLockstep(t *testing.T) {
	for line, ok := range map[string]bool{
		"on connection 1: wedge":                             true,
		"after 5s: wedge":                                    false,
		"after 5s: silence":                                  false,
		"after 5s: silence for 1s":                           true,
		"on the 1st openOrder to client: drop it":            true,
		"after 5s: join 3 frames":                            false,
		"after 5s: half dead for 2s":                         false,
		"on the 1st openOrder to client: restart down 100ms": true,
	} {
		s, err := Parse("x", []byte(line))
		if err != nil {
			t.Fatal(err)
		}
		if err := s.Lockstep(); (err == nil) != ok {
			t.Errorf("%s: %v", line, err)
		}
	}
}

// The table of the language in the README is the one that the parser reads.
func TestReadmeHasEveryWord(t *testing.T) {
	text := readme(t)
	for _, w := range Words() {
		if !strings.Contains(text, "`"+w.Show()+"`") {
			t.Errorf("README.md lacks the line\n| `%s` | %s |", w.Show(), w.Says)
		}
	}
}

func FuzzParse(f *testing.F) {
	for _, w := range Words() {
		f.Add("on connection 1: " + strings.NewReplacer("[", "", "]", "", "(", "", ")", "", "|", " ").Replace(w.Pattern))
	}
	f.Add("seed 7\nafter 5s of ready, 2 times, until 16:00: error 1100 \"x\" then reset # c")
	f.Add("on the 3rd openOrder to client of each connection: split it at byte 3")
	f.Fuzz(func(t *testing.T, text string) {
		s, err := Parse("x", []byte(text))
		if err != nil {
			for _, line := range strings.Split(err.Error(), "\n") {
				if !strings.HasPrefix(line, "x:") {
					t.Fatalf("%q: an error without its place: %s", text, line)
				}
			}
			return
		}
		// What was understood is understood again from its own text.
		var again strings.Builder
		for _, r := range s.Rules {
			again.WriteString(r.Text + "\n")
		}
		other, err := Parse("x", []byte(again.String()))
		if err != nil || len(other.Rules) != len(s.Rules) {
			t.Fatalf("%q became %q: %v", text, again.String(), err)
		}
		for i := range s.Rules {
			if s.Rules[i].Text != other.Rules[i].Text || len(s.Rules[i].What) != len(other.Rules[i].What) {
				t.Fatalf("rule %d: %+v and %+v", i, s.Rules[i], other.Rules[i])
			}
		}
	})
}
