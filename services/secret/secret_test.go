package secret

import (
	"bytes"
	"encoding/json"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"testing/quick"
)

const token = `110201543:AAHdqTcvCH1vGWJxfSeofSAs0K5PALDsaw`

// A text never shows itself, in whatever way a careless line prints it.
func TestTextIsNeverShown(t *testing.T) {
	inner := struct {
		Exported Text
		private  Text
		list     []Text
	}{New(token), New(token), []Text{New(token)}}
	var shown bytes.Buffer
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x"} {
		fmt.Fprintf(&shown, verb+" "+verb+" "+verb+"\n", inner.Exported, inner, &inner)
	}
	b, err := json.Marshal(inner)
	if err != nil {
		t.Fatal(err)
	}
	shown.Write(b)
	for _, h := range []slog.Handler{slog.NewTextHandler(&shown, nil), slog.NewJSONHandler(&shown, nil)} {
		slog.New(h).Info("x", "secret", inner.Exported, "all", inner, "list", inner.list)
	}
	if s := shown.String(); strings.Contains(s, "AAHdq") || strings.Contains(s, fmt.Sprintf("%x", "AAHdq")) {
		t.Errorf("it was shown:\n%s", s)
	}
	if !strings.Contains(shown.String(), Hidden) {
		t.Error("nothing says that there is one")
	}
	var back Text
	if err := back.UnmarshalText([]byte(token)); err != nil || back.Reveal() != token || !back.Set() {
		t.Errorf("read back: %v, %t", err, back.Set())
	}
	if none := New(""); none.Set() || none.String() != "" || none.Reveal() != "" {
		t.Error("an empty text is a secret")
	}
}

func TestRedactor(t *testing.T) {
	var r Redactor
	if got := r.Text("as it is"); got != "as it is" {
		t.Errorf("without a word: %q", got)
	}
	r.Add(`p"ss & word/1`, "abc", "abcd")
	for in, want := range map[string]string{
		`said p"ss & word/1.`:                  "said [redacted].",
		`said p\"ss & word/1.`:                 "said [redacted].",
		`{"x":"p\"ss \u0026 word/1"}`:          `{"x":"[redacted]"}`,
		"https://h/p%22ss+%26+word%2F1?x":      "https://h/[redacted]?x",
		"https://h/p%22ss%20&%20word%2F1?x=yz": "https://h/[redacted]?x=yz",
		"abc stays, xabcdx does not":           "abc stays, x[redacted]x does not",
	} {
		if got := r.Text(in); got != want {
			t.Errorf("%s\n got %s\nwant %s", in, got, want)
		}
	}
	var none *Redactor
	if none.Text("x") != "x" {
		t.Error("nil changes texts")
	}
}

// Whatever stands around a secret in a line of a log, it is not in what comes
// out, and a write tells its own length, as a writer must.
func TestRedactorWrites(t *testing.T) {
	var r Redactor
	r.Add(InURL("telegram://" + token + "@telegram?chats=123456789")...)
	check := func(before, after string) bool {
		var out bytes.Buffer
		line := []byte(before + token + after)
		n, err := r.Writer(&out).Write(line)
		return err == nil && n == len(line) && !strings.Contains(out.String(), "AAHdq")
	}
	if err := quick.Check(check, nil); err != nil {
		t.Error(err)
	}
}

func TestInURL(t *testing.T) {
	for raw, secrets := range map[string][]string{
		"telegram://" + token + "@telegram?chats=@my_private_channel":       {token, "AAHdqTcvCH1vGWJxfSeofSAs0K5PALDsaw", "@my_private_channel"},
		"slack://hook:T00000000-B00000000-XXXXXXXXXXXXXXXXXXXXXXXX@webhook": {"T00000000-B00000000-XXXXXXXXXXXXXXXXXXXXXXXX"},
		"smtp://bob:hunter2@mail.example.org:587/?from=a@b.c&to=d@e.f":      {"hunter2"},
		"ntfy://ntfy.sh/my-secret-topic":                                    {"my-secret-topic"},
		"generic://host.example.org/hooks/0123456789abcdef?template=json":   {"0123456789abcdef", "/hooks/0123456789abcdef"},
		"https://hc-ping.com/5bf66975-d4c7-4bf5-bcc8-b8d8a82ea278":          {"5bf66975-d4c7-4bf5-bcc8-b8d8a82ea278"},
	} {
		var r Redactor
		r.Add(InURL(raw)...)
		for _, s := range append(secrets, raw) {
			if got := r.Text("x " + s + " y"); strings.Contains(got, s) {
				t.Errorf("%s: %s", raw, got)
			}
		}
		if got := r.Text("no answer from ntfy.sh, mail.example.org, host.example.org: json"); strings.Contains(got, Redacted) {
			t.Errorf("%s: a host or a word is taken for a secret: %s", raw, got)
		}
	}
}
