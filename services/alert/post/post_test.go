package post

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const (
	botToken  = "110201543:AAHdqTcvCH1vGWJxfSeofSAs0K5PALDsaw"
	slackHook = "T00000000/B00000000/abcdefghijklmnopqrstuvwx"
)

// asked is what a service got.
type asked struct {
	host, method, path string
	header             http.Header
	body               string
}

// service is a local server that plays Telegram, Slack, ntfy or a webhook.
type service struct {
	*httptest.Server
	mu    sync.Mutex // guards what follows
	got   []asked
	reply func(w http.ResponseWriter, r *http.Request)
}

func serve(t *testing.T, reply func(w http.ResponseWriter, r *http.Request)) *service {
	t.Helper()
	s := &service{reply: reply}
	s.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		b, _ := io.ReadAll(r.Body) // what is cut off is seen in the body
		s.mu.Lock()
		s.got = append(s.got, asked{r.Host, r.Method, r.URL.RequestURI(), r.Header, string(b)})
		reply := s.reply
		s.mu.Unlock()
		if reply != nil {
			reply(w, r)
		}
	}))
	t.Cleanup(s.Close)
	return s
}

func (s *service) all() []asked {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]asked(nil), s.got...)
}

// RoundTrip brings requests to any host to the local server, over TCP, with
// everything else as it is.
func (s *service) RoundTrip(r *http.Request) (*http.Response, error) {
	r = r.Clone(r.Context())
	r.Host = r.URL.Host
	r.URL.Scheme, r.URL.Host = "http", strings.TrimPrefix(s.URL, "http://")
	t := &http.Transport{DisableKeepAlives: true}
	return t.RoundTrip(r)
}

func (s *service) client() *http.Client {
	c := NewClient()
	c.Transport = s
	return c
}

// here is the server's address in a service URL.
func (s *service) here() string { return strings.TrimPrefix(s.URL, "http://") }

func target(t *testing.T, raw string) Target {
	t.Helper()
	list, err := Parse([]string{raw})
	if err != nil {
		t.Fatal(err)
	}
	return list[0]
}

var message = Message{Title: "[here] Trading is stopped", Text: "the mode is halted: by ops; look why, then traderctl resume – ½ <b>&", Kind: "mode", Urgent: true, At: time.Date(2026, 4, 2, 14, 30, 0, 0, time.UTC)}

