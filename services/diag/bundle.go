package diag

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"path"
	"time"
)

// The bounds of a bundle.
const (
	// MaxBundle bounds all parts together, before they are packed.
	MaxBundle = 50 << 20
	// MaxPart bounds one part: its end is kept, which is the newest.
	MaxPart = 16 << 20
	// leastPart is less than what is worth a part.
	leastPart = 4 << 10
	// partWithin bounds the collecting of one part.
	partWithin = 10 * time.Second
)

// Item is one part of a bundle.
type Item struct {
	Name string // file in the archive
	What string // for a person, such as "the newest frames"
	// Limit in bytes, 0 = MaxPart.
	Limit int64
	// Collect writes the part as it is: it is masked afterwards. An error, also
	// after a part was written, is told in the manifest. It must end when ctx
	// does.
	Collect func(ctx context.Context, w io.Writer) error
}

// Bundle is an archive for a support ticket.
type Bundle struct {
	Version string // of this program
	Items   []Item
	// Secrets are texts that must not be in it, such as the token.
	Secrets []string
	// Accounts are ids that are known beside those that the parts name.
	Accounts []string
	// Mask returns what hides these accounts, and what looks like one, in a
	// text.
	Mask func(accounts []string) func([]byte) []byte
}

// Part says what became of an item.
type Part struct {
	Name  string `json:"name"`
	What  string `json:"what"`
	Bytes int    `json:"bytes"`
	// Cut counts the bytes at its beginning that were left out.
	Cut int64 `json:"cut"`
	// Missing says why it is not there, or not all of it; "" = it is whole.
	Missing string `json:"missing"`
}

// Manifest tells what is in a bundle.
type Manifest struct {
	At      time.Time `json:"at"` // wall time
	Version string    `json:"version"`
	Parts   []Part    `json:"parts"`
	Note    string    `json:"note"`
}

// Look is what a person should do before sending a bundle.
const Look = "Account ids are masked; tokens, passwords, users and addresses' paths are taken out, as far as they can be recognised. " +
	"Orders, prices, positions and balances are NOT masked. Look at it before you send it."

const (
	manifestName = "MANIFEST.json"
	readmeName   = "README.txt"
)

type collected struct {
	part Part
	text []byte
}

// Write collects all parts, masks them and writes them as a tar.gz. A part that
// cannot be had is told in the manifest, and the others are there.
func (b Bundle) Write(ctx context.Context, w io.Writer) (Manifest, error) {
	m := Manifest{At: time.Now().UTC(), Version: b.Version, Note: Look, Parts: []Part{}}
	var all []collected
	accounts, room := b.Accounts, int64(MaxBundle)
	for _, it := range b.Items {
		c := it.collect(ctx, room)
		room -= int64(len(c.text))
		accounts = append(accounts, accountsIn(c.text)...)
		all = append(all, c)
	}
	r := newRedactor(b.Secrets, accounts, b.Mask)
	zip := gzip.NewWriter(w)
	out := tar.NewWriter(zip)
	for i := range all {
		all[i].redact(r)
		m.Parts = append(m.Parts, all[i].part)
	}
	list, err := json.MarshalIndent(m, "", "  ")
	if err != nil {
		return m, fmt.Errorf("diag: manifest: %w", err)
	}
	err = entry(out, readmeName, []byte(readme(m)), m.At)
	all = append([]collected{{part: Part{Name: manifestName}, text: append(list, '\n')}}, all...)
	for _, c := range all {
		if err == nil && len(c.text) > 0 {
			err = entry(out, c.part.Name, c.text, m.At)
		}
	}
	for _, end := range []func() error{out.Close, zip.Close} {
		if err == nil { // or a full disk were told four times
			err = end()
		}
	}
	if err != nil {
		return m, fmt.Errorf("diag: bundle: %w", err)
	}
	return m, nil
}

func (it Item) collect(ctx context.Context, room int64) collected {
	c := collected{part: Part{Name: path.Clean(it.Name), What: it.What}}
	limit := it.Limit
	if limit <= 0 {
		limit = MaxPart
	}
	if limit = min(limit, room); room < leastPart {
		c.part.Missing = fmt.Sprintf("the bundle is full at %d bytes", MaxBundle)
		return c
	}
	ctx, cancel := context.WithTimeout(ctx, partWithin)
	defer cancel()
	t := &tail{limit: limit}
	if err := it.Collect(ctx, t); err != nil {
		c.part.Missing = err.Error()
	}
	c.text, c.part.Cut = t.lines()
	return c
}

// redact masks the part, and drops it rather than let something known go out.
func (c *collected) redact(r redactor) {
	c.text = r.text(c.text)
	c.part.Name = string(r.text([]byte(c.part.Name)))
	c.part.Missing = string(r.text([]byte(c.part.Missing)))
	if r.leaks(c.text) {
		c.text, c.part.Missing = nil, "it holds something that could not be masked"
	}
	c.part.Bytes = len(c.text)
}

// tail keeps the newest bytes that are written to it.
type tail struct {
	limit int64
	kept  []byte
	cut   int64
}

func (t *tail) Write(p []byte) (int, error) {
	n := len(p)
	if over := int64(len(p)) - t.limit; over > 0 {
		t.cut += over
		p = p[over:]
	}
	t.kept = append(t.kept, p...)
	if int64(len(t.kept)) > 2*t.limit { // seldom, so that a byte is moved once or twice
		t.trim()
	}
	return n, nil
}

func (t *tail) trim() {
	if over := int64(len(t.kept)) - t.limit; over > 0 {
		t.cut += over
		t.kept = t.kept[:copy(t.kept, t.kept[over:])]
	}
}

// lines returns what is kept, from the beginning of a line on where something
// was cut: half an account id is not recognised as one.
func (t *tail) lines() (text []byte, cut int64) {
	t.trim()
	if t.cut == 0 {
		return t.kept, 0
	}
	i := bytes.IndexByte(t.kept, '\n') + 1
	if i == 0 {
		i = len(t.kept) // one line of which the beginning is missing
	}
	return t.kept[i:], t.cut + int64(i)
}

func entry(w *tar.Writer, name string, text []byte, at time.Time) error {
	h := &tar.Header{Name: "trader-bundle/" + name, Mode: 0o600, Size: int64(len(text)), ModTime: at, Format: tar.FormatPAX}
	if err := w.WriteHeader(h); err != nil {
		return err
	}
	_, err := w.Write(text)
	return err
}

func readme(m Manifest) string {
	var b bytes.Buffer
	fmt.Fprintf(&b, "A bundle of robotrader %s for a support ticket, made %s.\n\n%s\n\n", m.Version, m.At.Format(time.RFC3339), m.Note)
	for _, p := range m.Parts {
		fmt.Fprintf(&b, "%-24s %s\n", p.Name, p.What)
		if p.Missing != "" {
			fmt.Fprintf(&b, "%-24s not there, or not all of it: %s\n", "", p.Missing)
		}
		if p.Cut > 0 {
			fmt.Fprintf(&b, "%-24s the oldest %d bytes are left out\n", "", p.Cut)
		}
	}
	return b.String()
}
