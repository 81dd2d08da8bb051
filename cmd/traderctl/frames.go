package main

import (
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"robotrader/broker/ibkr/recorder"
)

func framesCommand() *cobra.Command {
	c := &cobra.Command{
		Use:   "frames",
		Short: "Show what was said between trader and gateway, whether or not a trader runs",
		Long: `Show the recorded frames of a data folder, oldest first, whether or not a trader
runs. A line is time (UTC), session, direction, message and its fields; what is
unset, empty or false is left out. Accounts are masked, unless --unmasked.

--check decodes every frame, encodes it again, compares, and counts by message.
--export writes a text for a ticket, which --from reads back. With both, and
with --check, everything is taken unless --last is given.

Exit: 0, 1 when something cannot be read or --check finds a frame that does not
decode, 2 usage.`,
		Example: `  traderctl frames --last 20
  traderctl frames --message errMsg --last 0
  traderctl frames --export frames.txt --since 10m
  traderctl frames --check`,
		Args: cobra.NoArgs,
		RunE: runFrames,
	}
	f := c.Flags()
	f.Int("last", 50, "show the newest N; 0 is all")
	f.String("since", "", "not older than a duration such as 10m, or a time such as 2026-11-27T09:30:00Z")
	f.Uint64("session", 0, "of one session, by its number")
	f.Bool("in", false, "only what came from the gateway")
	f.Bool("out", false, "only what went to the gateway")
	f.String("message", "", "only one message, by name or number, or a mark: begun, ended, gap")
	f.Bool("raw", false, "show the fields as they stand on the wire, with | between them")
	f.Bool("hex", false, "show the bytes")
	f.Bool("unmasked", false, "show accounts; do not pass it on")
	f.Bool("check", false, "decode all, count by message, tell every failure")
	f.String("export", "", "write a text for a ticket to this file")
	f.String("from", "", "read an export or a segment instead of the data folder")
	return c
}

// recording is where records come from, and where they end.
type recording interface {
	recorder.Rewinder
	Damage() (list []recorder.Damage, total int)
}

func runFrames(c *cobra.Command, _ []string) (err error) {
	filter, last, err := framesChoice(c, time.Now())
	if err != nil {
		return err
	}
	src, end, err := openRecording(c)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, end()) }()
	var mask *recorder.Masker
	if !flagOn(c, "unmasked") {
		if mask, err = recorder.MaskOf(src); err != nil {
			return err
		}
	}
	out := c.OutOrStdout()
	switch path := flagText(c, "export"); {
	case flagOn(c, "check"):
		err = checkFrames(out, src, filter, last, mask, flagOn(c, "json"))
	case path != "":
		err = exportFrames(out, path, src, filter, last, mask)
	default:
		print := linePrinter(c)
		err = recorder.Select(src, filter, last, func(r recorder.Record) error {
			return print(out, mask.Record(r), mask)
		})
	}
	return errors.Join(err, tellDamage(c.ErrOrStderr(), src))
}

// framesChoice reads what is to be shown.
func framesChoice(c *cobra.Command, now time.Time) (f recorder.Filter, last int, err error) {
	usage := func(format string, a ...any) (recorder.Filter, int, error) {
		return f, 0, fmt.Errorf("%w: "+format, append([]any{errUsage}, a...)...)
	}
	flags := c.Flags()
	if last, err = flags.GetInt("last"); err != nil {
		return f, 0, err
	}
	if last < 0 {
		return usage("--last %d is negative; 0 is all", last)
	}
	if !flags.Changed("last") && (flagOn(c, "check") || flagText(c, "export") != "") {
		last = 0
	}
	if f.Session, err = flags.GetUint64("session"); err != nil {
		return f, 0, err
	}
	switch in, out := flagOn(c, "in"), flagOn(c, "out"); {
	case in && out:
		return usage("--in and --out exclude each other; leave both out to see both")
	case in:
		f.Kind = recorder.In
	case out:
		f.Kind = recorder.Out
	}
	f.Message = flagText(c, "message")
	shapes := 0
	for _, name := range []string{"raw", "hex", "json"} {
		if flagOn(c, name) {
			shapes++
		}
	}
	if shapes > 1 {
		return usage("--raw, --hex and --json exclude each other")
	}
	if flagOn(c, "check") && flagText(c, "export") != "" {
		return usage("--check and --export exclude each other")
	}
	if since := flagText(c, "since"); since != "" {
		d, notDuration := time.ParseDuration(since)
		t, notTime := time.Parse(time.RFC3339, since)
		switch {
		case notDuration == nil && d >= 0:
			f.Since = now.Add(-d)
		case notTime == nil:
			f.Since = t
		default:
			return usage("--since %q is neither a duration such as 10m nor a time such as 2026-11-27T09:30:00Z", since)
		}
	}
	return f, last, nil
}

// openRecording opens the data folder's ring, or the file that --from names.
func openRecording(c *cobra.Command) (recording, func() error, error) {
	if path := flagText(c, "from"); path != "" {
		r, err := recorder.OpenFile(path)
		if err != nil {
			return nil, nil, err
		}
		return r, r.Close, nil
	}
	dir := flagText(c, "data")
	if _, err := os.Stat(filepath.Join(dir, recorder.Folder)); err != nil {
		return nil, nil, fmt.Errorf("nothing is recorded in the data folder %s: %w; name the trader's folder with --data", dir, err)
	}
	r, err := recorder.Open(dir)
	return r, func() error { return nil }, err
}

