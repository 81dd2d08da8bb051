package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"robotrader/websocket/server"
)

const (
	// orderWithin is longer than the trader's own limit, so that its answer is
	// seen rather than our impatience.
	orderWithin = 8 * time.Second
	// maxToken bounds what is read of a token's file.
	maxToken = 4 << 10
)

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
			if flagOn(c, "json") {
				_, err := c.OutOrStdout().Write(raw)
				return err
			}
			var done server.Done
			if err := json.Unmarshal(raw, &done); err != nil {
				return fmt.Errorf("answer not understood: %w", err)
			}
			return printDone(c.OutOrStdout(), done)
		},
	}
	c.Flags().String("http", "", "address of the trader (default: what it wrote into its data folder)")
	c.Flags().String("token-file", "", "file with the trader's token (default: token in the data folder)")
	return c
}

func printDone(w io.Writer, d server.Done) error {
	_, err := fmt.Fprintf(w, "%s: taken up\nstate   %s\ncause   %s\nadvice  %s\n", d.Done, d.Link.State, d.Link.Cause, d.Link.Advice)
	return err
}

// post posts to the running trader, with its token, and returns the answer.
func post(c *cobra.Command, name string) ([]byte, error) { return postJSON(c, name, nil) }

// postJSON is post with a body, unless that is empty.
func postJSON(c *cobra.Command, name string, ask map[string]string) ([]byte, error) {
	var body io.Reader
	if len(ask) > 0 {
		raw, err := json.Marshal(ask)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		body = bytes.NewReader(raw)
	}
	addr, err := where(c)
	if err != nil {
		return nil, err
	}
	token, err := readToken(c)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(c.Context(), orderWithin)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://"+addr+"/api/"+name, body)
	if err != nil {
		return nil, fmt.Errorf("%w: address %q: %w", errUsage, addr, err)
	}
	req.Header.Set("Authorization", "Bearer "+token)
	if body != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	res, err := tokenClient().Do(req)
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

// tokenClient asks the address that it is given and no other: a token is not
// for a proxy, nor for where a redirect leads.
func tokenClient() *http.Client {
	return &http.Client{
		Timeout:       orderWithin,
		Transport:     &http.Transport{DisableKeepAlives: true},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

// readToken reads the trader's token. No error of it holds a part of one.
func readToken(c *cobra.Command) (string, error) {
	path := flagText(c, "token-file")
	if path == "" {
		path = filepath.Join(flagText(c, "data"), "token")
	}
	f, err := os.Open(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return "", fmt.Errorf("no token: %w; name the trader's data folder with --data, or the file with --token-file", err)
	case errors.Is(err, fs.ErrPermission):
		return "", fmt.Errorf("no token: %w; run this as the user that the trader runs as", err)
	case err != nil:
		return "", fmt.Errorf("no token: %w", err)
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, maxToken))
	if err != nil {
		return "", fmt.Errorf("no token: %w", err)
	}
	token := strings.TrimSpace(string(b))
	if token == "" || strings.ContainsFunc(token, func(r rune) bool { return r <= ' ' || r > '~' }) {
		return "", fmt.Errorf("%s holds no token: it has to be one line of printable characters", path)
	}
	return token, nil
}
