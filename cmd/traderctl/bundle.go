package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"robotrader/broker"
	"robotrader/broker/ibkr"
	"robotrader/broker/ibkr/recorder"
	"robotrader/broker/ibkr/wire"
	"robotrader/configs"
	"robotrader/services/diag"
	"robotrader/services/host"
	"robotrader/services/journal"
)

const (
	bundleWithin = time.Minute
	// bundleStates is how many of the link's newest states go into a bundle.
	bundleStates = 5000
)

func bundleCommand() *cobra.Command {
	c := &cobra.Command{
		Use:   "bundle",
		Short: "Pack what a support ticket needs into one archive, whether or not a trader runs",
		Long: `Pack what a support ticket needs into one archive (tar.gz), whether or not a
trader runs: versions, the matrix of gateway builds and the records of
handshakes, the newest frames, the configuration, logs, the link's timeline,
what the kernel tells of the gateway's process and sockets, and the state of a
running trader. The gateway is not asked anything.

` + diag.Look + `

Exit: 0, also when parts are missing, which it says; 1 no data folder, or the
archive cannot be written; 2 usage.`,
		Args: cobra.NoArgs,
		RunE: runBundle,
	}
	c.Flags().String("out", "", "file to write (default: trader-bundle-TIME.tar.gz)")
	c.Flags().String("http", "", "address of the trader (default: what it wrote into its data folder)")
	c.Flags().String("config", "", "the trader's YAML file (default: what the last start was configured with)")
	c.Flags().Int("frames", 2000, "how many of the newest frames; 0 is none")
	buildFlags(c)
	return c
}

func runBundle(c *cobra.Command, _ []string) error {
	folder := flagText(c, "data")
	if info, err := os.Stat(folder); err != nil || !info.IsDir() {
		return noFolder(folder)
	}
	frames, err := c.Flags().GetInt("frames")
	if err != nil {
		return err
	}
	if frames < 0 {
		return fmt.Errorf("%w: --frames %d is negative", errUsage, frames)
	}
	running, err := runningBuild(c)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(c.Context(), bundleWithin)
	defer cancel()
	at := time.Now().UTC()
	path := flagText(c, "out")
	if path == "" {
		path = "trader-bundle-" + at.Format("20060102T150405Z") + ".tar.gz"
	}
	b := bundleOf(c, folder, running, frames)
	var m diag.Manifest
	size, err := writeFile("out", path, func(w io.Writer) error {
		m, err = b.Write(ctx, w)
		return err
	})
	if err != nil {
		return err
	}
	if flagOn(c, "json") {
		return json.NewEncoder(c.OutOrStdout()).Encode(struct {
			File  string `json:"file"`
			Bytes int64  `json:"bytes"`
			diag.Manifest
		}{path, size, m})
	}
	return printBundle(c.OutOrStdout(), path, size, m)
}

func noFolder(path string) error {
	return fmt.Errorf("no data folder %s: name the trader's with --data", path)
}

func printBundle(w io.Writer, path string, size int64, m diag.Manifest) error {
	fmt.Fprintf(w, "%s: %d bytes\n", path, size)
	for _, p := range m.Parts {
		fmt.Fprintf(w, "  %-22s %9d  %s\n", p.Name, p.Bytes, p.What)
		if p.Missing != "" {
			fmt.Fprintf(w, "  %-22s %9s  not there, or not all of it: %s\n", "", "", p.Missing)
		}
		if p.Cut > 0 {
			fmt.Fprintf(w, "  %-22s %9s  the oldest %d bytes are left out\n", "", "", p.Cut)
		}
	}
	_, err := fmt.Fprintf(w, "%s\n", m.Note)
	return err
}

// bundleOf says what belongs into a bundle. Parts of other families meet here.
func bundleOf(c *cobra.Command, folder, running string, frames int) diag.Bundle {
	b := diag.Bundle{
		Version: revision(),
		Mask: func(accounts []string) func([]byte) []byte {
			m := recorder.NewMasker(accounts...)
			return func(b []byte) []byte { return []byte(m.Text(string(b))) }
		},
	}
	if raw, err := os.ReadFile(filepath.Join(folder, "token")); err == nil {
		b.Secrets = append(b.Secrets, strings.TrimSpace(string(raw)))
	}
	if home, err := os.UserHomeDir(); err == nil && len(home) > 1 {
		b.Secrets = append(b.Secrets, home) // it holds a name
	}
	b.Items = append(b.Items, diag.JSONItem("versions.json", "versions of program, Go and system", func(context.Context) (map[string]string, error) { return versions(running), nil }))
	b.Items = append(b.Items, diag.RecordItems(folder, running)...)
	b.Items = append(b.Items, settingsItem(c, folder, &b))
	b.Items = append(b.Items, hostItem(c), timelineItem(folder))
	if frames > 0 {
		b.Items = append(b.Items, diag.Item{Name: "frames.txt", What: "the newest frames, for traderctl frames --from", Collect: func(_ context.Context, w io.Writer) error {
			n, err := recorder.WriteMasked(w, folder, frames)
			if err == nil && n == 0 {
				err = errors.New("none are recorded")
			}
			return err
		}})
	}
	b.Items = append(b.Items, askedItem(c, "state.json", "the running trader's state", "/api/state"), askedItem(c, "metrics.txt", "its metrics", "/metrics"))
	b.Items = append(b.Items, diag.LogItems(folder)...)
	return b
}

