package configs

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"robotrader/broker/market"
)

func TestEveryFaultIsTold(t *testing.T) {
	files, err := filepath.Glob("testdata/*.bad.yaml")
	if err != nil || len(files) < 40 {
		t.Fatalf("%d bad files, %v", len(files), err)
	}
	for _, f := range files {
		t.Run(filepath.Base(f), func(t *testing.T) {
			b, err := os.ReadFile(f)
			if err != nil {
				t.Fatal(err)
			}
			first, _, _ := strings.Cut(string(b), "\n")
			want, ok := strings.CutPrefix(first, "# want: ")
			if !ok {
				t.Fatalf("%s does not begin with # want:", f)
			}
			_, err = Load([]string{"--config", f, "AAPL"}, nil)
			if f == filepath.Join("testdata", "symbols.bad.yaml") {
				_, err = Load([]string{"--config", f}, nil)
			}
			var faults Faults
			if !errors.As(err, &faults) || !errors.Is(err, ErrConfig) {
				t.Fatalf("error %v, want faults", err)
			}
			if len(faults) != 1 || !strings.Contains(faults[0].Error(), want) {
				t.Fatalf("faults:\n%v\nwant one that says %q", err, want)
			}
		})
	}
}

func TestAllFaultsAtOnce(t *testing.T) {
	file := filepath.Join(t.TempDir(), "c.yaml")
	if err := os.WriteFile(file, []byte("broker: {nmae: sim}\nrun_for: -1s\nlog: {level: loud}\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	_, err := Load(
		[]string{"--config", file, "--client-id", "x", "--set", "fast", "--sim-speed=-2", "A$"},
		[]string{"TRADER_BROKER__IBKR__GATEWAY=nowhere", "TRADER_NONSENSE=1", "PATH=/bin"},
	)
	var faults Faults
	if !errors.As(err, &faults) {
		t.Fatal(err)
	}
	for _, want := range []string{
		"file " + file + ": broker.nmae: unknown key; did you mean broker.name",
		"run_for: -1s is negative",
		`log.level: "loud"`,
		`flag: --client-id: "x" is not a whole number`,
		`flag: --set: "fast" is not name=value`,
		"sim: speed -2",
		`symbol "A$"`,
		`gateway "nowhere"`,
		"environment: TRADER_NONSENSE: unknown key",
	} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("faults do not say %q", want)
		}
	}
	if len(faults) != 9 {
		t.Errorf("%d faults, want 9:\n%v", len(faults), err)
	}
}

