package journal

import (
	"testing"

	"robotrader/broker"
)

func TestFindingsAndModesAreReadAsTheyWereStored(t *testing.T) {
	path := file(t)
	lived(t, path)
	r, err := OpenReadOnly(path)
	must(t, err)
	defer func() { must(t, r.Close()) }()
	found, err := r.Findings(t.Context())
	must(t, err)
	want := broker.Finding{Kind: "position", Symbol: "AAPL", Ours: "1", Theirs: "2", Evidence: "none", Done: "nothing", At: wall0}
	if len(found) != 1 || found[0] != want {
		t.Errorf("findings %+v, want %+v", found, want)
	}
	modes, err := r.ModeChanges(t.Context())
	must(t, err)
	if len(modes) != 1 || modes[0] != (broker.ModeRecord{Mode: broker.Halted, Reason: "a person", Since: wall0, Flatten: true}) {
		t.Errorf("modes %+v", modes)
	}
}
