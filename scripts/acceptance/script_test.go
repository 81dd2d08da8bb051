package acceptance

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

const goodHead = "title a title\nanswers lesson 2.1\nrun start_trader AAPL\n"

func TestParseTellsEveryFault(t *testing.T) {
	for _, tt := range []struct{ name, text, want string }{
		{"no head", "accept\n", "no title"},
		{"no answers", "title x\nrun start_trader\naccept", "no answers"},
		{"a document that is none", "answers dream 3", "lesson 2.20"},
		{"two programs", goodHead + "run traderctl probe\naccept", "one program"},
		{"another program", "run rm -rf", "start_trader or traderctl"},
		{"no steps", goodHead, "no steps"},
		{"a probe without an end", "title x\nanswers lesson 1.1\nrun traderctl probe\naccept", "exit 11"},
		{"a setting without a value", "set broker.ibkr.gateway", "KEY=VALUE"},
		{"a head below the steps", goodHead + "accept\nset a=b", "above the first step"},
		{"an unknown step", goodHead + "acept", "accept"},
		{"an unknown message to send", goodHead + "> managedAccount List=1", "managedAccts"},
		{"an unknown field to send", goodHead + "> managedAccts Accounts=1", "List"},
		{"a field that is compared and sent", goodHead + "> managedAccts List~1", "List=…"},
		{"an unknown message to expect", goodHead + "< reqMarketData", "protocol sheet"},
		{"a spelled frame without its last NUL", goodHead + "> 15|1|DU1", "ends with |"},
		{"a spelled frame with a bad byte", goodHead + `> 15|\xzz|`, `\xzz`},
		{"bytes that are none", goodHead + "> bytes 0g", "invalid byte"},
		{"an open quote", goodHead + `says "hello`, "not closed"},
		{"a condition that is none", goodHead + "state ready failure", "NAME=value"},
		{"a time without a unit", goodHead + "accept within 3", "within"},
		{"a time that is too long", goodHead + "pause 2h", "1m"},
		{"an unknown set", goodHead + "serve everything", "ticking"},
		{"an answer without what", goodHead + "answer reqCurrentTime with", "with"},
		{"an exit that is no number", goodHead + "exit soon", "exit code"},
		{"a port ajar", goodHead + "port ajar", "closed or open"},
		{"something behind a bare step", goodHead + "freeze now", "nothing behind"},
		{"a mode that is none", goodHead + "write slowly", "drip"},
		{"an allowance without a reason", goodHead + "allow reset", "reason"},
		{"a connection for no time", goodHead + "no connection", "for 3s"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			_, err := Parse("x.tws", []byte(tt.text))
			if err == nil || !strings.Contains(err.Error(), tt.want) || !strings.Contains(err.Error(), "x.tws") {
				t.Errorf("%v, want one that names x.tws and says %q", err, tt.want)
			}
		})
	}
}

func TestParseNamesTheLine(t *testing.T) {
	_, err := Parse("x.tws", []byte(goodHead+"\n# a comment\naccept\nacept\nexit soon\n"))
	if err == nil || !strings.Contains(err.Error(), "x.tws:7: ") || !strings.Contains(err.Error(), "x.tws:8: ") {
		t.Errorf("%v, want lines 7 and 8", err)
	}
}

func TestSplit(t *testing.T) {
	for _, tt := range []struct {
		in   string
		want []string
	}{
		{"", nil},
		{"a  b\tc", []string{"a", "b", "c"}},
		{`cause~"not a byte" x`, []string{"cause~not a byte", "x"}},
		{`"\xd6\x00"`, []string{"\xd6\x00"}},
		{`List=""`, []string{"List="}},
		{`""`, []string{""}},
		{"a # b", []string{"a"}},
		{"a#b", []string{"a#b"}},
	} {
		got, err := split(tt.in)
		if diff := cmp.Diff(tt.want, got); err != nil || diff != "" {
			t.Errorf("%q: %v %s", tt.in, err, diff)
		}
	}
}

func TestConditions(t *testing.T) {
	doc, err := decodeJSON([]byte(`{"state":"ready","n":5,"none":null,"list":[{"a":"Bee"}],"yes":true}`))
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		condition string
		holds     bool
	}{
		{"state=ready", true},
		{"state=Ready", false},
		{"state!=waiting", true},
		{"state~REA", true},
		{"n>=5", true},
		{"n>=6", false},
		{"n<=5", true},
		{"state>=1", false},
		{"none=null", true},
		{"yes=true", true},
		{"list.0.a=Bee", true},
		{"list.1.a=absent", true},
		{"list.length=1", true},
		{"nothing.there=absent", true},
		{"state=*", true},
		{"state={known}", true},
		{"n={known}", false},
		{"n={fresh}", true},
		{"n!={fresh2}", false},
	} {
		list, err := parseConditions([]string{tt.condition})
		if err != nil {
			t.Fatal(err)
		}
		s := &scene{vars: map[string]string{"known": "ready"}}
		if got := s.judge(doc, list) == nil; got != tt.holds {
			t.Errorf("%s: %v, want %v", tt.condition, got, tt.holds)
		}
	}
}

// TestEveryScriptHasItsPlace: the names that the documents give are answered,
// each by at least one script that is played.
func TestEveryScriptHasItsPlace(t *testing.T) {
	var played []string
	for _, s := range scripts(t) {
		if s.Pending == "" {
			played = append(played, s.Answers...)
		}
	}
	const least = 60
	if n := len(played); n < least {
		t.Errorf("%d answers, want %d", n, least)
	}
	for _, line := range promised {
		if !slices.ContainsFunc(played, func(a string) bool { return strings.HasPrefix(a+" ", line+" ") || strings.HasPrefix(a, line+",") }) {
			t.Errorf("no script answers %s", line)
		}
	}
}

// promised are the lines of the documents that have a scenario of the wire.
var promised = []string{
	"sheet 10.1", "sheet 10.2", "sheet 10.3", "sheet 10.4", "sheet 10.5", "sheet 10.6", "sheet 10.7", "sheet 10.8", "sheet 10.9", "sheet 10.10", "sheet 10.11",
	"sheet 13",
	"lesson 2.4", "lesson 2.5", "lesson 2.6", "lesson 2.7", "lesson 2.8", "lesson 2.9", "lesson 2.10",
	"lesson 2.19", "lesson 2.20", "lesson 2.21", "lesson 2.22", "lesson 2.23", "lesson 2.24", "lesson 2.28", "lesson 2.29", "lesson 2.30",
}

func FuzzParse(f *testing.F) {
	paths, err := filepath.Glob(filepath.Join("testdata", "*.tws"))
	if err != nil {
		f.Fatal(err)
	}
	for _, path := range paths {
		text, err := os.ReadFile(path)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		s, err := Parse("x.tws", text)
		if err == nil && (s.Title == "" || len(s.Steps) == 0) {
			t.Errorf("a script without a title or steps was taken: %q", text)
		}
	})
}