func versions(running string) map[string]string {
	v := map[string]string{
		"robotrader": revision(), "go": runtime.Version(), "platform": runtime.GOOS + "/" + runtime.GOARCH,
		"server_versions": fmt.Sprintf("%d..%d", wire.MinVersion, wire.MaxVersion), "gateway_build": running,
	}
	if info, ok := debug.ReadBuildInfo(); ok {
		for _, d := range info.Deps {
			v["dependency "+d.Path] = d.Version
		}
	}
	if raw, err := os.ReadFile("/proc/version"); err == nil {
		v["kernel"] = strings.TrimSpace(string(raw))
	}
	return v
}

// settingsItem is the configuration: of the file that is named, or of the last
// start. The account that it names is masked in all parts.
func settingsItem(c *cobra.Command, folder string, b *diag.Bundle) diag.Item {
	const name, what = "settings.json", "the configuration, without what may be private"
	file := flagText(c, "config")
	if file == "" {
		it := diag.FileItem(name, what+", of the last start", filepath.Join(folder, "settings.json"))
		collect := it.Collect
		it.Collect = func(ctx context.Context, w io.Writer) error {
			err := collect(ctx, w)
			if errors.Is(err, fs.ErrNotExist) {
				err = errors.New("no trader was started with this data folder, or an older one; name its file with --config")
			}
			return err
		}
		return it
	}
	cfg, err := configs.Load([]string{"--config", file}, os.Environ())
	if errors.Is(err, configs.ErrUsage) {
		err = nil // no symbol: the command line of a trader names it
	}
	if err != nil { // its texts quote values
		err = fmt.Errorf("%s has faults: start_trader --config %s --check tells them", filepath.Base(file), filepath.Base(file))
	}
	if id := cfg.Broker.Account; id != "" {
		b.Accounts = append(b.Accounts, id)
	}
	return diag.JSONItem(name, what, func(context.Context) ([]configs.Setting, error) { return cfg.Harmless(), err })
}

// hostItem is what the kernel tells of the gateway, which is not asked.
func hostItem(c *cobra.Command) diag.Item {
	type machine struct {
		Gateway  string          `json:"gateway"`
		Evidence broker.Evidence `json:"evidence"`
		Sockets  host.Sockets    `json:"sockets"`
		Gateways []host.Gateway  `json:"gateways"`
	}
	return diag.JSONItem("host.json", "the gateway's process and sockets, from the kernel", func(ctx context.Context) (machine, error) {
		address, err := ibkr.Address(flagText(c, "gateway"))
		m := machine{Gateway: address}
		if err != nil {
			return m, err
		}
		h := host.New()
		var errs [2]error
		m.Evidence = h.Listener(ctx, address)
		m.Sockets, errs[0] = h.Sockets(ctx, address)
		m.Gateways, errs[1] = h.Gateways(ctx, address)
		return m, errors.Join(errs[:]...)
	})
}

// timelineItem is the link's way, a state a line, from the journal.
func timelineItem(folder string) diag.Item {
	return diag.Item{Name: "timeline.jsonl", What: "the link's newest states, a line each", Collect: func(ctx context.Context, w io.Writer) (err error) {
		r, err := journal.OpenReadOnly(filepath.Join(folder, "journal.db"))
		if err != nil {
			return err
		}
		defer func() { err = errors.Join(err, r.Close()) }()
		links, err := r.Links(ctx, bundleStates)
		e := json.NewEncoder(w)
		for _, l := range links {
			err = errors.Join(err, e.Encode(l))
		}
		return err
	}}
}

// askedItem is what a running trader answers.
func askedItem(c *cobra.Command, name, what, path string) diag.Item {
	return diag.Item{Name: name, What: what, Collect: func(ctx context.Context, w io.Writer) error {
		caller, err := where(c, orderWithin)
		if err != nil {
			return err
		}
		addr := caller.Addr
		res, err := caller.Get(ctx, path)
		if err != nil {
			return unanswered(addr, err)
		}
		defer res.Body.Close()
		if res.StatusCode != http.StatusOK {
			return fmt.Errorf("the trader at %s answers %s", addr, res.Status)
		}
		_, err = io.Copy(w, io.LimitReader(res.Body, maxState))
		return err
	}}
}
