package configs

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

// The files to begin with load, and differ from the defaults only where they
// must: a copy of a default in a file outlives the default's next change.
func TestShippedFilesDifferOnlyWhereTheyMust(t *testing.T) {
	for file, want := range map[string]map[string]string{
		"sim.yaml":   {"symbols": "AAPL"},
		"paper.yaml": {"symbols": "AAPL", "broker.name": "ibkr"},
		"live.yaml": {
			"symbols": "AAPL", "broker.name": "ibkr", "broker.live": "true",
			"broker.accounts": "U0000000", "broker.ibkr.gateway": "gateway-live",
		},
	} {
		l, err := fileLayer(file)
		if err != nil {
			t.Fatal(err)
		}
		c, err := Load([]string{"--config", file}, nil)
		if err != nil {
			t.Errorf("%s: %v", file, err)
			continue
		}
		got := map[string]string{}
		for _, s := range c.Settings() {
			if !s.Default {
				got[s.Key] = s.Value
			}
			if _, said := l.values[s.Key]; said && s.Default {
				t.Errorf("%s repeats the default of %s, %q", file, s.Key, s.Value)
			}
		}
		if d := cmp.Diff(want, got); d != "" {
			t.Errorf("%s differs from the defaults otherwise than it must (-want +got):\n%s", file, d)
		}
	}
}
