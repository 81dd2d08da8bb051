package diag

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"

	"robotrader/broker/ibkr/recorder"
)

func masker(accounts []string) func([]byte) []byte {
	m := recorder.NewMasker(accounts...)
	return func(b []byte) []byte { return []byte(m.Text(string(b))) }
}

// unpack returns the archive's files, by name, and all bytes of it unpacked.
func unpack(t interface{ Fatal(...any) }, archive []byte) (files map[string]string, all string) {
	zip, err := gzip.NewReader(bytes.NewReader(archive))
	if err != nil {
		t.Fatal(err)
	}
	raw, err := io.ReadAll(zip)
	if err != nil {
		t.Fatal(err)
	}
	files = map[string]string{}
	for r := tar.NewReader(bytes.NewReader(raw)); ; {
		h, err := r.Next()
		if errors.Is(err, io.EOF) {
			return files, string(raw)
		}
		if err != nil {
			t.Fatal(err)
		}
		b, err := io.ReadAll(r)
		if err != nil {
			t.Fatal(err)
		}
		files[strings.TrimPrefix(h.Name, "trader-bundle/")] = string(b)
	}
}

func textItem(name, text string) Item {
	return Item{Name: name, What: "a text", Collect: func(_ context.Context, w io.Writer) error {
		_, err := io.WriteString(w, text)
		return err
	}}
}

func TestBundle(t *testing.T) {
	b := Bundle{
		Version: "v1", Secrets: []string{"thetoken"}, Mask: masker,
		Items: []Item{
			textItem("a.json", `{"account":"DU7654321","accounts":["XY-77-AB"],"price":"187.25"}`),
			textItem("b.txt", "order of DU7654321 and XY-77-AB with thetoken at 187.25\n"),
			{Name: "c.txt", What: "what cannot be had", Collect: func(context.Context, io.Writer) error { return errors.New("no file for DU7654321") }},
			{Name: "d.txt", What: "half of it", Collect: func(_ context.Context, w io.Writer) error {
				fmt.Fprintln(w, "half")
				return errors.New("disk error")
			}},
			{Name: "e.txt", What: "too much", Limit: 100, Collect: func(_ context.Context, w io.Writer) error {
				for i := range 1000 {
					fmt.Fprintf(w, "line %d\n", i)
				}
				return nil
			}},
			textItem("log-DU7654321.txt", "named after an account"),
			textItem("empty.txt", ""),
		},
	}
	var out bytes.Buffer
	m, err := b.Write(t.Context(), &out)
	if err != nil {
		t.Fatal(err)
	}
	files, all := unpack(t, out.Bytes())
	for _, secret := range []string{"7654321", "XY-77-AB", "thetoken"} {
		if strings.Contains(all, secret) {
			t.Errorf("%s is in it", secret)
		}
	}
	for name, want := range map[string]string{
		"a.json":            `{"account":"DU*****21","accounts":["XY****AB"],"price":"187.25"}`,
		"b.txt":             "order of DU*****21 and XY****AB with [removed] at 187.25\n",
		"d.txt":             "half\n",
		"log-DU*****21.txt": "named after an account",
	} {
		if got := files[name]; got != want {
			t.Errorf("%s: %q, want %q", name, got, want)
		}
	}
	if e := files["e.txt"]; !strings.HasPrefix(e, "line 9") || !strings.HasSuffix(e, "line 999\n") || len(e) > 100 {
		t.Errorf("the end of what is too much: %q", e)
	}
	if _, ok := files["c.txt"]; ok || len(files) != 7 {
		t.Errorf("%d files", len(files))
	}
	var told Manifest
	if err := json.Unmarshal([]byte(files[manifestName]), &told); err != nil || len(told.Parts) != 7 || told.Note != Look || told.Version != "v1" {
		t.Errorf("%+v %v", told, err)
	}
	if p := m.Parts[2]; p.Missing != "no file for DU*****21" || p.Bytes != 0 {
		t.Errorf("%+v", p)
	}
	if p := m.Parts[3]; p.Missing != "disk error" || p.Bytes != 5 {
		t.Errorf("%+v", p)
	}
	if p := m.Parts[4]; p.Cut < 8000 {
		t.Errorf("%+v", p)
	}
	if r := files[readmeName]; !strings.Contains(r, "disk error") || !strings.Contains(r, "before you send it") {
		t.Errorf("%s", r)
	}
}

