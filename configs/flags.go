package configs

import (
	"fmt"
	"strings"

	"github.com/spf13/pflag"
)

// flag is one flag of start_trader. Values are texts, so that a bad one is
// told together with all other faults.
type flag struct {
	name, key, value, usage string
	kind                    flagKind
}

type flagKind int

const (
	single flagKind = iota
	toggle          // true when given alone
	list            // repeatable
)

// flags lists what contract and help show, in this order. A flag without a key
// is handled by its name.
var flags = []flag{
	{"broker", "broker.name", "NAME", "broker to use: sim or ibkr (default sim)", single},
	{"gateway", "broker.ibkr.gateway", "ADDR", "gateway's host:port, or gateway-paper, gateway-live, tws-paper, tws-live (default 127.0.0.1:4002)", single},
	{"client-id", "broker.ibkr.client_id", "N", "API client id; keep it for good, it owns the orders (default 1)", single},
	{"account", "broker.account", "ID", "account to trade (default the only one)", single},
	{"live", "broker.live", "", "permit an account that is not a paper account", toggle},
	{"read-only", "broker.read_only", "", "refuse every order", toggle},
	{"strategy", "runner.strategy", "NAME", "strategy to run: sma_cross, every_tick or tick_count (default sma_cross)", single},
	{"set", "", "K=V", "parameter of the strategy; repeatable", list},
	{"headless", "websocket.headless", "", "no dashboard pages; API, feed, health and metrics stay", toggle},
	{"http", "websocket.listen", "ADDR", "address of dashboard and API, or off; beyond this machine with --tls-cert or --behind-proxy (default 127.0.0.1:8787)", single},
	{"data", "data.dir", "DIR", "data folder: journal, logs, ledger; one trader a folder (default ./data)", single},
	{"bus", "bus.url", "URL", "embedded, or a NATS cluster that other programs reach the trader by, nats://127.0.0.1:4222 or tls://host:4222,… (default embedded)", single},
	{"bus-listen", "bus.listen", "ADDR", "let other programs join the bus here; needs bus.users_file (default none)", single},
	{"sim-data", "sim.data", "[SYMBOL=]FILE", "CSV to replay through the simulated gateway; repeatable (default a seeded synthetic market)", list},
	{"sim-speed", "sim.speed", "N", "speed of simulated market time; 0 is lock-step, as fast as the trader can (default 1)", single},
	{"sim-seed", "sim.seed", "N", "seed of the synthetic market (default 1)", single},
	{"sim-start", "sim.start", "TIME", "market time at which the synthetic market begins, such as 2026-11-27T09:00:00 in New York (default now)", single},
	{"sim-sessions", "sim.sessions", "NAME", "when the synthetic market is open: always, or new_york (default always)", single},
	{"sim-partial-fills", "sim.partial_fills", "", "fill no more at once than the simulated market shows", toggle},
	{"faults", "sim.faults", "FILE", "fault script for the simulated gateway; examples in configs/faults", single},
	{"run-for", "run_for", "DURATION", "stop in order after this long, such as 30s or 8h (default never)", single},
	{"check", "check", "", "show the configuration, check machine and gateway, then exit: 0, 3, or as traderctl doctor does", toggle},
	{"healthcheck", "healthcheck", "", "ask the trader that runs with the data folder whether it serves, then exit: 0 or 1", toggle},
	{"config", "", "FILE", "YAML file; flags and TRADER_* override it", single},
	{"log-format", "log.format", "NAME", "text or json (default text)", single},
	{"log-level", "log.level", "NAME", "debug, info, warn or error (default info)", single},
	{"tls-cert", "websocket.tls_cert", "FILE", "certificate (PEM) for serving beyond this machine; read again when it changes", single},
	{"tls-key", "websocket.tls_key", "FILE", "its key (PEM)", single},
	{"behind-proxy", "websocket.behind_proxy", "CIDR", "a proxy that has the TLS is at these addresses, such as 127.0.0.1/32; repeatable", list},
}

// text is a pflag value that remembers what it was given.
type text struct {
	values []string
	value  string
}

func (t *text) String() string     { return strings.Join(t.values, ",") }
func (t *text) Set(s string) error { t.values = append(t.values, s); return nil }
func (t *text) Type() string       { return t.value }

// flagSet returns the flags and where their values go.
func flagSet() (*pflag.FlagSet, map[string]*text) {
	fs := pflag.NewFlagSet("start_trader", pflag.ContinueOnError)
	fs.SortFlags = false
	fs.Usage = func() {}
	given := map[string]*text{}
	for _, f := range flags {
		v := &text{value: f.value}
		given[f.name] = v
		p := fs.VarPF(v, f.name, "", f.usage)
		if f.kind == toggle {
			v.value, p.NoOptDefVal = "bool", "true" // help shows no value for a bool
		}
	}
	fs.BoolP("help", "h", false, "show this help")
	fs.Bool("version", false, "show the version")
	return fs, given
}

// flagLayer returns what the given flags say. A single flag that is given
// twice has its last value, as users expect of an edited command line.
func flagLayer(given map[string]*text) (layer, []error) {
	l := layer{source: "flag", names: map[string]string{}, values: map[string]any{}}
	var errs []error
	for _, f := range flags {
		v := given[f.name].values
		if len(v) == 0 {
			continue
		}
		l.names[f.key] = "--" + f.name
		switch {
		case f.name == "set":
			for _, s := range v {
				k, val, ok := strings.Cut(s, "=")
				if !ok || k == "" || strings.Contains(k, ".") {
					errs = append(errs, fmt.Errorf("flag: --set: %.80q is not name=value", s))
					continue
				}
				l.values["runner.params."+k] = val
				l.names["runner.params."+k] = "--set " + k
			}
		case f.key == "":
		case f.kind == list:
			l.values[f.key] = v
		default:
			l.values[f.key] = v[len(v)-1]
		}
	}
	return l, errs
}

// Usage returns the help text.
func Usage() string {
	fs, _ := flagSet()
	return `start_trader runs trading strategies for symbols through a broker's gateway;
without a broker account it runs against the built-in simulated gateway.

Usage: ./start_trader [flags] SYMBOL [SYMBOL …]

Flags:
` + fs.FlagUsages() + `
Every setting is also a key of the YAML file (--config) and a variable of the
environment: broker.ibkr.client_id is TRADER_BROKER__IBKR__CLIENT_ID. Flags
override the environment, which overrides the file, which overrides defaults.

Exit: 0 stopped as asked, 1 unexpected, 2 usage, 3 configuration, 4 refused for
good before the first ready (such as a live account without --live).
`
}
