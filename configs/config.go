package configs

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"robotrader/broker/desk"
	"robotrader/broker/ibkr"
	"robotrader/broker/ibkr/recorder"
	"robotrader/broker/sim"
	"robotrader/broker/supervisor"
	"robotrader/runner"
	"robotrader/runner/risk"
	"robotrader/services/alert"
	"robotrader/services/bus"
	"robotrader/services/health"
	"robotrader/websocket/server"
)

// Config is the configuration of the whole program.
type Config struct {
	// Symbols are what is traded; arguments of the command line replace them.
	Symbols []string `koanf:"symbols"`
	// RunFor is wall time until an orderly stop. Default 0: no such stop.
	RunFor time.Duration `koanf:"run_for"`
	// Procs is how many processors run the program's goroutines at once; 0
	// leaves it to Go, and so does GOMAXPROCS in the environment. Default 1,
	// because the way from a tick to its order is a chain of small steps that
	// hand over to each other: with more processors each step wakes another
	// one, which on a virtual machine costs more than the step (scripts/bench.sh
	// --only latency, with GOMAXPROCS=2 and without). A trader's whole work is
	// a few percent of one processor; raise it for strategies that compute.
	Procs int `koanf:"procs"`
	// Check asks for the pre-flight checks only: configuration and machine are
	// looked at, then the program ends. Default false.
	Check bool `koanf:"check"`
	// Healthcheck asks the trader that runs with the data folder whether it
	// serves, then the program ends. Default false.
	Healthcheck bool `koanf:"healthcheck"`

	Broker     Broker            `koanf:"broker"`
	Supervisor supervisor.Config `koanf:"supervisor"`
	Desk       desk.Config       `koanf:"desk"`
	Health     health.Config     `koanf:"health"`
	Alert      alert.Config      `koanf:"alert"`
	Runner     runner.Config     `koanf:"runner"`
	Risk       risk.Config       `koanf:"risk"`
	Websocket  server.Config     `koanf:"websocket"`
	Data       Data              `koanf:"data"`
	Bus        bus.Config        `koanf:"bus"`
	Sim        sim.Config        `koanf:"sim"`
	Recorder   recorder.Config   `koanf:"recorder"`
	Log        Log               `koanf:"log"`
}

// maxProcs bounds Config.Procs; more than any machine that runs this has.
const maxProcs = 256

// Broker says which broker and which account.
type Broker struct {
	// Name selects the adapter: "sim" or "ibkr". Default "sim".
	Name string `koanf:"name"`
	// Account is the one to trade. Default "": the only one there is.
	Account string `koanf:"account"`
	// Accounts are the only ones that may be traded: a session for another is
	// refused, whatever a gateway's login may do. Default none: any.
	Accounts []string `koanf:"accounts"`
	// Live permits an account whose id does not begin with D. Default false.
	Live bool `koanf:"live"`
	// ReadOnly refuses every order. Default false.
	ReadOnly bool        `koanf:"read_only"`
	IBKR     ibkr.Config `koanf:"ibkr"`
}

// Data says where files go.
type Data struct {
	// Dir is the data folder, made at the first start. Default "./data".
	Dir string `koanf:"dir"`
}

// Log says how the log is written.
type Log struct {
	// Format is "text" or "json". Default "text".
	Format string `koanf:"format"`
	// Level is "debug", "info", "warn" or "error". Default "info".
	Level string `koanf:"level"`
}

// DefaultConfig returns every part's defaults.
func DefaultConfig() Config {
	return Config{
		Procs:      1,
		Broker:     Broker{Name: "sim", IBKR: ibkr.DefaultConfig()},
		Supervisor: supervisor.DefaultConfig(),
		Desk:       desk.DefaultConfig(),
		Health:     health.DefaultConfig(),
		Alert:      alert.DefaultConfig(),
		Runner:     runner.DefaultConfig(),
		Risk:       risk.DefaultConfig(),
		Websocket:  server.DefaultConfig(),
		Data:       Data{Dir: "./data"},
		Bus:        bus.DefaultConfig(),
		Sim:        sim.DefaultConfig(),
		Recorder:   recorder.DefaultConfig(),
		Log:        Log{Format: "text", Level: "info"},
	}
}

// Validate returns all that is wrong with the configuration, joined.
func (c Config) Validate() error {
	var errs []error
	bad := func(format string, a ...any) { errs = append(errs, fmt.Errorf(format, a...)) }
	part := func(section string, err error) {
		for _, e := range flatten(err) {
			text := e.Error()
			if strings.HasPrefix(text, section) {
				errs = append(errs, e)
				continue
			}
			errs = append(errs, fmt.Errorf("%s: %w", section, e))
		}
	}
	if c.RunFor < 0 {
		bad("run_for: %v is negative; leave it out to run forever", c.RunFor)
	}
	if c.Procs < 0 || c.Procs > maxProcs {
		bad("procs: %d is not between 0 (Go's own choice) and %d", c.Procs, maxProcs)
	}
	if c.Broker.Name != "sim" && c.Broker.Name != "ibkr" {
		bad("broker.name: %.40q is neither sim nor ibkr", c.Broker.Name)
	}
	if c.Broker.Name == "sim" && c.Broker.Live {
		bad("broker.live: the simulated gateway has no live account; use --broker ibkr with --live")
	}
	for _, a := range c.Broker.Accounts {
		if a == "" || len(a) > 40 || strings.ContainsAny(a, " \t\r\n,") {
			bad("broker.accounts: %.40q is not an account id, such as DU1234567", a)
		}
	}
	if a := c.Broker.Account; a != "" && len(c.Broker.Accounts) > 0 && !slices.Contains(c.Broker.Accounts, a) {
		bad("broker.account: %.40q is not among broker.accounts; add it there, or name one of them", a)
	}
	if c.Broker.Live && c.Broker.IBKR.Speed != 1 {
		bad("broker.ibkr.speed: %v is for a gatewaysim, and broker.live for a real account; leave out one of both", c.Broker.IBKR.Speed)
	}
	if c.Data.Dir == "" {
		bad("data.dir: empty; name a folder, such as ./data")
	}
	if c.Broker.Name == "ibkr" && c.Sim.Faults != "" {
		bad("sim.faults: a fault script is for the simulated gateway; leave out --broker ibkr")
	}
	if c.Broker.Name == "ibkr" && len(c.Sim.Data) > 0 {
		bad("sim.data: a replay needs the simulated gateway; leave out --broker ibkr")
	}
	if c.Log.Format != "text" && c.Log.Format != "json" {
		bad("log.format: %.40q is neither text nor json", c.Log.Format)
	}
	switch c.Log.Level {
	case "debug", "info", "warn", "error":
	default:
		bad("log.level: %.40q is none of debug, info, warn, error", c.Log.Level)
	}
	part("broker.ibkr", c.Broker.IBKR.Validate())
	part("supervisor", c.Supervisor.Validate())
	part("desk", c.Desk.Validate())
	part("health", c.Health.Validate())
	part("alert", c.Alert.Validate())
	part("runner", c.Runner.Validate())
	part("risk", c.Risk.Validate())
	part("websocket", c.Websocket.Validate())
	part("bus", c.Bus.Validate())
	part("recorder", c.Recorder.Validate())
	simulated := c.Sim
	simulated.ClientID = sim.DefaultConfig().ClientID // judged as broker.ibkr's
	part("sim", simulated.Validate())
	return errors.Join(errs...)
}
