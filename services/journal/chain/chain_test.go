package chain

import (
	"strings"
	"testing"
)

func TestDifferentRowsHaveDifferentForms(t *testing.T) {
	seen := map[string][]any{}
	for _, row := range [][]any{
		{},
		{nil},
		{nil, nil},
		{int64(0)},
		{int64(1)},
		{int64(-1)},
		{""},
		{"0"},
		{[]byte{}},
		{[]byte("0")},
		{"a", "b"},
		{"ab"},
		{"", "ab"},
		{"ab", ""},
		{int64(0), nil},
		{nil, int64(0)},
		{"n"},
		{"t"},
	} {
		b, err := Append(nil, row...)
		if err != nil {
			t.Fatal(err)
		}
		if other, ok := seen[string(b)]; ok {
			t.Errorf("%#v and %#v have one form", row, other)
		}
		seen[string(b)] = row
	}
	same, _ := Append(nil, true, 7)
	if want, _ := Append(nil, int64(1), int64(7)); string(same) != string(want) {
		t.Errorf("a truth is %x, the store gives it back as %x", same, want)
	}
	if _, err := Append(nil, 1.5); err == nil {
		t.Error("a float has a form")
	}
}

func TestHashStandsForAllBefore(t *testing.T) {
	a, b := []byte("a"), []byte("b")
	ab := Next(Next(Hash{}, a), b)
	for name, other := range map[string]Hash{
		"turned": Next(Next(Hash{}, b), a), "missing": Next(Hash{}, b), "doubled": Next(Next(Next(Hash{}, a), a), b),
	} {
		if other == ab {
			t.Errorf("%s: the same hash", name)
		}
	}
}

func TestEveryFlipAndCutOfAWitnessIsNoticed(t *testing.T) {
	want := Witness{Count: 41, Hash: Hash{1, 2, 3}, Note: "restored \"x\"\n"}
	text := want.Text()
	if got, err := ParseWitness(text); err != nil || got != want {
		t.Fatalf("%+v, %v", got, err)
	}
	for cut := range len(text) {
		if _, err := ParseWitness(text[:cut]); err == nil {
			t.Errorf("cut at %d: %q", cut, text[:cut])
		}
	}
	for bit := range len(text) * 8 {
		b := []byte(text)
		b[bit/8] ^= 1 << (bit % 8)
		if w, err := ParseWitness(string(b)); err == nil {
			t.Errorf("bit %d: %q is %+v", bit, b, w)
		}
	}
	if _, err := ParseWitness(strings.Repeat("x", 300)); err == nil {
		t.Error("junk is a witness")
	}
}