// Whatever is planted wherever, none of it is in the archive.
func TestBundleProperty(t *testing.T) {
	words := rapid.SampledFrom([]string{"order", "187.25", "usfarm", "{", "}", "\n", " ", ":", "=", ",", "ready", `"`, "2026-04-02", "session"})
	account := rapid.Custom(func(t *rapid.T) string {
		return rapid.SampledFrom([]string{"DU", "DF", "U", "F", "I"}).Draw(t, "kind") + rapid.StringMatching(`[1-9][0-9]{5,8}`).Draw(t, "number")
	})
	secret := rapid.StringMatching(`s3c[A-Za-z0-9]{8,20}`)
	rapid.Check(t, func(t *rapid.T) {
		token := rapid.StringMatching(`[0-9a-f]{64}`).Draw(t, "token")
		odd := rapid.StringMatching(`[A-Z]{3}[0-9]{1,3}-[A-Z]{2}`).Draw(t, "an account of another form")
		planted := []string{token, odd}
		plant := func() string {
			id, s := account.Draw(t, "account"), secret.Draw(t, "secret")
			switch rapid.IntRange(0, 12).Draw(t, "form") {
			case 0:
				planted = append(planted, id)
				return " " + id + " "
			case 1:
				planted = append(planted, id)
				return `{"account":"` + id + `"}`
			case 2:
				planted = append(planted, id)
				return "accounts=[" + id + " " + odd + "]\n"
			case 3:
				return token
			case 4:
				planted = append(planted, s)
				return `"smtp_password":"` + s + `",`
			case 5:
				planted = append(planted, s)
				return "\nauth token=" + s + " next=1\n"
			case 6:
				planted = append(planted, s)
				return "\nAuthorization: Bearer " + s + "\n"
			case 7:
				planted = append(planted, s)
				return " nats://bob:" + s + "@192.0.2.1:4222/x "
			case 8:
				planted = append(planted, s)
				return " https://hooks.example.com/services/" + s + "/B00 "
			case 9:
				planted = append(planted, s)
				return " http://127.0.0.1:8787/api/state?token=" + s + " "
			case 10:
				planted = append(planted, s)
				return "\napi_key: " + s + "\n"
			case 11:
				planted = append(planted, s)
				return ` msg="x password=\"` + s + `\"" `
			}
			planted = append(planted, s)
			return `"tokens":["a","` + s + `"],`
		}
		text := func() string {
			var b strings.Builder
			for range rapid.IntRange(0, 20).Draw(t, "pieces") {
				if rapid.Bool().Draw(t, "plant") {
					b.WriteString("\n" + plant() + "\n")
				} else {
					b.WriteString(words.Draw(t, "word"))
				}
			}
			return b.String()
		}
		id := account.Draw(t, "account in a name")
		planted = append(planted, id)
		b := Bundle{Version: "v1", Secrets: []string{token}, Mask: masker, Items: []Item{
			textItem("a.json", `{"accounts":["`+odd+`"]}`), textItem("state.json", text()), textItem("logs/"+id+".log", text()), textItem("c", text()),
			{Name: "d", What: "missing", Collect: func(context.Context, io.Writer) error { return errors.New(text()) }},
		}}
		var out bytes.Buffer
		if _, err := b.Write(context.Background(), &out); err != nil {
			t.Fatal(err)
		}
		_, all := unpack(t, out.Bytes())
		for _, s := range planted {
			if strings.Contains(all, s) {
				i := strings.Index(all, s)
				t.Fatalf("%q is in it: %q", s, all[max(0, i-60):min(len(all), i+60)])
			}
		}
	})
}

// JSON stays JSON, and what is no secret stays as it is.
func TestRedactorLeavesTheRest(t *testing.T) {
	r := newRedactor(nil, nil, masker)
	for in, want := range map[string]string{
		`{"symbol":"AAPL","last":"187.25","seq":12345678}`:           "",
		`{"token":null,"use_token":true,"n":1}`:                      "",
		`{"token":"abc","n":1}`:                                      `{"token":"[removed]","n":1}`,
		`{"token":"a\"b","n":1}`:                                     `{"token":"[removed]","n":1}`,
		`{"wrong_tokens":10,"n":1}`:                                  `{"wrong_tokens":"[removed]","n":1}`,
		`{"tokens":["a","b"],"n":1}`:                                 `{"tokens":["[removed]"],"n":1}`,
		`{"user":{"name":"bob"},"n":1}`:                              `{"user":{"[removed]":true},"n":1}`,
		`time=2026-04-02T09:00:00Z level=INFO msg=ready token=a n=1`: `time=2026-04-02T09:00:00Z level=INFO msg=ready token=[removed] n=1`,
		`dashboard at http://127.0.0.1:8787/`:                        "",
		`asked http://127.0.0.1:8787/api/state?x=y`:                  `asked http://127.0.0.1:8787/api/state?[removed]`,
		`see https://example.com/a/b#c`:                              `see https://example.com/[removed]`,
		`nats://u:p/w@host:4222`:                                     `nats://[removed]@host:4222`,
		`Farm connection is OK:usfarm`:                               "",
		`order 12345678 of AAPL at 187.25 in session 3, server v200`: "",
		`DU1234567,U7654321;(F123456)`:                               `DU*****67,U*****21;(F****56)`,
	} {
		if want == "" {
			want = in
		}
		got := string(r.text([]byte(in)))
		if got != want {
			t.Errorf("%s: %s, want %s", in, got, want)
		}
		if in[0] == '{' && !json.Valid([]byte(got)) {
			t.Errorf("%s is no JSON any more: %s", in, got)
		}
	}
}