func TestServicesGetTheirShape(t *testing.T) {
	within, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	t.Run("telegram", func(t *testing.T) {
		s := serve(t, func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, `{"ok":true,"result":{}}`) })
		list, err := Parse([]string{"telegram://" + botToken + "@telegram?chats=@mine,-1001:7&preview=no"})
		if err != nil || len(list) != 2 || list[1].Name != "telegram-2" {
			t.Fatalf("%v, %v", list, err)
		}
		for _, err := range []error{list[0].Send(within, s.client(), message), list[1].Send(within, s.client(), message)} {
			if err != nil {
				t.Error(err)
			}
		}
		var told [2]struct {
			Chat    string `json:"chat_id"`
			Thread  int    `json:"message_thread_id"`
			Text    string `json:"text"`
			Mode    string `json:"parse_mode"`
			Preview bool   `json:"disable_web_page_preview"`
		}
		for i, g := range s.all() {
			if g.host != "api.telegram.org" || g.path != "/bot"+botToken+"/sendMessage" || json.Unmarshal([]byte(g.body), &told[i]) != nil {
				t.Errorf("asked %+v", g)
			}
		}
		if told[0].Chat != "@mine" || told[1].Chat != "-1001" || told[1].Thread != 7 || told[0].Text != message.whole() || told[0].Mode != "" || !told[0].Preview {
			t.Errorf("told %+v", told)
		}
	})
	t.Run("slack webhook", func(t *testing.T) {
		s := serve(t, func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "ok") })
		if err := target(t, "slack://hook:"+strings.ReplaceAll(slackHook, "/", "-")+"@webhook").Send(within, s.client(), message); err != nil {
			t.Fatal(err)
		}
		g := s.all()[0]
		if g.host != "hooks.slack.com" || g.path != "/services/"+slackHook || !strings.Contains(g.body, message.Title) || !strings.Contains(g.body, "then traderctl resume") {
			t.Errorf("asked %+v", g)
		}
	})
	t.Run("slack bot", func(t *testing.T) {
		s := serve(t, func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, `{"ok":true}`) })
		if err := target(t, "slack://xoxb:123456789012-1234567890123-abcdefghijklmnopqrstuvwx@C001").Send(within, s.client(), message); err != nil {
			t.Fatal(err)
		}
		g := s.all()[0]
		if g.host != "slack.com" || g.path != "/api/chat.postMessage" || g.header.Get("Authorization") != "Bearer xoxb-123456789012-1234567890123-abcdefghijklmnopqrstuvwx" || !strings.Contains(g.body, `"channel":"C001"`) {
			t.Errorf("asked %+v", g)
		}
	})
	t.Run("ntfy", func(t *testing.T) {
		s := serve(t, nil)
		to := target(t, "ntfy://bob:hunter2@"+s.here()+"/my-secret-topic?scheme=http&tags=warning&priority=low")
		calm := message
		calm.Title, calm.Urgent = "Over: Märkte", false
		for _, m := range []Message{message, calm} {
			if err := to.Send(within, NewClient(), m); err != nil {
				t.Fatal(err)
			}
		}
		first, second := s.all()[0], s.all()[1]
		if first.path != "/my-secret-topic" || first.header.Get("Title") != message.Title || first.header.Get("Priority") != "5" || first.header.Get("Tags") != "warning" || first.body != message.Text {
			t.Errorf("asked %+v", first)
		}
		if user, pass, _ := (&http.Request{Header: first.header}).BasicAuth(); user != "bob" || pass != "hunter2" {
			t.Errorf("user %q, password %q", user, pass)
		}
		if second.header.Get("Title") != "=?utf-8?q?Over:_M=C3=A4rkte?=" || second.header.Get("Priority") != "2" {
			t.Errorf("the second has title %q, priority %q", second.header.Get("Title"), second.header.Get("Priority"))
		}
	})
	t.Run("webhook", func(t *testing.T) {
		s := serve(t, nil)
		for _, raw := range []string{
			"generic://" + s.here() + "/hooks/0123456789abcdef?disabletls=yes&template=json&@AuthToken=s3cr3t&$env=prod&keep=1",
			"generic+http://" + s.here() + "/plain",
		} {
			if err := target(t, raw).Send(within, NewClient(), message); err != nil {
				t.Fatal(err)
			}
		}
		object, plain := s.all()[0], s.all()[1]
		var told map[string]string
		if err := json.Unmarshal([]byte(object.body), &told); err != nil {
			t.Fatal(err)
		}
		if object.path != "/hooks/0123456789abcdef?keep=1" || object.header.Get("Auth-Token") != "s3cr3t" || told["title"] != message.Title ||
			told["message"] != message.Text || told["kind"] != "mode" || told["urgent"] != "true" || told["env"] != "prod" {
			t.Errorf("asked %+v", object)
		}
		if plain.path != "/plain" || plain.body != message.whole() {
			t.Errorf("asked %+v", plain)
		}
	})
}

