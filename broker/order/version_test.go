package order

import (
	"slices"
	"testing"
)

func TestExecVersion(t *testing.T) {
	for _, tt := range []struct {
		id, stem string
		version  int
	}{
		{"0000e0d5.6560d3c8.01.01", "0000e0d5.6560d3c8.01.", 1},
		{"0000e0d5.6560d3c8.01.12", "0000e0d5.6560d3c8.01.", 12},
		{"0000e0d5.6560d3c8.01.00", "0000e0d5.6560d3c8.01.00", 0},
		{"0000e0d5.6560d3c8.01.1x", "0000e0d5.6560d3c8.01.1x", 0},
		{"0000e0d5.6560d3c8.01.-1", "0000e0d5.6560d3c8.01.-1", 0},
		{"e1", "e1", 0},
		{"", "", 0},
	} {
		if stem, v := ExecVersion(tt.id); stem != tt.stem || v != tt.version {
			t.Errorf("%q: %q %d, want %q %d", tt.id, stem, v, tt.stem, tt.version)
		}
	}
}

func TestSameExecution(t *testing.T) {
	for _, tt := range []struct {
		a, b string
		want bool
	}{
		{"a.01", "a.02", true},
		{"a.01", "a.01", true},
		{"a.01", "b.01", false},
		{"e1", "e1", true},
		{"e1", "e2", false},
		{"a.", "a.01", false}, // an id that looks like a stem is none
	} {
		if got := SameExecution(tt.a, tt.b); got != tt.want {
			t.Errorf("%q and %q: %v", tt.a, tt.b, got)
		}
	}
}

func TestNewestKeepsOneVersionOfEach(t *testing.T) {
	var got []string
	for _, f := range Newest([]Fill{{ExecID: "a.01"}, {ExecID: "b.02"}, {ExecID: "e1"}, {ExecID: "a.03"}, {ExecID: "b.01"}, {ExecID: "a.02"}}) {
		got = append(got, f.ExecID)
	}
	if want := []string{"b.02", "e1", "a.03"}; !slices.Equal(got, want) {
		t.Errorf("%v, want %v", got, want)
	}
}