func TestPrecedence(t *testing.T) {
	file := filepath.Join(t.TempDir(), "c.yaml")
	if err := os.WriteFile(file, []byte("broker: {ibkr: {client_id: 2}}\nlog: {level: warn}\nrunner: {params: {fast: 3, slow: 9}}\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	at := func(args, env []string) Config {
		t.Helper()
		cfg, err := Load(append(args, "AAPL"), env)
		if err != nil {
			t.Fatal(err)
		}
		return cfg
	}
	env := []string{"TRADER_BROKER__IBKR__CLIENT_ID=3", "TRADER_RUNNER__PARAMS__FAST=4"}
	for _, tt := range []struct {
		args, env []string
		id        int
		fast      string
	}{
		{nil, nil, 1, ""},
		{[]string{"--config", file}, nil, 2, "3"},
		{[]string{"--config", file}, env, 3, "4"},
		{[]string{"--config", file, "--client-id=4", "--set", "fast=5"}, env, 4, "5"},
		{[]string{"--client-id=4", "--client-id=6"}, env, 6, "4"},
	} {
		cfg := at(tt.args, tt.env)
		if cfg.Broker.IBKR.ClientID != tt.id || cfg.Runner.Params["fast"] != tt.fast {
			t.Errorf("%v %v: client id %d, fast %q; want %d, %q", tt.args, tt.env, cfg.Broker.IBKR.ClientID, cfg.Runner.Params["fast"], tt.id, tt.fast)
		}
	}
	if cfg := at([]string{"--config", file}, env); cfg.Runner.Params["slow"] != "9" || cfg.Log.Level != "warn" {
		t.Errorf("what a later layer does not name must stay: %v %v", cfg.Runner.Params, cfg.Log)
	}
}

func TestGoodFile(t *testing.T) {
	cfg, err := Load([]string{"--config", "testdata/all.good.yaml"}, nil)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]market.Symbol{"AAPL", "MSFT"}, cfg.Runner.Symbols); diff != "" {
		t.Error(diff)
	}
	for name, ok := range map[string]bool{
		"run_for":   cfg.RunFor == 90*time.Minute,
		"read_only": cfg.Broker.ReadOnly && cfg.Desk.ReadOnly,
		"client_id": cfg.Broker.IBKR.ClientID == 7,
		"sends":     cfg.Broker.IBKR.SendsPerSecond == 40 && cfg.Broker.IBKR.ReserveSends == 8,
		"lines":     cfg.Broker.IBKR.Lines == 250 && !cfg.Broker.IBKR.Delayed,
		"calendar":  cfg.Broker.IBKR.RestartAt == "23:55 Europe/Berlin" && cfg.Broker.IBKR.LoginAt == "off",
		"accounts":  len(cfg.Broker.Accounts) == 2,
		"probes":    cfg.Broker.IBKR.ProbeEvery == 20*time.Second && cfg.Broker.IBKR.ProbeLimit == 5*time.Second,
		"alive":     cfg.Broker.IBKR.AliveWithin == time.Second && cfg.Broker.IBKR.AliveLimit == 3*time.Second,
		"force":     cfg.Broker.IBKR.ForceDisconnect,
		"codes":     cfg.Broker.IBKR.Codes["10349"] == "warning" && cfg.Broker.IBKR.Codes["33333"] == "info",
		"params":    cfg.Runner.Params["fast"] == "5" && cfg.Runner.Params["slow"] == "21",
		"qty":       cfg.Risk.MaxOrderQty == market.Shares(250),
		"notional":  cfg.Risk.MaxOrderNotional == market.MustMoney("12500.5"),
		"off":       len(cfg.Risk.Off) == 1,
		"stale":     cfg.Desk.StaleAfter == 45*time.Second,
		"alarm":     cfg.Health.AlarmAfter == 10*time.Minute,
		"hosts":     len(cfg.Websocket.Hosts) == 1,
		"proxies":   len(cfg.Websocket.BehindProxy) == 2,
		"recorder":  cfg.Recorder.MaxBytes == 16<<20 && cfg.Recorder.Segment == 1<<20 && !cfg.Recorder.Off,
		"default":   cfg.Risk.OrdersPerMinute == DefaultConfig().Risk.OrdersPerMinute,
	} {
		if !ok {
			t.Errorf("%s was not read: %+v", name, cfg)
		}
	}
}

// TestShippedFiles loads every YAML file that the project ships.
func TestShippedFiles(t *testing.T) {
	files, err := filepath.Glob("*.yaml")
	if err != nil || len(files) == 0 {
		t.Fatalf("%d files, %v", len(files), err)
	}
	for _, f := range files {
		if _, err := Load([]string{"--config", f, "AAPL"}, nil); err != nil {
			t.Errorf("%s: %v", f, err)
		}
	}
}

func TestCommandLine(t *testing.T) {
	for _, tt := range []struct {
		args []string
		want error
	}{
		{[]string{"-h"}, ErrHelp},
		{[]string{"--help", "--nonsense=3"}, ErrUsage},
		{[]string{"--version"}, ErrVersion},
		{nil, ErrUsage},
		{[]string{","}, ErrUsage},
		{[]string{"--nonsense", "AAPL"}, ErrUsage},
		{[]string{"--gateway"}, ErrUsage},
		{[]string{"AAPL", "AAPL"}, ErrConfig},
		{[]string{"AAPL,MSFT", "spy", "--headless", "--http", "off", "--live=false"}, nil},
		{[]string{"AAPL", "--check"}, nil},
		{[]string{"AAPL", "--faults", "f"}, ErrConfig},
		{[]string{"AAPL", "--faults", "testdata/silence.faults"}, nil},
		{[]string{"AAPL", "--bus", "nats://h:4222"}, ErrConfig},
		{[]string{"AAPL", "--bus-listen", ":4222"}, ErrConfig},
		{[]string{"AAPL", "--tls-cert", "c", "--tls-key", "k"}, ErrConfig},
		{[]string{"AAPL", "--behind-proxy", "10.0.0.0/8", "--http", "0.0.0.0:80"}, nil},
		{[]string{"AAPL", "--behind-proxy", "10.0.0.9"}, ErrConfig},
		{[]string{"--healthcheck"}, nil}, // needs no symbol
		{[]string{"AAPL", "--http", "0.0.0.0:80"}, ErrConfig},
		{[]string{"AAPL", "--config", "missing.yaml"}, ErrConfig},
	} {
		if _, err := Load(tt.args, nil); !errors.Is(err, tt.want) || (tt.want == nil) != (err == nil) {
			t.Errorf("%q: %v, want %v", tt.args, err, tt.want)
		}
	}
}