// Success is only what the service calls so; whether to try again depends on
// what it says; and no error shows a token, whatever went wrong.
func TestFailuresOfServices(t *testing.T) {
	status := func(code int, body string) func(http.ResponseWriter, *http.Request) {
		return func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Retry-After", "7")
			w.Header().Set("Location", "https://elsewhere.example.org/"+botToken)
			w.WriteHeader(code)
			_, _ = io.WriteString(w, body)
		}
	}
	hook := "generic+http://HERE/hooks/0123456789abcdef"
	for name, tt := range map[string]struct {
		url   string
		reply func(http.ResponseWriter, *http.Request)
		final bool
		after time.Duration
		says  string
	}{
		"telegram, wrong token":   {"telegram://" + botToken + "@telegram?chats=1", status(401, `{"ok":false,"error_code":401,"description":"Unauthorized"}`), true, 0, "401 Unauthorized: Unauthorized"},
		"telegram, too many":      {"telegram://" + botToken + "@telegram?chats=1", status(429, `{"ok":false,"description":"Too Many Requests: retry after 7"}`), false, 7 * time.Second, "retry after 7"},
		"telegram, no answer":     {"telegram://" + botToken + "@telegram?chats=1", status(200, `<html>a portal</html>`), false, 0, "no answer: <html>"},
		"telegram, not ok":        {"telegram://" + botToken + "@telegram?chats=1", status(200, `{"ok":false,"description":"chat not found"}`), true, 0, "chat not found"},
		"slack, says another":     {"slack://hook:" + strings.ReplaceAll(slackHook, "/", "-") + "@webhook", status(200, "invalid_token"), true, 0, "invalid_token"},
		"slack, not ok":           {"slack://xoxb:123456789012-1234567890123-abcdefghijklmnopqrstuvwx@C001", status(200, `{"ok":false,"error":"invalid_auth"}`), true, 0, "invalid_auth"},
		"slack, too many":         {"slack://xoxb:123456789012-1234567890123-abcdefghijklmnopqrstuvwx@C001", status(200, `{"ok":false,"error":"ratelimited"}`), false, 0, "ratelimited"},
		"ntfy, no such user":      {"ntfy://u:hunter2@HERE/my-secret-topic?scheme=http", status(403, `{"code":40301,"error":"forbidden"}`), true, 0, "403 Forbidden: forbidden"},
		"ntfy, quotes us":         {"ntfy://u:hunter2@HERE/my-secret-topic?scheme=http", status(403, `u:hunter2 may not write to my-secret-topic`), true, 0, "[redacted] may not write to [redacted]"},
		"webhook, broken for now": {hook, status(500, "oops"), false, 0, "500 Internal Server Error: oops"},
		"webhook, moved":          {hook, status(308, ""), true, 0, "redirects are not followed"},
		"webhook, reset": {hook, func(w http.ResponseWriter, _ *http.Request) {
			c, _, err := w.(http.Hijacker).Hijack()
			if err == nil {
				_ = c.Close()
			}
		}, false, 0, "EOF"},
	} {
		t.Run(name, func(t *testing.T) {
			s := serve(t, tt.reply)
			err := target(t, strings.Replace(tt.url, "HERE", s.here(), 1)).Send(t.Context(), s.client(), message)
			var e *Error
			if !errors.As(err, &e) || errors.Is(err, ErrNotTaken) != tt.final || e.After != tt.after || !strings.Contains(err.Error(), tt.says) {
				t.Errorf("error %v (final %t, after %v)", err, errors.Is(err, ErrNotTaken), e.After)
			}
			shows(t, err.Error())
			if n := len(s.all()); n != 1 {
				t.Errorf("asked %d times: a redirect was followed", n)
			}
		})
	}
}

// shows fails the test when a text holds one of the tests' secrets.
func shows(t *testing.T, text string) {
	t.Helper()
	for _, s := range []string{"AAHdq", slackHook, "abcdefghijklmnopqrstuvwx", "hunter2", "my-secret-topic", "0123456789abcdef"} {
		if strings.Contains(text, s) {
			t.Errorf("a secret is shown: %s", text)
		}
	}
}

// A server that accepts and says nothing, one that nobody answers for and one
// that has no address: the send ends with its context and shows no token.
func TestNobodyAnswers(t *testing.T) {
	never := make(chan struct{})
	s := serve(t, func(_ http.ResponseWriter, r *http.Request) {
		select {
		case <-never:
		case <-r.Context().Done():
		}
	})
	t.Cleanup(func() { close(never) })
	gone := httptest.NewServer(nil)
	gone.Close()
	for name, tt := range map[string]struct {
		url    string
		client *http.Client
		says   string
	}{
		"telegram hangs": {"telegram://" + botToken + "@telegram?chats=1", s.client(), "did not answer in time"},
		"webhook hangs":  {"generic+http://" + s.here() + "/hooks/0123456789abcdef", NewClient(), "did not answer in time"},
		"refused":        {"ntfy://u:hunter2@" + strings.TrimPrefix(gone.URL, "http://") + "/my-secret-topic?scheme=http", NewClient(), "connection refused"},
		"no such host":   {"ntfy://u:hunter2@nowhere.invalid/my-secret-topic", NewClient(), "nowhere.invalid"},
		"mail refused":   {"smtp://u:hunter2@" + strings.TrimPrefix(gone.URL, "http://") + "/?from=a@example.org&to=b@example.org", nil, "connection refused"},
	} {
		t.Run(name, func(t *testing.T) {
			patience := 20 * time.Second
			if strings.HasSuffix(name, " hangs") { // waited for to its end
				patience = 300 * time.Millisecond
			}
			ctx, cancel := context.WithTimeout(t.Context(), patience)
			defer cancel()
			began := time.Now()
			err := target(t, tt.url).Send(ctx, tt.client, message)
			if err == nil || !strings.Contains(err.Error(), tt.says) || errors.Is(err, ErrNotTaken) {
				t.Errorf("error %v", err)
			} else {
				shows(t, err.Error())
			}
			if d := time.Since(began); d > patience+5*time.Second {
				t.Errorf("it took %v", d)
			}
		})
	}
}

