package main

import (
	"fmt"
	"io"
	"log/slog"
	"os"
	"testing"

	"go.uber.org/fx"
	"go.uber.org/goleak"

	"robotrader/configs"
)

func TestMain(m *testing.M) {
	code := m.Run()
	if err := os.RemoveAll(workDir); err != nil {
		fmt.Fprintln(os.Stderr, err)
		code = 1
	}
	if code == 0 {
		if err := goleak.Find(rotates); err != nil {
			fmt.Fprintln(os.Stderr, err)
			code = 1
		}
	}
	os.Exit(code)
}

// modes are the ways in which the parts are composed.
func modes(t *testing.T) map[string][]string {
	return map[string][]string{
		"sim":                 {"AAPL"},
		"sim headless":        {"--headless", "--http", "off", "AAPL", "MSFT"},
		"sim lock-step":       {"--sim-data", ownDay(t, 1), "--sim-speed", "0", "AAPL"},
		"sim replay":          {"--sim-data", ownDay(t, 1), "--sim-speed", "60", "AAPL"},
		"sim every_tick":      {"--strategy", "every_tick", "AAPL"},
		"ibkr":                {"--broker", "ibkr", "AAPL"},
		"ibkr live, headless": {"--broker", "ibkr", "--live", "--account", "U1234567", "--headless", "AAPL"},
		"ibkr read-only":      {"--broker", "ibkr", "--read-only", "AAPL"},
	}
}

// Every mode's graph is complete, and its constructors agree with each other.
func TestGraph(t *testing.T) {
	log := slog.New(slog.NewTextHandler(io.Discard, nil))
	for name, args := range modes(t) {
		t.Run(name, func(t *testing.T) {
			cfg, err := configs.Load(append(args, "--data", t.TempDir()), nil)
			if err == nil {
				err = check(cfg)
			}
			if err != nil {
				t.Fatal(err)
			}
			var e ends
			if err := fx.ValidateApp(application(cfg, resources{}, log), fx.Populate(&e)); err != nil {
				t.Error("the graph is not complete:", err)
			}
			res, err := open(cfg, log)
			if err != nil {
				t.Fatal(err)
			}
			if err := fx.New(application(cfg, res, log), fx.Populate(&e)).Err(); err != nil {
				t.Error("the constructors do not agree:", err)
			}
			if err := res.close(); err != nil {
				t.Error(err)
			}
			if lockstep(cfg) != (name == "sim lock-step") {
				t.Errorf("lock-step is %v", lockstep(cfg))
			}
		})
	}
}