// TestReplayNamesItsSymbols: a replay without a symbol trades what its files
// play; one that is named wins.
func TestReplayNamesItsSymbols(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "IBM-day.csv")
	if err := os.WriteFile(file, []byte("x"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		args []string
		want []market.Symbol
	}{
		{[]string{"--sim-data", file}, []market.Symbol{"IBM"}},
		{[]string{"--sim-data", file, "--sim-data", "SPY=" + file, "--sim-data", "IBM=" + file}, []market.Symbol{"IBM", "SPY"}},
		{[]string{"--sim-data", file, "AAPL"}, []market.Symbol{"AAPL"}},
	} {
		cfg, err := Load(tt.args, nil)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(tt.want, cfg.Runner.Symbols); diff != "" {
			t.Errorf("%q: %s", tt.args, diff)
		}
	}
}

// TestHelpNamesEveryFlagOfTheContract keeps help and contract together.
func TestHelpNamesEveryFlagOfTheContract(t *testing.T) {
	usage := Usage()
	for _, f := range []string{
		"broker", "gateway", "client-id", "account", "live", "read-only", "strategy", "set", "headless", "http",
		"tls-cert", "tls-key", "behind-proxy", "data", "bus", "bus-listen", "sim-data", "sim-speed", "faults", "run-for", "check",
		"config", "log-format", "log-level",
	} {
		if !strings.Contains(usage, "--"+f+" ") {
			t.Errorf("help does not name --%s", f)
		}
	}
}

// FuzzLoad feeds files: whatever stands there, Load answers and does not panic.
func FuzzLoad(f *testing.F) {
	files, err := filepath.Glob("testdata/*.yaml")
	if err != nil {
		f.Fatal(err)
	}
	for _, name := range files {
		b, err := os.ReadFile(name)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		name := filepath.Join(t.TempDir(), "c.yaml")
		if err := os.WriteFile(name, b, 0o600); err != nil {
			t.Fatal(err)
		}
		cfg, err := Load([]string{"--config", name, "AAPL"}, nil)
		if err == nil && cfg.Validate() != nil {
			t.Errorf("accepted, but not valid: %v", cfg.Validate())
		}
	})
}

// A device or a pipe could be read for ever.
func TestFileMustBeRegular(t *testing.T) {
	for _, path := range []string{os.DevNull, t.TempDir()} {
		_, err := Load([]string{"--config", path, "AAPL"}, nil)
		if !errors.Is(err, ErrConfig) || !strings.Contains(err.Error(), "is not a YAML file") {
			t.Errorf("--config %s: %v, want that it is not a YAML file", path, err)
		}
	}
}

// A list of numbers is shown as it stands, not filled up with zeros.
func TestWrongShapeIsShown(t *testing.T) {
	file := filepath.Join(t.TempDir(), "c.yaml")
	if err := os.WriteFile(file, []byte("run_for: [1, 2]\nrisk: {off: {}}\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	_, err := Load([]string{"--config", file, "AAPL"}, nil)
	if err == nil || !strings.Contains(err.Error(), "run_for: [1 2] is not a single value") {
		t.Errorf("%v, want run_for: [1 2] is not a single value", err)
	}
}