func TestParseFaults(t *testing.T) {
	for raw, says := range map[string]string{
		"discord://abc@123":                                                        `"discord" is none of generic, ntfy, slack, smtp, telegram`,
		"hunter2":                                                                  `service "" is none of`,
		"ntfy://u:hunter2%@ntfy.sh/x":                                              "it is no URL such as",
		"telegram://hunter2@telegram?chats=1":                                      "the token before the @ is none",
		"telegram://" + botToken + "@telegram":                                     "no channels defined",
		"slack://hook:hunter2hunter2@webhook":                                      "slack:",
		"ntfy://ntfy.sh/":                                                          "topic is required",
		"ntfy://ntfy.sh/my-secret-topic?scheme=gopher":                             "neither http nor https",
		"ntfy://ntfy.sh/my-secret-topic?disabletlsverification=yes":                "SSL_CERT_FILE",
		"ntfy://127.0.0.1:4002/my-secret-topic?scheme=http":                        "port 4002 is the broker's gateway's",
		"generic://h.example.org/0123456789abcdef?template=x":                      `template "x" is not json`,
		"generic+ftp://h.example.org/0123456789abcdef":                             "neither generic+https",
		"telegram+https://" + botToken + "@telegram?chats=1":                       "write telegram://",
		"smtp://u:hunter2@mail.example.org/?from=a@example.org":                    "toAddress missing",
		"smtp://u:hunter2@mail.example.org/?from=a&to=b@c.org":                     "an address is none",
		"smtp://u:hunter2@mail.example.org/?from=a@b.c&to=b@c.d&skiptlsverify=yes": "SSL_CERT_FILE",
	} {
		_, err := Parse([]string{"ntfy://ntfy.sh/fine-topic", raw})
		if err == nil || !strings.HasPrefix(err.Error(), "URL 2: ") || !strings.Contains(err.Error(), says) {
			t.Errorf("%s: error %v, want one that says %q", raw, err, says)
			continue
		}
		shows(t, err.Error())
	}
	many := make([]string, maxTargets+1)
	for i := range many {
		many[i] = "ntfy://ntfy.sh/fine-topic"
	}
	if _, err := Parse(many); err == nil {
		t.Error("any number of places is taken")
	}
	list, err := Parse(many[:2])
	if err != nil || list[0].Name != "ntfy" || list[1].Name != "ntfy-2" || list[0].Where != "ntfy.sh" || list[0].Plain {
		t.Errorf("%+v, %v", list, err)
	}
	if p := target(t, "ntfy://10.0.0.7/x?scheme=http"); !p.Plain {
		t.Error("a topic goes over the network as it is, and nobody says so")
	}
}

func TestTextsHaveABound(t *testing.T) {
	if got := cut(strings.Repeat("ü", 3000), maxText); len(got) > maxText || !strings.HasSuffix(got, "ü …") {
		t.Errorf("%d bytes, ending %q", len(got), got[len(got)-8:])
	}
	if got := cut("a\xffb", 10); got != "a?b" {
		t.Errorf("%q", got)
	}
	list := make([]Message, 40)
	for i := range list {
		list[i] = Message{Title: "t", Text: strings.Repeat("x", 400), Kind: "disk", Urgent: i == 7}
	}
	if m := Joined(list); m.Title != "t (and 39 more)" || len(m.Text) > maxText || !m.Urgent || m.Kind != "disk" {
		t.Errorf("%+v", m)
	}
}