func tellDamage(errs io.Writer, src recording) error {
	list, total := src.Damage()
	for _, d := range list {
		fmt.Fprintf(errs, "traderctl: %v\n", d)
	}
	if total > len(list) {
		fmt.Fprintf(errs, "traderctl: and %d more places like these\n", total-len(list))
	}
	return nil
}

// exportFrames writes a text for a ticket, as a whole or not at all.
func exportFrames(out io.Writer, path string, src recorder.Source, f recorder.Filter, last int, mask *recorder.Masker) error {
	var n int
	_, err := writeFile("export", path, func(w io.Writer) (err error) {
		n, err = recorder.Export(w, src, f, last, mask)
		return err
	})
	if err != nil {
		return err
	}
	what := "accounts masked"
	if mask == nil {
		what = "ACCOUNTS NOT MASKED"
	}
	_, err = fmt.Fprintf(out, "%d records written to %s, %s\n", n, path, what)
	return err
}

// linePrinter returns how a record is shown. Records come masked; the mask is
// for what the decoder unescapes.
func linePrinter(c *cobra.Command) func(io.Writer, recorder.Record, *recorder.Masker) error {
	switch {
	case flagOn(c, "json"):
		return printFrameJSON
	case flagOn(c, "hex"):
		return func(w io.Writer, r recorder.Record, _ *recorder.Masker) error {
			_, err := fmt.Fprintf(w, "%s  %s\n", frameHead(r), hex.EncodeToString(r.Payload))
			return err
		}
	case flagOn(c, "raw"):
		return func(w io.Writer, r recorder.Record, _ *recorder.Masker) error {
			_, err := fmt.Fprintf(w, "%s  %s\n", frameHead(r), rawFields(r))
			return err
		}
	}
	return printFrame
}

// rawFields shows the fields as they stand on the wire; what a terminal might
// take for a command, and the sign between fields, are escaped.
func rawFields(r recorder.Record) string {
	fields := r.Fields()
	for i, f := range fields {
		quoted := strconv.Quote(f)
		fields[i] = strings.ReplaceAll(strings.ReplaceAll(quoted[1:len(quoted)-1], `\"`, `"`), "|", `\x7c`)
	}
	return strings.Join(fields, "|")
}

// timeLayout shows nanoseconds in a column.
const timeLayout = "2006-01-02T15:04:05.000000000Z"

func frameHead(r recorder.Record) string {
	return fmt.Sprintf("%s  s%-4d %-5s  %-20s", r.At.UTC().Format(timeLayout), r.Session, r.Kind, r.Name())
}

// longestLine bounds a line for people; --raw and --json show all.
const longestLine = 2000

func printFrame(w io.Writer, r recorder.Record, mask *recorder.Masker) error {
	text := rawFields(r)
	if m, err := recorder.Decode(r); err == nil {
		var b strings.Builder
		for _, f := range messageFields(m, mask) {
			fmt.Fprintf(&b, " %s=%s", f.name, shown(f.value))
		}
		text = strings.TrimPrefix(b.String(), " ")
	} else if r.Kind.Frame() {
		text = fmt.Sprintf("DOES NOT DECODE (%s): %s", mask.Text(err.Error()), text)
	}
	if len(text) > longestLine {
		text = fmt.Sprintf("%s… and %d more bytes (--raw shows all)", strings.ToValidUTF8(text[:longestLine], ""), len(text)-longestLine)
	}
	_, err := fmt.Fprintf(w, "%s  %s\n", frameHead(r), text)
	return err
}

// shown quotes a value that would not read as one word.
func shown(s string) string {
	if quoted := strconv.Quote(s); len(quoted) != len(s)+2 || s == "" || strings.ContainsAny(s, " =") {
		return quoted
	}
	return s
}

// frameJSON is one record of frames --json. Fields are texts by their name in
// the decoder; Raw is there when it gives none.
type frameJSON struct {
	At      time.Time         `json:"at"`
	Session uint64            `json:"session"`
	Kind    string            `json:"kind"`
	Version int               `json:"version"`
	ID      *int              `json:"id"`
	Message string            `json:"message"`
	Fields  map[string]string `json:"fields,omitempty"`
	Raw     []string          `json:"raw,omitempty"`
	Error   string            `json:"error,omitempty"`
}

func printFrameJSON(w io.Writer, r recorder.Record, mask *recorder.Masker) error {
	line := frameJSON{At: r.At, Session: r.Session, Kind: r.Kind.String(), Version: int(r.Version), Message: r.Name()}
	if id, ok := r.ID(); ok {
		line.ID = &id
	}
	m, err := recorder.Decode(r)
	if err != nil {
		line.Raw = r.Fields()
		if r.Kind.Frame() {
			line.Error = mask.Text(err.Error())
		}
		return json.NewEncoder(w).Encode(line)
	}
	line.Fields = map[string]string{}
	for _, f := range messageFields(m, mask) {
		line.Fields[f.name] = f.value
	}
	return json.NewEncoder(w).Encode(line)
}