func FuzzRedactor(f *testing.F) {
	f.Add(`{"token":"x"} nats://a:b@c password=\"x\"`)
	f.Fuzz(func(t *testing.T, in string) {
		out := string(newRedactor([]string{"t0ps3cret"}, []string{"DU1234567"}, masker).text([]byte(in + " t0ps3cret DU1234567 password=hunter22\n")))
		for _, s := range []string{"t0ps3cret", "DU1234567"} {
			if strings.Contains(out, s) {
				t.Errorf("%s is left in %q", s, out)
			}
		}
	})
}

// A bundle is bounded, whatever its parts are, and so is the time for one.
func TestBundleIsBounded(t *testing.T) {
	chunk := bytes.Repeat([]byte("0123456789abcde\n"), 1<<16) // 1 MiB
	var items []Item
	for i := range 6 {
		items = append(items, Item{Name: fmt.Sprint(i), Collect: func(_ context.Context, w io.Writer) error {
			for range 20 {
				if _, err := w.Write(chunk); err != nil {
					return err
				}
			}
			return nil
		}})
	}
	m, err := Bundle{Items: items}.Write(t.Context(), io.Discard)
	if err != nil {
		t.Fatal(err)
	}
	total := 0
	for _, p := range m.Parts {
		total += p.Bytes
	}
	if total > MaxBundle || total < MaxBundle-1<<20 || !strings.Contains(m.Parts[5].Missing, "full") {
		t.Errorf("%d bytes: %+v", total, m.Parts)
	}
	synctest.Test(t, func(t *testing.T) {
		began := time.Now()
		m, err := Bundle{Items: []Item{{Name: "hangs", Collect: func(ctx context.Context, _ io.Writer) error { <-ctx.Done(); return ctx.Err() }}}}.Write(t.Context(), io.Discard)
		if err != nil || time.Since(began) != partWithin || !strings.Contains(m.Parts[0].Missing, "deadline") {
			t.Errorf("%+v %v after %v", m, err, time.Since(began))
		}
	})
}

func TestTailProperty(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		limit := rapid.Int64Range(1, 50).Draw(t, "limit")
		tl := &tail{limit: limit}
		var all []byte
		for range rapid.IntRange(0, 20).Draw(t, "writes") {
			p := []byte(rapid.StringMatching(`[a-z\n]{0,70}`).Draw(t, "text"))
			all = append(all, p...)
			if n, err := tl.Write(p); n != len(p) || err != nil {
				t.Fatal(n, err)
			}
		}
		text, cut := tl.lines()
		if int64(len(text)) > limit || cut+int64(len(text)) != int64(len(all)) || !bytes.HasSuffix(all, text) {
			t.Fatalf("%q and %d of %q", text, cut, all)
		}
		if cut > 0 && len(text) > 0 && all[cut-1] != '\n' {
			t.Fatalf("%q begins within a line of %q", text, all)
		}
	})
}

func TestLogItems(t *testing.T) {
	dir := t.TempDir()
	if items := LogItems(dir); len(items) != 0 {
		t.Errorf("%d logs in a folder without", len(items))
	}
	logs := filepath.Join(dir, "logs")
	if err := os.MkdirAll(filepath.Join(logs, "folder"), 0o700); err != nil {
		t.Fatal(err)
	}
	outside := filepath.Join(dir, "token")
	big := strings.Repeat(strings.Repeat("x", 99)+"\n", 40_000) // 4 MB
	for i, f := range []struct{ path, text string }{
		{outside, "secret"},
		{filepath.Join(logs, "old.log"), big},
		{filepath.Join(logs, "older.log.gz"), "packed"},
		{filepath.Join(logs, "new.log"), big},
	} {
		if err := os.WriteFile(f.path, []byte(f.text), 0o600); err != nil {
			t.Fatal(err)
		}
		at := dawn.Add(time.Duration(i) * time.Hour)
		if err := os.Chtimes(f.path, at, at); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Symlink(outside, filepath.Join(logs, "link.log")); err != nil {
		t.Fatal(err)
	}
	m, err := Bundle{Items: LogItems(dir)}.Write(t.Context(), io.Discard)
	if err != nil || len(m.Parts) != 2 || m.Parts[0].Name != "logs/new.log" || m.Parts[1].Name != "logs/old.log" {
		t.Fatalf("%+v %v", m.Parts, err)
	}
	if total := m.Parts[0].Bytes + m.Parts[1].Bytes; m.Parts[0].Bytes != len(big) || total > maxLogs || m.Parts[1].Cut == 0 {
		t.Errorf("%d bytes of logs: %+v", total, m.Parts)
	}
}
