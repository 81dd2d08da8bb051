package configs

import (
	"errors"
	"fmt"
	"os"
	"strings"

	"github.com/knadh/koanf/parsers/yaml"
	"github.com/knadh/koanf/providers/env/v2"
	"github.com/knadh/koanf/providers/file"
	"github.com/knadh/koanf/v2"

	"robotrader/broker/market"
)

// The ways in which Load ends without a configuration.
var (
	// ErrHelp means that help was asked for.
	ErrHelp = errors.New("help wanted")
	// ErrVersion means that the version was asked for.
	ErrVersion = errors.New("version wanted")
	// ErrUsage means that the command line itself makes no sense.
	ErrUsage = errors.New("usage")
	// ErrConfig means that the configuration has faults; the error tells all.
	ErrConfig = errors.New("configuration")
)

// Faults is all that is wrong with a configuration. It satisfies [ErrConfig].
type Faults []error

func (f Faults) Error() string {
	lines := make([]string, len(f))
	for i, err := range f {
		lines[i] = err.Error()
	}
	return strings.Join(lines, "\n")
}

// Unwrap lets errors.Is see the kind and each fault.
func (f Faults) Unwrap() []error { return append([]error{ErrConfig}, f...) }

// Load reads the command line (without the program's name) and the environment
// (as of os.Environ), and the file that one of them names.
func Load(args, environ []string) (Config, error) {
	fs, given := flagSet()
	if err := fs.Parse(args); err != nil {
		return Config{}, fmt.Errorf("%w: %w", ErrUsage, err)
	}
	for name, kind := range map[string]error{"help": ErrHelp, "version": ErrVersion} {
		if on, err := fs.GetBool(name); err == nil && on {
			return Config{}, kind
		}
	}
	fromFlags, faults := flagLayer(given)
	fromEnv, err := envLayer(environ)
	faults = append(faults, err...)
	layers := []layer{fromEnv, fromFlags}
	if path := last(given["config"].values); path != "" {
		fromFile, err := fileLayer(path)
		if err != nil {
			faults = append(faults, err)
		}
		layers = append([]layer{fromFile}, layers...)
	}
	cfg := DefaultConfig()
	for _, l := range layers {
		faults = append(faults, l.apply(&cfg)...)
	}
	if len(fs.Args()) > 0 {
		cfg.Symbols = fs.Args()
	}
	faults = append(faults, cfg.settle()...)
	faults = append(faults, flatten(cfg.Validate())...)
	switch {
	case len(faults) > 0:
		return cfg, Faults(faults)
	case len(cfg.Runner.Symbols) == 0 && !cfg.Healthcheck:
		return cfg, fmt.Errorf("%w: no symbol: say what to trade, such as ./start_trader AAPL", ErrUsage)
	}
	return cfg, nil
}

func last(list []string) string {
	if len(list) == 0 {
		return ""
	}
	return list[len(list)-1]
}

// maxFile bounds a configuration file; ours have a hundred lines.
const maxFile = 1 << 20

func fileLayer(path string) (layer, error) {
	l := layer{source: "file " + path}
	info, err := os.Stat(path)
	switch {
	case err != nil:
		return l, fmt.Errorf("flag: --config: %w", err)
	case !info.Mode().IsRegular() || info.Size() > maxFile: // a device or a pipe may never end
		return l, fmt.Errorf("flag: --config: %s is not a YAML file of at most 1 MiB", path)
	}
	k := koanf.New(".")
	if err := k.Load(file.Provider(path), yaml.Parser()); err != nil {
		return l, fmt.Errorf("file %s: not YAML: %w", path, err)
	}
	l.values = k.All()
	return l, nil
}

// prefix of the environment's variables.
const prefix = "TRADER_"

func envLayer(environ []string) (layer, []error) {
	l := layer{source: "environment", names: map[string]string{}}
	k := koanf.New(".")
	err := k.Load(env.Provider(".", env.Opt{
		Prefix:      prefix,
		EnvironFunc: func() []string { return environ },
		TransformFunc: func(name, value string) (string, any) {
			key := strings.ReplaceAll(strings.ToLower(strings.TrimPrefix(name, prefix)), "__", ".")
			l.names[key] = name
			return key, value
		},
	}), nil)
	if err != nil {
		return l, []error{fmt.Errorf("environment: %w", err)}
	}
	l.values = k.All()
	return l, nil
}

// settle turns what several parts share into what each of them takes: the
// symbols, and what desk and simulator need of the broker's section.
func (c *Config) settle() []error {
	var errs []error
	c.Runner.Symbols = nil
	for _, arg := range c.Symbols {
		for s := range strings.SplitSeq(arg, ",") {
			if s = strings.TrimSpace(s); s == "" {
				continue
			}
			sym, err := market.ParseSymbol(s)
			if err != nil {
				errs = append(errs, fmt.Errorf("symbol %.40q is not a ticker such as AAPL: 1 to 12 letters, digits, dots and dashes", s))
				continue
			}
			c.Runner.Symbols = append(c.Runner.Symbols, sym)
		}
	}
	if len(c.Symbols) == 0 && c.Broker.Name == "sim" {
		c.Runner.Symbols = c.Sim.Played()
	}
	c.Desk.ReadOnly = c.Broker.ReadOnly
	c.Sim.Symbols, c.Sim.ClientID = c.Runner.Symbols, c.Broker.IBKR.ClientID
	return errs
}

// flatten returns the single faults of a joined error.
func flatten(err error) []error {
	if err == nil {
		return nil
	}
	if joined, ok := err.(interface{ Unwrap() []error }); ok {
		if _, wraps := err.(interface{ Is(error) bool }); !wraps && strings.Contains(err.Error(), "\n") {
			var list []error
			for _, e := range joined.Unwrap() {
				list = append(list, flatten(e)...)
			}
			return list
		}
	}
	return []error{err}
}
