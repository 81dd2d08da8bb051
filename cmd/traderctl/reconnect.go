package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"path/filepath"
	"time"

	"github.com/spf13/cobra"

	"robotrader/services/diag"
	"robotrader/websocket/server"
)

// orderWithin is longer than the trader's own limit, so that its answer is seen
// rather than our impatience.
const orderWithin = 8 * time.Second

func reconnectCommand() *cobra.Command {
	c := &cobra.Command{
		Use:   "reconnect",
		Short: "Make a running trader try the gateway now, and print the link's new state",
		Long: `Make a running trader try the gateway now.

It cuts every wait short, also that of a link in needs_restart or refused, and
closes a session that is open in order to make a new one. It is answered when
the trader's journal holds it; the attempt itself may take longer: see
traderctl status. Restart and log in to a gateway that hangs first, by hand.

Exit: 0 taken up, 1 not: no trader runs, or it refused or did not answer,
2 usage.`,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			raw, err := post(c, "reconnect")
			if err != nil {
				return err
			}
			return printAnswer(c, raw, func(server.Done) bool { return true }, printDone)
		},
	}
	traderFlags(c)
	return c
}

// traderFlags are those of a command that changes what a running trader does.
func traderFlags(c *cobra.Command) {
	c.Flags().String("http", "", "address of the trader (default: what it wrote into its data folder)")
	c.Flags().String("token-file", "", "file with the trader's token (default: token in the data folder)")
}

// printAnswer prints what a trader answered to an order: as it came with --json,
// otherwise by print. An answer that is not whole is an error.
func printAnswer(c *cobra.Command, raw []byte, whole func(server.Done) bool, print func(io.Writer, server.Done) error) error {
	if flagOn(c, "json") {
		_, err := c.OutOrStdout().Write(raw)
		return err
	}
	var done server.Done
	if err := json.Unmarshal(raw, &done); err != nil {
		return fmt.Errorf("answer not understood: %.200s: %w", raw, err)
	}
	if !whole(done) {
		return fmt.Errorf("answer not understood: %.200s: it does not tell what was done", raw)
	}
	return print(c.OutOrStdout(), done)
}

func printDone(w io.Writer, d server.Done) error {
	_, err := fmt.Fprintf(w, "%s: taken up\nstate   %s\ncause   %s\nadvice  %s\n", d.Done, d.Link.State, d.Link.Cause, d.Link.Advice)
	return err
}

// post posts to the running trader, with its token, and returns the answer.
func post(c *cobra.Command, name string) ([]byte, error) { return postJSON(c, name, nil) }

// postJSON is post with a body, unless that is empty.
func postJSON(c *cobra.Command, name string, ask map[string]string) ([]byte, error) {
	return postWithin(c, name, ask, orderWithin)
}

// postWithin is postJSON with a bound of its own.
func postWithin(c *cobra.Command, name string, ask map[string]string, within time.Duration) ([]byte, error) {
	var body io.Reader
	if len(ask) > 0 {
		raw, err := json.Marshal(ask)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		body = bytes.NewReader(raw)
	}
	caller, err := where(c, within)
	if err != nil {
		return nil, err
	}
	addr := caller.Addr
	token, err := readToken(c)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(c.Context(), within)
	defer cancel()
	res, err := caller.Post(ctx, "/api/"+name, token, body)
	if err != nil {
		return nil, unanswered(addr, err)
	}
	defer res.Body.Close()
	raw, err := io.ReadAll(io.LimitReader(res.Body, maxState))
	if err != nil {
		return nil, fmt.Errorf("the trader at %s: %w", addr, err)
	}
	if res.StatusCode == http.StatusOK {
		return raw, nil
	}
	var f server.Fault
	if err := json.Unmarshal(raw, &f); err != nil || f.Error == "" {
		return nil, fmt.Errorf("the trader at %s answers %s: %.200s", addr, res.Status, raw)
	}
	return nil, fmt.Errorf("the trader at %s answers %s: %s\n  mend: %s", addr, res.Status, f.Error, f.Mend)
}

// readToken reads the trader's token.
func readToken(c *cobra.Command) (string, error) {
	path := flagText(c, "token-file")
	if path == "" {
		path = filepath.Join(flagText(c, "data"), "token")
	}
	return diag.ReadToken(path)
}
